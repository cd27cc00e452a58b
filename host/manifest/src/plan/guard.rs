//! What personal data may leave, and from where.

use serde::{Deserialize, Serialize};

/// Personal data that may not leave in the clear, whatever the rules did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardPlan {
    /// Kinds that are looked for, at least one.
    pub kinds: Vec<PiiKind>,
    /// Where they are looked for. Default: everywhere.
    pub layers: Vec<GuardLayer>,
    /// What becomes of a value that holds one.
    pub on_hit: OnHit,
    /// Columns of silver and gold that may hold them in the clear. Default: none.
    pub allow: Vec<String>,
}

/// Kind of personal data that the host finds by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PiiKind {
    /// E-mail address.
    Email,
    /// Number of a payment card.
    Card,
    /// Number of a bank account.
    Iban,
    /// Social security number of the United States.
    Ssn,
    /// Telephone number.
    Phone,
    /// Address of the Internet protocol, version 4 or 6.
    Ip,
}

impl PiiKind {
    /// All of them, in the order of the manifest's reference.
    pub const ALL: [Self; 6] = [Self::Email, Self::Card, Self::Iban, Self::Ssn, Self::Phone, Self::Ip];

    /// As a manifest names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ssn => "ssn",
            Self::Phone => "phone",
            Self::Ip => "ip",
        }
    }
}

/// A place that data leaves from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardLayer {
    /// Rows of silver.
    Silver,
    /// Rows of gold.
    Gold,
    /// Rows of quarantine.
    Quarantine,
    /// Lines that rules write for the operator.
    Logs,
    /// Labels of metrics.
    Metrics,
}

impl GuardLayer {
    /// All of them, in the order of the manifest's reference.
    pub const ALL: [Self; 5] = [Self::Silver, Self::Gold, Self::Quarantine, Self::Logs, Self::Metrics];

    /// As a manifest names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silver => "silver",
            Self::Gold => "gold",
            Self::Quarantine => "quarantine",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

/// What becomes of a value that holds personal data where none may leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHit {
    /// It is masked and the row goes on (default).
    #[default]
    Mask,
    /// The row is set aside, and the value masked there.
    Quarantine,
}
