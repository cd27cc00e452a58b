//! One set of features of shared dependencies for every cargo command.
//!
//! cargo unites features over the packages that a command selects: `cargo run` and `cargo test --workspace` would each
//! build the shared dependencies with features of their own, DataFusion and the AWS SDKs among them, twice. This crate
//! names the union, and the command's crate imports it, so both build one and the same.
