//! Masking in place and whole columns at a time: digits, letters and digits, e-mail addresses, phone numbers.

use crate::block::{Block, WIDTH};
use crate::builder::TextBuilder;
use crate::find::first_within;
use crate::text::{Text, char_len};
use crate::{bits, builder::Span};

/// What stands in the place of what is hidden.
pub const MASK: u8 = b'*';

/// Replaces every byte for which `matches` holds by `with`.
#[inline(always)]
pub fn map_bytes(bytes: &mut [u8], with: u8, matches: impl Fn(Block) -> Block) {
    let (blocks, tail) = bytes.as_chunks_mut::<WIDTH>();
    for chunk in blocks {
        map_block(chunk, with, &matches);
    }
    let mut last = [0; WIDTH];
    for (to, from) in last.iter_mut().zip(tail.iter()) {
        *to = *from;
    }
    map_block(&mut last, with, &matches);
    for (to, from) in tail.iter_mut().zip(last) {
        *to = from;
    }
}

#[inline(always)]
fn map_block(chunk: &mut [u8; WIDTH], with: u8, matches: impl Fn(Block) -> Block) {
    let block = Block::load(chunk);
    matches(block).select(Block::splat(with), block).store(chunk);
}

/// Replaces every ASCII digit by `*`.
pub fn mask_digits(bytes: &mut [u8]) {
    map_bytes(bytes, MASK, Block::digits);
}

/// Replaces every ASCII letter and digit by `*`.
pub fn mask_alphanumerics(bytes: &mut [u8]) {
    map_bytes(bytes, MASK, alphanumeric);
}

#[inline(always)]
fn alphanumeric(block: Block) -> Block {
    block.digits().or(block.within(b'a', b'z')).or(block.within(b'A', b'Z'))
}

/// A column in which every digit is `*` but those among the last `keep` characters of a row (at most 8).
#[must_use]
pub fn digits_but_last(text: &Text, keep: usize) -> (Vec<u32>, Vec<u8>) {
    let mut out = text.bytes.to_vec();
    mask_digits(&mut out);
    for pair in text.offsets.windows(2) {
        restore_tail(&mut out, text.bytes, pair[0] as usize, pair[1] as usize, keep.min(8));
    }
    (text.offsets.to_vec(), out)
}

/// Copies the last `keep` characters of the row `start..end` back from `source`.
#[inline(always)]
fn restore_tail(out: &mut [u8], source: &[u8], start: usize, end: usize, keep: usize) {
    let from = end.saturating_sub(keep).max(start);
    let Some(tail) = source.get(from..end) else {
        return;
    };
    let from = if tail.is_ascii() { from } else { end - last_chars_len(source, start, end, keep) };
    for i in from..end {
        if let (Some(to), Some(byte)) = (out.get_mut(i), source.get(i)) {
            *to = *byte;
        }
    }
}

/// Length in bytes of the last `keep` characters of `source[start..end]`.
#[cold]
fn last_chars_len(source: &[u8], start: usize, end: usize, keep: usize) -> usize {
    let row = source.get(start..end).unwrap_or(&[]);
    let starts = row.iter().enumerate().rev().filter(|(_, byte)| !(0x80..=0xBF).contains(*byte));
    starts.take(keep).last().map_or(0, |(i, _)| row.len() - i)
}

/// A column in which every letter and digit is `*`. A character outside of ASCII becomes one `*`, whatever it is: what
/// counts as a letter differs between scripts, and hiding one more is the safe side.
#[must_use]
pub fn alphanumerics(text: &Text) -> (Vec<u32>, Vec<u8>) {
    if text.is_ascii() {
        let mut out = text.bytes.to_vec();
        mask_alphanumerics(&mut out);
        return (text.offsets.to_vec(), out);
    }
    let mut out = TextBuilder::like(text);
    for row in text.iter() {
        let mut at = 0;
        while let Some(&lead) = row.get(at) {
            let shown = if lead < 0x80 && !lead.is_ascii_alphanumeric() { lead } else { MASK };
            out.append_word(u64::from(shown), 1);
            at += char_len(lead);
        }
        out.end_row();
    }
    out.finish()
}

/// A column of e-mail addresses of which the first character and everything from the first `@` on stay, with `***`
/// between; a row without an `@` after its first character becomes `***`. Nulls stay empty.
#[must_use]
pub fn emails(text: &Text, validity: &[u8]) -> (Vec<u32>, Vec<u8>) {
    let mut out = TextBuilder::like(text);
    for row in 0..text.rows() {
        if bits::is_valid(validity, row) {
            let (start, end) = text.span(row);
            append_email(&mut out, text.bytes, start, end);
        }
        out.end_row();
    }
    out.finish()
}

#[inline(always)]
fn append_email(out: &mut TextBuilder, bytes: &[u8], start: usize, end: usize) {
    const STARS: u64 = u32::from_le_bytes([MASK, MASK, MASK, 0]) as u64;
    let at = first_within(bytes, start, end, |block| block.eq(b'@')).filter(|&at| at > start);
    let (Some(at), Some(&lead)) = (at, bytes.get(start)) else {
        return out.append_word(STARS, 3);
    };
    if lead < 0x80 {
        out.append_word(u64::from(lead) | STARS << 8, 4);
    } else {
        out.append_range(bytes, start, (start + char_len(lead)).min(at));
        out.append_word(STARS, 3);
    }
    out.append_short(bytes, at, end);
}

/// A column in which every letter and digit is `*` but those among the first `first` and the last `last` letters and
/// digits of the row (card numbers: 0 and 4; IBANs: 4 and 4). Blanks and dashes stay. A row that has no more of them
/// than would be shown is hidden whole.
#[must_use]
pub fn all_but(text: &Text, first: usize, last: usize) -> (Vec<u32>, Vec<u8>) {
    let mut out = TextBuilder::like(text);
    for row in text.iter() {
        append_but(&mut out, row, first, last);
        out.end_row();
    }
    out.finish()
}

/// One row of [`all_but`], added to the row under construction.
pub fn append_but(out: &mut TextBuilder, row: &[u8], first: usize, last: usize) {
    let counted = |lead: u8| lead >= 0xC0 || lead.is_ascii_alphanumeric();
    let total = row.iter().filter(|&&byte| counted(byte)).count();
    let shown = if total > first + last { (first, total - last) } else { (0, total) };
    let (mut at, mut seen) = (0, 0);
    while let Some(&lead) = row.get(at) {
        let len = char_len(lead);
        let hidden = counted(lead) && (shown.0..shown.1).contains(&seen);
        seen += usize::from(counted(lead));
        if hidden {
            out.append_word(u64::from(MASK), 1);
        } else {
            out.append(Span::new(at, (at + len).min(row.len())).of(row));
        }
        at += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::column;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn rows_of((offsets, bytes): &(Vec<u32>, Vec<u8>)) -> Vec<String> {
        Text::new(offsets, bytes).iter().map(|row| String::from_utf8(row.to_vec()).expect("still UTF-8")).collect()
    }

    fn email_plainly(s: &str) -> String {
        match s.find('@') {
            Some(at) if at > 0 => format!("{}***{}", s.chars().next().unwrap(), &s[at..]),
            _ => "***".to_owned(),
        }
    }

    fn phone_plainly(s: &str, keep: usize) -> String {
        let count = s.chars().count();
        let hide = |(i, c): (usize, char)| {
            if c.is_ascii_digit() && i + keep < count { '*' } else { c }
        };
        s.chars().enumerate().map(hide).collect()
    }

    proptest! {
        #[test]
        fn emails_keep_their_first_character_and_domain(rows in vec("[a@é✓.]{0,40}", 0..20)) {
            let (offsets, bytes) = column(&rows);
            let masked = emails(&Text::new(&offsets, &bytes), &[]);
            prop_assert_eq!(rows_of(&masked), rows.iter().map(|s| email_plainly(s)).collect::<Vec<_>>());
        }

        #[test]
        fn phones_keep_their_last_characters(rows in vec("[+0-9 é✓-]{0,40}", 0..20), keep in 0usize..8) {
            let (offsets, bytes) = column(&rows);
            let masked = digits_but_last(&Text::new(&offsets, &bytes), keep);
            prop_assert_eq!(rows_of(&masked), rows.iter().map(|s| phone_plainly(s, keep)).collect::<Vec<_>>());
        }

        #[test]
        fn letters_and_digits_are_hidden(rows in vec("[a-cX-Z0-9 @.é✓-]{0,40}", 0..20)) {
            let (offsets, bytes) = column(&rows);
            let masked = alphanumerics(&Text::new(&offsets, &bytes));
            let hide = |c: char| if !c.is_ascii() || c.is_ascii_alphanumeric() { '*' } else { c };
            let plain: Vec<String> = rows.iter().map(|s| s.chars().map(hide).collect()).collect();
            prop_assert_eq!(rows_of(&masked), plain);
        }

        #[test]
        fn only_ends_are_shown_and_never_all(row in "[A-C0-9 é-]{0,30}", first in 0usize..5, last in 0usize..5) {
            let (offsets, bytes) = column(&[&row]);
            let masked = rows_of(&all_but(&Text::new(&offsets, &bytes), first, last)).remove(0);
            let counted = |c: &char| !c.is_ascii() || c.is_ascii_alphanumeric();
            let total = row.chars().filter(counted).count();
            let shown = masked.chars().filter(counted).count();
            prop_assert_eq!(shown, if total > first + last { first + last } else { 0 });
            prop_assert_eq!(masked.chars().count(), row.chars().count());
        }

        #[test]
        fn masking_bytes_changes_only_what_matches(mut bytes in vec(any::<u8>(), 0..100)) {
            let hide = |b: u8| if b.is_ascii_digit() { b'*' } else { b };
            let plain: Vec<u8> = bytes.iter().copied().map(hide).collect();
            mask_digits(&mut bytes);
            prop_assert_eq!(bytes, plain);
        }
    }

    #[test]
    fn a_null_stays_empty_and_an_empty_address_does_not() {
        let (offsets, bytes) = column(&["", "", "a@b"]);
        let masked = emails(&Text::new(&offsets, &bytes), &[0b110]);
        assert_eq!(rows_of(&masked), ["", "***", "a***@b"]);
    }

    #[test]
    fn cards_show_their_last_four_digits() {
        let (offsets, bytes) = column(&["4111 1111 1111 1111", "1234"]);
        assert_eq!(rows_of(&all_but(&Text::new(&offsets, &bytes), 0, 4)), ["**** **** **** 1111", "****"]);
    }
}
