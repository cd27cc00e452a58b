//! How fast a shard is polled.

use std::time::Duration;

/// Least time between two reads once the service has asked for fewer: five reads a second, shared by all consumers.
/// <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>
const FIVE_A_SECOND: Duration = Duration::from_millis(200);

/// Longest time between two reads while there is something to read.
const LONGEST: Duration = Duration::from_secs(2);

/// Bytes a second that a shard gives, shared by all consumers.
const BYTES_A_SECOND: f64 = 2.0 * 1024.0 * 1024.0;

/// After a big answer the service refuses reads for up to so long.
const LONGEST_DEBT: Duration = Duration::from_secs(5);

/// What an answer held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Records of so many bytes.
    Records(usize),
    /// A stretch of the shard without records; there is more behind it.
    Gap,
    /// Nothing, and nothing behind it.
    Quiet,
}

/// Paces the reads of one shard: as fast as they go, until the service asks for fewer; then by its limits, and slower
/// still while it goes on asking, since others read the same shard. An idle shard is read once an interval.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    /// None until the service has asked for fewer reads.
    spacing: Option<Duration>,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, spacing: None }
    }

    /// How long to wait after an answer that came after so many refusals.
    pub(super) fn wait_after(&mut self, answer: Answer, refusals: u32) -> Duration {
        self.spacing = match (self.spacing, refusals) {
            (spacing, 0) => spacing.map(|spacing| spacing.mul_f64(0.95).max(FIVE_A_SECOND)),
            (None, _) => Some(FIVE_A_SECOND),
            (Some(spacing), _) => Some((spacing * 2).min(LONGEST)),
        };
        match (answer, self.spacing) {
            (Answer::Quiet, spacing) => self.interval.max(spacing.unwrap_or_default()),
            (Answer::Gap, spacing) => spacing.unwrap_or(FIVE_A_SECOND),
            (Answer::Records(_), None) => Duration::ZERO,
            (Answer::Records(bytes), Some(spacing)) => spacing.max(debt(bytes)),
        }
    }
}

/// How long a shard takes to make up for an answer.
fn debt(bytes: usize) -> Duration {
    Duration::from_secs_f64(bytes as f64 / BYTES_A_SECOND).min(LONGEST_DEBT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_follow_at_once_until_the_service_asks_for_fewer() {
        let mut pace = Pace::new(Duration::from_secs(1));
        let mut wait = |answer, refusals| pace.wait_after(answer, refusals).as_millis();
        assert_eq!(wait(Answer::Records(10 << 20), 0), 0);
        assert_eq!(wait(Answer::Quiet, 0), 1_000);
        assert_eq!(wait(Answer::Gap, 0), 200);
        assert_eq!(wait(Answer::Records(1), 1), 200);
        assert_eq!(wait(Answer::Records(1), 3), 400);
        assert_eq!(wait(Answer::Records(10 << 20), 0), 5_000, "10 MiB take five seconds to make up for");
        let steady = (0..100).map(|_| wait(Answer::Records(1), 0)).last();
        assert_eq!(steady, Some(200));
        let refused = (0..100).map(|_| wait(Answer::Records(1), 1)).last();
        assert_eq!(refused, Some(2_000));
        assert_eq!(wait(Answer::Quiet, 1), 2_000);
    }
}
