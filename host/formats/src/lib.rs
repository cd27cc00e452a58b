//! From bytes to records to columns: framing and decoding of JSON and CSV.
//!
//! The nouns:
//! - [`Framer`]: cuts a byte stream into records and those into raw batches, and cuts the same batches again for a replay.
//! - [`RawBatch`]: a stretch of the stream with its records, still bytes, and the digests that prove a replay.
//! - [`PayloadFramer`]: cuts the payloads of a record stream, each a small file, into records.
//! - [`Decoder`]: turns raw batches into Arrow columns of a schema.
//!
//! What holds:
//! - Every byte of a stream lies in exactly one batch, and batches follow each other without a gap. How the stream is
//!   split into pushes changes no batch.
//! - Every record is in exactly one place: a row, a reject with its reason, or (too long, or behind the point where a stream
//!   breaks) an [`Unusable`] with its length and digest. Nothing is dropped silently, and one bad record stops no other.
//! - What is taken for JSON is JSON to the letter of RFC 8259. A fast parser takes plain records; it alone never refuses, and
//!   never takes what the strict parser would not.
//! - What a record becomes depends on the record, the format, the schema and a CSV's header, not on its neighbours.
//!
//! The decisions that users meet are in `host/docs/formats.md`. No I/O, no clock, no recursion over data.

mod block;
mod columns;
mod convert;
mod csv;
mod decode;
mod error;
mod frame;
mod header;
mod json;
mod padded;
mod payload;
mod raw;
mod time;

pub use decode::{Decoded, Decoder, EXTRA, Malformed};
pub use error::FrameError;
pub use frame::{Framer, Limits, MAX_BATCH_BYTES};
pub use header::{Header, read_header};
pub use payload::{Framed, PayloadFramer, whole};
pub use raw::{RawBatch, Span, TAIL_BYTES, Unusable, tail_digest};
