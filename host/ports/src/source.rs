//! Where records come from.

use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;
use sluice_batch::{Position, ShardRef};

/// A stream of records, in shards.
///
/// Contract: records of a shard are given in the order of their positions, each once for one opened reader; a reader
/// opened at a position gives exactly what follows it. Reading moves nothing: what is done is known from commits alone.
#[async_trait]
pub trait Source: Send + Sync {
    /// The shards there are now, each once, in the order of their names. `known` are those of the last commit: a shard
    /// that is one of them comes back under the same reference.
    ///
    /// # Errors
    /// [`Kind::Changed`](crate::Kind::Changed) where a known shard is no longer what was recorded of it.
    async fn discover(&self, known: &[KnownShard]) -> Result<Vec<ShardInfo>>;

    /// Opens a shard to read what follows `from`.
    ///
    /// # Errors
    /// [`Kind::NotFound`](crate::Kind::NotFound) where the shard is gone, [`Kind::Changed`](crate::Kind::Changed)
    /// where it no longer reaches `from`.
    async fn open(&self, shard: &ShardInfo, from: &Position) -> Result<Box<dyn ShardReader>>;

    /// Whether its shards live on and are all read side by side: a stream, as opposed to a set of files.
    fn is_stream(&self) -> bool {
        false
    }

    /// Whether its shards, where they are followed, stay open for what is appended, so that all must be open at once.
    fn keeps_open(&self) -> bool {
        true
    }

    /// Tells that shards which are read to their end stand in a commit: what announced them may be forgotten.
    ///
    /// # Errors
    /// As the source fails; telling it again does no harm.
    async fn committed(&self, ended: &[ShardRef]) -> Result<()> {
        let _ = ended;
        Ok(())
    }
}

/// A shard as a commit remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownShard {
    /// The shard.
    pub shard: ShardRef,
    /// What the source said of it, see [`ShardInfo::note`].
    pub note: String,
    /// Where reading stands.
    pub position: Position,
}

/// A shard as the source finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// The shard.
    pub shard: ShardRef,
    /// Shards that must be read to their end before this one is begun.
    pub parents: Vec<ShardRef>,
    /// Short name for people: a file's path, a shard's id.
    pub label: String,
    /// What the source wants to be told again of this shard, kept with its position in the commits.
    pub note: String,
    /// Where it is begun if no commit says otherwise: the trim horizon, but for a stream that is not read from its
    /// beginning.
    pub start: Position,
    /// Bytes in it as stored (before decompression), where known: for progress only.
    pub size: Option<u64>,
}

/// Reads one shard.
#[async_trait]
pub trait ShardReader: Send {
    /// What comes next. Waits only as long as a fetch takes; a caller that gets [`Read::CaughtUp`] decides when to ask
    /// again.
    ///
    /// # Errors
    /// [`Kind::Broken`](crate::Kind::Broken) where the data ends or breaks before it should: what was given is good.
    async fn next(&mut self) -> Result<Read>;

    /// Bytes of [`ShardInfo::size`] consumed so far: for progress only.
    fn consumed(&self) -> u64;
}

/// A piece of a shard.
#[derive(Debug, Clone)]
pub enum Read {
    /// Bytes of a byte stream (a file), not cut at records. `offset` is that of the first byte, decompressed.
    Bytes {
        /// Offset of the first byte in the decompressed stream.
        offset: u64,
        /// The bytes, not empty.
        data: Bytes,
    },
    /// Payloads of a record stream.
    Payloads(Payloads),
    /// Nothing more now; there may be later.
    CaughtUp,
    /// Nothing more, as far as this run is concerned; another run may find more.
    End,
    /// The shard is closed and read to its end: nothing will ever follow, except in its children.
    Closed,
}

/// Payloads of a record stream, in the order of their positions. A payload may hold several records; a reader opened
/// after one of them begins with the payload behind it.
#[derive(Debug, Clone, Default)]
pub struct Payloads {
    /// Position of each; a payload's own rows are numbered by whoever decodes it.
    pub positions: Vec<sluice_batch::RecordPosition>,
    /// Content of each.
    pub data: Vec<Bytes>,
    /// Arrival of each, milliseconds since the epoch.
    pub arrived_at: Vec<i64>,
    /// Those whose content is not to be read as records, ascending.
    pub unusable: Vec<UnusablePayload>,
    /// How far the reader is behind the newest record, milliseconds, as the service says; for metrics only.
    pub millis_behind: Option<i64>,
}

/// A payload that the source could not make records of. It is one record, and is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusablePayload {
    /// Its place in [`Payloads::positions`].
    pub index: usize,
    /// Reason code: `kpl_outside_shard`, `kpl_malformed`, `payload_compression`.
    pub reason: &'static str,
    /// For people; holds nothing of the record.
    pub detail: String,
    /// Whether it is left out on purpose, counted as filtered, rather than quarantined.
    pub drop: bool,
}
