//! How a new version of rules or manifest comes into a running pipeline, and when a rule is taken out of one.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When a rule that keeps failing is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerPlan {
    /// Failed batches that park a rule. 1 to 1,000, at most `of`, default 5.
    pub failures: u32,
    /// Among so many of its last batches. 1 to 1,000, default 20.
    pub of: u32,
    /// How long it is parked before it is tried again. 1 s to 1 day, default 30 s.
    pub pause: Duration,
}

impl Default for BreakerPlan {
    fn default() -> Self {
        Self { failures: 5, of: 20, pause: Duration::from_secs(30) }
    }
}

/// What becomes of rows while the breaker has parked their rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// They are set aside (default, and the only way of a redactor).
    #[default]
    Quarantine,
    /// The run stops.
    Stop,
}

/// How a new version is taken up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutPlan {
    /// Whether a host that follows its source takes up new manifests and rules by itself. Default yes.
    pub watch: bool,
    /// Batches that a new version is run beside the old one before it is swapped in. 0 to 1,000,000, default 0.
    pub shadow: u64,
    /// The part of segments that a new version gets first. Nothing: all of them at once.
    pub canary: Option<CanaryPlan>,
    /// What a new version must keep to in its first segments.
    pub probation: ProbationPlan,
}

impl Default for RolloutPlan {
    fn default() -> Self {
        Self { watch: true, shadow: 0, canary: None, probation: ProbationPlan::default() }
    }
}

/// The part of segments that a new version gets before it gets all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CanaryPlan {
    /// Share of segments. 0.01 to 0.99, default 0.1.
    pub share: f64,
    /// Segments of the new version until it gets all. 1 to 1,000, default 5.
    pub segments: u32,
}

/// The first segments of a new version: they are committed once it has kept within these bounds, and run again with
/// the old version where it has not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProbationPlan {
    /// How many segments. 0 to 1,000 (0: none), default 3.
    pub segments: u32,
    /// Rows of a segment that may fail (traps, deadlines, malformed answers). Default 0.
    pub failed_rows: u64,
    /// Most processor time, in times of the old version's. 1 to 1,000, default 3.
    pub latency: f64,
    /// How far the share of rejected rows may move. 0 to 1, default 0.05.
    pub rejects: f64,
    /// How far the share of nulls in a column may move. 0 to 1, default 0.05.
    pub nulls: f64,
    /// How far the values of a column may shift, as population stability index. 0 to 100, default 0.25.
    pub shift: f64,
}

impl Default for ProbationPlan {
    fn default() -> Self {
        Self { segments: 3, failed_rows: 0, latency: 3.0, rejects: 0.05, nulls: 0.05, shift: 0.25 }
    }
}
