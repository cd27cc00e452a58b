//! The dispatcher and the workers.

use crate::board::{Beside, Board, Course};
use crate::compare::Comparison;
use crate::error::Result;
use crate::read::Event;
use crate::version::Version;
use crate::work::{Processed, Shop, Split, WorkItem, Worker};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often a worker without work looks at the board.
const LOOK: Duration = Duration::from_millis(50);

/// A batch as it comes back from a worker.
pub(crate) struct Finished {
    pub(crate) processed: Processed,
    /// How the version beside differs; an error where it stops runs.
    pub(crate) compared: Option<std::result::Result<Comparison, String>>,
    /// When it was given to the workers.
    pub(crate) since: Instant,
}

type Answer = Result<Box<Finished>>;

/// A batch with the course it is on.
struct Job {
    item: WorkItem,
    course: Arc<Course>,
    since: Instant,
    answer: Sender<Answer>,
}

/// What stands in line before the appender.
pub(crate) enum Slot {
    Batch(Receiver<Answer>),
    Event(Event),
    /// All after it is on this course.
    Turn(Arc<Course>),
}

pub(crate) struct Workers {
    pub(crate) queue: Queue,
    handles: Vec<JoinHandle<Split>>,
}

/// Where batches go.
#[derive(Clone)]
pub(crate) struct Queue(Sender<Job>);

impl Workers {
    pub(crate) fn start(board: &Arc<Board>, shop: &Shop, threads: usize) -> Self {
        let (queue, jobs) = bounded::<Job>(threads);
        board.begin(threads);
        let start = |number| {
            let crew =
                Crew { number, board: board.clone(), shop: shop.clone(), workers: Vec::new(), split: Split::default() };
            let jobs = jobs.clone();
            thread::spawn(move || crew.work(&jobs))
        };
        Self { queue: Queue(queue), handles: (0..threads).map(start).collect() }
    }

    pub(crate) fn stop(self) -> Split {
        drop(self.queue);
        let mut total = Split::default();
        for split in self.handles.into_iter().filter_map(|handle| handle.join().ok()) {
            total.add(&split);
        }
        total
    }
}

/// A thread with its instances of each version that works.
struct Crew {
    number: usize,
    board: Arc<Board>,
    shop: Shop,
    workers: Vec<Worker>,
    split: Split,
}

impl Crew {
    fn work(mut self, jobs: &Receiver<Job>) -> Split {
        let mut turn = 0;
        loop {
            let job = jobs.recv_timeout(LOOK);
            if self.board.turn() != turn {
                turn = self.board.turn();
                // instances are made before the first batch that needs them
                self.board.course().versions().for_each(|version| self.worker(version).warm_up());
            }
            match job {
                Ok(Job { item, course, since, answer }) => {
                    self.let_go(&course);
                    let done = self.process(&item, &course, since);
                    self.board.report(self.number, course.main.key());
                    // nobody waits for the answer where the run has already stopped
                    let _ = answer.send(done);
                }
                Err(RecvTimeoutError::Timeout) => self.board.report(self.number, self.board.course().main.key()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        for worker in &self.workers {
            self.split.add(&worker.split);
        }
        self.split
    }

    fn process(&mut self, item: &WorkItem, course: &Course, since: Instant) -> Answer {
        let processed = self.worker(&course.main).process(item)?;
        let (version, is_old) = match &course.beside {
            Beside::Nothing => return Ok(Box::new(Finished { processed, compared: None, since })),
            Beside::New(version) => (version, false),
            Beside::Old(version) => (version, true),
        };
        let beside = self.worker(version).process(item);
        let compared = match &beside {
            Ok(old) if is_old => Ok(Comparison::of(&processed, old)),
            Ok(new) => Ok(Comparison::of(new, &processed)),
            Err(error) => Err(error.to_string()),
        };
        Ok(Box::new(Finished { processed, compared: Some(compared), since }))
    }

    fn worker(&mut self, version: &Arc<Version>) -> &mut Worker {
        let place = self.workers.iter().position(|worker| Arc::ptr_eq(worker.version(), version));
        let place = place.unwrap_or_else(|| {
            self.workers.push(Worker::new(version.clone(), self.shop.clone()));
            self.workers.len() - 1
        });
        &mut self.workers[place]
    }

    /// Drops instances of versions that neither the batches in line nor those to come are given to.
    fn let_go(&mut self, course: &Course) {
        let ahead = self.board.course();
        let works = |version: &Arc<Version>| course.versions().chain(ahead.versions()).any(|v| Arc::ptr_eq(v, version));
        if self.workers.iter().all(|worker| works(worker.version())) {
            return;
        }
        let (stay, go): (Vec<Worker>, Vec<Worker>) =
            std::mem::take(&mut self.workers).into_iter().partition(|worker| works(worker.version()));
        self.workers = stay;
        for worker in go {
            self.split.add(&worker.split);
        }
    }
}

/// Gives batches to the workers and their places to the appender. Where the board says that the course changed, that
/// takes its place in line.
pub(crate) fn dispatch(
    mut events: mpsc::Receiver<Event>,
    queue: Queue,
    order: Sender<Slot>,
    board: Arc<Board>,
    mut course: Arc<Course>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        while let Some(event) = events.blocking_recv() {
            if board.turn() != course.turn {
                course = board.course();
                if order.send(Slot::Turn(course.clone())).is_err() {
                    return;
                }
            }
            let sent = match event {
                Event::Batch(item) => {
                    let (answer, place) = bounded(1);
                    let job = Job { item: *item, course: course.clone(), since: Instant::now(), answer };
                    order.send(Slot::Batch(place)).is_ok() && queue.0.send(job).is_ok()
                }
                Event::Wake => true,
                other => order.send(Slot::Event(other)).is_ok(),
            };
            if !sent {
                return;
            }
        }
    })
}
