//! One error for all ports.

use std::fmt;

/// Result of a port.
pub type Result<T> = std::result::Result<T, PortError>;

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Try again after a while.
    Retry,
    /// The thing is not there.
    NotFound,
    /// No room: stop cleanly, nothing is committed.
    StorageFull,
    /// Somebody else writes here: stop at once.
    Fenced,
    /// The input is no longer what was recorded of it: a person decides.
    Changed,
    /// The input ends or breaks before it should; what came before is good.
    Broken,
    /// Not allowed: a person grants.
    Denied,
    /// Anything else: stop.
    Fatal,
}

/// A failure of a port.
#[derive(Debug)]
pub struct PortError {
    /// What to do next.
    pub kind: Kind,
    /// Where, what was found, and the way out.
    pub message: String,
    /// What caused it.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl PortError {
    /// A failure without a cause of its own.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }

    /// A failure of the operating system. `what` says what was done to what.
    pub fn io(what: impl fmt::Display, error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::NotFound => Kind::NotFound,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Kind::StorageFull,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Kind::Denied,
            ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => Kind::Retry,
            _ => Kind::Fatal,
        };
        Self { kind, message: format!("{what}: {error}"), cause: Some(Box::new(error)) }
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PortError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as _)
    }
}
