//! Readers: one task for each shard, as many at once as there are workers.

use crate::error::{FlowError, Result};
use crate::pipeline::Pipeline;
use crate::progress::Progress;
use crate::run::{Options, Ports, start_of, tag};
use crate::stream::{Fill, ShardStream};
use crate::work::{ShardTag, WorkItem};
use sluice_batch::{ShardRef, ShardState};
use sluice_formats::RawBatch;
use sluice_ports::{Kind, KnownShard, ShardInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

/// How often a shard that is caught up is asked again.
const POLL: Duration = Duration::from_millis(200);
/// How often new shards are looked for while following.
const DISCOVER: Duration = Duration::from_secs(1);

/// What readers tell.
pub(crate) enum Event {
    /// Shards that will be read, with the source's notes. Comes before anything of them.
    Found(Vec<(ShardRef, String)>),
    /// A batch.
    Batch(Box<WorkItem>),
    /// A shard is read to its end.
    Ended { tag: Arc<ShardTag>, note: Option<String> },
    /// A shard broke; what came before the break was given.
    Broken { tag: Arc<ShardTag>, message: String },
    /// The run cannot go on.
    Failed(Box<FlowError>),
}

/// Finds shards and reads them.
pub(crate) struct Readers {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) ports: Ports,
    pub(crate) options: Options,
    pub(crate) progress: Arc<Progress>,
    pub(crate) known: BTreeMap<ShardRef, ShardState>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Readers {
    /// Reads until all shards end, or until it is stopped.
    pub(crate) async fn run(self) {
        if let Err(error) = self.read_all().await {
            // nobody listens where the run has already stopped
            let _ = self.events.send(Event::Failed(Box::new(error))).await;
        }
    }

    async fn read_all(&self) -> Result<()> {
        // while following every shard is open at once: none of them ends
        let permits = if self.options.follow { Semaphore::MAX_PERMITS } else { self.options.threads };
        let slots = Arc::new(Semaphore::new(permits));
        let mut known = crate::run::known(&self.known);
        let mut seen = BTreeSet::new();
        let mut ended = BTreeSet::new();
        let mut waiting: Vec<ShardInfo> = Vec::new();
        let mut reading = JoinSet::new();
        let mut stop = self.stop.clone();
        loop {
            let found = self.ports.source.discover(&known).await?;
            let new: Vec<ShardInfo> = found.into_iter().filter(|info| seen.insert(info.shard.clone())).collect();
            self.announce(&new, &mut known).await;
            waiting.extend(new);
            loop {
                // a shard is begun when its parents, as far as they are to be read at all, are read to their end
                let open = |parent: &ShardRef| seen.contains(parent) && !ended.contains(parent);
                let (later, ready) = waiting.drain(..).partition(|info| info.parents.iter().any(open));
                waiting = later;
                for info in ready {
                    reading.spawn(self.reader(info).run(slots.clone()));
                }
                let next = tokio::select! {
                    next = reading.join_next() => next,
                    () = tokio::time::sleep(DISCOVER), if self.options.follow => break,
                    _ = stop.wait_for(|stop| *stop) => None,
                };
                match next {
                    Some(done) => drop(ended.insert(done.map_err(|_| FlowError::Died("a reader"))??)),
                    None if self.options.follow && !*self.stop.borrow() => {
                        tokio::time::sleep(DISCOVER).await;
                        break;
                    }
                    None => return finish(reading).await,
                }
            }
        }
    }

    async fn announce(&self, new: &[ShardInfo], known: &mut Vec<KnownShard>) {
        for info in new {
            self.progress.add_size(info.size.unwrap_or(0));
            if known.iter().all(|shard| shard.shard != info.shard) {
                let position = sluice_batch::Position::TrimHorizon;
                known.push(KnownShard { shard: info.shard.clone(), note: info.note.clone(), position });
            }
        }
        let found = new.iter().map(|info| (info.shard.clone(), info.note.clone())).collect();
        let _ = self.events.send(Event::Found(found)).await;
    }

    fn reader(&self, info: ShardInfo) -> Reader {
        Reader {
            tag: tag(&info),
            start: start_of(&self.known, &info.shard),
            // an empty file that is one record was read whole, and its position cannot say so
            done: info.size == Some(0) && self.known.get(&info.shard).is_some_and(|state| state.ended),
            info,
            pipeline: self.pipeline.clone(),
            ports: self.ports.clone(),
            follow: self.options.follow,
            progress: self.progress.clone(),
            events: self.events.clone(),
            stop: self.stop.clone(),
            arrived_at: 0,
        }
    }
}

/// Lets the readers that are still at work see the stop and end.
async fn finish(mut reading: JoinSet<Result<ShardRef>>) -> Result<()> {
    while let Some(done) = reading.join_next().await {
        done.map_err(|_| FlowError::Died("a reader"))??;
    }
    Ok(())
}

struct Reader {
    info: ShardInfo,
    tag: Arc<ShardTag>,
    start: (sluice_batch::Position, Option<String>),
    done: bool,
    pipeline: Arc<Pipeline>,
    ports: Ports,
    follow: bool,
    progress: Arc<Progress>,
    events: mpsc::Sender<Event>,
    stop: watch::Receiver<bool>,
    arrived_at: i64,
}

/// Why a reader ends early without a failure.
enum Halt {
    /// The run stopped.
    Stopped,
    Failed(FlowError),
}

impl From<FlowError> for Halt {
    fn from(error: FlowError) -> Self {
        Self::Failed(error)
    }
}

impl Reader {
    async fn run(mut self, slots: Arc<Semaphore>) -> Result<ShardRef> {
        let _slot = slots.acquire().await;
        let shard = self.info.shard.clone();
        match self.read().await {
            Ok(()) | Err(Halt::Stopped) => Ok(shard),
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    async fn read(&mut self) -> std::result::Result<(), Halt> {
        if *self.stop.borrow() {
            return Err(Halt::Stopped);
        }
        if self.done {
            return self.ended(false).await;
        }
        self.arrived_at = self.ports.clock.wall_ms();
        let (from, tail) = self.start.clone();
        let source = self.ports.source.clone();
        let opened = ShardStream::open(source.as_ref(), &self.pipeline, &self.info, &from, tail.as_deref(), None);
        let mut stream = opened.await?;
        let (mut consumed, mut waits) = (0, Duration::ZERO);
        loop {
            while let Some(raw) = stream.next(false)? {
                self.send(raw).await?;
            }
            let filled = match stream.fill().await {
                Ok(filled) => filled,
                Err(FlowError::Port(error)) if error.kind == Kind::Broken => {
                    while let Some(raw) = stream.next(true)? {
                        self.send(raw).await?;
                    }
                    let (tag, message) = (self.tag.clone(), error.message);
                    return self.tell(Event::Broken { tag, message }).await;
                }
                Err(error) => return Err(error.into()),
            };
            self.progress.add_consumed(stream.consumed() - consumed);
            consumed = stream.consumed();
            match filled {
                Fill::More => waits = Duration::ZERO,
                Fill::End => {
                    stream.end();
                    while let Some(raw) = stream.next(true)? {
                        self.send(raw).await?;
                    }
                    return self.ended(stream.took_unterminated_tail()).await;
                }
                Fill::CaughtUp if !self.follow => return self.ended(false).await,
                Fill::CaughtUp => {
                    self.pause().await?;
                    waits += POLL;
                    if waits >= self.pipeline.plan.batch.age {
                        while let Some(raw) = stream.next(true)? {
                            self.send(raw).await?;
                        }
                        waits = Duration::ZERO;
                    }
                }
            }
        }
    }

    async fn ended(&self, unterminated: bool) -> std::result::Result<(), Halt> {
        let note = unterminated.then(|| {
            let label = &self.info.label;
            format!("{label}: the last record has no line end; it was taken as it stands")
        });
        self.tell(Event::Ended { tag: self.tag.clone(), note }).await
    }

    async fn pause(&mut self) -> std::result::Result<(), Halt> {
        tokio::select! {
            () = tokio::time::sleep(POLL) => Ok(()),
            _ = self.stop.wait_for(|stop| *stop) => Err(Halt::Stopped),
        }
    }

    async fn send(&self, raw: RawBatch) -> std::result::Result<(), Halt> {
        if *self.stop.borrow() {
            return Err(Halt::Stopped);
        }
        // following, a file lives long: its records arrive when they are found, not when it was opened
        let arrived_at = if self.follow { self.ports.clock.wall_ms() } else { self.arrived_at };
        let item = WorkItem { tag: self.tag.clone(), raw, arrived_at, failed_before: None };
        self.tell(Event::Batch(Box::new(item))).await
    }

    async fn tell(&self, event: Event) -> std::result::Result<(), Halt> {
        self.events.send(event).await.map_err(|_| Halt::Stopped)
    }
}
