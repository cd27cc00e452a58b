//! Streams, sources and a small flow that reads all shards in the order of their lineage.

use aws_sdk_kinesis::Client;
use bytes::Bytes;
use sluice_aws::client::Aws;
use sluice_aws::kinesis::{KinesisConfig, KinesisSource, Mode, PutRecord, StreamName};
use sluice_batch::{Position, RecordPosition, ShardRef};
use sluice_ports::{Payloads, Read, ShardInfo, ShardReader, Source};
use sluice_stand_ins::kinesis::{
    KinesisLocal, KinesisOptions, KinesisServer, client, create_stream, wait_until_active,
};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// Longest that any of these tests may take to read what it expects.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server with one stream.
pub(crate) struct Fixture {
    pub(crate) endpoint: String,
    pub(crate) client: Client,
    pub(crate) aws: Aws,
    pub(crate) name: String,
    /// The server, which ends with this.
    _server: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    pub(crate) async fn new(shards: i32) -> Self {
        Self::with(shards, KinesisOptions::default()).await
    }

    pub(crate) async fn with(shards: i32, options: KinesisOptions) -> Self {
        let server = KinesisServer::start_with(options).await.unwrap();
        Self::on(server.endpoint(), Box::new(server), shards).await
    }

    /// On the server that is slow but exact, where it can be had.
    pub(crate) async fn local(shards: i32) -> Option<Self> {
        match KinesisLocal::start().await {
            Ok(server) => Some(Self::on(server.endpoint(), Box::new(server), shards).await),
            Err(error) => {
                eprintln!("SKIPPED: kinesis-local cannot be started: {error}");
                None
            }
        }
    }

    async fn on(endpoint: String, server: Box<dyn Any + Send + Sync>, shards: i32) -> Self {
        let (client, aws) = (client(&endpoint), Aws::for_endpoint(&endpoint));
        create_stream(&client, "orders", shards).await.unwrap();
        Self { endpoint, client, aws, name: "orders".into(), _server: server }
    }

    pub(crate) fn config(&self) -> KinesisConfig {
        let stream: StreamName = self.name.parse().unwrap();
        KinesisConfig { poll_interval: Duration::from_millis(20), ..KinesisConfig::new(stream) }
    }

    pub(crate) fn source(&self, mode: Mode) -> KinesisSource {
        KinesisSource::new(self.aws.clone(), KinesisConfig { mode, ..self.config() })
    }

    /// Puts records one call at a time; the hash key chooses the shard.
    pub(crate) async fn put(&self, hash: u128, data: impl IntoIterator<Item = Bytes>) {
        let records: Vec<_> = data.into_iter().map(|data| Ok(record("k", Some(hash), data))).collect();
        let options = sluice_aws::kinesis::PutOptions::new(self.name.parse().unwrap());
        sluice_aws::kinesis::put(&self.aws, &options, records, |_| ()).await.unwrap();
    }

    pub(crate) async fn split(&self, shard: &str, at: u128) {
        let call = self.client.split_shard().stream_name(&self.name);
        call.shard_to_split(shard).new_starting_hash_key(at.to_string()).send().await.unwrap();
        wait_until_active(&self.client, &self.name).await.unwrap();
    }

    pub(crate) async fn merge(&self, shard: &str, other: &str) {
        let call = self.client.merge_shards().stream_name(&self.name);
        call.shard_to_merge(shard).adjacent_shard_to_merge(other).send().await.unwrap();
        wait_until_active(&self.client, &self.name).await.unwrap();
    }
}

pub(crate) fn modes() -> [Mode; 2] {
    [Mode::Polling, Mode::FanOut { consumer: "sluice".into() }]
}

pub(crate) fn record(key: &str, hash: Option<u128>, data: Bytes) -> PutRecord {
    PutRecord { partition_key: key.into(), explicit_hash_key: hash.map(|hash| hash.to_string()), data }
}

/// One payload as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) position: RecordPosition,
    pub(crate) arrived_at: i64,
    pub(crate) data: Bytes,
    /// Reason, where it was unusable, and whether it is left out.
    pub(crate) unusable: Option<(&'static str, bool)>,
}

pub(crate) fn given(payloads: Payloads) -> Vec<Given> {
    assert!(!payloads.data.is_empty(), "a read of payloads is not empty");
    assert_eq!((payloads.positions.len(), payloads.arrived_at.len()), (payloads.data.len(), payloads.data.len()));
    let unusable: BTreeMap<_, _> = payloads.unusable.iter().map(|bad| (bad.index, (bad.reason, bad.drop))).collect();
    let each = payloads.positions.into_iter().zip(payloads.arrived_at).zip(payloads.data).enumerate();
    let one =
        |(i, ((position, arrived_at), data))| Given { position, arrived_at, data, unusable: unusable.get(&i).copied() };
    each.map(one).collect()
}

/// Reads an open shard until it has given so many payloads and then nothing more for a while, or a closed one to its end.
/// Tells whether it ended.
pub(crate) async fn read(reader: &mut dyn ShardReader, count: usize) -> (Vec<Given>, bool) {
    let (mut all, begun, mut quiet) = (vec![], Instant::now(), 0);
    while quiet < 5 {
        assert!(begun.elapsed() < PATIENCE, "{} of {count} payloads after {PATIENCE:?}", all.len());
        match reader.next().await.unwrap() {
            Read::Payloads(payloads) => all.extend(given(payloads)),
            Read::CaughtUp => {
                quiet += u32::from(all.len() >= count);
                sleep(Duration::from_millis(10)).await;
            }
            Read::End | Read::Closed => return (all, true),
            Read::Bytes { .. } => panic!("a stream gave bytes"),
        }
    }
    (all, false)
}

/// Reads a closed shard.
pub(crate) async fn read_to_end(reader: &mut dyn ShardReader) -> Vec<Given> {
    let (mut all, begun) = (vec![], Instant::now());
    loop {
        assert!(begun.elapsed() < PATIENCE, "{} payloads after {PATIENCE:?}", all.len());
        match reader.next().await.unwrap() {
            Read::Payloads(payloads) => all.extend(given(payloads)),
            Read::CaughtUp => sleep(Duration::from_millis(10)).await,
            Read::Closed => return all,
            other => panic!("a closed shard gave {other:?}"),
        }
    }
}

/// Opens a shard and reads it as [`read`] does.
pub(crate) async fn read_from(source: &KinesisSource, info: &ShardInfo, from: Position, count: usize) -> Vec<Given> {
    let mut reader = source.open(info, &from).await.unwrap();
    read(reader.as_mut(), count).await.0
}

/// What the small flow read, in the order in which it got it.
pub(crate) struct Flow {
    pub(crate) payloads: Vec<(ShardRef, Given)>,
    /// Shards that were read to their end.
    pub(crate) ended: BTreeSet<ShardRef>,
}

/// Reads all shards, children after their parents, until `enough`, or until every shard has ended.
pub(crate) async fn flow(source: Arc<KinesisSource>, enough: impl Fn(&Flow) -> bool) -> Flow {
    let (sender, mut receiver) = mpsc::channel(64);
    let mut flow = Flow { payloads: vec![], ended: BTreeSet::new() };
    let (mut seen, mut waiting, mut readers) = (BTreeSet::new(), Vec::<ShardInfo>::new(), vec![]);
    let begun = Instant::now();
    while !enough(&flow) {
        assert!(begun.elapsed() < PATIENCE, "{} payloads after {PATIENCE:?}", flow.payloads.len());
        waiting.extend(source.discover(&[]).await.unwrap().into_iter().filter(|info| seen.insert(info.shard.clone())));
        let blocked = |info: &ShardInfo| info.parents.iter().any(|parent| !flow.ended.contains(parent));
        let (later, ready): (Vec<_>, Vec<_>) = waiting.drain(..).partition(blocked);
        waiting = later;
        for info in ready {
            readers.push(tokio::spawn(follow(source.clone(), info, sender.clone())));
        }
        if waiting.is_empty() && seen.len() == flow.ended.len() {
            break;
        }
        let until = Instant::now() + Duration::from_millis(100);
        while let Ok(Some((shard, payloads))) = timeout(until - Instant::now(), receiver.recv()).await {
            match payloads {
                Some(payloads) => flow.payloads.extend(given(payloads).into_iter().map(|given| (shard.clone(), given))),
                None => drop(flow.ended.insert(shard)),
            }
        }
    }
    for reader in readers {
        reader.abort();
    }
    flow
}

async fn follow(source: Arc<KinesisSource>, info: ShardInfo, out: mpsc::Sender<(ShardRef, Option<Payloads>)>) {
    let mut reader = source.open(&info, &info.start).await.unwrap();
    loop {
        match reader.next().await.unwrap() {
            Read::Payloads(payloads) => out.send((info.shard.clone(), Some(payloads))).await.unwrap(),
            Read::CaughtUp => sleep(Duration::from_millis(10)).await,
            _ => return out.send((info.shard.clone(), None)).await.unwrap(),
        }
    }
}

/// Checks that records `KEY:NUMBER` came once each, in order for each key, as many as were put.
pub(crate) fn check_order(flow: &Flow, keys: usize, of_each: usize) {
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    for (shard, given) in &flow.payloads {
        let text = std::str::from_utf8(&given.data).unwrap();
        let (key, number) = text.split_once(':').unwrap();
        let expected = next.entry(key.to_owned()).or_default();
        assert_eq!(number.parse::<usize>().unwrap(), *expected, "of key `{key}`, in {shard} at {}", given.position);
        *expected += 1;
    }
    assert_eq!(next.len(), keys, "every key came");
    assert!(next.values().all(|count| *count == of_each), "every record came: {next:?}");
}
