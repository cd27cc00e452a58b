//! News for a person.

/// Something that a person should hear of. It holds no value of any record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The dataset.
    pub dataset: String,
    /// Stable name of what happened, lower case with `_`.
    pub code: &'static str,
    /// Where, what, and the way out.
    pub message: String,
}

/// Takes news to people.
///
/// Contract: never blocks the flow and never fails it.
pub trait Alerts: Send + Sync {
    /// Raises an alert.
    fn raise(&self, alert: Alert);
}
