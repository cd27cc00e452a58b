//! A folder as the commit log.

mod lease;
mod reserve;

use crate::blocking::blocking;
use crate::disk;
use crate::layout::{DATASET, LOG, temp_name};
use async_trait::async_trait;
use bytes::Bytes;
use lease::DirLease;
use reserve::Reserve;
use sluice_ports::{CommitLog, Entry, EntryKind, Kind, Lease, PortError, Put, Result, failpoint};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Entries as files, each of which arrives whole by hard link and is durable when its put returns.
///
/// In the dataset's folder:
/// - `_sluice/log/000000000012.cut` (`.commit`, `.abort`): the entries;
/// - `_sluice/lock`: locked by the process that writes, whose id it holds;
/// - `_sluice/fence`: the number of the last lease;
/// - `_sluice/dataset`: the name of the dataset, written once;
/// - `_sluice/reserve`: 4 MiB that are given up when an entry meets a full disk, and made again by the next lease.
///
/// Reading needs no lease and changes nothing in the folder.
#[derive(Debug, Clone)]
pub struct DirLog {
    root: PathBuf,
}

impl DirLog {
    /// The log in a dataset's folder, which need not be there before the log is acquired.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, entry: Entry) -> PathBuf {
        self.root.join(LOG).join(entry.to_string())
    }

    fn acquire_now(&self, dataset: &str) -> Result<DirLease> {
        // before anything is made or locked: a folder of another dataset is left as it is
        self.check_dataset(dataset)?;
        disk::create_durable_folder(&self.root.join(LOG)).map_err(|error| {
            let message = format!("data folder `{}`: {}", self.root.display(), error.message);
            PortError { message, ..error }
        })?;
        let lock = lease::lock(&self.root)?;
        lease::remove_temps(&self.root)?;
        let marker = self.root.join(DATASET);
        let temp = self.root.join(LOG).join(temp_name());
        if !marker.exists() {
            disk::create_file_once(&temp, &marker, format!("{dataset}\n").as_bytes(), || ())?;
        }
        self.check_dataset(dataset)?;
        let fence = lease::raise_fence(&self.root)?;
        Reserve::of(&self.root).make()?;
        Ok(DirLease::new(lock, fence))
    }

    fn check_dataset(&self, dataset: &str) -> Result<()> {
        let Some(other) = self.dataset_now()?.filter(|known| known != dataset) else { return Ok(()) };
        let message = format!(
            "data folder `{}` belongs to dataset `{other}`, not to `{dataset}`; name another folder",
            self.root.display()
        );
        Err(PortError::new(Kind::Changed, message))
    }

    fn dataset_now(&self) -> Result<Option<String>> {
        Ok(read_text(&self.root.join(DATASET))?.map(|text| text.trim_end_matches('\n').to_owned()))
    }

    fn put_now(&self, entry: Entry, data: &[u8]) -> Result<Put> {
        match self.try_put(entry, data) {
            Err(error) if error.kind == Kind::StorageFull && Reserve::of(&self.root).give_up()? => {
                tracing::warn!(entry = %entry, "the disk is full; the entry takes the room kept in reserve");
                self.try_put(entry, data)
            }
            result => result,
        }
    }

    fn try_put(&self, entry: Entry, data: &[u8]) -> Result<Put> {
        let temp = self.root.join(LOG).join(temp_name());
        let half_way = || {
            if entry.kind == EntryKind::Commit {
                failpoint::hit("during-commit");
            }
        };
        if disk::create_file_once(&temp, &self.path(entry), data, half_way)? {
            return Ok(Put::Written);
        }
        self.get_now(entry).map(Put::Exists)
    }

    fn get_now(&self, entry: Entry) -> Result<Bytes> {
        let path = self.path(entry);
        let failed = |error| PortError::io(format_args!("cannot read the log entry `{}`", path.display()), error);
        fs::read(&path).map(Bytes::from).map_err(failed)
    }

    fn entries_now(&self) -> Result<Vec<Entry>> {
        let folder = self.root.join(LOG);
        let failed = |error| PortError::io(format_args!("cannot list the log `{}`", folder.display()), error);
        let found = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
            found => found.map_err(failed)?,
        };
        let mut entries = vec![];
        for entry in found {
            let name = entry.map_err(failed)?.file_name();
            entries.extend(name.to_str().and_then(Entry::parse));
        }
        entries.sort_unstable();
        Ok(entries)
    }
}

/// Content of a small file, if it is there.
fn read_text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PortError::io(format_args!("cannot read `{}`", path.display()), error)),
    }
}

#[async_trait]
impl CommitLog for DirLog {
    async fn acquire(&self, dataset: &str) -> Result<Box<dyn Lease>> {
        let (log, dataset) = (self.clone(), dataset.to_owned());
        blocking(move || Ok(Box::new(log.acquire_now(&dataset)?) as Box<dyn Lease>)).await
    }

    async fn dataset(&self) -> Result<Option<String>> {
        let log = self.clone();
        blocking(move || log.dataset_now()).await
    }

    async fn put(&self, entry: Entry, data: Bytes) -> Result<Put> {
        let log = self.clone();
        blocking(move || log.put_now(entry, &data)).await
    }

    async fn get(&self, entry: Entry) -> Result<Bytes> {
        let log = self.clone();
        blocking(move || log.get_now(entry)).await
    }

    async fn entries(&self) -> Result<Vec<Entry>> {
        let log = self.clone();
        blocking(move || log.entries_now()).await
    }
}
