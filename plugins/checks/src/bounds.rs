//! Ranges of numbers, compared exactly.

use sluice_sdk::kernels::number::POWERS_OF_TEN;
use sluice_sdk::kernels::{DecimalTarget, Excess, NumberError, NumberFormat, trim};

/// Most digits of a decimal.
const MOST_DIGITS: u8 = 38;

/// Digits after the point that are compared at once whatever the bounds have.
const USUAL_SCALE: u8 = 6;

/// A number of the configuration, exactly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exact<'a> {
    text: &'a str,
    /// In units of 10^-`scale`, the least scale that holds it.
    value: i128,
    scale: u8,
}

impl<'a> Exact<'a> {
    /// Reads a number.
    pub(crate) fn read(text: &'a str) -> Result<Self, String> {
        for scale in 0..=MOST_DIGITS {
            match parse(text, scale, Excess::Refuse) {
                Ok(value) => return Ok(Self { text, value, scale }),
                Err(NumberError::Scale) => {}
                Err(NumberError::Overflow) => break,
                Err(NumberError::Empty | NumberError::Syntax) => return Err(["`", text, "` is no number"].concat()),
            }
        }
        Err(["`", text, "` has more than 38 digits"].concat())
    }

    /// The nearest binary64 number, for numbers of up to fifteen digits; for longer ones it or the one beside it.
    pub(crate) fn to_f64(self) -> f64 {
        // Both are exact up to 2^53 and 10^22, and then the quotient is rounded once.
        self.value as f64 / POWERS_OF_TEN[usize::from(self.scale)] as f64
    }

    /// The least whole number of units of 10^-`scale` that is not less.
    pub(crate) fn up(self, scale: u8) -> i128 {
        let cut = self.cut(scale);
        if scale < self.scale && self.value > 0 { cut.saturating_add(1) } else { cut }
    }

    /// The greatest that is not more.
    pub(crate) fn down(self, scale: u8) -> i128 {
        let cut = self.cut(scale);
        if scale < self.scale && self.value < 0 { cut.saturating_sub(1) } else { cut }
    }

    /// Whether it is greater than `other`.
    pub(crate) fn is_above(self, other: Self) -> bool {
        let scale = self.scale.max(other.scale);
        self.cut(scale) > other.cut(scale)
    }

    /// The number in units of 10^-`scale` with what is below cut off, which is something where `scale` is less than the
    /// number's own. Past 38 digits the limits of 128 bits stand for it, for no column reaches them.
    fn cut(self, scale: u8) -> i128 {
        let limit = if self.value < 0 { i128::MIN } else { i128::MAX };
        parse(self.text, scale, Excess::Truncate).unwrap_or(limit)
    }
}

fn parse(text: &str, scale: u8, excess: Excess) -> Result<i128, NumberError> {
    NumberFormat::LENIENT.parse_decimal(text.as_bytes(), &DecimalTarget::new(MOST_DIGITS, scale, excess))
}

/// What a test says of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    /// It is not of the type.
    Malformed,
    /// It is, but out of range.
    Outside,
}

/// Bounds for decimals in text, of any number of digits.
#[derive(Debug, Clone)]
pub(crate) struct DecimalBounds {
    format: NumberFormat,
    /// Of `min` and `max`.
    scale: u32,
    min: Option<i128>,
    max: Option<i128>,
    exact: DecimalTarget,
    cut: DecimalTarget,
}

impl DecimalBounds {
    /// Bounds, either of which may be missing. None if they cannot be brought to one scale within 38 digits.
    pub(crate) fn new(format: NumberFormat, min: Option<Exact<'_>>, max: Option<Exact<'_>>) -> Option<Self> {
        let least = min.into_iter().chain(max).map(|bound| bound.scale).max().unwrap_or(0);
        let fits = |value: i128| value.unsigned_abs() < POWERS_OF_TEN[38].unsigned_abs();
        [least.max(USUAL_SCALE), least].into_iter().find_map(|scale| {
            let at = |bound: Option<Exact<'_>>| bound.map(|bound| bound.cut(scale));
            let (min, max) = (at(min), at(max));
            (min.is_none_or(fits) && max.is_none_or(fits)).then(|| Self {
                format,
                scale: scale.into(),
                min,
                max,
                exact: DecimalTarget::new(MOST_DIGITS, scale, Excess::Refuse),
                cut: DecimalTarget::new(MOST_DIGITS, scale, Excess::Truncate),
            })
        })
    }

    /// Whether a text is a decimal within the bounds.
    #[inline]
    pub(crate) fn judge(&self, text: &[u8]) -> Verdict {
        match self.format.parse_short(text) {
            Some(_) if self.min.is_none() && self.max.is_none() => Verdict::Good,
            Some(short) if short.fraction <= self.scale && self.scale - short.fraction <= 20 => {
                // Below 10^18 times 10^20 stays below 2^127.
                let value = i128::from(short.value) * POWERS_OF_TEN[(self.scale - short.fraction) as usize];
                self.within(value, value)
            }
            _ => self.judge_any(text),
        }
    }

    /// A decimal of any length.
    #[inline(never)]
    fn judge_any(&self, text: &[u8]) -> Verdict {
        match self.format.parse_decimal(text, &self.exact) {
            Ok(value) => self.within(value, value),
            Err(NumberError::Empty | NumberError::Syntax) => Verdict::Malformed,
            Err(NumberError::Overflow | NumberError::Scale) => self.judge_long(text),
        }
    }

    /// A number that is not a multiple of the bounds' unit, or too large for 38 digits of it: it lies between two units.
    #[cold]
    fn judge_long(&self, text: &[u8]) -> Verdict {
        let negative = trim(text).first() == Some(&b'-');
        match (self.format.parse_decimal(text, &self.cut), negative) {
            (Ok(value), false) => self.within(value, value + 1),
            (Ok(value), true) => self.within(value - 1, value),
            (Err(_), false) => self.within(i128::MAX, i128::MAX),
            (Err(_), true) => self.within(i128::MIN, i128::MIN),
        }
    }

    fn within(&self, floor: i128, ceiling: i128) -> Verdict {
        let below = self.min.is_some_and(|min| floor < min);
        let above = self.max.is_some_and(|max| ceiling > max);
        if below || above { Verdict::Outside } else { Verdict::Good }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decimals_are_compared_as_whole_numbers_of_the_finest_unit(
            value in -2_000_000i128..2_000_000, min in -2000i128..2000, max in -2000i128..2000,
        ) {
            // Values of three digits after the point against bounds of none, one and two.
            let text = sluice_sdk::kernels::number::format_decimal(value, 3);
            for scale in 0..3u8 {
                let unit = 10i128.pow(3 - u32::from(scale));
                let text_of = |v| sluice_sdk::kernels::number::format_decimal(v, scale);
                let (low, high) = (text_of(min), text_of(max));
                let read = |text| Some(Exact::read(text).unwrap());
                let bounds = DecimalBounds::new(NumberFormat::LENIENT, read(&low), read(&high)).unwrap();
                let good = min * unit <= value && value <= max * unit;
                prop_assert_eq!(bounds.judge(text.as_bytes()) == Verdict::Good, good);
            }
        }

        #[test]
        fn bounds_are_rounded_inwards(value in -100_000i128..100_000, scale in 0u8..4) {
            let text = sluice_sdk::kernels::number::format_decimal(value, 2);
            let exact = Exact::read(&text).unwrap();
            let unit = 10f64.powi(2 - i32::from(scale));
            prop_assert_eq!(exact.up(scale), (value as f64 / unit).ceil() as i128);
            prop_assert_eq!(exact.down(scale), (value as f64 / unit).floor() as i128);
        }
    }

    #[test]
    fn numbers_of_any_length_are_compared() {
        let read = |text| Some(Exact::read(text).unwrap());
        let bounds = DecimalBounds::new(NumberFormat::LENIENT, read("0.1"), read("1e3")).unwrap();
        let huge = format!("1{}", "0".repeat(60));
        let cases = [
            ("0.1", Verdict::Good),
            ("0.09999999999999999999999999999999999999999999", Verdict::Outside),
            ("999.9999999999999999999999999999999999999999999", Verdict::Good),
            ("1000.000000000000000000000000000000000000000000001", Verdict::Outside),
            (huge.as_str(), Verdict::Outside),
            ("-0.05", Verdict::Outside),
            ("1.2.3", Verdict::Malformed),
            ("", Verdict::Malformed),
        ];
        for (text, verdict) in cases {
            assert_eq!(bounds.judge(text.as_bytes()), verdict, "{text}");
        }
        let open = DecimalBounds::new(NumberFormat::LENIENT, None, None).unwrap();
        assert_eq!(open.judge(huge.as_bytes()), Verdict::Good);
        assert!(Exact::read("x").unwrap_err().contains("no number"));
        assert!(Exact::read(&huge).unwrap_err().contains("38 digits"));
    }
}
