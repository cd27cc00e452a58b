//! Event-time windows: which rows they take, when they close, and the partials in between.
//!
//! - A [`Table`] holds the partials of one (shard, window): one row a group, in the order in which groups first came.
//! - A row is late if its window's end plus the lateness is not after the greatest event time of the earlier silver rows
//!   of its own shard, or its window is closed. Nothing else decides, so threads, batch sizes and restarts do not.
//! - A window is finished by the definition that opened it ([`Chain`]).
//! - Rows of a shard are folded in the order of their positions; shards are merged once, in the order of their names,
//!   when the window closes. So sums of floats do not depend on batches either.

mod chain;
mod gold;
mod key;
mod partials;
mod state;

pub(crate) use chain::{Chain, Closed, account};
pub use gold::BoundGold;
pub(crate) use gold::{Gold, Parents, Rows};
pub(crate) use key::KeyColumn;

use std::collections::BTreeMap;

/// The tables of one shard, by the start of their window (microseconds since the epoch).
pub(crate) type Tables = BTreeMap<i64, partials::Table>;
