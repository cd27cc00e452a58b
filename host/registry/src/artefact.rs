//! One version of a rule, as it is kept.

use crate::case::Case;
use crate::error::{RegistryError, Result};
use crate::name::{RuleName, RuleVersion};
use crate::signature::Signature;
use bytes::Bytes;
use semver::Version;
use serde::{Deserialize, Serialize};
use sluice_batch::digest_hex;
use std::collections::BTreeMap;

/// The contract that rules are written to.
pub const CONTRACT: &str = "sluice:rules@0.1.0";

/// What was said of a version when it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Rule.
    pub name: RuleName,
    /// Version.
    pub version: Version,
    /// SHA-256 of the component, hexadecimal.
    pub digest: String,
    /// The contract that it is written to, [`CONTRACT`] for now.
    pub contract: String,
    /// When, RFC 3339.
    pub published_at: String,
    /// Who, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// Test cases by name of file, each with its SHA-256.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cases: BTreeMap<String, String>,
}

/// A file of test cases of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFile {
    /// Name of the file, `*.json`.
    pub name: String,
    /// Its bytes, as yet unread.
    pub bytes: Bytes,
}

impl CaseFile {
    /// A file, checked by name: letters, digits, `-` and `_` before `.json`, at most 100 bytes.
    ///
    /// # Errors
    /// [`RegistryError::Refused`].
    pub fn new(name: impl Into<String>, bytes: impl Into<Bytes>) -> Result<Self> {
        let (name, bytes) = (name.into(), bytes.into());
        if is_case_name(&name) {
            return Ok(Self { name, bytes });
        }
        Err(RegistryError::Refused(format!(
            "`{}` is no name of a case: letters, digits, `-` and `_` before `.json`, at most 100 bytes",
            name.escape_debug()
        )))
    }

    /// The cases of the file.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] with file and place.
    pub fn parse(&self) -> Result<Vec<Case>> {
        Case::parse_file(&self.bytes).map_err(|error| RegistryError::Refused(format!("case `{}`: {error}", self.name)))
    }
}

pub(crate) fn is_case_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let stem = name.strip_suffix(".json").unwrap_or_default();
    !stem.is_empty() && name.len() <= 100 && stem.bytes().all(allowed)
}

/// A version of a rule, read whole.
#[derive(Debug, Clone)]
pub struct Artefact {
    /// Rule.
    pub name: RuleName,
    /// Version.
    pub version: Version,
    /// SHA-256 of `bytes`, hexadecimal; made when they were read.
    pub digest: String,
    /// The component.
    pub bytes: Bytes,
    /// What was said when it was published; none of a component that was put there by hand, or built beside its sources.
    pub record: Option<Record>,
    /// Who vouches for it. Nothing is verified yet: see [`Trusted`](crate::Trusted).
    pub signatures: Vec<Signature>,
    /// Its own test cases, in the order of their names.
    pub cases: Vec<CaseFile>,
}

impl Artefact {
    /// Rule and version.
    pub fn id(&self) -> RuleVersion {
        RuleVersion { name: self.name.clone(), version: self.version.clone() }
    }
}

/// A version to be published.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Rule and version.
    pub rule: RuleVersion,
    /// The component.
    pub bytes: Bytes,
    /// Its test cases.
    pub cases: Vec<CaseFile>,
    /// When, RFC 3339.
    pub published_at: String,
    /// Who.
    pub publisher: Option<String>,
}

impl Publication {
    /// The record of it.
    pub fn record(&self) -> Record {
        Record {
            name: self.rule.name.clone(),
            version: self.rule.version.clone(),
            digest: digest_hex(&self.bytes),
            contract: CONTRACT.to_owned(),
            published_at: self.published_at.clone(),
            publisher: self.publisher.clone(),
            cases: self.cases.iter().map(|case| (case.name.clone(), digest_hex(&case.bytes))).collect(),
        }
    }
}
