//! The role that keeps rules.

use crate::artefact::{Artefact, Publication};
use crate::error::Result;
use crate::name::{RuleName, RuleVersion};
use crate::signature::Signature;
use crate::verdict::Verdict;
use async_trait::async_trait;
use semver::Version;

/// Whether publishing put anything there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The version is new.
    New,
    /// The same bytes were there already.
    Already,
}

/// Keeps versions of rules, who vouches for them, and what admission said of them.
///
/// Contract:
/// - A version that is listed is whole, and from then on its component, record and cases never change; it is durable
///   when [`Registry::publish`] returns. Signatures are added, verdicts are replaced.
/// - Digests are made of what was read. An artefact whose record names another rule, version or digest is
///   [`Damaged`](crate::RegistryError::Damaged), never handed out.
/// - What the registry does not know (other files, other names) is passed over; what is larger than its limits is
///   refused before it is read.
/// - Two that publish the same version at once with other bytes may both be told that it is new. What is left then is one
///   of them whole, or is refused as damaged.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Where it is, for messages.
    fn place(&self) -> &str;

    /// Rules that have a version, in order.
    ///
    /// # Errors
    /// As the store fails.
    async fn names(&self) -> Result<Vec<RuleName>>;

    /// Versions of a rule, the oldest first; none where there is no such rule.
    ///
    /// # Errors
    /// As the store fails.
    async fn versions(&self, name: &RuleName) -> Result<Vec<Version>>;

    /// A version.
    ///
    /// # Errors
    /// [`Missing`](crate::RegistryError::Missing), [`Damaged`](crate::RegistryError::Damaged),
    /// [`Refused`](crate::RegistryError::Refused) where something of it is too large.
    async fn artefact(&self, rule: &RuleVersion) -> Result<Artefact>;

    /// Puts a version there. The same again is no error and changes nothing, its record included.
    ///
    /// # Errors
    /// [`Taken`](crate::RegistryError::Taken) where the version is there with another component or other cases: both
    /// digests are named. [`Refused`](crate::RegistryError::Refused) where a case cannot be read or something is too large.
    async fn publish(&self, publication: &Publication) -> Result<Published>;

    /// Adds a signature to a version. One that is there is not added again.
    ///
    /// # Errors
    /// [`Refused`](crate::RegistryError::Refused) where it is not one over this rule, version and component.
    async fn add_signature(&self, rule: &RuleVersion, signature: &Signature) -> Result<()>;

    /// What admission last said of a version for a dataset.
    ///
    /// # Errors
    /// [`Damaged`](crate::RegistryError::Damaged) where it cannot be read or is another's.
    async fn verdict(&self, rule: &RuleVersion, dataset: &str) -> Result<Option<Verdict>>;

    /// Keeps what admission said, in place of what it said before of this version for this dataset; durable when this
    /// returns.
    ///
    /// # Errors
    /// [`Missing`](crate::RegistryError::Missing) where there is no such version,
    /// [`Refused`](crate::RegistryError::Refused) where the dataset's name cannot be part of a name.
    async fn put_verdict(&self, verdict: &Verdict) -> Result<()>;
}
