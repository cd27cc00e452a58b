//! One run: readers, a dispatcher, workers, and one appender.
//!
//! Readers (tasks) cut shards into raw batches. The dispatcher (a thread) gives each batch to the workers and its place in
//! line to the appender. Workers (threads) decode and run the steps. The appender (a thread) takes the batches in line
//! order, which for one shard is the order of positions, and closes segments. Every channel is bounded, so a slow disk
//! slows the readers and nothing piles up.

use crate::cpu::cpu_time;
use crate::error::{FlowError, Result};
use crate::pipeline::Pipeline;
use crate::progress::{Progress, Summary};
use crate::read::{Event, Readers};
use crate::recover::recover;
use crate::segment::{Closing, Segments};
use crate::window::Gold;
use crate::work::{Processed, ShardTag, Split, WorkItem, Worker};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use sluice_batch::{Commit, Position, ShardRef, ShardState};
use sluice_manifest::plan::{Format, JsonRecords};
use sluice_ports::{
    Alert, Alerts, Clock, CommitLog, Delivery, Kind, KnownShard, Lease, ObjectStore, ShardInfo, Source,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

/// How often the appender looks at the clock when no batch comes.
const TICK: Duration = Duration::from_millis(200);

/// The outside.
#[derive(Clone)]
pub struct Ports {
    /// Where records come from.
    pub source: Arc<dyn Source>,
    /// Where objects go.
    pub store: Arc<dyn ObjectStore>,
    /// Where cuts and commits go.
    pub log: Arc<dyn CommitLog>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// News for people.
    pub alerts: Arc<dyn Alerts>,
    /// Where silver rows go besides the lake, if anywhere.
    pub delivery: Option<Arc<dyn Delivery>>,
}

/// How to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Workers, at least 1.
    pub threads: usize,
    /// Go on when the input is read to its end, and take what comes later.
    pub follow: bool,
    /// Leave windows open at the end of a bounded input.
    pub keep_open: bool,
    /// Where another process holds the lease, wait until it lets go or is gone, rather than stop.
    pub standby: bool,
}

/// Runs a pipeline until its input ends, `stop` turns true, or something fails.
///
/// # Errors
/// Why it stopped. What was committed stays committed; the next run goes on from there.
pub async fn run(
    pipeline: Arc<Pipeline>,
    ports: Ports,
    options: Options,
    progress: Arc<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<Summary> {
    if options.follow {
        refuse_to_follow(&pipeline.plan.format)?;
    }
    let Some(lease) = acquire(&pipeline, &ports, options, stop.clone()).await? else {
        return Ok(Summary { stopped: true, ..Summary::default() });
    };
    let recovered = {
        let (pipeline, ports, lease, handle) = (pipeline.clone(), ports.clone(), lease.clone(), Handle::current());
        let work = move || handle.block_on(recover(&pipeline, &ports, lease, options.threads));
        tokio::task::spawn_blocking(work).await.map_err(|_| FlowError::Died("the recovery"))??
    };
    let mut summary = Summary { notes: recovered.notes, ..Summary::default() };
    if let Some(commit) = recovered.commit {
        summary.segments = 1;
        summary.account.add(&commit.account);
        summary.delivered.clone_from(&commit.delivered);
        progress.add_segment();
    }
    let known: BTreeMap<ShardRef, ShardState> = recovered.segments.shards().clone();
    ports.source.committed(&ended(known.values())).await?;
    let (order_tx, order_rx) = bounded(options.threads * 2 + 2);
    let workers = Workers::start(&pipeline, options.threads);
    let (events_tx, events_rx) = mpsc::channel(options.threads + 1);
    let dispatcher = dispatch(events_rx, workers.queue.clone(), order_tx);
    let readers = Readers {
        pipeline: pipeline.clone(),
        ports: ports.clone(),
        options,
        progress: progress.clone(),
        known,
        events: events_tx,
        stop: stop.clone(),
    };
    let reading = tokio::spawn(readers.run());
    let appender = Appender {
        pipeline,
        ports,
        options,
        progress,
        segments: recovered.segments,
        live: BTreeMap::new(),
        notes: BTreeMap::new(),
        summary,
        stop,
    };
    let handle = Handle::current();
    let appended = tokio::task::spawn_blocking(move || appender.run(&order_rx, &handle)).await;
    reading.abort();
    let _ = reading.await;
    let _ = tokio::task::spawn_blocking(move || dispatcher.join()).await;
    let split = workers.stop();
    let mut summary = appended.map_err(|_| FlowError::Died("the appender"))??;
    summary.split = split;
    Ok(summary)
}

/// How often a standby asks for the lease.
const ASK: Duration = Duration::from_millis(500);

/// The lease; `None` where the run was stopped while it stood by.
async fn acquire(
    pipeline: &Pipeline,
    ports: &Ports,
    options: Options,
    mut stop: watch::Receiver<bool>,
) -> Result<Option<Arc<dyn Lease>>> {
    let mut told = String::new();
    loop {
        match ports.log.acquire(pipeline.dataset()).await {
            Ok(lease) => {
                if !told.is_empty() {
                    tracing::warn!(fence = lease.fence(), "standing by is over: this process has the lease now");
                }
                return Ok(Some(Arc::from(lease)));
            }
            Err(error) if error.kind == Kind::Fenced && options.standby => {
                if told.is_empty() {
                    tracing::warn!("standing by: {error}");
                    told = error.message;
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(ASK) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(None),
        }
    }
}

/// Only records that end by themselves can be followed: of an array, or of a file that is one record, nobody can say
/// whether it is whole.
fn refuse_to_follow(format: &Format) -> Result<()> {
    match format {
        Format::Json { records: JsonRecords::Array | JsonRecords::File } => Err(FlowError::Plan(
            "`--follow` takes NDJSON and CSV; JSON arrays and whole files are read in bounded runs: leave `--follow` out, or \
             write one record a line"
                .into(),
        )),
        _ => Ok(()),
    }
}

/// Shards as the source wants to hear of them.
pub(crate) fn known(shards: &BTreeMap<ShardRef, ShardState>) -> Vec<KnownShard> {
    let each = |state: &ShardState| KnownShard {
        shard: state.shard.clone(),
        note: state.note.clone(),
        position: state.position,
    };
    shards.values().map(each).collect()
}

type Answer = Result<Box<Processed>>;
type Job = (WorkItem, Sender<Answer>);

/// What stands in line before the appender.
enum Slot {
    Batch(Receiver<Answer>),
    Event(Event),
}

struct Workers {
    queue: Sender<Job>,
    handles: Vec<JoinHandle<Split>>,
}

impl Workers {
    fn start(pipeline: &Arc<Pipeline>, threads: usize) -> Self {
        let (queue, jobs) = bounded::<Job>(threads);
        let handles = (0..threads.max(1))
            .map(|_| {
                let (jobs, pipeline) = (jobs.clone(), pipeline.clone());
                thread::spawn(move || work(&jobs, pipeline))
            })
            .collect();
        Self { queue, handles }
    }

    fn stop(self) -> Split {
        drop(self.queue);
        let mut total = Split::default();
        for split in self.handles.into_iter().filter_map(|handle| handle.join().ok()) {
            total.decode += split.decode;
            total.rules += split.rules;
            total.host += split.host;
        }
        total
    }
}

fn work(jobs: &Receiver<Job>, pipeline: Arc<Pipeline>) -> Split {
    let mut worker = Worker::new(pipeline);
    while let Ok((item, answer)) = jobs.recv() {
        // nobody waits for the answer where the run has already stopped
        let _ = answer.send(worker.process(item).map(Box::new));
    }
    worker.split
}

fn dispatch(mut events: mpsc::Receiver<Event>, queue: Sender<Job>, order: Sender<Slot>) -> JoinHandle<()> {
    thread::spawn(move || {
        while let Some(event) = events.blocking_recv() {
            let sent = match event {
                Event::Batch(item) => {
                    let (answer, place) = bounded(1);
                    order.send(Slot::Batch(place)).is_ok() && queue.send((*item, answer)).is_ok()
                }
                other => order.send(Slot::Event(other)).is_ok(),
            };
            if !sent {
                return;
            }
        }
    })
}

struct Appender {
    pipeline: Arc<Pipeline>,
    ports: Ports,
    options: Options,
    progress: Arc<Progress>,
    segments: Segments,
    /// Shards that may still give rows, with the time they last did.
    live: BTreeMap<ShardRef, Duration>,
    notes: BTreeMap<ShardRef, String>,
    summary: Summary,
    stop: watch::Receiver<bool>,
}

impl Appender {
    fn run(mut self, order: &Receiver<Slot>, handle: &Handle) -> Result<Summary> {
        loop {
            match order.recv_timeout(TICK) {
                Ok(Slot::Batch(place)) => {
                    let processed = place.recv().map_err(|_| FlowError::Died("a worker"))??;
                    self.append(*processed)?;
                }
                Ok(Slot::Event(event)) => self.event(event)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = self.ports.clock.monotonic();
            if self.segments.is_full(now) || (self.options.follow && self.windows_wait(now)) {
                handle.block_on(self.close(false))?;
            }
        }
        self.summary.stopped = *self.stop.borrow();
        let ended = !self.summary.stopped && !self.options.follow && self.summary.broken.is_empty();
        handle.block_on(self.close(ended && !self.options.keep_open))?;
        self.report_late();
        Ok(self.summary)
    }

    fn append(&mut self, mut processed: Processed) -> Result<()> {
        let begun = cpu_time();
        let shard = &processed.tag.shard;
        let now = self.ports.clock.monotonic();
        self.live.insert(shard.clone(), now);
        let note = self.notes.get(shard).map_or("", String::as_str);
        self.segments.append(&mut processed, note, now, None)?;
        self.progress.add_batch(&processed.account, processed.bytes);
        self.summary.append += cpu_time().saturating_sub(begun);
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Found(found) => {
                let now = self.ports.clock.monotonic();
                for found in found {
                    self.live.insert(found.shard.clone(), now);
                    self.segments.found(&found.shard, &found.parents);
                    self.notes.insert(found.shard, found.note);
                }
            }
            Event::Ended { tag, note, closed } => {
                // where windows are kept open for rows to come, an ended shard may be one that they come from; a shard of
                // a stream that is only caught up will give more in any case
                if closed || !(self.options.keep_open || self.ports.source.is_stream()) {
                    self.live.remove(&tag.shard);
                }
                // its children begin only now, so only now they can be idle
                let now = self.ports.clock.monotonic();
                for child in if closed { self.segments.children(&tag.shard) } else { Vec::new() } {
                    self.live.insert(child, now);
                }
                let shard_note = self.notes.get(&tag.shard).map_or("", String::as_str);
                self.segments.shard_ended(&tag.shard, closed, shard_note);
                self.summary.notes.extend(note);
            }
            Event::Broken { tag, message } => {
                self.live.remove(&tag.shard);
                self.alert("input_broken", &message);
                self.summary.broken.push(message);
            }
            Event::Failed(error) => return Err(*error),
            Event::Batch(_) => {}
        }
        Ok(())
    }

    fn windows_wait(&self, now: Duration) -> bool {
        self.segments.is_empty()
            && self.segments.could_close(&|gold| active(&self.live, self.options.follow, gold, now))
    }

    async fn close(&mut self, end_of_input: bool) -> Result<()> {
        let begun = cpu_time();
        let now = self.ports.clock.monotonic();
        let least = self.pipeline.golds.iter().map(|gold| gold.plan.window.idle).min();
        let quiet = |last: &Duration| least.is_some_and(|idle| now.saturating_sub(*last) >= idle);
        let idle = self.live.iter().filter(|(_, last)| self.options.follow && quiet(last));
        let idle: Vec<ShardRef> = idle.map(|(shard, _)| shard.clone()).collect();
        let (live, follow) = (self.live.clone(), self.options.follow);
        let active = move |gold: &Gold| active(&live, follow, gold, now);
        let closing = Closing::Fresh { active: &active, idle, end_of_input };
        if let Some(commit) = self.segments.close(closing).await? {
            self.committed(&commit);
            self.ports.source.committed(&ended(commit.shards.iter())).await?;
        }
        self.summary.commit += cpu_time().saturating_sub(begun);
        Ok(())
    }

    fn committed(&mut self, commit: &Commit) {
        self.summary.segments += 1;
        self.summary.account.add(&commit.account);
        if let Some(delivered) = &commit.delivered {
            self.summary.delivered.get_or_insert_default().add(delivered);
        }
        self.progress.add_segment();
        let rows = commit.account.total();
        tracing::debug!(commit = commit.number, read = rows.read, silver = rows.silver, "committed");
    }

    fn report_late(&mut self) {
        for (gold, account) in &self.summary.account.gold {
            if account.late > 0 {
                let text = format!("gold `{gold}`: {} rows came too late for their window", account.late);
                self.summary.notes.push(text);
            }
        }
    }

    fn alert(&self, code: &'static str, message: &str) {
        let dataset = self.pipeline.dataset().to_owned();
        self.ports.alerts.raise(Alert { dataset, code, message: message.to_owned() });
    }
}

/// Shards whose rows are still to come. In a bounded run every shard that is not read to its end; when following, one that
/// has been quiet for long holds no window open.
fn active(live: &BTreeMap<ShardRef, Duration>, follow: bool, gold: &Gold, now: Duration) -> BTreeSet<ShardRef> {
    let idle = gold.bound.plan.window.idle;
    let quiet = |last: &Duration| follow && now.saturating_sub(*last) >= idle;
    live.iter().filter(|(_, last)| !quiet(last)).map(|(shard, _)| shard.clone()).collect()
}

/// Shards that are read to their end.
fn ended<'a>(shards: impl Iterator<Item = &'a ShardState>) -> Vec<ShardRef> {
    shards.filter(|state| state.ended).map(|state| state.shard.clone()).collect()
}

/// Where a shard is read on from.
pub(crate) fn start_of(known: &BTreeMap<ShardRef, ShardState>, info: &ShardInfo) -> (Position, Option<String>) {
    known.get(&info.shard).map_or((info.start, None), |state| (state.position, Some(state.tail.clone())))
}

/// A tag shared by all batches of a shard.
pub(crate) fn tag(info: &ShardInfo) -> Arc<ShardTag> {
    Arc::new(ShardTag { shard: info.shard.clone() })
}
