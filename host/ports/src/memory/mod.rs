//! Implementations in memory, for tests.
//!
//! - [`MemoryStore`] and [`LossyStore`]: objects; the second loses what was not synced when it crashes.
//! - [`MemoryLog`]: entries are durable at once, as a log's must be; a crash lets the lease go.
//! - [`MemorySource`]: shards given as bytes or payloads, that a test can append to, replace and break.
//! - [`MemoryDelivery`]: keeps the parcels that it is given.
//! - [`MemoryLoader`]: a warehouse, and the objects that it loads from.
//! - [`ManualClock`], [`MemoryAlerts`]: time that a test moves, news that it reads.
//! - [`Faulty`]: wraps a store, a log or a delivery and fails the calls that a test names, before or after they take
//!   effect.

mod alerts;
mod clock;
mod delivery;
mod fault;
mod loader;
mod log;
mod source;
mod store;

pub use alerts::MemoryAlerts;
pub use clock::ManualClock;
pub use delivery::{Delivered, MemoryDelivery};
pub use fault::{Fault, Faulty, Moment, Operation};
pub use loader::{Cell, MemoryLoader, Row};
pub use log::MemoryLog;
pub use source::{MemorySource, Payload};
pub use store::{Fate, LossyStore, MemoryStore};
