//! JSON, token by token.
//!
//! Nothing is inlined into the code that serde derives for every configuration: it runs once, and its size counts.

use std::borrow::Cow;

/// How deep lists and objects may lie in each other; a configuration needs few levels, and a guest's stack is small.
pub(crate) const MAX_DEPTH: usize = 64;

/// Something wrong, and the way down to it; names are put in front on the way up.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) message: String,
    /// Innermost first.
    path: Vec<String>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), path: Vec::new() }
    }

    /// The error is within the member `name` of what is being read.
    #[inline(never)]
    pub(crate) fn within(mut self, name: &str) -> Self {
        self.path.push(escaped(name));
        self
    }

    /// Where it is, as a JSON Pointer.
    pub(crate) fn pointer(&self) -> String {
        self.path.iter().rev().fold(String::new(), |path, name| path + "/" + name)
    }
}

/// A name as a part of a JSON Pointer.
pub(crate) fn escaped(name: &str) -> String {
    let mut part = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '~' => part.push_str("~0"),
            '/' => part.push_str("~1"),
            c => part.push(c),
        }
    }
    part
}

/// A JSON text that is being read.
pub(crate) struct Reader<'t> {
    text: &'t str,
    at: usize,
    pub(crate) depth: usize,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The next byte that is no blank, without taking it.
    #[inline(never)]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Takes `byte` if it comes next.
    #[inline(never)]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let comes = self.peek() == Some(byte);
        self.at += usize::from(comes);
        comes
    }

    /// Takes `byte`, which must come next.
    #[inline(never)]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.take(byte) { Ok(()) } else { Err(self.unexpected(&format!("`{}`", char::from(byte)))) }
    }

    /// Something else than `wanted` comes.
    #[inline(never)]
    pub(crate) fn unexpected(&mut self, wanted: &str) -> Error {
        let found = match self.peek() {
            Some(_) => self.text.get(self.at..).and_then(|rest| rest.chars().next()),
            None => None,
        };
        let at = self.at;
        match found {
            Some(found) => Error::new(format!("not JSON: `{found}` at byte {at}, where {wanted} is wanted")),
            None => Error::new(format!("not JSON: the text ends at byte {at}, where {wanted} is wanted")),
        }
    }

    /// Nothing but blanks may follow.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected("the end")) }
    }

    /// Takes `word` (`true`, `false`, `null`).
    #[inline(never)]
    pub(crate) fn word(&mut self, word: &str) -> Result<(), Error> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.unexpected(&format!("`{word}`")))
    }

    /// A number, as it is written.
    #[inline(never)]
    pub(crate) fn number(&mut self) -> Result<&'t str, Error> {
        let start = self.at;
        self.at += usize::from(self.next() == Some(b'-'));
        if self.next() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.next() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.next() {
            self.at += 1;
            self.at += usize::from(matches!(self.next(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(self.since(start))
    }

    /// What was read from `start` on, which is a place where a character begins.
    fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline(never)]
    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while self.next().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.unexpected("a digit")) }
    }

    /// A string, whose quote comes next.
    #[inline(never)]
    pub(crate) fn string(&mut self) -> Result<Cow<'t, str>, Error> {
        self.expect(b'"')?;
        let mut whole = Cow::Borrowed("");
        loop {
            let start = self.at;
            while self.next().is_some_and(|b| b != b'"' && b != b'\\' && b >= b' ') {
                self.at += 1;
            }
            let piece = self.since(start);
            if whole.is_empty() {
                whole = Cow::Borrowed(piece);
            } else {
                whole.to_mut().push_str(piece);
            }
            match self.next() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(whole);
                }
                Some(b'\\') => whole.to_mut().push(self.escape()?),
                _ => return Err(self.unexpected("a closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        self.at += 1;
        let escaped = self.next();
        self.at += usize::from(escaped.is_some());
        Ok(match escaped {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => {
                return Err(Error::new(format!("not JSON: no such escape before byte {}", self.at)));
            }
        })
    }

    /// The character of `\uXXXX`, of which the digits come next, or of two such that are a surrogate pair.
    fn unicode(&mut self) -> Result<char, Error> {
        let mut code = self.hex4()?;
        if (0xD800..0xDC00).contains(&code) && self.text.as_bytes()[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex4()?;
            let is_low = (0xDC00..0xE000).contains(&low);
            code = if is_low { 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00) } else { code };
        }
        char::from_u32(code).ok_or_else(|| Error::new(format!("not JSON: half a character before byte {}", self.at)))
    }

    fn hex4(&mut self) -> Result<u32, Error> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or(b"?");
        self.at += digits.len().min(self.text.len() - self.at);
        let value = |code: Option<u32>, &digit: &u8| Some(code? << 4 | char::from(digit).to_digit(16)?);
        let code = digits.iter().fold(Some(0), value);
        code.ok_or_else(|| Error::new(format!("not JSON: four hexadecimal digits are wanted before byte {}", self.at)))
    }
}
