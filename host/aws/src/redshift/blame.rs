//! Whose fault a failed statement is, from the database's words.

use super::work::{Failed, Failure};
use sluice_ports::Kind;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// Something in the objects: those without it load.
    Data,
    /// Something that no object can help: rights, room, reach.
    Surroundings,
    /// The words do not tell.
    Unknown,
}

/// Words of failures that no object causes.
const SURROUNDINGS: [&str; 18] = [
    "access denied",
    "accessdenied",
    "permission denied",
    "not authorized",
    "unauthorized",
    "iam role",
    "must be owner",
    "disk full",
    "out of memory",
    "slow down",
    "slowdown",
    "internal error",
    "connection",
    "cancel",
    "timeout",
    "timed out",
    "syntax error",
    "must be in the same region",
];

/// Words that only a failure which an object causes has: from the load error reference
/// (<https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html>) and Spectrum's errors. They are looked
/// for first, since such a text quotes names and values that may hold any word.
const SURELY_DATA: [&str; 7] = [
    "sys_load_error_detail",
    "stl_load_errors",
    "incompatible parquet schema",
    "unmatched number of columns",
    "the specified key does not exist",
    "cannot insert a null value",
    "violates not-null constraint",
];

/// Words that a failure which an object causes has, among others.
const DATA: [&str; 13] = [
    "spectrum scan error",
    "parquet",
    "not a valid",
    "invalid digit",
    "invalid input",
    "invalid timestamp",
    "invalid date",
    "invalid json",
    "mandatory",
    "content_length",
    "content length",
    "value too long",
    "json parsing",
];

fn any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// Whose fault a text speaks of.
pub(super) fn blame(text: &str) -> Blame {
    let text = text.to_ascii_lowercase();
    if any(&text, &SURELY_DATA) {
        Blame::Data
    } else if any(&text, &SURROUNDINGS) {
        Blame::Surroundings
    } else if any(&text, &DATA) {
        Blame::Data
    } else {
        Blame::Unknown
    }
}

/// The kind of error that a text speaks of.
pub(super) fn kind(text: &str) -> Kind {
    let text = text.to_ascii_lowercase();
    let denied =
        ["access denied", "accessdenied", "permission denied", "not authorized", "unauthorized", "must be owner"];
    if any(&text, &denied) {
        return Kind::Denied;
    }
    if text.contains("disk full") {
        return Kind::StorageFull;
    }
    if any(&text, &["slow down", "slowdown", "timeout", "timed out", "out of memory", "connection"]) {
        return Kind::Retry;
    }
    Kind::Fatal
}

/// Sorts a failed statement by what is to be done next.
pub(super) fn failure(failed: Failed) -> Failure {
    let text = failed.text.to_ascii_lowercase();
    if any(&text, &["error: 1023", "serializable isolation violation", "could not serialize", "deadlock detected"]) {
        return Failure::Conflict(failed.text);
    }
    if any(&text, &SURELY_DATA) {
        return Failure::Statement(failed);
    }
    let of_stage = text.contains("does not exist") && text.contains(super::stage::STAGE);
    let gone = ["lost", "expired", "closed", "terminat", "not available", "not found", "no longer"];
    if of_stage || (any(&text, &["session", "connection"]) && any(&text, &gone)) {
        return Failure::SessionLost(failed.text);
    }
    Failure::Statement(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Failure {
        failure(Failed { text: text.into(), query: None, process: None })
    }

    #[test]
    fn error_1023_is_a_new_attempt() {
        let text =
            "ERROR: 1023 Detail: Serializable isolation violation on table - 100, transactions forming the cycle";
        assert!(matches!(of(text), Failure::Conflict(_)));
        assert!(matches!(of("ERROR: could not serialize access due to concurrent update"), Failure::Conflict(_)));
    }

    #[test]
    fn a_lost_session_takes_its_stage_along() {
        assert!(matches!(of("ERROR: relation \"sluice_stage\" does not exist"), Failure::SessionLost(_)));
        assert!(matches!(of("ERROR: relation \"retail.invoices\" does not exist"), Failure::Statement(_)));
        assert!(matches!(of("the session has expired"), Failure::SessionLost(_)));
        assert!(matches!(of("ERROR: connection to the database was lost"), Failure::SessionLost(_)));
    }

    #[test]
    fn objects_are_blamed_only_for_what_is_in_them() {
        for text in [
            "ERROR: Load into table 'sluice_stage' failed.  Check 'sys_load_error_detail' system table for details.",
            "ERROR: Spectrum Scan Error. File 'https://s3...' has an incompatible Parquet schema for column 'x'",
            "ERROR: S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey",
            "ERROR: Cannot insert a NULL value into column a",
        ] {
            assert_eq!(blame(text), Blame::Data, "{text}");
        }
        for text in [
            "ERROR: S3ServiceException:Access Denied,Status 403,Error AccessDenied",
            "ERROR: User arn:aws:redshift:... is not authorized to assume IAM Role arn:aws:iam::1:role/x",
            "ERROR: Disk Full",
            "ERROR: permission denied for schema retail",
        ] {
            assert_eq!(blame(text), Blame::Surroundings, "{text}");
        }
        assert_eq!(blame("ERROR: something nobody has seen"), Blame::Unknown);
        assert_eq!(kind("ERROR: permission denied for schema retail"), Kind::Denied);
    }
}
