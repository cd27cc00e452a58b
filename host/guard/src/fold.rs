//! Other spellings: texts as a reader sees them, with the way back to the bytes.
//!
//! Folded are escapes of JSON (`\u0040`, `\n`, however often their backslash is doubled), of addresses (`%40`, `%2540`) and
//! of HTML (`&#64;`, `&nbsp;`), full-width and small forms, decimal digits of other scripts, blanks and dashes of Unicode;
//! characters that are not seen at all are left out.

use crate::bytes::{at, char_at};
use std::ops::Range;

/// A text in its plain spelling.
#[derive(Default)]
pub(crate) struct Folded {
    pub(crate) text: Vec<u8>,
    /// Where in the source the unit that a byte was read from begins and ends.
    units: Vec<(u32, u32)>,
}

impl Folded {
    /// Reads a text. A text of more than 4 GiB is read to there; Arrow's offsets end at 2.
    pub(crate) fn read(&mut self, source: &[u8]) {
        self.text.clear();
        self.units.clear();
        let mut place = 0;
        let len = source.len().min(u32::MAX as usize);
        while place < len {
            let odd = |byte: &u8| !byte.is_ascii() || matches!(byte, b'\\' | b'%' | b'&');
            let run = source[place..len].iter().position(odd).unwrap_or(len - place);
            self.text.extend_from_slice(&source[place..place + run]);
            self.units.extend((place as u32..(place + run) as u32).map(|place| (place, place + 1)));
            place += run;
            if place == len {
                return;
            }
            let (unit, len) = unit_at(source, place);
            let (from, to) = (place, place + len);
            match unit {
                Unit::Char(char) => match plain(char) {
                    Plain::Nothing => {}
                    Plain::Byte(byte) => self.push(&[byte], from, to),
                    Plain::Same => self.push(char.encode_utf8(&mut [0; 4]).as_bytes(), from, to),
                },
                Unit::Byte(byte) => self.push(&[byte], from, to),
            }
            place = to;
        }
    }

    fn push(&mut self, bytes: &[u8], from: usize, to: usize) {
        self.text.extend_from_slice(bytes);
        self.units.extend(bytes.iter().map(|_| (from as u32, to as u32)));
    }

    /// Where in the source a range, which is not empty, was read from.
    pub(crate) fn source(&self, range: &Range<usize>) -> Range<usize> {
        self.units[range.start].0 as usize..self.units[range.end - 1].1 as usize
    }
}

/// What another spelling at a place may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Nothing of interest, or no other spelling.
    None,
    /// A blank, a dash, a line end, a point, or nothing: what may stand between digits or letters.
    Gap,
    /// An `@`, a digit, or anything else.
    Letter,
}

/// Whether another spelling begins at a place with a byte beyond ASCII, a `%`, `\` or `&`.
pub(crate) fn sign_at(bytes: &[u8], place: usize) -> Sign {
    let next = at(bytes, place + 1);
    match bytes[place] {
        b'\\' => match next {
            b'n' | b'r' | b't' | b'b' | b'f' if !glues(&bytes[place + 2..]) => return Sign::None,
            b'u' | b'n' | b'r' | b't' | b'b' | b'f' | b'/' | b'\\' => {}
            _ => return Sign::None,
        },
        b'%' | b'&' => {}
        lead if !is_odd(lead, next, at(bytes, place + 2)) => return Sign::None,
        _ => {}
    }
    match unit_at(bytes, place) {
        (Unit::Byte(_), 1) => Sign::None,
        (Unit::Byte(byte), _) => of_ascii(byte),
        (Unit::Char(char), len) => match plain(char) {
            Plain::Nothing => Sign::Gap,
            Plain::Byte(byte) => of_ascii(byte),
            // an escape of what is beyond ASCII may end a word, and is no letter of a number
            Plain::Same if len > char.len_utf8() => Sign::Gap,
            Plain::Same => Sign::None,
        },
    }
}

fn of_ascii(byte: u8) -> Sign {
    if byte == b'@' || byte.is_ascii_alphanumeric() { Sign::Letter } else { Sign::Gap }
}

/// Whether the letter of an escape such as `\n` hides where a number begins: before a digit, a sign or another spelling, or
/// before the letters of an account number.
fn glues(rest: &[u8]) -> bool {
    let first = at(rest, 0);
    !first.is_ascii_alphabetic() && !matches!(first, b' ' | b'"') || at(rest, 3).is_ascii_digit()
}

/// Whether a character that begins with these bytes may be another spelling of one of ASCII, or not be seen. It never says
/// no where one is; where it says yes in vain, that costs time.
#[inline]
fn is_odd(lead: u8, second: u8, third: u8) -> bool {
    match lead {
        0xC2 => matches!(second, 0xA0 | 0xAD),
        0xCD => second == 0x8F,
        0xD8 => second == 0x9C,
        0xD9 | 0xDB => second >= 0xA0,
        0xE0 => matches!(third, 0x90..=0x99 | 0xA0..=0xAF),
        0xE1 => matches!(second, 0x81 | 0x9A | 0x9F | 0xA0),
        0xE2 => match second {
            0x80 => matches!(third, 0x80..=0x95 | 0xA4 | 0xA8..=0xAF),
            0x81 => third >= 0x9F,
            0x88 => third == 0x92,
            _ => false,
        },
        0xE3 => second == 0x80 && matches!(third, 0x80 | 0x82),
        0xEF => matches!(second, 0xB8 | 0xB9 | 0xBB | 0xBC | 0xBD),
        0xF0 => second == 0x9D && third == 0x9F,
        _ => false,
    }
}

/// The smallest piece of a source that stands for something.
enum Unit {
    Char(char),
    /// A byte that is none, or an escape of ASCII.
    Byte(u8),
}

/// The unit at a place, and its length.
fn unit_at(source: &[u8], place: usize) -> (Unit, usize) {
    let byte = source[place];
    let escape = match byte {
        b'\\' => backslash(source, place),
        b'%' => percent(source, place),
        b'&' => entity(source, place),
        0..=0x7F => None,
        _ => char_at(source, place).map(|char| (Unit::Char(char), char.len_utf8())),
    };
    escape.unwrap_or((Unit::Byte(byte), 1))
}

fn backslash(source: &[u8], place: usize) -> Option<(Unit, usize)> {
    let slashes = source[place..].iter().take_while(|&&byte| byte == b'\\').count();
    let plain = match at(source, place + slashes) {
        b'u' => {
            let code = u32::from(hex(source, place + slashes + 1)?) << 8 | u32::from(hex(source, place + slashes + 3)?);
            // half of a surrogate pair stands for nothing that is looked for
            return Some((Unit::Char(char::from_u32(code).unwrap_or('\u{FFFD}')), slashes + 5));
        }
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' | b'f' => b' ',
        byte @ (b'/' | b'"') => byte,
        _ => return Some((Unit::Byte(b'\\'), slashes)),
    };
    Some((Unit::Byte(plain), slashes + 1))
}

fn percent(source: &[u8], place: usize) -> Option<(Unit, usize)> {
    let mut first = place + 1;
    while source.get(first..first + 2) == Some(b"25") && hex(source, first + 2).is_some() {
        first += 2;
    }
    let byte = hex(source, first)?;
    if byte.is_ascii() {
        return Some((Unit::Byte(byte), first + 2 - place));
    }
    // a character beyond ASCII: its other bytes are written the same way, each with as many `25`
    let step = first + 2 - place;
    let mut bytes = [0; 4];
    for (i, slot) in bytes.iter_mut().enumerate() {
        let start = place + i * step;
        if at(source, start) != b'%' {
            break;
        }
        *slot = hex(source, start + step - 2).unwrap_or(0);
    }
    let char = char_at(&bytes, 0)?;
    Some((Unit::Char(char), char.len_utf8() * step))
}

/// Entities by name, and what they stand for.
const ENTITIES: [(&[u8], char); 12] = [
    (b"&nbsp;", ' '),
    (b"&commat;", '@'),
    (b"&period;", '.'),
    (b"&ndash;", '-'),
    (b"&mdash;", '-'),
    (b"&hyphen;", '-'),
    (b"&minus;", '-'),
    (b"&ensp;", ' '),
    (b"&thinsp;", ' '),
    (b"&shy;", '\u{AD}'),
    (b"&zwnj;", '\u{200C}'),
    (b"&zwj;", '\u{200D}'),
];

fn entity(source: &[u8], place: usize) -> Option<(Unit, usize)> {
    let rest = &source[place..];
    if at(rest, 1) != b'#' {
        let (name, char) = ENTITIES.iter().find(|(name, _)| rest.starts_with(name))?;
        return Some((Unit::Char(*char), name.len()));
    }
    let (radix, first) = if at(rest, 2) | 0x20 == b'x' { (16, 3) } else { (10, 2) };
    let len = rest.iter().skip(first).take(8).position(|&byte| byte == b';')?;
    let code = std::str::from_utf8(&rest[first..first + len]).ok()?;
    let char = u32::from_str_radix(code, radix).ok().and_then(char::from_u32)?;
    Some((Unit::Char(char), first + len + 1))
}

/// The byte that two hexadecimal digits stand for.
fn hex(source: &[u8], place: usize) -> Option<u8> {
    let digit = |place| char::from(at(source, place)).to_digit(16);
    Some((digit(place)? << 4 | digit(place + 1)?) as u8)
}

/// What a character is to a reader.
enum Plain {
    /// Itself.
    Same,
    /// A character of ASCII.
    Byte(u8),
    /// It is not seen.
    Nothing,
}

fn plain(char: char) -> Plain {
    match char {
        '\0'..='\x7F' => Plain::Byte(char as u8),
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180E}' | '\u{200B}'..='\u{200F}' => Plain::Nothing,
        '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' => Plain::Nothing,
        '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => Plain::Byte(b' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' => Plain::Byte(b'-'),
        '\u{2024}' | '\u{3002}' | '\u{FE52}' | '\u{FF61}' => Plain::Byte(b'.'),
        '\u{FE6B}' => Plain::Byte(b'@'),
        '\u{FF01}'..='\u{FF5E}' => Plain::Byte((char as u32 - 0xFEE0) as u8),
        _ => digit(char as u32).map_or(Plain::Same, |digit| Plain::Byte(b'0' + digit)),
    }
}

/// First digits of the scripts that write decimal numbers: Arabic, Persian, the scripts of India, Thai, Lao, Tibetan,
/// Burmese, Khmer, Mongolian.
const ZEROS: [u32; 18] = [
    0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20, 0x1040,
    0x17E0, 0x1810,
];

fn digit(code: u32) -> Option<u8> {
    // the five styles of mathematical digits follow each other
    let of = |zero: u32, digits: u32| code.checked_sub(zero).filter(|&place| place < digits).map(|place| place % 10);
    let zero = ZEROS.iter().find_map(|&zero| of(zero, 10));
    zero.or_else(|| of(0x1D7CE, 50)).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(text: &str) -> String {
        let mut folded = Folded::default();
        folded.read(text.as_bytes());
        String::from_utf8(folded.text).expect("text stays text")
    }

    #[test]
    fn spellings_are_read_as_what_they_show() {
        for (text, seen) in [
            ("a\\u0040b \\\\u0040 \\n \\/", "a@b @ \n /"),
            ("a%40b %2540 %25252540 100% %4", "a@b @ @ 100% %4"),
            ("4111%C2%A01111%25C2%25A01", "4111 1111 1"),
            ("a&#64;b &#x40; &commat; R&D &nbsp;", "a@b @ @ R&D  "),
            ("ａ＠ｂ．ｃｄ ﹫", "a@b.cd @"),
            ("4\u{200B}1\u{FEFF}1\u{AD}1", "4111"),
            ("1\u{A0}2\u{2009}3–4−5", "1 2 3-4-5"),
            ("٤١ ４１ ४१ 𝟜𝟙", "41 41 41 41"),
            ("é ü 例 “x” …", "é ü 例 “x” …"),
        ] {
            assert_eq!(folded(text), seen, "{text}");
        }
    }

    #[test]
    fn signs_tell_what_may_be_hidden() {
        for (text, sign) in [
            ("\\u0040", Sign::Letter),
            ("\\n", Sign::Gap),
            ("\\\"", Sign::None),
            ("%40", Sign::Letter),
            ("%20", Sign::Gap),
            ("% 5", Sign::None),
            ("&#64;", Sign::Letter),
            ("&amp;", Sign::None),
            ("–", Sign::Gap),
            ("’", Sign::None),
            ("４", Sign::Letter),
            ("é", Sign::None),
            ("例", Sign::None),
            ("あ", Sign::None),
        ] {
            assert_eq!(sign_at(text.as_bytes(), 0), sign, "{text}");
        }
    }

    #[test]
    fn every_other_spelling_is_odd() {
        for char in ('\u{80}'..=char::MAX).filter(|&char| !matches!(plain(char), Plain::Same)) {
            let mut bytes = [0; 4];
            let text = char.encode_utf8(&mut bytes).as_bytes();
            assert!(is_odd(text[0], text[1], at(text, 2)), "{:x}", char as u32);
        }
    }

    proptest! {
        #[test]
        fn each_byte_leads_back_to_the_unit_it_was_read_from(
            source in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "([a%\\\\&#u0-9;é\u{200B}４–]){0,40}".prop_map(String::into_bytes),
            ],
        ) {
            let mut folded = Folded::default();
            folded.read(&source);
            prop_assert_eq!(folded.text.len(), folded.units.len());
            for place in 0..folded.text.len() {
                let unit = folded.source(&(place..place + 1));
                prop_assert!(unit.start < unit.end && unit.end <= source.len());
                if std::str::from_utf8(&source).is_ok_and(|text| !text.is_char_boundary(unit.start)) {
                    prop_assert!(false, "a unit begins within a character");
                }
            }
        }

        /// But for `\\n` and the like, which hide nothing before most letters.
        #[test]
        fn what_shows_no_sign_is_its_own_plain_spelling(text in "[acdeg-mopqsu-z\\\\%&é–’例0-9#u ;４\u{200B}]{0,12}") {
            let odd = |byte: u8| byte >= 0x80 || matches!(byte, b'%' | b'\\' | b'&');
            let bytes = text.as_bytes();
            if (0..bytes.len()).all(|place| !odd(bytes[place]) || sign_at(bytes, place) == Sign::None) {
                prop_assert_eq!(folded(&text), text);
            }
        }
    }
}
