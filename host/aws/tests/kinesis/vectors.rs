//! Aggregated records that the producer library and its kin wrote.

use crate::support::{Fixture, read_from, record};
use aws_smithy_types::base64;
use bytes::Bytes;
use flate2::read::GzDecoder;
use serde::Deserialize;
use sluice_aws::kinesis::kpl::{HashRange, Outcome, UserRecord, aggregate, deaggregate};
use sluice_aws::kinesis::{KinesisConfig, KinesisSource, KplOutOfRange, Mode, PutOptions, put};
use sluice_batch::Position;
use sluice_ports::Source;
use std::io::{BufRead, BufReader};

#[derive(Deserialize)]
struct Vector {
    id: String,
    partition_key: String,
    shard_range: Option<Range>,
    data_b64: String,
    expected: Expected,
    encoder_input: Option<Vec<Input>>,
}

#[derive(Deserialize)]
struct Range {
    starting_hash_key: String,
    ending_hash_key: String,
}

#[derive(Deserialize)]
struct Expected {
    aggregated: bool,
    user_records: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    partition_key: String,
    explicit_hash_key: Option<String>,
    sub_sequence_number: u64,
    data_b64: String,
}

#[derive(Deserialize)]
struct Input {
    partition_key: String,
    explicit_hash_key: Option<String>,
    data_b64: String,
}

fn bytes(text: &str) -> Bytes {
    base64::decode(text).unwrap().into()
}

fn vectors() -> Vec<Vector> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kpl_vectors_dev.jsonl.gz");
    let lines = BufReader::new(GzDecoder::new(std::fs::File::open(file).unwrap())).lines();
    let vectors: Vec<Vector> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(vectors.len(), 56);
    vectors
}

impl Vector {
    fn range(&self) -> HashRange {
        self.shard_range.as_ref().map_or(HashRange::ALL, |range| HashRange {
            from: range.starting_hash_key.parse().unwrap(),
            to: range.ending_hash_key.parse().unwrap(),
        })
    }

    fn expected(&self) -> Vec<UserRecord> {
        let user = |user: &User| UserRecord {
            partition_key: user.partition_key.clone(),
            explicit_hash_key: user.explicit_hash_key.clone(),
            data: bytes(&user.data_b64),
            sub: user.sub_sequence_number,
        };
        self.expected.user_records.iter().map(user).collect()
    }
}

#[test]
fn each_gives_what_the_client_library_gives() {
    for vector in vectors() {
        let data = bytes(&vector.data_b64);
        let outcome = deaggregate(&data, vector.range());
        match outcome.as_kcl() {
            Some(records) => assert_eq!(records, vector.expected(), "{}", vector.id),
            None => assert_eq!(vector.expected()[0].data, data, "{}", vector.id),
        }
        assert_eq!(outcome.as_kcl().is_some(), vector.expected.aggregated, "{}", vector.id);
    }
}

#[test]
fn none_loses_a_record_as_the_client_library_does() {
    for vector in vectors() {
        let expected = vector.expected();
        match deaggregate(&bytes(&vector.data_b64), vector.range()) {
            Outcome::OutOfRange { records, outside } => {
                assert!(expected.is_empty() && !outside.is_empty() && records.len() >= outside.len(), "{}", vector.id);
            }
            Outcome::Malformed { kcl, .. } => assert_eq!(kcl.is_some(), vector.expected.aggregated, "{}", vector.id),
            Outcome::Plain => assert!(!vector.expected.aggregated, "{}", vector.id),
            Outcome::Records(records) => assert_eq!(records, expected, "{}", vector.id),
        }
    }
}

#[test]
fn packing_makes_the_same_bytes() {
    let mut packed = 0;
    for vector in vectors() {
        let Some(input) = &vector.encoder_input else { continue };
        let each = input.iter();
        let made = aggregate(
            each.map(|one| (one.partition_key.as_str(), one.explicit_hash_key.as_deref(), bytes(&one.data_b64))),
        );
        assert!(made == bytes(&vector.data_b64), "{}", vector.id);
        packed += 1;
    }
    assert_eq!(packed, 27);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_them_is_read_right() {
    let fixture = Fixture::new(1).await;
    let vectors: Vec<_> = vectors().into_iter().filter(|vector| vector.shard_range.is_none()).collect();
    let key = |vector: &Vector| if vector.partition_key.is_empty() { "k".into() } else { vector.partition_key.clone() };
    let records = vectors.iter().map(|vector| Ok(record(&key(vector), None, bytes(&vector.data_b64))));
    put(&fixture.aws, &PutOptions { ordered: true, ..PutOptions::new("orders".parse().unwrap()) }, records, |_| ())
        .await
        .unwrap();
    let source = fixture.source(Mode::Polling);
    let info = source.discover(&[]).await.unwrap().remove(0);
    let all = read_from(&source, &info, Position::TrimHorizon, 56).await;
    let mut usable: Vec<_> =
        all.iter().filter(|given| given.unusable.is_none()).map(|given| given.data.clone()).collect();
    let malformed =
        |vector: &&Vector| matches!(deaggregate(&bytes(&vector.data_b64), HashRange::ALL), Outcome::Malformed { .. });
    let good = vectors.iter().filter(|vector| !malformed(vector));
    let mut expected: Vec<_> = good.flat_map(|vector| vector.expected().into_iter().map(|user| user.data)).collect();
    // records of different keys may arrive in another order than they were given
    expected.sort();
    usable.sort();
    assert_eq!(usable.len(), expected.len());
    assert!(usable == expected);
    let set_aside: Vec<_> = all.iter().filter_map(|given| given.unusable).collect();
    assert_eq!(set_aside, vec![("kpl_malformed", false); vectors.iter().filter(malformed).count()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_quarantined_whole_unless_the_manifest_says_otherwise() {
    let fixture = Fixture::new(2).await;
    let far = u128::MAX.to_string();
    let packed = aggregate([("a", Some("1"), "near".into()), ("b", Some(far.as_str()), "far".into())]);
    fixture.put(0, [packed, "plain".into()]).await;
    for (policy, unusable) in [
        (KplOutOfRange::Quarantine, Some(("kpl_outside_shard", false))),
        (KplOutOfRange::Drop, Some(("kpl_outside_shard", true))),
        (KplOutOfRange::Deliver, None),
    ] {
        let config = KinesisConfig { kpl_out_of_range: policy, ..fixture.config() };
        let source = KinesisSource::new(fixture.aws.clone(), config);
        let info = source.discover(&[]).await.unwrap().remove(0);
        let all = read_from(&source, &info, Position::TrimHorizon, 3).await;
        let found: Vec<_> = all.iter().map(|given| (&given.data[..], given.unusable)).collect();
        assert_eq!(found, [(&b"near"[..], unusable), (b"far", unusable), (b"plain", None)], "{policy:?}");
        let within = read_from(&source, &info, Position::At(all[0].position), 2).await;
        assert_eq!(within, all[1..], "reading goes on within an aggregate");
    }
}
