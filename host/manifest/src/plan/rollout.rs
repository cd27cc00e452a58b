//! How a new version of a dataset's rules and settings comes into use.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What becomes of rows when the breaker has parked their rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Set aside, reason `rule_parked` (default).
    #[default]
    Quarantine,
    /// The run stops.
    Stop,
}

/// When a rule is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerPlan {
    /// Failed batches that park it. Default 5.
    pub failures: u32,
    /// Of so many batches. Default 20.
    pub of: u32,
    /// How long it stays parked before one batch tries it again. Default 30 s.
    pub pause: Duration,
}

impl Default for BreakerPlan {
    fn default() -> Self {
        Self { failures: 5, of: 20, pause: Duration::from_secs(30) }
    }
}

/// How a new version comes into use on a running pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutPlan {
    /// Whether a host that follows takes up new manifests and rules by itself. Default true.
    pub watch: bool,
    /// Batches that it is run beside the old version before it is swapped in. Default 0.
    pub shadow: u64,
    /// A share of the segments before all of them.
    pub canary: Option<CanaryPlan>,
    /// Its first segments.
    pub probation: ProbationPlan,
}

impl Default for RolloutPlan {
    fn default() -> Self {
        Self { watch: true, shadow: 0, canary: None, probation: ProbationPlan::default() }
    }
}

/// A share of the segments, before all of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CanaryPlan {
    /// Share, above 0 and below 1.
    pub share: f64,
    /// Segments of the new version before it gets all of them.
    pub segments: u32,
}

/// Segments whose commit waits for a verdict, and its bounds. All compare the new version with the old one on the same
/// rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProbationPlan {
    /// How many. 0: none. Default 3.
    pub segments: u32,
    /// Rows that the new version's rules may fail on beyond those that the old one's fail on. Default 0.
    pub failed_rows: u64,
    /// Times the old version's processor time. Default 3.
    pub latency: f64,
    /// How far the share of rejected rows may move, 0 to 1. Default 0.05.
    pub rejects: f64,
    /// How far a column's share of nulls may move, 0 to 1. Default 0.05.
    pub nulls: f64,
    /// How far a column's distribution may move: population stability index. Default 0.25.
    pub shift: f64,
}

impl Default for ProbationPlan {
    fn default() -> Self {
        Self { segments: 3, failed_rows: 0, latency: 3.0, rejects: 0.05, nulls: 0.05, shift: 0.25 }
    }
}
