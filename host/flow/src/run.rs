//! One run: readers, a dispatcher, workers, and one appender.
//!
//! Readers (tasks) cut shards into raw batches. The dispatcher (a thread, `crew`) gives each batch to the workers and its
//! place in line to the appender. Workers (threads) decode and run the steps. The appender (a thread, `append`) takes the
//! batches in line order, which for one shard is the order of positions, and closes segments. Every channel is bounded, so
//! a slow disk slows the readers and nothing piles up.
//!
//! A new version of the pipeline takes its place in line too: batches before it are of the old one, those after it of the
//! new one, and nobody waits.

use crate::append::{Appender, Ended, OpenProgress};
use crate::board::{Board, Course};
use crate::crew::{Workers, dispatch};
use crate::error::{FlowError, Result};
use crate::pipeline::Pipeline;
use crate::progress::{Progress, Summary};
use crate::read::Readers;
use crate::recover::{Versions, recover};
use crate::rollout::{Control, History, Rollouts};
use crate::version::Version;
use crate::work::{ShardTag, Shop};
use crossbeam_channel::bounded;
use sluice_batch::{Position, ShardRef, ShardState};
use sluice_manifest::plan::{Format, JsonRecords};
use sluice_ports::{Alerts, Clock, CommitLog, Delivery, Kind, KnownShard, Lease, ObjectStore, ShardInfo, Source};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

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
    /// Batches in a million that are run twice, on a fresh instance of each rule, to see that it says the same.
    pub audit_ppm: u32,
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
    run_steered(pipeline, ports, options, progress, stop, Control::default()).await
}

/// The same, with new versions of the pipeline coming into use on the way.
///
/// # Errors
/// As [`run`].
pub async fn run_steered(
    pipeline: Arc<Pipeline>,
    ports: Ports,
    options: Options,
    progress: Arc<Progress>,
    stop: watch::Receiver<bool>,
    control: Control,
) -> Result<Summary> {
    if options.follow {
        refuse_to_follow(&pipeline.plan.format)?;
    }
    let Some(lease) = acquire(&pipeline, &ports, options, stop.clone()).await? else {
        return Ok(Summary { stopped: true, ..Summary::default() });
    };
    lease.check()?;
    // once, and before anybody hears that the run has begun: what is put meanwhile must stay
    ports.store.clean().await?;
    let Control { rollouts, watcher, board, history } = control;
    let rollouts = Rollouts::new(Version::new(pipeline), rollouts, watcher, board.clone());
    let mut voyage = Voyage { ports, options, progress, stop, lease, board, history, summary: Summary::default() };
    let mut rollouts = Some(rollouts);
    while let Some(next) = rollouts.take() {
        rollouts = voyage.leg(next).await?;
    }
    Ok(voyage.summary)
}

/// A run from its start to its end. It is made of legs: where a version is rolled back, or cuts records in another way, a
/// new one begins at the last commit.
struct Voyage {
    ports: Ports,
    options: Options,
    progress: Arc<Progress>,
    stop: watch::Receiver<bool>,
    lease: Arc<dyn Lease>,
    board: Arc<Board>,
    history: Arc<dyn History>,
    summary: Summary,
}

impl Voyage {
    /// Reads on from the last commit. Returns what steers the next leg, if there is one.
    async fn leg(&mut self, rollouts: Rollouts) -> Result<Option<Rollouts>> {
        let course = self.board.course();
        let pipeline = course.main.pipeline.clone();
        let (ports, options, threads) = (self.ports.clone(), self.options, self.options.threads.max(1));
        let recovered = {
            let versions = self.versions(&course, &rollouts);
            let (lease, handle) = (self.lease.clone(), Handle::current());
            let ports = ports.clone();
            let work = move || handle.block_on(recover(&versions, &ports, lease, threads));
            tokio::task::spawn_blocking(work).await.map_err(|_| FlowError::Died("the recovery"))??
        };
        self.summary.notes.extend(recovered.notes);
        if let Some(commit) = recovered.commit {
            self.summary.add(&commit);
            self.progress.add_segment();
        }
        let known: BTreeMap<ShardRef, ShardState> = recovered.segments.shards().clone();
        ports.source.committed(&ended(known.values())).await?;
        let (order_tx, order_rx) = bounded(threads * 2 + 2);
        let shop = Shop { clock: ports.clock.clone(), audit_ppm: options.audit_ppm };
        let workers = Workers::start(&self.board, &shop, threads);
        let (events_tx, events_rx) = mpsc::channel(threads + 1);
        let wake = events_tx.downgrade();
        let dispatcher = dispatch(events_rx, workers.queue.clone(), order_tx, self.board.clone(), course.clone());
        let readers = Readers {
            pipeline,
            ports: ports.clone(),
            options,
            progress: self.progress.clone(),
            known,
            events: events_tx,
            stop: self.stop.clone(),
        };
        let reading = tokio::spawn(readers.run());
        let appender = Appender {
            ports,
            options,
            progress: self.progress.clone(),
            segments: recovered.segments,
            live: BTreeMap::new(),
            notes: BTreeMap::new(),
            summary: std::mem::take(&mut self.summary),
            stop: self.stop.clone(),
            rollouts,
            board: self.board.clone(),
            course,
            wake,
            open: OpenProgress::default(),
        };
        let handle = Handle::current();
        let appended = tokio::task::spawn_blocking(move || appender.run(&order_rx, &handle)).await;
        reading.abort();
        let _ = reading.await;
        let _ = tokio::task::spawn_blocking(move || dispatcher.join()).await;
        let split = workers.stop();
        let Ended { summary, again } = appended.map_err(|_| FlowError::Died("the appender"))??;
        self.summary = summary;
        self.summary.split.add(&split);
        Ok(again)
    }

    /// Versions that may have left something open: the one in use first.
    fn versions(&self, course: &Course, rollouts: &Rollouts) -> Versions {
        let others =
            course.versions().skip(1).chain([rollouts.live()]).map(|version| version.pipeline.clone()).collect();
        Versions { main: course.main.clone(), others, history: self.history.clone() }
    }
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

/// Shards that are read to their end.
pub(crate) fn ended<'a>(shards: impl Iterator<Item = &'a ShardState>) -> Vec<ShardRef> {
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
