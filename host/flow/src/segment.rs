//! Segments: batches are appended, then the cut, the objects and the commit are written, in this order and no other.

use crate::dedup::{self, Dedup};
use crate::encode::Encoder;
use crate::error::{FlowError, Result};
use crate::outside::{Outside, Written};
use crate::pipeline::Pipeline;
use crate::sinks::{Ready, Sinks};
use crate::stream::hex;
use crate::window::{self, BoundGold, Chain, Closed, Gold, Parents, Rows};
use crate::work::Processed;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use sluice_batch::{
    Account, BatchEntry, ClosedWindows, Commit, Cut, Delivered, FailedGroups, FailedRows, Layer, ObjectEntry, Origin,
    Position, ShardRef, ShardState,
};
use sluice_manifest::plan::Late;
use sluice_ports::{EntryKind, ObjectStore, Parcel, failpoint};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Rows of a gold object at most.
const GOLD_ROWS: usize = 1 << 20;

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
    golds: Vec<Chain>,
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
    Fresh { active: &'a dyn Fn(&Chain) -> BTreeSet<ShardRef>, idle: Vec<ShardRef>, end_of_input: bool },
    /// It was decided before.
    Again(&'a Cut),
}

/// What a closing came to.
pub(crate) enum Outcome {
    /// There was nothing to write.
    Nothing,
    /// Cut, objects and commit are written, and the next segment is open.
    Committed(Box<Commit>),
    /// The segment was on trial, and an aggregator could not finish its windows. Nothing is written, and nothing more can
    /// be done with what is open.
    Refused(String),
}

impl Segments {
    /// Takes up where the last commit left. `find` knows earlier definitions of golds, by name and digest.
    pub(crate) async fn restore(
        pipeline: Arc<Pipeline>,
        outside: Outside,
        last: Option<&Commit>,
        number: u64,
        find: &(dyn Fn(&str, &str) -> Option<BoundGold> + Sync),
    ) -> Result<Self> {
        let golds = pipeline.golds.iter().map(|gold| new_chain(gold, &pipeline));
        let mut golds = golds.collect::<Result<Vec<_>>>()?;
        let mut dedup = pipeline.plan.dedup.as_ref().map(|plan| Dedup::new(plan, &pipeline.layout)).transpose()?;
        let (mut shards, mut state) = (BTreeMap::new(), Vec::new());
        if let Some(commit) = last {
            shards = commit.shards.iter().map(|s| (s.shard.clone(), s.clone())).collect();
            state.clone_from(&commit.state);
            for gold in &mut golds {
                restore_gold(gold, &pipeline, commit, outside.store.as_ref(), find).await?;
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

    /// Goes on by another version of the pipeline. The open segment must be empty.
    pub(crate) fn adopt(&mut self, pipeline: Arc<Pipeline>) -> Result<()> {
        debug_assert!(self.is_empty(), "a segment is of one version");
        let breaker = pipeline.plan.breaker;
        let mut before = std::mem::take(&mut self.golds);
        for gold in &pipeline.golds {
            let chain = match before.iter().position(|chain| chain.name() == gold.plan.name) {
                Some(place) => {
                    let mut chain = before.remove(place);
                    chain.adopt(gold.clone(), &pipeline.layout, breaker)?;
                    chain
                }
                None => new_chain(gold, &pipeline)?,
            };
            self.golds.push(chain);
        }
        if let Some(orphan) = before.iter().find(|chain| chain.has_open_windows()) {
            return Err(orphaned(orphan));
        }
        let dedup = pipeline.plan.dedup.as_ref().map(|plan| Dedup::new(plan, &pipeline.layout)).transpose()?;
        self.dedup = match (dedup, self.dedup.take()) {
            (Some(next), Some(before)) => Some(next.after(before)),
            (next, _) => next,
        };
        let (ended, closed) = (std::mem::take(&mut self.open.ended), std::mem::take(&mut self.open.shards_closed));
        let touched = std::mem::take(&mut self.open.touched);
        self.open = Open::new(&pipeline, self.number, self.outside.delivery.is_some())?;
        (self.open.ended, self.open.shards_closed, self.open.touched) = (ended, closed, touched);
        self.pipeline = pipeline;
        Ok(())
    }

    /// Whether another version could go on from here, as far as can be said now.
    pub(crate) fn could_adopt(&self, pipeline: &Pipeline) -> Result<()> {
        for chain in &self.golds {
            if pipeline.golds.iter().any(|gold| gold.plan.name == chain.name()) {
                chain.check(&pipeline.layout)?;
            } else {
                // batches are under way that may open windows before the new version takes over
                return Err(orphaned(chain));
            }
        }
        Ok(())
    }

    pub(crate) fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
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
    pub(crate) fn could_close(&self, active: &dyn Fn(&Chain) -> BTreeSet<ShardRef>) -> bool {
        self.golds.iter().any(|gold| {
            let first_end = gold.first_end();
            gold.closable(&active(gold), &self.parents).is_some_and(|through| first_end.is_some_and(|e| e <= through))
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
        let shard = &processed.tag.shard.clone();
        let open = &mut self.open;
        open.since.get_or_insert(now);
        open.bytes += processed.bytes;
        open.rows += processed.account.read;
        open.account.origin(shard).add(&processed.account);
        open.touched.insert(shard.clone());
        let mut failed = processed.decided.failed.clone();
        for gold in &mut self.golds {
            let label = gold.label();
            let forced: Option<&FailedRows> = again.and_then(|e| e.failed.iter().find(|f| f.at == label));
            let taken = gold.take(&Rows {
                shard,
                silver: &processed.silver,
                selection: &processed.selection,
                forced,
                now: again.is_none().then_some(now),
                audit: processed.news.audited,
            });
            let name = gold.name();
            if gold.late() == Late::Output && !taken.late.is_empty() {
                open.sinks.late(name, &processed.silver, &taken.late, &self.pipeline)?;
            }
            open.account.gold.entry(name.to_owned()).or_default().add(&taken.account);
            failed.extend(taken.failed);
            processed.news.parked.extend(taken.parked.map(|why| (label.clone(), why)));
            if taken.differed {
                let rule = self.pipeline.golds.iter().find(|bound| bound.plan.name == name);
                processed.news.differed.extend(rule.map(|bound| bound.rule.id().to_string()));
            }
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
            parked: processed.decided.parked.clone(),
        });
        let event_time =
            self.golds.iter().filter_map(|gold| Some((gold.name().to_owned(), gold.event_time(shard)?))).collect();
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

    /// Writes cut, objects and commit. The next segment is open then. `on_trial`: it is refused rather than cut where an
    /// aggregator cannot finish its windows.
    pub(crate) async fn close(&mut self, closing: Closing<'_>, on_trial: bool) -> Result<Outcome> {
        let mut cut = self.cut(&closing);
        let fresh = matches!(closing, Closing::Fresh { .. });
        if fresh && cut.batches.is_empty() && cut.closed.is_empty() && cut.shards_closed.is_empty() {
            return Ok(Outcome::Nothing);
        }
        self.outside.lease.check()?;
        let deliver = self.outside.delivery.is_some();
        let mut open = std::mem::replace(&mut self.open, Open::new(&self.pipeline, self.number + 1, deliver)?);
        // windows are finished before the cut: what could not be finished is a decision, which stands in it
        let (gold, failed) = self.close_windows(&cut, &mut open.account)?;
        if let Some(failed) = failed.first().filter(|_| on_trial) {
            return Ok(Outcome::Refused(format!("gold `{}` cannot finish its windows: {}", failed.gold, failed.cause)));
        }
        open.account.check()?;
        if let Closing::Again(before) = closing {
            before.clone_into(&mut cut);
        } else {
            cut.failed_groups = failed;
            failpoint::hit("before-cut");
            self.outside.enter(self.number, EntryKind::Cut, cut.to_bytes()).await?;
        }
        let digest = cut.digest();
        failpoint::hit("after-cut");
        let silver = open.sinks.take_delivered();
        let mut ready = open.sinks.finish(self.outside.threads)?;
        ready.extend(gold);
        let written = self.outside.put_objects(self.number, &digest, ready, self.pipeline.bronze_key.as_ref()).await?;
        let (objects, schemas): (Vec<_>, Vec<_>) = written.into_iter().map(|w| (w.entry, w.schema)).unzip();
        let state = self.outside.put_objects(self.number, &digest, self.states()?, None).await?;
        let state: Vec<ObjectEntry> = state.into_iter().map(|Written { entry, .. }| entry).collect();
        self.outside.store.sync().await?;
        let delivered = self.deliver(&digest, &silver).await?;
        let commit = Commit {
            format: Cut::FORMAT,
            number: self.number,
            dataset: cut.dataset.clone(),
            fence: self.outside.lease.fence(),
            cut: digest,
            shards: self.shards.values().cloned().collect(),
            columns: self.columns(&objects, &schemas),
            objects,
            state,
            closed: self.by_gold(Chain::closed_through),
            barriers: self.by_gold(Chain::barrier),
            end_of_input: cut.end_of_input,
            account: open.account,
            delivered,
        };
        failpoint::hit("before-commit");
        self.outside.enter(self.number, EntryKind::Commit, commit.to_bytes()).await?;
        failpoint::hit("after-commit");
        self.number += 1;
        let old: Vec<String> = std::mem::replace(&mut self.state, commit.state.clone())
            .into_iter()
            .map(|entry| entry.name)
            .filter(|name| commit.state.iter().all(|entry| entry.name != *name))
            .collect();
        self.outside.store.delete(&old).await?;
        Ok(Outcome::Committed(Box::new(commit)))
    }

    /// What is open after this segment, as objects.
    fn states(&self) -> Result<Vec<Ready>> {
        let mut states = Vec::new();
        for gold in &self.golds {
            let saved = gold.save()?.into_iter();
            states.extend(saved.map(|(rows, bytes)| Ready::new(Layer::State, gold.name(), rows, bytes)));
        }
        if let Some((rows, bytes)) = self.dedup.as_ref().map(Dedup::save).transpose()?.flatten() {
            states.push(Ready::new(Layer::State, dedup::FOLDER, rows, bytes));
        }
        Ok(states)
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

    /// Names of the columns of the objects' layers, and of objects that have others. `schemas`: what objects have that are
    /// not as their layer.
    fn columns(&self, objects: &[ObjectEntry], schemas: &[Option<SchemaRef>]) -> BTreeMap<String, Vec<String>> {
        let layers: BTreeSet<&Layer> = objects.iter().map(|object| &object.layer).collect();
        let names = |schema: &SchemaRef| schema.fields().iter().map(|field| field.name().clone()).collect();
        let schema = |layer: &Layer| match layer {
            Layer::Silver | Layer::Late(_) => Some(self.pipeline.silver_schema.clone()),
            Layer::Quarantine => Some(crate::quarantine::schema()),
            Layer::Gold(name) => self.golds.iter().find(|gold| gold.name() == name).map(|gold| gold.schema().clone()),
            Layer::Bronze | Layer::State => None,
        };
        let of_layers = layers.into_iter().filter_map(|layer| Some((layer.folder(), names(&schema(layer)?))));
        let own = objects.iter().zip(schemas).filter_map(|(object, own)| {
            let own = own.as_ref().filter(|own| schema(&object.layer).is_none_or(|layer| layer != **own))?;
            Some((object.name.clone(), names(own)))
        });
        of_layers.chain(own).collect()
    }

    fn by_gold(&self, number: fn(&Chain) -> i64) -> BTreeMap<String, i64> {
        let some = self.golds.iter().filter(|gold| number(gold) > i64::MIN);
        some.map(|gold| (gold.name().to_owned(), number(gold))).collect()
    }

    /// The cut of the open segment.
    fn cut(&self, closing: &Closing<'_>) -> Cut {
        let (active, idle, end_of_input) = match closing {
            Closing::Again(cut) => return Cut::clone(cut),
            Closing::Fresh { active, idle, end_of_input } => (active, idle.clone(), *end_of_input),
        };
        let through = |gold: &Chain| match end_of_input {
            true => gold.last_open().map(|last| last.max(gold.closed_through())),
            false => gold.closable(&active(gold), &self.parents),
        };
        let closes = |gold: &Chain| Some(ClosedWindows { gold: gold.name().to_owned(), through: through(gold)? });
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
            failed_groups: Vec::new(),
            end_of_input,
            notes: notes.collect(),
        }
    }

    /// Closes the windows that a cut names. Returns their rows as objects, and the groups that could not be finished.
    fn close_windows(&mut self, cut: &Cut, account: &mut Account) -> Result<(Vec<Ready>, Vec<FailedGroups>)> {
        let (mut ready, mut failed) = (Vec::new(), Vec::new());
        for closed in &cut.closed {
            let gold = self.golds.iter_mut().find(|gold| gold.name() == closed.gold);
            let gold = gold.ok_or_else(|| FlowError::Log(format!("cut {}: no gold `{}`", cut.number, closed.gold)))?;
            let forced = cut.failed_groups.iter().find(|failed| failed.gold == closed.gold);
            let all = gold.close(closed.through, cut.number, cut.fence, forced)?;
            account.gold.entry(closed.gold.clone()).or_default().add(&window::account(&all));
            let mut of_gold = FailedGroups { gold: closed.gold.clone(), groups: Vec::new(), cause: String::new() };
            for closed_by in all {
                of_gold.groups.extend(&closed_by.rows.failed);
                if of_gold.cause.is_empty() {
                    of_gold.cause.clone_from(&closed_by.rows.cause);
                }
                let masked = self.encode_gold(&closed.gold, closed_by, &mut ready)?;
                account.gold.entry(closed.gold.clone()).or_default().masked += masked;
            }
            if !of_gold.groups.is_empty() {
                tracing::warn!(gold = closed.gold, groups = of_gold.groups.len(), "{}", of_gold.cause);
                failed.push(of_gold);
            }
        }
        Ok((ready, failed))
    }

    /// Encodes rows of a gold. Returns the personal data that was masked in them.
    fn encode_gold(&self, name: &str, closed: Closed, ready: &mut Vec<Ready>) -> Result<u64> {
        let Closed { schema, rows, earlier } = closed;
        let mut masked = 0;
        let guarded = rows.batches.into_iter().map(|batch| match &self.pipeline.egress {
            Some(egress) => egress.gold(batch).map(|(batch, hits)| {
                masked += hits;
                batch
            }),
            None => Ok(batch),
        });
        let mut batches = guarded.collect::<Result<Vec<_>>>()?.into_iter().peekable();
        while batches.peek().is_some() {
            let mut encoder = Encoder::new(schema.clone(), &self.pipeline.metadata);
            let mut written = 0;
            while let Some(batch) = batches.next_if(|_| written < GOLD_ROWS) {
                written += batch.num_rows();
                encoder.write(&batch)?;
            }
            if let Some((rows, bytes)) = encoder.finish()? {
                let layer = Layer::Gold(name.to_owned());
                let object = Ready::new(layer, "", rows, bytes);
                ready.push(Ready { schema: earlier.then(|| schema.clone()), ..object });
            }
        }
        Ok(masked)
    }
}

fn new_chain(gold: &BoundGold, pipeline: &Pipeline) -> Result<Chain> {
    Gold::new(gold.clone(), &pipeline.layout, pipeline.plan.breaker).map(Chain::new)
}

fn orphaned(chain: &Chain) -> FlowError {
    FlowError::Plan(format!(
        "the new manifest no longer has gold `{}`, which may have windows open; end the run without `--keep-open`, which \
         closes them, then take the gold out",
        chain.name()
    ))
}

async fn restore_gold(
    gold: &mut Chain,
    pipeline: &Pipeline,
    commit: &Commit,
    store: &dyn ObjectStore,
    find: &(dyn Fn(&str, &str) -> Option<BoundGold> + Sync),
) -> Result<()> {
    let number = |all: &BTreeMap<String, i64>| all.get(gold.name()).copied().unwrap_or(i64::MIN);
    let (closed, barrier) = (number(&commit.closed), number(&commit.barriers));
    gold.set_closed(closed, barrier);
    for state in &commit.shards {
        if let Some(time) = state.event_time.get(gold.name()).copied() {
            gold.set_event_time(&state.shard, time);
        }
    }
    let ours: Vec<&ObjectEntry> = commit.state.iter().filter(|entry| is_state_of(entry, gold)).collect();
    for entry in ours {
        gold.load(&state_object(entry, commit, store).await?, &pipeline.layout, pipeline.plan.breaker, find)?;
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

fn is_state_of(entry: &ObjectEntry, gold: &Chain) -> bool {
    let folder = format!("{}/{}/", Layer::State.folder(), gold.name());
    entry.name.starts_with(&folder)
}
