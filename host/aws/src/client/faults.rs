//! What went wrong on the way, although it may have come right.

use super::Class;
use super::classify::of_code;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Failed attempts, counted by operation and code. Each is a tracing event of target `sluice::fault` besides. Clones share
/// the counts.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Counts>>);

/// By operation, code and class.
type Counts = BTreeMap<(String, String, Class), u64>;

/// How often an operation failed in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultCount {
    /// Operation, such as `PutRecordBatch`.
    pub operation: String,
    /// The service's code, or `timeout`, `dispatch` or `response` where there was no answer that could be read.
    pub code: String,
    /// What the retries made of it.
    pub class: Class,
    /// Times.
    pub count: u64,
}

impl Faults {
    /// Counts one, and tells.
    pub fn note(&self, operation: &str, code: &str, class: Class, request_id: &str, attempt: u32) {
        tracing::warn!(
            target: "sluice::fault",
            operation, request_id, code, class = class.as_str(), attempt,
            "{operation} failed: {code} (attempt {attempt})"
        );
        self.count(operation, code, class);
    }

    /// Counts an answer that succeeded in part: `entries` of its entries failed with this code.
    pub fn note_partial(&self, operation: &str, code: &str, request_id: &str, entries: usize, attempt: u32) {
        tracing::warn!(
            target: "sluice::fault",
            operation, request_id, code, class = "partial", attempt, entries,
            "{operation} failed for {entries} entries: {code} (attempt {attempt})"
        );
        self.count(operation, code, of_code(code).unwrap_or(Class::Transient));
    }

    fn count(&self, operation: &str, code: &str, class: Class) {
        *self.counted().entry((operation.to_owned(), code.to_owned(), class)).or_default() += 1;
    }

    fn counted(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts so far, in the order of operations and codes.
    pub fn counts(&self) -> Vec<FaultCount> {
        let one = |((operation, code, class), count): (&(String, String, Class), &u64)| FaultCount {
            operation: operation.clone(),
            code: code.clone(),
            class: *class,
            count: *count,
        };
        self.counted().iter().map(one).collect()
    }

    /// How many there were of an operation.
    pub fn of(&self, operation: &str) -> u64 {
        self.counts().iter().filter(|fault| fault.operation == operation).map(|fault| fault.count).sum()
    }
}
