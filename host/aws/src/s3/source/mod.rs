//! Files that land under a prefix, as a source: each object is one shard of bytes.
//!
//! - [`S3Source`]: objects as they are listed, or announced on a queue.
//! - `note`, `listing`, `queue`, `events`: which objects there are, and what is remembered of them.
//! - `reader`, `ranges`, `unpack`: an object's bytes, ahead of who reads them.

mod events;
mod listing;
mod note;
mod queue;
mod ranges;
mod reader;
mod unpack;

pub(crate) use listing::list;
pub(crate) use ranges::Pinned;
pub(crate) use unpack::{Packing, Unpacker};

use crate::client::Aws;
use async_trait::async_trait;
use listing::{Catalogue, Known};
use note::{Note, source_id};
use queue::Queue;
use sluice_batch::{Position, ShardRef};
use sluice_ports::{Kind, KnownShard, PortError, Result, ShardInfo, ShardReader, Source};
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How objects are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As their first bytes say; names and headers do not count.
    #[default]
    Auto,
    /// As they are, whatever their first bytes say.
    None,
    /// Gzip, also several members one after another.
    Gzip,
    /// Zstandard, also several frames one after another.
    Zstd,
}

/// Which objects, and how they are read.
#[derive(Debug, Clone)]
pub struct S3SourceConfig {
    /// Bucket.
    pub bucket: String,
    /// Prefix of the keys. A part below it that begins with a dot is passed over, as hidden files are.
    pub prefix: String,
    /// Queue on which S3 announces objects. Without one they are listed again and again while following.
    pub queue_url: Option<String>,
    /// Prefixes that are never read: those that Sluice itself writes below.
    pub exclude: Vec<String>,
    /// Endings of the keys, such as `.csv`; none: any.
    pub suffixes: Vec<String>,
    /// How they are stored.
    pub compression: Compression,
    /// Whether objects that land later are read too.
    pub follow: bool,
    /// While following without a queue: time between listings. Default 30 s.
    pub poll: Duration,
    /// Keys of objects that were replaced before they were read to their end; what is left of the earlier ones is given
    /// up, because a person said so (`--reread`).
    pub accept_changed: Vec<String>,
}

impl S3SourceConfig {
    /// All objects below a prefix.
    pub fn new(bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: prefix.into(),
            queue_url: None,
            exclude: Vec::new(),
            suffixes: Vec::new(),
            compression: Compression::Auto,
            follow: false,
            poll: Duration::from_secs(30),
            accept_changed: Vec::new(),
        }
    }

    /// Whether an object of this key is read.
    fn wants(&self, key: &str) -> bool {
        let Some(below) = key.strip_prefix(&self.prefix) else { return false };
        let hidden = below.split('/').any(|part| part.starts_with('.'));
        let excluded = self.exclude.iter().any(|prefix| key.starts_with(prefix));
        let ending = self.suffixes.is_empty() || self.suffixes.iter().any(|suffix| key.ends_with(suffix));
        !hidden && !excluded && ending
    }
}

/// Objects as shards.
///
/// An object is known by bucket, key and version, or by its ETag where the bucket keeps no versions: one that is put
/// again under its key is another shard. The reference is `s3:BUCKET/KEY@VERSION`; the note is JSON and enough to open the
/// shard again. Positions are offsets into the decompressed bytes; to go on within a compressed object it is decompressed
/// from its beginning.
#[derive(Debug)]
pub struct S3Source {
    aws: Aws,
    config: Arc<S3SourceConfig>,
    state: Mutex<State>,
    finished: Finished,
}

/// Shards that were read to their end.
type Finished = Arc<std::sync::Mutex<BTreeSet<ShardRef>>>;

#[derive(Debug)]
struct State {
    catalogue: Catalogue,
    listed_at: Option<Instant>,
    queue: Option<Queue>,
}

impl S3Source {
    /// A source of these objects. Nothing is read yet.
    pub fn new(aws: Aws, config: S3SourceConfig) -> Self {
        let config = Arc::new(config);
        let queue = config.queue_url.clone().map(|url| Queue::new(aws.clone(), config.clone(), url));
        let catalogue = Catalogue::new(aws.clone(), config.clone());
        let state = Mutex::new(State { catalogue, listed_at: None, queue });
        Self { aws, config, state, finished: Finished::default() }
    }

    /// Whether the prefix is to be listed now. With a queue that is done once: what lands later is announced.
    fn is_due(&self, listed_at: Option<Instant>) -> bool {
        match listed_at {
            None => true,
            Some(_) if self.config.queue_url.is_some() => false,
            Some(at) => !self.config.follow || at.elapsed() >= self.config.poll,
        }
    }

    fn pinned(&self, note: Note) -> Pinned {
        Pinned {
            aws: self.aws.clone(),
            bucket: self.config.bucket.clone(),
            key: note.key,
            etag: note.etag,
            version: note.version,
            size: note.size,
        }
    }

    /// The known shards that are objects of this bucket.
    fn known(&self, known: &[KnownShard]) -> Result<Vec<Known>> {
        let source = source_id(&self.config.bucket);
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = known.iter().filter(|known| *known.shard.source == *source);
        ours.map(|known| {
            let note = Note::parse(&known.note)?;
            let finished = finished.contains(&known.shard);
            Ok(Known { shard: known.shard.clone(), note, position: known.position, finished })
        })
        .collect()
    }
}

#[async_trait]
impl Source for S3Source {
    /// Objects are whole when they are there.
    fn keeps_open(&self) -> bool {
        false
    }

    async fn discover(&self, known: &[KnownShard]) -> Result<Vec<ShardInfo>> {
        let known = self.known(known)?;
        let State { catalogue, listed_at, queue } = &mut *self.state.lock().await;
        if self.is_due(*listed_at) {
            catalogue.list(&known).await?;
            *listed_at = Some(Instant::now());
        }
        if let Some(queue) = queue {
            queue.receive(catalogue, &known).await?;
        }
        catalogue.infos(&known)
    }

    async fn open(&self, shard: &ShardInfo, from: &Position) -> Result<Box<dyn ShardReader>> {
        let pinned = self.pinned(Note::parse(&shard.note)?);
        let finished = (self.finished.clone(), shard.shard.clone());
        let offset = match from {
            Position::ShardEnd => None,
            from => Some(from.as_offset().ok_or_else(|| {
                let message = format!("{pinned} cannot be read from `{from}`: an object has offsets only");
                PortError::new(Kind::Fatal, message)
            })?),
        };
        let reader = reader::open(pinned, self.config.compression, offset, finished).await?;
        Ok(Box::new(reader))
    }

    /// Deletes the messages of which every object is committed. Told at the start of what the last commit says, it also
    /// knows which of the objects that were replaced meanwhile had been read to their end.
    async fn committed(&self, ended: &[ShardRef]) -> Result<()> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner).extend(ended.iter().cloned());
        match &mut self.state.lock().await.queue {
            Some(queue) => queue.committed(ended).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_prefixes_hidden_parts_and_other_endings_are_no_source() {
        let config = S3SourceConfig {
            exclude: vec!["in/lake/".into()],
            suffixes: vec![".csv".into(), ".csv.gz".into()],
            ..S3SourceConfig::new("landing", "in/")
        };
        for key in ["in/a.csv", "in/b/c.csv.gz", "in/lake.csv"] {
            assert!(config.wants(key), "{key}");
        }
        for key in ["a.csv", "in/a.json", "in/lake/silver/a.csv", "in/.a.csv", "in/.tmp/a.csv"] {
            assert!(!config.wants(key), "{key}");
        }
    }
}
