//! Keeps to a quota.

use std::sync::Mutex;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A bucket that fills at a rate and holds one second's worth. A caller takes what it needs, and waits until the debt is
/// paid; who comes later waits longer.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bytes: f64,
    at: Instant,
}

impl Pace {
    pub(super) fn new(mib_per_second: f64) -> Self {
        let bytes_per_second = mib_per_second * f64::from(1 << 20);
        Self { bytes_per_second, state: Mutex::new(State { bytes: bytes_per_second, at: Instant::now() }) }
    }

    /// Returns when these bytes may be sent.
    pub(super) async fn take(&self, bytes: usize) {
        let wait = self.reserve(bytes, Instant::now());
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    fn reserve(&self, bytes: usize, now: Instant) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let filled = now.saturating_duration_since(state.at).as_secs_f64() * self.bytes_per_second;
        let level = (state.bytes + filled).min(self.bytes_per_second) - bytes as f64;
        *state = State { bytes: level, at: now };
        Duration::try_from_secs_f64(-level / self.bytes_per_second).unwrap_or(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_free_and_what_follows_comes_at_the_rate() {
        let pace = Pace::new(1.0);
        let now = Instant::now();
        let mib = 1 << 20;
        assert_eq!(pace.reserve(mib, now), Duration::ZERO);
        assert_eq!(pace.reserve(mib / 2, now), Duration::from_millis(500));
        assert_eq!(pace.reserve(mib, now), Duration::from_millis(1_500), "who comes later waits longer");
        let later = now + Duration::from_secs(100);
        assert_eq!(pace.reserve(mib, later), Duration::ZERO, "what is not used is not saved up");
        assert_eq!(pace.reserve(4 * mib, later), Duration::from_secs(4), "more than a second's worth is a debt");
    }
}
