//! What every source of payloads keeps, on streams whose server chooses the sequence numbers; and what a stream adds.

use crate::support::{Fixture, Given, modes, read, read_from};
use bytes::Bytes;
use sluice_aws::kinesis::kpl::aggregate;
use sluice_aws::kinesis::{KinesisConfig, KinesisSource, Mode};
use sluice_batch::Position;
use sluice_ports::{Kind, KnownShard, Read, ShardInfo, Source};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Content of a shard: plain payloads with an aggregate among them, and one that is compressed.
fn content(n: usize) -> Vec<Bytes> {
    let packed = (0..3).map(|i| ("k", Some("0"), Bytes::from(format!("packed {i}"))));
    let squeezed = zstd::stream::encode_all(&b"{\"a\":1}\n{\"a\":2}\n"[..], 1).unwrap();
    let plain = (0..n).map(|i| Bytes::from(format!("payload {i}")));
    plain.chain([aggregate(packed), squeezed.into(), "last".into()]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gives_exactly_what_follows_its_position() {
    let fixture = Fixture::new(3).await;
    fixture.put(0, content(4)).await;
    sleep(Duration::from_millis(1_100)).await; // the server's arrivals are whole seconds
    fixture.put(0, content(30)).await;
    fixture.put(u128::MAX, content(0)).await;
    for mode in modes() {
        let source = fixture.source(mode.clone());
        let infos = source.discover(&[]).await.unwrap();
        assert_eq!(infos.len(), 3);
        assert!(infos.is_sorted_by_key(|info| &info.label));
        assert_eq!(source.discover(&[]).await.unwrap(), infos, "discovering moves nothing");
        for (info, count) in infos.iter().zip([44, 0, 5]) {
            let all = read_from(&source, info, Position::TrimHorizon, count).await;
            assert_eq!(all.len(), count, "{mode:?} {}", info.label);
            assert!(all.is_sorted_by_key(|given| given.position), "payloads come in the order of their positions");
            check_positions(&source, info, &all, &mode).await;
        }
    }
}

/// Fan-out is asked less often: a shard can be subscribed to once a second or so.
async fn check_positions(source: &impl Source, info: &ShardInfo, all: &[Given], mode: &Mode) {
    let every = if *mode == Mode::Polling { 1 } else { 20 };
    for (i, last) in all.iter().enumerate().filter(|(i, _)| i % every == 4 % every) {
        let mut reader = source.open(info, &Position::At(last.position)).await.unwrap();
        assert_eq!(read(reader.as_mut(), all.len() - i - 1).await.0, all[i + 1..], "what follows {}", last.position);
        let first = all.iter().position(|given| given.arrived_at >= last.arrived_at).unwrap();
        let mut reader = source.open(info, &Position::AtTimestamp(last.arrived_at)).await.unwrap();
        assert_eq!(read(reader.as_mut(), all.len() - first).await.0, all[first..], "from {}", last.arrived_at);
    }
    let mut reader = source.open(info, &Position::ShardEnd).await.unwrap();
    assert!(matches!(reader.next().await.unwrap(), Read::Closed), "nothing follows the end of a shard");
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_payloads_come_unpacked_and_broken_ones_as_they_are() {
    let fixture = Fixture::new(1).await;
    fixture.put(0, [content(0).remove(1), Bytes::from_static(&[0x1f, 0x8b, 8, 0, 9])]).await;
    let source = fixture.source(Mode::Polling);
    let info = source.discover(&[]).await.unwrap().remove(0);
    let all = read_from(&source, &info, Position::TrimHorizon, 2).await;
    assert_eq!(all[0].data, "{\"a\":1}\n{\"a\":2}\n");
    assert_eq!((&all[1].data[..], all[1].unusable), (&[0x1f, 0x8b, 8, 0, 9][..], Some(("payload_compression", false))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_shard_grows_and_a_reader_may_be_forgotten_at_any_time() {
    for mode in modes() {
        let fixture = Fixture::new(1).await;
        let source = fixture.source(mode);
        let info = source.discover(&[]).await.unwrap().remove(0);
        let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
        assert!(read(reader.as_mut(), 0).await.0.is_empty());
        let mut all = vec![];
        for i in 0..20 {
            fixture.put(0, [Bytes::from(i.to_string())]).await;
            // a call that is given up loses nothing
            let _ = tokio::time::timeout(Duration::from_micros(50 * i), reader.next()).await.map(|read| {
                if let Read::Payloads(payloads) = read.unwrap() {
                    all.extend(crate::support::given(payloads));
                }
            });
        }
        all.extend(read(reader.as_mut(), 20 - all.len()).await.0);
        let numbers: Vec<_> = all.iter().map(|given| String::from_utf8_lossy(&given.data).into_owned()).collect();
        assert_eq!(numbers, (0..20).map(|i| i.to_string()).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_made_anew_is_another_source() {
    let fixture = Fixture::new(1).await;
    let before = fixture.source(Mode::Polling).discover(&[]).await.unwrap().remove(0);
    fixture.client.delete_stream().stream_name("orders").send().await.unwrap();
    sleep(Duration::from_millis(1_500)).await;
    sluice_stand_ins::kinesis::create_stream(&fixture.client, "orders", 1).await.unwrap();
    let known = KnownShard { shard: before.shard.clone(), note: before.note.clone(), position: Position::TrimHorizon };
    let after = fixture.source(Mode::Polling).discover(&[known]).await.unwrap();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].shard.shard, before.shard.shard);
    assert_ne!(after[0].shard.source, before.shard.source);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_may_be_named_by_its_arn() {
    let Some(mut fixture) = Fixture::local(1).await else { return };
    let found = fixture.client.describe_stream_summary().stream_name("orders").send().await.unwrap();
    fixture.name = found.stream_description_summary.unwrap().stream_arn;
    assert!(fixture.name.starts_with("arn:"));
    fixture.put(0, content(0)).await;
    for mode in modes() {
        let source = fixture.source(mode);
        let info = source.discover(&[]).await.unwrap().remove(0);
        assert!(info.shard.source.starts_with(&fixture.name));
        assert_eq!(read_from(&source, &info, Position::TrimHorizon, 5).await.len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_there_is_said_so() {
    let mut fixture = Fixture::new(1).await;
    fixture.name = "other".into();
    let source = fixture.source(Mode::Polling);
    let error = source.discover(&[]).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound, "{error}");
    assert!(error.message.contains("`other`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_shows_what_was_read_last() {
    let fixture = Fixture::new(1).await;
    fixture.put(0, content(3)).await;
    let config = KinesisConfig { answers_ahead: 0, ..fixture.config() };
    let source = KinesisSource::new(fixture.aws.clone(), config);
    let info = source.discover(&[]).await.unwrap().remove(0);
    let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
    assert!(source.lag().is_empty());
    assert!(matches!(reader.next().await.unwrap(), Read::Payloads(_)));
    sleep(Duration::from_millis(1_200)).await;
    assert!(source.lag()[0].behind_ms >= 1_000, "{:?}", source.lag());
    let begun = Instant::now();
    while !matches!(reader.next().await.unwrap(), Read::CaughtUp) {
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(source.lag()[0].behind_ms, 0);
}
