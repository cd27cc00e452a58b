//! Calls that fail: throttles, errors, lost answers, expired iterators and credentials.

use crate::support::{Fixture, modes, read, read_from};
use bytes::Bytes;
use sluice_aws::client::Aws;
use sluice_aws::kinesis::{KinesisConfig, KinesisSource, Mode, Start};
use sluice_batch::Position;
use sluice_ports::{Kind, Source};
use sluice_stand_ins::kinesis::KinesisOptions;
use sluice_stand_ins::proxy::{Fault, FaultProxy, Rule};
use std::time::Duration;
use tokio::time::sleep;

fn numbers(n: usize) -> Vec<Bytes> {
    (0..n).map(|i| Bytes::from(i.to_string())).collect()
}

/// A source behind a proxy.
async fn behind(fixture: &Fixture, mode: Mode, rules: Vec<Rule>) -> (KinesisSource, FaultProxy, Aws) {
    let proxy = FaultProxy::start(&fixture.endpoint, rules).await.unwrap();
    let aws = Aws::for_endpoint(&proxy.endpoint());
    (KinesisSource::new(aws.clone(), KinesisConfig { mode, ..fixture.config() }), proxy, aws)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_on_the_way_every_record_comes_once_and_each_fault_is_told() {
    let fixture = Fixture::new(1).await;
    fixture.put(0, numbers(2_000)).await;
    let faults =
        [Fault::Throttle, Fault::Internal500, Fault::TimeoutBefore, Fault::TimeoutAfter, Fault::ExpiredIterator];
    for fault in faults {
        let all = ["DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords"];
        let operations = if fault == Fault::ExpiredIterator { &all[3..] } else { &all };
        let rules = operations.iter().map(|operation| Rule::new(operation, fault.clone()).times(3)).collect();
        let (source, proxy, aws) = behind(&fixture, Mode::Polling, rules).await;
        let info = source.discover(&[]).await.unwrap().remove(0);
        let all = read_from(&source, &info, Position::TrimHorizon, 2_000).await;
        let came: Vec<_> = all.iter().map(|given| given.data.clone()).collect();
        assert_eq!(came, numbers(2_000), "{fault:?}");
        let told: u64 = aws.faults().counts().iter().map(|fault| fault.count).sum();
        assert_eq!(proxy.injected().len(), 3 * operations.len());
        assert_eq!(told, proxy.injected().len() as u64, "{fault:?}: {:?}", aws.faults().counts());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_cannot_be_made_or_breaks_is_made_again() {
    let options = KinesisOptions { subscription_ms: 700, ..KinesisOptions::default() };
    let fixture = Fixture::with(1, options).await;
    fixture.put(0, numbers(500)).await;
    let in_use = Fault::Custom { status: 400, code: "ResourceInUseException".into() };
    let rules = vec![
        Rule::new("SubscribeToShard", in_use).times(1),
        Rule::new("SubscribeToShard", Fault::Throttle).times(2),
        Rule::new("SubscribeToShard", Fault::Internal500).times(1),
    ];
    let (source, proxy, _) = behind(&fixture, Mode::FanOut { consumer: "c".into() }, rules).await;
    let info = source.discover(&[]).await.unwrap().remove(0);
    let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
    let mut all = read(reader.as_mut(), 500).await.0;
    for i in 500..504 {
        sleep(Duration::from_millis(800)).await;
        fixture.put(0, [Bytes::from(i.to_string())]).await;
        all.extend(read(reader.as_mut(), 1).await.0);
    }
    let came: Vec<_> = all.iter().map(|given| given.data.clone()).collect();
    assert_eq!(came, numbers(504));
    assert!(proxy.calls()["SubscribeToShard"] >= 6, "{:?}", proxy.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn iterators_that_expire_are_replaced_with_and_without_a_record_behind_them() {
    let options = KinesisOptions { iterator_ttl_seconds: 1, ..KinesisOptions::default() };
    let fixture = Fixture::with(1, options).await;
    fixture.put(0, numbers(1)).await;
    sleep(Duration::from_millis(1_100)).await;
    let config = KinesisConfig { start: Start::Latest, ..fixture.config() };
    let source = KinesisSource::new(fixture.aws.clone(), config);
    let info = source.discover(&[]).await.unwrap().remove(0);
    let mut reader = source.open(&info, &info.start).await.unwrap();
    let mut all = vec![];
    for i in 1..4 {
        sleep(Duration::from_millis(2_200)).await;
        fixture.put(0, [Bytes::from(i.to_string())]).await;
        all.extend(read(reader.as_mut(), 1).await.0);
    }
    let came: Vec<_> = all.iter().map(|given| given.data.clone()).collect();
    assert_eq!(came, numbers(4)[1..], "the record before the start is not read, those after it once");
    assert!(fixture.aws.faults().of("GetRecords") >= 3, "{:?}", fixture.aws.faults().counts());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_names_the_action_and_the_shard() {
    let fixture = Fixture::new(1).await;
    for (operation, code, action) in [
        ("GetRecords", "AccessDeniedException", "kinesis:GetRecords"),
        ("GetShardIterator", "AccessDeniedException", "kinesis:GetShardIterator"),
        ("GetRecords", "KMSAccessDeniedException", "kms:Decrypt"),
    ] {
        let fault = Fault::Custom { status: 400, code: code.into() };
        let (source, _proxy, _) = behind(&fixture, Mode::Polling, vec![Rule::new(operation, fault)]).await;
        let info = source.discover(&[]).await.unwrap().remove(0);
        let error = match source.open(&info, &Position::TrimHorizon).await {
            Ok(mut reader) => reader.next().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind, Kind::Denied, "{error}");
        assert!(error.message.contains(action) && error.message.contains("shard `shardId-0"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_whose_calls_fail_for_good_goes_on_when_they_no_longer_do() {
    let fixture = Fixture::new(1).await;
    fixture.put(0, numbers(10)).await;
    for mode in modes() {
        let (source, proxy, _) = behind(&fixture, mode.clone(), vec![]).await;
        let info = source.discover(&[]).await.unwrap().remove(0);
        let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
        if mode == Mode::Polling {
            let denied = Fault::Custom { status: 400, code: "AccessDeniedException".into() };
            proxy.set_rules(vec![Rule::new("GetRecords", denied)]);
            assert_eq!(reader.next().await.unwrap_err().kind, Kind::Denied);
            proxy.set_rules(vec![]);
        }
        let came: Vec<_> = read(reader.as_mut(), 10).await.0.iter().map(|given| given.data.clone()).collect();
        assert_eq!(came, numbers(10));
    }
}
