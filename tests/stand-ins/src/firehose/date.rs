//! Dates of the Gregorian calendar in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl Date {
    /// The date of a time; times before 1970 count as 1970.
    pub(super) fn of(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (mut day, second_of_day) = (seconds / 86_400, seconds % 86_400);
        let mut year = 1970;
        while day >= days_of_year(year) {
            day -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while day >= days_of_month(year, month) {
            day -= days_of_month(year, month);
            month += 1;
        }
        Self { year, month, day: day + 1, second_of_day }
    }

    /// Fills the fields of a pattern: `yyyy`, `MM`, `dd`, `HH`, `mm`, `ss`.
    pub(super) fn format(&self, pattern: &str) -> String {
        let second = self.second_of_day;
        let fields = [
            ("yyyy", format!("{:04}", self.year)),
            ("MM", two(self.month)),
            ("dd", two(self.day)),
            ("HH", two(second / 3600)),
            ("mm", two(second / 60 % 60)),
            ("ss", two(second % 60)),
        ];
        fields.iter().fold(pattern.to_owned(), |text, (field, value)| text.replace(field, value))
    }
}

fn two(value: u64) -> String {
    format!("{value:02}")
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> String {
        Date::of(UNIX_EPOCH + Duration::from_secs(seconds)).format("yyyy-MM-dd-HH-mm-ss")
    }

    #[test]
    fn dates_are_right_at_the_edges_of_the_calendar() {
        assert_eq!(at(0), "1970-01-01-00-00-00");
        assert_eq!(at(951_782_399), "2000-02-28-23-59-59");
        assert_eq!(at(951_782_400), "2000-02-29-00-00-00");
        assert_eq!(at(951_868_800), "2000-03-01-00-00-00");
        assert_eq!(at(1_704_067_199), "2023-12-31-23-59-59");
        assert_eq!(at(4_107_542_400), "2100-03-01-00-00-00");
    }
}
