//! Timestamps and dates into text.

use super::{MICROS_PER_DAY, civil_from_days};

/// A time as text, without an allocation.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    bytes: [u8; 40],
    len: usize,
}

impl Written {
    const NONE: Self = Self { bytes: [0; 40], len: 0 };

    /// The text; ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn put(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn number(&mut self, value: u32, width: usize) {
        let mut divisor = 10u32.pow(width as u32 - 1);
        while divisor > 0 {
            self.put(b'0' + (value / divisor % 10) as u8);
            divisor /= 10;
        }
    }

    fn date(&mut self, days: i32) {
        let (year, month, day) = civil_from_days(days);
        if (0..=9999).contains(&year) {
            self.number(year as u32, 4);
        } else {
            // ISO 8601 writes years of more digits with their sign.
            self.put(if year < 0 { b'-' } else { b'+' });
            self.number(year.unsigned_abs(), 7);
        }
        for part in [month, day] {
            self.put(b'-');
            self.number(part, 2);
        }
    }
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_bytes().iter().try_for_each(|&byte| std::fmt::Write::write_char(f, char::from(byte)))
    }
}

/// Days since the epoch as `YYYY-MM-DD`.
#[must_use]
pub fn format_date(days: i32) -> Written {
    let mut out = Written::NONE;
    out.date(days);
    out
}

/// Microseconds since the epoch as `YYYY-MM-DDTHH:MM:SS[.ffffff]Z`; the fraction only where there is one.
#[must_use]
pub fn format_timestamp(micros: i64) -> Written {
    let mut out = Written::NONE;
    out.date(micros.div_euclid(MICROS_PER_DAY) as i32);
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = ((of_day / 1_000_000) as u32, (of_day % 1_000_000) as u32);
    for (mark, part) in [(b'T', seconds / 3600), (b':', seconds / 60 % 60), (b':', seconds % 60)] {
        out.put(mark);
        out.number(part, 2);
    }
    if fraction != 0 {
        out.put(b'.');
        out.number(fraction, 6);
    }
    out.put(b'Z');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{IsoOptions, MAX_TIMESTAMP, MIN_TIMESTAMP, parse_date, parse_timestamp};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_written_is_read_again(micros in MIN_TIMESTAMP..=MAX_TIMESTAMP, any: i64) {
            let read = parse_timestamp(format_timestamp(micros).as_bytes(), &IsoOptions::STRICT);
            prop_assert_eq!(read, Ok(micros));
            let days = micros.div_euclid(MICROS_PER_DAY) as i32;
            prop_assert_eq!(parse_date(format_date(days).as_bytes(), false), Ok(days));
            prop_assert!(format_timestamp(any).as_bytes().is_ascii());
        }
    }

    #[test]
    fn moments_are_written_as_rfc_3339() {
        assert_eq!(format_timestamp(1_772_359_200_001_000).to_string(), "2026-03-01T10:00:00.001000Z");
        assert_eq!(format_timestamp(-1).to_string(), "1969-12-31T23:59:59.999999Z");
        assert_eq!(format_timestamp(i64::MIN).to_string(), "-0290308-12-21T19:59:05.224192Z");
        assert_eq!(format_date(i32::MAX).to_string(), "+5881580-07-11");
        assert_eq!(format_date(0).to_string(), "1970-01-01");
    }
}
