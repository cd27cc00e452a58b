//! Failures at the call that a test names.

use crate::{
    CommitLog, Delivery, Entry, Kind, Lease, ObjectMeta, ObjectStore, Parcel, PortError, Put, Receipt, Result,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A call of a store, a log or a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Puts an object or an entry.
    Put,
    /// Gets one.
    Get,
    /// Lists objects or entries.
    List,
    /// Deletes objects.
    Delete,
    /// Makes puts durable.
    Sync,
    /// Takes the lease.
    Acquire,
    /// Sends a parcel.
    Deliver,
}

/// When the failure strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The call has no effect.
    Before,
    /// The call takes effect and the reply is lost.
    After,
}

/// A failure to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Which call.
    pub operation: Operation,
    /// The how manieth of these calls since the wrapper was made, from 1.
    pub nth: u64,
    /// How many calls in a row, `u64::MAX` for all that follow.
    pub times: u64,
    /// With which kind.
    pub kind: Kind,
    /// Before or after the effect.
    pub moment: Moment,
}

impl Fault {
    /// One call fails without effect.
    pub fn once(operation: Operation, nth: u64, kind: Kind) -> Self {
        Self { operation, nth, times: 1, kind, moment: Moment::Before }
    }

    fn strikes(&self, operation: Operation, number: u64) -> bool {
        self.operation == operation && number >= self.nth && number - self.nth < self.times
    }
}

/// Wraps a store, a log or a delivery, counts its calls and fails those that a test names.
#[derive(Debug, Default)]
pub struct Faulty<T> {
    inner: T,
    calls: Mutex<BTreeMap<Operation, u64>>,
    faults: Mutex<Vec<Fault>>,
}

impl<T> Faulty<T> {
    /// Fails nothing yet.
    pub fn new(inner: T) -> Self {
        Self { inner, calls: Mutex::default(), faults: Mutex::default() }
    }

    /// Adds a failure to come.
    pub fn fail(&self, fault: Fault) {
        self.faults.lock().unwrap().push(fault);
    }

    /// No more failures.
    pub fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// How often this was called, failed calls included: run once without faults, then once for each call.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.calls.lock().unwrap().get(&operation).copied().unwrap_or(0)
    }

    /// What is wrapped.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// Counts a call and fails it where its time has come; else says what befalls its reply.
    fn strike(&self, operation: Operation, what: &str) -> Result<Reply> {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            let number = calls.entry(operation).or_default();
            *number += 1;
            *number
        };
        let fault = self.faults.lock().unwrap().iter().find(|fault| fault.strikes(operation, number)).copied();
        let error = |kind| PortError::new(kind, format!("`{what}`: injected failure of call {number} ({operation:?})"));
        match fault {
            Some(Fault { moment: Moment::Before, kind, .. }) => Err(error(kind)),
            Some(Fault { moment: Moment::After, kind, .. }) => Ok(Reply(Some(error(kind)))),
            None => Ok(Reply(None)),
        }
    }
}

/// A reply that may get lost.
struct Reply(Option<PortError>);

impl Reply {
    fn pass<V>(self, value: Result<V>) -> Result<V> {
        match self.0 {
            Some(lost) => value.and(Err(lost)),
            None => value,
        }
    }
}

#[async_trait]
impl<T: ObjectStore> ObjectStore for Faulty<T> {
    async fn put(&self, name: &str, data: Bytes) -> Result<()> {
        self.strike(Operation::Put, name)?.pass(self.inner.put(name, data).await)
    }

    async fn get(&self, name: &str) -> Result<Bytes> {
        self.strike(Operation::Get, name)?.pass(self.inner.get(name).await)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.strike(Operation::List, prefix)?.pass(self.inner.list(prefix).await)
    }

    async fn delete(&self, names: &[String]) -> Result<()> {
        let first = names.first().map_or("", String::as_str);
        self.strike(Operation::Delete, first)?.pass(self.inner.delete(names).await)
    }

    async fn sync(&self) -> Result<()> {
        self.strike(Operation::Sync, "sync")?.pass(self.inner.sync().await)
    }

    async fn clean(&self) -> Result<()> {
        self.inner.clean().await
    }
}

#[async_trait]
impl<T: CommitLog> CommitLog for Faulty<T> {
    async fn acquire(&self, dataset: &str) -> Result<Box<dyn Lease>> {
        self.strike(Operation::Acquire, dataset)?.pass(self.inner.acquire(dataset).await)
    }

    async fn dataset(&self) -> Result<Option<String>> {
        self.inner.dataset().await
    }

    async fn put(&self, entry: Entry, data: Bytes) -> Result<Put> {
        self.strike(Operation::Put, &entry.to_string())?.pass(self.inner.put(entry, data).await)
    }

    async fn get(&self, entry: Entry) -> Result<Bytes> {
        self.strike(Operation::Get, &entry.to_string())?.pass(self.inner.get(entry).await)
    }

    async fn entries(&self) -> Result<Vec<Entry>> {
        self.strike(Operation::List, "entries")?.pass(self.inner.entries().await)
    }
}

#[async_trait]
impl<T: Delivery> Delivery for Faulty<T> {
    async fn deliver(&self, parcel: Parcel<'_>) -> Result<Receipt> {
        self.strike(Operation::Deliver, parcel.table)?.pass(self.inner.deliver(parcel).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryLog, MemoryStore};
    use crate::{EntryKind, suite};

    #[tokio::test]
    async fn without_faults_the_wrapper_keeps_the_contracts() {
        let stores: suite::Places<MemoryStore> = suite::Places::default();
        suite::object_store(async |place: &str| Faulty::new(stores.at(place))).await;
        let logs: suite::Places<MemoryLog> = suite::Places::default();
        suite::commit_log(async |place: &str| Faulty::new(logs.at(place))).await;
    }

    #[tokio::test]
    async fn only_the_named_calls_fail() {
        let store = Faulty::new(MemoryStore::default());
        store.fail(Fault { times: 2, ..Fault::once(Operation::Put, 2, Kind::StorageFull) });
        let mut failed = vec![];
        for name in ["a", "b", "c", "d"] {
            if let Err(error) = store.put(name, Bytes::new()).await {
                assert_eq!(error.kind, Kind::StorageFull);
                failed.push(name);
            }
        }
        assert_eq!((failed, store.calls(Operation::Put)), (vec!["b", "c"], 4));
        assert_eq!(store.inner().objects().len(), 2);
    }

    #[tokio::test]
    async fn a_lost_reply_has_had_its_effect() {
        let log = Faulty::new(MemoryLog::default());
        log.fail(Fault { moment: Moment::After, ..Fault::once(Operation::Put, 1, Kind::Retry) });
        let entry = Entry { number: 1, kind: EntryKind::Cut };
        assert_eq!(log.put(entry, Bytes::from_static(b"x")).await.unwrap_err().kind, Kind::Retry);
        assert_eq!(log.put(entry, Bytes::from_static(b"x")).await.unwrap(), Put::Exists(Bytes::from_static(b"x")));
    }
}
