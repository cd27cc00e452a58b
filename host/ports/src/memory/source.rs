//! A source whose shards a test writes.

use crate::{Kind, KnownShard, Payloads, PortError, Read, Result, ShardInfo, ShardReader, Source};
use async_trait::async_trait;
use bytes::Bytes;
use sluice_batch::{Position, RecordPosition, ShardRef};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// One payload of a record stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Where it stands; its row is 0.
    pub position: RecordPosition,
    /// Content.
    pub data: Bytes,
    /// Arrival, milliseconds since the epoch.
    pub arrived_at: i64,
}

#[derive(Debug, Clone)]
enum Content {
    Bytes(Vec<u8>),
    Payloads(Vec<Payload>),
}

#[derive(Debug, Clone)]
struct Shard {
    content: Content,
    /// Counts replacements: a commit that remembers another one meets a changed shard.
    generation: u64,
    parents: Vec<String>,
    /// An open shard gives [`Read::CaughtUp`] where a closed one gives [`Read::End`] (bytes) or
    /// [`Read::Closed`] (payloads).
    open: bool,
    broken: bool,
}

type Shards = BTreeMap<String, Shard>;

/// Shards by name. Clones share them; a reader sees what is appended after it was opened.
#[derive(Debug, Clone)]
pub struct MemorySource {
    name: Arc<str>,
    block: usize,
    shards: Arc<Mutex<Shards>>,
}

impl MemorySource {
    /// A source without shards. `block`: greatest number of bytes, or of payloads, that one read gives.
    pub fn new(name: &str, block: usize) -> Self {
        Self { name: name.into(), block: block.max(1), shards: Arc::default() }
    }

    /// Appends to a shard of bytes, which is made where it is not there.
    pub fn bytes(&self, shard: &str, data: &[u8]) {
        self.with(shard, Content::Bytes(Vec::new()), |found| match &mut found.content {
            Content::Bytes(bytes) => bytes.extend_from_slice(data),
            Content::Payloads(_) => panic!("shard `{shard}` holds payloads"),
        });
    }

    /// Appends to a shard of payloads, which is made where it is not there.
    pub fn payloads(&self, shard: &str, payloads: impl IntoIterator<Item = Payload>) {
        self.with(shard, Content::Payloads(Vec::new()), |found| match &mut found.content {
            Content::Payloads(all) => all.extend(payloads),
            Content::Bytes(_) => panic!("shard `{shard}` holds bytes"),
        });
    }

    /// Puts other bytes in place of a shard's, as a rotated file does.
    pub fn replace(&self, shard: &str, data: &[u8]) {
        self.with(shard, Content::Bytes(Vec::new()), |found| {
            found.content = Content::Bytes(data.to_vec());
            found.generation += 1;
        });
    }

    /// A shard is read after its parents.
    pub fn parents(&self, shard: &str, parents: &[&str]) {
        self.with(shard, Content::Payloads(Vec::new()), |found| {
            found.parents = parents.iter().map(ToString::to_string).collect();
        });
    }

    /// Leaves a shard open (followed) or closes it. Shards are closed unless this says otherwise.
    pub fn set_open(&self, shard: &str, open: bool) {
        self.with(shard, Content::Bytes(Vec::new()), |found| found.open = open);
    }

    /// Makes a shard of bytes break where it ends now.
    pub fn set_broken(&self, shard: &str) {
        self.with(shard, Content::Bytes(Vec::new()), |found| found.broken = true);
    }

    /// Takes a shard away.
    pub fn remove(&self, shard: &str) {
        self.shards.lock().unwrap().remove(shard);
    }

    /// The reference of a shard by its name.
    pub fn shard(&self, name: &str) -> ShardRef {
        ShardRef::new(self.name.clone(), name)
    }

    fn with(&self, name: &str, content: Content, change: impl FnOnce(&mut Shard)) {
        let fresh = || Shard { content, generation: 0, parents: Vec::new(), open: false, broken: false };
        change(self.shards.lock().unwrap().entry(name.to_owned()).or_insert_with(fresh));
    }

    fn info(&self, name: &str, shard: &Shard) -> ShardInfo {
        let size = match &shard.content {
            Content::Bytes(bytes) => Some(bytes.len() as u64),
            Content::Payloads(_) => None,
        };
        ShardInfo {
            shard: self.shard(name),
            parents: shard.parents.iter().map(|parent| self.shard(parent)).collect(),
            label: name.to_owned(),
            note: format!("generation {}", shard.generation),
            start: Position::TrimHorizon,
            size,
        }
    }
}

/// Says that a shard is not what a commit remembers.
fn changed(shard: &ShardRef, what: impl std::fmt::Display) -> PortError {
    PortError::new(Kind::Changed, format!("shard `{shard}` {what}; put back what was there"))
}

#[async_trait]
impl Source for MemorySource {
    async fn discover(&self, known: &[KnownShard]) -> Result<Vec<ShardInfo>> {
        let shards = self.shards.lock().unwrap();
        let infos: Vec<ShardInfo> = shards.iter().map(|(name, shard)| self.info(name, shard)).collect();
        for known in known {
            let Some(info) = infos.iter().find(|info| info.shard == known.shard) else { continue };
            if info.note != known.note {
                return Err(changed(&known.shard, "was replaced"));
            }
            if known.position.as_offset().zip(info.size).is_some_and(|(offset, size)| size < offset) {
                return Err(changed(&known.shard, format_args!("ends before {}", known.position)));
            }
        }
        Ok(infos)
    }

    async fn open(&self, info: &ShardInfo, from: &Position) -> Result<Box<dyn ShardReader>> {
        let shards = self.shards.lock().unwrap();
        let name = info.shard.shard.to_string();
        let gone = || PortError::new(Kind::NotFound, format!("there is no shard `{}`", info.shard));
        let shard = shards.get(&name).ok_or_else(gone)?;
        let next = match (&shard.content, from) {
            (Content::Bytes(bytes), Position::ShardEnd) => bytes.len(),
            (Content::Bytes(bytes), _) => match from.as_offset() {
                Some(offset) if offset <= bytes.len() as u64 => offset as usize,
                _ => return Err(changed(&info.shard, format_args!("does not reach {from}"))),
            },
            (Content::Payloads(all), _) => all.iter().position(|payload| follows(payload, from)).unwrap_or(all.len()),
        };
        Ok(Box::new(MemoryReader { source: self.clone(), name, next }))
    }

    fn is_stream(&self) -> bool {
        self.shards.lock().unwrap().values().any(|shard| matches!(shard.content, Content::Payloads(_)))
    }
}

/// Whether a payload comes after a position. A position within a payload stands for the whole of it.
fn follows(payload: &Payload, from: &Position) -> bool {
    match from {
        Position::TrimHorizon => true,
        Position::AtTimestamp(ms) => payload.arrived_at >= *ms,
        Position::At(record) => (payload.position.sequence, payload.position.sub) > (record.sequence, record.sub),
        Position::ShardEnd => false,
    }
}

struct MemoryReader {
    source: MemorySource,
    name: String,
    /// Bytes or payloads given so far, and skipped.
    next: usize,
}

#[async_trait]
impl ShardReader for MemoryReader {
    async fn next(&mut self) -> Result<Read> {
        let shards = self.source.shards.lock().unwrap();
        let gone = || PortError::new(Kind::NotFound, format!("shard `{}` is gone", self.name));
        let shard = shards.get(&self.name).ok_or_else(gone)?;
        let (from, block) = (self.next, self.source.block);
        let read = match &shard.content {
            Content::Bytes(bytes) if from < bytes.len() => {
                self.next = bytes.len().min(from + block);
                Read::Bytes { offset: from as u64, data: Bytes::copy_from_slice(&bytes[from..self.next]) }
            }
            Content::Payloads(all) if from < all.len() => {
                self.next = all.len().min(from + block);
                Read::Payloads(pack(&all[from..self.next]))
            }
            _ if shard.broken => {
                let message = format!("shard `{}` breaks at offset {from}", self.name);
                return Err(PortError::new(Kind::Broken, message));
            }
            _ if shard.open => Read::CaughtUp,
            Content::Payloads(_) => Read::Closed,
            Content::Bytes(_) => Read::End,
        };
        Ok(read)
    }

    fn consumed(&self) -> u64 {
        self.next as u64
    }
}

fn pack(payloads: &[Payload]) -> Payloads {
    Payloads {
        positions: payloads.iter().map(|payload| payload.position).collect(),
        data: payloads.iter().map(|payload| payload.data.clone()).collect(),
        arrived_at: payloads.iter().map(|payload| payload.arrived_at).collect(),
        ..Payloads::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    #[tokio::test]
    async fn it_keeps_the_contract_at_any_block_size() {
        for block in [13, 4097, 1 << 20] {
            suite::source(async |shards: &[Vec<u8>]| {
                let source = MemorySource::new("m", block);
                shards.iter().enumerate().for_each(|(i, data)| source.bytes(&format!("{i:04}"), data));
                source
            })
            .await;
            suite::payload_source(async |shards: &[Vec<Payload>]| {
                let source = MemorySource::new("m", block);
                for (i, payloads) in shards.iter().enumerate() {
                    source.payloads(&format!("{i:04}"), payloads.clone());
                }
                source
            })
            .await;
        }
    }

    #[tokio::test]
    async fn a_followed_shard_grows_and_a_replaced_one_is_noticed() {
        let source = MemorySource::new("m", 100);
        source.bytes("s", b"one");
        source.set_open("s", true);
        let info = source.discover(&[]).await.unwrap().remove(0);
        let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
        assert!(matches!(reader.next().await.unwrap(), Read::Bytes { offset: 0, .. }));
        assert!(matches!(reader.next().await.unwrap(), Read::CaughtUp));
        source.bytes("s", b"two");
        assert!(matches!(reader.next().await.unwrap(), Read::Bytes { offset: 3, .. }));
        let known = KnownShard { shard: info.shard, note: info.note, position: Position::offset(6) };
        source.replace("s", b"another");
        assert_eq!(source.discover(&[known]).await.unwrap_err().kind, Kind::Changed);
    }

    #[tokio::test]
    async fn a_broken_shard_gives_its_bytes_first() {
        let source = MemorySource::new("m", 100);
        source.bytes("s", b"one");
        source.set_broken("s");
        let info = source.discover(&[]).await.unwrap().remove(0);
        let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
        assert!(matches!(reader.next().await.unwrap(), Read::Bytes { .. }));
        assert_eq!(reader.next().await.unwrap_err().kind, Kind::Broken);
    }
}
