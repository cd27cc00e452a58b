//! Records of CSV: lines, except that a line end within quotation marks is part of a field.

use super::scan::Piece;
use memchr::{memchr, memchr2};

/// Finds line ends that are not quoted. A quotation mark opens only where a field begins; elsewhere it is text.
#[derive(Debug, Clone)]
pub(crate) struct Csv {
    delimiter: u8,
    quote: u8,
    /// Whether what was scanned last lies within quotation marks.
    quoted: bool,
}

impl Csv {
    pub(crate) fn new(delimiter: u8, quote: u8) -> Self {
        Self { delimiter, quote, quoted: false }
    }

    /// Whether a quotation mark is open.
    pub(super) fn quoted(&self) -> bool {
        self.quoted
    }

    #[inline]
    pub(super) fn next(&mut self, view: &[u8], cursor: usize, scanned: &mut usize) -> Piece {
        loop {
            if self.quoted {
                let Some(found) = memchr(self.quote, &view[*scanned..]) else {
                    *scanned = view.len();
                    return Piece::More;
                };
                let quote = *scanned + found;
                match view.get(quote + 1) {
                    None => {
                        *scanned = quote; // whether it closes is for the next byte to say
                        return Piece::More;
                    }
                    Some(byte) if *byte == self.quote => *scanned = quote + 2,
                    Some(_) => {
                        *scanned = quote + 1;
                        self.quoted = false;
                    }
                }
            } else {
                let Some(found) = memchr2(self.quote, b'\n', &view[*scanned..]) else {
                    *scanned = view.len();
                    return Piece::More;
                };
                let at = *scanned + found;
                *scanned = at + 1;
                if view[at] == b'\n' {
                    return line(view, cursor, at, at + 1);
                }
                self.quoted = at == cursor || view[at - 1] == self.delimiter;
            }
        }
    }

    /// The last line, which nothing ends.
    pub(super) fn tail(&mut self, view: &[u8], cursor: usize, scanned: usize) -> Piece {
        if self.quoted && scanned + 1 == view.len() && view[scanned] == self.quote {
            self.quoted = false;
        }
        line(view, cursor, view.len(), view.len())
    }
}

#[inline]
fn line(view: &[u8], start: usize, stop: usize, next: usize) -> Piece {
    let end = stop - usize::from(stop > start && view[stop - 1] == b'\r');
    if end == start { Piece::Blank { next, seen: next } } else { Piece::Record { start, end, raw: end, next } }
}

/// The first line that is not blank.
pub(crate) enum Line {
    /// More bytes are needed.
    More,
    /// There is none.
    None,
    /// It lies there.
    Found { start: usize, end: usize },
}

impl Csv {
    /// Finds the first line from `at` on. `ended`: there are no more bytes.
    pub(crate) fn first_line(&mut self, bytes: &[u8], at: usize, ended: bool) -> Line {
        let (mut cursor, mut scanned) = (at, at);
        loop {
            let piece = match self.next(bytes, cursor, &mut scanned) {
                Piece::More if ended && cursor < bytes.len() => self.tail(bytes, cursor, scanned),
                piece => piece,
            };
            match piece {
                Piece::Record { start, end, .. } => return Line::Found { start, end },
                Piece::Blank { next, .. } => (cursor, scanned) = (next, next),
                Piece::More | Piece::Broken(_) if ended => return Line::None,
                Piece::More | Piece::Broken(_) => return Line::More,
            }
        }
    }
}
