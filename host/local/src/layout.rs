//! Names within a dataset's folder that are not objects.

/// Folder of everything that is not for readers of the lake. Objects may lie in it too, beside the names below.
pub(crate) const SYSTEM: &str = "_sluice";
/// Objects while they are written.
pub(crate) const TMP: &str = "_sluice/tmp";
/// Entries of the commit log, and temporary files whose names begin with [`TEMP_PREFIX`].
pub(crate) const LOG: &str = "_sluice/log";
/// Locked by the process that writes; holds its process id, for people.
pub(crate) const LOCK: &str = "_sluice/lock";
/// Fence of the last lease, decimal.
pub(crate) const FENCE: &str = "_sluice/fence";
/// Name of the dataset that the folder belongs to.
pub(crate) const DATASET: &str = "_sluice/dataset";
/// Room for a cut and a commit on a full disk.
pub(crate) const RESERVE: &str = "_sluice/reserve";
/// Begins the names of temporary files among the entries; no entry begins with it.
pub(crate) const TEMP_PREFIX: &str = ".tmp-";

const RESERVED: [&str; 6] = [TMP, LOG, LOCK, FENCE, DATASET, RESERVE];

/// Whether a name is, or lies in, one of the log's or the store's own.
pub(crate) fn is_reserved(name: &str) -> bool {
    let within = |own: &str| name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    name == SYSTEM || RESERVED.into_iter().any(within)
}

/// A fresh name for a temporary file: unlike that of any other process or call.
pub(crate) fn temp_name() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{TEMP_PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_system_names_are_reserved() {
        for name in ["_sluice", "_sluice/tmp", "_sluice/log/000000000001.cut", "_sluice/lock"] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["_sluice/state/x", "_sluice/locks", "_sluice/logs/x", "silver/_sluice/log", "_sluices"] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
