//! Records in columns, where they came from, and the books that are kept about them.
//!
//! The nouns:
//! - [`Field`] and [`ColumnType`]: what a column holds. Rows travel as Arrow arrays of exactly these types.
//! - [`Position`] and [`Origin`]: where in which shard rows came from. Positions advance for unusable records too.
//! - [`Account`]: what became of every record read. It balances, or the segment is not committed.
//! - [`Cut`], [`Commit`], [`Abort`]: the three numbered entries of the commit log.
//!
//! The crate imports arrow and nothing of ours, does no I/O and knows no clock.

mod account;
mod field;
mod log;
mod position;
mod selection;

pub use account::{Account, GoldAccount, Imbalance, OriginAccount, Reject};
pub use field::{ColumnType, Field, ParseTypeError};
pub use log::{
    Abort, BatchEntry, ClosedWindows, Commit, Cut, Delivered, FailedGroups, FailedRows, Identity, Layer, ObjectEntry,
    ShardState, digest_hex,
};
pub use position::{Origin, ParsePositionError, Position, RecordPosition, Sequence, ShardRef};
pub use selection::Selection;
