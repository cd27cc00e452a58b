//! Numbers out of text: `int64`, `float64` and exact decimals.
//!
//! [`NumberFormat`] says what a number looks like; its methods read one. Short plain numbers, which nearly all are,
//! take a path of a few multiplications; whatever it does not take goes through [`scan`], which reads any length and
//! knows what is wrong.

mod decimal;
mod scan;
mod swar;

pub use decimal::{DecimalTarget, Excess, POWERS_OF_TEN, fits, format_decimal};

use crate::text::trim;
use scan::Scan;
use swar::Plain;

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberError {
    /// There is nothing, or nothing but blanks.
    Empty,
    /// It does not have the form of a number.
    Syntax,
    /// It has that form but is too large for the type.
    Overflow,
    /// It has more digits after the point than the scale keeps, and they are not zeros.
    Scale,
}

impl std::fmt::Display for NumberError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Syntax => "not a number",
            Self::Overflow => "out of range",
            Self::Scale => "too many digits after the point",
        })
    }
}

impl std::error::Error for NumberError {}

/// What a number in text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberFormat {
    /// ASCII blanks around the number are ignored.
    pub trim: bool,
    /// A leading `+` is allowed.
    pub plus: bool,
    /// This byte is ignored wherever it stands among the digits, before or after the point; `1,234` and `12,34` are
    /// the same to it.
    pub thousands: Option<u8>,
    /// The byte between whole and fraction.
    pub point: u8,
    /// An exponent is allowed: `1e3`, `1.5E-7`.
    pub exponent: bool,
    /// The digits before or after the point may be missing: `.5`, `5.`.
    pub bare_point: bool,
}

/// A short decimal: `value / 10^fraction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// All its digits.
    pub value: i64,
    /// Digits after the point, at most 17.
    pub fraction: u32,
}

impl NumberFormat {
    /// Digits with an optional `-` and a `.`: what JSON writes without an exponent.
    pub const STRICT: Self =
        Self { trim: false, plus: false, thousands: None, point: b'.', exponent: false, bare_point: false };

    /// [`Self::STRICT`], with blanks around it, a `+` and an exponent allowed.
    pub const LENIENT: Self = Self { trim: true, plus: true, exponent: true, ..Self::STRICT };

    /// Reads a short decimal as it is written, whatever its scale: at most eighteen digits and no exponent. None for
    /// everything else, numbers or not, which the other methods tell apart.
    #[inline]
    #[must_use]
    pub fn parse_short(&self, text: &[u8]) -> Option<Short> {
        let (negative, digits) = self.sign(text);
        let plain = self.plain(digits)?;
        let value = plain.value as i64;
        Some(Short { value: if negative { -value } else { value }, fraction: plain.fraction })
    }

    /// Reads a whole number of 64 bits. A point or an exponent is a syntax error.
    ///
    /// # Errors
    /// [`NumberError::Empty`], [`NumberError::Syntax`] or [`NumberError::Overflow`].
    #[inline]
    pub fn parse_i64(&self, text: &[u8]) -> Result<i64, NumberError> {
        let (negative, digits) = self.sign(text);
        if let Some(plain) = swar::plain(digits, None, self.thousands) {
            let value = plain.value as i64;
            return Ok(if negative { -value } else { value });
        }
        self.parse_i64_slowly(text)
    }

    #[cold]
    fn parse_i64_slowly(&self, text: &[u8]) -> Result<i64, NumberError> {
        let scan = Scan::new(self, text)?;
        if scan.has_point || scan.has_exponent {
            return Err(NumberError::Syntax);
        }
        let value = scan.leading(scan.significant).ok_or(NumberError::Overflow)?;
        scan.signed(value).and_then(|value| i64::try_from(value).ok()).ok_or(NumberError::Overflow)
    }

    /// Reads a decimal as `value * 10^scale`.
    ///
    /// # Errors
    /// Any [`NumberError`]; [`NumberError::Scale`] only with [`Excess::Refuse`].
    #[inline]
    pub fn parse_decimal(&self, text: &[u8], target: &DecimalTarget) -> Result<i128, NumberError> {
        let (negative, digits) = self.sign(text);
        if let Some(plain) = self.plain(digits)
            && let Some(value) = target.scaled(plain.value, plain.fraction)
        {
            return Ok(if negative { -value } else { value });
        }
        self.parse_decimal_slowly(text, target)
    }

    #[cold]
    fn parse_decimal_slowly(&self, text: &[u8], target: &DecimalTarget) -> Result<i128, NumberError> {
        target.round(&Scan::new(self, text)?)
    }

    /// Reads a binary64 number, correctly rounded. Infinities and NaNs have no form here; a number too large for
    /// binary64 is out of range.
    ///
    /// # Errors
    /// [`NumberError::Empty`], [`NumberError::Syntax`] or [`NumberError::Overflow`].
    #[inline]
    pub fn parse_f64(&self, text: &[u8]) -> Result<f64, NumberError> {
        let (negative, digits) = self.sign(text);
        if let Some(plain) = self.plain(digits)
            && let Some(value) = exact_f64(plain)
        {
            return Ok(if negative { -value } else { value });
        }
        self.parse_f64_slowly(text)
    }

    #[cold]
    fn parse_f64_slowly(&self, text: &[u8]) -> Result<f64, NumberError> {
        let scan = Scan::new(self, text)?;
        let value: f64 = scan.normal_form().parse().map_err(|_| NumberError::Syntax)?;
        if value.is_finite() { Ok(value) } else { Err(NumberError::Overflow) }
    }

    /// Whether a text is a number that binary64 can hold: what [`Self::parse_f64`] says, without bringing the reading of
    /// floats (some 20 kB) into a component.
    ///
    /// # Errors
    /// [`NumberError::Empty`], [`NumberError::Syntax`] or [`NumberError::Overflow`].
    #[inline]
    pub fn check_f64(&self, text: &[u8]) -> Result<(), NumberError> {
        let (_, digits) = self.sign(text);
        if self.plain(digits).is_some() {
            return Ok(());
        }
        if Scan::new(self, text)?.fits_f64() { Ok(()) } else { Err(NumberError::Overflow) }
    }

    /// Blanks and sign off, as far as they are allowed.
    #[inline(always)]
    fn sign<'a>(&self, text: &'a [u8]) -> (bool, &'a [u8]) {
        let text = if self.trim { trim(text) } else { text };
        match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] if self.plus => (false, rest),
            _ => (false, text),
        }
    }

    #[inline(always)]
    fn plain(&self, digits: &[u8]) -> Option<Plain> {
        swar::plain(digits, Some(self.point), self.thousands)
    }
}

/// A short decimal as binary64, when one exact division gives the correctly rounded result: the mantissa is below
/// 2^53 and the power of ten (up to 10^22) is exact in binary64 (Clinger's fast path).
#[inline(always)]
fn exact_f64(plain: Plain) -> Option<f64> {
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ];
    let power = POWERS.get(plain.fraction as usize)?;
    (plain.value < 1 << 53).then(|| plain.value as f64 / power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The grammar of [`NumberFormat::LENIENT`] spelled out: sign, whole, fraction, exponent.
    fn plain_shape(text: &str, format: &NumberFormat) -> Option<String> {
        let text = if format.trim { text.trim_matches([' ', '\t']) } else { text };
        let unsigned =
            text.strip_prefix('-').or_else(|| text.strip_prefix('+').filter(|_| format.plus)).unwrap_or(text);
        let negative = text.starts_with('-');
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((m, e)) if format.exponent => (m, Some(e)),
            Some(_) => return None,
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((w, f)) => (w, Some(f)),
            None => (mantissa, None),
        };
        let digits = |s: &str| -> Option<String> {
            let s: String = s.chars().filter(|&c| Some(c) != format.thousands.map(char::from)).collect();
            s.bytes().all(|b| b.is_ascii_digit()).then_some(s)
        };
        let (whole, fraction_digits) = (digits(whole)?, digits(fraction.unwrap_or(""))?);
        let missing = whole.is_empty() || fraction.is_some() && fraction_digits.is_empty();
        if missing && (!format.bare_point || whole.is_empty() && fraction_digits.is_empty()) {
            return None;
        }
        let exponent = match exponent {
            Some(e) => {
                let digits = e.strip_prefix(['+', '-']).unwrap_or(e);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                format!("e{e}")
            }
            None => String::new(),
        };
        Some(format!("{}{whole}.{fraction_digits}{exponent}", if negative { "-" } else { "" }))
    }

    fn formats() -> impl Strategy<Value = NumberFormat> {
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(trim, plus, comma, exponent, bare_point)| NumberFormat {
                trim,
                plus,
                thousands: comma.then_some(b','),
                exponent,
                bare_point,
                ..NumberFormat::STRICT
            },
        )
    }

    /// Numbers, near-numbers and noise.
    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => " ?[+-]?[0-9,]{0,24}(\\.[0-9,]{0,22})?([eE][+-]?[0-9]{1,3})? ?",
            2 => "-?[0-9]{1,20}",
            2 => "[0-9]{1,6}\\.[0-9]{1,3}",
            1 => "[-+0-9., eEx]{0,12}",
        ]
    }

    proptest! {
        #[test]
        fn i64_is_read_as_std_reads_it(text in texts(), format in formats()) {
            let read = format.parse_i64(text.as_bytes());
            let shape = plain_shape(&text, &format);
            let whole = shape.filter(|_| !text.contains(['.', 'e', 'E']));
            match whole {
                None => prop_assert!(matches!(read, Err(NumberError::Syntax | NumberError::Empty)), "{:?}", read),
                Some(shape) => match shape.trim_end_matches('.').parse::<i64>() {
                    Ok(value) => prop_assert_eq!(read, Ok(value)),
                    Err(_) => prop_assert_eq!(read, Err(NumberError::Overflow)),
                },
            }
        }

        #[test]
        fn short_decimals_are_read_as_written(text in texts(), format in formats()) {
            if let Some(short) = format.parse_short(text.as_bytes()) {
                let target = DecimalTarget::new(38, short.fraction as u8, Excess::Refuse);
                prop_assert_eq!(format.parse_decimal(text.as_bytes(), &target), Ok(short.value.into()));
                prop_assert!(short.fraction <= 17);
            }
        }

        #[test]
        fn f64_is_read_to_the_bit_as_std_reads_it(text in texts(), format in formats()) {
            let read = format.parse_f64(text.as_bytes());
            match plain_shape(&text, &format) {
                None => {
                    prop_assert!(matches!(read, Err(NumberError::Syntax | NumberError::Empty)), "{:?}", read);
                    prop_assert_eq!(format.check_f64(text.as_bytes()).err(), read.err());
                }
                Some(shape) => {
                    prop_assert_eq!(format.check_f64(text.as_bytes()).err(), read.err());
                    let value: f64 = shape.parse().unwrap();
                    if value.is_finite() {
                        prop_assert_eq!(read.map(f64::to_bits), Ok(value.to_bits()));
                    } else {
                        prop_assert_eq!(read, Err(NumberError::Overflow));
                    }
                }
            }
        }

        #[test]
        fn doubles_survive_being_written_and_read(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let read = NumberFormat::LENIENT.parse_f64(format!("{value:e}").as_bytes());
            prop_assert_eq!(read.map(f64::to_bits), Ok(bits));
        }

        #[test]
        fn bytes_of_any_kind_do_not_panic(text: Vec<u8>, format in formats()) {
            let _ = (format.parse_i64(&text), format.parse_f64(&text));
            let _ = format.parse_decimal(&text, &DecimalTarget::new(38, 10, Excess::HalfEven));
        }
    }

    #[test]
    fn the_greatest_double_is_told_from_what_rounds_to_infinity() {
        // Halfway between the greatest double and 2^1024; from there on a number rounds to infinity.
        let half = scan::FIRST_INFINITE;
        let below = format!("{}1.9", &half[..half.len() - 1]);
        for text in
            [half, &below, "1.7976931348623157e308", "1.7976931348623159e308", "-1e308", "1e309", "9e307", "0e999"]
        {
            let read = NumberFormat::LENIENT.parse_f64(text.as_bytes());
            assert_eq!(NumberFormat::LENIENT.check_f64(text.as_bytes()).err(), read.err(), "{text}");
        }
    }

    #[test]
    fn quantities_of_orders_are_read() {
        let format = NumberFormat::LENIENT;
        for (text, value) in [("1000", 1000), (" +7 ", 7), ("-50", -50), ("000000000000000000000001", 1)] {
            assert_eq!(format.parse_i64(text.as_bytes()), Ok(value), "{text}");
        }
        assert_eq!(format.parse_i64(b"9223372036854775807"), Ok(i64::MAX));
        assert_eq!(format.parse_i64(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(format.parse_i64(b"9223372036854775808"), Err(NumberError::Overflow));
        assert_eq!(format.parse_i64(b"three"), Err(NumberError::Syntax));
        assert_eq!(format.parse_i64(b"  "), Err(NumberError::Empty));
        assert_eq!(format.parse_i64(b"1.0"), Err(NumberError::Syntax));
    }
}
