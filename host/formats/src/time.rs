//! Dates and times of RFC 3339 to days and microseconds since the epoch.

const DAY_US: i64 = 86_400_000_000;

/// `YYYY-MM-DD`, a day that exists, as days since 1970-01-01.
pub(crate) fn date(text: &[u8]) -> Option<i32> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    if !(1..=12).contains(&month) || day == 0 || day > days_in(year, month) {
        return None;
    }
    Some(days_before(year, month) + day as i32 - 1)
}

/// A timestamp of RFC 3339 (`2026-03-01T10:00:00.5+01:00`; a blank for the `T` is allowed, as it says) as microseconds
/// since the epoch, UTC. Refused are leap seconds, which microseconds since the epoch cannot tell apart, and digits
/// other than zero beyond the microsecond.
pub(crate) fn timestamp(text: &[u8]) -> Option<i64> {
    let (day, rest) = text.split_at_checked(10)?;
    let days = i64::from(date(day)?);
    let (clock, rest) = rest.split_at_checked(9)?;
    let &[b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, rest) = fraction(rest)?;
    let offset_minutes = offset(rest)?;
    let seconds = i64::from((hour * 60 + minute) * 60 + second);
    Some(days * DAY_US + (seconds - offset_minutes * 60) * 1_000_000 + micros)
}

fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(after) = text.strip_prefix(b".") else { return Some((0, text)) };
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = after.split_at(digits);
    if digits.is_empty() || digits.iter().skip(6).any(|byte| *byte != b'0') {
        return None;
    }
    let digit = |place: usize| digits.get(place).map_or(0, |byte| i64::from(byte - b'0'));
    Some(((0..6).fold(0, |value, place| value * 10 + digit(place)), rest))
}

/// Minutes east of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
            let east = i64::from(hours * 60 + minutes);
            (hours < 24 && minutes < 60).then_some(if sign == b'-' { -east } else { east })
        }
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens * 10 + ones))
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: u32, month: u32) -> i32 {
    const CUMULATIVE: [i32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    // leap days of the years before this one, counted from the year 0, which was one itself
    let leap_days = if year == 0 { 0 } else { (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1 };
    let this_year = CUMULATIVE[month as usize - 1] + i32::from(month > 2 && is_leap(year));
    // 719,528 days lie between 0000-01-01 and 1970-01-01
    year as i32 * 365 + leap_days as i32 + this_year - 719_528
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_each_other_through_ten_thousand_years() {
        let mut expected = date(b"0000-01-01").unwrap();
        assert_eq!(expected, -719_528);
        for year in 0..10_000 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(date(format!("{year:04}-{month:02}-{day:02}").as_bytes()), Some(expected));
                    expected += 1;
                }
            }
        }
        assert_eq!(date(b"1970-01-01"), Some(0));
        assert_eq!(date(b"2026-03-01"), Some(20_513));
    }

    #[test]
    fn timestamps_are_read_to_the_microsecond_in_any_zone() {
        let base = 20_513 * DAY_US + 36_000_000_000;
        let cases = [
            ("2026-03-01T10:00:00Z", base),
            ("2026-03-01t10:00:00z", base),
            ("2026-03-01 10:00:00.0Z", base),
            ("2026-03-01T10:00:00.123456Z", base + 123_456),
            ("2026-03-01T10:00:00.123456000Z", base + 123_456),
            ("2026-03-01T11:30:00.5+01:30", base + 500_000),
            ("2026-03-01T00:00:00-10:00", base),
            ("1969-12-31T23:59:59.999999Z", -1),
        ];
        for (text, expected) in cases {
            assert_eq!(timestamp(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn times_that_do_not_exist_are_refused() {
        for text in [
            "",
            "yesterday",
            "2026-03-01",
            "2026-03-01T10:00:00",
            "2026-02-29T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-00-01T10:00:00Z",
            "2026-03-00T10:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T10:60:00Z",
            "2026-03-01T10:00:60Z",
            "2026-03-01T10:00:00.Z",
            "2026-03-01T10:00:00.1234567Z",
            "2026-03-01T10:00:00+1:00",
            "2026-03-01T10:00:00+24:00",
            "2026-03-01T10:00:00ZZ",
            "01/03/2026 10:00",
        ] {
            assert_eq!(timestamp(text.as_bytes()), None, "{text}");
        }
    }
}
