//! One batch's journey: read, decode, run steps, append, account, commit.
//!
//! The nouns:
//! - [`Pipeline`]: a plan bound to its rules. [`Ports`]: the outside.
//! - a *batch*: some records of one shard, decoded and taken through all steps by one worker (`work`).
//! - a *segment*: batches in the order of appending (`segment`), made durable by a cut, objects and one commit.
//! - a *window* (`window`): partials by shard and group until no row can come any more.
//!
//! Invariants: the commits are the only checkpoint; a cut is written before anything of its segment is visible; a cut
//! without its commit is run again exactly or aborted (`recover`); read = silver + filtered + quarantined for each
//! shard, or nothing is committed. The crate knows neither wasmtime nor AWS nor any file system.

mod answer;
mod append;
mod board;
mod breaker;
mod checks;
mod compare;
mod cpu;
mod crew;
mod dedup;
mod display;
mod egress;
mod encode;
mod error;
mod ids;
mod isolate;
mod latency;
mod layout;
mod outside;
mod partition;
mod piece;
mod pipeline;
mod progress;
mod quarantine;
mod read;
mod recover;
mod rollout;
mod rows;
mod run;
mod seal;
mod segment;
mod sinks;
mod stream;
mod version;
mod window;
mod work;

pub use board::{Board, Standing};
pub use compare::{ColumnDifference, Comparison, Side};
pub use error::FlowError;
pub use latency::Latency;
pub use layout::BoundStep;
pub use pipeline::{Pipeline, Room, arriving};
pub use progress::{Progress, Snapshot, Summary};
pub use rollout::{Control, History, Rollout, Stage, Watcher};
pub use run::{Options, Ports, run, run_steered};
pub use seal::{BronzeKey, Unsealable};
pub use window::BoundGold;
pub use work::Split;
