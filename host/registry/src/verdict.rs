//! What admission said of a version.

use crate::name::{RuleName, RuleVersion};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may run.
    Admitted,
    /// It may not.
    Refused,
    /// It ran, and was taken back.
    RolledBack,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admitted => "admitted",
            Self::Refused => "refused",
            Self::RolledBack => "rolled back",
        })
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What, in a word: `contract`, `cases`, `signature`.
    pub check: String,
    /// Whether it was as it should be.
    pub passed: bool,
    /// What was seen, for people. Holds no value of a record.
    pub detail: String,
}

/// What was decided of a version for a dataset, by whom, when and on what evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Rule.
    pub name: RuleName,
    /// Version.
    pub version: Version,
    /// SHA-256 of the component that was looked at, hexadecimal.
    pub digest: String,
    /// For which dataset.
    pub dataset: String,
    /// Under which contract, build of the host and plan: what else the evidence depends on. Made by the caller.
    pub key: String,
    /// What.
    pub decision: Decision,
    /// When, RFC 3339.
    pub at: String,
    /// Who, or what.
    pub by: String,
    /// Why.
    pub evidence: Vec<Evidence>,
}

impl Verdict {
    /// Rule and version.
    pub fn rule(&self) -> RuleVersion {
        RuleVersion { name: self.name.clone(), version: self.version.clone() }
    }

    /// Whether it admits a component under a key. What was admitted by another digest or under another key is to be
    /// looked at again.
    pub fn admits(&self, digest: &str, key: &str) -> bool {
        self.decision == Decision::Admitted && self.digest == digest && self.key == key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_counts_for_its_digest_and_key_alone() {
        let mut verdict = Verdict {
            name: "pii".parse().unwrap(),
            version: Version::new(1, 0, 0),
            digest: "d".into(),
            dataset: "orders".into(),
            key: "k".into(),
            decision: Decision::Admitted,
            at: "2026-01-01T00:00:00Z".into(),
            by: "sluice".into(),
            evidence: vec![],
        };
        assert!(verdict.admits("d", "k"));
        assert!(!verdict.admits("e", "k") && !verdict.admits("d", "l"));
        for decision in [Decision::Refused, Decision::RolledBack] {
            verdict.decision = decision;
            assert!(!verdict.admits("d", "k"));
        }
    }
}
