//! Splits and merges while records arrive.

use crate::support::{Fixture, check_order, flow, modes, read_to_end, record};
use bytes::Bytes;
use sluice_aws::client::Aws;
use sluice_aws::kinesis::{KinesisConfig, KinesisSource, Mode, PutOptions, put};
use sluice_batch::Position;
use sluice_ports::{Read, Source};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const KEYS: usize = 200;

/// Held by whoever puts or reshards: `ferrokinesis` acknowledges records into a shard that it is closing, and does so after
/// it has told the shard's end.
type Turn = Arc<Mutex<()>>;

/// Puts `KEY:NUMBER` records, one of a key at a time.
fn produce(aws: Aws, of_each: usize, turn: Turn) -> JoinHandle<()> {
    tokio::spawn(async move {
        let options = PutOptions { ordered: true, ..PutOptions::new("orders".parse().unwrap()) };
        for number in 0..of_each {
            let one = |key: usize| Ok(record(&format!("key {key}"), None, Bytes::from(format!("key {key}:{number}"))));
            let _turn = turn.lock().await;
            put(&aws, &options, (0..KEYS).map(one), |_| ()).await.unwrap();
        }
    })
}

/// Splits the stream's first open shard in two, or merges two that lie side by side, by turns.
async fn reshard(fixture: &Fixture, n: usize) {
    let listed = fixture.client.list_shards().stream_name("orders").send().await.unwrap();
    let mut open: Vec<(u128, u128, String)> = vec![];
    for shard in listed.shards() {
        if shard.sequence_number_range().unwrap().ending_sequence_number().is_none() {
            let range = shard.hash_key_range().unwrap();
            let (from, to) = (range.starting_hash_key().parse().unwrap(), range.ending_hash_key().parse().unwrap());
            open.push((from, to, shard.shard_id().to_owned()));
        }
    }
    open.sort();
    let at = n % (open.len() - 1);
    if n.is_multiple_of(2) {
        let (from, to, id) = &open[at];
        fixture.split(id, from + (to - from) / 2).await;
    } else {
        fixture.merge(&open[at].2, &open[at + 1].2).await;
    }
}

/// Reads all while a producer puts records and shards split and merge.
async fn storm(fixture: Fixture, mode: Mode, of_each: usize, reshards: usize) {
    let fixture = Arc::new(fixture);
    let source = KinesisSource::new(fixture.aws.clone(), KinesisConfig { mode: mode.clone(), ..fixture.config() });
    let turn = Turn::default();
    let producer = produce(fixture.aws.clone(), of_each, turn.clone());
    let resharder = tokio::spawn({
        let fixture = fixture.clone();
        async move {
            for n in 0..reshards {
                let turn = turn.lock().await;
                reshard(&fixture, n).await;
                drop(turn);
                sleep(Duration::from_millis(40)).await;
            }
        }
    });
    let read = flow(Arc::new(source), |flow| flow.payloads.len() >= KEYS * of_each).await;
    producer.await.unwrap();
    resharder.await.unwrap();
    check_order(&read, KEYS, of_each);
    assert!(!read.ended.is_empty(), "{mode:?}: no shard ended while records came");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_comes_once_and_in_order_of_its_key_through_splits_and_merges() {
    for mode in modes() {
        storm(Fixture::new(4).await, mode, 200, 16).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_where_the_server_names_the_children_of_a_closed_shard() {
    // its subscriptions never tell the end of a shard, as AWS's do: polling only
    let Some(fixture) = Fixture::local(2).await else { return };
    storm(fixture, Mode::Polling, 25, 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_shard_is_read_again_from_any_position_to_its_end() {
    let exact = Fixture::local(1).await.map(|fixture| (fixture, vec![Mode::Polling]));
    for (fixture, modes) in [(Fixture::new(1).await, modes().to_vec())].into_iter().chain(exact) {
        fixture.put(0, (0..10).map(|i| Bytes::from(i.to_string()))).await;
        fixture.split("shardId-000000000000", u128::MAX / 2).await;
        for mode in modes {
            let source = fixture.source(mode);
            let infos = source.discover(&[]).await.unwrap();
            assert_eq!(infos[1].parents, [infos[0].shard.clone()]);
            let mut reader = source.open(&infos[0], &Position::TrimHorizon).await.unwrap();
            let all = read_to_end(reader.as_mut()).await;
            assert_eq!(all.len(), 10);
            assert!(matches!(reader.next().await.unwrap(), Read::Closed), "the end stays the end");
            for i in [0, 9] {
                let mut reader = source.open(&infos[0], &Position::At(all[i].position)).await.unwrap();
                assert_eq!(read_to_end(reader.as_mut()).await, all[i + 1..]);
            }
        }
    }
}
