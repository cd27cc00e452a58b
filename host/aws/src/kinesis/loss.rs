//! What happens when a stream no longer reaches the position of a commit.

use super::config::RetentionLoss;
use sluice_ports::{Alert, Alerts, Kind, PortError, Result};
use std::fmt;
use std::sync::Arc;

/// Name of the alert.
pub(super) const EXPIRED: &str = "kinesis_position_expired";

/// Who hears of it, and what is decided.
#[derive(Clone)]
pub(super) struct LossPolicy {
    pub(super) decision: RetentionLoss,
    pub(super) dataset: String,
    pub(super) alerts: Option<Arc<dyn Alerts>>,
}

impl fmt::Debug for LossPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LossPolicy").field("decision", &self.decision).field("dataset", &self.dataset).finish()
    }
}

impl LossPolicy {
    /// Records are gone that were never read: raises the alarm, and stops unless a person decided to go on.
    ///
    /// # Errors
    /// [`Kind::Changed`] where reading is to stop.
    pub(super) fn lost(&self, what: &str) -> Result<()> {
        match self.decision {
            RetentionLoss::Stop => {
                let message = format!(
                    "{what}; to go on with the oldest record that there is, set `expired: trim_horizon` for the source"
                );
                self.alarm(&message);
                Err(PortError::new(Kind::Changed, message))
            }
            RetentionLoss::SkipToHorizon => {
                self.alarm(&format!("{what}; reading goes on with the oldest record that there is"));
                Ok(())
            }
        }
    }

    /// Records may be gone, which nobody can tell.
    pub(super) fn uncertain(&self, what: &str) {
        self.alarm(&format!("{what}; if the host stood still for longer than the stream keeps records, some are lost"));
    }

    fn alarm(&self, message: &str) {
        tracing::warn!(target: "sluice::alarm", code = EXPIRED, "{message}");
        if let Some(alerts) = &self.alerts {
            alerts.raise(Alert { dataset: self.dataset.clone(), code: EXPIRED, message: message.to_owned() });
        }
    }
}
