//! Elements of one JSON array that is never held whole.
//!
//! Only strings, escapes and the depth of brackets are followed, so an element that is no JSON is one malformed record
//! and the next is found again. An element reaches to the comma or bracket that ends it, which belongs to it as a line
//! end does to a line.

use super::scan::Piece;
use crate::json::white;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the opening bracket.
    Begin,
    /// Behind the opening bracket.
    First,
    /// Behind a comma.
    Next,
    /// In the middle of the stream, it is not known behind what.
    Anywhere,
    /// In an element.
    Inside,
    /// Behind the closing bracket.
    After,
}

/// Finds the elements.
#[derive(Debug, Clone)]
pub(super) struct Array {
    state: State,
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Array {
    /// At the beginning of a stream.
    pub(super) fn new() -> Self {
        Self::at(State::Begin)
    }

    /// In the middle of a stream, of which these are the last bytes before.
    pub(super) fn behind(before: &[u8]) -> Self {
        Self::at(match before.iter().rfind(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            Some(b',') => State::Next,
            Some(b']') => State::After,
            Some(b'[') => State::First,
            _ => State::Anywhere,
        })
    }

    fn at(state: State) -> Self {
        Self { state, depth: 0, in_string: false, escaped: false }
    }

    /// Whether the closing bracket was seen.
    pub(super) fn closed(&self) -> bool {
        matches!(self.state, State::After | State::Anywhere)
    }

    pub(super) fn next(&mut self, view: &[u8], cursor: usize, scanned: &mut usize) -> Piece {
        if self.state == State::Inside {
            return self.element(view, cursor, scanned);
        }
        let at = white(view, *scanned);
        *scanned = at;
        let Some(byte) = view.get(at) else { return Piece::More };
        if at > cursor {
            return Piece::Blank { next: at, seen: at + 1 };
        }
        self.state = match (self.state, byte) {
            (State::Begin, b'[') => State::First,
            (State::Begin, _) => return Piece::Broken("the stream does not begin with `[`"),
            (State::After, _) => return Piece::Broken("something stands after the end of the array"),
            (State::First | State::Anywhere, b']') => State::After,
            (State::Anywhere, b',') => State::Next,
            _ => {
                self.state = State::Inside;
                return self.element(view, cursor, scanned);
            }
        };
        *scanned = at + 1;
        Piece::Blank { next: at + 1, seen: at + 1 }
    }

    fn element(&mut self, view: &[u8], cursor: usize, scanned: &mut usize) -> Piece {
        let mut at = *scanned;
        while let Some(byte) = view.get(at) {
            if self.in_string {
                at = self.string(view, at);
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b',' | b']' if self.depth == 0 => {
                    self.state = if *byte == b',' { State::Next } else { State::After };
                    *scanned = at + 1;
                    return Piece::Record { start: cursor, end: trimmed(view, cursor, at), raw: at, next: at + 1 };
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
        *scanned = view.len();
        Piece::More
    }

    /// Goes on in a string; gives where it ended, or the end.
    fn string(&mut self, view: &[u8], mut at: usize) -> usize {
        if self.escaped {
            self.escaped = false;
            at += 1;
        }
        while let Some(found) = view.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
            at += found + 1;
            if view[at - 1] == b'"' {
                self.in_string = false;
                return at;
            }
            if at == view.len() {
                self.escaped = true;
                return at;
            }
            at += 1;
        }
        view.len()
    }

    /// What stands last where the array is not closed.
    pub(super) fn tail(&mut self, view: &[u8], cursor: usize) -> Piece {
        if self.state == State::Inside {
            // behind a comma: what may come later is another element
            (self.state, self.depth, self.in_string, self.escaped) = (State::Anywhere, 0, false, false);
            return Piece::Record {
                start: cursor,
                end: trimmed(view, cursor, view.len()),
                raw: view.len(),
                next: view.len(),
            };
        }
        Piece::Blank { next: view.len(), seen: view.len() }
    }
}

/// Where an element ends without the white space behind it.
fn trimmed(view: &[u8], start: usize, end: usize) -> usize {
    let blank = view[start..end].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    end - blank
}
