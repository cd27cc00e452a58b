//! PostgreSQL's errors in Redshift's words.

use super::sql::BYTES_CHECK;
use std::error::Error as _;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

/// What Redshift says where transactions cannot be put in an order, for a table and a connection.
pub(crate) fn serialization_conflict(table: &str, pid: i64) -> String {
    format!(
        "1023 DETAIL: Serializable isolation violation on table - {table}, transactions forming the cycle are: 1, 2 (pid:{pid})"
    )
}

/// What Redshift says of a statement that was cancelled.
pub(crate) const CANCELLED: &str = "Query cancelled on user's request";

/// An error of PostgreSQL, without `ERROR: `.
pub(crate) fn message_of(error: &Error) -> String {
    match error.as_db_error() {
        Some(error) => database_message(error),
        None if error.is_closed() => "connection to the database was lost".to_owned(),
        None => match error.source() {
            Some(cause) => format!("connection to the database was lost: {cause}"),
            None => error.to_string(),
        },
    }
}

fn database_message(error: &DbError) -> String {
    let code = error.code();
    if *code == SqlState::T_R_SERIALIZATION_FAILURE {
        return serialization_conflict(error.table().unwrap_or("0"), 0);
    }
    if *code == SqlState::QUERY_CANCELED {
        return CANCELLED.to_owned();
    }
    if *code == SqlState::ADMIN_SHUTDOWN {
        return "connection to the database was lost".to_owned();
    }
    let too_long =
        error.constraint().and_then(|name| name.strip_prefix(BYTES_CHECK)).and_then(|name| name.split('_').next());
    match too_long {
        Some(bytes) => format!("value too long for type character varying({bytes})"),
        None => error.message().to_owned(),
    }
}
