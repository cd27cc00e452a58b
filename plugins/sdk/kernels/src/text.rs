//! A text column as rules get it: offsets and bytes.

use crate::block::{Block, WIDTH, block_at, low_bits};

/// A borrowed column of text or bytes. Row i is `bytes[offsets[i]..offsets[i + 1]]`.
///
/// Invariants, kept by the host: one offset more than rows, the first 0, none falls, the last is `bytes.len()`. Should
/// they not hold, rows read as empty; nothing panics.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// Where rows begin; the last is where the last row ends.
    pub offsets: &'a [u32],
    /// All rows, back to back.
    pub bytes: &'a [u8],
}

impl<'a> Text<'a> {
    /// The column over `offsets` and `bytes`.
    #[inline]
    #[must_use]
    pub fn new(offsets: &'a [u32], bytes: &'a [u8]) -> Self {
        Self { offsets, bytes }
    }

    /// Number of rows.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Start and end of a row within `bytes`; (0, 0) past the last row.
    #[inline(always)]
    #[must_use]
    pub fn span(&self, row: usize) -> (usize, usize) {
        match self.offsets.get(row..).and_then(|rest| rest.first_chunk::<2>()) {
            Some(&[start, end]) => (start as usize, end as usize),
            None => (0, 0),
        }
    }

    /// The bytes of a row.
    #[inline(always)]
    #[must_use]
    pub fn row(&self, row: usize) -> &'a [u8] {
        let (start, end) = self.span(row);
        self.bytes.get(start..end).unwrap_or(&[])
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.offsets.windows(2).map(move |pair| bytes.get(pair[0] as usize..pair[1] as usize).unwrap_or(&[]))
    }

    /// Length of a row in bytes.
    #[inline(always)]
    #[must_use]
    pub fn len_bytes(&self, row: usize) -> usize {
        let (start, end) = self.span(row);
        end.saturating_sub(start)
    }

    /// Length of a row in characters (Unicode scalar values).
    #[must_use]
    pub fn len_chars(&self, row: usize) -> usize {
        let (mut at, end) = self.span(row);
        let end = end.min(self.bytes.len());
        let mut chars = end.saturating_sub(at);
        while at < end {
            let (block, len) = block_at(self.bytes, at, end);
            chars -= (continuations(block) & low_bits(len)).count_ones() as usize;
            at += WIDTH;
        }
        chars
    }

    /// Whether every byte of the column is ASCII; then characters are bytes.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.bytes.is_ascii()
    }
}

/// Where a byte continues a character of UTF-8.
#[inline(always)]
fn continuations(block: Block) -> u32 {
    block.within(0x80, 0xBF).bits()
}

/// Number of characters (Unicode scalar values) of a piece of UTF-8.
#[must_use]
pub fn len_chars(bytes: &[u8]) -> usize {
    let offsets = [0, bytes.len() as u32];
    Text::new(&offsets, bytes).len_chars(0)
}

/// Length in bytes of the character that starts with `lead`. A byte that starts none counts as one.
#[inline(always)]
#[must_use]
pub fn char_len(lead: u8) -> usize {
    match lead {
        0xF0..=0xFF => 4,
        0xE0..=0xEF => 3,
        0xC0..=0xDF => 2,
        _ => 1,
    }
}

/// Whether a row has nothing but ASCII blanks (space, tab, line breaks, vertical tab, form feed).
#[must_use]
pub fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| is_space(b))
}

/// Whether a byte is an ASCII blank: space, tab, line feed, vertical tab, form feed, carriage return.
#[inline(always)]
#[must_use]
pub fn is_space(byte: u8) -> bool {
    byte == b' ' || (9..=13).contains(&byte)
}

/// A row without the ASCII blanks around it.
#[inline(always)]
#[must_use]
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A column that owns its rows, for tests.
    pub(crate) fn column<S: AsRef<[u8]>>(rows: &[S]) -> (Vec<u32>, Vec<u8>) {
        let mut offsets = vec![0];
        let mut bytes = Vec::new();
        for row in rows {
            bytes.extend_from_slice(row.as_ref());
            offsets.push(bytes.len() as u32);
        }
        (offsets, bytes)
    }

    proptest! {
        #[test]
        fn characters_are_counted_as_std_counts_them(rows in proptest::collection::vec("\\PC{0,40}", 0..6)) {
            let (offsets, bytes) = column(&rows);
            let text = Text::new(&offsets, &bytes);
            prop_assert_eq!(text.rows(), rows.len());
            for (i, row) in rows.iter().enumerate() {
                prop_assert_eq!(text.len_chars(i), row.chars().count());
                prop_assert_eq!(len_chars(row.as_bytes()), row.chars().count());
                prop_assert_eq!(text.row(i), row.as_bytes());
            }
            prop_assert!(text.iter().eq(rows.iter().map(String::as_bytes)));
        }

        #[test]
        fn blanks_are_taken_from_both_ends_only(s in "[ \\t\\n\\x0b\\x0c\\r a-b]{0,12}") {
            let blank = |c: char| c == ' ' || ('\t'..='\r').contains(&c);
            prop_assert_eq!(trim(s.as_bytes()), s.trim_matches(blank).as_bytes());
            prop_assert_eq!(is_blank(s.as_bytes()), s.trim_matches(blank).is_empty());
        }

        #[test]
        fn lying_offsets_read_as_empty_rows(offsets in proptest::collection::vec(any::<u32>(), 0..6), row in 0usize..8) {
            let text = Text::new(&offsets, b"abc");
            let _ = (text.row(row), text.len_chars(row), text.iter().count());
        }
    }
}
