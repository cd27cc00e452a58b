//! The three entries of the commit log. All are numbered; the cut and its commit or abort share a number.

use crate::{Account, Origin, Position, ShardRef};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// SHA-256 of some bytes, 64 hexadecimal digits.
pub fn digest_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Everything besides the input that decides what the objects of a segment hold. A cut can be run again only where all
/// of it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Digest of the checked plan.
    pub plan: String,
    /// Digest of the running program.
    pub build: String,
    /// Digest of each rule's component, by the label of its step or gold.
    pub rules: BTreeMap<String, String>,
    /// The same rules as people name them, `name@version`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// Digests of lookup tables, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lookups: BTreeMap<String, String>,
    /// Id of the key behind pseudonyms: tells two keys apart and gives neither away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_key: Option<String>,
}

impl Identity {
    /// One word for all of it but the program, 16 hexadecimal digits: how versions of a pipeline are told apart, also by
    /// those who run another build.
    pub fn key(&self) -> String {
        let any_build = Self { build: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&any_build).expect("an identity is plain data");
        digest_hex(&text)[..16].to_owned()
    }
}

/// Rows that a rule was found to fail on. A decision, since a deadline may not pass in the same place again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRows {
    /// Label of the step or gold.
    pub at: String,
    /// Rows of the batch as decoded, ascending.
    pub rows: Vec<u32>,
    /// What happened, for people.
    pub cause: String,
}

/// One batch in the log of a cut, in the order of appending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchEntry {
    /// The stretch of the shard.
    #[serde(flatten)]
    pub origin: Origin,
    /// Records in it, unusable ones included.
    pub records: u64,
    /// XXH3-64 of the stretch's bytes, hexadecimal: proof that a replay sees the same input.
    pub digest: String,
    /// XXH3-64 of the last (up to) 4 KiB before `to`, hexadecimal: checked when reading goes on from there. Empty for a
    /// record stream, whose positions are the service's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// Arrival of the batch, milliseconds since the epoch: for a stream that of its last payload, for a file the time
    /// logged at opening.
    pub arrived_at: i64,
    /// Rows failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedRows>,
    /// Labels of the steps whose rule was parked when the batch came to them, with why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parked: BTreeMap<String, String>,
}

/// Groups of a gold whose windows closed and that its aggregator could not finish. A decision, as failed rows are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedGroups {
    /// Name of the gold.
    pub gold: String,
    /// Start of the window, microseconds since the epoch, and place of the group among the window's sorted keys.
    pub groups: Vec<(i64, u32)>,
    /// What happened, for people.
    pub cause: String,
}

/// Windows of a gold that close with a cut: all that end at or before `through`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedWindows {
    /// Name of the gold.
    pub gold: String,
    /// End of the last window closed, microseconds since the epoch.
    pub through: i64,
}

/// Which rows make up a segment, and every decision taken about them. Written before anything of it is visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Version of this format.
    pub format: u32,
    /// Number in the log, from 1.
    pub number: u64,
    /// The dataset.
    pub dataset: String,
    /// Fence of the process that cut.
    pub fence: u64,
    /// What decides the result besides the input.
    pub identity: Identity,
    /// The batches, in the order of appending.
    pub batches: Vec<BatchEntry>,
    /// Shards that are read to their end with this segment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<ShardRef>,
    /// Those of them that are closed: nothing will ever follow, except in their children.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards_closed: Vec<ShardRef>,
    /// Shards that do not hold windows open, because they are idle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle: Vec<ShardRef>,
    /// Windows that close.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<ClosedWindows>,
    /// Groups of those windows that could not be finished.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_groups: Vec<FailedGroups>,
    /// Whether windows close because the bounded input ended.
    #[serde(default)]
    pub end_of_input: bool,
    /// Notes of the source about its shards (see `ShardInfo::note`), by `source/shard`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
}

impl Cut {
    /// Version of the format that this crate writes.
    pub const FORMAT: u32 = 1;

    /// The bytes that are stored; the same cut gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a cut is plain data")
    }

    /// SHA-256 of the stored bytes. The first 16 digits stand in the names of the segment's objects.
    pub fn digest(&self) -> String {
        digest_hex(&self.to_bytes())
    }
}

/// A layer of the lake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// As it arrived.
    Bronze,
    /// Validated, redacted, coerced.
    Silver,
    /// Aggregates, by name.
    Gold(String),
    /// Silver rows that came too late for a gold, by its name.
    Late(String),
    /// Rejected, with the reasons.
    Quarantine,
    /// Partials of open windows.
    State,
}

impl Layer {
    /// Folder of the layer's objects.
    pub fn folder(&self) -> String {
        match self {
            Self::Bronze => "bronze".into(),
            Self::Silver => "silver".into(),
            Self::Gold(name) => format!("gold/{name}"),
            Self::Late(name) => format!("late/{name}"),
            Self::Quarantine => "quarantine".into(),
            Self::State => "_sluice/state".into(),
        }
    }
}

/// An object of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectEntry {
    /// Name in the store, parts joined by `/`.
    pub name: String,
    /// Layer.
    pub layer: Layer,
    /// Rows in it.
    pub rows: u64,
    /// Bytes.
    pub size: u64,
    /// XXH3-64 of the bytes, hexadecimal.
    pub digest: String,
}

/// Where a shard stands after a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardState {
    /// The shard.
    #[serde(flatten)]
    pub shard: ShardRef,
    /// Reading goes on after this.
    pub position: Position,
    /// Digest of the bytes before `position`, see [`BatchEntry::tail`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// Whether it is read to its end (a bounded run; a file that grows later is read on).
    #[serde(default)]
    pub ended: bool,
    /// Greatest event time of its silver rows, microseconds since the epoch, by gold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub event_time: BTreeMap<String, i64>,
    /// Note of the source.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// The one checkpoint: everything up to here happened, exactly once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Version of this format.
    pub format: u32,
    /// Number, that of its cut.
    pub number: u64,
    /// The dataset.
    pub dataset: String,
    /// Fence of the process that committed.
    pub fence: u64,
    /// Digest of the cut.
    pub cut: String,
    /// Every shard ever read.
    pub shards: Vec<ShardState>,
    /// Objects of this segment.
    pub objects: Vec<ObjectEntry>,
    /// Partials of the windows that are open: one object for each gold that has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<ObjectEntry>,
    /// End of the last window closed, by gold, microseconds since the epoch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub closed: BTreeMap<String, i64>,
    /// End of the last window closed that an earlier definition of the gold with other windows had opened, by gold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub barriers: BTreeMap<String, i64>,
    /// Whether the bounded input ended here and all windows closed.
    #[serde(default)]
    pub end_of_input: bool,
    /// The books of this segment.
    pub account: Account,
    /// Names of the columns of this segment's objects, by folder of their layer: a table changes, objects do not. Where a
    /// segment holds objects of two definitions of a gold, those of the earlier one stand under the object's own name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Vec<String>>,
    /// What was acknowledged of the silver rows where they are delivered besides the lake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Delivered>,
}

/// What a delivery acknowledged. An acknowledgement is not an arrival.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Rows, those that went direct included.
    pub rows: u64,
    /// Records that carried them.
    pub records: u64,
    /// Bytes of those records.
    pub bytes: u64,
    /// Rows too large for a record, which were put beside what the service delivers.
    #[serde(default)]
    pub direct: u64,
}

impl Delivered {
    /// Adds another parcel.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.records += other.records;
        self.bytes += other.bytes;
        self.direct += other.direct;
    }
}

impl Commit {
    /// The bytes that are stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a commit is plain data")
    }
}

/// Says that the cut of the same number never became anything and never will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abort {
    /// Number, that of its cut.
    pub number: u64,
    /// Fence of the process that aborted.
    pub fence: u64,
    /// Digest of the cut.
    pub cut: String,
    /// Why it could not be run again, for people.
    pub reason: String,
}

impl Abort {
    /// The bytes that are stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an abort is plain data")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_that_of_the_standard() {
        assert_eq!(digest_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_cut_reads_back_and_keeps_its_digest() {
        let cut = Cut {
            format: Cut::FORMAT,
            number: 7,
            dataset: "orders".into(),
            fence: 3,
            identity: Identity {
                plan: "p".into(),
                build: "b".into(),
                rules: BTreeMap::new(),
                names: BTreeMap::new(),
                lookups: BTreeMap::new(),
                token_key: None,
            },
            batches: vec![BatchEntry {
                origin: Origin {
                    shard: ShardRef::new("file:1", "a"),
                    from: Position::TrimHorizon,
                    to: Position::offset(9),
                },
                records: 2,
                digest: "00".into(),
                tail: "01".into(),
                arrived_at: 5,
                failed: vec![FailedRows { at: "checks".into(), rows: vec![1], cause: "trap".into() }],
                parked: BTreeMap::new(),
            }],
            ended: vec![],
            shards_closed: vec![],
            idle: vec![],
            closed: vec![],
            failed_groups: vec![],
            end_of_input: false,
            notes: BTreeMap::new(),
        };
        let back: Cut = serde_json::from_slice(&cut.to_bytes()).unwrap();
        assert_eq!((back.digest(), &back), (cut.digest(), &cut));
    }
}
