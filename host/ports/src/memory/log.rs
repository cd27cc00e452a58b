//! A commit log in memory.

use crate::{CommitLog, Entry, Kind, Lease, PortError, Put, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Entries in a map. Clones share it, as two processes share a folder.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    dataset: Option<String>,
    fence: u64,
    held: Option<u64>,
    entries: BTreeMap<Entry, Bytes>,
}

impl MemoryLog {
    /// The process that holds the lease dies. Entries are durable and stay; a lease dropped after this lets nothing go.
    pub fn crash(&self) {
        self.0.lock().unwrap().held = None;
    }

    /// All entries with their content.
    pub fn content(&self) -> BTreeMap<Entry, Bytes> {
        self.0.lock().unwrap().entries.clone()
    }

    /// Takes an entry away, to build the log of a process that died before it wrote it.
    pub fn remove(&self, entry: Entry) -> Option<Bytes> {
        self.0.lock().unwrap().entries.remove(&entry)
    }
}

struct MemoryLease {
    state: Arc<Mutex<State>>,
    fence: u64,
}

impl Lease for MemoryLease {
    fn fence(&self) -> u64 {
        self.fence
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap();
        if state.held == Some(self.fence) {
            state.held = None;
        }
    }
}

#[async_trait]
impl CommitLog for MemoryLog {
    async fn acquire(&self, dataset: &str) -> Result<Box<dyn Lease>> {
        let mut state = self.0.lock().unwrap();
        if let Some(other) = state.dataset.as_deref().filter(|known| *known != dataset) {
            let message = format!("this log belongs to dataset `{other}`, not to `{dataset}`; use another log");
            return Err(PortError::new(Kind::Changed, message));
        }
        if let Some(fence) = state.held {
            return Err(PortError::new(Kind::Fenced, format!("this log is held under fence {fence}; let it go first")));
        }
        state.dataset = Some(dataset.to_owned());
        state.fence += 1;
        state.held = Some(state.fence);
        Ok(Box::new(MemoryLease { state: self.0.clone(), fence: state.fence }))
    }

    async fn dataset(&self) -> Result<Option<String>> {
        Ok(self.0.lock().unwrap().dataset.clone())
    }

    async fn put(&self, entry: Entry, data: Bytes) -> Result<Put> {
        let mut state = self.0.lock().unwrap();
        if let Some(there) = state.entries.get(&entry) {
            return Ok(Put::Exists(there.clone()));
        }
        state.entries.insert(entry, data);
        Ok(Put::Written)
    }

    async fn get(&self, entry: Entry) -> Result<Bytes> {
        let found = self.0.lock().unwrap().entries.get(&entry).cloned();
        found.ok_or_else(|| PortError::new(Kind::NotFound, format!("the log holds no entry `{entry}`")))
    }

    async fn entries(&self) -> Result<Vec<Entry>> {
        Ok(self.0.lock().unwrap().entries.keys().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    #[tokio::test]
    async fn it_keeps_the_contract() {
        let logs: suite::Places<MemoryLog> = suite::Places::default();
        suite::commit_log(async |place: &str| logs.at(place)).await;
    }

    #[tokio::test]
    async fn the_lease_of_a_dead_process_lets_nothing_go() {
        let log = MemoryLog::default();
        let dead = log.acquire("d").await.unwrap();
        log.crash();
        let alive = log.acquire("d").await.unwrap();
        drop(dead);
        assert_eq!(log.acquire("d").await.err().unwrap().kind, Kind::Fenced);
        assert_eq!(alive.fence(), 2);
    }
}
