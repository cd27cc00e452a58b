//! Times by a format of `strptime`.

use super::fields::{Field, Read};
use super::{MICROS_PER_DAY, TimeError};
use crate::text::trim;

/// Why a format cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Byte of the format where it was noticed.
    pub at: usize,
    /// What is wrong and the way out.
    pub message: String,
}

impl std::fmt::Display for FormatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at byte {} of the format)", self.message, self.at)
    }
}

impl std::error::Error for FormatError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Literal(u8),
    Field(Field),
}

/// A compiled format. Known fields: `%Y` (four digits), `%y` (69 to 99 are 19xx, 00 to 68 are 20xx), `%m`, `%d`, `%H`,
/// `%I`, `%M`, `%S` (one or two digits each; `%-d` is the same as `%d`), `%e` (a blank may stand before one digit), `%j`
/// (day of the year), `%b` `%B` `%h` (English month, short or long, in any case), `%a` `%A` (English weekday, must be
/// the right one), `%p` (AM or PM), `%f` (one to nine digits, those past the sixth cut off), `%z` (`Z`, `+HH:MM`, `+HHMM`,
/// `+HH`), `%s` (seconds since the epoch), `%F` `%T` `%R` `%D` (as in C) and `%%`. Everything else stands for itself.
#[derive(Clone, Debug)]
pub struct TimeFormat {
    items: Vec<Item>,
    has_time: bool,
}

impl TimeFormat {
    /// Compiles a format.
    ///
    /// # Errors
    /// An unknown field, a field that stands twice, or fields that do not make up a day.
    pub fn compile(format: &str) -> Result<Self, FormatError> {
        let mut items = Vec::new();
        compile_into(&mut items, format)?;
        check(&items, format.len())?;
        let has_time = items.iter().any(|item| {
            matches!(item, Item::Field(Field::Hour | Field::HourOf12 | Field::Minute | Field::Second | Field::Epoch))
        });
        Ok(Self { items, has_time })
    }

    /// Whether the format tells a time of day. Without one a timestamp is the day's midnight.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.has_time
    }

    /// Reads a timestamp: microseconds since the epoch, UTC where the format has no `%z`. Blanks around the text are
    /// ignored.
    ///
    /// # Errors
    /// [`TimeError`]: empty, another form, or no such day or time.
    pub fn parse_timestamp(&self, text: &[u8]) -> Result<i64, TimeError> {
        let text = trim(text);
        if text.is_empty() {
            return Err(TimeError::Empty);
        }
        let mut read = Read::default();
        let mut rest = text;
        for item in &self.items {
            rest = match item {
                Item::Literal(byte) => rest.strip_prefix(std::slice::from_ref(byte)),
                Item::Field(field) => read.take(*field, rest),
            }
            .ok_or(TimeError::Syntax)?;
        }
        if rest.is_empty() { read.timestamp() } else { Err(TimeError::Syntax) }
    }

    /// Reads a date: days since the epoch. A time of day in the format is read and dropped.
    ///
    /// # Errors
    /// As [`Self::parse_timestamp`].
    pub fn parse_date(&self, text: &[u8]) -> Result<i32, TimeError> {
        self.parse_timestamp(text).map(|micros| micros.div_euclid(MICROS_PER_DAY) as i32)
    }
}

fn compile_into(items: &mut Vec<Item>, format: &str) -> Result<(), FormatError> {
    let bytes = format.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte != b'%' {
            items.push(Item::Literal(byte));
            continue;
        }
        if bytes.get(at) == Some(&b'-') {
            at += 1;
        }
        let Some(letter) = format.get(at..).and_then(|rest| rest.chars().next()) else {
            return Err(FormatError {
                at: bytes.len(),
                message: "a format ends with `%`; write `%%` for it".to_owned(),
            });
        };
        compile_field(items, letter, at)?;
        at += letter.len_utf8();
    }
    Ok(())
}

fn compile_field(items: &mut Vec<Item>, letter: char, at: usize) -> Result<(), FormatError> {
    let field = match letter {
        'Y' => Field::Year,
        'y' => Field::YearOfCentury,
        'm' => Field::Month,
        'b' | 'B' | 'h' => Field::MonthName,
        'd' => Field::Day,
        'e' => Field::DayAfterBlank,
        'j' => Field::DayOfYear,
        'a' | 'A' => Field::Weekday,
        'H' => Field::Hour,
        'I' => Field::HourOf12,
        'p' => Field::HalfOfDay,
        'M' => Field::Minute,
        'S' => Field::Second,
        'f' => Field::Fraction,
        'z' => Field::Offset,
        's' => Field::Epoch,
        'F' => return compile_into(items, "%Y-%m-%d"),
        'T' => return compile_into(items, "%H:%M:%S"),
        'R' => return compile_into(items, "%H:%M"),
        'D' => return compile_into(items, "%m/%d/%y"),
        '%' => {
            items.push(Item::Literal(b'%'));
            return Ok(());
        }
        _ => {
            let message = format!(
                "unknown field `%{letter}`; known fields: %Y %y %m %d %e %j %b %B %a %A %H %I %p %M %S %f %z %s %F %T %R %D %%"
            );
            return Err(FormatError { at, message });
        }
    };
    items.push(Item::Field(field));
    Ok(())
}

/// Fields that tell the same thing stand once, and together they tell a day.
fn check(items: &[Item], end: usize) -> Result<(), FormatError> {
    use Field::{
        Day, DayAfterBlank, DayOfYear, Epoch, Fraction, HalfOfDay, Hour, HourOf12, Minute, Month, MonthName, Offset,
        Second, Weekday, Year, YearOfCentury,
    };
    let count = |fields: &[Field]| {
        items.iter().filter(|item| matches!(item, Item::Field(field) if fields.contains(field))).count()
    };
    let error = |message: &str| Err(FormatError { at: end, message: message.to_owned() });
    let kinds: [(&[Field], &str); 10] = [
        (&[Year, YearOfCentury], "year"),
        (&[Month, MonthName], "month"),
        (&[Day, DayAfterBlank], "day"),
        (&[Weekday], "weekday"),
        (&[Hour, HourOf12], "hour"),
        (&[Minute], "minute"),
        (&[Second], "second"),
        (&[Fraction], "fraction"),
        (&[HalfOfDay], "half of the day"),
        (&[Offset], "offset"),
    ];
    for (fields, name) in kinds {
        if count(fields) > 1 {
            return error(&format!("the {name} stands twice"));
        }
    }
    let (year, month, day) = (count(&[Year, YearOfCentury]), count(&[Month, MonthName]), count(&[Day, DayAfterBlank]));
    match (count(&[Epoch]), count(&[DayOfYear]), year, month, day) {
        (1, 0, 0, 0, 0) | (0, 1, 1, 0, 0) | (0, 0, 1, 1, 1) => {}
        _ => {
            return error("a format tells year, month and day, or year and day of the year (`%j`), or seconds (`%s`)");
        }
    }
    if count(&[HourOf12]) != count(&[HalfOfDay]) {
        return error("`%I` and `%p` go together; use `%H` for hours from 0 to 23");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{IsoOptions, format_timestamp, parse_timestamp};
    use proptest::prelude::*;

    fn read(format: &str, text: &str) -> Result<String, TimeError> {
        let format = TimeFormat::compile(format).expect("a good format");
        format.parse_timestamp(text.as_bytes()).map(|micros| format_timestamp(micros).to_string())
    }

    #[test]
    fn the_layouts_of_the_world_are_read() {
        let cases = [
            ("%m/%d/%Y %H:%M", "1/2/2011 8:05", "2011-01-02T08:05:00Z"),
            ("%Y-%m-%d %H:%M:%S", "2011-10-31 17:13:00", "2011-10-31T17:13:00Z"),
            ("%d %b %Y", "3 mar 2026", "2026-03-03T00:00:00Z"),
            ("%A, %d %B %Y %I:%M %p", "Sunday, 01 March 2026 12:30 am", "2026-03-01T00:30:00Z"),
            ("%d/%b/%Y:%H:%M:%S %z", "17/May/2015:10:05:03 +0200", "2015-05-17T08:05:03Z"),
            ("%e.%-m.%y", " 7.4.69", "1969-04-07T00:00:00Z"),
            ("%Y%m%dT%H%M%S.%fZ", "20260301T102030.1234567Z", "2026-03-01T10:20:30.123456Z"),
            ("%Y/%j", "2024/366", "2024-12-31T00:00:00Z"),
            ("%s", "1772359200", "2026-03-01T10:00:00Z"),
            ("%F %T", "2026-03-01 23:59:59", "2026-03-01T23:59:59Z"),
            ("%D %R", "03/01/26 1:2", "2026-03-01T01:02:00Z"),
            ("100%% %Y-%m-%d", "100% 2026-03-01", "2026-03-01T00:00:00Z"),
            ("%I%p %d%m%Y", "12PM 01032026", "2026-03-01T12:00:00Z"),
        ];
        for (format, text, expected) in cases {
            assert_eq!(read(format, text).as_deref(), Ok(expected), "{format} on {text}");
        }
    }

    #[test]
    fn what_is_not_of_the_format_is_refused() {
        let cases = [
            ("%Y-%m-%d", "2026-02-30", TimeError::Range),
            ("%Y-%m-%d", "2026-02-03x", TimeError::Syntax),
            ("%Y-%m-%d", "26-02-03", TimeError::Syntax),
            ("%Y-%m-%d", " ", TimeError::Empty),
            ("%a %F", "Mon 2026-03-01", TimeError::Range),
            ("%F %I:%M %p", "2026-03-01 13:00 PM", TimeError::Range),
            ("%F %T", "2026-03-01 10:00:60", TimeError::Range),
            ("%Y %j", "2023 366", TimeError::Range),
            ("%d %b %Y", "1 Foo 2026", TimeError::Syntax),
        ];
        for (format, text, expected) in cases {
            assert_eq!(read(format, text), Err(expected), "{format} on {text}");
        }
    }

    #[test]
    fn broken_formats_say_what_is_wrong() {
        let cases = [
            ("%Y-%q-%d", 4, "unknown field `%q`"),
            ("%Y-%m", 5, "year, month and day"),
            ("%Y-%m-%d%", 9, "ends with `%`"),
            ("%Y %y %m %d", 11, "the year stands twice"),
            ("%F %I:%M", 8, "go together"),
            ("%", 1, "ends with `%`"),
            ("%é", 1, "unknown field `%é`"),
        ];
        for (format, at, message) in cases {
            let error = TimeFormat::compile(format).expect_err(format);
            assert!(error.at == at && error.message.contains(message), "{format}: {error}");
        }
    }

    proptest! {
        #[test]
        fn the_iso_format_reads_what_the_iso_reader_reads(
            text in "[12][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\\.[0-9]{1,9}(Z|\\+0[0-9]:[0-5][0-9])",
        ) {
            let format = TimeFormat::compile("%Y-%m-%dT%H:%M:%S.%f%z").unwrap();
            let iso = parse_timestamp(text.as_bytes(), &IsoOptions::STRICT);
            prop_assert_eq!(format.parse_timestamp(text.as_bytes()), iso);
        }

        #[test]
        fn formats_and_texts_of_any_kind_do_not_panic(format in "(%-?[a-zA-Z%]|\\PC){0,8}", text in "\\PC{0,20}") {
            if let Ok(format) = TimeFormat::compile(&format) {
                let _ = format.parse_timestamp(text.as_bytes());
            }
        }
    }
}
