//! Records that a producer library packed several user records into.
//!
//! The format is that of the Kinesis Producer Library: four magic bytes, a protobuf message, the MD5 of the message.
//! Two readings of it stand here. [`Outcome`] is ours: nothing disappears, what cannot be taken as user records is named.
//! [`Outcome::as_kcl`] is what the Kinesis Client Library makes of the same record, which loses some of it silently; it
//! is there to be compared with.

use bytes::Bytes;
use md5::{Digest, Md5};
use prost::Message;
use std::fmt;

/// First bytes of an aggregated record.
pub(super) const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

/// Length of the digest at its end.
const DIGEST: usize = 16;

/// The hash keys of a shard, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashRange {
    /// Smallest hash key.
    pub from: u128,
    /// Greatest hash key.
    pub to: u128,
}

impl HashRange {
    /// Every hash key there is.
    pub const ALL: Self = Self { from: 0, to: u128::MAX };

    fn contains(self, key: u128) -> bool {
        self.from <= key && key <= self.to
    }
}

impl Default for HashRange {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for HashRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.to)
    }
}

/// One record of those that an aggregate holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Its own partition key.
    pub partition_key: String,
    /// Its own explicit hash key, as written by the producer.
    pub explicit_hash_key: Option<String>,
    /// Content.
    pub data: Bytes,
    /// Its number in the aggregate, from 0.
    pub sub: u64,
}

/// What a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// No aggregate: the content is the user's.
    Plain,
    /// An aggregate of these, all within the shard.
    Records(Vec<UserRecord>),
    /// An aggregate with records that do not belong to the shard: a reshard came between packing and arrival.
    OutOfRange {
        /// All of its records, those within the shard included.
        records: Vec<UserRecord>,
        /// Numbers of those that are outside, ascending.
        outside: Vec<u64>,
    },
    /// Magic and digest are an aggregate's, the message is none.
    Malformed {
        /// What is wrong; holds nothing of the record.
        reason: String,
        /// What the client library would take of it; none where it passes the record through as it is.
        kcl: Option<Vec<UserRecord>>,
    },
}

impl Outcome {
    /// What the Kinesis Client Library gives for the record: user records, or none where it passes the record on.
    pub fn as_kcl(&self) -> Option<&[UserRecord]> {
        match self {
            Self::Plain => None,
            Self::Records(records) => Some(records),
            Self::OutOfRange { .. } => Some(&[]),
            Self::Malformed { kcl, .. } => kcl.as_deref(),
        }
    }
}

/// Whether a record begins as an aggregate does.
pub(super) fn is_suspect(data: &[u8]) -> bool {
    data.starts_with(&MAGIC)
}

/// Takes a record apart, if it is an aggregate. Records made of a nested aggregate stay packed.
pub fn deaggregate(data: &Bytes, shard: HashRange) -> Outcome {
    let Some(message) = message(data) else { return Outcome::Plain };
    match wire::AggregatedRecord::decode(message) {
        Ok(aggregate) if aggregate.is_complete() => unpack(aggregate, shard),
        Ok(_) => Outcome::Malformed { reason: "a required field is missing".into(), kcl: None },
        Err(error) => Outcome::Malformed { reason: format!("its message cannot be parsed: {error}"), kcl: None },
    }
}

/// The message of an aggregate whose digest is right.
fn message(data: &Bytes) -> Option<Bytes> {
    let body = data.strip_prefix(&MAGIC)?;
    if body.len() <= DIGEST {
        return None;
    }
    let (message, digest) = body.split_at(body.len() - DIGEST);
    (Md5::digest(message).as_slice() == digest).then(|| data.slice(MAGIC.len()..data.len() - DIGEST))
}

fn unpack(aggregate: wire::AggregatedRecord, shard: HashRange) -> Outcome {
    let (mut records, mut outside) = (Vec::with_capacity(aggregate.records.len()), vec![]);
    let tables = Tables { keys: &aggregate.partition_key_table, hashes: &aggregate.explicit_hash_key_table };
    for (sub, record) in (0..).zip(aggregate.records) {
        match tables.resolve(record, sub) {
            Ok((record, hash)) => {
                if !hash.is_some_and(|hash| shard.contains(hash)) {
                    outside.push(sub);
                }
                records.push(record);
            }
            Err(reason) => {
                // the client library keeps what it took before the error, unless it had met a stranger before it
                let kept = if outside.is_empty() { records } else { vec![] };
                return Outcome::Malformed { reason: format!("record {sub} of it: {reason}"), kcl: Some(kept) };
            }
        }
    }
    if records.is_empty() {
        return Outcome::Malformed { reason: "it holds no records".into(), kcl: Some(vec![]) };
    }
    if outside.is_empty() { Outcome::Records(records) } else { Outcome::OutOfRange { records, outside } }
}

/// The tables that the records of an aggregate point into.
struct Tables<'a> {
    keys: &'a [Bytes],
    hashes: &'a [Bytes],
}

impl Tables<'_> {
    /// A user record and its hash key; no hash key where the written number is outside all there are.
    fn resolve(&self, record: wire::Record, sub: u64) -> Result<(UserRecord, Option<u128>), String> {
        let partition_key = entry(self.keys, record.partition_key_index.unwrap_or_default(), "partition key")?;
        let index = record.explicit_hash_key_index;
        let explicit_hash_key = index.map(|index| entry(self.hashes, index, "explicit hash key")).transpose()?;
        let hash = match &explicit_hash_key {
            Some(key) => parse_hash(key).ok_or("its explicit hash key is no number")?,
            None => Some(hash_of(&partition_key)),
        };
        let data = record.data.unwrap_or_default();
        Ok((UserRecord { partition_key, explicit_hash_key, data, sub }, hash))
    }
}

/// An entry of a table. Producers in Java write replacement characters for what is no UTF-8, and so do we.
fn entry(table: &[Bytes], index: u64, what: &str) -> Result<String, String> {
    let found = usize::try_from(index).ok().and_then(|index| table.get(index));
    found
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .ok_or_else(|| format!("{what} index {index} of a table of {}", table.len()))
}

/// The hash key that a partition key has where no explicit one is given.
pub fn hash_of(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key.as_bytes()).into())
}

/// A hash key written in decimal. The outer option: whether it is a number; the inner: whether it is a hash key.
fn parse_hash(text: &str) -> Option<Option<u128>> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // nothing but zero is the same with a minus
    Some(digits.parse().ok().filter(|hash| *hash == 0 || !text.starts_with('-')))
}

/// Packs user records as the producer library does: each key once in its table, fields in the order of their tags.
///
/// Each is (partition key, explicit hash key, content).
pub fn aggregate<'a>(records: impl IntoIterator<Item = (&'a str, Option<&'a str>, Bytes)>) -> Bytes {
    let mut message = wire::AggregatedRecord::default();
    for (key, hash, data) in records {
        let partition_key_index = Some(intern(&mut message.partition_key_table, key));
        let explicit_hash_key_index = hash.map(|hash| intern(&mut message.explicit_hash_key_table, hash));
        let data = Some(data);
        message.records.push(wire::Record { partition_key_index, explicit_hash_key_index, data, tags: vec![] });
    }
    let message = message.encode_to_vec();
    [&MAGIC[..], &message, Md5::digest(&message).as_slice()].concat().into()
}

fn intern(table: &mut Vec<Bytes>, text: &str) -> u64 {
    let found = table.iter().position(|entry| entry == text);
    let index = found.unwrap_or_else(|| {
        table.push(Bytes::copy_from_slice(text.as_bytes()));
        table.len() - 1
    });
    index as u64
}

/// The messages. What the format requires is optional here, so that its absence is seen; what is text is bytes, since
/// version 2 of the format does not hold producers to UTF-8.
mod wire {
    use bytes::Bytes;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Tag {
        #[prost(bytes = "bytes", optional, tag = "1")]
        pub(super) key: Option<Bytes>,
        #[prost(bytes = "bytes", optional, tag = "2")]
        pub(super) value: Option<Bytes>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Record {
        #[prost(uint64, optional, tag = "1")]
        pub(super) partition_key_index: Option<u64>,
        #[prost(uint64, optional, tag = "2")]
        pub(super) explicit_hash_key_index: Option<u64>,
        #[prost(bytes = "bytes", optional, tag = "3")]
        pub(super) data: Option<Bytes>,
        #[prost(message, repeated, tag = "4")]
        pub(super) tags: Vec<Tag>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct AggregatedRecord {
        #[prost(bytes = "bytes", repeated, tag = "1")]
        pub(super) partition_key_table: Vec<Bytes>,
        #[prost(bytes = "bytes", repeated, tag = "2")]
        pub(super) explicit_hash_key_table: Vec<Bytes>,
        #[prost(message, repeated, tag = "3")]
        pub(super) records: Vec<Record>,
    }

    impl AggregatedRecord {
        /// Whether every required field is there.
        pub(super) fn is_complete(&self) -> bool {
            self.records.iter().all(|record| {
                record.partition_key_index.is_some()
                    && record.data.is_some()
                    && record.tags.iter().all(|tag| tag.key.is_some())
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(message: &[u8]) -> Bytes {
        [&MAGIC[..], message, Md5::digest(message).as_slice()].concat().into()
    }

    #[test]
    fn a_stranger_names_the_whole_aggregate() {
        let half = HashRange { from: 0, to: u128::MAX / 2 };
        let packed = aggregate([("a", Some("1"), "x".into()), ("a", Some(&u128::MAX.to_string()), "y".into())]);
        let Outcome::OutOfRange { records, outside } = deaggregate(&packed, half) else { panic!("not out of range") };
        assert_eq!((records.len(), outside), (2, vec![1]));
        assert!(matches!(deaggregate(&packed, HashRange::ALL), Outcome::Records(records) if records.len() == 2));
    }

    #[test]
    fn numbers_that_are_no_hash_keys_lie_outside_and_words_are_malformed() {
        for key in ["-1", "340282366920938463463374607431768211456"] {
            let packed = aggregate([("a", Some(key), Bytes::new())]);
            assert!(matches!(deaggregate(&packed, HashRange::ALL), Outcome::OutOfRange { .. }), "{key}");
        }
        for key in ["", "+", "x", "1e3", " 1"] {
            let packed = aggregate([("a", Some(key), Bytes::new())]);
            assert!(matches!(deaggregate(&packed, HashRange::ALL), Outcome::Malformed { .. }), "{key}");
        }
    }

    #[test]
    fn a_broken_message_under_a_right_digest_is_malformed_and_an_empty_one_too() {
        for message in [&[0x1a, 0x05][..], &[0x0a, 0x01, b'a'], &[0x1a, 0x02, 0x08, 0x00]] {
            assert!(matches!(deaggregate(&sealed(message), HashRange::ALL), Outcome::Malformed { .. }), "{message:?}");
        }
    }

    #[test]
    fn a_nested_aggregate_stays_packed() {
        let inner = aggregate([("a", None, "x".into())]);
        let outer = aggregate([("b", None, inner.clone())]);
        let Outcome::Records(records) = deaggregate(&outer, HashRange::ALL) else { panic!("not taken apart") };
        assert_eq!(records[0].data, inner);
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(
            records in prop::collection::vec((".{0,8}", prop::option::of(0u128..), prop::collection::vec(any::<u8>(), 0..40)), 1..20)
        ) {
            let hashes: Vec<_> = records.iter().map(|(_, hash, _)| hash.map(|hash| hash.to_string())).collect();
            let each = records.iter().zip(&hashes);
            let packed = aggregate(each.map(|((key, _, data), hash)| (key.as_str(), hash.as_deref(), data.clone().into())));
            let Outcome::Records(out) = deaggregate(&packed, HashRange::ALL) else { panic!("not taken apart") };
            prop_assert_eq!(out.len(), records.len());
            for (i, ((key, _, data), out)) in records.iter().zip(&out).enumerate() {
                prop_assert_eq!((&out.partition_key, &out.data[..], out.sub), (key, &data[..], i as u64));
                prop_assert_eq!(&out.explicit_hash_key, &hashes[i]);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(message in prop::collection::vec(any::<u8>(), 0..64), from: u128, to: u128) {
            let range = HashRange { from, to };
            let _ = deaggregate(&sealed(&message), range);
            let _ = deaggregate(&message.clone().into(), range);
            let _ = deaggregate(&[&MAGIC[..], &message].concat().into(), range);
        }

        #[test]
        fn a_flipped_bit_is_never_taken_for_an_aggregate(at in 4usize..60, bit in 0u8..8) {
            let packed = aggregate([("key", Some("1"), Bytes::from(vec![7; 40]))]);
            let mut bytes = packed.to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(deaggregate(&bytes.into(), HashRange::ALL), Outcome::Plain);
        }
    }
}
