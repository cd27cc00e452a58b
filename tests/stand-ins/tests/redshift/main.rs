//! The Redshift Data API stand-in, driven by the Rust SDK.

mod copy;
mod copy_text;
mod faults;
mod sessions;
mod sql;
mod statements;
mod transactions;
mod world;
