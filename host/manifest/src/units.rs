//! Durations, sizes, shares and numbers as people write them.

use std::time::Duration;

/// Units of durations, in milliseconds.
const TIMES: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of sizes, in bytes.
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Reads a whole number with unit: `250ms`, `30s`, `1m`, `2h`, `365d`. `0` needs no unit.
///
/// # Errors
/// What is wrong with the text, for people.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (number, unit) = split(text);
    let Some((_, ms)) = TIMES.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("`{text}` is not a duration; write a whole number with a unit: ms, s, m, h, d (`30s`)"));
    };
    let count =
        whole(number).ok_or_else(|| format!("`{text}` is not a duration; write a whole number before `{unit}`"))?;
    count.checked_mul(*ms).map(Duration::from_millis).ok_or_else(|| format!("`{text}` is too long a duration"))
}

/// Writes a duration in the largest unit that holds it whole; what is finer than a millisecond is cut off.
pub fn format_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, size) = TIMES.iter().find(|(_, size)| ms != 0 && ms.is_multiple_of(*size)).unwrap_or(&("s", 1_000));
    format!("{}{unit}", ms / size)
}

/// Reads a size in bytes: `64MiB`, `16KiB`, `5MB`, `1_000_000`.
///
/// # Errors
/// What is wrong with the text, for people.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let unit = if unit.is_empty() { "B" } else { unit };
    let Some((_, bytes)) = SIZES.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("`{text}` is not a size; write bytes or a unit: B, KiB, MiB, GiB, kB, MB, GB (`64MiB`)"));
    };
    let count = whole(number).ok_or_else(|| format!("`{text}` is not a size; write a whole number (`64MiB`)"))?;
    count.checked_mul(*bytes).ok_or_else(|| format!("`{text}` is too large a size"))
}

/// Writes a size in the largest unit that holds it whole.
pub fn format_size(bytes: u64) -> String {
    let (unit, size) = SIZES.iter().find(|(_, size)| bytes != 0 && bytes.is_multiple_of(*size)).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / size)
}

/// Reads a share in percent, with at most two digits after the point: `10%`, `0.5%`. Gives the fraction of 1.
pub(crate) fn parse_share(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is not a share; write percent (`10%`, `0.5%`)");
    let hundredths = fixed(text.strip_suffix('%').ok_or_else(wrong)?, 2).ok_or_else(wrong)?;
    Ok(hundredths as f64 / 10_000.0)
}

/// Reads a number with at most six digits after the point: `3`, `0.25`.
pub(crate) fn parse_number(text: &str) -> Result<f64, String> {
    let millionths = fixed(text, 6).ok_or_else(|| format!("`{text}` is not a number; write one like `3` or `0.25`"))?;
    Ok(millionths as f64 / 1_000_000.0)
}

/// Reads a number with at most so many digits after the point, in units of the last of them.
fn fixed(text: &str, digits: usize) -> Option<u64> {
    let (before, after) = text.split_once('.').unwrap_or((text, "0"));
    let is_fraction = (1..=digits).contains(&after.len()) && after.bytes().all(|b| b.is_ascii_digit());
    let fraction: u64 = is_fraction.then(|| format!("{after:0<digits$}").parse().ok()).flatten()?;
    whole(before)?.checked_mul(10_u64.pow(digits as u32))?.checked_add(fraction)
}

/// Reads a whole number; digits may be grouped by `_`.
pub(crate) fn whole(text: &str) -> Option<u64> {
    let grouped = text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    grouped.then(|| text.replace('_', "").parse().ok()).flatten()
}

/// The number in front, and the unit behind; blanks between them are left out.
fn split(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    (&text[..at], text[at..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_read_as_they_are_meant() {
        let ms = |text: &str| parse_duration(text).unwrap().as_millis();
        assert_eq!(
            [ms("250ms"), ms("30s"), ms("1m"), ms("2h"), ms("1d")],
            [250, 30_000, 60_000, 7_200_000, 86_400_000]
        );
        assert_eq!((ms("365d"), ms("0"), ms("1_000 ms")), (31_536_000_000, 0, 1_000));
    }

    #[test]
    fn sizes_read_as_they_are_meant() {
        let bytes = |text: &str| parse_size(text).unwrap();
        assert_eq!(
            [bytes("64MiB"), bytes("1_000_000"), bytes("5MB"), bytes("16 KiB")],
            [64 << 20, 1_000_000, 5_000_000, 16_384]
        );
    }

    #[test]
    fn shares_and_numbers_read_as_they_are_meant() {
        let shares = ["10%", "0.5%", "100%", "33.33%"].map(|text| parse_share(text).unwrap());
        assert_eq!(shares, [0.1, 0.005, 1.0, 0.3333]);
        assert_eq!(["3", "0.25", "1_000.5"].map(|text| parse_number(text).unwrap()), [3.0, 0.25, 1000.5]);
        for bad in ["10", "%", "1.234%", "-1%", ".5%", "5.%", "1e1%", "1 %", "18446744073709551615%"] {
            assert!(parse_share(bad).is_err(), "{bad}");
        }
        for bad in ["", "-1", "1e3", ".5", "5.", "0.1234567", "NaN", "inf", "10%"] {
            assert!(parse_number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_duration_or_size_is_refused() {
        for bad in ["", "30", "s", "1.5s", "-1s", "1h30m", "30 seconds", "_1s", "1_s", "99999999999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        for bad in ["", "MiB", "1.5MiB", "-1", "64M", "64mib", "18446744073709551615GiB", "1e6"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn durations_of_whole_milliseconds_read_back(ms in 0..u64::MAX / 2) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn sizes_read_back(bytes: u64) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn any_text_is_taken_or_refused(text in "\\PC{0,20}") {
            let _ = (parse_duration(&text), parse_size(&text), parse_share(&text), parse_number(&text));
        }
    }
}
