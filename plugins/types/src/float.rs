//! Reading float64, correctly rounded.
//!
//! The standard library's reader brings 16 kB of code and tables into a component, a tenth of what a rule may have. This
//! one has three ways instead: short numbers by one division of floats, those of up to 19 digits by one division of 128
//! bits, and everything else by long division of numbers of any length.

use sluice_sdk::kernels::NumberFormat;
use std::cmp::Ordering;

/// Reads a number as binary64. None where it has not the form, or is too large.
#[inline]
pub(crate) fn parse(format: &NumberFormat, text: &[u8]) -> Option<f64> {
    format.check_f64(text).ok()?;
    let scan = Scan::new(format, text);
    let magnitude = scan.exact().or_else(|| scan.wide()).or_else(|| scan.long())?;
    Some(if scan.negative { -magnitude } else { magnitude })
}

/// Digits beyond which no digit but "something follows" matters: the longest exact decimal between two neighbouring
/// binary64 numbers has 768.
const MAX_DIGITS: usize = 800;

/// A number: its significant digits as one whole number, times 10^exponent.
struct Scan<'t> {
    negative: bool,
    /// From the first significant digit on, separators and point included, up to the exponent.
    text: &'t [u8],
    /// The first 19 significant digits.
    leading: u64,
    /// Number of significant digits, trailing zeros included.
    digits: usize,
    /// Power of ten of the last digit.
    exponent: i64,
}

impl<'t> Scan<'t> {
    /// `text` has the form of `format`.
    fn new(format: &NumberFormat, text: &'t [u8]) -> Self {
        let is_exponent = |&b: &u8| format.exponent && matches!(b, b'e' | b'E');
        let (number, exponent) = match text.iter().position(is_exponent) {
            Some(at) => (&text[..at], whole(&text[at + 1..])),
            None => (text, 0),
        };
        let mut scan = Self { negative: text.first() == Some(&b'-'), text: &[], leading: 0, digits: 0, exponent };
        let mut after_point = false;
        for (at, &byte) in number.iter().enumerate() {
            if !byte.is_ascii_digit() {
                after_point |= byte == format.point;
                continue;
            }
            scan.exponent -= i64::from(after_point);
            if scan.digits == 0 && byte == b'0' {
                continue;
            }
            if scan.digits == 0 {
                scan.text = &number[at..];
            }
            scan.digits += 1;
            if scan.digits <= 19 {
                scan.leading = scan.leading * 10 + u64::from(byte - b'0');
            }
        }
        scan
    }

    /// A mantissa below 2^53 and a power of ten up to 10^22 are exact in binary64, and one operation on two exact
    /// numbers is correctly rounded (Clinger).
    fn exact(&self) -> Option<f64> {
        const POWERS: [f64; 23] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
            1e19, 1e20, 1e21, 1e22,
        ];
        let power = *POWERS.get(self.exponent.unsigned_abs() as usize)?;
        if self.digits > 19 || self.leading >= 1 << 53 {
            return None;
        }
        let leading = self.leading as f64;
        Some(if self.exponent < 0 { leading / power } else { leading * power })
    }

    /// Up to 19 digits and a fraction of up to 22: the quotient of 128 bits by the power of ten (below 2^74) has at least
    /// 54 bits, one more than is kept.
    fn wide(&self) -> Option<f64> {
        if self.digits > 19 || !(-22..=0).contains(&self.exponent) || self.leading == 0 {
            return (self.digits == 0).then_some(0.0);
        }
        let power = 10u128.pow(self.exponent.unsigned_abs() as u32);
        let number = u128::from(self.leading);
        let shift = number.leading_zeros();
        let (quotient, rest) = ((number << shift) / power, (number << shift) % power);
        // What is cut off of a quotient of more than 64 bits is only told by whether it is zero.
        let cut = 64u32.saturating_sub(quotient.leading_zeros());
        let inexact = rest != 0 || quotient & ((1 << cut) - 1) != 0;
        round((quotient >> cut) as u64, inexact, cut as i32 - shift as i32)
    }

    /// Any number of digits, by long division.
    #[cold]
    fn long(&self) -> Option<f64> {
        let magnitude = self.exponent + self.digits as i64;
        // The smallest number above zero is 4.9e-324, and what is below half of it is zero; the largest is 1.8e308.
        if magnitude < -325 {
            return Some(0.0);
        }
        if magnitude > 310 {
            return None;
        }
        let (mut number, exponent) = self.whole();
        let mut divisor = Long::from(1);
        let scaled = if exponent < 0 { &mut divisor } else { &mut number };
        (0..exponent.unsigned_abs()).for_each(|_| scaled.multiply_add(10, 0));
        // Both are moved so that the quotient has 64 or 65 bits, of which the first 64 are taken.
        let shift = 64 + divisor.bits() - number.bits();
        if shift > 0 {
            number.shift(shift as usize);
        } else {
            divisor.shift(shift.unsigned_abs() as usize);
        }
        let (mut quotient, mut taken) = (0u64, 0);
        divisor.shift(64);
        while taken < 65 && quotient >> 63 == 0 {
            quotient = quotient << 1 | u64::from(number.subtract_if_larger(&divisor));
            number.shift(1);
            taken += 1;
        }
        round(quotient, !number.is_zero(), 65 - taken - shift as i32)
    }

    /// The digits as one number, and the power of ten of its last digit. Past [`MAX_DIGITS`] one more digit says whether
    /// anything follows.
    fn whole(&self) -> (Long, i64) {
        let digits = || self.text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
        let mut number = Long::from(0);
        digits().take(MAX_DIGITS).for_each(|digit| number.multiply_add(10, digit));
        if self.digits <= MAX_DIGITS {
            return (number, self.exponent);
        }
        number.multiply_add(10, u32::from(digits().skip(MAX_DIGITS).any(|digit| digit > 0)));
        (number, self.exponent + (self.digits - MAX_DIGITS - 1) as i64)
    }
}

/// `mantissa * 2^exponent` and something less than 2^exponent where it is inexact, rounded to the nearest, ties to even.
/// The mantissa has at least 54 bits. None where the result is too large.
fn round(mantissa: u64, inexact: bool, exponent: i32) -> Option<f64> {
    let bits = 64 - mantissa.leading_zeros() as i32;
    // 53 bits are kept, and fewer below 2^-1022: no bit is worth less than 2^-1074.
    let cut = (bits - 53).max(-1074 - exponent).max(0);
    if cut > 64 {
        return Some(0.0);
    }
    let (kept, rest) = if cut == 64 { (0, mantissa) } else { (mantissa >> cut, mantissa & ((1 << cut) - 1)) };
    let half = 1u64.checked_shl(cut as u32 - 1).unwrap_or(0);
    let up = match rest.cmp(&half) {
        Ordering::Less => false,
        Ordering::Equal => inexact || kept % 2 == 1,
        Ordering::Greater => true,
    };
    // A mantissa of 53 bits has its highest bit where the exponent begins: adding carries as it should.
    let biased = (exponent + cut + 1074) as u64;
    let value = f64::from_bits((biased.min(2046) << 52) + kept + u64::from(up));
    value.is_finite().then_some(value)
}

/// A whole number after the `e`, as large as it may be.
fn whole(text: &[u8]) -> i64 {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0'));
    let value = digits.fold(0i64, |value, digit| value.saturating_mul(10).saturating_add(digit).min(1 << 40));
    if text.first() == Some(&b'-') { -value } else { value }
}

/// A natural number of any length, 32 bits a place, the lowest first, without leading zeros.
struct Long(Vec<u32>);

impl From<u32> for Long {
    fn from(value: u32) -> Self {
        Self(if value == 0 { Vec::new() } else { vec![value] })
    }
}

impl Long {
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn bits(&self) -> i64 {
        self.0.last().map_or(0, |last| self.0.len() as i64 * 32 - i64::from(last.leading_zeros()))
    }

    fn multiply_add(&mut self, factor: u32, add: u32) {
        let mut carry = u64::from(add);
        for place in &mut self.0 {
            carry += u64::from(*place) * u64::from(factor);
            *place = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn shift(&mut self, bits: usize) {
        if !self.is_zero() {
            self.multiply_add(1 << (bits % 32), 0);
            self.0.splice(0..0, std::iter::repeat_n(0, bits / 32));
        }
    }

    /// Subtracts `other` where it is not larger, and says whether it did.
    fn subtract_if_larger(&mut self, other: &Self) -> bool {
        let larger = self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()));
        if larger.is_lt() {
            return false;
        }
        let mut borrow = 0i64;
        for (at, place) in self.0.iter_mut().enumerate() {
            let value = i64::from(*place) - i64::from(other.0.get(at).copied().unwrap_or(0)) + borrow;
            *place = value as u32;
            borrow = value >> 32;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORMAT: NumberFormat =
        NumberFormat { exponent: true, plus: true, thousands: Some(b','), ..NumberFormat::STRICT };

    fn by_std(text: &str) -> Option<u64> {
        let value: f64 = text.replace(',', "").parse().unwrap();
        value.is_finite().then_some(value.to_bits())
    }

    fn same_as_std(text: &str) {
        assert_eq!(parse(&FORMAT, text.as_bytes()).map(f64::to_bits), by_std(text), "{text}");
    }

    #[test]
    fn the_hard_cases_of_other_readers_are_read_as_std_reads_them() {
        for text in [
            "0",
            "-0",
            "-0.0",
            "0e999999999999999999999",
            "1e-999999999999999999999",
            "0.000",
            "1e23",
            "9007199254740993",
            "9007199254740992.999",
            "2.2250738585072011e-308",
            "2.2250738585072014e-308",
            "4.9406564584124654e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.5e-324",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "1e309",
            "0.30000000000000004",
            "123456789012345678901234567890",
            "6.631236846766476e-316",
            "3.2378839133029012895883524125015321748630094884640e-319",
            "1,000.5",
            "8.41e+21",
            "5e-324",
            "18014398509481985",
            "0.500000000000000166533453693773481063544750213623046875",
        ] {
            same_as_std(text);
        }
        assert_eq!(parse(&FORMAT, b"1e309"), None);
        assert_eq!(parse(&FORMAT, b"x"), None);
    }

    #[test]
    fn digits_past_any_that_count_still_break_a_tie() {
        // 2^53 + 1 lies between two numbers; whatever follows, however late, decides.
        for zeros in [1, 30, 700, 790, 900] {
            let tie = format!("9007199254740993.{}", "0".repeat(zeros));
            same_as_std(&tie);
            same_as_std(&format!("{tie}1"));
            same_as_std(&format!("{}e-{zeros}", "9".repeat(zeros + 20)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_number_is_read_as_std_reads_it(text in "-?[0-9]{1,25}([.][0-9]{1,25})?([eE][+-]?[0-9]{1,3})?") {
            same_as_std(&text);
        }

        #[test]
        fn every_float_is_read_back_and_so_is_what_lies_half_way_to_the_next(bits in any::<u64>(), digits in 15usize..25) {
            let value = f64::from_bits(bits & !(1 << 63));
            prop_assume!(value.is_finite());
            same_as_std(&value.to_string());
            same_as_std(&format!("{value:e}"));
            same_as_std(&format!("{value:.digits$e}"));
        }

        #[test]
        fn ties_between_neighbours_go_to_even(mantissa in 1u64 << 52..1 << 53, tail in "0{0,30}[01]?") {
            same_as_std(&format!("{}.5{tail}", mantissa));
            same_as_std(&format!("{}.0{tail}", u128::from(mantissa) * 2 + 1));
        }
    }
}
