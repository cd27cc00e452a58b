//! What can go wrong, named by what to do next.

use sluice_ports::PortError;

/// The result of anything here.
pub type Result<T, E = RegistryError> = std::result::Result<T, E>;

/// Why something could not be had of a registry, or not be put into it. The message says where and the way out.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no such rule, or no such version: publish it, or ask for another.
    #[error("{0}")]
    Missing(String),
    /// What was handed over cannot be taken: mend it.
    #[error("{0}")]
    Refused(String),
    /// The version is there and is not this: publish under another.
    #[error("{0}")]
    Taken(String),
    /// What is there is not what was published: do not use it.
    #[error("{0}")]
    Damaged(String),
    /// No trusted key vouches for it: sign it, or trust its key.
    #[error("{0}")]
    Untrusted(String),
    /// The lock file and what is wanted do not agree: decide which is right.
    #[error("{0}")]
    Locked(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] PortError),
}
