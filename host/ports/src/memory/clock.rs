//! Time that a test moves.

use crate::Clock;
use std::sync::Mutex;
use std::time::Duration;

/// Stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock(Mutex<(Duration, i64)>);

impl ManualClock {
    /// A clock whose wall shows `wall_ms` milliseconds since the epoch.
    pub fn new(wall_ms: i64) -> Self {
        Self(Mutex::new((Duration::ZERO, wall_ms)))
    }

    /// Time passes, on both faces.
    pub fn advance(&self, by: Duration) {
        let mut time = self.0.lock().unwrap();
        time.0 += by;
        time.1 += by.as_millis() as i64;
    }

    /// Somebody sets the wall clock, forwards or backwards.
    pub fn set_wall_ms(&self, wall_ms: i64) {
        self.0.lock().unwrap().1 = wall_ms;
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().0
    }

    fn wall_ms(&self) -> i64 {
        self.0.lock().unwrap().1
    }
}
