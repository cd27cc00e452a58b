//! Timestamps as numbers since the epoch.

use super::{MAX_TIMESTAMP, MIN_TIMESTAMP, TimeError, in_range};
use crate::number::{DecimalTarget, Excess, NumberError, NumberFormat};

/// What a number since 1970-01-01T00:00:00Z counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EpochUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds; those below a microsecond are cut off.
    Nanos,
}

impl EpochUnit {
    /// The timestamp of a whole number.
    ///
    /// # Errors
    /// [`TimeError::Range`] outside of the years 0001 to 9999: mostly the wrong unit.
    #[inline]
    pub fn timestamp(self, value: i64) -> Result<i64, TimeError> {
        let micros = match self {
            Self::Seconds => value.checked_mul(1_000_000),
            Self::Millis => value.checked_mul(1_000),
            Self::Micros => Some(value),
            Self::Nanos => Some(value.div_euclid(1_000)),
        };
        in_range(micros.ok_or(TimeError::Range)?)
    }

    /// The timestamp of a number in text, which may have a fraction; digits below a microsecond are cut off.
    ///
    /// # Errors
    /// [`TimeError`]: empty, no number, or outside of the years 0001 to 9999.
    pub fn parse(self, text: &[u8], format: &NumberFormat) -> Result<i64, TimeError> {
        let scale = match self {
            Self::Seconds => 6,
            Self::Millis => 3,
            Self::Micros | Self::Nanos => 0,
        };
        let target = DecimalTarget::new(38, scale, Excess::Truncate);
        let value = format.parse_decimal(text, &target).map_err(|error| match error {
            NumberError::Empty => TimeError::Empty,
            NumberError::Overflow => TimeError::Range,
            NumberError::Syntax | NumberError::Scale => TimeError::Syntax,
        })?;
        let micros = if self == Self::Nanos { value / 1_000 } else { value };
        let known = i128::from(MIN_TIMESTAMP)..=i128::from(MAX_TIMESTAMP);
        if known.contains(&micros) { Ok(micros as i64) } else { Err(TimeError::Range) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_their_text_are_the_same_moment(micros in 0i64..4_102_444_800_000_000) {
            let format = NumberFormat::STRICT;
            for (unit, divisor) in [(EpochUnit::Seconds, 1_000_000), (EpochUnit::Millis, 1_000), (EpochUnit::Micros, 1)] {
                let whole = micros / divisor;
                prop_assert_eq!(unit.timestamp(whole), Ok(whole * divisor));
                prop_assert_eq!(unit.parse(whole.to_string().as_bytes(), &format), Ok(whole * divisor));
            }
            prop_assert_eq!(EpochUnit::Nanos.timestamp(micros * 1_000 + 999), Ok(micros));
            prop_assert_eq!(EpochUnit::Nanos.parse(format!("{micros}999").as_bytes(), &format), Ok(micros));
        }
    }

    #[test]
    fn fractions_and_exponents_are_read() {
        let read = |unit: EpochUnit, text: &str| unit.parse(text.as_bytes(), &NumberFormat::LENIENT);
        assert_eq!(read(EpochUnit::Seconds, "1.5945120943859746E9"), Ok(1_594_512_094_385_974));
        assert_eq!(read(EpochUnit::Seconds, "-0.5"), Ok(-500_000));
        assert_eq!(read(EpochUnit::Millis, "1594512094385.5"), Ok(1_594_512_094_385_500));
        assert_eq!(read(EpochUnit::Seconds, "1594512094385"), Err(TimeError::Range));
        assert_eq!(read(EpochUnit::Seconds, "now"), Err(TimeError::Syntax));
        assert_eq!(EpochUnit::Seconds.timestamp(i64::MAX), Err(TimeError::Range));
    }
}
