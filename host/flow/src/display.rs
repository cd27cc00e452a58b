//! Values as text, the same whatever features the arrow crates are built with.

use crate::checks::DAY_US;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// A value as text: timestamps as `2010-12-01T08:26:00.000000Z`, dates as `2010-12-01`, all else as arrow has it.
pub(crate) fn text_of(array: &ArrayRef, row: usize) -> String {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Timestamp(..) => timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Date32 => {
            let (year, month, day) = civil(array.as_primitive::<Date32Type>().value(row).into());
            format!("{year:04}-{month:02}-{day:02}")
        }
        _ => arrow_cast::display::array_value_to_string(array, row).expect("the value's type has a text form"),
    }
}

fn timestamp(micros: i64) -> String {
    let (year, month, day) = civil(micros.div_euclid(DAY_US));
    let of_day = micros.rem_euclid(DAY_US);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
}

/// Year, month and day of a count of days since 1970-01-01 (proleptic Gregorian calendar), by way of eras of 400 years
/// that begin in March.
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let civil_month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(civil_month <= 2), civil_month, date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(14_944), (2010, 12, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999999Z");
    }

    proptest! {
        #[test]
        fn days_follow_each_other(day in -1_000_000i64..1_000_000) {
            let (a, b) = (civil(day), civil(day + 1));
            prop_assert!(b == (a.0, a.1, a.2 + 1) || b == (a.0, a.1 + 1, 1) || b == (a.0 + 1, 1, 1));
        }
    }
}
