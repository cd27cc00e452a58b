//! ISO 8601 and RFC 3339.

use super::civil::{days_from_civil_ad, valid_date};
use super::{TimeError, fraction, offset, timestamp, two_digits};
use crate::block::load8;
use crate::text::trim;

/// What is allowed besides the full form `YYYY-MM-DDTHH:MM[:SS[.f]]` with `Z` or an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsoOptions {
    /// ASCII blanks around it are ignored.
    pub trim: bool,
    /// A time without `Z` or offset is UTC; else it is a syntax error.
    pub naive_is_utc: bool,
    /// A date alone is its midnight, UTC; else it is a syntax error.
    pub date_is_midnight: bool,
}

impl IsoOptions {
    /// A zone is required, nothing else is allowed.
    pub const STRICT: Self = Self { trim: false, naive_is_utc: false, date_is_midnight: false };
    /// Everything is allowed.
    pub const LENIENT: Self = Self { trim: true, naive_is_utc: true, date_is_midnight: true };
}

/// Reads `YYYY-MM-DD[T ]HH:MM[:SS[.fffffffff]][Z|+HH:MM|+HHMM|+HH]` as microseconds since the epoch, UTC. Digits past
/// the microsecond are cut off.
///
/// # Errors
/// [`TimeError`]: empty, another form, or no such day or time.
#[inline]
pub fn parse_timestamp(text: &[u8], options: &IsoOptions) -> Result<i64, TimeError> {
    let text = if options.trim { trim(text) } else { text };
    if let Some(micros) = text.first_chunk::<24>().filter(|_| text.len() == 24).and_then(with_millis) {
        return Ok(micros);
    }
    let (Some(head), Some(&[a, b, mark, c, d, e, f, g])) = (text.first_chunk::<8>(), next8(text, 8)) else {
        return short(text, options);
    };
    if !matches!(mark, b'T' | b' ' | b't') {
        return Err(TimeError::Syntax);
    }
    let middle = u64::from_le_bytes([a, b, b'T', c, d, e, f, g]);
    let days = year_month(u64::from_le_bytes(*head));
    let Some(((year, month), time)) = days.zip(layout(middle, b"00T00:00")) else {
        return Err(TimeError::Syntax);
    };
    let tail = Tail::read(text.get(16..).unwrap_or(&[]), options).ok_or(TimeError::Syntax)?;
    let time = pairs(time);
    let (day, hour, minute) = (field(time, 0), field(time, 3), field(time, 6));
    if !valid_date(year, month, day) {
        return Err(TimeError::Range);
    }
    timestamp(days_from_civil_ad(year as u32, month, day), hour, minute, tail.second, tail.micros, tail.offset_minutes)
}

/// Reads `YYYY-MM-DD` as days since the epoch.
///
/// # Errors
/// [`TimeError`]: empty, another form, or no such day.
#[inline]
pub fn parse_date(text: &[u8], trim_blanks: bool) -> Result<i32, TimeError> {
    let text = if trim_blanks { trim(text) } else { text };
    if text.is_empty() {
        return Err(TimeError::Empty);
    }
    let day = text.get(8..10).filter(|_| text.len() == 10).and_then(two_digits);
    let Some(((year, month), day)) = year_month(load8(text)).zip(day) else {
        return Err(TimeError::Syntax);
    };
    if valid_date(year, month, day) { Ok(days_from_civil_ad(year as u32, month, day)) } else { Err(TimeError::Range) }
}

/// `YYYY-MM-DDTHH:MM:SS.fffZ`, which most writers write: three loads, and one branch for everything that can be wrong.
#[inline(always)]
fn with_millis(text: &[u8; 24]) -> Option<i64> {
    let ([a, b, c], _) = text.as_chunks::<8>() else {
        return None;
    };
    let (a, wrong_a) = differences(u64::from_le_bytes(*a), b"0000-00-");
    let (b, wrong_b) = differences(u64::from_le_bytes(*b), b"00T00:00");
    let (c, wrong_c) = differences(u64::from_le_bytes(*c), b":00.000Z");
    if (wrong_a | wrong_b | wrong_c) != 0 {
        return None;
    }
    let (x, y, z) = (pairs(a), pairs(b), pairs(c));
    let (year, month, day) = (field(x, 0) * 100 + field(x, 2), field(x, 5), field(y, 0));
    let (hour, minute, second) = (field(y, 3), field(y, 6), field(z, 1));
    let good_time = (hour < 24) & (minute < 60) & (second < 60);
    if !good_time || !valid_date(year as i32, month, day) {
        return None;
    }
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    let millis = field(z, 4) * 10 + field(c, 6);
    let days = i64::from(days_from_civil_ad(year, month, day));
    Some(days * super::MICROS_PER_DAY + seconds * super::MICROS_PER_SECOND + i64::from(millis * 1000))
}

/// What is too short for a date and a time.
#[cold]
fn short(text: &[u8], options: &IsoOptions) -> Result<i64, TimeError> {
    if text.is_empty() {
        return Err(TimeError::Empty);
    }
    if !options.date_is_midnight {
        return Err(TimeError::Syntax);
    }
    parse_date(text, false).map(|days| i64::from(days) * super::MICROS_PER_DAY)
}

/// What stands after the minutes.
struct Tail {
    second: u32,
    micros: u32,
    offset_minutes: i32,
}

impl Tail {
    fn read(mut text: &[u8], options: &IsoOptions) -> Option<Self> {
        let mut tail = Self { second: 0, micros: 0, offset_minutes: 0 };
        if let [b':', rest @ ..] = text {
            tail.second = two_digits(rest)?;
            text = rest.get(2..)?;
            if let [b'.', rest @ ..] = text {
                let (micros, len) = fraction(rest)?;
                tail.micros = micros;
                text = rest.get(len..)?;
            }
        }
        if text.is_empty() {
            return options.naive_is_utc.then_some(tail);
        }
        let (minutes, len) = offset(text)?;
        tail.offset_minutes = minutes;
        (len == text.len()).then_some(tail)
    }
}

fn next8(text: &[u8], at: usize) -> Option<&[u8; 8]> {
    text.get(at..)?.first_chunk()
}

#[inline(always)]
fn year_month(word: u64) -> Option<(i32, u32)> {
    let two = pairs(layout(word, b"0000-00-")?);
    Some(((field(two, 0) * 100 + field(two, 2)) as i32, field(two, 5)))
}

/// Eight bytes of a fixed layout: a digit where the layout has `0`, the same byte elsewhere. The digits as values, 0
/// elsewhere.
#[inline(always)]
fn layout(word: u64, layout: &[u8; 8]) -> Option<u64> {
    let (digits, wrong) = differences(word, layout);
    (wrong == 0).then_some(digits)
}

/// How a word differs from a layout, and a number that is 0 where it holds to it.
#[inline(always)]
fn differences(word: u64, layout: &[u8; 8]) -> (u64, u64) {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let differs = word ^ u64::from_le_bytes(*layout);
    // Adding brings a byte's high bit up where it is 10 or more (a digit) or 1 or more (any other place). A carry into
    // the next byte takes a byte of 0x80 or more, and that is refused by itself.
    let room = u64::from_le_bytes(layout.map(|byte| if byte == b'0' { 0x80 - 10 } else { 0x80 - 1 }));
    (differs, (differs.wrapping_add(room) | differs) & HIGH_BITS)
}

/// In each byte: ten times it, plus the next byte. Digits are at most 9, so no byte overflows.
#[inline(always)]
fn pairs(digits: u64) -> u64 {
    digits.wrapping_mul(10).wrapping_add(digits >> 8)
}

#[inline(always)]
fn field(word: u64, at: usize) -> u32 {
    (word >> (8 * at)) as u32 & 0xFF
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{MAX_TIMESTAMP, MICROS_PER_DAY, MIN_TIMESTAMP, days_from_civil, days_in_month};
    use proptest::prelude::*;

    /// Reads part by part, as one would by hand.
    fn plainly(text: &str, options: &IsoOptions) -> Result<i64, TimeError> {
        fn number(text: &str, len: usize) -> Option<(i64, &str)> {
            let digits = text.get(..len).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
            Some((digits.parse().ok()?, &text[len..]))
        }
        fn parts(text: &str, options: &IsoOptions) -> Option<[i64; 8]> {
            let (year, text) = number(text, 4)?;
            let (month, text) = number(text.strip_prefix('-')?, 2)?;
            let (day, text) = number(text.strip_prefix('-')?, 2)?;
            if text.is_empty() && options.date_is_midnight {
                return Some([year, month, day, 0, 0, 0, 0, 0]);
            }
            let (hour, text) = number(text.strip_prefix(['T', 't', ' '])?, 2)?;
            let (minute, mut text) = number(text.strip_prefix(':')?, 2)?;
            let (mut second, mut micros) = (0, 0);
            if let Some(rest) = text.strip_prefix(':') {
                (second, text) = number(rest, 2)?;
                if let Some(rest) = text.strip_prefix('.') {
                    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
                    let digits = &rest[..len];
                    micros = (1..=9).contains(&len).then(|| format!("{digits:0<9}")[..6].parse().unwrap())?;
                    text = &rest[len..];
                }
            }
            let mut shift = 0;
            match text {
                "" if options.naive_is_utc => {}
                "Z" | "z" => {}
                _ => {
                    let sign = if text.starts_with('+') { 1 } else { -1 };
                    let (hours, rest) = number(text.strip_prefix(['+', '-'])?, 2)?;
                    let minutes = match rest {
                        "" => (0, ""),
                        _ => number(rest.strip_prefix(':').unwrap_or(rest), 2)?,
                    };
                    if !minutes.1.is_empty() || hours > 23 || minutes.0 > 59 {
                        return None;
                    }
                    shift = sign * (hours * 60 + minutes.0);
                }
            }
            Some([year, month, day, hour, minute, second, micros, shift])
        }
        let text = if options.trim { text.trim_matches(' ') } else { text };
        if text.is_empty() {
            return Err(TimeError::Empty);
        }
        let [year, month, day, hour, minute, second, micros, shift] = parts(text, options).ok_or(TimeError::Syntax)?;
        let last = i64::from(days_in_month(year as i32, month as u32));
        if year < 1 || !(1..=last).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return Err(TimeError::Range);
        }
        let days = i64::from(days_from_civil(year as i32, month as u32, day as u32));
        let value = days * MICROS_PER_DAY + ((hour * 60 + minute - shift) * 60 + second) * 1_000_000 + micros;
        if (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&value) { Ok(value) } else { Err(TimeError::Range) }
    }

    fn options() -> impl Strategy<Value = IsoOptions> {
        (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(trim, naive_is_utc, date_is_midnight)| IsoOptions {
            trim,
            naive_is_utc,
            date_is_midnight,
        })
    }

    proptest! {
        #[test]
        fn timestamps_are_read_as_part_by_part(
            text in prop_oneof![
                4 => " ?[0-2][0-9]{3}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,10})?(Z|[+-][0-2][0-9](:?[0-6][0-9])?)? ?",
                2 => "[0-9]{4}-[01][0-9]-[0-3][0-9]([Tt ][0-2][0-9]:[0-5][0-9][Z+-]?)?",
                1 => "[0-9:.TZ+ -]{0,30}",
                1 => "202[0-9]-0[1-9]-1[0-9]T0[0-9]:1[0-9].\\PC{0,8}",
            ],
            options in options(),
        ) {
            prop_assert_eq!(parse_timestamp(text.as_bytes(), &options), plainly(&text, &options));
        }

        #[test]
        fn any_change_of_one_byte_is_read_as_part_by_part(at in 0usize..24, byte in 0u8..128) {
            let mut text = *b"2026-03-01T10:20:30.456Z";
            text[at] = byte;
            let text = std::str::from_utf8(&text).unwrap();
            prop_assert_eq!(parse_timestamp(text.as_bytes(), &IsoOptions::STRICT), plainly(text, &IsoOptions::STRICT));
        }

        #[test]
        fn bytes_of_any_kind_do_not_panic(text: Vec<u8>, options in options()) {
            let _ = (parse_timestamp(&text, &options), parse_date(&text, true));
        }

        #[test]
        fn dates_are_read(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]") {
            let as_time = plainly(&text, &IsoOptions::LENIENT).map(|micros| (micros / MICROS_PER_DAY) as i32);
            prop_assert_eq!(parse_date(text.as_bytes(), false), as_time);
        }
    }

    #[test]
    fn known_moments_are_read() {
        let read = |text: &str| parse_timestamp(text.as_bytes(), &IsoOptions::STRICT);
        assert_eq!(read("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(read("2026-03-01T10:00:00.001Z"), Ok(1_772_359_200_001_000));
        assert_eq!(read("2026-03-01 10:00:00.123456789+02:00"), Ok(1_772_352_000_123_456));
        assert_eq!(read("2000-02-29T23:59Z"), Ok(951_868_740_000_000));
        assert_eq!(read("9999-12-31T23:59:59.999999Z"), Ok(MAX_TIMESTAMP));
        assert_eq!(read("0001-01-01T00:00:00Z"), Ok(MIN_TIMESTAMP));
        for text in
            ["2026-13-01T10:00:00.000Z", "2026-03-01T25:00:00.000Z", "2026-02-29T00:00:00Z", "2026-03-01T10:00:60Z"]
        {
            assert_eq!(read(text), Err(TimeError::Range), "{text}");
        }
        for text in ["yesterday", "01/03/2026 10:00", "2026-03-01T10:00:00", "2026-03-01", "2026-03-01T10:00:00.Z"] {
            assert_eq!(read(text), Err(TimeError::Syntax), "{text}");
        }
        assert_eq!(read(""), Err(TimeError::Empty));
    }
}
