//! What is handed to the Data API, and what comes back.

use sluice_ports::{Kind, PortError};
use std::time::Duration;

/// Statements of one batch. These limits: <https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html>.
pub const MAX_STATEMENTS: usize = 40;
/// Bytes of one statement.
pub const MAX_STATEMENT_BYTES: usize = 100_000;
/// Bytes of one row of a result.
pub const MAX_ROW_BYTES: usize = 64 * 1024;
/// Bytes of a result.
pub const MAX_RESULT_BYTES: u64 = 500 * 1024 * 1024;
/// Seconds that one question after a statement waits for its end, at most.
pub const MAX_WAIT_SECONDS: i32 = 30;
/// How long a token names its statement.
pub const TOKEN_LIFE: Duration = Duration::from_secs(8 * 3600);
/// How long a statement and its result are remembered.
pub const RETENTION: Duration = Duration::from_secs(24 * 3600);
/// Bytes of a token.
pub const TOKEN_BYTES: usize = 64;

/// Which session statements run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session<'a> {
    /// One of their own, closed after them.
    Own,
    /// A new one, kept for so many seconds after them.
    Keep(i32),
    /// One that was kept.
    In(&'a str),
}

/// Statements to be run: one alone, or several as one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The statements.
    pub statements: &'a [String],
    /// Names the submission: 64 characters at most.
    pub token: &'a str,
    /// Name by which they are found again once the token is forgotten.
    pub name: &'a str,
    /// Session.
    pub session: Session<'a>,
}

/// What was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Id, by which it is asked after.
    pub id: String,
    /// The session that was kept.
    pub session: Option<String>,
}

/// Statements that finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Ids of the statements' results, in order.
    pub ids: Vec<String>,
    /// Rows that each gave or changed.
    pub rows: Vec<u64>,
    /// The session that was kept.
    pub session: Option<String>,
}

/// A statement that failed; of a batch nothing took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The database's words.
    pub text: String,
    /// Id of the query within the database, where it is known.
    pub query: Option<i64>,
    /// Id of the process that ran it, where it is known.
    pub process: Option<i64>,
}

/// Why statements did not finish, by what the caller does next.
#[derive(Debug)]
pub enum Failure {
    /// Another transaction came between (error 1023): the same again, as a new attempt.
    Conflict(String),
    /// The session is gone, and what was temporary with it.
    SessionLost(String),
    /// The database refused.
    Statement(Failed),
    /// The service failed.
    Port(PortError),
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl Failure {
    /// As an error of the port; `what` says what was done.
    pub fn into_port(self, what: &str) -> PortError {
        match self {
            Self::Conflict(text) | Self::SessionLost(text) => PortError::new(Kind::Retry, format!("{what}: {text}")),
            Self::Statement(failed) => {
                PortError::new(super::blame::kind(&failed.text), format!("{what}: {}", failed.text))
            }
            Self::Port(error) => error,
        }
    }
}

/// Refuses what the service would refuse.
pub(super) fn within_limits(work: Work<'_>) -> sluice_ports::Result<()> {
    let over = |what: &str, limit: usize, is: usize| {
        let message = format!("`{}`: {what}: {is}, above the Data API's limit of {limit}", work.name);
        Err(PortError::new(Kind::Fatal, message))
    };
    if work.statements.is_empty() || work.statements.len() > MAX_STATEMENTS {
        return over("number of statements", MAX_STATEMENTS, work.statements.len());
    }
    if let Some(long) = work.statements.iter().find(|sql| sql.len() > MAX_STATEMENT_BYTES) {
        return over("bytes of a statement", MAX_STATEMENT_BYTES, long.len());
    }
    if work.token.len() > TOKEN_BYTES {
        return over("bytes of a token", TOKEN_BYTES, work.token.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work<'a>(statements: &'a [String], token: &'a str) -> Work<'a> {
        Work { statements, token, name: "test", session: Session::Own }
    }

    #[test]
    fn limits_are_held_before_anything_is_sent() {
        let many = vec!["SELECT 1".to_owned(); 40];
        assert!(within_limits(work(&many, "t")).is_ok());
        let more = vec!["SELECT 1".to_owned(); 41];
        assert!(within_limits(work(&more, "t")).unwrap_err().message.contains("41"));
        assert!(within_limits(work(&[], "t")).is_err());
        let long = ["x".repeat(MAX_STATEMENT_BYTES + 1)];
        assert!(within_limits(work(&long, "t")).unwrap_err().message.contains("100001"));
        let token = "t".repeat(65);
        assert!(within_limits(work(&many, &token)).unwrap_err().message.contains("65"));
    }
}
