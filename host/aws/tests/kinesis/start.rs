//! Where a stream is begun, where a bounded run ends, and what happens when records are gone.

use crate::support::{Fixture, flow, read, read_from};
use bytes::Bytes;
use sluice_aws::kinesis::{KinesisConfig, KinesisSource, Mode, RetentionLoss, Start, UntilCaughtUp};
use sluice_batch::{Position, RecordPosition, ShardRef};
use sluice_ports::{Alert, Alerts, Kind, KnownShard, Read, ShardInfo, Source};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn some(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

fn known(info: &ShardInfo, position: Position) -> KnownShard {
    KnownShard { shard: info.shard.clone(), note: info.note.clone(), position }
}

#[derive(Default)]
struct Heard(Mutex<Vec<Alert>>);

impl Alerts for Heard {
    fn raise(&self, alert: Alert) {
        self.0.lock().unwrap().push(alert);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_is_one_moment_that_survives_an_interrupted_start() {
    let fixture = Fixture::new(2).await;
    fixture.put(0, some(&["before"])).await;
    sleep(Duration::from_millis(1_100)).await;
    let config = KinesisConfig { start: Start::Latest, ..fixture.config() };
    let first = KinesisSource::new(fixture.aws.clone(), config.clone());
    let infos = first.discover(&[]).await.unwrap();
    let Position::AtTimestamp(moment) = infos[0].start else { panic!("starts at {}", infos[0].start) };
    assert!((now_ms() - 2_000..=now_ms()).contains(&moment));
    assert_eq!(infos[1].start, infos[0].start, "it is the same for all shards");
    assert_eq!(read_from(&first, &infos[0], infos[0].start, 0).await, [], "the iterator expires without a record");

    sleep(Duration::from_millis(1_100)).await;
    fixture.put(0, some(&["between"])).await;
    fixture.split("shardId-000000000001", u128::MAX / 4 * 3).await;
    sleep(Duration::from_millis(1_100)).await;
    let second = KinesisSource::new(fixture.aws.clone(), config);
    let remembered: Vec<_> = infos.iter().map(|info| known(info, Position::TrimHorizon)).collect();
    let again = second.discover(&remembered).await.unwrap();
    assert_eq!(again[..2].iter().map(|info| info.start).collect::<Vec<_>>(), [infos[0].start; 2]);
    assert_eq!(again[2..].iter().map(|info| info.start).collect::<Vec<_>>(), [Position::TrimHorizon; 2]);
    let read = read_from(&second, &again[0], again[0].start, 1).await;
    assert_eq!(read.iter().map(|given| &given.data[..]).collect::<Vec<_>>(), [b"between"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_time_on_what_arrived_before_it_is_not_read() {
    let fixture = Fixture::new(1).await;
    fixture.put(0, some(&["before"])).await;
    sleep(Duration::from_millis(1_100)).await;
    let moment = now_ms() / 1000 * 1000;
    fixture.put(0, some(&["after"])).await;
    for mode in crate::support::modes() {
        let config = KinesisConfig { start: Start::At(moment), mode, ..fixture.config() };
        let source = KinesisSource::new(fixture.aws.clone(), config);
        let info = source.discover(&[]).await.unwrap().remove(0);
        let read = read_from(&source, &info, info.start, 1).await;
        assert_eq!(read.iter().map(|given| &given.data[..]).collect::<Vec<_>>(), [b"after"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_run_reads_closed_and_open_shards_to_where_they_stood() {
    for mode in crate::support::modes() {
        let fixture = Fixture::new(1).await;
        fixture.put(0, some(&["a", "b"])).await;
        fixture.split("shardId-000000000000", u128::MAX / 2).await;
        fixture.put(0, some(&["c"])).await;
        fixture.put(u128::MAX, some(&["d"])).await;
        let until = Some(UntilCaughtUp { started_at_ms: now_ms() });
        let config = KinesisConfig { until, mode, ..fixture.config() };
        let source = Arc::new(KinesisSource::new(fixture.aws.clone(), config));
        let read = flow(source, |_| false).await;
        assert_eq!((read.payloads.len(), read.ended.len()), (4, 3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_after_a_bounded_run_was_started_is_left_for_the_next() {
    let fixture = Fixture::new(1).await;
    fixture.put(0, some(&["a"])).await;
    sleep(Duration::from_millis(2_100)).await;
    fixture.put(0, some(&["b"])).await;
    // as if the run had been started well before the second record came
    let until = Some(UntilCaughtUp { started_at_ms: now_ms() - 6_500 });
    let source = KinesisSource::new(fixture.aws.clone(), KinesisConfig { until, ..fixture.config() });
    let info = source.discover(&[]).await.unwrap().remove(0);
    let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
    let (all, ended) = read(reader.as_mut(), 2).await;
    assert!(ended);
    assert_eq!(all.iter().map(|given| &given.data[..]).collect::<Vec<_>>(), [b"a"]);
    assert!(matches!(reader.next().await.unwrap(), Read::End), "the end stays the end");
}

/// A position before everything that the shard holds, as if what stood there had expired.
async fn expired(fixture: &Fixture) -> Position {
    let listed = fixture.client.list_shards().stream_name("orders").send().await.unwrap();
    let first = listed.shards()[0].sequence_number_range().unwrap().starting_sequence_number();
    Position::At(RecordPosition { sequence: first.parse().unwrap(), sub: 0, row: 7 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_older_than_the_stream_is_an_alarm_and_a_decision() {
    for mode in crate::support::modes() {
        let fixture = Fixture::new(1).await;
        fixture.put(0, some(&["a", "b"])).await;
        let from = expired(&fixture).await;
        for loss in [RetentionLoss::Stop, RetentionLoss::SkipToHorizon] {
            let heard = Arc::new(Heard::default());
            let config = KinesisConfig { retention_loss: loss, mode: mode.clone(), ..fixture.config() };
            let source = KinesisSource::new(fixture.aws.clone(), config).with_alerts("orders", heard.clone());
            let info = source.discover(&[]).await.unwrap().remove(0);
            let mut reader = source.open(&info, &from).await.unwrap();
            if loss == RetentionLoss::Stop {
                for _ in 0..2 {
                    let error = reader.next().await.unwrap_err();
                    assert_eq!(error.kind, Kind::Changed, "{error}");
                    assert!(error.message.contains("set `expired: trim_horizon`"), "{error}");
                }
            } else {
                assert_eq!(read(reader.as_mut(), 2).await.0.len(), 2);
            }
            let heard = heard.0.lock().unwrap();
            assert!(heard.iter().all(|alert| alert.code == "kinesis_position_expired"), "{heard:?}");
            assert!(!heard.is_empty() && heard[0].message.contains("shard `shardId-000000000000`"), "{heard:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_shard_whose_last_record_expired_is_told_of_and_read_on() {
    let fixture = Fixture::new(1).await;
    let from = expired(&fixture).await;
    let heard = Arc::new(Heard::default());
    let source = fixture.source(Mode::Polling).with_alerts("orders", heard.clone());
    let info = source.discover(&[]).await.unwrap().remove(0);
    let mut reader = source.open(&info, &from).await.unwrap();
    assert_eq!(read(reader.as_mut(), 0).await.0, []);
    assert_eq!(heard.0.lock().unwrap().len(), 1, "once");
    fixture.put(0, some(&["a"])).await;
    assert_eq!(read(reader.as_mut(), 1).await.0.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_expired_unread_stops_or_is_passed_over_by_decision() {
    let fixture = Fixture::new(1).await;
    let there = fixture.source(Mode::Polling).discover(&[]).await.unwrap().remove(0);
    let gone = ShardInfo { shard: ShardRef::new(there.shard.source.clone(), "shardId-000000000099"), ..there.clone() };
    let error = fixture.source(Mode::Polling).discover(&[known(&gone, Position::TrimHorizon)]).await.unwrap_err();
    assert_eq!(error.kind, Kind::Changed, "{error}");
    assert!(error.message.contains("shardId-000000000099` expired before it was read to its end"), "{error}");

    let read_before = known(&gone, Position::ShardEnd);
    assert_eq!(fixture.source(Mode::Polling).discover(&[read_before]).await.unwrap().len(), 1);

    let config = KinesisConfig { retention_loss: RetentionLoss::SkipToHorizon, ..fixture.config() };
    let source = KinesisSource::new(fixture.aws.clone(), config);
    let infos = source.discover(&[known(&gone, Position::TrimHorizon)]).await.unwrap();
    assert_eq!(infos.len(), 2);
    let mut reader = source.open(&infos[1], &Position::TrimHorizon).await.unwrap();
    assert!(matches!(reader.next().await.unwrap(), Read::Closed));
}
