//! Names within a lake that are not objects of the store.

use sluice_ports::{Entry, EntryKind, Kind, PortError, Result};

/// Folder of everything that is not for readers of the lake. Objects may lie in it too, beside the names below.
const SYSTEM: &str = "_sluice";
/// Entries of the commit log lie below it.
pub(super) const LOG: &str = "_sluice/log/";
/// The lease, where it is kept in the bucket.
pub(super) const LEASE: &str = "_sluice/lease";
/// Name of the dataset that the lake belongs to.
pub(super) const DATASET: &str = "_sluice/dataset";

/// Ends the name of the one object that is a number's commit or its abort.
const END: &str = ".end";
/// Ends the name of what is put before an abort. It sorts after the end: a listing that meets an abort meets it as well.
const MARK: &str = ".end-abort";

/// Whether a name is, or lies in, one of the log's own.
fn is_reserved(name: &str) -> bool {
    name == SYSTEM || name == LEASE || name == DATASET || name.starts_with(LOG) || name == LOG.trim_end_matches('/')
}

/// Whether a listing of objects leaves a name out.
pub(super) fn is_hidden(name: &str) -> bool {
    // a name with `/` at its end is a folder made by hand in a console
    name.ends_with('/') || is_reserved(name)
}

/// Refuses names that are not the store's.
pub(super) fn check_name(name: &str) -> Result<()> {
    let bad_part = |part: &str| part.is_empty() || part == "." || part == "..";
    let message = match name {
        _ if name.split('/').any(bad_part) => {
            format!("`{name}` is no object name: its parts may not be empty, `.` or `..`")
        }
        _ if is_reserved(name) => format!("`{name}` is no object name: it is kept for the commit log"),
        _ => return Ok(()),
    };
    Err(PortError::new(Kind::Fatal, message))
}

/// The object of an entry. A commit and an abort of one number share it, so that no two hosts can write one of each.
pub(super) fn entry_name(entry: Entry) -> String {
    match entry.kind {
        EntryKind::Cut => format!("{LOG}{entry}"),
        EntryKind::Commit | EntryKind::Abort => format!("{LOG}{:012}{END}", entry.number),
    }
}

/// What says that a number's end may be an abort.
pub(super) fn mark_name(number: u64) -> String {
    format!("{LOG}{number:012}{MARK}")
}

/// What a name among the entries stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    /// A cut.
    Cut(u64),
    /// A commit, or an abort where there is a mark as well.
    End(u64),
    /// The mark.
    Mark(u64),
}

/// Reads back [`entry_name`] and [`mark_name`].
pub(super) fn parse(name: &str) -> Option<Listed> {
    let file = name.strip_prefix(LOG)?;
    let (number, _) = file.split_once('.')?;
    let end = &file[number.len()..];
    let number = (number.len() == 12).then(|| number.parse().ok())??;
    match end {
        END => Some(Listed::End(number)),
        MARK => Some(Listed::Mark(number)),
        ".cut" => Some(Listed::Cut(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_the_log_are_reserved() {
        for name in ["_sluice", "_sluice/log", "_sluice/log/000000000001.cut", "_sluice/lease", "_sluice/dataset"] {
            assert!(is_hidden(name) && check_name(name).is_err(), "{name}");
        }
        for name in ["_sluice/state/x", "_sluice/load/x", "_sluice/logs/x", "silver/_sluice/log", "_sluices"] {
            assert!(!is_hidden(name) && check_name(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_commit_and_an_abort_have_one_name_and_the_mark_sorts_after_it() {
        let entry = |kind| Entry { number: 7, kind };
        assert_eq!(entry_name(entry(EntryKind::Commit)), entry_name(entry(EntryKind::Abort)));
        assert!(entry_name(entry(EntryKind::Abort)) < mark_name(7));
        assert_eq!(parse(&entry_name(entry(EntryKind::Cut))), Some(Listed::Cut(7)));
        assert_eq!(parse(&entry_name(entry(EntryKind::Commit))), Some(Listed::End(7)));
        assert_eq!(parse(&mark_name(7)), Some(Listed::Mark(7)));
        for other in ["_sluice/log/7.cut", "_sluice/log/000000000007", "_sluice/log/000000000007.tmp", "x"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
