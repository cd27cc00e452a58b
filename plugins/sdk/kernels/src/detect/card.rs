//! Payment cards.

use super::runs::{run_at, runs};
use super::{Span, byte_at, byte_before, byte_two_before, is_word};

/// Digits of the longest card number (ISO/IEC 7812-1).
const LONGEST: usize = 19;

pub(super) fn spans(text: &[u8], out: &mut Vec<Span>) {
    let mut free = 0;
    for run in runs(text) {
        if run.start < free || starts_inside_a_number(text, run.start) {
            continue;
        }
        if let Some(end) = card_end(text, run) {
            out.push(Span::new(run.start, end));
            free = end;
        }
    }
}

/// Whether the digits at `start` belong to a word or are the fraction of a number.
fn starts_inside_a_number(text: &[u8], start: usize) -> bool {
    let before = byte_before(text, start);
    is_word(before) || matches!(before, b'.' | b',') && byte_two_before(text, start).is_ascii_digit()
}

/// Where the longest card number that starts with `run` ends.
fn card_end(text: &[u8], run: Span) -> Option<usize> {
    let mut digits = [0u8; LONGEST];
    let (mut len, mut found, mut group) = (0, None, run);
    let mut separator = None;
    loop {
        let group_len = group.end - group.start;
        if len + group_len > LONGEST {
            return found;
        }
        for (to, from) in digits.iter_mut().skip(len).zip(group.of(text)) {
            *to = from - b'0';
        }
        len += group_len;
        let number = digits.get(..len)?;
        if ends_well(text, group.end) && issued(number) && luhn(number) {
            found = Some(group.end);
        }
        let next = byte_at(text, group.end);
        if !matches!(next, b' ' | b'-') || separator.is_some_and(|separator| separator != next) || len < 4 {
            return found;
        }
        separator = Some(next);
        group = run_at(text, group.end + 1);
        if group.start == group.end {
            return found;
        }
    }
}

/// Whether a number may end here: no word and no fraction goes on.
fn ends_well(text: &[u8], end: usize) -> bool {
    let next = byte_at(text, end);
    let fraction = next == b'.' && byte_at(text, end + 1).is_ascii_digit();
    !is_word(next) && !fraction
}

/// The check digit of ISO/IEC 7812-1.
fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let add = |sum: u32, (i, &digit): (usize, &u8)| sum + u32::from(if i % 2 == 1 { doubled(digit) } else { digit });
    digits.iter().rev().enumerate().fold(0, add) % 10 == 0 && digits.iter().any(|&digit| digit != 0)
}

/// Whether numbers of this prefix and length are issued: the ranges that the schemes publish (Visa, Mastercard, American
/// Express, Discover, Diners Club, JCB, UnionPay, Maestro, Mir, RuPay), 12 to 19 digits.
fn issued(digits: &[u8]) -> bool {
    let prefix = |len: usize| digits.iter().take(len).fold(0u32, |value, &digit| value * 10 + u32::from(digit));
    let len = digits.len();
    match prefix(4) {
        4000..=4999 => matches!(len, 13 | 16 | 19),
        5100..=5599 | 2221..=2720 => len == 16,
        3400..=3499 | 3700..=3799 | 1800 | 2131 => len == 15,
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&len),
        // JCB issues 3528 to 3589; makers of test data draw from all of 35. IMEIs have 15 digits.
        3500..=3599 | 2200..=2204 | 8100..=8299 => (16..=19).contains(&len),
        5000..=5099 | 5600..=5899 | 6000..=6999 => (12..=19).contains(&len),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::detect::{Kind, tests::found};

    #[test]
    fn numbers_of_the_schemes_are_found() {
        for number in [
            "4111111111111111",
            "4012-8888-8888-1881",
            "3782 822463 10005",
            "30569309025904",
            "6011000990139424",
            "3530111333300000",
            "5105 1051 0510 5100",
            "6759649826438453",
            "4222222222222",
            "630427373398",
            "4131034282458809939",
        ] {
            let text = format!("pay with {number}, please");
            assert_eq!(found(Kind::Card, &text), [number]);
        }
    }

    #[test]
    fn what_only_looks_like_a_card_is_left() {
        for text in [
            "4012-8888-8888-1882",
            "1748503543012",
            "0000 0000 0000 0000",
            "x4111111111111111",
            "41111111111111112",
            "0.4111111111111111",
            "4111 1111-1111 1111",
            "9111111111111111",
        ] {
            assert_eq!(found(Kind::Card, text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn a_number_after_or_before_a_card_is_no_part_of_it() {
        assert_eq!(found(Kind::Card, "12 4111 1111 1111 1111 1225"), ["4111 1111 1111 1111"]);
        assert_eq!(found(Kind::Card, "4111111111111111,4111111111111111").len(), 1);
        assert_eq!(found(Kind::Card, "4111111111111111 4012888888881881").len(), 2);
    }
}
