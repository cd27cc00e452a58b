//! Segments: batches are appended, then the cut, the objects and the commit are written, in this order and no other.

use crate::encode::Encoder;
use crate::error::{FlowError, Result};
use crate::pipeline::Pipeline;
use crate::sinks::{Ready, Sinks};
use crate::stream::hex;
use crate::window::Gold;
use crate::work::{Processed, ShardTag};
use bytes::Bytes;
use sluice_batch::{
    Account, BatchEntry, ClosedWindows, Commit, Cut, FailedRows, Layer, ObjectEntry, Origin, Position, ShardRef,
    ShardState,
};
use sluice_manifest::plan::Late;
use sluice_ports::{CommitLog, Entry, EntryKind, Kind, ObjectStore, PortError, Put, failpoint};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Rows of a gold object at most.
const GOLD_ROWS: usize = 1 << 20;

/// Where everything stands: after the last commit, plus what was appended since.
pub(crate) struct Segments {
    pipeline: Arc<Pipeline>,
    store: Arc<dyn ObjectStore>,
    log: Arc<dyn CommitLog>,
    fence: u64,
    threads: usize,
    /// Number that the next cut takes.
    number: u64,
    shards: BTreeMap<ShardRef, ShardState>,
    golds: Vec<Gold>,
    /// State objects of the last commit, to be deleted after the next.
    state: Vec<ObjectEntry>,
    open: Open,
}

/// The segment that is being filled.
struct Open {
    sinks: Sinks,
    batches: Vec<BatchEntry>,
    ended: Vec<ShardRef>,
    touched: BTreeSet<ShardRef>,
    account: Account,
    bytes: u64,
    rows: u64,
    since: Option<Duration>,
}

impl Open {
    fn new(pipeline: &Pipeline) -> Result<Self> {
        Ok(Self {
            sinks: Sinks::new(pipeline)?,
            batches: Vec::new(),
            ended: Vec::new(),
            touched: BTreeSet::new(),
            account: Account::default(),
            bytes: 0,
            rows: 0,
            since: None,
        })
    }
}

/// What decides a closing.
pub(crate) enum Closing<'a> {
    /// Decide now. `active`: the shards whose rows are still to come, for each gold. `end_of_input`: all windows close.
    Fresh { active: &'a dyn Fn(&Gold) -> BTreeSet<ShardRef>, idle: Vec<ShardRef>, end_of_input: bool },
    /// It was decided before.
    Again(&'a Cut),
}

impl Segments {
    /// Takes up where the last commit left.
    pub(crate) async fn restore(
        pipeline: Arc<Pipeline>,
        store: Arc<dyn ObjectStore>,
        log: Arc<dyn CommitLog>,
        fence: u64,
        threads: usize,
        last: Option<&Commit>,
        number: u64,
    ) -> Result<Self> {
        let mut golds =
            pipeline.golds.iter().map(|g| Gold::new(g.clone(), &pipeline.layout)).collect::<Result<Vec<_>>>()?;
        let (mut shards, mut state) = (BTreeMap::new(), Vec::new());
        if let Some(commit) = last {
            shards = commit.shards.iter().map(|s| (s.shard.clone(), s.clone())).collect();
            state.clone_from(&commit.state);
            for gold in &mut golds {
                restore_gold(gold, commit, store.as_ref()).await?;
            }
            if let Some(orphan) = commit.state.iter().find(|entry| !golds.iter().any(|g| is_state_of(entry, g))) {
                return Err(FlowError::Plan(format!(
                    "the manifest no longer has a gold whose windows are open (state `{}`); run once more with the \
                     manifest as it was and without `--keep-open`, which closes them, then take the gold out",
                    orphan.name
                )));
            }
        }
        let open = Open::new(&pipeline)?;
        Ok(Self { pipeline, store, log, fence, threads, number, shards, golds, state, open })
    }

    pub(crate) fn shards(&self) -> &BTreeMap<ShardRef, ShardState> {
        &self.shards
    }

    /// Whether there is anything to commit besides windows that might close.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.batches.is_empty()
    }

    /// Whether the open segment is full, by what was read or by age.
    pub(crate) fn is_full(&self, now: Duration) -> bool {
        let limits = &self.pipeline.plan.segment;
        let old = self.open.since.is_some_and(|since| now.saturating_sub(since) >= limits.age);
        !self.is_empty() && (self.open.bytes >= limits.bytes || self.open.rows >= limits.rows || old)
    }

    /// Whether some gold has windows that could close although nothing was read.
    pub(crate) fn could_close(&self, active: &dyn Fn(&Gold) -> BTreeSet<ShardRef>) -> bool {
        self.golds.iter().any(|gold| {
            let first_end = gold.first_end();
            gold.closable(active(gold).into_iter()).is_some_and(|through| first_end.is_some_and(|e| e <= through))
        })
    }

    /// Adds a batch. `again`: its entry in the cut that is being run again.
    pub(crate) fn append(
        &mut self,
        processed: &Processed,
        note: &str,
        now: Duration,
        again: Option<&BatchEntry>,
    ) -> Result<()> {
        let shard = &processed.tag.shard;
        let open = &mut self.open;
        open.since.get_or_insert(now);
        open.bytes += processed.to - processed.from;
        open.rows += processed.account.read;
        open.account.origin(shard).add(&processed.account);
        open.touched.insert(shard.clone());
        let mut failed = processed.failed.clone();
        for gold in &mut self.golds {
            let label = gold.label();
            let forced: Option<&FailedRows> = again.and_then(|e| e.failed.iter().find(|f| f.at == label));
            let taken = gold.take(shard, &processed.silver, &processed.selection, forced);
            let name = &gold.bound.plan.name;
            if gold.bound.plan.window.late == Late::Output && !taken.late.is_empty() {
                open.sinks.late(name, &processed.silver, &taken.late, &self.pipeline)?;
            }
            open.account.gold.entry(name.clone()).or_default().add(&taken.account);
            failed.extend(taken.failed);
        }
        open.sinks.append(processed)?;
        let (from, to) = (Position::offset(processed.from), Position::offset(processed.to));
        open.batches.push(BatchEntry {
            origin: Origin { shard: shard.clone(), from, to },
            records: processed.account.read,
            digest: hex(processed.digest),
            tail: hex(processed.tail),
            arrived_at: processed.arrived_at,
            failed,
        });
        let event_time =
            self.golds.iter().filter_map(|g| Some((g.bound.plan.name.clone(), *g.event_time.get(shard)?))).collect();
        let state = ShardState {
            shard: shard.clone(),
            position: to,
            tail: hex(processed.tail),
            ended: false,
            event_time,
            note: note.to_owned(),
        };
        self.shards.insert(shard.clone(), state);
        Ok(())
    }

    /// A shard is read to its end.
    pub(crate) fn shard_ended(&mut self, tag: &ShardTag) {
        if let Some(state) = self.shards.get_mut(&tag.shard).filter(|state| !state.ended) {
            state.ended = true;
            self.open.ended.push(tag.shard.clone());
        }
    }

    /// Writes cut, objects and commit; `None` where there was nothing to write. The next segment is open then.
    pub(crate) async fn close(&mut self, closing: Closing<'_>) -> Result<Option<Commit>> {
        let fresh = matches!(closing, Closing::Fresh { .. });
        let mut cut = self.cut(&closing);
        if fresh && cut.batches.is_empty() && cut.closed.is_empty() {
            return Ok(None);
        }
        let mut open = std::mem::replace(&mut self.open, Open::new(&self.pipeline)?);
        // windows are finished before the cut: if an aggregator cannot, nothing is written yet
        let gold = self.close_windows(&cut, &mut open.account)?;
        open.account.check()?;
        if let Closing::Again(before) = closing {
            before.clone_into(&mut cut);
        } else {
            failpoint::hit("before-cut");
            self.put(EntryKind::Cut, cut.to_bytes()).await?;
        }
        let digest = cut.digest();
        failpoint::hit("after-cut");
        let mut ready = open.sinks.finish(self.threads)?;
        ready.extend(gold);
        let objects = self.put_objects(&digest, ready).await?;
        let mut states = Vec::new();
        for gold in &self.golds {
            if let Some((rows, bytes)) = gold.save()? {
                let folder = gold.bound.plan.name.clone();
                states.push(Ready { layer: Layer::State, folder, rows, bytes });
            }
        }
        let state = self.put_objects(&digest, states).await?;
        self.store.sync().await?;
        let commit = Commit {
            format: Cut::FORMAT,
            number: self.number,
            dataset: cut.dataset.clone(),
            fence: self.fence,
            cut: digest,
            shards: self.shards.values().cloned().collect(),
            objects,
            state,
            closed: self.closed(),
            end_of_input: cut.end_of_input,
            account: open.account,
        };
        failpoint::hit("before-commit");
        self.put(EntryKind::Commit, commit.to_bytes()).await?;
        failpoint::hit("after-commit");
        self.number += 1;
        let old: Vec<String> = std::mem::replace(&mut self.state, commit.state.clone())
            .into_iter()
            .map(|entry| entry.name)
            .filter(|name| commit.state.iter().all(|entry| entry.name != *name))
            .collect();
        self.store.delete(&old).await?;
        Ok(Some(commit))
    }

    fn closed(&self) -> BTreeMap<String, i64> {
        let some = self.golds.iter().filter(|gold| gold.closed_through > i64::MIN);
        some.map(|gold| (gold.bound.plan.name.clone(), gold.closed_through)).collect()
    }

    /// The cut of the open segment.
    fn cut(&self, closing: &Closing<'_>) -> Cut {
        let (active, idle, end_of_input) = match closing {
            Closing::Again(cut) => return Cut::clone(cut),
            Closing::Fresh { active, idle, end_of_input } => (active, idle.clone(), *end_of_input),
        };
        let through = |gold: &Gold| match end_of_input {
            true => gold.last_open().map(|last| last.max(gold.closed_through)),
            false => gold.closable(active(gold).into_iter()),
        };
        let closes = |gold: &Gold| Some(ClosedWindows { gold: gold.bound.plan.name.clone(), through: through(gold)? });
        let notes = self.open.touched.iter().map(|shard| (shard.to_string(), self.shards[shard].note.clone()));
        Cut {
            format: Cut::FORMAT,
            number: self.number,
            dataset: self.pipeline.plan.dataset.clone(),
            fence: self.fence,
            identity: self.pipeline.identity.clone(),
            batches: self.open.batches.clone(),
            ended: self.open.ended.clone(),
            idle,
            closed: self.golds.iter().filter_map(closes).collect(),
            end_of_input,
            notes: notes.collect(),
        }
    }

    fn close_windows(&mut self, cut: &Cut, account: &mut Account) -> Result<Vec<Ready>> {
        let mut ready = Vec::new();
        for closed in &cut.closed {
            let gold = self.golds.iter_mut().find(|gold| gold.bound.plan.name == closed.gold);
            let gold = gold.ok_or_else(|| FlowError::Log(format!("cut {}: no gold `{}`", cut.number, closed.gold)))?;
            let rows = gold.close(closed.through, cut.number, cut.fence)?;
            account.gold.entry(closed.gold.clone()).or_default().rows += rows.rows;
            let mut batches = rows.batches.into_iter().peekable();
            while batches.peek().is_some() {
                let mut encoder = Encoder::new(gold.schema().clone(), &self.pipeline.metadata);
                let mut written = 0;
                while let Some(batch) = batches.next_if(|_| written < GOLD_ROWS) {
                    written += batch.num_rows();
                    encoder.write(&batch)?;
                }
                if let Some((rows, bytes)) = encoder.finish()? {
                    let layer = Layer::Gold(closed.gold.clone());
                    ready.push(Ready { layer, folder: String::new(), rows, bytes });
                }
            }
        }
        Ok(ready)
    }

    async fn put_objects(&self, digest: &str, ready: Vec<Ready>) -> Result<Vec<ObjectEntry>> {
        let mut entries = Vec::with_capacity(ready.len());
        let mut parts: BTreeMap<String, u32> = BTreeMap::new();
        for object in ready {
            let mut folder = object.layer.folder();
            if !object.folder.is_empty() {
                folder = format!("{folder}/{}", object.folder);
            }
            let part = parts.entry(folder.clone()).or_default();
            let extension = if object.layer == Layer::State { "arrow" } else { "parquet" };
            let name = format!("{folder}/{:012}-{}-{part:03}.{extension}", self.number, &digest[..16]);
            *part += 1;
            let entry = ObjectEntry {
                layer: object.layer,
                rows: object.rows,
                size: object.bytes.len() as u64,
                digest: hex(xxhash_rust::xxh3::xxh3_64(&object.bytes)),
                name,
            };
            self.store.put(&entry.name, Bytes::from(object.bytes)).await?;
            failpoint::hit("between-objects");
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn put(&self, kind: EntryKind, bytes: Vec<u8>) -> Result<()> {
        let entry = Entry { number: self.number, kind };
        let bytes = Bytes::from(bytes);
        match self.log.put(entry, bytes.clone()).await? {
            Put::Written => Ok(()),
            Put::Exists(there) if there == bytes => Ok(()),
            Put::Exists(_) => Err(PortError::new(
                Kind::Fenced,
                format!("{entry}: another process wrote this entry; two hosts run on one data folder: stop one"),
            )
            .into()),
        }
    }
}

async fn restore_gold(gold: &mut Gold, commit: &Commit, store: &dyn ObjectStore) -> Result<()> {
    let name = &gold.bound.plan.name;
    for state in &commit.shards {
        if let Some(time) = state.event_time.get(name) {
            gold.event_time.insert(state.shard.clone(), *time);
        }
    }
    gold.closed_through = commit.closed.get(name).copied().unwrap_or(i64::MIN);
    let ours: Vec<&ObjectEntry> = commit.state.iter().filter(|entry| is_state_of(entry, gold)).collect();
    for entry in ours {
        let bytes = store.get(&entry.name).await?;
        if hex(xxhash_rust::xxh3::xxh3_64(&bytes)) != entry.digest {
            return Err(FlowError::Log(format!(
                "`{}` is not what commit {} wrote; put the data folder back from a copy",
                entry.name, commit.number
            )));
        }
        gold.load(&bytes)?;
    }
    Ok(())
}

fn is_state_of(entry: &ObjectEntry, gold: &Gold) -> bool {
    let folder = format!("{}/{}/", Layer::State.folder(), gold.bound.plan.name);
    entry.name.starts_with(&folder)
}
