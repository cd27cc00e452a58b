//! The time that Firehose goes by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that a test can put forward, and that runs by itself or stands still. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    stopped_at: Option<SystemTime>,
    forward_ms: Arc<AtomicU64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}

impl Clock {
    /// The time of the machine, plus what it is put forward.
    pub fn real() -> Self {
        Self { stopped_at: None, forward_ms: Arc::default() }
    }

    /// A time that only passes by [`Self::advance`].
    pub fn stopped_at(unix_ms: u64) -> Self {
        Self { stopped_at: Some(UNIX_EPOCH + Duration::from_millis(unix_ms)), forward_ms: Arc::default() }
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        let forward = Duration::from_millis(self.forward_ms.load(Ordering::SeqCst));
        self.stopped_at.unwrap_or_else(SystemTime::now) + forward
    }

    /// Puts the clock forward.
    pub fn advance(&self, by: Duration) {
        self.forward_ms.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}
