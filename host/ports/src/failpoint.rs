//! Places at which a process can be made to die, for crash tests.
//!
//! `SLUICE_FAILPOINT=name:n` ends the process, without any clean-up, at the n-th time that it comes by `name`. The program
//! that is shipped is the program that is tested, so the places are always compiled in; each costs one comparison a
//! segment.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names of all places, in the order in which a segment comes by them.
pub const NAMES: [&str; 6] =
    ["before-cut", "after-cut", "between-objects", "before-commit", "during-commit", "after-commit"];

/// Further places, by which a segment comes where it has such objects or such an outside.
pub const MORE: [&str; 10] = [
    "after-bronze",
    "after-silver",
    "after-gold",
    "after-late",
    "after-quarantine",
    "after-state",
    "after-firehose-ack",
    "after-delivery",
    "after-submit",
    "after-finish",
];

static ARMED: OnceLock<Option<(String, u64)>> = OnceLock::new();
static SEEN: AtomicU64 = AtomicU64::new(0);

/// Dies here if this is the place and the time.
pub fn hit(name: &str) {
    let armed = ARMED.get_or_init(|| parse(&std::env::var("SLUICE_FAILPOINT").ok()?));
    if let Some((place, nth)) = armed
        && place == name
        && SEEN.fetch_add(1, Ordering::Relaxed) + 1 == *nth
    {
        std::process::abort();
    }
}

fn parse(text: &str) -> Option<(String, u64)> {
    let (name, nth) = text.split_once(':').unwrap_or((text, "1"));
    Some((name.to_owned(), nth.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_with_and_without_a_count() {
        assert_eq!(parse("after-cut:3"), Some(("after-cut".into(), 3)));
        assert_eq!(parse("after-cut"), Some(("after-cut".into(), 1)));
        assert_eq!(parse("after-cut:x"), None);
    }
}
