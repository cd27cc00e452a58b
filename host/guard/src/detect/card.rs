//! Payment cards.

use super::groups::{Gap, Group, Groups};
use crate::bytes::{self, apart};
use std::ops::Range;

/// Digits of the longest card number (ISO/IEC 7812-1).
const LONGEST: usize = 19;

/// The longest card number that begins with the first group.
pub(super) fn at(text: &[u8], groups: Groups<'_>) -> Option<Range<usize>> {
    let chain = groups.chain();
    let first = groups.first();
    if !apart(bytes::before(text, first.start)) {
        return None;
    }
    let mut digits = [0u8; LONGEST];
    let (mut len, mut end) = (0, None);
    for (i, group) in chain.iter().enumerate() {
        if len + group.len() > LONGEST || i > 0 && !divides(group.gap, &chain[..i]) {
            break;
        }
        for (to, from) in digits[len..].iter_mut().zip(&text[group.start..group.end]) {
            *to = from - b'0';
        }
        len += group.len();
        let number = &digits[..len];
        let whole = is_written_so(&chain[..=i]) && apart(bytes::at(text, group.end));
        if whole && plausible(number, i > 0) && luhn(number) && (i > 0 || !is_fraction(text, first)) {
            end = Some(group.end);
        }
    }
    let range = first.start..end?;
    (!bytes::in_uuid(text, &range)).then_some(range)
}

/// Whether a number goes on behind this gap: a first group of at least four digits and then at least three, as cards are
/// written. In shorter groups lists of numbers would be taken for cards.
fn divides(gap: Gap, before: &[Group]) -> bool {
    let long = before[0].len() >= 4 && before[1..].iter().all(|group| group.len() >= 3);
    long && matches!(gap, Gap::Blank | Gap::Dash | Gap::Dot | Gap::Line)
}

/// Whether these groups may be all of a number. One or two digits are left over only behind groups of four. Points stand
/// between all groups or none, and one point alone makes a decimal, such as a time in seconds.
fn is_written_so(groups: &[Group]) -> bool {
    let [first @ .., last] = groups else {
        return false;
    };
    let points = groups[1..].iter().filter(|group| group.gap == Gap::Dot).count();
    let long = first.is_empty() || last.len() >= 3 || first.iter().all(|group| group.len() == 4);
    long && (points == 0 || points >= 2 && points == first.len())
}

/// Whether a group is what stands behind the point of a number, such as a longitude.
fn is_fraction(text: &[u8], group: &Group) -> bool {
    bytes::before(text, group.start) == b'.' && group.start >= 2 && text[group.start - 2].is_ascii_digit()
}

/// The check digit of ISO/IEC 7812-1.
fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let add = |sum: u32, (i, &digit): (usize, &u8)| sum + u32::from(if i % 2 == 1 { doubled(digit) } else { digit });
    digits.iter().rev().enumerate().fold(0, add) % 10 == 0 && digits.iter().any(|&digit| digit != 0)
}

/// Whether a number in a text is to be taken for a card if its check digit holds: everything that is issued, and whatever
/// Presidio's recogniser takes for a card, which is any number of 13 to 17 digits that begins with 1, 3, 4, 50 to 55 or 6.
/// One exception: whole numbers that begin with 1 are times in milliseconds and microseconds, but for the 15 digits of
/// airlines (UATP) and of JCB.
fn plausible(digits: &[u8], divided: bool) -> bool {
    if !(13..=17).contains(&digits.len()) || issued(digits) {
        return issued(digits);
    }
    match digits[0] {
        1 => divided || digits.len() == 15,
        3 | 4 | 6 => true,
        5 => digits[1] <= 5,
        _ => false,
    }
}

/// Whether numbers of this prefix and length are issued: the ranges that the schemes publish (Visa, Mastercard, American
/// Express, Discover, Diners Club, JCB, UnionPay, Maestro, Mir, RuPay, UATP). Twelve digits only with the prefixes that
/// Maestro has issued such numbers under.
fn issued(digits: &[u8]) -> bool {
    if digits.len() < 12 {
        return false;
    }
    let prefix = digits[..4].iter().fold(0u32, |value, &digit| value * 10 + u32::from(digit));
    let len = digits.len();
    match prefix {
        4000..=4999 => matches!(len, 13 | 16 | 19),
        5100..=5599 | 2221..=2720 => len == 16,
        3400..=3499 | 3700..=3799 | 1800 | 2131 => len == 15,
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&len),
        // JCB issues 3528 to 3589; makers of test data draw from all of 35. IMEIs have 15 digits.
        3500..=3599 | 2200..=2204 | 8100..=8299 => (16..=19).contains(&len),
        5018 | 5020 | 5038 | 5600..=5899 | 6304 | 6390 | 6759 | 6761..=6763 => (12..=19).contains(&len),
        5000..=5099 | 6000..=6999 => (13..=19).contains(&len),
        1000..=1999 => len == 15,
        _ => false,
    }
}

/// Whether a whole number is that of an issued card. Stricter than with texts: columns of numbers are keys and times more
/// often than cards, and a tenth of all numbers ends with the right digit.
pub(crate) fn issued_number(mut number: u64) -> bool {
    let mut digits = [0u8; LONGEST + 1];
    let mut first = digits.len();
    while number != 0 {
        first -= 1;
        digits[first] = (number % 10) as u8;
        number /= 10;
    }
    let digits = &digits[first..];
    (13..=LONGEST).contains(&digits.len()) && issued(digits) && luhn(digits)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;
    use crate::Kind;

    #[test]
    fn numbers_of_the_schemes_are_found() {
        for number in [
            "4111111111111111",
            "4012-8888-8888-1881",
            "4012.8888.8888.1881",
            "4012_8888_8888_1881",
            "4012 - 8888 - 8888 - 1881",
            "4012  8888  8888  1881",
            "40128888 88881881",
            "3782 822463 10005",
            "30569309025904",
            "6011000990139424",
            "3530111333300000",
            "5105 1051 0510 5100",
            "4111 1111-1111 1111",
            "6759649826438453",
            "4222222222222",
            "630427373398",
            "4131034282458809939",
            "213164126086955",
            "2720418695252980",
            "180051662803027",
        ] {
            for text in [format!("pay with {number}, please"), format!("\"{number}\""), format!("no_{number}.")] {
                assert_eq!(found(Kind::Card, &text), [number], "{text}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_card_is_left() {
        for text in [
            "4012-8888-8888-1882",
            "1748503543012",
            "1748503543012342",
            "0000 0000 0000 0000",
            "x4111111111111111",
            "4111111111111111x",
            "41111111111111112",
            "0.4111111111111111",
            "1594598440.2448626",
            "4111 1111.1111 1111",
            "41 11 11 11 11 11 11 11",
            "9111111111111111",
            "4111\n1111 1111 1111",
            "id 00004111-1111-1111-1111-123456789012",
        ] {
            assert_eq!(found(Kind::Card, text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn a_number_after_or_before_a_card_is_no_part_of_it() {
        assert_eq!(found(Kind::Card, "12 4111 1111 1111 1111 1225"), ["4111 1111 1111 1111"]);
        assert_eq!(found(Kind::Card, "4111111111111111,4111111111111111").len(), 2);
        assert_eq!(found(Kind::Card, "4111111111111111 4012888888881881").len(), 2);
    }

    #[test]
    fn whole_numbers_have_to_be_issued() {
        for number in [4_111_111_111_111_111, 378_282_246_310_005, 4_222_222_222_222] {
            assert!(issued_number(number), "{number}");
        }
        // no check digit; a time; a length that Visa does not issue; small and large
        let valid_luhn_of_14 = 41_111_111_111_117 - 41_111_111_111_117 % 10;
        let any_of_14 = (valid_luhn_of_14..valid_luhn_of_14 + 10).any(issued_number);
        assert!(!any_of_14);
        for number in [4_111_111_111_111_112, 1_748_503_543_012, 0, 7, u64::MAX] {
            assert!(!issued_number(number), "{number}");
        }
    }
}
