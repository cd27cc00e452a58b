//! Where statements run.

use std::fmt;

/// Where statements run, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A provisioned cluster.
    Cluster {
        /// Identifier.
        id: String,
        /// Database.
        database: String,
        /// Database user; none: the IAM identity's own, or the secret's.
        user: Option<String>,
        /// ARN of a secret with user and password.
        secret: Option<String>,
    },
    /// A serverless workgroup.
    Workgroup {
        /// Name.
        name: String,
        /// Database.
        database: String,
        /// ARN of a secret with user and password; none: the IAM identity's own user.
        secret: Option<String>,
    },
}

impl Target {
    /// The database.
    pub fn database(&self) -> &str {
        match self {
            Self::Cluster { database, .. } | Self::Workgroup { database, .. } => database,
        }
    }

    pub(super) fn cluster(&self) -> Option<String> {
        match self {
            Self::Cluster { id, .. } => Some(id.clone()),
            Self::Workgroup { .. } => None,
        }
    }

    pub(super) fn workgroup(&self) -> Option<String> {
        match self {
            Self::Cluster { .. } => None,
            Self::Workgroup { name, .. } => Some(name.clone()),
        }
    }

    pub(super) fn user(&self) -> Option<String> {
        match self {
            Self::Cluster { user, .. } => user.clone(),
            Self::Workgroup { .. } => None,
        }
    }

    pub(super) fn secret(&self) -> Option<String> {
        match self {
            Self::Cluster { secret, .. } | Self::Workgroup { secret, .. } => secret.clone(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster { id, database, .. } => write!(f, "database `{database}` of cluster `{id}`"),
            Self::Workgroup { name, database, .. } => write!(f, "database `{database}` of workgroup `{name}`"),
        }
    }
}
