//! Times as people write them.

const DAY_MS: i64 = 86_400_000;

/// Reads `2026-01-31T00:00:00Z`, with a fraction of up to three digits or an offset (`+01:00`) where one likes, or a
/// date, which is its first moment in UTC. Gives milliseconds since 1970-01-01T00:00:00 UTC.
pub(crate) fn parse_time(text: &str) -> Result<i64, String> {
    let way_out = "write it like `2026-01-31T00:00:00Z`";
    let bad = || format!("`{text}` is not a time; {way_out}");
    let (date, rest) = text.split_once('T').map_or((text, None), |(date, rest)| (date, Some(rest)));
    let days = parse_date(date).ok_or_else(bad)?;
    let Some(rest) = rest else { return Ok(days * DAY_MS) };
    let zone = rest.find(['Z', '+', '-']).ok_or_else(|| format!("`{text}` lacks its zone; {way_out}"))?;
    let clock = parse_clock(&rest[..zone]).ok_or_else(bad)?;
    let offset = parse_offset(&rest[zone..]).ok_or_else(bad)?;
    Ok(days * DAY_MS + clock - offset)
}

/// Days since 1970-01-01. Years from 1970 on.
fn parse_date(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split('-').collect();
    let &[year, month, day] = parts.as_slice() else { return None };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month - 1).ok()?)?;
    if year < 1970 || !(1..=length).contains(&day) {
        return None;
    }
    let before: i64 = lengths[..usize::try_from(month - 1).ok()?].iter().sum();
    let past = year - 1;
    let leaps = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    Some((year - 1970) * 365 + leaps + before + day - 1)
}

/// Milliseconds since midnight.
fn parse_clock(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let parts: Vec<&str> = whole.split(':').collect();
    let &[hour, minute, second] = parts.as_slice() else { return None };
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    let ms = match fraction {
        None => 0,
        Some(digits) if (1..=3).contains(&digits.len()) => {
            number(digits, digits.len())? * [100, 10, 1][digits.len() - 1]
        }
        Some(_) => return None,
    };
    (hour < 24 && minute < 60 && second < 60).then_some(((hour * 60 + minute) * 60 + second) * 1000 + ms)
}

/// `Z`, `+01:00`: milliseconds ahead of UTC.
fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (hour, minute) = text.get(1..)?.split_once(':')?;
    let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
    let ms = (hour * 60 + minute) * 60_000;
    (hour < 24 && minute < 60).then_some(if text.starts_with('-') { -ms } else { ms })
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let fits = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_milliseconds_since_1970() {
        for (text, ms) in [
            ("1970-01-01", 0),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2010-12-01T08:26:00.5Z", 1_291_191_960_500),
            ("2010-12-01T09:26:00+01:00", 1_291_191_960_000),
            ("2400-03-01", 13_574_649_600_000),
        ] {
            assert_eq!(parse_time(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["2026", "2026-02-29", "2026-1-1", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00.1234Z", "1969-01-01"]
        {
            assert!(parse_time(text).is_err(), "{text}");
        }
        assert!(parse_time("2026-01-01T00:00:00").unwrap_err().contains("lacks its zone"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_refused(text in "\\PC{0,30}|[0-9T:Z.+-]{0,30}") {
            let _ = parse_time(&text);
        }
    }
}
