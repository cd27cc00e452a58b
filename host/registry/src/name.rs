//! Names of rules and their versions, as they are safe to be parts of object names.

use crate::error::RegistryError;
use semver::Version;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest name of a rule, in bytes, as the rule contract has it.
const MAX_NAME: usize = 64;
/// Longest version, in bytes. A file system takes 255 bytes of a name; `.verdicts` comes after it.
const MAX_VERSION: usize = 128;

/// The name of a rule: lower-case letters, digits and `-`, beginning with a letter, at most 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RuleName(String);

impl RuleName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RuleName {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        if begins && text.len() <= MAX_NAME && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(RegistryError::Refused(format!(
            "`{}` is no name of a rule: lower-case letters, digits and `-`, beginning with a letter, at most \
             {MAX_NAME} bytes",
            text.escape_debug()
        )))
    }
}

impl TryFrom<String> for RuleName {
    type Error = RegistryError;

    fn try_from(text: String) -> Result<Self, RegistryError> {
        text.parse()
    }
}

impl From<RuleName> for String {
    fn from(name: RuleName) -> Self {
        name.0
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One version of one rule. Shown and read as `NAME@VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleVersion {
    /// Which rule.
    pub name: RuleName,
    /// Which version.
    pub version: Version,
}

impl RuleVersion {
    /// From a name and a version as texts.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] where one of them is none.
    pub fn new(name: &str, version: &str) -> Result<Self, RegistryError> {
        let name = name.parse()?;
        let parsed = parse_version(version).ok_or_else(|| {
            let version = version.escape_debug();
            RegistryError::Refused(format!(
                "rule `{name}`: `{version}` is no version; write a semantic version of up to {MAX_VERSION} bytes, like `1.0.0`"
            ))
        })?;
        Ok(Self { name, version: parsed })
    }
}

/// A version that is written in its one way: what is read back gives the same name of an object.
pub(crate) fn parse_version(text: &str) -> Option<Version> {
    let short = text.len() <= MAX_VERSION;
    Version::parse(text).ok().filter(|version| short && version.to_string() == text)
}

impl FromStr for RuleVersion {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        match text.split_once('@') {
            Some((name, version)) => Self::new(name, version),
            None => Err(RegistryError::Refused(format!(
                "`{}` names no version of a rule; write NAME@VERSION, like `checks@1.0.0`",
                text.escape_debug()
            ))),
        }
    }
}

impl fmt::Display for RuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_none() {
        for name in ["", "..", "a/b", "A", "1a", "-a", "a.b", "a_b", "a\0", "a b", &"a".repeat(65)] {
            assert!(name.parse::<RuleName>().is_err(), "{name}");
        }
        for name in ["a", "order-status", "x9", &"a".repeat(64)] {
            assert_eq!(name.parse::<RuleName>().unwrap().to_string(), *name);
        }
    }

    #[test]
    fn versions_are_semantic_and_written_in_one_way() {
        for version in ["1", "1.0", "01.0.0", "1.0.0 ", "../1.0.0", "1.0.0/x", &format!("1.0.0-{}", "a".repeat(128))] {
            assert!(RuleVersion::new("a", version).is_err(), "{version}");
        }
        for version in ["1.0.0", "0.1.0-rc.1", "1.2.3+build.5"] {
            assert_eq!(format!("a@{version}").parse::<RuleVersion>().unwrap().to_string(), format!("a@{version}"));
        }
        assert!("checks".parse::<RuleVersion>().unwrap_err().to_string().contains("write NAME@VERSION"));
    }
}
