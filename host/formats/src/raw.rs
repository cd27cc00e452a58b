//! Raw batches: bytes of a stream, cut into records but not yet decoded.

use crate::Header;
use bytes::Bytes;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes before a position that [`RawBatch::tail`] digests, at most.
pub const TAIL_BYTES: usize = 4096;

/// A stretch of a byte stream, cut into records.
///
/// Every byte of `from..to` belongs to a record, to the end of one (line end, comma), to what stands between records
/// (blank lines, white space, brackets of an array, a CSV header) or to an unusable record. The next batch begins at
/// `to`. A batch may hold no record at all: then only the position moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawBatch {
    /// The bytes that the records lie in.
    pub data: Bytes,
    /// Offset of `data[0]` in the (decompressed) stream.
    pub base: u64,
    /// The records, ascending.
    pub records: Vec<Span>,
    /// Records that were not kept, in the order in which they stood.
    pub unusable: Vec<Unusable>,
    /// Where the batch begins in the stream, inclusive.
    pub from: u64,
    /// Where it ends, exclusive: the offset of the first byte after it.
    pub to: u64,
    /// XXH3-64 of the stream's bytes `from..to`.
    pub digest: u64,
    /// XXH3-64 of the last 4 KiB (or all, where there are fewer) of the stream before `to`, earlier batches included.
    pub tail: u64,
    /// Names of the fields, for CSV.
    pub header: Option<Arc<Header>>,
}

impl RawBatch {
    /// Number of records read, unusable ones included.
    pub fn read(&self) -> usize {
        self.records.len() + self.unusable.len()
    }

    /// Bytes of a record, without what ends it.
    pub fn record(&self, index: usize) -> &[u8] {
        self.records[index].of(&self.data)
    }

    /// Offset in the stream at which a record begins.
    pub fn offset(&self, index: usize) -> u64 {
        self.base + u64::from(self.records[index].start)
    }
}

/// Where a record lies in [`RawBatch::data`], without what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, len: (end - start) as u32 }
    }

    /// The bytes.
    pub fn of(self, data: &[u8]) -> &[u8] {
        &data[self.start as usize..][..self.len as usize]
    }
}

/// A record that was passed over: too long to be held, or the rest of a stream that holds no more records. It stands
/// in a batch of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Number of records of the batch that stood before it.
    pub before: u32,
    /// Where it begins in the stream.
    pub offset: u64,
    /// Its bytes, without what ends it.
    pub len: u64,
    /// SHA-256 of those bytes.
    pub digest: [u8; 32],
    /// Reason code: `record_too_long`, `malformed_json` or `malformed_csv`.
    pub reason: &'static str,
    /// For people; holds nothing of the record.
    pub detail: String,
}

/// XXH3-64 of the last 4 KiB of `bytes` (of all, where there are fewer): what [`RawBatch::tail`] holds where `bytes` are
/// those before the batch's end.
pub fn tail_digest(bytes: &[u8]) -> u64 {
    xxh3_64(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..])
}
