//! What is kept of a record that is passed over.

use super::scan::{Piece, Scan};
use crate::{RawBatch, Unusable};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::Xxh3;

/// A record (or long white space) that is passed over while it comes.
pub(super) struct Skip {
    from: u64,
    len: u64,
    /// Of the record.
    content: Sha256,
    /// Of the record and what ends it.
    stretch: Xxh3,
    blank: bool,
    reason: &'static str,
    detail: String,
    /// Whether it reaches to the end of the stream, whatever comes.
    pub(super) to_the_end: bool,
}

impl Skip {
    pub(super) fn too_long(from: u64, limit: usize, may_be_blank: bool) -> Self {
        let detail = format!("the record is longer than {limit} bytes (`max_record_bytes`)");
        Self { blank: may_be_blank, ..Self::new(from, "record_too_long", detail) }
    }

    pub(super) fn rest(from: u64, detail: &str) -> Self {
        let detail = format!("{detail}; the rest of the stream from there on is passed over");
        Self { to_the_end: true, ..Self::new(from, "malformed_json", detail) }
    }

    fn new(from: u64, reason: &'static str, detail: String) -> Self {
        let (content, stretch) = (Sha256::new(), Xxh3::new());
        Self { from, len: 0, content, stretch, blank: false, reason, detail, to_the_end: false }
    }

    /// Takes bytes of the record.
    pub(super) fn absorb(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.content.update(bytes);
        self.stretch.update(bytes);
        self.blank &= bytes.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    /// Takes what ends the record.
    pub(super) fn end_with(&mut self, terminator: &[u8]) {
        self.stretch.update(terminator);
    }

    /// The stream ended within an open quotation mark.
    pub(super) fn never_closed(&mut self) {
        self.reason = "malformed_csv";
        self.detail = "a quotation mark is not closed before the end of the stream".into();
    }

    /// The batch that holds nothing else.
    pub(super) fn finish(self, to: u64, tail: u64) -> RawBatch {
        let unusable = Unusable {
            before: 0,
            offset: self.from,
            len: self.len,
            digest: self.content.finalize().into(),
            reason: self.reason,
            detail: self.detail,
        };
        RawBatch {
            data: Bytes::new(),
            base: self.from,
            records: Vec::new(),
            unusable: if self.blank { Vec::new() } else { vec![unusable] },
            from: self.from,
            to,
            digest: self.stretch.digest(),
            tail,
            header: None,
        }
    }

    /// The same where the stream ends with `view`.
    pub(super) fn end_of_stream(&self, scan: &mut Scan, view: &[u8], scanned: usize) -> usize {
        if self.to_the_end {
            return view.len();
        }
        match scan.tail(view, 0, scanned) {
            Piece::Record { raw, .. } => raw,
            _ => without_line_end(view),
        }
    }

    /// Where in `view` the record ends (exclusive) and what ends it, where that can be told.
    pub(super) fn end(&self, scan: &mut Scan, view: &[u8], scanned: &mut usize) -> Option<(usize, usize)> {
        if self.to_the_end {
            *scanned = view.len();
            return None;
        }
        match scan.next(view, 0, scanned) {
            Piece::Record { raw, next, .. } => Some((raw, next)),
            // the end of the record may look like a blank line by itself
            Piece::Blank { next, .. } => Some((without_line_end(&view[..next]), next)),
            Piece::Broken(_) | Piece::More => None,
        }
    }
}

fn without_line_end(line: &[u8]) -> usize {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line).len()
}
