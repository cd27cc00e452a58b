//! Starting again: the cut without its commit is run again by its log, or aborted.

use crate::error::{FlowError, Result};
use crate::pipeline::Pipeline;
use crate::run::Ports;
use crate::segment::{Closing, Segments};
use crate::stream::{Fill, ShardStream, hex};
use crate::work::{ShardTag, WorkItem, Worker};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use sluice_batch::{Abort, BatchEntry, Commit, Cut, Layer, Position, ShardRef};
use sluice_ports::{Entry, EntryKind, Kind, KnownShard, ShardInfo};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What starting again found.
pub(crate) struct Recovered {
    pub(crate) segments: Segments,
    /// The commit that a cut left open became, if there was one.
    pub(crate) commit: Option<Commit>,
    pub(crate) notes: Vec<String>,
}

/// Reads the log and brings it to a commit or an abort.
pub(crate) async fn recover(pipeline: &Arc<Pipeline>, ports: &Ports, fence: u64, threads: usize) -> Result<Recovered> {
    let entries = ports.log.entries().await?;
    let last = entries.iter().rev().find(|entry| entry.kind == EntryKind::Commit);
    let last: Option<Commit> = match last {
        Some(entry) => Some(read(ports, *entry).await?),
        None => None,
    };
    let open = entries.last().copied().filter(|entry| entry.kind == EntryKind::Cut);
    let mut next = entries.last().map_or(1, |entry| entry.number + u64::from(open.is_none()));
    let restore = |number| {
        let (store, log) = (ports.store.clone(), ports.log.clone());
        Segments::restore(pipeline.clone(), store, log, fence, threads, last.as_ref(), number)
    };
    ports.store.clean().await?;
    let mut notes = Vec::new();
    if let Some(entry) = open {
        let cut: Cut = read(ports, entry).await?;
        let again = match restore(next).await {
            Ok(segments) => Replay { pipeline, ports, cut: &cut }.run(segments).await,
            Err(error) => Err(error.into()),
        };
        match again {
            Ok((segments, commit)) => {
                notes.push(format!("cut {} was left without its commit and was run again", cut.number));
                sweep(ports, commit.as_ref()).await?;
                return Ok(Recovered { segments, commit, notes });
            }
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Differs(reason)) => {
                abort(ports, &cut, fence, &reason).await?;
                notes.push(format!("cut {} was aborted and its records are cut anew: {reason}", cut.number));
                next = cut.number + 1;
            }
        }
    }
    sweep(ports, last.as_ref()).await?;
    Ok(Recovered { segments: restore(next).await?, commit: None, notes })
}

/// Removes state objects that no commit needs any more.
async fn sweep(ports: &Ports, last: Option<&Commit>) -> Result<()> {
    let needed = |name: &str| last.is_some_and(|commit| commit.state.iter().any(|entry| entry.name == name));
    let all = ports.store.list(&format!("{}/", Layer::State.folder())).await?;
    let gone: Vec<String> = all.into_iter().map(|meta| meta.name).filter(|name| !needed(name)).collect();
    if !gone.is_empty() {
        ports.store.delete(&gone).await?;
    }
    Ok(())
}

async fn abort(ports: &Ports, cut: &Cut, fence: u64, reason: &str) -> Result<()> {
    let digest = cut.digest();
    let mark = format!("{:012}-{}-", cut.number, &digest[..16]);
    let all = ports.store.list("").await?;
    let ours: Vec<String> = all.into_iter().map(|meta| meta.name).filter(|name| name.contains(&mark)).collect();
    ports.store.delete(&ours).await?;
    ports.store.sync().await?;
    let abort = Abort { number: cut.number, fence, cut: digest, reason: reason.to_owned() };
    let entry = Entry { number: cut.number, kind: EntryKind::Abort };
    ports.log.put(entry, Bytes::from(abort.to_bytes())).await?;
    Ok(())
}

async fn read<T: DeserializeOwned>(ports: &Ports, entry: Entry) -> Result<T> {
    let bytes = ports.log.get(entry).await?;
    serde_json::from_slice(&bytes)
        .map_err(|e| FlowError::Log(format!("{entry} cannot be read: {e}; put the data folder back from a copy")))
}

/// Why a cut was not run again.
enum Stop {
    /// It cannot be had exactly: it is aborted.
    Differs(String),
    /// Something else is wrong: nothing is decided.
    Failed(FlowError),
}

impl From<FlowError> for Stop {
    fn from(error: FlowError) -> Self {
        match &error {
            FlowError::Port(port) if matches!(port.kind, Kind::Changed | Kind::NotFound | Kind::Broken) => {
                Self::Differs(format!("its input cannot be had any more: {error}"))
            }
            FlowError::Input { .. } | FlowError::Plan(_) => Self::Differs(error.to_string()),
            _ => Self::Failed(error),
        }
    }
}

struct Replay<'a> {
    pipeline: &'a Arc<Pipeline>,
    ports: &'a Ports,
    cut: &'a Cut,
}

impl Replay<'_> {
    async fn run(&self, mut segments: Segments) -> std::result::Result<(Segments, Option<Commit>), Stop> {
        self.check_identity()?;
        let mut streams = self.open(&segments).await?;
        let mut worker = Worker::new(self.pipeline.clone());
        for entry in &self.cut.batches {
            let (info, stream) = streams
                .get_mut(&entry.origin.shard)
                .ok_or_else(|| Stop::Differs(format!("`{}` is gone", entry.origin.shard)))?;
            self.batch(entry, info, stream, &mut worker, &mut segments).await?;
        }
        for shard in &self.cut.ended {
            segments.shard_ended(&ShardTag { shard: shard.clone() });
        }
        let commit = segments.close(Closing::Again(self.cut)).await?;
        Ok((segments, commit))
    }

    fn check_identity(&self) -> std::result::Result<(), Stop> {
        let (then, now) = (&self.cut.identity, &self.pipeline.identity);
        let differs = |what: &str| Err(Stop::Differs(format!("{what} since it was cut")));
        if self.cut.format != Cut::FORMAT {
            return differs("the format of the log changed");
        }
        if then.build != now.build {
            return differs("the program changed");
        }
        if then.plan != now.plan {
            return differs("the manifest changed");
        }
        if then != now {
            return differs("a rule, lookup table or key changed");
        }
        Ok(())
    }

    /// The shards of the cut, each opened where the last commit left it.
    async fn open(
        &self,
        segments: &Segments,
    ) -> std::result::Result<BTreeMap<ShardRef, (ShardInfo, ShardStream)>, Stop> {
        let mut ends: BTreeMap<ShardRef, u64> = BTreeMap::new();
        for entry in &self.cut.batches {
            let end = entry.origin.to.as_offset().unwrap_or(0);
            ends.insert(entry.origin.shard.clone(), end);
        }
        let mut known: Vec<KnownShard> = crate::run::known(segments.shards());
        for shard in ends.keys().filter(|shard| !segments.shards().contains_key(*shard)) {
            let note = self.cut.notes.get(&shard.to_string()).cloned().unwrap_or_default();
            known.push(KnownShard { shard: shard.clone(), note, position: Position::TrimHorizon });
        }
        let infos = self.ports.source.discover(&known).await.map_err(FlowError::from)?;
        let mut streams = BTreeMap::new();
        for info in infos {
            let Some(end) = ends.get(&info.shard) else { continue };
            let state = segments.shards().get(&info.shard);
            let from = state.map_or(Position::TrimHorizon, |state| state.position);
            let tail = state.map(|state| state.tail.as_str());
            let source = self.ports.source.as_ref();
            let stream = ShardStream::open(source, self.pipeline, &info, &from, tail, Some(*end)).await?;
            streams.insert(info.shard.clone(), (info, stream));
        }
        Ok(streams)
    }

    async fn batch(
        &self,
        entry: &BatchEntry,
        info: &ShardInfo,
        stream: &mut ShardStream,
        worker: &mut Worker,
        segments: &mut Segments,
    ) -> std::result::Result<(), Stop> {
        let differs = |what: &str| Stop::Differs(format!("{}: {what}", info.label));
        let to = entry.origin.to.as_offset().ok_or_else(|| differs("a position is none of a byte stream"))?;
        let raw = loop {
            if let Some(raw) = stream.next_until(to)? {
                break raw;
            }
            match stream.fill().await? {
                Fill::More => {}
                Fill::End => {
                    stream.end();
                    break stream.next_until(to)?.ok_or_else(|| differs("it ends before what was cut"))?;
                }
                Fill::CaughtUp => return Err(differs("it ends before what was cut")),
            }
        };
        if hex(raw.digest) != entry.digest || Some(raw.from) != entry.origin.from.as_offset() {
            return Err(differs("its bytes are not those that were cut"));
        }
        let tag = Arc::new(ShardTag { shard: info.shard.clone() });
        let failed = entry.failed.clone();
        let item = WorkItem { tag, raw, arrived_at: entry.arrived_at, failed_before: Some(failed) };
        let processed = worker.process(item)?;
        let of_steps = entry.failed.iter().filter(|f| !f.at.starts_with("gold "));
        if processed.account.read != entry.records || !processed.failed.iter().eq(of_steps) {
            return Err(differs("the rules no longer do with it what they did"));
        }
        segments.append(&processed, &info.note, Duration::ZERO, Some(entry))?;
        Ok(())
    }
}
