//! The short path: up to eight bytes at once in one register, up to eighteen digits one by one.

use crate::block::{load8, low_bytes};

/// A number without sign and exponent: `value / 10^fraction`, of at most eighteen digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) value: u64,
    /// Digits after the point.
    pub(super) fraction: u32,
}

/// Most digits whose value surely fits an `i64`.
const MOST_DIGITS: u32 = 18;

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Reads digits with at most one point, which must stand between two digits. None for everything else, which is then
/// read slowly.
#[inline(always)]
pub(super) fn plain(text: &[u8], point: Option<u8>, thousands: Option<u8>) -> Option<Plain> {
    match text.len() {
        0 => None,
        1..=8 => short(load8(text), text.len(), point, thousands),
        _ => long(text, point, thousands),
    }
}

/// The high bit of each byte that is no digit.
#[inline(always)]
pub(crate) fn not_digits(word: u64) -> u64 {
    let low = word & !HIGH_BITS;
    // Sums stay below 0x100 in every byte, so no carry reaches the next.
    let at_least_0 = low + (0x80 - 0x30) * 0x0101_0101_0101_0101;
    let above_9 = low + (0x80 - 0x3A) * 0x0101_0101_0101_0101;
    (!at_least_0 | above_9 | word) & HIGH_BITS
}

/// The value of eight digits, the first in the lowest byte, each 0 to 9 (not ASCII).
#[inline(always)]
pub(crate) fn value8(digits: u64) -> u64 {
    const MASK: u64 = 0x0000_00FF_0000_00FF;
    const HUNDRED_AND_MILLION: u64 = 100 + (1_000_000 << 32);
    const ONE_AND_TEN_THOUSAND: u64 = 1 + (10_000 << 32);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let outer = (pairs & MASK).wrapping_mul(HUNDRED_AND_MILLION);
    let inner = ((pairs >> 16) & MASK).wrapping_mul(ONE_AND_TEN_THOUSAND);
    outer.wrapping_add(inner) >> 32
}

#[inline(always)]
fn short(mut word: u64, mut len: usize, point: Option<u8>, thousands: Option<u8>) -> Option<Plain> {
    let mut others = not_digits(word) & low_bytes(u64::MAX, len);
    let mut point_at = None;
    while others != 0 {
        let at = others.trailing_zeros() as usize / 8;
        let byte = Some((word >> (8 * at)) as u8);
        if byte == point && point_at.is_none() {
            point_at = Some(at);
        } else if byte != thousands {
            return None;
        }
        word = without_byte(word, at);
        others = without_byte(others & (others - 1), at);
        len -= 1;
    }
    let whole = point_at.unwrap_or(len);
    if whole == 0 || point_at == Some(len) {
        return None;
    }
    // Digits to the upper end, zeros before them.
    let digits = (word ^ ZEROS) << (8 * (8 - len));
    Some(Plain { value: value8(digits), fraction: (len - whole) as u32 })
}

/// The bytes of `word` but the one at `at`; those after it move down.
#[inline(always)]
fn without_byte(word: u64, at: usize) -> u64 {
    let below = (1 << (8 * at)) - 1;
    word & below | (word >> 8) & !below
}

#[inline(always)]
fn long(text: &[u8], point: Option<u8>, thousands: Option<u8>) -> Option<Plain> {
    let (mut value, mut digits, mut whole) = (0u64, 0u32, None);
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            digits += 1;
        } else if Some(byte) == point && whole.is_none() {
            whole = Some(digits);
        } else if Some(byte) != thousands {
            return None;
        }
    }
    let fraction = whole.map_or(0, |whole| digits - whole);
    let misplaced = whole == Some(0) || whole == Some(digits);
    (!misplaced && (1..=MOST_DIGITS).contains(&digits)).then_some(Plain { value, fraction })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plainly(text: &str, point: Option<u8>, thousands: Option<u8>) -> Option<Plain> {
        let text: String = text.chars().filter(|&c| Some(c) != thousands.map(char::from)).collect();
        let (whole, fraction) = match point.and_then(|p| text.split_once(char::from(p))) {
            Some((_, "")) | Some(("", _)) => return None,
            Some(parts) => parts,
            None => (text.as_str(), ""),
        };
        let digits = format!("{whole}{fraction}");
        let value = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
        (digits.len() <= 18).then_some(Plain { value, fraction: fraction.len() as u32 })
    }

    proptest! {
        #[test]
        fn both_ways_read_what_plain_code_reads(text in "[0-9.,x]{0,10}|[0-9,]{1,12}(\\.[0-9]{1,7})?|[0-9.]{1,20}") {
            for (point, thousands) in [(Some(b'.'), None), (Some(b'.'), Some(b',')), (None, Some(b',')), (None, None)] {
                prop_assert_eq!(plain(text.as_bytes(), point, thousands), plainly(&text, point, thousands));
                prop_assert_eq!(long(text.as_bytes(), point, thousands), plainly(&text, point, thousands));
            }
        }

        #[test]
        fn bytes_that_are_no_digits_are_told(bytes: [u8; 8]) {
            let marked = not_digits(u64::from_le_bytes(bytes)).to_le_bytes();
            prop_assert_eq!(marked, bytes.map(|b| if b.is_ascii_digit() { 0 } else { 0x80 }));
        }
    }
}
