//! Finding bytes: in a slice, and over a whole column at once.

use crate::block::{Block, WIDTH, block_at, low_bits};
use crate::text::Text;

/// Position of the first byte at or after `from` for which `matches` holds. `matches` compares sixteen bytes at once.
#[inline(always)]
pub fn first(bytes: &[u8], from: usize, matches: impl Fn(Block) -> Block + Copy) -> Option<usize> {
    first_within(bytes, from, bytes.len(), matches)
}

/// The same up to `end`. Reading within a column (`bytes` being all of it) is faster than in a slice of one row, for
/// whole blocks may be loaded across the end of the row.
#[inline(always)]
pub fn first_within(bytes: &[u8], from: usize, end: usize, matches: impl Fn(Block) -> Block + Copy) -> Option<usize> {
    let end = end.min(bytes.len());
    let mut at = from;
    while at < end {
        let (block, len) = block_at(bytes, at, end);
        let bits = matches(block).bits() & low_bits(len);
        if bits != 0 {
            return Some(at + bits.trailing_zeros() as usize);
        }
        at += WIDTH;
    }
    None
}

/// The same for long stretches without a match: 64 bytes a turn.
#[inline]
pub fn first_far(bytes: &[u8], from: usize, matches: impl Fn(Block) -> Block + Copy) -> Option<usize> {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<64>()) {
        if any_of_four(chunk, matches) {
            break;
        }
        at += 64;
    }
    first(bytes, at, matches)
}

#[inline(always)]
fn any_of_four(chunk: &[u8; 64], matches: impl Fn(Block) -> Block) -> bool {
    let (quarters, _) = chunk.as_chunks::<WIDTH>();
    let hit = |i: usize| matches(Block::load(&quarters[i]));
    hit(0).or(hit(1)).or(hit(2).or(hit(3))).bits() != 0
}

/// Position of the first `needle` at or after `from`.
#[inline]
#[must_use]
pub fn byte(bytes: &[u8], from: usize, needle: u8) -> Option<usize> {
    first(bytes, from, |block| block.eq(needle))
}

/// Position of the first of two needles at or after `from`.
#[inline]
#[must_use]
pub fn byte2(bytes: &[u8], from: usize, a: u8, b: u8) -> Option<usize> {
    first(bytes, from, |block| block.eq(a).or(block.eq(b)))
}

/// Position of the first of three needles at or after `from`.
#[inline]
#[must_use]
pub fn byte3(bytes: &[u8], from: usize, a: u8, b: u8, c: u8) -> Option<usize> {
    first(bytes, from, |block| block.eq(a).or(block.eq(b)).or(block.eq(c)))
}

/// Position of the first ASCII digit at or after `from`.
#[inline]
#[must_use]
pub fn digit(bytes: &[u8], from: usize) -> Option<usize> {
    first(bytes, from, Block::digits)
}

/// Calls `each(row, position)` for every row that holds a match, in order, with the first match's position within
/// `text.bytes`. The bytes of all rows are searched as one piece, so that rows without a match cost next to nothing.
#[inline]
pub fn rows_with(text: &Text, matches: impl Fn(Block) -> Block + Copy, mut each: impl FnMut(usize, usize)) {
    let (mut at, mut row) = (0, 0);
    while let Some(position) = first_far(text.bytes, at, matches) {
        let Some(found) = row_of(text, row, position) else {
            return;
        };
        each(found, position);
        at = text.span(found).1.max(position + 1);
        row = found + 1;
    }
}

/// The row that holds `position`, at or after `from`: by doubling steps, since the next match is mostly near.
#[inline]
fn row_of(text: &Text, from: usize, position: usize) -> Option<usize> {
    let ends = text.offsets.get(from + 1..)?;
    let before = |end: &u32| *end as usize <= position;
    let mut step = 1;
    while ends.get(step - 1).is_some_and(before) {
        step *= 2;
    }
    let window = ends.get(step / 2..step.min(ends.len()))?;
    let found = from + step / 2 + window.partition_point(before);
    (found < text.rows()).then_some(found)
}

/// Calls `each(row, position)` for every row that holds `needle`, as [`rows_with`].
#[inline]
pub fn rows_with_byte(text: &Text, needle: u8, each: impl FnMut(usize, usize)) {
    rows_with(text, |block| block.eq(needle), each);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::column;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_match_is_where_a_plain_search_finds_it(s in "[a-e0-1]{0,120}", from in 0usize..130) {
            let bytes = s.as_bytes();
            let plain = |wanted: &[u8]| bytes.iter().skip(from).position(|b| wanted.contains(b)).map(|p| p + from);
            prop_assert_eq!(byte(bytes, from, b'e'), plain(b"e"));
            prop_assert_eq!(byte2(bytes, from, b'd', b'e'), plain(b"de"));
            prop_assert_eq!(byte3(bytes, from, b'c', b'd', b'e'), plain(b"cde"));
            prop_assert_eq!(digit(bytes, from), plain(b"01"));
            prop_assert_eq!(first_far(bytes, from, |b| b.eq(b'e')), plain(b"e"));
        }

        #[test]
        fn a_match_past_the_end_of_the_row_does_not_count(s in "[a-c]{0,60}", from in 0usize..64, end in 0usize..64) {
            let row = &s.as_bytes()[..end.min(s.len())];
            let plain = row.iter().skip(from).position(|&b| b == b'c').map(|p| p + from);
            prop_assert_eq!(first_within(s.as_bytes(), from, end, |b| b.eq(b'c')), plain);
        }

        #[test]
        fn rows_with_a_match_are_found_over_the_flat_bytes(
            rows in vec(prop_oneof![6 => "[a-z]{0,40}", 1 => "[a-z]{0,9}@[a-z@]{0,9}"], 0..60),
        ) {
            let (offsets, bytes) = column(&rows);
            let mut found = Vec::new();
            rows_with_byte(&Text::new(&offsets, &bytes), b'@', |row, at| found.push((row, at)));
            let plain: Vec<_> = rows
                .iter()
                .enumerate()
                .filter_map(|(i, row)| row.find('@').map(|at| (i, offsets[i] as usize + at)))
                .collect();
            prop_assert_eq!(found, plain);
        }

        #[test]
        fn lying_offsets_do_not_panic(offsets in vec(0u32..40, 0..8)) {
            rows_with_byte(&Text::new(&offsets, b"a@b@c@d@"), b'@', |_, _| {});
        }
    }
}
