//! Objects as a source, against the server that stands in for S3.

use flate2::write::GzEncoder;
use sluice_aws::client::Aws;
use sluice_aws::client::tests_support::Endpoints;
use sluice_aws::s3::source::{Compression, S3Source, S3SourceConfig};
use sluice_batch::Position;
use sluice_ports::suite::{read_bytes, source};
use sluice_ports::{Kind, KnownShard, Read, ShardInfo, Source};
use sluice_stand_ins::fetch::Ministack;
use sluice_stand_ins::proxy::{Fault, FaultProxy, Rule};
use sluice_stand_ins::s3::S3Server;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const BUCKET: &str = "landing";

/// An S3 server with one bucket.
struct World {
    s3: S3Server,
    aws: Aws,
}

impl World {
    async fn new() -> Self {
        let s3 = S3Server::start().await.unwrap();
        s3.create_bucket(BUCKET).await.unwrap();
        let aws = Aws::for_endpoint(&s3.endpoint());
        Self { s3, aws }
    }

    async fn put(&self, key: &str, data: impl Into<Vec<u8>>) {
        let call = self.s3.client().put_object().bucket(BUCKET).key(key);
        call.body(data.into().into()).send().await.unwrap();
    }

    fn source(&self) -> S3Source {
        self.source_with(S3SourceConfig::new(BUCKET, "in/"))
    }

    fn source_with(&self, config: S3SourceConfig) -> S3Source {
        S3Source::new(self.aws.clone(), config)
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 1).unwrap()
}

/// Bytes that do not compress to nothing.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        b'0' + ((state >> 40) % 40) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

async fn contract(world: &World, aws: &Aws, store: impl Fn(&[u8]) -> Vec<u8>) {
    let made = AtomicU32::new(0);
    source(async |shards: &[Vec<u8>]| {
        let prefix = format!("{}/", made.fetch_add(1, Ordering::Relaxed));
        for (number, data) in shards.iter().enumerate() {
            world.put(&format!("{prefix}{number:04}"), store(data)).await;
        }
        S3Source::new(aws.clone(), S3SourceConfig::new(BUCKET, prefix))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract_plain_and_packed() {
    for pack in [<[u8]>::to_vec, gzip, zstd] {
        let world = World::new().await;
        contract(&world, &world.aws, pack).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract_under_faults_and_each_is_an_event() {
    let chance = |operation, fault, seed| Rule::new(operation, fault).probability(0.15, seed);
    let mut rules = vec![];
    for (seed, operation) in ["GetObject", "HeadObject", "ListObjectsV2"].into_iter().enumerate() {
        for fault in [Fault::Throttle, Fault::Internal500, Fault::TimeoutBefore, Fault::TimeoutAfter] {
            rules.push(chance(operation, fault, seed as u64));
        }
    }
    let world = World::new().await;
    let proxy = FaultProxy::start(&world.s3.endpoint(), rules).await.unwrap();
    let aws = Aws::for_endpoint(&proxy.endpoint());
    contract(&world, &aws, gzip).await;
    let injected = proxy.injected();
    assert!(injected.len() > 5, "{injected:?}");
    for operation in ["GetObject", "HeadObject", "ListObjectsV2"] {
        let count = injected.iter().filter(|fault| fault.operation == operation).count() as u64;
        assert_eq!(aws.faults().of(operation), count, "{operation}: {:?}", aws.faults().counts());
    }
}

async fn read_from(source: &S3Source, info: &ShardInfo, from: u64) -> (Vec<u8>, Option<sluice_ports::PortError>) {
    let mut reader = source.open(info, &Position::offset(from)).await.unwrap();
    let mut all = vec![];
    loop {
        match reader.next().await {
            Ok(Read::Bytes { offset, data }) => {
                assert_eq!(offset, from + all.len() as u64);
                all.extend_from_slice(&data);
            }
            Ok(Read::End) => return (all, None),
            Ok(other) => panic!("an object gave {other:?}"),
            Err(error) => return (all, Some(error)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_objects_are_read_in_pieces_and_from_any_offset() {
    let world = World::new().await;
    let data = noise(20_000_000);
    for (name, stored) in [("a", data.clone()), ("b.gz", gzip(&data)), ("c.zst", zstd(&data))] {
        world.put(&format!("in/{name}"), stored).await;
    }
    let source = world.source();
    for info in source.discover(&[]).await.unwrap() {
        for from in [0, 1, 8 << 20, (8 << 20) + 1, 19_999_999, 20_000_000] {
            let (read, error) = read_from(&source, &info, from as u64).await;
            assert!(read == data[from..] && error.is_none(), "{} from {from}: {error:?}", info.label);
        }
        let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
        read_bytes(reader.as_mut()).await;
        assert_eq!(Some(reader.consumed()), info.size, "{}", info.label);
        let past = match source.open(&info, &Position::offset(20_000_001)).await {
            Ok(mut reader) => reader.next().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(past.kind, Kind::Changed, "{}: {past}", info.label);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_not_waited_for_loses_nothing() {
    let world = World::new().await;
    let data = noise(12_000_000);
    world.put("in/a", gzip(&data)).await;
    let source = world.source();
    let info = source.discover(&[]).await.unwrap().remove(0);
    let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
    let mut all = vec![];
    loop {
        match tokio::time::timeout(Duration::from_micros(50), reader.next()).await {
            Err(_) => {}
            Ok(Ok(Read::Bytes { data, .. })) => all.extend_from_slice(&data),
            Ok(end) => break assert!(matches!(end, Ok(Read::End))),
        }
    }
    assert!(all == data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_object_gives_everything_before_the_break() {
    let world = World::new().await;
    let data = noise(5_000_000);
    let (gz, zst) = (gzip(&data), zstd(&data));
    world.put("in/a.gz", &gz[..gz.len() - 9]).await;
    world.put("in/b.zst", &zst[..zst.len() / 2]).await;
    let source = world.source();
    for info in source.discover(&[]).await.unwrap() {
        let (read, error) = read_from(&source, &info, 100).await;
        let error = error.unwrap();
        assert!(data[100..].starts_with(&read) && read.len() > 2_000_000, "{}: {}", info.label, read.len());
        assert_eq!(error.kind, Kind::Broken);
        assert!(error.message.contains("ends within its compressed data; what comes before is good"), "{error}");
        assert!(error.message.contains(&format!("`s3://landing/{}`", info.label)), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_can_be_said_and_names_do_not_count() {
    let world = World::new().await;
    let packed = gzip(b"hello");
    world.put("in/a.txt", packed.clone()).await;
    world.put("in/b.gz", "plain").await;
    let read = async |compression, place: usize| {
        let source = world.source_with(S3SourceConfig { compression, ..S3SourceConfig::new(BUCKET, "in/") });
        let info = source.discover(&[]).await.unwrap().remove(place);
        read_from(&source, &info, 0).await
    };
    assert_eq!(read(Compression::Auto, 0).await.0, b"hello");
    assert_eq!(read(Compression::Auto, 1).await.0, b"plain");
    assert_eq!(read(Compression::None, 0).await.0, packed);
    assert_eq!(read(Compression::Gzip, 0).await.0, b"hello");
    let (nothing, error) = read(Compression::Gzip, 1).await;
    assert_eq!((nothing.len(), error.unwrap().kind), (0, Kind::Broken));
}

#[tokio::test(flavor = "multi_thread")]
async fn own_prefixes_folders_and_hidden_objects_are_no_source() {
    let world = World::new().await;
    for key in ["in/a.csv", "in/b/c.csv", "in/lake/silver/x.csv", "in/.hidden.csv", "out/d.csv", "in/e.txt", "in/f/"] {
        world.put(key, if key.ends_with('/') { "" } else { "x" }).await;
    }
    let config = S3SourceConfig { exclude: vec!["in/lake/".into()], ..S3SourceConfig::new(BUCKET, "in/") };
    let labels = async |config: S3SourceConfig| {
        let found = world.source_with(config).discover(&[]).await.unwrap();
        found.into_iter().map(|info| info.label).collect::<Vec<_>>()
    };
    assert_eq!(labels(config.clone()).await, ["in/a.csv", "in/b/c.csv", "in/e.txt"]);
    assert_eq!(labels(S3SourceConfig { suffixes: vec![".csv".into()], ..config }).await, ["in/a.csv", "in/b/c.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_an_error_and_no_empty_source() {
    let world = World::new().await;
    let error = world.source_with(S3SourceConfig::new("absent", "in/")).discover(&[]).await.unwrap_err();
    assert!(error.message.contains("`s3://absent/in/`"), "{error}");
}

fn known(info: &ShardInfo, position: Position) -> KnownShard {
    KnownShard { shard: info.shard.clone(), note: info.note.clone(), position }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_put_again_is_another_shard() {
    let world = World::new().await;
    world.put("in/a", "first one").await;
    let source = world.source();
    let first = source.discover(&[]).await.unwrap().remove(0);
    let mut slow = source.open(&first, &Position::TrimHorizon).await.unwrap();
    world.put("in/a", "the second").await;
    let second = source.discover(&[]).await.unwrap().remove(0);
    assert_ne!(second.shard, first.shard);
    assert_eq!(read_bytes(slow.as_mut()).await, b"first one", "it was fetched before");
    let late = source.open(&first, &Position::TrimHorizon).await.err().unwrap();
    assert_eq!(late.kind, Kind::Changed, "{late}");

    let at = |position| [known(&first, position)];
    let fresh = world.source();
    for position in [Position::offset(9), Position::ShardEnd, Position::TrimHorizon] {
        assert_eq!(fresh.discover(&at(position)).await.unwrap(), std::slice::from_ref(&second), "{position}");
    }
    let error = fresh.discover(&at(Position::offset(4))).await.unwrap_err();
    assert_eq!(error.kind, Kind::Changed);
    for part in ["`s3://landing/in/a`", "read up to 4", "`--reread in/a`"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    let accepted = S3SourceConfig { accept_changed: vec!["in/a".into()], ..S3SourceConfig::new(BUCKET, "in/") };
    let accepted = world.source_with(accepted).discover(&at(Position::offset(4))).await.unwrap();
    assert_eq!(accepted, std::slice::from_ref(&second));
    fresh.committed(std::slice::from_ref(&first.shard)).await.unwrap();
    assert_eq!(fresh.discover(&at(Position::offset(4))).await.unwrap(), [second], "a commit says that it had ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_is_no_shard_any_more() {
    let world = World::new().await;
    world.put("in/a", "x").await;
    let source = world.source();
    let info = source.discover(&[]).await.unwrap().remove(0);
    world.s3.client().delete_object().bucket(BUCKET).key("in/a").send().await.unwrap();
    assert_eq!(source.discover(&[known(&info, Position::offset(1))]).await.unwrap(), []);
    assert_eq!(source.open(&info, &Position::TrimHorizon).await.err().unwrap().kind, Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn following_lists_again_after_a_while() {
    let world = World::new().await;
    let poll = Duration::from_millis(300);
    let config = S3SourceConfig { follow: true, poll, ..S3SourceConfig::new(BUCKET, "in/") };
    let source = world.source_with(config);
    assert_eq!(source.discover(&[]).await.unwrap(), []);
    world.put("in/a", "x").await;
    assert_eq!(source.discover(&[]).await.unwrap(), [], "it was listed just now");
    tokio::time::sleep(poll).await;
    assert_eq!(source.discover(&[]).await.unwrap().len(), 1);
}

/// A queue beside the S3 server; none where the server for it cannot be had.
async fn queue() -> Option<(Ministack, aws_sdk_sqs::Client, Aws)> {
    let server = match Ministack::start().await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("SKIPPED: no server for SQS: {error}");
            return None;
        }
    };
    let aws = Aws::for_endpoint(&server.endpoint());
    Some((server, aws.sqs().clone(), aws))
}

fn event(key: &str, etag: &str, version: Option<&str>) -> String {
    let object = serde_json::json!({"key": key.replace(' ', "+"), "eTag": etag, "versionId": version});
    let s3 = serde_json::json!({"bucket": {"name": BUCKET}, "object": object});
    serde_json::json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": s3}]}).to_string()
}

/// Messages in a queue, those that somebody has received included.
async fn left(sqs: &aws_sdk_sqs::Client, url: &str) -> u32 {
    use aws_sdk_sqs::types::QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible};
    let call = sqs.get_queue_attributes().queue_url(url);
    let call = call.attribute_names(ApproximateNumberOfMessages).attribute_names(ApproximateNumberOfMessagesNotVisible);
    let attributes = call.send().await.unwrap().attributes.unwrap();
    attributes.values().map(|count| count.parse::<u32>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn announced_objects_are_read_and_their_messages_go_with_the_commit() {
    let Some((server, sqs, _)) = queue().await else { return };
    let world = World::new().await;
    let endpoints = Endpoints { s3: Some(world.s3.endpoint()), sqs: Some(server.endpoint()), ..Endpoints::default() };
    let aws = Aws::for_endpoints(endpoints);
    let made = sqs.create_queue().queue_name("landed").send().await.unwrap();
    let url = made.queue_url.unwrap();
    let send = async |body: String| drop(sqs.send_message().queue_url(&url).message_body(body).send().await.unwrap());
    let config = S3SourceConfig {
        queue_url: Some(url.clone()),
        exclude: vec!["in/lake/".into()],
        follow: true,
        ..S3SourceConfig::new(BUCKET, "in/")
    };
    world.put("in/before", "x").await;
    let source = S3Source::new(aws.clone(), config.clone());
    assert_eq!(source.discover(&[]).await.unwrap().len(), 1, "what is there is listed at the start");

    world.put("in/after it", "y").await;
    world.put("in/silent", "z").await;
    send(event("in/after it", "", None)).await;
    send(serde_json::json!({"Message": event("in/before", "", None)}).to_string()).await;
    send(serde_json::json!({"Event": "s3:TestEvent"}).to_string()).await;
    send(event("in/lake/own", "", None)).await;
    send(event("in/gone", "", None)).await;
    send(event("elsewhere/x", "", None)).await;
    let found = source.discover(&[]).await.unwrap();
    let labels: Vec<_> = found.iter().map(|info| info.label.as_str()).collect();
    assert_eq!(labels, ["in/after it", "in/before"], "with a queue only what is announced is found");
    assert_eq!(left(&sqs, &url).await, 3, "two wait for their commits, one is for another source");

    source.committed(&[found[0].shard.clone()]).await.unwrap();
    assert_eq!(left(&sqs, &url).await, 2);
    source.committed(&[found[0].shard.clone(), found[1].shard.clone()]).await.unwrap();
    assert_eq!(left(&sqs, &url).await, 1);
    send(event("in/after it", "", None)).await;
    assert_eq!(source.discover(&[]).await.unwrap(), found, "announced twice, it is the same");
    assert_eq!(left(&sqs, &url).await, 1, "it is committed already");

    let again = S3Source::new(aws, config);
    send(event("in/silent", "", None)).await;
    let known = found.iter().map(|info| known(info, Position::offset(1))).collect::<Vec<_>>();
    let labels: Vec<_> = again.discover(&known).await.unwrap().into_iter().map(|info| info.label).collect();
    assert_eq!(labels, ["in/after it", "in/before", "in/silent"], "a new process lists first");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_bucket_with_versions_each_version_is_a_shard() {
    let Some((_server, _, aws)) = queue().await else { return };
    let s3 = aws.s3();
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint("eu-west-1".into()).build();
    s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await.unwrap();
    let enabled = aws_sdk_s3::types::VersioningConfiguration::builder().status("Enabled".into()).build();
    s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(enabled).send().await.unwrap();
    let put = async |data: &str| {
        let body = data.as_bytes().to_vec().into();
        s3.put_object().bucket(BUCKET).key("in/a").body(body).send().await.unwrap().version_id.unwrap()
    };
    let source = S3Source::new(aws.clone(), S3SourceConfig::new(BUCKET, "in/"));
    let version = put("first").await;
    let first = source.discover(&[]).await.unwrap().remove(0);
    assert_eq!(first.shard.to_string(), format!("s3:landing/in/a@{version}"));
    let second_version = put("the second").await;
    let found = source.discover(&[known(&first, Position::offset(2))]).await.unwrap();
    assert_eq!(found.len(), 2, "what is left of the first can still be read: {found:?}");
    assert!(
        found.contains(&first) && found.iter().any(|info| info.shard.to_string().ends_with(second_version.as_str()))
    );
    assert_eq!(read_from(&source, &first, 2).await.0, b"rst");
    let found = source.discover(&[known(&first, Position::offset(5))]).await.unwrap();
    assert_eq!(found.len(), 1, "it was read to its end");
}
