//! What detectors ask of the bytes around a place.

use std::ops::Range;

/// The byte at a place; 0 past the end.
#[inline]
pub(crate) fn at(text: &[u8], place: usize) -> u8 {
    text.get(place).copied().unwrap_or(0)
}

/// The byte before a place; 0 before the start.
#[inline]
pub(crate) fn before(text: &[u8], place: usize) -> u8 {
    place.checked_sub(1).map_or(0, |place| at(text, place))
}

/// Whether a number may begin or end at a place with this byte on its other side. Letters and digits of ASCII alone go on:
/// in `card_4111…` and in text without blanks between words numbers are to be found.
#[inline]
pub(crate) fn apart(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric()
}

/// The character that starts at a place, where one does.
pub(crate) fn char_at(text: &[u8], place: usize) -> Option<char> {
    let rest = text.get(place..)?;
    let chunk = rest.get(..4).unwrap_or(rest).utf8_chunks().next()?;
    chunk.valid().chars().next()
}

/// The character that ends right before a place, where one does.
pub(crate) fn char_before(text: &[u8], place: usize) -> Option<char> {
    let first = (1..=4.min(place)).map(|back| place - back).find(|&first| text[first] & 0xC0 != 0x80)?;
    std::str::from_utf8(text.get(first..place)?).ok()?.chars().next()
}

/// Whether a word of the text begins with one of some lower-case words; `homePhone` is two words.
pub(crate) fn mentions(text: &[u8], words: &[&[u8]]) -> bool {
    let begins = |place: usize| {
        let last = before(text, place);
        !last.is_ascii_alphabetic() || last.is_ascii_lowercase() && text[place].is_ascii_uppercase()
    };
    (0..text.len()).filter(|&place| begins(place)).any(|place| {
        let rest = &text[place..];
        words.iter().any(|word| rest.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word)))
    })
}

/// Whether a range lies in a UUID, whose hexadecimal digits are often enough all decimal.
pub(crate) fn in_uuid(text: &[u8], range: &Range<usize>) -> bool {
    let part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    let back = text[..range.start].iter().rev().take(37).take_while(|byte| part(byte)).count();
    let on = text[range.end..].iter().take(37).take_while(|byte| part(byte)).count();
    let word = &text[range.start - back..range.end + on];
    word.len() == 36 && word.iter().enumerate().all(|(i, &byte)| (byte == b'-') == matches!(i, 8 | 13 | 18 | 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_read_forwards_and_backwards() {
        let text = "é€😀a".as_bytes();
        assert_eq!((char_at(text, 0), char_at(text, 2), char_at(text, 1)), (Some('é'), Some('€'), None));
        assert_eq!((char_before(text, 9), char_before(text, 5), char_before(text, 0)), (Some('😀'), Some('€'), None));
        assert_eq!((char_before(b"\xFF", 1), char_at(b"\xFF", 0), char_at(b"", 0)), (None, None, None));
    }

    #[test]
    fn a_uuid_is_known_by_its_dashes() {
        let text = b"id 40008800-1234-4123-8123-446655440000.";
        assert!(in_uuid(text, &(12..26)));
        assert!(!in_uuid(b"1234-4123-8123-446655440000", &(0..4)));
    }

    #[test]
    fn words_are_found_in_any_case() {
        assert!(mentions(b"my SSN is", &[b"tin", b"ssn"]));
        assert!(mentions(b"homePhone", &[b"phone"]) && mentions(b"home_phone", &[b"phone"]));
        assert!(!mentions(b"megaphone", &[b"phone"]) && !mentions(b"", &[b"ssn"]) && !mentions(b"ss", &[b"ssn"]));
    }
}
