//! What detectors ask of the bytes around a place.

use crate::kind::Kind;
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
#[inline]
pub(crate) fn char_at(text: &[u8], place: usize) -> Option<char> {
    match *text.get(place)? {
        byte @ 0..=0x7F => Some(char::from(byte)),
        0x80..=0xC1 => None,
        lead => wide_char(&text[place..], lead),
    }
}

fn wide_char(rest: &[u8], lead: u8) -> Option<char> {
    let len = match lead {
        0..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    };
    std::str::from_utf8(rest.get(..len)?).ok()?.chars().next()
}

/// The character that ends right before a place, where one does.
#[inline]
pub(crate) fn char_before(text: &[u8], place: usize) -> Option<char> {
    let last = *text.get(place.checked_sub(1)?)?;
    if last.is_ascii() {
        return Some(char::from(last));
    }
    let first = (1..=4.min(place)).map(|back| place - back).find(|&first| text[first] & 0xC0 != 0x80)?;
    char_at(text, first).filter(|char| first + char.len_utf8() == place)
}

/// Bytes before a number in which a word may say what it is.
const NEAR: usize = 32;

fn ends_with(text: &[u8], kind: &Kind) -> bool {
    text.ends_with(kind.mask().as_bytes())
}

/// Words in lower case, and the letters that they begin with.
pub(crate) struct Words {
    words: &'static [&'static [u8]],
    letters: u32,
}

impl Words {
    pub(crate) const fn new(words: &'static [&'static [u8]]) -> Self {
        let (mut letters, mut i) = (0, 0);
        while i < words.len() {
            letters |= 1 << (words[i][0] - b'a');
            i += 1;
        }
        Self { words, letters }
    }

    /// Whether one of these words begins shortly before a place, and behind the last mask there: a mask is no announcement of
    /// what follows it, or one number that was masked would make the next one.
    pub(crate) fn announce(&self, text: &[u8], place: usize) -> bool {
        self.begin_in(&text[Self::near(text, place)..place])
    }

    /// As [`announce`](Self::announce), with no other number between; the one of `phone_2` is part of the word.
    pub(crate) fn announce_next(&self, text: &[u8], place: usize) -> bool {
        let near = Self::near(text, place);
        let numbers = |&place: &usize| {
            let last = before(text, place);
            let of_word = (last.is_ascii_alphabetic() || last == b'_') && !at(text, place + 1).is_ascii_digit();
            text[place].is_ascii_digit() && !of_word
        };
        let first = (near..place).rev().find(numbers).map_or(near, |number| number + 1);
        self.begin_in(&text[first..place])
    }

    fn near(text: &[u8], place: usize) -> usize {
        let first = place.saturating_sub(NEAR);
        let is_mask =
            |&end: &usize| text[end - 1] == b']' && Kind::ALL.iter().any(|kind| ends_with(&text[..end], kind));
        (first + 1..=place).rev().find(is_mask).unwrap_or(first)
    }

    /// Whether a word of a text begins with one of these. `homePhone` is two words, and in `\nphone` the first letter is part of
    /// an escape.
    fn begin_in(&self, text: &[u8]) -> bool {
        let begins = |place: usize| {
            let letter = (text[place] | 0x20).wrapping_sub(b'a');
            if letter >= 26 || self.letters & 1 << letter == 0 {
                return false;
            }
            let last = before(text, place);
            let camel = last.is_ascii_lowercase() && text[place].is_ascii_uppercase();
            !last.is_ascii_alphabetic() || camel || place >= 2 && text[place - 2] == b'\\'
        };
        (0..text.len()).filter(|&place| begins(place)).any(|place| {
            let rest = &text[place..];
            self.words.iter().any(|word| rest.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word)))
        })
    }
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
    fn words_are_found_in_any_case_and_masks_are_none() {
        const WORDS: Words = Words::new(&[b"phone", b"ssn"]);
        for text in ["my SSN is", "ssn", "homePhone", "home_phone", "x phones", "\\nphone"] {
            assert!(WORDS.begin_in(text.as_bytes()), "{text}");
        }
        for (text, announced) in [("ssn 1", true), ("[ssn] 1", false), ("ssn [ip] 1", false), ("[ip] ssn [x] 1", true)]
        {
            assert_eq!(WORDS.announce(text.as_bytes(), text.len() - 1), announced, "{text}");
        }
        for text in ["megaphone", "", "ss", "pssn"] {
            assert!(!WORDS.begin_in(text.as_bytes()), "{text}");
        }
    }
}
