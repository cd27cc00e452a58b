//! Which shards are read, and from where.

use super::kpl::HashRange;
use super::stream::Listed;
use serde::{Deserialize, Serialize};
use sluice_batch::Position;
use sluice_ports::{Kind, PortError, Result};
use std::collections::{BTreeMap, BTreeSet};

/// What the commits remember of a shard besides its position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    hash_from: String,
    hash_to: String,
    /// Where it is begun: for a stream that is read from its latest record the moment of the first start.
    pub(super) start: Position,
}

impl Note {
    fn new(range: HashRange, start: Position) -> Self {
        Self { hash_from: range.from.to_string(), hash_to: range.to.to_string(), start }
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            let message =
                format!("`{text}` is no note of a shard: {error}; the commit log was written by another source");
            PortError::new(Kind::Fatal, message)
        })
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a note is plain data")
    }

    /// Hash keys of the shard. They never change: a reshard makes other shards.
    pub(super) fn range(&self) -> Result<HashRange> {
        let parsed = self.hash_from.parse().ok().zip(self.hash_to.parse().ok());
        let (from, to) = parsed.ok_or_else(|| {
            let message = format!("`{}-{}` are no hash keys; the commit log is damaged", self.hash_from, self.hash_to);
            PortError::new(Kind::Fatal, message)
        })?;
        Ok(HashRange { from, to })
    }
}

/// A shard that is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) id: String,
    /// Those of its parents that are read as well.
    pub(super) parents: Vec<String>,
    pub(super) note: Note,
}

/// Where a stream is begun, once the moment of `latest` is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begin {
    pub(super) position: Position,
    /// Whether shards that are closed at that moment hold nothing that is wanted.
    pub(super) open_only: bool,
}

/// Which of the listed shards are read. `begun` are those that were chosen before, by this run or by one whose commits
/// are known.
///
/// A stream that is read from its beginning is read whole. Of another, shards are begun at the moment given, also where
/// they gave nothing yet and no commit knows them; those that come from one that was begun begin at their trim horizon.
/// What is left out is what lies before the first listing, that is, ancestors.
pub(super) fn select(listed: &[Listed], begun: &BTreeMap<String, Note>, begin: Begin) -> Vec<Selected> {
    let past = if begin.position == Position::TrimHorizon { BTreeSet::new() } else { ancestors(listed, begun) };
    let note = |shard: &Listed| match begun.get(&shard.id) {
        Some(note) => Some(note.clone()),
        None if past.contains(shard.id.as_str()) => None,
        None if descends(shard, listed, begun) => Some(Note::new(shard.range, Position::TrimHorizon)),
        None if shard.closed && begin.open_only => None,
        None => Some(Note::new(shard.range, begin.position)),
    };
    let chosen: BTreeMap<&str, Note> =
        listed.iter().filter_map(|shard| Some((shard.id.as_str(), note(shard)?))).collect();
    let selected = |shard: &Listed| {
        let note = chosen.get(shard.id.as_str())?.clone();
        let parents = shard.parents.iter().filter(|parent| chosen.contains_key(parent.as_str())).cloned().collect();
        Some(Selected { id: shard.id.clone(), parents, note })
    };
    listed.iter().filter_map(selected).collect()
}

/// Whether a shard comes from one that was begun.
fn descends(shard: &Listed, listed: &[Listed], begun: &BTreeMap<String, Note>) -> bool {
    let parent_of = |id: &String| listed.iter().find(|other| other.id == *id);
    shard
        .parents
        .iter()
        .any(|id| begun.contains_key(id) || parent_of(id).is_some_and(|parent| descends(parent, listed, begun)))
}

/// Shards before those that are read.
fn ancestors<'a>(listed: &'a [Listed], begun: &BTreeMap<String, Note>) -> BTreeSet<&'a str> {
    let by_id: BTreeMap<&str, &Listed> = listed.iter().map(|shard| (shard.id.as_str(), shard)).collect();
    let mut next: Vec<&Listed> = listed.iter().filter(|shard| begun.contains_key(&shard.id)).collect();
    let mut found = BTreeSet::new();
    while let Some(shard) = next.pop() {
        for parent in &shard.parents {
            if found.insert(parent.as_str()) {
                next.extend(by_id.get(parent.as_str()));
            }
        }
    }
    found.retain(|id| !begun.contains_key(*id));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parents: &[&str], closed: bool) -> Listed {
        let parents = parents.iter().map(ToString::to_string).collect();
        Listed { id: id.into(), parents, range: HashRange::ALL, closed }
    }

    /// `a` was split into `b` and `c`; `c` and `d` were merged into `e`.
    fn stream() -> Vec<Listed> {
        vec![
            shard("a", &[], true),
            shard("b", &["a"], false),
            shard("c", &["a"], true),
            shard("d", &[], true),
            shard("e", &["c", "d"], false),
        ]
    }

    fn names(selected: &[Selected]) -> Vec<(&str, String)> {
        selected.iter().map(|shard| (shard.id.as_str(), shard.note.start.to_string())).collect()
    }

    fn begun(selected: &[Selected]) -> BTreeMap<String, Note> {
        selected.iter().map(|shard| (shard.id.clone(), shard.note.clone())).collect()
    }

    const LATEST: Begin = Begin { position: Position::AtTimestamp(7), open_only: true };
    const WHOLE: Begin = Begin { position: Position::TrimHorizon, open_only: false };

    #[test]
    fn a_stream_is_read_whole_with_children_after_their_parents() {
        let selected = select(&stream(), &BTreeMap::new(), WHOLE);
        assert_eq!(selected.len(), 5);
        assert_eq!(selected[4].parents, ["c", "d"]);
        assert!(selected.iter().all(|shard| shard.note.start == Position::TrimHorizon));
        let trimmed = select(&stream()[3..], &begun(&selected), WHOLE);
        assert_eq!(trimmed[1].parents, ["d"], "parents that are gone are no parents");
    }

    #[test]
    fn from_the_latest_record_on_only_open_shards_count_and_later_ones_are_their_children() {
        let first = select(&stream(), &BTreeMap::new(), LATEST);
        let moment = "at-timestamp:7".to_owned();
        assert_eq!(names(&first), [("b", moment.clone()), ("e", moment.clone())]);
        assert!(first.iter().all(|shard| shard.parents.is_empty()));
        let mut later = stream();
        later[1].closed = true;
        later.push(shard("f", &["b"], false));
        let again = select(&later, &begun(&first), LATEST);
        assert_eq!(names(&again), [("b", moment.clone()), ("e", moment), ("f", "trim-horizon".to_owned())]);
        assert_eq!(again[2].parents, ["b"]);
    }

    #[test]
    fn a_child_whose_forebears_are_gone_is_read_from_the_moment_of_the_first_start() {
        let first = select(&stream(), &BTreeMap::new(), LATEST);
        let later = [shard("h", &["g"], false)];
        assert_eq!(names(&select(&later, &begun(&first), LATEST)), [("h", "at-timestamp:7".to_owned())]);
    }

    #[test]
    fn a_shard_that_gave_nothing_before_a_restart_is_begun_where_it_was_begun_first() {
        let first = select(&stream(), &BTreeMap::new(), LATEST);
        let committed = begun(&first[..1]);
        let again = select(&stream(), &committed, LATEST);
        assert!(again.iter().any(|shard| shard.id == "e" && shard.note.start == Position::AtTimestamp(7)), "{again:?}");
    }

    #[test]
    fn from_a_time_on_closed_shards_may_still_hold_something() {
        let at = Begin { position: Position::AtTimestamp(7), open_only: false };
        let first = select(&stream(), &BTreeMap::new(), at);
        assert_eq!(first.len(), 5);
        assert!(first.iter().all(|shard| shard.note.start == at.position));
        assert_eq!(select(&stream(), &begun(&first), at), first, "selecting moves nothing");
    }

    #[test]
    fn a_note_reads_back() {
        let note = Note::new(HashRange { from: 3, to: u128::MAX }, Position::AtTimestamp(7));
        assert_eq!(Note::parse(&note.to_text()).unwrap(), note);
        assert_eq!(note.range().unwrap(), HashRange { from: 3, to: u128::MAX });
        assert!(Note::parse("generation 3").unwrap_err().message.contains("another source"));
    }
}
