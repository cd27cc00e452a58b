//! News kept for a test to read.

use crate::{Alert, Alerts};
use std::sync::Mutex;

/// Keeps every alert.
#[derive(Debug, Default)]
pub struct MemoryAlerts(Mutex<Vec<Alert>>);

impl MemoryAlerts {
    /// What was raised so far, oldest first.
    pub fn raised(&self) -> Vec<Alert> {
        self.0.lock().unwrap().clone()
    }

    /// Codes of what was raised so far, oldest first.
    pub fn codes(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().iter().map(|alert| alert.code).collect()
    }
}

impl Alerts for MemoryAlerts {
    fn raise(&self, alert: Alert) {
        self.0.lock().unwrap().push(alert);
    }
}
