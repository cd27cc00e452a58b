//! The long path: numbers of any length, in two passes. The first finds the shape, the second reads only the digits
//! that are kept.

use super::{NumberError, NumberFormat};
use crate::text::trim;

/// Exponents past this are as good as infinite; it keeps sums of exponents and lengths far from overflow.
const MOST_EXPONENT: i64 = 1 << 40;

/// 2^1024 - 2^970: the least number that rounds to infinity in binary64.
pub(super) const FIRST_INFINITE: &str = "\
    1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490179775872070\
    9633028641669288791094655554785194040263065748867150582068190890200070838367627385484581771153176447\
    5730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904\
    174497792";

/// The shape of a number: `0.d1 d2 d3 ... * 10^magnitude` where d1 is its first digit that is not zero.
pub(super) struct Scan<'a> {
    pub(super) negative: bool,
    /// Digits, point and separators.
    mantissa: &'a [u8],
    pub(super) has_point: bool,
    pub(super) has_exponent: bool,
    /// Digits from the first that is not zero to the last one.
    pub(super) significant: i64,
    /// Where the point stands, counted from the first significant digit.
    pub(super) magnitude: i64,
    exponent: i64,
    point: u8,
}

impl<'a> Scan<'a> {
    /// Finds the shape of `text`.
    pub(super) fn new(format: &NumberFormat, text: &'a [u8]) -> Result<Self, NumberError> {
        let text = if format.trim { trim(text) } else { text };
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        let (negative, unsigned) = format.sign(text);
        let end = unsigned.iter().position(|&byte| is_mantissa_end(format, byte)).unwrap_or(unsigned.len());
        let (mantissa, rest) = unsigned.split_at_checked(end).unwrap_or((unsigned, &[]));
        let mut scan = Self {
            negative,
            mantissa,
            has_point: false,
            has_exponent: false,
            significant: 0,
            magnitude: 0,
            exponent: 0,
            point: format.point,
        };
        scan.read_mantissa(format)?;
        scan.read_exponent(format, rest)?;
        Ok(scan)
    }

    fn read_mantissa(&mut self, format: &NumberFormat) -> Result<(), NumberError> {
        let (mut whole, mut fraction, mut zeros) = (0, 0, 0);
        for &byte in self.mantissa {
            if byte.is_ascii_digit() {
                whole += i64::from(!self.has_point);
                fraction += i64::from(self.has_point);
                zeros += i64::from(byte == b'0' && zeros == whole + fraction - 1);
            } else if byte == format.point && std::mem::replace(&mut self.has_point, true) {
                return Err(NumberError::Syntax);
            }
        }
        let missing = whole == 0 || self.has_point && fraction == 0;
        if whole + fraction == 0 || missing && !format.bare_point {
            return Err(NumberError::Syntax);
        }
        self.significant = whole + fraction - zeros;
        self.magnitude = whole - zeros;
        Ok(())
    }

    fn read_exponent(&mut self, format: &NumberFormat, rest: &[u8]) -> Result<(), NumberError> {
        let Some((mark, rest)) = rest.split_first() else {
            return Ok(());
        };
        if !format.exponent || !mark.eq_ignore_ascii_case(&b'e') {
            return Err(NumberError::Syntax);
        }
        let (negative, digits) = match rest {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(NumberError::Syntax);
        }
        let add = |value: i64, digit: &u8| (value * 10 + i64::from(digit - b'0')).min(MOST_EXPONENT);
        let exponent = digits.iter().fold(0, add);
        self.has_exponent = true;
        self.exponent = if negative { -exponent } else { exponent };
        self.magnitude += self.exponent;
        Ok(())
    }

    /// The significant digits, first one first.
    pub(super) fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.mantissa
            .iter()
            .filter(|byte| byte.is_ascii_digit())
            .map(|byte| byte - b'0')
            .skip_while(|&digit| digit == 0)
    }

    /// The value of the first `count` significant digits; None past 38 of them.
    pub(super) fn leading(&self, count: i64) -> Option<u128> {
        let count = usize::try_from(count.min(self.significant)).unwrap_or(0);
        (count <= 38).then(|| self.digits().take(count).fold(0, |value, digit| value * 10 + u128::from(digit)))
    }

    /// Whether the number rounds to a finite binary64 number: it is less than half way from the greatest one to 2^1024.
    pub(super) fn fits_f64(&self) -> bool {
        let digits = FIRST_INFINITE.len() as i64;
        let first_infinite = FIRST_INFINITE.bytes().map(|digit| digit - b'0');
        self.significant == 0 || self.magnitude < digits || self.magnitude == digits && self.digits().lt(first_infinite)
    }

    /// The sign put before a value.
    pub(super) fn signed(&self, value: u128) -> Option<i128> {
        let value = i128::try_from(value).ok()?;
        Some(if self.negative { -value } else { value })
    }

    /// The number as std reads numbers: `-12.5e-3`.
    pub(super) fn normal_form(&self) -> String {
        let mut out = String::with_capacity(self.mantissa.len() + 24);
        if self.negative {
            out.push('-');
        }
        for &byte in self.mantissa {
            if byte.is_ascii_digit() {
                out.push(char::from(byte));
            } else if byte == self.point {
                out.push('.');
            }
        }
        if self.has_exponent {
            out.push_str(&format!("e{}", self.exponent));
        }
        out
    }
}

/// Whether a byte is neither digit nor point nor separator.
fn is_mantissa_end(format: &NumberFormat, byte: u8) -> bool {
    !byte.is_ascii_digit() && byte != format.point && Some(byte) != format.thousands
}
