//! The embedded default: files as a stream, a folder as the lake. No service to start.
//!
//! - [`FileSource`]: each file is a shard of bytes, told apart by path and first bytes, read plain, gzip or zstd, to its
//!   end or followed as it grows.
//! - [`DirStore`]: objects as files that arrive by rename; [`sync`](sluice_ports::ObjectStore::sync) makes files and
//!   folders durable.
//! - [`DirLog`]: cuts, commits and aborts as files that arrive by hard link, each durable before its put returns; an
//!   exclusive lock as the lease, a fence that only rises, and room kept in reserve for a full disk.
//!
//! Everything of a dataset lies in one folder: its layers beside `_sluice`, which holds what is not for readers of the
//! lake (see [`DirLog`] for the files). Whoever reads the folder sees whole objects and whole entries only.
//!
//! Blocking calls run on tokio's blocking threads; the crate starts no threads of its own but for the length of a sync.

mod blocking;
mod disk;
mod layout;
mod log;
mod source;
mod store;

pub use log::DirLog;
pub use source::{Compression, FileSource, FileSourceConfig};
pub use store::DirStore;
