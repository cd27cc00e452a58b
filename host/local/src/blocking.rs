//! Calls that block, off the threads that must not.

use sluice_ports::{Kind, PortError, Result};

/// Runs `work` on a thread that may block.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(died)?
}

/// The thread panicked or the runtime is going down.
pub(crate) fn died(error: tokio::task::JoinError) -> PortError {
    let message = format!("a file operation did not come to its end: {error}");
    PortError { kind: Kind::Fatal, message, cause: Some(Box::new(error)) }
}
