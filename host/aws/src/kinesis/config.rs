//! How a stream is read.

use super::stream::StreamName;
use std::time::Duration;

/// Where a stream is begun that no commit knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// With the oldest record that the stream still holds.
    #[default]
    TrimHorizon,
    /// With what arrives from the first start on. That moment is written down with the shards, so that a start that was
    /// interrupted does not make a gap.
    Latest,
    /// With what arrived from this time on, milliseconds since the epoch.
    At(i64),
}

/// How records are fetched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// GetRecords, which shares a shard's 5 reads and 2 MB a second with every other consumer.
    #[default]
    Polling,
    /// Enhanced fan-out: SubscribeToShard under a consumer of one's own, with 2 MB a second for it alone.
    FanOut {
        /// Name of the consumer. It is registered where the stream does not know it.
        consumer: String,
    },
}

/// What becomes of aggregated records that do not belong to the shard they came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KplOutOfRange {
    /// They are quarantined, the whole aggregate.
    #[default]
    Quarantine,
    /// They are read like any other. What the producer library sends again after a reshard is then read twice.
    Deliver,
    /// They are left out and counted, as the client library leaves them out without counting.
    Drop,
}

/// What happens when the stream no longer reaches the position of the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetentionLoss {
    /// Reading stops with an error: a person decides.
    #[default]
    Stop,
    /// Reading goes on with the oldest record that there is, with an alarm.
    SkipToHorizon,
}

/// Reads up to where the stream stood at the start, and no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UntilCaughtUp {
    /// When the run was started, milliseconds since the epoch.
    pub started_at_ms: i64,
}

/// How a stream is read.
#[derive(Debug, Clone)]
pub struct KinesisConfig {
    /// The stream.
    pub stream: StreamName,
    /// Where it is begun that no commit knows.
    pub start: Start,
    /// How records are fetched.
    pub mode: Mode,
    /// What becomes of aggregated records that do not belong to their shard.
    pub kpl_out_of_range: KplOutOfRange,
    /// What happens when the stream no longer reaches the position of the last commit.
    pub retention_loss: RetentionLoss,
    /// Time between two reads of a shard that has nothing new. Default 1 s: all consumers of a shard share five reads a
    /// second.
    pub poll_interval: Duration,
    /// Whether the run ends where the stream stood at its start.
    pub until: Option<UntilCaughtUp>,
    /// Answers that all readers together may hold ahead of their callers; each has up to 10 MiB. Default 25. A reader
    /// that gets none fetches when it is asked.
    pub answers_ahead: usize,
}

impl KinesisConfig {
    /// A stream with the defaults.
    pub fn new(stream: StreamName) -> Self {
        Self {
            stream,
            start: Start::default(),
            mode: Mode::default(),
            kpl_out_of_range: KplOutOfRange::default(),
            retention_loss: RetentionLoss::default(),
            poll_interval: Duration::from_secs(1),
            until: None,
            answers_ahead: 25,
        }
    }
}
