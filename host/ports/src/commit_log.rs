//! The commit log and the lease on it.

use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;
use std::fmt;

/// What kind of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// Which rows make up a segment.
    Cut,
    /// The segment happened.
    Commit,
    /// The segment never happened.
    Abort,
}

/// Name of an entry: number, then kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Number, from 1.
    pub number: u64,
    /// Kind.
    pub kind: EntryKind,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            EntryKind::Cut => "cut",
            EntryKind::Commit => "commit",
            EntryKind::Abort => "abort",
        };
        write!(f, "{:012}.{kind}", self.number)
    }
}

impl Entry {
    /// Reads back what [`fmt::Display`] writes.
    pub fn parse(name: &str) -> Option<Self> {
        let (number, kind) = name.split_once('.')?;
        let kind = match kind {
            "cut" => EntryKind::Cut,
            "commit" => EntryKind::Commit,
            "abort" => EntryKind::Abort,
            _ => return None,
        };
        (number.len() == 12).then_some(())?;
        Some(Self { number: number.parse().ok()?, kind })
    }
}

/// Outcome of putting an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It was written.
    Written,
    /// There is one already, with this content. The same bytes are one's own success.
    Exists(Bytes),
}

/// Numbered entries, each written once and never changed.
///
/// Contract: an entry is there whole or not at all, and is durable when the put returns; of two puts of one entry exactly
/// one writes. The log belongs to one dataset.
#[async_trait]
pub trait CommitLog: Send + Sync {
    /// Takes the log for this process. The lease is let go when it is dropped.
    ///
    /// # Errors
    /// [`Kind::Fenced`](crate::Kind::Fenced) where another process holds it, [`Kind::Changed`](crate::Kind::Changed)
    /// where it belongs to another dataset.
    async fn acquire(&self, dataset: &str) -> Result<Box<dyn Lease>>;

    /// The dataset that the log belongs to, if it has been acquired before.
    ///
    /// # Errors
    /// As the store fails.
    async fn dataset(&self) -> Result<Option<String>>;

    /// Puts an entry unless there is one.
    ///
    /// # Errors
    /// [`Kind::StorageFull`](crate::Kind::StorageFull) where even the reserve does not hold it.
    async fn put(&self, entry: Entry, data: Bytes) -> Result<Put>;

    /// Content of an entry.
    ///
    /// # Errors
    /// [`Kind::NotFound`](crate::Kind::NotFound) where there is none.
    async fn get(&self, entry: Entry) -> Result<Bytes>;

    /// All entries, in order.
    ///
    /// # Errors
    /// As the store fails.
    async fn entries(&self) -> Result<Vec<Entry>>;
}

/// The right to write, until it is dropped.
pub trait Lease: Send + Sync {
    /// A number higher than that of every lease before.
    fn fence(&self) -> u64;

    /// Whether the right still holds. Asked before every entry that is put and everything that is sent.
    ///
    /// # Errors
    /// [`Kind::Fenced`](crate::Kind::Fenced) where it was lost, or not renewed for so long that another may have it.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}
