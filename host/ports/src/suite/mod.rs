//! Executable contracts: each implementation's tests call the suite of its trait.
//!
//! A suite is given a function that makes the thing under test. Stores and logs are made by place: two made at one place
//! share what they hold, as two processes share a folder; each place starts empty. Sources are made from what they are to
//! hold. A suite panics where the contract is broken, saying which sentence of it.

mod commit_log;
mod delivery;
mod loader;
mod object_store;
mod source;

pub use commit_log::commit_log;
pub use delivery::{delivery, delivery_rows};
pub use loader::{LoaderPlace, loader};
pub use object_store::object_store;
pub use source::{payload_source, read_bytes, source};

use std::collections::BTreeMap;
use std::sync::Mutex;

/// Hands out one value for each place, for implementations whose clones share what they hold.
#[derive(Debug, Default)]
pub struct Places<T>(Mutex<BTreeMap<String, T>>);

impl<T: Clone + Default> Places<T> {
    /// The value at a place, made when first asked for.
    pub fn at(&self, place: &str) -> T {
        self.0.lock().unwrap().entry(place.to_owned()).or_default().clone()
    }
}
