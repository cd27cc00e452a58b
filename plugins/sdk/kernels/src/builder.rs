//! Building a text column.

use crate::block::{WIDTH, load8};
use crate::text::Text;

/// From this length on one long copy is faster than blocks: in Wasm a copy of a length that the compiler does not know
/// is a call out to the host, about as dear as twenty blocks.
const LONG: usize = 256;

/// A place within a row: `start..end`, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The place `start..end`.
    #[inline]
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The bytes of the row at this place; empty where the row has none there.
    #[inline]
    #[must_use]
    pub fn of<'a>(&self, row: &'a [u8]) -> &'a [u8] {
        row.get(self.start..self.end).unwrap_or(&[])
    }
}

/// A text column under construction. Copies are made of whole blocks that may write past the end of what is kept; the
/// buffer always has room for that.
///
/// # Panics
/// A column past 4 GiB - 1 panics, for its offsets are 32 bits wide. No batch comes near: limits are in MiB.
#[derive(Clone, Debug, Default)]
pub struct TextBuilder {
    offsets: Vec<u32>,
    /// Written up to `at`; scratch after it.
    buffer: Vec<u8>,
    at: usize,
}

impl TextBuilder {
    /// Room for `rows` rows and `bytes` bytes without growing.
    #[must_use]
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, buffer: vec![0; bytes + 2 * WIDTH], at: 0 }
    }

    /// Room for a column as large as `text`, and an eighth more.
    #[must_use]
    pub fn like(text: &Text) -> Self {
        Self::with_capacity(text.rows(), text.bytes.len() + text.bytes.len() / 8)
    }

    /// Rows finished so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Adds to the row under construction.
    #[inline]
    pub fn append(&mut self, part: &[u8]) {
        self.make_room(part.len());
        let to = &mut self.buffer[self.at..];
        match part.len() {
            0..8 => put(to, 0, load8(part).to_le_bytes()),
            8..WIDTH => {
                put(to, 0, load8(part).to_le_bytes());
                put(to, part.len() - 8, load8(&part[part.len() - 8..]).to_le_bytes());
            }
            WIDTH..LONG => copy_blocks(to, part),
            _ => to[..part.len()].copy_from_slice(part),
        }
        self.at += part.len();
    }

    /// Adds `source[start..end]` to the row under construction. Faster than [`Self::append`] when `source` is a whole
    /// column, for blocks may then be read across the end of a row. A range outside of `source` adds nothing.
    #[inline]
    pub fn append_range(&mut self, source: &[u8], start: usize, end: usize) {
        let Some(part) = source.get(start..end) else {
            return;
        };
        let len = part.len();
        let wide = len.next_multiple_of(WIDTH);
        let Some(blocks) = source.get(start..start + wide).filter(|_| len < LONG) else {
            return self.append(part);
        };
        self.make_room(wide);
        let (to, _) = self.buffer[self.at..][..wide].as_chunks_mut::<WIDTH>();
        for (to, from) in to.iter_mut().zip(blocks.as_chunks::<WIDTH>().0) {
            *to = *from;
        }
        self.at += len;
    }

    /// As [`Self::append_range`], for ranges that are mostly of up to 32 bytes: those are copied without a loop, whose
    /// every turn would cost a check of the deadline.
    #[inline(always)]
    pub fn append_short(&mut self, source: &[u8], start: usize, end: usize) {
        const SHORT: usize = 2 * WIDTH;
        let chunk = source.get(start..).and_then(|rest| rest.first_chunk::<SHORT>());
        let (Some(chunk), Some(len @ 0..=SHORT)) = (chunk, end.checked_sub(start)) else {
            return self.append_range(source, start, end);
        };
        self.make_room(SHORT);
        if let Some(to) = self.buffer.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut::<SHORT>()) {
            *to = *chunk;
        }
        self.at += len;
    }

    /// Adds up to eight bytes that are at hand as a little-endian number, such as a constant: `u64::from_le_bytes`.
    #[inline]
    pub fn append_word(&mut self, word: u64, len: usize) {
        self.make_room(8);
        put(&mut self.buffer[self.at..], 0, word.to_le_bytes());
        self.at += len.min(8);
    }

    /// Adds the same byte `count` times.
    #[inline]
    pub fn append_repeat(&mut self, byte: u8, count: usize) {
        let wide = count.next_multiple_of(WIDTH);
        self.make_room(wide);
        let (to, _) = self.buffer[self.at..][..wide].as_chunks_mut::<WIDTH>();
        for to in to {
            *to = [byte; WIDTH];
        }
        self.at += count;
    }

    /// Ends the row under construction.
    #[inline(always)]
    pub fn end_row(&mut self) {
        self.offsets.push(self.at as u32);
    }

    /// The bytes of the row under construction, to change in place.
    #[must_use]
    pub fn open_row(&mut self) -> &mut [u8] {
        let start = self.offsets.last().map_or(0, |&start| start as usize);
        &mut self.buffer[start..self.at]
    }

    /// A row.
    #[inline]
    pub fn push(&mut self, row: &[u8]) {
        self.append(row);
        self.end_row();
    }

    /// A row that is `source[start..end]`; see [`Self::append_range`].
    #[inline]
    pub fn push_range(&mut self, source: &[u8], start: usize, end: usize) {
        self.append_range(source, start, end);
        self.end_row();
    }

    /// A row of several parts.
    #[inline]
    pub fn push_parts(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.append(part);
        }
        self.end_row();
    }

    /// A row of the same byte.
    #[inline]
    pub fn push_repeat(&mut self, byte: u8, count: usize) {
        self.append_repeat(byte, count);
        self.end_row();
    }

    /// `count` rows without a byte: what stands under nulls.
    pub fn push_empty(&mut self, count: usize) {
        let at = self.at as u32;
        self.offsets.resize(self.offsets.len() + count, at);
    }

    /// Rows `from..to` of `text` as they are, in one copy.
    pub fn extend_rows_unchanged(&mut self, text: &Text, from: usize, to: usize) {
        let Some(ends) = text.offsets.get(from..).and_then(|rest| rest.get(1..=to.saturating_sub(from))) else {
            return;
        };
        let start = text.span(from).0;
        let end = ends.last().map_or(start, |&end| end as usize);
        let Some(part) = text.bytes.get(start..end) else {
            return self.push_empty(ends.len());
        };
        self.append(part);
        let moved = (self.at as u32).wrapping_sub(end as u32);
        self.offsets.extend(ends.iter().map(|end| end.wrapping_add(moved)));
    }

    /// A row with `spans` replaced. Spans are in order and do not overlap; what does not hold to that is left out.
    #[inline]
    pub fn redact_ranges(&mut self, row: &[u8], spans: &[Span], replacement: &[u8]) {
        let mut at = 0;
        for span in spans.iter().filter(|span| span.end <= row.len() && span.start < span.end) {
            if span.start >= at {
                self.append_range(row, at, span.start);
                self.append(replacement);
                at = span.end;
            }
        }
        self.append_range(row, at, row.len());
        self.end_row();
    }

    /// The column: offsets and bytes.
    #[must_use]
    pub fn finish(mut self) -> (Vec<u32>, Vec<u8>) {
        self.buffer.truncate(self.at);
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        (self.offsets, self.buffer)
    }

    /// Room for `len` more bytes and a block past them.
    #[inline(always)]
    fn make_room(&mut self, len: usize) {
        if self.buffer.len() < self.at + len + WIDTH {
            self.grow(len);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, len: usize) {
        let needed = self.at + len + 2 * WIDTH;
        assert!(u32::try_from(needed).is_ok(), "a text column holds at most 4 GiB - 1");
        self.buffer.resize(needed.max(2 * self.buffer.len()), 0);
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
    }
}

/// Eight bytes at `at`.
#[inline(always)]
fn put(to: &mut [u8], at: usize, bytes: [u8; 8]) {
    to[at..at + 8].copy_from_slice(&bytes);
}

/// A part of at least one block: whole blocks, then one that ends where the part ends.
#[inline(always)]
fn copy_blocks(to: &mut [u8], part: &[u8]) {
    let (blocks, _) = part.as_chunks::<WIDTH>();
    for (to, from) in to.as_chunks_mut::<WIDTH>().0.iter_mut().zip(blocks) {
        *to = *from;
    }
    if let Some(last) = part.last_chunk::<WIDTH>() {
        to[part.len() - WIDTH..part.len()].copy_from_slice(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::column;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn redact_plainly(row: &[u8], spans: &[Span], replacement: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        for span in spans {
            out.extend_from_slice(&row[at..span.start]);
            out.extend_from_slice(replacement);
            at = span.end;
        }
        out.extend_from_slice(&row[at..]);
        out
    }

    proptest! {
        #[test]
        fn rows_come_out_as_they_were_put_in(rows in vec(vec(any::<u8>(), 0..70), 0..40), capacity in 0usize..100) {
            let expected = column(&rows);
            let text = Text::new(&expected.0, &expected.1);
            let mut by_push = TextBuilder::with_capacity(0, capacity);
            let mut by_range = TextBuilder::default();
            let mut by_parts = TextBuilder::like(&text);
            let mut by_short = TextBuilder::default();
            for (i, row) in rows.iter().enumerate() {
                by_push.push(row);
                let (start, end) = text.span(i);
                by_range.push_range(text.bytes, start, end);
                by_short.append_short(text.bytes, start, end);
                by_short.end_row();
                let (head, tail) = row.split_at(row.len() / 3);
                by_parts.push_parts(&[head, b"", tail]);
            }
            prop_assert_eq!(&by_push.finish(), &expected);
            prop_assert_eq!(&by_range.finish(), &expected);
            prop_assert_eq!(&by_short.finish(), &expected);
            prop_assert_eq!(&by_parts.finish(), &expected);
        }

        #[test]
        fn runs_of_rows_are_copied_at_once(rows in vec(vec(any::<u8>(), 0..30), 1..40), cut in 0usize..40) {
            let expected = column(&rows);
            let text = Text::new(&expected.0, &expected.1);
            let cut = cut.min(rows.len());
            let mut out = TextBuilder::with_capacity(0, 0);
            out.extend_rows_unchanged(&text, 0, cut);
            out.push(b"between");
            out.extend_rows_unchanged(&text, cut, rows.len());
            let mut rows = rows;
            rows.insert(cut, b"between".to_vec());
            prop_assert_eq!(out.finish(), column(&rows));
        }

        #[test]
        fn ranges_are_replaced_as_plain_slicing_replaces_them(
            row in vec(any::<u8>(), 0..80), cuts in vec(0usize..80, 0..8), with in vec(any::<u8>(), 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|&c| c <= row.len()).collect();
            cuts.sort_unstable();
            cuts.dedup();
            let spans: Vec<Span> = cuts.chunks_exact(2).map(|c| Span::new(c[0], c[1])).collect();
            let mut out = TextBuilder::default();
            out.redact_ranges(&row, &spans, &with);
            prop_assert_eq!(out.finish().1, redact_plainly(&row, &spans, &with));
        }

        #[test]
        fn words_and_repeats_add_what_they_say(count in 0usize..100, len in 0usize..9) {
            let mut out = TextBuilder::default();
            out.append_word(u64::from_le_bytes(*b"abcdefgh"), len);
            out.append_repeat(b'*', count);
            prop_assert_eq!(out.open_row().len(), len + count);
            out.end_row();
            out.push_empty(2);
            let mut expected = b"abcdefgh"[..len].to_vec();
            expected.resize(len + count, b'*');
            prop_assert_eq!(out.finish(), column(&[expected, vec![], vec![]]));
        }
    }

    #[test]
    fn an_empty_builder_gives_an_empty_column() {
        assert_eq!(TextBuilder::default().finish(), (vec![0], vec![]));
        assert_eq!(TextBuilder::with_capacity(5, 5).finish(), (vec![0], vec![]));
    }
}
