//! One small trait for each outside role, and for each an executable suite that every implementation passes.
//!
//! - [`Source`]: shards of records, read in order.
//! - [`ObjectStore`]: named objects, whole or not at all.
//! - [`CommitLog`]: cuts, commits and aborts, each written once; and the lease that keeps a second writer out.
//! - [`Delivery`]: takes rows out besides the lake, at least once.
//! - [`Warehouse`]: SQL over what is committed; [`Loader`]: brings it into a warehouse of its own, once.
//! - [`Clock`], [`Alerts`]: time and news, injected so that a run can be repeated.
//! - [`rule`]: compiled rules as the flow sees them ([`RulePlan`], [`Step`], [`Fold`]).
//!
//! Failures carry a [`Kind`] that says what the caller does next. Outcomes that are expected are values, not errors.
//! `memory` holds implementations for tests, among them a store that loses what was not synced.

mod alerts;
mod clock;
mod commit_log;
mod delivery;
mod error;
pub mod failpoint;
mod loader;
pub mod memory;
mod object_store;
pub mod rule;
mod source;
pub mod suite;
mod warehouse;

pub use alerts::{Alert, Alerts};
pub use clock::{Clock, SystemClock};
pub use commit_log::{CommitLog, Entry, EntryKind, Lease, Put};
pub use delivery::{Delivery, Parcel};
pub use error::{Kind, PortError, Result};
pub use loader::{Column, LoadReport, Loader, Object, ObjectFormat, SetAside, Settled, Table, TableKind, TableReport};
pub use object_store::{ObjectMeta, ObjectStore};
pub use rule::{
    Cause, Fold, Output, Reason, Rejection, RuleId, RuleKind, RulePlan, Signature, Step, StepFailure, StepOutput,
};
pub use sluice_batch::Delivered as Receipt;
pub use source::{KnownShard, Payloads, Read, ShardInfo, ShardReader, Source, UnusablePayload};
pub use warehouse::{TableSpec, Warehouse};
