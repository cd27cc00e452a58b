//! A bucket as the commit log.

use super::bucket::{Bucket, Condition, S3Lake};
use super::keys::{DATASET, LOG, Listed, entry_name, mark_name, parse};
use super::lease::{Held, LeaseOptions, Observer, S3Lease, acquire};
use super::lease_cell::Cell;
use crate::client::Aws;
use async_trait::async_trait;
use bytes::Bytes;
use serde::Deserialize;
use sluice_ports::{CommitLog, Entry, EntryKind, Kind, Lease, PortError, Put, Result};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, watch};

/// Begins the object of an abort: it has its number's one end, where otherwise the commit is, as it was given.
const ABORT: &[u8] = b"sluice abort\n";
/// No host can renew a shorter lease in time.
const SHORTEST_TTL: Duration = Duration::from_secs(1);

/// Entries as objects that are put if there is none of their name.
///
/// Below the lake's prefix:
/// - `_sluice/log/000000000012.cut`, `000000000012.end`: the entries; an end is a commit or an abort, never both;
/// - `_sluice/log/000000000012.end-abort`: put before an abort, so that a listing tells which ends to look into;
/// - `_sluice/lease`: the lease, unless a table keeps it;
/// - `_sluice/dataset`: the name of the dataset, written once.
///
/// Two hosts that both believe that they hold the lease cannot both write an entry: the one that comes second is told
/// what is there. The lease only keeps them from trying. Clones share the lease and what was seen of it.
#[derive(Debug, Clone)]
pub struct S3Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bucket: Bucket,
    cell: Cell,
    ttl: Duration,
    dataset: OnceLock<String>,
    observer: AsyncMutex<Observer>,
    held: Mutex<Weak<Held>>,
    /// How many leases have not been let go.
    running: Arc<watch::Sender<usize>>,
}

impl S3Log {
    /// The log of a lake.
    pub fn new(aws: Aws, lake: S3Lake, lease: &LeaseOptions) -> Self {
        // small objects that are read at every start: the storage class is for the lake's
        let bucket = Bucket { aws, lake: S3Lake { storage_class: None, ..lake } };
        Self(Arc::new(Shared {
            cell: Cell::new(&bucket, lease.table.as_deref()),
            bucket,
            ttl: lease.ttl.max(SHORTEST_TTL),
            dataset: OnceLock::new(),
            observer: AsyncMutex::default(),
            held: Mutex::default(),
            running: Arc::new(watch::Sender::new(0)),
        }))
    }

    /// Waits until leases that were dropped are let go, up to 6 seconds: asked before the process ends, since another
    /// host would have to wait for them to expire.
    pub async fn settled(&self) {
        let mut running = self.0.running.subscribe();
        let _ = tokio::time::timeout(Duration::from_secs(6), running.wait_for(|count| *count == 0)).await;
    }

    /// Whether this process has the lease, and it still holds.
    pub fn holds(&self) -> bool {
        let held = self.0.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).upgrade();
        held.is_some_and(|held| held.check().is_ok())
    }

    /// Whether the lease of this log still holds, if it was acquired.
    fn allowed(&self) -> Result<()> {
        let held = self.0.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).upgrade();
        held.map_or(Ok(()), |held| held.check())
    }

    async fn check_dataset(&self, dataset: &str) -> Result<()> {
        let known = match self.known_dataset().await? {
            Some(known) => known,
            None => {
                let (bucket, policy) = (&self.0.bucket, self.0.bucket.aws.retry());
                let marker = Bytes::from(format!("{dataset}\n"));
                bucket.put_if(policy, DATASET, &marker, Condition::Absent, || Ok(())).await?;
                self.known_dataset().await?.unwrap_or_default()
            }
        };
        if known == dataset {
            return Ok(());
        }
        let lake = self.0.bucket.what("");
        let message = format!("lake {lake} belongs to dataset `{known}`, not to `{dataset}`; name another prefix");
        Err(PortError::new(Kind::Changed, message))
    }

    async fn known_dataset(&self) -> Result<Option<String>> {
        if let Some(known) = self.0.dataset.get() {
            return Ok(Some(known.clone()));
        }
        let Some(content) = self.0.bucket.find(DATASET).await? else { return Ok(None) };
        let text = String::from_utf8_lossy(&content.data);
        Ok(Some(self.0.dataset.get_or_init(|| text.trim_end_matches('\n').to_owned()).clone()))
    }

    /// The fence of the newest entry, which is the highest in the log.
    async fn newest_fence(&self) -> Result<u64> {
        #[derive(Deserialize)]
        struct Fenced {
            fence: u64,
        }
        let Some(newest) = self.entries().await?.last().copied() else { return Ok(0) };
        let data = self.get(newest).await?;
        Ok(serde_json::from_slice::<Fenced>(&data).map_or(0, |entry| entry.fence))
    }

    /// What a number's end is, if it has one.
    async fn end(&self, number: u64) -> Result<Option<(EntryKind, Bytes)>> {
        let name = entry_name(Entry { number, kind: EntryKind::Commit });
        Ok(self.0.bucket.find(&name).await?.map(|content| decode(&content.data)))
    }
}

/// Tells an abort from a commit.
fn decode(data: &Bytes) -> (EntryKind, Bytes) {
    if data.starts_with(ABORT) {
        return (EntryKind::Abort, data.slice(ABORT.len()..));
    }
    (EntryKind::Commit, data.clone())
}

/// The object of an entry.
fn encode(entry: Entry, data: Bytes) -> Result<Bytes> {
    match entry.kind {
        EntryKind::Abort => Ok(Bytes::from([ABORT, &data].concat())),
        EntryKind::Commit if data.starts_with(ABORT) => {
            Err(PortError::new(Kind::Fatal, format!("{entry}: a commit cannot begin as an abort does")))
        }
        EntryKind::Commit | EntryKind::Cut => Ok(data),
    }
}

#[async_trait]
impl CommitLog for S3Log {
    async fn acquire(&self, dataset: &str) -> Result<Box<dyn Lease>> {
        self.check_dataset(dataset).await?;
        let mut observer = self.0.observer.lock().await;
        let policy = self.0.bucket.aws.retry();
        let floor = || self.newest_fence();
        let (held, seen) = acquire(&self.0.cell, policy, self.0.ttl, &mut observer, floor).await?;
        *self.0.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Arc::downgrade(&held);
        Ok(Box::new(S3Lease::keep(held, self.0.cell.clone(), policy, seen, self.0.running.clone())))
    }

    async fn dataset(&self) -> Result<Option<String>> {
        self.known_dataset().await
    }

    async fn put(&self, entry: Entry, data: Bytes) -> Result<Put> {
        let (bucket, policy) = (&self.0.bucket, self.0.bucket.aws.retry());
        let (name, object) = (entry_name(entry), encode(entry, data)?);
        self.allowed()?;
        if entry.kind == EntryKind::Abort {
            bucket.put(&mark_name(entry.number), &Bytes::new()).await?;
        }
        let failed = match bucket.put_if(policy, &name, &object, Condition::Absent, || self.allowed()).await {
            Ok(Some(_)) => return Ok(Put::Written),
            Ok(None) => None,
            Err(error) if error.kind == Kind::Retry => Some(error),
            Err(error) => return Err(error),
        };
        // what is there is another's, or one's own of an attempt whose answer was lost
        match (bucket.find(&name).await?, failed) {
            (Some(there), _) if entry.kind == EntryKind::Cut => Ok(Put::Exists(there.data)),
            (Some(there), _) => Ok(Put::Exists(decode(&there.data).1)),
            (None, Some(error)) => Err(error),
            (None, None) => Err(vanished(&bucket.what(&name))),
        }
    }

    async fn get(&self, entry: Entry) -> Result<Bytes> {
        let name = entry_name(entry);
        let data = self.0.bucket.get(&name).await?.data;
        if entry.kind == EntryKind::Cut {
            return Ok(data);
        }
        match decode(&data) {
            (kind, content) if kind == entry.kind => Ok(content),
            _ => {
                let message = format!("there is no {entry}: {} is the other end", self.0.bucket.what(&name));
                Err(PortError::new(Kind::NotFound, message))
            }
        }
    }

    async fn entries(&self) -> Result<Vec<Entry>> {
        let listed: Vec<Listed> = self.0.bucket.list(LOG).await?.iter().filter_map(|(name, _)| parse(name)).collect();
        let marked: BTreeSet<u64> = listed
            .iter()
            .filter_map(|found| if let Listed::Mark(number) = found { Some(*number) } else { None })
            .collect();
        let mut entries = vec![];
        for found in listed {
            match found {
                Listed::Cut(number) => entries.push(Entry { number, kind: EntryKind::Cut }),
                Listed::End(number) if marked.contains(&number) => {
                    entries.extend(self.end(number).await?.map(|(kind, _)| Entry { number, kind }));
                }
                Listed::End(number) => entries.push(Entry { number, kind: EntryKind::Commit }),
                Listed::Mark(_) => {}
            }
        }
        entries.sort_unstable();
        Ok(entries)
    }
}

fn vanished(what: &str) -> PortError {
    let message =
        format!("{what} was there and is gone: entries of the log are never deleted; put it back from a copy");
    PortError::new(Kind::Fatal, message)
}
