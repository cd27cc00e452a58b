//! What this process and thread have used.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

pub(crate) const KIB: usize = 1 << 10;

/// Memory of the process that is in use.
pub(crate) fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4 * KIB
}

/// Processor time of this thread: a busy machine does not move it.
pub(crate) fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
