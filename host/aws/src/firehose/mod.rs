//! Rows through Firehose, and what of them arrived.
//!
//! - [`FirehoseDelivery`]: rows as NDJSON, packed into records; only what was not acknowledged is sent again.
//! - [`StreamFacts`]: what the delivery stream does with records, checked against the configuration.
//! - [`Arrivals`]: objects that the stream wrote, and the ids of the rows in them. [`gaps`]: what is missing.
//!
//! An acknowledgement is not arrival: Firehose holds records for its buffering interval and longer where S3 is slow, may
//! write them twice, and gives up after 24 hours.

mod arrivals;
mod delivery;
mod gaps;
mod ndjson;
mod pace;
mod pack;
mod put;
mod stream;

pub use arrivals::{Arrivals, ArrivalsConfig, Found, ObjectIds};
pub use delivery::{FirehoseConfig, FirehoseDelivery};
pub use gaps::{Gap, Seen, gaps};
pub use ndjson::Rows;
pub use pack::{BATCH_BYTES, BATCH_RECORDS, Batches, KeyedPacker, Packer, RECORD_BYTES, Record};
pub use stream::{Compression, StreamFacts};
