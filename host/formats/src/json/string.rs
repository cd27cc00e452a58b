//! Strings of JSON: where they end, and what they say once their escapes are decoded.

use super::strict::Fault;
use crate::block::{BLOCK, Block};

/// A checked string.
pub(crate) struct Text {
    /// Where its closing quotation mark stands.
    pub(crate) close: usize,
    /// Whether escapes stand in it.
    pub(crate) escaped: bool,
}

/// Checks the string whose first byte (after the opening quotation mark) is at `at`.
#[inline]
pub(crate) fn check(bytes: &[u8], mut at: usize) -> Result<Text, Fault> {
    let mut escaped = false;
    loop {
        at = stop(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok(Text { close: at, escaped }),
            Some(b'\\') => at = escape(bytes, at)?.1,
            Some(_) => return Err(Fault::new(at, "a control character stands in a string; it must be escaped")),
            None => return Err(Fault::new(at, "the record ends inside a string")),
        }
        escaped = true;
    }
}

/// First byte at or after `at` that ends or complicates a string; the length of `bytes` where there is none.
#[inline]
pub(crate) fn stop(bytes: &[u8], mut at: usize) -> usize {
    while at + BLOCK <= bytes.len() {
        let stops = Block::load(bytes, at).string_stops();
        if stops != 0 {
            return at + stops.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
        at += 1;
    }
    at
}

/// Decodes the escape whose backslash stands at `at`; gives the character and where the text goes on.
pub(crate) fn escape(bytes: &[u8], at: usize) -> Result<(char, usize), Fault> {
    let plain = match bytes.get(at + 1) {
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(bytes, at),
        _ => return Err(Fault::new(at, "a backslash stands before something that cannot be escaped")),
    };
    Ok((plain, at + 2))
}

fn unicode(bytes: &[u8], at: usize) -> Result<(char, usize), Fault> {
    let lone = Fault::new(at, "half of a surrogate pair stands alone");
    let first = four_hex(bytes, at + 2)?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, at + 6));
    }
    if first >= 0xdc00 || bytes.get(at + 6..at + 8) != Some(b"\\u") {
        return Err(lone);
    }
    let second = four_hex(bytes, at + 8)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(lone);
    }
    let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Ok((char::from_u32(code).ok_or(lone)?, at + 12))
}

fn four_hex(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let bad = Fault::new(at, "expected four hexadecimal digits after `\\u`");
    let digits = bytes.get(at..at + 4).ok_or(bad)?;
    digits.iter().try_fold(0, |value, byte| Ok(value * 16 + char::from(*byte).to_digit(16).ok_or(bad)?))
}

/// Decodes the escapes of what stands between the quotation marks of a checked string, piece by piece.
pub(crate) fn decode(inner: &[u8], mut put: impl FnMut(&[u8])) {
    let mut at = 0;
    while let Some(run) = memchr::memchr(b'\\', &inner[at..]) {
        put(&inner[at..at + run]);
        let (character, next) = escape(inner, at + run).expect("the string was checked");
        put(character.encode_utf8(&mut [0; 4]).as_bytes());
        at = next;
    }
    put(&inner[at..]);
}
