//! Why a run stops.

use sluice_batch::Imbalance;
use sluice_ports::{Kind, PortError};

/// Result of the flow.
pub(crate) type Result<T> = std::result::Result<T, FlowError>;

/// Why a run stops. What was committed before stays committed.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The books do not balance.
    #[error("the account does not balance: {0}")]
    Imbalance(#[from] Imbalance),
    /// Input is not as its format says, in a way that no single record can be blamed for.
    #[error("{label}: {message}")]
    Input {
        /// Which shard, for people.
        label: String,
        /// What is wrong and the way out.
        message: String,
    },
    /// A rule failed where no row can be blamed for it.
    #[error("{0}")]
    Rule(String),
    /// The plan and the rules do not fit.
    #[error("{0}")]
    Plan(String),
    /// The log holds something that this program cannot go on from.
    #[error("{0}")]
    Log(String),
    /// A part of the run died.
    #[error("{0} stopped unexpectedly; nothing of the open segment is committed")]
    Died(&'static str),
}

impl FlowError {
    /// What the caller does next.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Port(error) => error.kind,
            _ => Kind::Fatal,
        }
    }
}

/// A failure of arrow or parquet on data that the host made itself.
pub(crate) fn internal(what: &str, error: impl std::fmt::Display) -> FlowError {
    FlowError::Log(format!("{what}: {error}"))
}
