//! Turns the text of a field into the text that PostgreSQL's COPY takes, or says what is wrong with it.

use super::statement::{Options, TimeFormat};
use std::fmt::Write as _;

/// Type of a column, as far as loading cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// VARCHAR or CHAR of so many bytes.
    Text(u32),
    /// SMALLINT, INTEGER or BIGINT of so many bits.
    Integer(u32),
    /// DECIMAL with precision and scale.
    Decimal(u32, u32),
    /// REAL or DOUBLE PRECISION, of so many bits.
    Float(u32),
    /// BOOLEAN.
    Boolean,
    /// DATE.
    Date,
    /// TIMESTAMP.
    Timestamp,
    /// TIMESTAMPTZ.
    TimestampTz,
    /// SUPER.
    Super,
    /// VARBYTE.
    Bytes(u32),
    /// Anything else: PostgreSQL judges.
    Other,
}

/// A column to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Name.
    pub(crate) name: String,
    /// Type.
    pub(crate) kind: ColumnKind,
    /// As the load error views name the type.
    pub(crate) type_name: String,
    /// Whether it may be null.
    pub(crate) nullable: bool,
}

impl Column {
    /// Length, or precision and scale, as the load error views have it.
    pub(crate) fn length(&self) -> String {
        match self.kind {
            ColumnKind::Text(bytes) | ColumnKind::Bytes(bytes) => bytes.to_string(),
            ColumnKind::Decimal(precision, scale) => format!("{precision}, {scale}"),
            _ => "0".to_owned(),
        }
    }

    /// The type as errors of columnar files have it.
    pub(crate) fn declared(&self) -> String {
        match self.kind {
            ColumnKind::Text(bytes) => format!("VARCHAR({bytes})"),
            ColumnKind::Integer(16) => "SMALLINT".to_owned(),
            ColumnKind::Integer(32) => "INT".to_owned(),
            ColumnKind::Integer(_) => "BIGINT".to_owned(),
            ColumnKind::Decimal(precision, scale) => format!("DECIMAL({precision}, {scale})"),
            ColumnKind::Float(32) => "FLOAT".to_owned(),
            ColumnKind::Float(_) => "DOUBLE".to_owned(),
            ColumnKind::Boolean => "BOOLEAN".to_owned(),
            ColumnKind::Date => "DATE".to_owned(),
            ColumnKind::Timestamp | ColumnKind::TimestampTz => "TIMESTAMP".to_owned(),
            ColumnKind::Super => "SUPER".to_owned(),
            ColumnKind::Bytes(_) => "VARBYTE".to_owned(),
            ColumnKind::Other => self.type_name.to_uppercase(),
        }
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Number, <https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html>.
    pub(crate) code: u32,
    /// In words.
    pub(crate) message: String,
}

/// Something wrong.
pub(crate) fn wrong(code: u32, message: impl Into<String>) -> Wrong {
    Wrong { code, message: message.into() }
}

/// A field of text (CSV, or a JSON string) for a column; none is null.
pub(crate) fn from_text(column: &Column, text: &str, options: &Options) -> Result<Option<String>, Wrong> {
    if let ColumnKind::Text(bytes) = column.kind {
        return text_value(text, bytes, options);
    }
    let trimmed = text.trim();
    if trimmed.is_empty() && column.kind != ColumnKind::Super {
        return Ok(None);
    }
    match column.kind {
        ColumnKind::Integer(bits) => integer(trimmed, bits).map(Some),
        ColumnKind::Decimal(precision, scale) => decimal(trimmed, precision, scale).map(Some),
        ColumnKind::Float(_) => float(trimmed).map(Some),
        ColumnKind::Boolean => boolean(trimmed).map(Some),
        ColumnKind::Date => date(trimmed, options).map(Some),
        ColumnKind::Timestamp => timestamp(trimmed, options, false).map(Some),
        ColumnKind::TimestampTz => timestamp(trimmed, options, true).map(Some),
        ColumnKind::Bytes(bytes) => hex(trimmed, bytes).map(Some),
        ColumnKind::Super | ColumnKind::Text(_) | ColumnKind::Other => Ok(Some(text.to_owned())),
    }
}

/// A bare number of JSON: it was read as a double, whatever it was written like.
pub(crate) fn from_number(column: &Column, number: f64, options: &Options) -> Result<Option<String>, Wrong> {
    let whole = number.fract() == 0.0 && number.abs() < 1e19;
    let text = match column.kind {
        ColumnKind::Decimal(_, scale) => format!("{number:.*}", scale as usize),
        ColumnKind::Integer(_) | ColumnKind::Timestamp | ColumnKind::TimestampTz if whole => format!("{number:.0}"),
        _ => number.to_string(),
    };
    from_text(column, &text, options)
}

/// Text is null where the options say so; too many bytes are wrong, or cut.
fn text_value(text: &str, bytes: u32, options: &Options) -> Result<Option<String>, Wrong> {
    let is_null = options.null.as_deref() == Some(text)
        || (options.empty_as_null && text.is_empty())
        || (options.blanks_as_null && !text.is_empty() && text.trim().is_empty());
    if is_null {
        return Ok(None);
    }
    if text.contains('\0') {
        return Err(wrong(1218, "Invalid null byte - field longer than 1 byte"));
    }
    if text.len() <= bytes as usize {
        return Ok(Some(text.to_owned()));
    }
    if !options.truncate {
        return Err(wrong(1204, "String length exceeds DDL length"));
    }
    let mut end = bytes as usize;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Ok(Some(text[..end].to_owned()))
}

fn invalid_digit(text: &str, at: usize, ty: &str) -> Wrong {
    let digit = text[at..].chars().next().unwrap_or(' ');
    wrong(1207, format!("Invalid digit, Value '{digit}', Pos {at}, Type: {ty}"))
}

fn integer(text: &str, bits: u32) -> Result<String, Wrong> {
    let ty = match bits {
        16 => "Short",
        32 => "Integer",
        _ => "Long",
    };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = text.len() - digits.len();
    if let Some(at) = digits.find(|c: char| !c.is_ascii_digit()) {
        return Err(invalid_digit(text, sign + at, ty));
    }
    let number: i128 = text.parse().map_err(|_| invalid_digit(text, 0, ty))?;
    let limit = 1_i128 << (bits - 1);
    if (-limit..limit).contains(&number) {
        return Ok(number.to_string());
    }
    Err(wrong(1207, format!("Overflow, Value '{text}', Type: {ty}")))
}

/// Rounds to the scale, half away from zero.
fn decimal(text: &str, precision: u32, scale: u32) -> Result<String, Wrong> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.parse::<i32>().map_err(|_| invalid_digit(text, 0, "Decimal"))?)
        }
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 400 || exponent.abs() > 400 {
        return Err(invalid_digit(text, 0, "Decimal"));
    }
    if let Some(at) = digits.find(|c: char| !c.is_ascii_digit()) {
        return Err(invalid_digit(text, at, "Decimal"));
    }
    let rounded = shift(&digits, whole.len() as i32 + exponent + scale as i32);
    if rounded.len() > precision as usize {
        return Err(wrong(1209, format!("Numeric data overflow (DECIMAL({precision},{scale}) result of '{text}')")));
    }
    let padded = format!("{rounded:0>width$}", width = scale as usize + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale as usize);
    let sign = if text.starts_with('-') { "-" } else { "" };
    Ok(if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// The first `keep` digits (padded with zeros) as a whole number, rounded by the next one; without leading zeros.
fn shift(digits: &str, keep: i32) -> String {
    if keep < 0 {
        return String::new();
    }
    let keep = keep as usize;
    let mut kept: Vec<u8> = digits.bytes().chain(std::iter::repeat(b'0')).take(keep).collect();
    let mut carry = digits.as_bytes().get(keep).is_some_and(|digit| *digit >= b'5');
    for digit in kept.iter_mut().rev().take_while(|_| carry).collect::<Vec<_>>() {
        carry = *digit == b'9';
        *digit = if carry { b'0' } else { *digit + 1 };
        if !carry {
            break;
        }
    }
    let text: String = carry.then_some('1').into_iter().chain(kept.into_iter().map(char::from)).collect();
    text.trim_start_matches('0').to_owned()
}

fn float(text: &str) -> Result<String, Wrong> {
    let number: f64 = text.parse().map_err(|_| wrong(1208, format!("Invalid floating point value '{text}'")))?;
    Ok(if number.is_infinite() { format!("{}Infinity", if number < 0.0 { "-" } else { "" }) } else { text.to_owned() })
}

fn boolean(text: &str) -> Result<String, Wrong> {
    match text.to_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Ok("t".to_owned()),
        "f" | "false" | "n" | "no" | "0" => Ok("f".to_owned()),
        _ => Err(wrong(1210, "Unknown boolean format")),
    }
}

fn hex(text: &str, bytes: u32) -> Result<String, Wrong> {
    if text.len() % 2 == 1 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong(1207, "Invalid digit in VARBYTE"));
    }
    if text.len() / 2 > bytes as usize {
        return Err(wrong(1204, "String length exceeds DDL length"));
    }
    Ok(format!("\\x{text}"))
}

fn date(text: &str, options: &Options) -> Result<String, Wrong> {
    let invalid = || wrong(1205, "Invalid Date Format - length must be 10 or more");
    let (day, rest) = text.split_at_checked(10).ok_or_else(invalid)?;
    let is_date = is_day(day) && (rest.is_empty() || (options.auto_dates && rest.starts_with([' ', 'T'])));
    if is_date { Ok(day.to_owned()) } else { Err(invalid()) }
}

fn is_day(text: &str) -> bool {
    let mut parts = text.split('-').map(|part| (part.len(), part.parse::<u32>().unwrap_or(99)));
    let [Some((4, year)), Some((2, month)), Some((2, day)), None] = std::array::from_fn(|_| parts.next()) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year > 0 && (1..=days).contains(&day)
}

fn timestamp(text: &str, options: &Options, zoned: bool) -> Result<String, Wrong> {
    let shape = if zoned { "YYYY-MM-DD HH24:MI:SSOF" } else { "YYYY-MM-DD HH24:MI:SS" };
    let invalid = || wrong(1206, format!("Invalid timestamp format or value [{shape}]"));
    match options.time {
        TimeFormat::EpochSeconds | TimeFormat::EpochMillis => return epoch(text, options.time).ok_or_else(invalid),
        TimeFormat::Auto | TimeFormat::Plain => {}
    }
    let auto = options.time == TimeFormat::Auto;
    let (day, rest) = text.split_at_checked(10).ok_or_else(invalid)?;
    if !is_day(day) {
        return Err(invalid());
    }
    if rest.is_empty() && auto {
        return Ok(format!("{day} 00:00:00"));
    }
    let separators: &[char] = if auto { &[' ', 'T'] } else { &[' '] };
    let clock = rest.strip_prefix(separators).ok_or_else(invalid)?;
    let (clock, offset) = clock.split_at(clock.find(['Z', '+', '-']).unwrap_or(clock.len()));
    let is_offset = offset.is_empty() || (offset == "Z" && auto) || is_offset(offset);
    if !is_clock(clock.trim_end(), auto) || !is_offset || (!zoned && !auto && !offset.is_empty()) {
        return Err(invalid());
    }
    Ok(format!("{day} {}{}", clock.trim_end(), if zoned || auto { offset } else { "" }))
}

/// Hours, minutes, seconds with up to six digits behind them; TIMEFORMAT 'auto' needs no seconds.
fn is_clock(text: &str, auto: bool) -> bool {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let limits = [24, 60, 60];
    let parts: Vec<&str> = clock.split(':').collect();
    let fits = |(part, limit): (&&str, u32)| part.len() == 2 && part.parse::<u32>().is_ok_and(|number| number < limit);
    (parts.len() == 3 || (auto && parts.len() == 2 && fraction == "0"))
        && parts.iter().zip(limits).all(fits)
        && (1..=6).contains(&fraction.len())
        && fraction.bytes().all(|digit| digit.is_ascii_digit())
}

/// `+hh`, `+hhmm` or `+hh:mm`.
fn is_offset(text: &str) -> bool {
    let Some(digits) = text.strip_prefix(['+', '-']) else { return false };
    let digits = digits.replacen(':', "", 1);
    matches!(digits.len(), 2 | 4) && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// Times since 1970, to the microsecond.
fn epoch(text: &str, format: TimeFormat) -> Option<String> {
    let number: i64 = text.parse().ok()?;
    let micros = number.checked_mul(if format == TimeFormat::EpochMillis { 1_000 } else { 1_000_000 })?;
    Some(micros_to_text(micros))
}

/// A point in time in UTC, as PostgreSQL reads it.
pub(crate) fn micros_to_text(micros: i64) -> String {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let clock = seconds.rem_euclid(86_400);
    let mut text = days_to_text(seconds.div_euclid(86_400));
    let _infallible = write!(text, " {:02}:{:02}:{:02}.{fraction:06}", clock / 3_600, clock / 60 % 60, clock % 60);
    if let Some(year) = text.strip_prefix('-') { format!("{year} BC") } else { text }
}

/// A day counted from 1970-01-01; years before 1 come out with a sign.
///
/// The arithmetic is that of Howard Hinnant's `civil_from_days`: years start in March, so that the leap day is their last.
pub(crate) fn days_to_text(days: i64) -> String {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if year < 1 { format!("-{:04}-{month:02}-{day:02}", 1 - year) } else { format!("{year:04}-{month:02}-{day:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: ColumnKind) -> Column {
        Column { name: "a".to_owned(), kind, type_name: "x".to_owned(), nullable: true }
    }

    fn text(kind: ColumnKind, text: &str) -> Result<Option<String>, u32> {
        from_text(&column(kind), text, &Options::default()).map_err(|wrong| wrong.code)
    }

    #[test]
    fn text_is_counted_in_bytes() {
        assert_eq!(text(ColumnKind::Text(3), "äb"), Ok(Some("äb".to_owned())));
        assert_eq!(text(ColumnKind::Text(3), "äöü"), Err(1204));
        let options = Options { truncate: true, ..Options::default() };
        let cut = from_text(&column(ColumnKind::Text(3)), "äöü", &options);
        assert_eq!(cut, Ok(Some("ä".to_owned())));
    }

    #[test]
    fn decimals_are_exact_and_rounded() {
        let cases = [
            ("0.1", "0.10"),
            ("-12.345", "-12.35"),
            ("1e2", "100.00"),
            ("99.995", "100.00"),
            (".5", "0.50"),
            ("0.004", "0.00"),
            ("1.5E-1", "0.15"),
        ];
        for (given, wanted) in cases {
            assert_eq!(text(ColumnKind::Decimal(5, 2), given), Ok(Some(wanted.to_owned())), "{given}");
        }
        assert_eq!(text(ColumnKind::Decimal(5, 2), "1000"), Err(1209));
        assert_eq!(text(ColumnKind::Decimal(5, 2), "12x"), Err(1207));
        assert_eq!(text(ColumnKind::Decimal(3, 0), "999.4"), Ok(Some("999".to_owned())));
    }

    #[test]
    fn bare_numbers_have_the_precision_of_a_double() {
        let number = |kind, number| from_number(&column(kind), number, &Options::default()).map_err(|wrong| wrong.code);
        assert_eq!(
            number(ColumnKind::Decimal(18, 2), 2.675),
            Ok(Some("2.67".to_owned())),
            "2.675 is a little less than that"
        );
        assert_eq!(text(ColumnKind::Decimal(18, 2), "2.675"), Ok(Some("2.68".to_owned())));
        assert_eq!(number(ColumnKind::Integer(64), 9_007_199_254_740_993_f64), Ok(Some("9007199254740992".to_owned())));
        assert_eq!(number(ColumnKind::Integer(32), 1.5), Err(1207));
        assert_eq!(number(ColumnKind::Integer(16), 40_000.0), Err(1207));
    }

    #[test]
    fn times_have_their_formats() {
        let auto = Options { time: TimeFormat::Auto, auto_dates: true, ..Options::default() };
        let read =
            |kind, text: &str, options: &Options| from_text(&column(kind), text, options).map_err(|wrong| wrong.code);
        assert_eq!(
            read(ColumnKind::Timestamp, "2026-02-28T12:13:14.123456Z", &auto),
            Ok(Some("2026-02-28 12:13:14.123456Z".to_owned()))
        );
        assert_eq!(text(ColumnKind::Timestamp, "2026-02-28T12:13:14"), Err(1206));
        assert_eq!(text(ColumnKind::Timestamp, "2026-02-28 12:13:14"), Ok(Some("2026-02-28 12:13:14".to_owned())));
        assert_eq!(read(ColumnKind::Timestamp, "2026-02-30 12:13:14", &auto), Err(1206));
        assert_eq!(
            text(ColumnKind::TimestampTz, "2026-02-28 12:13:14+00"),
            Ok(Some("2026-02-28 12:13:14+00".to_owned()))
        );
        assert_eq!(text(ColumnKind::Date, "2024-02-29"), Ok(Some("2024-02-29".to_owned())));
        assert_eq!(text(ColumnKind::Date, "2026-02-29"), Err(1205));
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(days_to_text(0), "1970-01-01");
        assert_eq!(days_to_text(19_782), "2024-02-29");
        assert_eq!(days_to_text(-719_162), "0001-01-01");
        assert_eq!(micros_to_text(-1), "1969-12-31 23:59:59.999999");
        assert_eq!(micros_to_text(-62_135_596_800_000_001), "0001-12-31 23:59:59.999999 BC");
    }
}
