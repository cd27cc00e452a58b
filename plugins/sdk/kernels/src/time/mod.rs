//! Timestamps (microseconds since 1970-01-01T00:00:00 UTC, without leap seconds) and dates (days since 1970-01-01) out
//! of text and into it.
//!
//! [`parse_timestamp`] and [`parse_date`] read ISO 8601 and RFC 3339; [`TimeFormat`] reads what a format of `strptime`
//! describes; [`EpochUnit`] reads numbers; [`format_timestamp`] and [`format_date`] write. All of them keep to the years
//! 0001 to 9999, which every warehouse can store.

mod civil;
mod epoch;
mod fields;
mod format;
mod iso;
mod write;

pub use civil::{civil_from_days, days_from_civil, days_in_month, is_leap_year, valid_date};
pub use epoch::EpochUnit;
pub use format::{FormatError, TimeFormat};
pub use iso::{IsoOptions, parse_date, parse_timestamp};
pub use write::{Written, format_date, format_timestamp};

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// The first timestamp that is read: 0001-01-01T00:00:00Z.
pub const MIN_TIMESTAMP: i64 = -719_162 * MICROS_PER_DAY;
/// The last timestamp that is read: 9999-12-31T23:59:59.999999Z.
pub const MAX_TIMESTAMP: i64 = 2_932_897 * MICROS_PER_DAY - 1;

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeError {
    /// There is nothing, or nothing but blanks.
    Empty,
    /// It does not have the form.
    Syntax,
    /// It has the form, but there is no such day or time: a month 13, a 30th of February, a second 60, a year 10000.
    Range,
}

impl std::fmt::Display for TimeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Syntax => "not of the expected form",
            Self::Range => "no such day or time",
        })
    }
}

impl std::error::Error for TimeError {}

/// A time of day and an offset on a day, put together and checked.
#[inline(always)]
fn timestamp(
    days: i32,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    offset_minutes: i32,
) -> Result<i64, TimeError> {
    if hour > 23 || minute > 59 || second > 59 {
        return Err(TimeError::Range);
    }
    let seconds = i64::from(hour * 3600 + minute * 60 + second) - i64::from(offset_minutes) * 60;
    let value = i64::from(days) * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + i64::from(micros);
    in_range(value)
}

#[inline(always)]
fn in_range(micros: i64) -> Result<i64, TimeError> {
    if (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&micros) { Ok(micros) } else { Err(TimeError::Range) }
}

/// The value of up to nine digits after the point in microseconds, those past the sixth cut off; and how many digits
/// there are.
fn fraction(text: &[u8]) -> Option<(u32, usize)> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let digit = |i: usize| text.get(i).filter(|_| i < digits).map_or(0, |byte| u32::from(byte - b'0'));
    Some(((0..6).fold(0, |value, i| value * 10 + digit(i)), digits))
}

/// `Z`, `+HH:MM`, `+HHMM` or `+HH` at the start of a text: minutes east of UTC, and the length.
fn offset(text: &[u8]) -> Option<(i32, usize)> {
    let (sign, rest) = match text {
        [b'Z' | b'z', ..] => return Some((0, 1)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let hours = two_digits(rest)?;
    let (minutes, len) = match rest.get(2..) {
        Some([b':', minutes @ ..]) => (two_digits(minutes)?, 6),
        Some(minutes @ [b'0'..=b'9', ..]) => (two_digits(minutes)?, 5),
        _ => (0, 3),
    };
    (hours < 24 && minutes < 60).then_some((sign * (hours * 60 + minutes) as i32, len))
}

#[inline(always)]
fn two_digits(text: &[u8]) -> Option<u32> {
    let [a, b] = *text.first_chunk::<2>()?;
    (a.is_ascii_digit() && b.is_ascii_digit()).then(|| u32::from(a - b'0') * 10 + u32::from(b - b'0'))
}
