//! What was committed and has not arrived.

use std::collections::{BTreeMap, HashSet};

/// Ids of rows that arrived, by the number of their segment. The same id may arrive often.
#[derive(Debug, Clone, Default)]
pub struct Seen(BTreeMap<u64, HashSet<String>>);

impl Seen {
    /// Adds what an object held.
    pub fn add(&mut self, ids: impl IntoIterator<Item = (u64, String)>) {
        for (commit, id) in ids {
            self.0.entry(commit).or_default().insert(id);
        }
    }

    /// Number of different rows that arrived of a segment.
    pub fn of(&self, commit: u64) -> u64 {
        self.0.get(&commit).map_or(0, |ids| ids.len() as u64)
    }

    fn has(&self, commit: u64, id: &str) -> bool {
        self.0.get(&commit).is_some_and(|ids| ids.contains(id))
    }
}

/// Rows of one segment that have not arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The segment.
    pub commit: u64,
    /// Ids of the rows, in the order in which they were expected.
    pub missing: Vec<String>,
}

/// The rows that are expected, by segment, and were not seen; segments without any are left out.
pub fn gaps<'a>(expected: impl IntoIterator<Item = (u64, &'a [String])>, seen: &Seen) -> Vec<Gap> {
    let gap = |(commit, ids): (u64, &[String])| {
        let missing: Vec<String> = ids.iter().filter(|id| !seen.has(commit, id)).cloned().collect();
        (!missing.is_empty()).then_some(Gap { commit, missing })
    };
    expected.into_iter().filter_map(gap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_gap_is_what_was_expected_and_not_seen_under_its_own_commit() {
        let (one, two, three) = (ids(&["a", "b"]), ids(&["c"]), ids(&["d", "e"]));
        let mut seen = Seen::default();
        seen.add([(1, "a".to_owned()), (1, "b".to_owned()), (1, "b".to_owned())]);
        seen.add([(1, "d".to_owned()), (3, "e".to_owned()), (9, "x".to_owned())]);
        let expected = [(1, one.as_slice()), (2, &two), (3, &three)];
        let found = gaps(expected, &seen);
        assert_eq!(found, [Gap { commit: 2, missing: ids(&["c"]) }, Gap { commit: 3, missing: ids(&["d"]) }]);
        assert_eq!((seen.of(1), seen.of(2)), (3, 0));
        assert!(gaps([], &seen).is_empty());
    }
}
