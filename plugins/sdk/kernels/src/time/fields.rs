//! The fields of a format: reading each, and putting a moment together of them.

use super::civil::{days_from_civil, is_leap_year, valid_date};
use super::{TimeError, fraction, in_range, offset, timestamp};

/// A field of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    YearOfCentury,
    Month,
    MonthName,
    Day,
    DayAfterBlank,
    DayOfYear,
    Weekday,
    Hour,
    HourOf12,
    HalfOfDay,
    Minute,
    Second,
    Fraction,
    Offset,
    Epoch,
}

/// What has been read so far.
#[derive(Default)]
pub(super) struct Read {
    year: i32,
    month: u32,
    day: u32,
    day_of_year: Option<u32>,
    weekday: Option<u32>,
    hour: u32,
    afternoon: Option<bool>,
    minute: u32,
    second: u32,
    micros: u32,
    offset_minutes: i32,
    epoch_seconds: Option<i64>,
}

impl Read {
    /// Reads one field and returns what is after it.
    pub(super) fn take<'a>(&mut self, field: Field, text: &'a [u8]) -> Option<&'a [u8]> {
        let (value, rest) = match field {
            Field::Year => digits(text, 4, 4)?,
            Field::DayOfYear => digits(text, 1, 3)?,
            Field::MonthName => name(text, &MONTHS)?,
            Field::Weekday => name(text, &WEEKDAYS)?,
            Field::HalfOfDay => name(text, &["AM", "PM"])?,
            Field::DayAfterBlank => digits(text.strip_prefix(b" ").unwrap_or(text), 1, 2)?,
            Field::Fraction => {
                let (micros, len) = fraction(text)?;
                (micros, text.get(len..)?)
            }
            Field::Offset => {
                let (minutes, len) = offset(text)?;
                self.offset_minutes = minutes;
                return text.get(len..);
            }
            Field::Epoch => return self.take_epoch(text),
            _ => digits(text, 1, 2)?,
        };
        match field {
            Field::Year => self.year = value as i32,
            Field::YearOfCentury => self.year = if value < 69 { 2000 + value as i32 } else { 1900 + value as i32 },
            Field::Month => self.month = value,
            Field::MonthName => self.month = value + 1,
            Field::Day | Field::DayAfterBlank => self.day = value,
            Field::DayOfYear => self.day_of_year = Some(value),
            Field::Weekday => self.weekday = Some(value),
            Field::Hour | Field::HourOf12 => self.hour = value,
            Field::HalfOfDay => self.afternoon = Some(value == 1),
            Field::Minute => self.minute = value,
            Field::Second => self.second = value,
            Field::Fraction => self.micros = value,
            Field::Offset | Field::Epoch => {}
        }
        Some(rest)
    }

    fn take_epoch<'a>(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        // Twelve digits reach past the year 9999.
        let len = unsigned.iter().take(12).take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = unsigned.split_at_checked(len).filter(|_| len > 0)?;
        let seconds = number.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        self.epoch_seconds = Some(if negative { -seconds } else { seconds });
        Some(rest)
    }

    /// The moment, if there is one.
    pub(super) fn timestamp(&self) -> Result<i64, TimeError> {
        if let Some(seconds) = self.epoch_seconds {
            return in_range(seconds * 1_000_000 + i64::from(self.micros));
        }
        let days = self.days()?;
        let hour = match self.afternoon {
            None => self.hour,
            Some(_) if !(1..=12).contains(&self.hour) => return Err(TimeError::Range),
            Some(afternoon) => self.hour % 12 + 12 * u32::from(afternoon),
        };
        timestamp(days, hour, self.minute, self.second, self.micros, self.offset_minutes)
    }

    fn days(&self) -> Result<i32, TimeError> {
        let days = match self.day_of_year {
            Some(day) if (1..=365 + u32::from(is_leap_year(self.year))).contains(&day) && self.year > 0 => {
                days_from_civil(self.year, 1, 1) + day as i32 - 1
            }
            None if valid_date(self.year, self.month, self.day) => days_from_civil(self.year, self.month, self.day),
            _ => return Err(TimeError::Range),
        };
        // 1970-01-01 was a Thursday, the fourth of WEEKDAYS.
        let right = self.weekday.is_none_or(|weekday| (days + 3).rem_euclid(7) as u32 == weekday);
        if right { Ok(days) } else { Err(TimeError::Range) }
    }
}

/// At least `least` and at most `most` digits.
fn digits(text: &[u8], least: usize, most: usize) -> Option<(u32, &[u8])> {
    let len = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(len).filter(|_| len >= least)?;
    Some((number.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')), rest))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// One of `names` in any case, whole or by its first three letters; its number.
fn name<'a>(text: &'a [u8], names: &[&str]) -> Option<(u32, &'a [u8])> {
    let starts = |name: &str| text.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name.as_bytes()));
    let number = names.iter().position(|name| starts(name.get(..3).unwrap_or(name)))?;
    let whole = names.get(number)?;
    let len = if starts(whole) { whole.len() } else { 3 };
    Some((number as u32, text.get(len..)?))
}
