//! A Kinesis data stream as a source, and putting records into one.
//!
//! The nouns:
//! - [`KinesisSource`]: a stream. Its shards are found by listing; splits and merges show up as shards with parents.
//! - a reader per shard (`reader`): fetches ahead by polling (`polling`) or enhanced fan-out (`fan_out`), and makes
//!   payloads of what came (`decode`).
//! - [`kpl`]: records that hold several user records. [`payload`]: compressed ones.
//! - [`put()`]: records into a stream.
//!
//! Invariants: a payload is given once and in order by an opened reader; what a reader cannot make payloads of is given
//! all the same, as unusable; a position that the stream no longer reaches is never jumped over silently.

mod call;
mod config;
mod decode;
mod fan_out;
mod fetch;
pub mod kpl;
mod lag;
mod loss;
mod pace;
pub mod payload;
mod polling;
mod put;
mod reader;
mod shards;
mod source;
mod stream;

pub use config::{KinesisConfig, KplOutOfRange, Mode, RetentionLoss, Start, UntilCaughtUp};
pub use lag::ShardLag;
pub use put::{PutOptions, PutProgress, PutRecord, PutReport, put};
pub use source::KinesisSource;
pub use stream::StreamName;
