//! Time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time, injected so that a run can be repeated.
pub trait Clock: Send + Sync {
    /// Time that never runs backwards, since some fixed moment.
    fn monotonic(&self) -> Duration;

    /// Milliseconds since 1970-01-01T00:00:00 UTC.
    fn wall_ms(&self) -> i64;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }
}
