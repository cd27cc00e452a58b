//! What the manifest says of a step, and how opening a rule for it can fail.

use crate::limits::Limits;
use crate::lookup::LookupTable;
use crate::text::clean;
use crate::token::TokenKey;
use crate::wire::FindingOut;
use serde::{Deserialize, Serialize};
use sluice_batch::Field;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Something of the host that a rule may use, if the manifest grants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Lines for the operator.
    Log,
    /// Reference tables.
    Lookup,
    /// Keyed pseudonyms.
    Token,
}

impl Capability {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Log, Self::Lookup, Self::Token];
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Lookup => "lookup",
            Self::Token => "token",
        })
    }
}

impl FromStr for Capability {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|capability| capability.to_string() == s);
        known.ok_or_else(|| format!("unknown capability `{s}`; known capabilities: log, lookup, token"))
    }
}

/// Everything that opening a rule for one step takes.
#[derive(Debug, Clone)]
pub struct StepConfig {
    /// The step's label, unique in its dataset. Stands in every error and log line.
    pub label: String,
    /// The dataset. Stands in log lines.
    pub dataset: String,
    /// Configuration for the rule, a JSON text.
    pub config: String,
    /// The columns that exist where the rule stands. Their names and types are shown to the rule when it is opened.
    pub inputs: Vec<Field>,
    /// Columns whose values it may be shown.
    pub reads: Vec<String>,
    /// Columns that it may replace or add. Of no meaning for an aggregator, whose outputs are a table of their own.
    pub writes: Vec<String>,
    /// Capabilities that it may use.
    pub grants: BTreeSet<Capability>,
    /// Its limits.
    pub limits: Limits,
    /// Key of pseudonyms. Needed where the rule uses [`Capability::Token`].
    pub token_key: Option<TokenKey>,
    /// Reference tables that it may look into; it sees no others. Needed where it uses [`Capability::Lookup`].
    pub lookups: Vec<Arc<LookupTable>>,
}

/// Something that a rule found wrong in its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// JSON Pointer into the configuration, empty for the whole.
    pub path: String,
    /// What is wrong and the way out.
    pub message: String,
}

impl From<FindingOut> for Finding {
    fn from(out: FindingOut) -> Self {
        Self { path: clean(&out.path, 200), message: clean(&out.message, 1000) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// A rule that could not be opened for a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The rule refuses its configuration.
    #[error("step `{step}` (rule `{rule}`): {}", join(findings))]
    Findings {
        /// Label of the step.
        step: String,
        /// `name@version`.
        rule: String,
        /// All findings, at least one.
        findings: Vec<Finding>,
    },
    /// The host refuses the rule: it wants more than it was granted, or it broke while it was opened.
    #[error("step `{step}` (rule `{rule}`): {}", problems.join("; "))]
    Refused {
        /// Label of the step.
        step: String,
        /// `name@version`.
        rule: String,
        /// Everything that is wrong, at least one.
        problems: Vec<String>,
    },
}

fn join(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("; ")
}
