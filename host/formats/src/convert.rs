//! Texts to typed values, strictly: what a type cannot hold exactly is refused, never rounded, cut or guessed.

/// A whole number: an optional `-` and decimal digits, within 64 bits.
pub(crate) fn int64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = signed(text);
    if digits.is_empty() {
        return None;
    }
    if digits.len() <= 18 {
        let mut value = 0i64;
        for byte in digits {
            value = value * 10 + i64::from(digit(*byte)?);
        }
        return Some(if negative { -value } else { value });
    }
    digits.iter().try_fold(0i64, |value, byte| {
        let digit = i64::from(digit(*byte)?);
        let tens = value.checked_mul(10)?;
        if negative { tens.checked_sub(digit) } else { tens.checked_add(digit) }
    })
}

/// A decimal number with or without exponent, correctly rounded to binary64. Refused where it is too large for one.
pub(crate) fn float64(text: &[u8]) -> Option<f64> {
    Decimal::read(text)?;
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// A decimal number as `value * 10^scale`, where it has no digit beyond the scale but zeros and its magnitude is less
/// than 10^precision.
pub(crate) fn decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let number = Decimal::read(text)?;
    let magnitude = number.scaled(scale)?;
    if magnitude >= 10u128.pow(u32::from(precision)) {
        return None;
    }
    let value = i128::try_from(magnitude).ok()?;
    Some(if number.negative { -value } else { value })
}

/// `true` or `false`.
pub(crate) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// A number as written: `significant * 10^exponent`, where `significant` does not end in zero. `None` there: more than
/// 38 digits.
struct Decimal {
    negative: bool,
    significant: Option<u128>,
    exponent: i64,
}

impl Decimal {
    /// Reads `-?digits[.digits][(e|E)[+-]digits]`.
    fn read(text: &[u8]) -> Option<Self> {
        let (negative, mut rest) = signed(text);
        let (mut significant, mut zeros, mut exponent) = (Some(0u128), 0u32, 0i64);
        let mut feed = |byte: u8| match byte - b'0' {
            0 => zeros += 1,
            digit => {
                let shifted = significant.and_then(|s| if s == 0 { Some(0) } else { pow10(zeros + 1)?.checked_mul(s) });
                significant = shifted.and_then(|s| s.checked_add(u128::from(digit)));
                zeros = 0;
            }
        };
        let whole = leading_digits(rest);
        rest[..whole].iter().for_each(|byte| feed(*byte));
        rest = &rest[whole..];
        let mut digits = whole > 0;
        if let [b'.', after @ ..] = rest {
            let fraction = leading_digits(after);
            after[..fraction].iter().for_each(|byte| feed(*byte));
            exponent = -(fraction as i64);
            digits &= fraction > 0;
            rest = &after[fraction..];
        }
        if let [b'e' | b'E', after @ ..] = rest {
            exponent = exponent.saturating_add(read_exponent(after)?);
            rest = &[];
        }
        let number = Self { negative, significant, exponent: exponent.saturating_add(i64::from(zeros)) };
        (digits && rest.is_empty()).then_some(number)
    }

    /// The magnitude times 10^scale, where that is a whole number of at most 128 bits.
    fn scaled(&self, scale: u8) -> Option<u128> {
        match self.significant? {
            0 => Some(0),
            significant => {
                let shift = self.exponent.saturating_add(i64::from(scale));
                pow10(u32::try_from(shift).ok()?)?.checked_mul(significant)
            }
        }
    }
}

fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'+', rest @ ..] => (false, rest),
        _ => signed(text),
    };
    if digits.is_empty() || leading_digits(digits) != digits.len() {
        return None;
    }
    // far beyond every scale and precision one exponent is as good as another
    let fold = |value: i64, byte: &u8| (value * 10 + i64::from(byte - b'0')).min(1 << 40);
    let value = digits.iter().fold(0, fold);
    Some(if negative { -value } else { value })
}

fn pow10(exponent: u32) -> Option<u128> {
    10u128.checked_pow(exponent)
}

fn signed(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    }
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

fn leading_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_taken_to_the_ends_of_64_bits_and_no_further() {
        for text in ["0", "-0", "7", "-12", "9223372036854775807", "-9223372036854775808", "003"] {
            assert_eq!(int64(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for text in ["", "-", "+1", "1.0", "1e3", " 1", "1 ", "9223372036854775808", "-9223372036854775809", "--1"] {
            assert_eq!(int64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        let cases: &[(&str, u8, u8, Option<i128>)] = &[
            ("12.50", 4, 2, Some(1250)),
            ("12.500", 4, 2, Some(1250)),
            ("12.505", 9, 2, None),
            ("-0.01", 4, 2, Some(-1)),
            ("1e3", 4, 0, Some(1000)),
            ("1.5E-1", 4, 2, Some(15)),
            ("100", 4, 2, None),
            ("99.99", 4, 2, Some(9999)),
            ("0e999999999999999999999", 4, 2, Some(0)),
            ("1e-999999999999999999999", 4, 2, None),
            ("99999999999999999999999999999999999999", 38, 0, Some(10i128.pow(38) - 1)),
            ("100000000000000000000000000000000000000", 38, 0, None),
            ("1000000000000000000000000000000000000000000e-6", 38, 0, Some(10i128.pow(36))),
            ("0.00000000000000000000000000000000000001", 38, 38, Some(1)),
            (".5", 4, 2, None),
            ("5.", 4, 2, None),
            ("", 4, 2, None),
            ("1,000", 9, 2, None),
            ("1e", 4, 2, None),
        ];
        for (text, precision, scale, expected) in cases {
            assert_eq!(decimal(text.as_bytes(), *precision, *scale), *expected, "{text}");
        }
    }

    #[test]
    fn floats_are_numbers_that_fit() {
        assert_eq!(float64(b"1e-400"), Some(0.0));
        assert_eq!(float64(b"0.1"), Some(0.1));
        for text in ["1e999", "-1e999", "NaN", "inf", "", ".5", "1.", "0x10", "1_0"] {
            assert_eq!(float64(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_decimal_reads_back_from_its_text(value in -(10i128.pow(20))..10i128.pow(20), scale in 0u8..18) {
            let power = 10i128.pow(u32::from(scale));
            let sign = if value < 0 { "-" } else { "" };
            let (whole, part) = (value.abs() / power, value.abs() % power);
            let mut text = format!("{sign}{whole}");
            if scale > 0 {
                text.push_str(&format!(".{part:0width$}", width = usize::from(scale)));
            }
            prop_assert_eq!(decimal(text.as_bytes(), 38, scale), Some(value));
        }

        #[test]
        fn whole_numbers_agree_with_the_standard_library(text in "-?[0-9]{1,20}") {
            prop_assert_eq!(int64(text.as_bytes()), text.parse().ok());
        }
    }
}
