//! Which version batches are given to, and which each worker works by.

use crate::version::Version;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What a version is run beside another for.
#[derive(Clone)]
pub(crate) enum Beside {
    /// Nothing is.
    Nothing,
    /// The new version is tried on the side.
    New(Arc<Version>),
    /// The new version is on trial, and the old one says what it would have done.
    Old(Arc<Version>),
}

/// Which version batches are given to, from one turn to the next.
pub(crate) struct Course {
    pub(crate) turn: u64,
    /// The version whose answers are kept.
    pub(crate) main: Arc<Version>,
    pub(crate) beside: Beside,
}

impl Course {
    /// The versions that work.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Arc<Version>> {
        let beside = match &self.beside {
            Beside::Nothing => None,
            Beside::New(version) | Beside::Old(version) => Some(version),
        };
        [&self.main].into_iter().chain(beside)
    }
}

/// Where a run's versions stand, for whoever asks. Shared by the run and its host.
#[derive(Default)]
pub struct Board {
    turn: AtomicU64,
    course: Mutex<Option<Arc<Course>>>,
    workers: Mutex<Vec<String>>,
}

/// What the board says at one moment. Versions are named by the keys of their identities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The version whose answers are kept.
    pub version: String,
    /// The version that is run beside it, if any.
    pub beside: Option<String>,
    /// The version that each worker works by.
    pub workers: Vec<String>,
}

impl Board {
    /// Where things stand; nothing before the run begins.
    pub fn standing(&self) -> Option<Standing> {
        let course = self.course.lock().expect("no holder panics").clone()?;
        let beside = course.versions().nth(1).map(|version| version.key().to_owned());
        let workers = self.workers.lock().expect("no holder panics").clone();
        Some(Standing { version: course.main.key().to_owned(), beside, workers })
    }

    /// Number of the turn now.
    pub(crate) fn turn(&self) -> u64 {
        self.turn.load(Ordering::Acquire)
    }

    pub(crate) fn course(&self) -> Arc<Course> {
        self.course.lock().expect("no holder panics").clone().expect("a run steers before it works")
    }

    /// Batches from now on go another way. Returns the number of the turn.
    pub(crate) fn steer(&self, main: Arc<Version>, beside: Beside) -> u64 {
        let mut course = self.course.lock().expect("no holder panics");
        let turn = self.turn() + 1;
        *course = Some(Arc::new(Course { turn, main, beside }));
        self.turn.store(turn, Ordering::Release);
        turn
    }

    /// So many workers begin.
    pub(crate) fn begin(&self, workers: usize) {
        *self.workers.lock().expect("no holder panics") = vec![String::new(); workers];
    }

    /// A worker says what it works by.
    pub(crate) fn report(&self, worker: usize, key: &str) {
        let mut workers = self.workers.lock().expect("no holder panics");
        if let Some(slot) = workers.get_mut(worker).filter(|slot| *slot != key) {
            key.clone_into(slot);
        }
    }
}
