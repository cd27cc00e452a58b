//! A clock that nothing stops.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Time since the machine started. It runs while the process is stopped and while the machine sleeps, which
/// [`std::time::Instant`] does not on Linux: a holder that wakes must know how long it was away.
pub(super) fn now() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    let time = clock_gettime(CLOCK);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
