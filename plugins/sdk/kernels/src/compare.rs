//! Comparing short text without calling out.

use crate::block::{WIDTH, block_at, load8, low_bits};
use crate::{bits, text::Text};

/// Whether two slices are equal, compared in blocks.
#[inline(always)]
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        0..=8 => load8(a) == load8(b),
        9..=16 => load8(a) == load8(b) && load8(&a[a.len() - 8..]) == load8(&b[b.len() - 8..]),
        _ => equal_long(a, b),
    }
}

/// [`equal`] where it is not worth being inlined.
#[inline(never)]
pub(crate) fn equal_of_any_length(a: &[u8], b: &[u8]) -> bool {
    equal(a, b)
}

fn equal_long(a: &[u8], b: &[u8]) -> bool {
    let pairs = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    pairs.fold(0, |differs, (x, y)| differs | (u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y))) == 0
        && a.last_chunk::<8>() == b.last_chunk::<8>()
}

/// Bits of the rows that equal `constant`.
#[must_use]
pub fn rows_equal(text: &Text, constant: &[u8]) -> Vec<u8> {
    bits::pack(text.rows(), |row| equal(text.row(row), constant))
}

/// Bits of the rows without a byte.
#[must_use]
pub fn rows_empty(text: &Text) -> Vec<u8> {
    bits::pack(text.rows(), |row| text.len_bytes(row) == 0)
}

/// Bits of the rows that are empty or have nothing but ASCII blanks.
#[must_use]
pub fn rows_blank(text: &Text) -> Vec<u8> {
    bits::pack(text.rows(), |row| {
        let (start, end) = text.span(row);
        blank_within(text.bytes, start, end)
    })
}

#[inline(always)]
fn blank_within(bytes: &[u8], start: usize, end: usize) -> bool {
    // Most rows say so with their first byte.
    if start < end && bytes.get(start).is_some_and(|&byte| byte > b' ') {
        return false;
    }
    let mut at = start;
    while at < end.min(bytes.len()) {
        let (block, len) = block_at(bytes, at, end);
        let blank = block.eq(b' ').or(block.within(9, 13)).bits();
        if blank & low_bits(len) != low_bits(len) {
            return false;
        }
        at += WIDTH;
    }
    true
}

/// Bits of the rows whose length in characters is within `min..=max`.
#[must_use]
pub fn rows_with_chars(text: &Text, min: usize, max: usize) -> Vec<u8> {
    // a text is empty in bytes where it is empty in characters
    if min <= 1 && max == usize::MAX || text.is_ascii() {
        return bits::pack(text.rows(), |row| (min..=max).contains(&text.len_bytes(row)));
    }
    bits::pack(text.rows(), |row| (min..=max).contains(&text.len_chars(row)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::column;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn slices_are_equal_when_std_says_so(a in vec(0u8..3, 0..40), flip in 0usize..40, b in vec(0u8..3, 0..40)) {
            let mut near = a.clone();
            if let Some(byte) = near.get_mut(flip) {
                *byte ^= 1;
            }
            prop_assert!(equal(&a, &a.clone()));
            prop_assert_eq!(equal(&a, &near), a == near);
            prop_assert_eq!(equal(&a, &b), a == b);
        }

        #[test]
        fn rows_are_judged_as_plain_code_judges_them(rows in vec("[ \\tab é]{0,20}", 0..80), min in 0usize..9) {
            let (offsets, bytes) = column(&rows);
            let text = Text::new(&offsets, &bytes);
            for (i, row) in rows.iter().enumerate() {
                prop_assert_eq!(bits::get(&rows_equal(&text, b"ab"), i), row == "ab");
                prop_assert_eq!(bits::get(&rows_empty(&text), i), row.is_empty());
                prop_assert_eq!(bits::get(&rows_blank(&text), i), row.trim().is_empty());
                let chars = row.chars().count();
                prop_assert_eq!(bits::get(&rows_with_chars(&text, min, 9), i), (min..=9).contains(&chars));
            }
        }
    }
}
