//! The lake in a bucket.
//!
//! - [`S3Store`]: its objects. [`S3Log`]: its commits, each put once by a conditional write, and the lease on them.
//! - [`source`]: files that land under a prefix, as a source.
//!
//! S3 answers reads and listings by what was written before them
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel>); all of this stands on it.

mod boot;
mod bucket;
mod holder;
mod keys;
mod lease;
mod lease_cell;
mod log;
mod multipart;
pub mod source;
mod store;

pub use bucket::{Head, S3Lake};
pub use lease::LeaseOptions;
pub use log::S3Log;
pub use store::S3Store;
