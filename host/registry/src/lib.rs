//! Where rules are kept, and how it is known that what is there is what was put there.
//!
//! The nouns:
//! - [`Registry`]: holds versions of rules. [`StoreRegistry`] keeps them as objects of any
//!   [`ObjectStore`](sluice_ports::ObjectStore): a folder, or a prefix in S3.
//! - [`Artefact`]: one version: its component, its [`Record`], its [`Signature`]s and its own [`CaseFile`]s.
//! - [`Lock`]: which version a range of a manifest stands for, by digest.
//! - [`Verdict`]: what admission said of a version for one dataset, with its evidence.
//! - [`Case`]: columns that a rule is given and what it is to make of them.
//!
//! What holds:
//! - A version never changes. Publishing other bytes under it is refused.
//! - Digests are made of the bytes that were read, each time; no digest that stands in a file is taken at its word.
//! - A component is the last object of a version to be written, so a version that is listed is whole.
//! - Where keys are trusted, a rule counts only with a signature by one of them over its name, version and digest.
//!
//! The crate neither compiles nor runs rules.

mod artefact;
pub mod case;
mod error;
mod key;
mod lock;
mod name;
mod registry;
mod resolve;
mod signature;
mod store;
pub mod suite;
mod trust;
mod verdict;

pub use artefact::{Artefact, CONTRACT, CaseFile, Publication, Record};
pub use case::Case;
pub use error::{RegistryError, Result};
pub use key::{KeyPair, PublicKey};
pub use lock::{Lock, Locked};
pub use name::{RuleName, RuleVersion};
pub use registry::{Published, Registry};
pub use resolve::{find, newest, parse_range};
pub use signature::{Signature, statement};
pub use store::{ReadLimits, StoreRegistry};
pub use trust::Trusted;
pub use verdict::{Decision, Evidence, Verdict};
