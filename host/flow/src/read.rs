//! Readers: one task for each shard, as many at once as there are workers.

use crate::error::{FlowError, Result};
use crate::piece::Piece;
use crate::pipeline::Pipeline;
use crate::progress::Progress;
use crate::run::{Options, Ports, start_of, tag};
use crate::stream::{Fill, ShardStream};
use crate::work::{ShardTag, WorkItem};
use sluice_batch::{Position, ShardRef, ShardState};
use sluice_ports::{Kind, KnownShard, ShardInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

/// How often a shard that is caught up is asked again.
const POLL: Duration = Duration::from_millis(200);
/// How often new files are looked for while following.
const DISCOVER: Duration = Duration::from_secs(1);
/// How often new shards of a stream are looked for. Those that a closed one leaves behind are looked for at once.
const DISCOVER_SHARDS: Duration = Duration::from_secs(30);

/// What readers tell.
pub(crate) enum Event {
    /// Shards that will be read. Comes before anything of them.
    Found(Vec<Found>),
    /// A batch.
    Batch(Box<WorkItem>),
    /// A shard is read to its end; `closed` where nothing will ever follow.
    Ended { tag: Arc<ShardTag>, note: Option<String>, closed: bool },
    /// A shard broke; what came before the break was given.
    Broken { tag: Arc<ShardTag>, message: String },
    /// The run cannot go on.
    Failed(Box<FlowError>),
    /// Somebody changed the course.
    Wake,
}

/// A shard that will be read.
pub(crate) struct Found {
    pub(crate) shard: ShardRef,
    pub(crate) note: String,
    pub(crate) parents: Vec<ShardRef>,
}

/// How a reader came to its end.
enum Ending {
    Stopped,
    /// The appender was told.
    Told,
    /// The appender is to be told this, once the shards that the closed one leaves behind are known.
    Closed(Event),
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
        let source = &self.ports.source;
        let is_stream = source.is_stream();
        // the shards of a stream, and files that are appended to, are open side by side: none of them ends soon
        let all = is_stream || (self.options.follow && source.keeps_open());
        let permits = if all { Semaphore::MAX_PERMITS } else { self.options.threads };
        let every = if is_stream { DISCOVER_SHARDS } else { DISCOVER };
        let slots = Arc::new(Semaphore::new(permits));
        let mut shards = Shards { known: crate::run::known(&self.known), ..Shards::default() };
        let mut reading = JoinSet::new();
        let mut stop = self.stop.clone();
        self.discover(&mut shards).await?;
        loop {
            for info in shards.ready() {
                reading.spawn(self.reader(info).run(slots.clone()));
            }
            let next = tokio::select! {
                next = reading.join_next() => Next::Done(next),
                () = tokio::time::sleep(every), if self.options.follow => Next::Look,
                _ = stop.wait_for(|stop| *stop) => Next::Stop,
            };
            match next {
                Next::Done(Some(done)) => {
                    self.ended(&mut shards, done.map_err(|_| FlowError::Died("a reader"))??).await?;
                }
                Next::Done(None) if self.options.follow && !*self.stop.borrow() => {
                    tokio::time::sleep(DISCOVER).await;
                    self.discover(&mut shards).await?;
                }
                Next::Look => self.discover(&mut shards).await?,
                Next::Done(None) | Next::Stop => return finish(reading).await,
            }
        }
    }

    async fn discover(&self, shards: &mut Shards) -> Result<()> {
        let found = self.ports.source.discover(&shards.known).await?;
        let new: Vec<ShardInfo> = found.into_iter().filter(|info| shards.seen.insert(info.shard.clone())).collect();
        self.announce(&new, &mut shards.known).await;
        shards.waiting.extend(new);
        Ok(())
    }

    /// A closed shard holds windows open until its children are known to: they are announced before its end is.
    async fn ended(&self, shards: &mut Shards, (shard, ending): (ShardRef, Ending)) -> Result<()> {
        if let Ending::Closed(event) = ending {
            self.discover(shards).await?;
            // nobody listens where the run has already stopped
            let _ = self.events.send(event).await;
        }
        shards.ended.insert(shard);
        Ok(())
    }

    async fn announce(&self, new: &[ShardInfo], known: &mut Vec<KnownShard>) {
        for info in new {
            self.progress.add_size(info.size.unwrap_or(0));
            if known.iter().all(|shard| shard.shard != info.shard) {
                let position = info.start;
                known.push(KnownShard { shard: info.shard.clone(), note: info.note.clone(), position });
            }
        }
        let each = |info: &ShardInfo| Found {
            shard: info.shard.clone(),
            note: info.note.clone(),
            parents: info.parents.clone(),
        };
        let found = new.iter().map(each).collect();
        let _ = self.events.send(Event::Found(found)).await;
    }

    fn reader(&self, info: ShardInfo) -> Reader {
        Reader {
            tag: tag(&info),
            start: start_of(&self.known, &info),
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

/// What the finder of shards woke up for.
enum Next {
    /// A reader came to its end, or there is none.
    Done(Option<std::result::Result<Result<(ShardRef, Ending)>, tokio::task::JoinError>>),
    /// It is time to look for new shards.
    Look,
    Stop,
}

/// Shards by how far they are.
#[derive(Default)]
struct Shards {
    /// Those of the last commit, and those found since.
    known: Vec<KnownShard>,
    seen: BTreeSet<ShardRef>,
    ended: BTreeSet<ShardRef>,
    waiting: Vec<ShardInfo>,
}

impl Shards {
    /// Shards to begin: those whose parents, as far as they are to be read at all, are read to their end.
    fn ready(&mut self) -> Vec<ShardInfo> {
        let open = |parent: &ShardRef| self.seen.contains(parent) && !self.ended.contains(parent);
        let (later, ready) = self.waiting.drain(..).partition(|info| info.parents.iter().any(open));
        self.waiting = later;
        ready
    }
}

/// Lets the readers that are still at work see the stop and end.
async fn finish(mut reading: JoinSet<Result<(ShardRef, Ending)>>) -> Result<()> {
    while let Some(done) = reading.join_next().await {
        done.map_err(|_| FlowError::Died("a reader"))??;
    }
    Ok(())
}

struct Reader {
    info: ShardInfo,
    tag: Arc<ShardTag>,
    start: (Position, Option<String>),
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
    async fn run(mut self, slots: Arc<Semaphore>) -> Result<(ShardRef, Ending)> {
        let _slot = slots.acquire().await;
        let shard = self.info.shard.clone();
        match self.read().await {
            Ok(event @ Event::Ended { closed: true, .. }) => Ok((shard, Ending::Closed(event))),
            // told before the next shard takes the slot, so that one thread gives one order
            Ok(event) => {
                let told = self.events.send(event).await.is_ok();
                Ok((shard, if told { Ending::Told } else { Ending::Stopped }))
            }
            Err(Halt::Stopped) => Ok((shard, Ending::Stopped)),
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    async fn read(&mut self) -> std::result::Result<Event, Halt> {
        if *self.stop.borrow() {
            return Err(Halt::Stopped);
        }
        let (from, tail) = self.start.clone();
        if self.done || from == Position::ShardEnd {
            return Ok(self.ended(false, from == Position::ShardEnd));
        }
        self.arrived_at = self.ports.clock.wall_ms();
        let source = self.ports.source.clone();
        let opened = ShardStream::open(source.as_ref(), &self.pipeline, &self.info, &from, tail.as_deref(), None);
        let mut stream = opened.await?;
        let (mut consumed, mut waits) = (0, Duration::ZERO);
        loop {
            self.send_all(&mut stream, false).await?;
            let filled = match stream.fill().await {
                Ok(filled) => filled,
                Err(FlowError::Port(error)) if error.kind == Kind::Broken => {
                    self.send_all(&mut stream, true).await?;
                    return Ok(Event::Broken { tag: self.tag.clone(), message: error.message });
                }
                Err(error) => return Err(error.into()),
            };
            self.progress.add_consumed(stream.consumed() - consumed);
            consumed = stream.consumed();
            match filled {
                Fill::More => waits = Duration::ZERO,
                Fill::End | Fill::Closed => {
                    stream.end();
                    self.send_all(&mut stream, true).await?;
                    return Ok(self.ended(stream.took_unterminated_tail(), filled == Fill::Closed));
                }
                Fill::CaughtUp if !self.follow && !source.is_stream() => return Ok(self.ended(false, false)),
                Fill::CaughtUp => {
                    self.pause().await?;
                    waits += POLL;
                    if waits >= self.pipeline.plan.batch.age {
                        self.send_all(&mut stream, true).await?;
                        waits = Duration::ZERO;
                    }
                }
            }
        }
    }

    /// Sends what is full; with `flush` also what is not.
    async fn send_all(&self, stream: &mut ShardStream, flush: bool) -> std::result::Result<(), Halt> {
        while let Some(piece) = stream.next(flush)? {
            self.send(piece).await?;
        }
        Ok(())
    }

    fn ended(&self, unterminated: bool, closed: bool) -> Event {
        let note = unterminated.then(|| {
            let label = &self.info.label;
            format!("{label}: the last record has no line end; it was taken as it stands")
        });
        Event::Ended { tag: self.tag.clone(), note, closed }
    }

    async fn pause(&mut self) -> std::result::Result<(), Halt> {
        tokio::select! {
            () = tokio::time::sleep(POLL) => Ok(()),
            _ = self.stop.wait_for(|stop| *stop) => Err(Halt::Stopped),
        }
    }

    async fn send(&self, mut piece: Piece) -> std::result::Result<(), Halt> {
        if *self.stop.borrow() {
            return Err(Halt::Stopped);
        }
        if piece.is_bytes() {
            // following, a file lives long: its records arrive when they are found, not when it was opened
            piece.arrived_at = if self.follow { self.ports.clock.wall_ms() } else { self.arrived_at };
        }
        let item = WorkItem { tag: self.tag.clone(), piece, again: None };
        self.events.send(Event::Batch(Box::new(item))).await.map_err(|_| Halt::Stopped)
    }
}
