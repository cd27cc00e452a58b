//! Days and the proleptic Gregorian calendar (the algorithms of Howard Hinnant's `chrono-compatible low-level date
//! algorithms`: years that begin in March, eras of 400 years).

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar. The date is taken as valid.
#[inline(always)]
#[must_use]
pub fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    let year = year - i32::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month as i32 + 9) % 12) + 2) / 5 + day as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The same for years from 1 on, which is what text mostly holds: no eras, no negative numbers.
#[inline(always)]
#[must_use]
pub(super) fn days_from_civil_ad(year: u32, month: u32, day: u32) -> i32 {
    /// Days before each month of a year that begins in March; the first entry stands for no month.
    const BEFORE: [u16; 16] = [0, 306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 0, 0, 0];
    let year = year - u32::from(month <= 2);
    let leaps = year / 4 - year / 100 + year / 400;
    let of_year = u32::from(BEFORE[(month & 15) as usize]) + day;
    (year * 365 + leaps + of_year) as i32 - 719_469
}

/// Year, month and day of a number of days since 1970-01-01.
#[inline]
#[must_use]
pub fn civil_from_days(days: i32) -> (i32, u32, u32) {
    let shifted = i64::from(days) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

/// Whether a year has 366 days.
#[inline(always)]
#[must_use]
pub fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days in a month, 1 to 12; 0 for any other number.
#[inline]
#[must_use]
pub fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap_year(year) => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

/// Whether there is such a day in the years 0001 to 9999.
#[inline(always)]
#[must_use]
pub fn valid_date(year: i32, month: u32, day: u32) -> bool {
    let usual = (1..=12).contains(&month) && (1..=28).contains(&day);
    (1..=9999).contains(&year) && (usual || (29..=31).contains(&day) && day <= days_in_month(year, month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_years_1_to_9999_follows_the_one_before() {
        let mut days = days_from_civil(1, 1, 1);
        assert_eq!(days, -719_162);
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(days_from_civil(year, month, day), days, "{year}-{month}-{day}");
                    assert_eq!(days_from_civil_ad(year as u32, month, day), days);
                    assert_eq!(civil_from_days(days), (year, month, day));
                    assert!(valid_date(year, month, day));
                    days += 1;
                }
                assert!(!valid_date(year, month, days_in_month(year, month) + 1));
            }
        }
        assert_eq!(days, 2_932_897);
        assert_eq!(days_from_civil(1970, 1, 1), 0);
    }

    #[test]
    fn there_is_no_month_0_or_13_and_no_day_0() {
        for (year, month, day) in [(2024, 0, 1), (2024, 13, 1), (2024, 1, 0), (0, 1, 1), (10_000, 1, 1), (2024, 13, 30)]
        {
            assert!(!valid_date(year, month, day), "{year}-{month}-{day}");
        }
    }

    #[test]
    fn the_extremes_of_a_date_column_do_not_overflow() {
        assert_eq!(civil_from_days(i32::MIN), (-5_877_641, 6, 23));
        assert_eq!(civil_from_days(i32::MAX), (5_881_580, 7, 11));
    }
}
