//! RFC 8259 to the letter, without recursion: what decides whether a text is JSON.

use super::string::{self, Text};

/// What is wrong with a text, and at which byte. Holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

impl Fault {
    pub(crate) fn new(at: usize, what: &'static str) -> Self {
        Self { at, what }
    }
}

/// Kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text {
        escaped: bool,
    },
    Number,
    True,
    False,
    Null,
    /// An object or a list.
    Nested,
}

/// A value that was found to be valid: its source text, quotes included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) kind: Kind,
    pub(crate) source: &'a [u8],
}

impl<'a> Value<'a> {
    /// What stands between the quotes of a string, escapes not decoded.
    pub(crate) fn inner(&self) -> &'a [u8] {
        &self.source[1..self.source.len() - 1]
    }
}

/// First byte at or after `at` that is no white space.
#[inline]
pub(crate) fn white(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Checks the number that begins at `at`; gives where it ends.
#[inline]
pub(crate) fn number(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let mut end = at + usize::from(bytes.get(at) == Some(&b'-'));
    match bytes.get(end) {
        Some(b'0') => end += 1,
        Some(b'1'..=b'9') => end = digits(bytes, end + 1),
        _ => return Err(Fault::new(end, "expected a digit")),
    }
    if let Some(b'.') = bytes.get(end) {
        let fraction = end + 1;
        end = digits(bytes, fraction);
        if end == fraction {
            return Err(Fault::new(end, "expected a digit after the decimal point"));
        }
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits(bytes, exponent);
        if end == exponent {
            return Err(Fault::new(end, "expected a digit in the exponent"));
        }
    }
    Ok(end)
}

#[inline]
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// Checks the scalar that begins at `at`; gives its kind and where it ends.
fn scalar(bytes: &[u8], at: usize) -> Result<(Kind, usize), Fault> {
    let word = |text: &str, kind| match bytes[at..].starts_with(text.as_bytes()) {
        true => Ok((kind, at + text.len())),
        false => Err(Fault::new(at, "expected a value")),
    };
    match bytes.get(at) {
        Some(b'"') => {
            let Text { close, escaped } = string::check(bytes, at + 1)?;
            Ok((Kind::Text { escaped }, close + 1))
        }
        Some(b'-' | b'0'..=b'9') => Ok((Kind::Number, number(bytes, at)?)),
        Some(b't') => word("true", Kind::True),
        Some(b'f') => word("false", Kind::False),
        Some(b'n') => word("null", Kind::Null),
        Some(_) => Err(Fault::new(at, "expected a value")),
        None => Err(Fault::new(at, "the record ends where a value is expected")),
    }
}

/// Checks whole values. Keeps its stack, which takes one byte for each level of nesting, from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    /// For each open list or object what closes it.
    open: Vec<u8>,
}

impl Checker {
    /// Checks the value that begins at `at` (no white space before it); gives it and where it ends.
    pub(crate) fn value<'a>(&mut self, bytes: &'a [u8], at: usize) -> Result<(Value<'a>, usize), Fault> {
        let (kind, end) = match bytes.get(at) {
            Some(b'{' | b'[') => (Kind::Nested, self.nested(bytes, at)?),
            _ => scalar(bytes, at)?,
        };
        Ok((Value { kind, source: &bytes[at..end] }, end))
    }

    fn nested(&mut self, bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
        self.open.clear();
        loop {
            // a value begins at `at`
            let opened = match bytes.get(at) {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => None,
            };
            match opened {
                Some(close) => {
                    self.open.push(close);
                    at = white(bytes, at + 1);
                    if bytes.get(at) != Some(&close) {
                        if close == b'}' {
                            at = key(bytes, at)?.1;
                        }
                        continue;
                    }
                }
                None => at = white(bytes, scalar(bytes, at)?.1),
            }
            // a value or an empty list or object is complete: close what closes here, or go on to the next value
            loop {
                let close = *self.open.last().expect("open until it is returned");
                match bytes.get(at) {
                    Some(b',') => {
                        at = white(bytes, at + 1);
                        if close == b'}' {
                            at = key(bytes, at)?.1;
                        }
                        break;
                    }
                    Some(byte) if *byte == close => {
                        self.open.pop();
                        if self.open.is_empty() {
                            return Ok(at + 1);
                        }
                        at = white(bytes, at + 1);
                    }
                    Some(_) if close == b'}' => return Err(Fault::new(at, "expected `,` or `}`")),
                    Some(_) => return Err(Fault::new(at, "expected `,` or `]`")),
                    None => return Err(Fault::new(at, "the record ends inside a list or an object")),
                }
            }
        }
    }
}

/// Checks the key that begins at `at` and the colon after it; gives the text between its quotes and where its value
/// begins.
pub(crate) fn key(bytes: &[u8], at: usize) -> Result<((&[u8], bool), usize), Fault> {
    if bytes.get(at) != Some(&b'"') {
        return Err(Fault::new(at, "expected a name in quotation marks"));
    }
    let Text { close, escaped } = string::check(bytes, at + 1)?;
    let colon = white(bytes, close + 1);
    if bytes.get(colon) != Some(&b':') {
        return Err(Fault::new(colon, "expected `:` after a name"));
    }
    Ok(((&bytes[at + 1..close], escaped), white(bytes, colon + 1)))
}
