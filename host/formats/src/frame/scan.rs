//! How records are told apart, whatever the format.

use super::array::Array;
use super::csv::Csv;
use super::lines;
use crate::json::white;
use sluice_manifest::plan::{Format, JsonRecords};

/// U+FEFF in UTF-8, which may stand first in a stream.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A piece of a stream, as places in the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A record. `raw` is where what ends it begins, `end` the same without white space that is no part of it.
    Record { start: usize, end: usize, raw: usize, next: usize },
    /// Something between records. `seen`: how many bytes had to be there to tell.
    Blank { next: usize, seen: usize },
    /// From here on no record can be told from the next.
    Broken(&'static str),
    /// More bytes are needed.
    More,
}

impl Piece {
    /// The same after `by` bytes before it are gone.
    pub(super) fn shifted(self, by: usize) -> Self {
        match self {
            Self::Record { start, end, raw, next } => {
                Self::Record { start: start - by, end: end - by, raw: raw - by, next: next - by }
            }
            Self::Blank { next, seen } => Self::Blank { next: next - by, seen: seen - by },
            piece => piece,
        }
    }
}

/// How records are told apart.
#[derive(Debug, Clone)]
pub(super) enum Scan {
    Lines,
    Array(Array),
    /// Whether the one record was given.
    File {
        given: bool,
    },
    Csv(Csv),
}

impl Scan {
    /// For a stream that is entered at offset `at`.
    pub(super) fn new(format: &Format, at: u64) -> Self {
        match format {
            Format::Json { records: JsonRecords::Lines } => Self::Lines,
            Format::Json { records: JsonRecords::Array } if at == 0 => Self::Array(Array::new()),
            Format::Json { records: JsonRecords::Array } => Self::Array(Array::behind(&[])),
            Format::Json { records: JsonRecords::File } => Self::File { given: at > 0 },
            Format::Csv { delimiter, quote, .. } => Self::Csv(Csv::new(*delimiter, *quote)),
        }
    }

    /// Takes the last bytes before the offset `at` at which the stream is entered.
    pub(super) fn prime(&mut self, before: &[u8], at: u64) {
        let Self::Array(array) = self else { return };
        let all = before.len() as u64 >= at;
        let content = before.strip_prefix(BYTE_ORDER_MARK).filter(|_| all).unwrap_or(before);
        *array = if all && white(content, 0) == content.len() { Array::new() } else { Array::behind(content) };
    }

    #[inline]
    pub(super) fn next(&mut self, view: &[u8], cursor: usize, scanned: &mut usize) -> Piece {
        match self {
            Self::Lines => lines::next(view, cursor, scanned),
            Self::Array(array) => array.next(view, cursor, scanned),
            Self::Csv(csv) => csv.next(view, cursor, scanned),
            Self::File { .. } => {
                *scanned = view.len();
                Piece::More
            }
        }
    }

    /// What stands last in a stream that ends here; `More` where nothing does.
    pub(super) fn tail(&mut self, view: &[u8], cursor: usize, scanned: usize) -> Piece {
        let nothing = cursor == view.len();
        match self {
            Self::File { given } if !(nothing && *given) => {
                *given = true;
                let start = if view.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
                Piece::Record { start, end: view.len(), raw: view.len(), next: view.len() }
            }
            Self::File { .. } => Piece::More,
            _ if nothing => Piece::More,
            Self::Lines => lines::tail(view, cursor),
            Self::Array(array) => array.tail(view, cursor),
            Self::Csv(csv) => csv.tail(view, cursor, scanned),
        }
    }
}
