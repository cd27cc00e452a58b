//! Records on lines of their own.

use super::scan::Piece;
use crate::json::white;
use memchr::memchr;

/// The next line: it ends with `\n` or `\r\n`; one of JSON white space only is no record.
#[inline]
pub(super) fn next(view: &[u8], cursor: usize, scanned: &mut usize) -> Piece {
    let Some(found) = memchr(b'\n', &view[*scanned..]) else {
        *scanned = view.len();
        return Piece::More;
    };
    let line_feed = *scanned + found;
    *scanned = line_feed + 1;
    line(view, cursor, line_feed, line_feed + 1)
}

/// The last line, which nothing ends.
pub(super) fn tail(view: &[u8], cursor: usize) -> Piece {
    line(view, cursor, view.len(), view.len())
}

#[inline]
pub(super) fn line(view: &[u8], start: usize, stop: usize, next: usize) -> Piece {
    let end = stop - usize::from(stop > start && view[stop - 1] == b'\r');
    let is_blank = match view.get(start) {
        Some(b'{') if start < end => false,
        _ => white(&view[..end], start) == end,
    };
    if is_blank { Piece::Blank { next, seen: next } } else { Piece::Record { start, end, raw: end, next } }
}
