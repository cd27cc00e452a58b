//! Values that Rust has no type for: decimals, timestamps and dates.

use std::cmp::Ordering;
use std::fmt;

/// An exact decimal: value / 10^scale. Two are equal when they are the same number, whatever their scales.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    value: i128,
    scale: u8,
}

/// The largest scale, and the largest precision, of the contract.
const MAX_SCALE: u8 = 38;

impl Decimal {
    /// The number `value / 10^scale`.
    ///
    /// # Panics
    /// The scale is more than 38.
    #[inline]
    #[must_use]
    pub const fn new(value: i128, scale: u8) -> Self {
        assert!(scale <= MAX_SCALE, "a decimal has at most 38 digits after the point");
        Self { value, scale }
    }

    /// The number times 10^scale.
    #[inline]
    #[must_use]
    pub const fn value(self) -> i128 {
        self.value
    }

    /// Digits after the point.
    #[inline]
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The same number with another scale; none when digits would be lost or do not fit.
    #[must_use]
    pub fn rescale(self, scale: u8) -> Option<Self> {
        if scale >= self.scale {
            let value = self.value.checked_mul(power_of_ten(scale - self.scale)?)?;
            return (scale <= MAX_SCALE).then_some(Self { value, scale });
        }
        let unit = power_of_ten(self.scale - scale)?;
        (self.value % unit == 0).then(|| Self { value: self.value / unit, scale })
    }

    /// The sum, with the larger of the scales; none when it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let value = self.rescale(scale)?.value.checked_add(other.rescale(scale)?.value)?;
        Some(Self { value, scale })
    }

    /// The product, with the sum of the scales; none when it does not fit.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let scale = self.scale + other.scale;
        (scale <= MAX_SCALE).then_some(Self { value: self.value.checked_mul(other.value)?, scale })
    }
}

/// 10^exponent, where it fits.
fn power_of_ten(exponent: u8) -> Option<i128> {
    10i128.checked_pow(u32::from(exponent))
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self::new(value.into(), 0)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.value.cmp(&other.value);
        }
        if self.scale > other.scale {
            return other.cmp(self).reverse();
        }
        // A number too large for the other's scale is further from zero than any number of that scale.
        let unit = power_of_ten(other.scale - self.scale).unwrap_or(i128::MAX);
        match self.value.checked_mul(unit) {
            Some(value) => value.cmp(&other.value),
            None => self.value.cmp(&0),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, scale) = (self.value.unsigned_abs().to_string(), usize::from(self.scale));
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        let (sign, point) = (if self.value < 0 { "-" } else { "" }, if scale > 0 { "." } else { "" });
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

/// Microseconds since 1970-01-01T00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// Days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Date(pub i32);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_show_all_their_digits() {
        let shown = |value, scale| Decimal::new(value, scale).to_string();
        assert_eq!([shown(-5, 3), shown(1234, 2), shown(7, 0), shown(0, 2)], ["-0.005", "12.34", "7", "0.00"]);
        assert_eq!(shown(i128::MIN, 38), "-1.70141183460469231731687303715884105728");
    }

    #[test]
    fn a_number_too_large_for_the_other_scale_is_still_ordered() {
        let (large, small) = (Decimal::new(i128::MAX, 0), Decimal::new(i128::MAX, 38));
        assert_eq!((large.cmp(&small), small.cmp(&large)), (Ordering::Greater, Ordering::Less));
        assert!(Decimal::new(i128::MIN, 0) < small);
        assert_eq!(large.rescale(1), None);
    }

    proptest! {
        #[test]
        fn arithmetic_is_that_of_whole_numbers(a in -10_000i128..10_000, b in -10_000i128..10_000, s in 0u8..4, t in 0u8..4) {
            let (x, y) = (Decimal::new(a, s), Decimal::new(b, t));
            let at_4 = |d: Decimal| d.rescale(8).unwrap().value();
            prop_assert_eq!(x.cmp(&y), at_4(x).cmp(&at_4(y)));
            prop_assert_eq!(at_4(x.checked_add(y).unwrap()), at_4(x) + at_4(y));
            let product = x.checked_mul(y).unwrap();
            prop_assert_eq!((product.value(), product.scale()), (a * b, s + t));
            prop_assert_eq!(x.rescale(8).unwrap().rescale(s).unwrap().value(), a);
            prop_assert_eq!(Decimal::new(a * 10 + 1, 1).rescale(0), None);
        }
    }
}
