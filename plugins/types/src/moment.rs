//! The forms of timestamps and dates.

use sluice_sdk::kernels::time::{self, EpochUnit, IsoOptions, MICROS_PER_DAY, TimeFormat};
use sluice_sdk::kernels::{NumberFormat, trim};

/// One form that a text may have.
#[derive(Debug)]
pub(crate) enum Form {
    /// ISO 8601, with or without a time, a zone, seconds.
    Iso(IsoOptions),
    /// Exactly `YYYY-MM-DDTHH:MM:SS[.f]Z`, one to six digits of fraction.
    Utc,
    /// A format as of `strptime`.
    Format(TimeFormat),
    /// A number since the epoch.
    Epoch(EpochUnit, NumberFormat),
}

impl Form {
    /// The form that a manifest names.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn named(name: &str, timezone_required: bool) -> Result<Self, String> {
        match name {
            "iso" => {
                let naive_is_utc = !timezone_required;
                Ok(Self::Iso(IsoOptions { trim: false, naive_is_utc, date_is_midnight: naive_is_utc }))
            }
            "utc" => Ok(Self::Utc),
            "epoch_s" => Ok(Self::epoch(EpochUnit::Seconds)),
            "epoch_ms" => Ok(Self::epoch(EpochUnit::Millis)),
            "epoch_us" => Ok(Self::epoch(EpochUnit::Micros)),
            "epoch_ns" => Ok(Self::epoch(EpochUnit::Nanos)),
            _ if !name.as_bytes().contains(&b'%') => Err(format!(
                "unknown format `{name}`; known: iso, utc, epoch_s, epoch_ms, epoch_us, epoch_ns, or fields such as %Y-%m-%d"
            )),
            _ if timezone_required && !has_zone(name) => {
                Err(format!("`{name}` has no `%z`, but `timezone_required` is set"))
            }
            _ => TimeFormat::compile(name).map(Self::Format).map_err(|error| error.to_string()),
        }
    }

    /// Numbers since the epoch, with a sign and a fraction where they have them.
    pub(crate) fn epoch(unit: EpochUnit) -> Self {
        Self::Epoch(unit, NumberFormat { plus: true, ..NumberFormat::STRICT })
    }

    /// Microseconds since the epoch, UTC.
    #[inline]
    pub(crate) fn timestamp(&self, text: &[u8]) -> Option<i64> {
        match self {
            Self::Iso(options) => time::parse_timestamp(text, options).ok(),
            Self::Utc => utc(text),
            Self::Format(format) if bare(text) => format.parse_timestamp(text).ok(),
            Self::Format(_) => None,
            Self::Epoch(unit, format) => unit.parse(text, format).ok(),
        }
    }

    /// Days since the epoch. `iso` is `YYYY-MM-DD` alone here: a time would be lost.
    #[inline]
    pub(crate) fn date(&self, text: &[u8]) -> Option<i32> {
        match self {
            Self::Iso(_) => time::parse_date(text, false).ok(),
            Self::Format(format) if bare(text) => format.parse_date(text).ok(),
            Self::Format(_) => None,
            _ => self.timestamp(text).map(|micros| micros.div_euclid(MICROS_PER_DAY) as i32),
        }
    }
}

/// Whether no blanks are around the text. Formats would take them; whether they are taken off is the column's `trim`.
fn bare(text: &[u8]) -> bool {
    trim(text).len() == text.len()
}

/// Whether a format tells the zone, or seconds since the epoch, which need none.
fn has_zone(format: &str) -> bool {
    format.as_bytes().windows(2).any(|pair| matches!(pair, b"%z" | b"%s"))
}

/// `YYYY-MM-DDTHH:MM:SS[.f]Z`. The general reader takes more; these are the places where it would.
#[inline]
fn utc(text: &[u8]) -> Option<i64> {
    let seconds_and_zone = text.get(16) == Some(&b':') && text.last() == Some(&b'Z');
    let length = text.len() == 20 || (22..=27).contains(&text.len());
    if !seconds_and_zone || !length || text.get(10) != Some(&b'T') {
        return None;
    }
    time::parse_timestamp(text, &IsoOptions::STRICT).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by the letter: each byte compared with the pattern, each field with its range.
    fn plain_utc(text: &str) -> Option<i64> {
        let (head, fraction) = match text.strip_suffix('Z')?.split_at_checked(19)? {
            (head, "") => (head, "0"),
            (head, rest) => (head, rest.strip_prefix('.')?),
        };
        let form = "0000-00-00T00:00:00";
        let fits = |(c, p): (char, char)| if p == '0' { c.is_ascii_digit() } else { c == p };
        let digits = (1..=6).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
        if !digits || !head.chars().zip(form.chars()).all(fits) {
            return None;
        }
        let number = |from: usize, to: usize| head[from..to].parse::<i64>().unwrap();
        let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
        let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let months = [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        if year < 1 || !(1..=12).contains(&month) || day < 1 || day > months[month as usize - 1] {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let leaps = |y: i64| y / 4 - y / 100 + y / 400;
        let before: i64 = months[..month as usize - 1].iter().sum();
        let days = 365 * (year - 1970) + leaps(year - 1) - leaps(1969) + before + day - 1;
        let micros = format!("{fraction:0<6}").parse::<i64>().unwrap();
        Some((days * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000_000 + micros)
    }

    proptest! {
        #[test]
        fn utc_takes_exactly_its_form(
            text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9][T t][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?(\\.[0-9]{0,8})?(Z|z|\\+00:00|)[ ]?",
        ) {
            prop_assert_eq!(utc(text.as_bytes()), plain_utc(&text));
        }

        #[test]
        fn utc_takes_every_time_of_its_form(
            text in "[0-2][0-9]{3}-(0[1-9]|1[0-2])-[0-2][1-9]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?Z",
        ) {
            prop_assert_eq!(utc(text.as_bytes()), plain_utc(&text));
        }

        #[test]
        fn a_damaged_time_is_refused_as_the_plain_reader_refuses_it(at in 0usize..27, byte in "[ -~]") {
            let mut text = "2024-02-29T23:59:59.123456Z".to_owned();
            text.replace_range(at..=at, &byte);
            prop_assert_eq!(utc(text.as_bytes()), plain_utc(&text));
        }
    }

    #[test]
    fn a_zone_that_is_required_must_be_in_the_format() {
        assert!(Form::named("%Y-%m-%d", true).is_err());
        assert!(Form::named("%Y-%m-%dT%H:%M:%S%z", true).is_ok());
        let iso = Form::named("iso", true).unwrap();
        assert_eq!(iso.timestamp(b"1970-01-01T00:00:01"), None);
        assert_eq!(iso.timestamp(b"1970-01-01T01:00:01+01:00"), Some(1_000_000));
        assert_eq!(Form::named("iso", false).unwrap().timestamp(b"1970-01-02"), Some(MICROS_PER_DAY));
    }
}
