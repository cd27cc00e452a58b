//! Segments: batches are appended, then the cut, the objects and the commit are written, in this order and no other.

use crate::dedup::{self, Dedup};
use crate::encode::Encoder;
use crate::error::{FlowError, Result};
use crate::pipeline::Pipeline;
use crate::sinks::{Ready, Sinks};
use crate::stream::hex;
use crate::window::{Gold, Parents};
use crate::work::Processed;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use futures_util::StreamExt;
use sluice_batch::{
    Account, BatchEntry, ClosedWindows, Commit, Cut, Delivered, FailedRows, Layer, ObjectEntry, Origin, Position,
    ShardRef, ShardState,
};
use sluice_manifest::plan::Late;
use sluice_ports::{
    CommitLog, Delivery, Entry, EntryKind, Kind, Lease, ObjectStore, Parcel, PortError, Put, failpoint,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Rows of a gold object at most.
const GOLD_ROWS: usize = 1 << 20;

/// Objects put at once.
const PUTS_AT_ONCE: usize = 8;

/// What a segment is written to, and how.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) log: Arc<dyn CommitLog>,
    pub(crate) delivery: Option<Arc<dyn Delivery>>,
    pub(crate) lease: Arc<dyn Lease>,
    /// Threads that encode partitions side by side.
    pub(crate) threads: usize,
}

/// Where everything stands: after the last commit, plus what was appended since.
pub(crate) struct Segments {
    pipeline: Arc<Pipeline>,
    outside: Outside,
    /// Number that the next cut takes.
    number: u64,
    shards: BTreeMap<ShardRef, ShardState>,
    /// Parents of the shards of a stream, as it told of them.
    parents: Parents,
    dedup: Option<Dedup>,
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
    shards_closed: Vec<ShardRef>,
    touched: BTreeSet<ShardRef>,
    account: Account,
    bytes: u64,
    rows: u64,
    since: Option<Duration>,
}

impl Open {
    fn new(pipeline: &Pipeline, number: u64, deliver: bool) -> Result<Self> {
        Ok(Self {
            sinks: Sinks::new(pipeline, number, deliver)?,
            batches: Vec::new(),
            ended: Vec::new(),
            shards_closed: Vec::new(),
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
        outside: Outside,
        last: Option<&Commit>,
        number: u64,
    ) -> Result<Self> {
        let mut golds =
            pipeline.golds.iter().map(|g| Gold::new(g.clone(), &pipeline.layout)).collect::<Result<Vec<_>>>()?;
        let mut dedup = pipeline.plan.dedup.as_ref().map(|plan| Dedup::new(plan, &pipeline.layout)).transpose()?;
        let (mut shards, mut state) = (BTreeMap::new(), Vec::new());
        if let Some(commit) = last {
            shards = commit.shards.iter().map(|s| (s.shard.clone(), s.clone())).collect();
            state.clone_from(&commit.state);
            for gold in &mut golds {
                restore_gold(gold, commit, outside.store.as_ref()).await?;
            }
            for entry in commit.state.iter().filter(|entry| is_of_dedup(entry)) {
                if let Some(dedup) = &mut dedup {
                    dedup.load(&state_object(entry, commit, outside.store.as_ref()).await?)?;
                }
            }
            let taken_up = |entry: &ObjectEntry| is_of_dedup(entry) || golds.iter().any(|g| is_state_of(entry, g));
            if let Some(orphan) = commit.state.iter().find(|entry| !taken_up(entry)) {
                return Err(FlowError::Plan(format!(
                    "the manifest no longer has a gold whose windows are open (state `{}`); run once more with the \
                     manifest as it was and without `--keep-open`, which closes them, then take the gold out",
                    orphan.name
                )));
            }
        }
        let open = Open::new(&pipeline, number, outside.delivery.is_some())?;
        Ok(Self { pipeline, outside, number, shards, parents: Parents::new(), dedup, golds, state, open })
    }

    /// Notes the parents of a shard that will be read.
    pub(crate) fn found(&mut self, shard: &ShardRef, parents: &[ShardRef]) {
        if !parents.is_empty() {
            self.parents.insert(shard.clone(), parents.to_vec());
        }
    }

    /// Shards that a closed one leaves behind.
    pub(crate) fn children(&self, of: &ShardRef) -> Vec<ShardRef> {
        let each = self.parents.iter().filter(|(_, parents)| parents.contains(of));
        each.map(|(child, _)| child.clone()).collect()
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
            gold.closable(active(gold).into_iter(), &self.parents)
                .is_some_and(|through| first_end.is_some_and(|e| e <= through))
        })
    }

    /// Adds a batch. `again`: its entry in the cut that is being run again.
    pub(crate) fn append(
        &mut self,
        processed: &mut Processed,
        note: &str,
        now: Duration,
        again: Option<&BatchEntry>,
    ) -> Result<()> {
        if let Some(dedup) = &mut self.dedup {
            let doubles = dedup.doubles(&processed.tag.shard, &processed.silver, &self.parents);
            processed.leave_out(&doubles)?;
        }
        let processed = &*processed;
        let shard = &processed.tag.shard;
        let open = &mut self.open;
        open.since.get_or_insert(now);
        open.bytes += processed.bytes;
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
        open.sinks.append(processed, &self.pipeline)?;
        let tail = processed.tail.map(hex).unwrap_or_default();
        open.batches.push(BatchEntry {
            origin: Origin { shard: shard.clone(), from: processed.from, to: processed.to },
            records: processed.account.read,
            digest: hex(processed.digest),
            tail: tail.clone(),
            arrived_at: processed.arrived_at,
            failed,
        });
        let event_time =
            self.golds.iter().filter_map(|g| Some((g.bound.plan.name.clone(), *g.event_time.get(shard)?))).collect();
        let state = ShardState {
            shard: shard.clone(),
            position: processed.to,
            tail,
            ended: false,
            event_time,
            note: note.to_owned(),
        };
        self.shards.insert(shard.clone(), state);
        Ok(())
    }

    /// A shard is read to its end; `closed` where nothing will ever follow.
    pub(crate) fn shard_ended(&mut self, shard: &ShardRef, closed: bool, note: &str) {
        if closed {
            self.shard_closed(shard, note);
        } else if let Some(state) = self.shards.get_mut(shard).filter(|state| !state.ended) {
            state.ended = true;
            self.open.ended.push(shard.clone());
        }
    }

    fn shard_closed(&mut self, shard: &ShardRef, note: &str) {
        // a shard may close without ever having held a record
        let state = self.shards.entry(shard.clone()).or_insert_with(|| ShardState {
            shard: shard.clone(),
            position: Position::TrimHorizon,
            tail: String::new(),
            ended: false,
            event_time: BTreeMap::new(),
            note: note.to_owned(),
        });
        if state.position != Position::ShardEnd {
            (state.position, state.ended) = (Position::ShardEnd, true);
            self.open.touched.insert(shard.clone());
            self.open.ended.push(shard.clone());
            self.open.shards_closed.push(shard.clone());
        }
    }

    /// Writes cut, objects and commit; `None` where there was nothing to write. The next segment is open then.
    pub(crate) async fn close(&mut self, closing: Closing<'_>) -> Result<Option<Commit>> {
        let fresh = matches!(closing, Closing::Fresh { .. });
        let mut cut = self.cut(&closing);
        if fresh && cut.batches.is_empty() && cut.closed.is_empty() && cut.shards_closed.is_empty() {
            return Ok(None);
        }
        self.outside.lease.check()?;
        let deliver = self.outside.delivery.is_some();
        let mut open = std::mem::replace(&mut self.open, Open::new(&self.pipeline, self.number + 1, deliver)?);
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
        let silver = open.sinks.take_delivered();
        let mut ready = open.sinks.finish(self.outside.threads)?;
        ready.extend(gold);
        let objects = self.put_objects(&digest, ready).await?;
        let mut states = Vec::new();
        for gold in &self.golds {
            if let Some((rows, bytes)) = gold.save()? {
                let folder = gold.bound.plan.name.clone();
                states.push(Ready { layer: Layer::State, folder, rows, bytes });
            }
        }
        if let Some((rows, bytes)) = self.dedup.as_ref().map(Dedup::save).transpose()?.flatten() {
            states.push(Ready { layer: Layer::State, folder: dedup::FOLDER.to_owned(), rows, bytes });
        }
        let state = self.put_objects(&digest, states).await?;
        self.outside.store.sync().await?;
        let delivered = self.deliver(&digest, &silver).await?;
        let commit = Commit {
            format: Cut::FORMAT,
            number: self.number,
            dataset: cut.dataset.clone(),
            fence: self.outside.lease.fence(),
            cut: digest,
            shards: self.shards.values().cloned().collect(),
            columns: self.columns(&objects),
            objects,
            state,
            closed: self.closed(),
            end_of_input: cut.end_of_input,
            account: open.account,
            delivered,
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
        self.outside.store.delete(&old).await?;
        Ok(Some(commit))
    }

    /// Sends the silver rows out besides the lake. They are acknowledged when this returns.
    async fn deliver(&self, cut: &str, silver: &[RecordBatch]) -> Result<Option<Delivered>> {
        let Some(delivery) = &self.outside.delivery else { return Ok(None) };
        self.outside.lease.check()?;
        let parcel = Parcel { table: "silver", commit: self.number, cut: &cut[..16], batches: silver };
        let delivered = delivery.deliver(parcel).await?;
        failpoint::hit("after-delivery");
        Ok(Some(delivered))
    }

    /// Names of the columns of the objects' layers.
    fn columns(&self, objects: &[ObjectEntry]) -> BTreeMap<String, Vec<String>> {
        let layers: BTreeSet<&Layer> = objects.iter().map(|object| &object.layer).collect();
        let names = |schema: &SchemaRef| schema.fields().iter().map(|field| field.name().clone()).collect();
        let schema = |layer: &Layer| match layer {
            Layer::Silver | Layer::Late(_) => Some(self.pipeline.silver_schema.clone()),
            Layer::Quarantine => Some(crate::quarantine::schema()),
            Layer::Gold(name) => {
                self.golds.iter().find(|gold| gold.bound.plan.name == *name).map(|gold| gold.schema().clone())
            }
            Layer::Bronze | Layer::State => None,
        };
        layers.into_iter().filter_map(|layer| Some((layer.folder(), names(&schema(layer)?)))).collect()
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
            false => gold.closable(active(gold).into_iter(), &self.parents),
        };
        let closes = |gold: &Gold| Some(ClosedWindows { gold: gold.bound.plan.name.clone(), through: through(gold)? });
        let notes = self.open.touched.iter().map(|shard| (shard.to_string(), self.shards[shard].note.clone()));
        Cut {
            format: Cut::FORMAT,
            number: self.number,
            dataset: self.pipeline.plan.dataset.clone(),
            fence: self.outside.lease.fence(),
            identity: self.pipeline.identity.clone(),
            batches: self.open.batches.clone(),
            ended: self.open.ended.clone(),
            shards_closed: self.open.shards_closed.clone(),
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

    /// Puts objects, some at once: on a service each takes a while. They are finished in their order.
    async fn put_objects(&self, digest: &str, ready: Vec<Ready>) -> Result<Vec<ObjectEntry>> {
        let mut parts: BTreeMap<String, u32> = BTreeMap::new();
        let named: Vec<(ObjectEntry, Bytes)> =
            ready.into_iter().map(|object| self.named(digest, object, &mut parts)).collect();
        let store = &self.outside.store;
        let puts = named.into_iter().map(|(entry, bytes)| async move {
            store.put(&entry.name, bytes).await?;
            Result::Ok(entry)
        });
        let mut puts = futures_util::stream::iter(puts).buffered(PUTS_AT_ONCE);
        let mut entries = Vec::new();
        while let Some(entry) = puts.next().await {
            let entry = entry?;
            failpoint::hit(&format!("after-{}", object_kind(&entry.layer)));
            failpoint::hit("between-objects");
            entries.push(entry);
        }
        Ok(entries)
    }

    fn named(&self, digest: &str, object: Ready, parts: &mut BTreeMap<String, u32>) -> (ObjectEntry, Bytes) {
        let mut folder = object.layer.folder();
        if !object.folder.is_empty() {
            folder = format!("{folder}/{}", object.folder);
        }
        let part = parts.entry(folder.clone()).or_default();
        let extension = if object.layer == Layer::State { "arrow" } else { "parquet" };
        let entry = ObjectEntry {
            name: format!("{folder}/{:012}-{}-{part:03}.{extension}", self.number, &digest[..16]),
            layer: object.layer,
            rows: object.rows,
            size: object.bytes.len() as u64,
            digest: hex(xxhash_rust::xxh3::xxh3_64(&object.bytes)),
        };
        *part += 1;
        (entry, Bytes::from(object.bytes))
    }

    async fn put(&self, kind: EntryKind, bytes: Vec<u8>) -> Result<()> {
        let entry = Entry { number: self.number, kind };
        let bytes = Bytes::from(bytes);
        self.outside.lease.check()?;
        match self.outside.log.put(entry, bytes.clone()).await? {
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

/// What kind of object a failpoint speaks of.
fn object_kind(layer: &Layer) -> &'static str {
    match layer {
        Layer::Bronze => "bronze",
        Layer::Silver => "silver",
        Layer::Gold(_) => "gold",
        Layer::Late(_) => "late",
        Layer::Quarantine => "quarantine",
        Layer::State => "state",
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
        gold.load(&state_object(entry, commit, store).await?)?;
    }
    Ok(())
}

/// A state object, whole and as it was written.
async fn state_object(entry: &ObjectEntry, commit: &Commit, store: &dyn ObjectStore) -> Result<Bytes> {
    let bytes = store.get(&entry.name).await?;
    if hex(xxhash_rust::xxh3::xxh3_64(&bytes)) != entry.digest {
        return Err(FlowError::Log(format!(
            "`{}` is not what commit {} wrote; put the data folder back from a copy",
            entry.name, commit.number
        )));
    }
    Ok(bytes)
}

fn is_of_dedup(entry: &ObjectEntry) -> bool {
    entry.name.starts_with(&format!("{}/{}/", Layer::State.folder(), dedup::FOLDER))
}

fn is_state_of(entry: &ObjectEntry, gold: &Gold) -> bool {
    let folder = format!("{}/{}/", Layer::State.folder(), gold.bound.plan.name);
    entry.name.starts_with(&folder)
}
