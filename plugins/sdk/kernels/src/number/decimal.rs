//! Exact decimals: `value * 10^scale` in an `i128`.

use super::NumberError;
use super::scan::Scan;

/// 10^0 to 10^38: all powers of ten below 2^127.
pub const POWERS_OF_TEN: [i128; 39] = {
    let mut powers = [1; 39];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// What happens to digits after the point that the scale does not keep. Zeros are always dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Excess {
    /// [`NumberError::Scale`].
    Refuse,
    /// Rounded to the nearest, ties to even.
    HalfEven,
    /// Cut off: rounded towards zero.
    Truncate,
}

/// Whether a value has at most `precision` digits.
#[inline]
#[must_use]
pub fn fits(value: i128, precision: u8) -> bool {
    value.unsigned_abs() < POWERS_OF_TEN[usize::from(precision).min(38)].unsigned_abs()
}

/// The decimal type that is read into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecimalTarget {
    limit: i128,
    scale: u32,
    excess: Excess,
}

impl DecimalTarget {
    /// `precision` digits, 1 to 38, of which `scale` after the point, at most `precision`; numbers past these limits
    /// are brought to them.
    #[must_use]
    pub fn new(precision: u8, scale: u8, excess: Excess) -> Self {
        let precision = precision.clamp(1, 38);
        Self { limit: POWERS_OF_TEN[usize::from(precision)], scale: u32::from(scale.min(precision)), excess }
    }

    /// A short number brought to the scale; None when it overflows or has digits that may not be dropped.
    #[inline(always)]
    pub(super) fn scaled(&self, value: u64, fraction: u32) -> Option<i128> {
        let Some(shift) = self.scale.checked_sub(fraction) else {
            return self.scaled_down(value, fraction - self.scale);
        };
        // Below 10^18 times 10^20 stays below 2^127.
        let power = *POWERS_OF_TEN.get(shift as usize).filter(|_| shift <= 20)?;
        let value = if shift == 0 { i128::from(value) } else { i128::from(value) * power };
        (value < self.limit).then_some(value)
    }

    /// A short number without its last `excess` digits.
    #[inline(never)]
    fn scaled_down(&self, value: u64, excess: u32) -> Option<i128> {
        let unit = 10u64.checked_pow(excess)?;
        let (kept, cut) = (value / unit, value % unit);
        let up = match self.excess {
            Excess::Truncate => false,
            Excess::Refuse if cut != 0 => return None,
            Excess::Refuse => false,
            // A unit is even, so its half is exact.
            Excess::HalfEven => cut > unit / 2 || cut == unit / 2 && kept % 2 == 1,
        };
        let value = i128::from(kept) + i128::from(up);
        (value < self.limit).then_some(value)
    }

    /// A number of any length brought to the scale.
    pub(super) fn round(&self, scan: &Scan<'_>) -> Result<i128, NumberError> {
        if scan.significant == 0 {
            return Ok(0);
        }
        // The first `kept` significant digits stand before the place where the scale cuts.
        let kept = scan.magnitude + i64::from(self.scale);
        if kept > 38 {
            return Err(NumberError::Overflow);
        }
        let padding = usize::try_from(kept - scan.significant).unwrap_or(0);
        let mut value = scan.leading(kept).ok_or(NumberError::Overflow)?;
        value = POWERS_OF_TEN
            .get(padding)
            .and_then(|power| value.checked_mul(power.unsigned_abs()))
            .ok_or(NumberError::Overflow)?;
        if kept < scan.significant {
            value += u128::from(self.rounds_up(scan, kept, value % 2 == 1)?);
        }
        let value = scan.signed(value).ok_or(NumberError::Overflow)?;
        if value.abs() < self.limit { Ok(value) } else { Err(NumberError::Overflow) }
    }

    /// Whether what is cut off after the first `kept` significant digits rounds the rest up.
    fn rounds_up(&self, scan: &Scan<'_>, kept: i64, odd: bool) -> Result<bool, NumberError> {
        let mut cut = scan.digits().skip(usize::try_from(kept).unwrap_or(0));
        match self.excess {
            Excess::Truncate => Ok(false),
            Excess::Refuse if cut.any(|digit| digit != 0) => Err(NumberError::Scale),
            Excess::Refuse => Ok(false),
            // The first significant digit is at least one place below the half.
            Excess::HalfEven if kept < 0 => Ok(false),
            Excess::HalfEven => {
                let half = cut.next().unwrap_or(0);
                Ok(half > 5 || half == 5 && (odd || cut.any(|digit| digit != 0)))
            }
        }
    }
}

/// A decimal as text: `-12.50` for -1250 at scale 2.
#[must_use]
pub fn format_decimal(value: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::NumberFormat;
    use proptest::prelude::*;

    /// Schoolbook rounding on the written-out digits.
    fn round_plainly(text: &str, target: &DecimalTarget) -> Result<i128, NumberError> {
        let unsigned = text.trim_start_matches('-');
        let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
        let exponent: i32 = exponent.parse().unwrap();
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = format!("{whole}{fraction}").bytes().map(|b| b - b'0').collect();
        let mut places = fraction.len() as i32 - exponent;
        while places < target.scale as i32 {
            digits.push(0);
            places += 1;
        }
        let cut = (places - target.scale as i32) as usize;
        while digits.len() <= cut {
            digits.insert(0, 0);
        }
        let dropped = digits.split_off(digits.len() - cut);
        let mut value = 0i128;
        for digit in digits {
            value = value.checked_mul(10).and_then(|v| v.checked_add(digit.into())).ok_or(NumberError::Overflow)?;
        }
        let inexact = dropped.iter().any(|&d| d != 0);
        if inexact && target.excess == Excess::Refuse {
            // Overflow is told first, as the kept digits are read first.
            return Err(if value < target.limit { NumberError::Scale } else { NumberError::Overflow });
        }
        if inexact && target.excess == Excess::HalfEven {
            let tie = dropped[0] == 5 && dropped[1..].iter().all(|&d| d == 0);
            value += i128::from(dropped[0] > 5 || dropped[0] == 5 && (!tie || value % 2 == 1));
        }
        if value >= target.limit {
            return Err(NumberError::Overflow);
        }
        Ok(if text.starts_with('-') { -value } else { value })
    }

    fn excess() -> impl Strategy<Value = Excess> {
        prop_oneof![Just(Excess::Refuse), Just(Excess::HalfEven), Just(Excess::Truncate)]
    }

    proptest! {
        #[test]
        fn decimals_are_rounded_as_at_school(
            text in "-?[0-9]{1,12}(\\.[0-9]{1,8})?|-?[0-9]{1,45}(\\.[0-9]{1,45})?(e-?[0-9]{1,2})?|-?[0-9]{1,3}\\.[0-9]50{0,4}",
            precision in 1u8..=38, scale in 0u8..=38, excess in excess(),
        ) {
            let target = DecimalTarget::new(precision, scale, excess);
            let read = NumberFormat::LENIENT.parse_decimal(text.as_bytes(), &target);
            let plain = round_plainly(&text, &target);
            // Where a number is both too large and too long, either may be told.
            let both_wrong = matches!((read, plain), (Err(NumberError::Overflow | NumberError::Scale), Err(_)));
            prop_assert!(read == plain || both_wrong, "{:?} instead of {:?}", read, plain);
        }

        #[test]
        fn a_decimal_that_was_written_is_read_again(value in -(10i128.pow(38) - 1)..10i128.pow(38), scale in 0u8..=38) {
            let target = DecimalTarget::new(38, scale, Excess::Refuse);
            let text = format_decimal(value, scale);
            prop_assert_eq!(NumberFormat::STRICT.parse_decimal(text.as_bytes(), &target), Ok(value));
        }
    }

    #[test]
    fn amounts_of_orders_are_read() {
        let format = NumberFormat { thousands: Some(b','), ..NumberFormat::LENIENT };
        let target = DecimalTarget::new(18, 2, Excess::Refuse);
        for (text, value) in [("4999.99", 499_999), ("1,234.5", 123_450), (" 12.00 ", 1200), ("-0.005e1", -5)] {
            assert_eq!(format.parse_decimal(text.as_bytes(), &target), Ok(value), "{text}");
        }
        for text in ["N/A", "12.3.4", "abc", "--", "1,2x0", "1.", ".5", "."] {
            assert_eq!(format.parse_decimal(text.as_bytes(), &target), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(format.parse_decimal(b"", &target), Err(NumberError::Empty));
        assert_eq!(format.parse_decimal(b"1.001", &target), Err(NumberError::Scale));
        assert_eq!(format.parse_decimal(b"1.000", &target), Ok(100));
        assert_eq!(format.parse_decimal(b"1e16", &target), Err(NumberError::Overflow));
        assert_eq!(format.parse_decimal(b"1e999999999999999999999999", &target), Err(NumberError::Overflow));
        assert_eq!(format.parse_decimal(b"0e999999999999999999999999", &target), Ok(0));
    }
}
