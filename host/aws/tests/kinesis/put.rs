//! Records into a stream.

use crate::support::{Fixture, read_from, record};
use bytes::Bytes;
use sluice_aws::client::Aws;
use sluice_aws::kinesis::{Mode, PutOptions, PutReport, put};
use sluice_batch::Position;
use sluice_ports::{Kind, PortError, Source};
use sluice_stand_ins::kinesis::KinesisOptions;
use sluice_stand_ins::proxy::{Fault, FaultProxy, Rule};
use std::collections::BTreeMap;

const KEYS: usize = 40;

fn options(ordered: bool, concurrency: usize) -> PutOptions {
    PutOptions { ordered, concurrency, ..PutOptions::new("orders".parse().unwrap()) }
}

/// Puts `KEY:NUMBER` records through a proxy; tells what came, by key, in the order of the stream.
async fn through(rules: Vec<Rule>, options: &PutOptions, n: usize) -> (PutReport, BTreeMap<String, Vec<usize>>, Aws) {
    let fixture = Fixture::new(1).await;
    let proxy = FaultProxy::start(&fixture.endpoint, rules).await.unwrap();
    let aws = Aws::for_endpoint(&proxy.endpoint());
    let one =
        |i: usize| Ok(record(&format!("k{}", i % KEYS), None, Bytes::from(format!("k{}:{}", i % KEYS, i / KEYS))));
    let mut last = 0;
    let report = put(&aws, options, (0..n).map(one), |progress| {
        assert!(progress.records >= last);
        last = progress.records;
    })
    .await
    .unwrap();
    assert_eq!((report.records, last), (n as u64, n as u64));
    let source = fixture.source(Mode::Polling);
    let info = source.discover(&[]).await.unwrap().remove(0);
    let mut came: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for given in read_from(&source, &info, Position::TrimHorizon, n).await {
        let text = String::from_utf8(given.data.to_vec()).unwrap();
        let (key, number) = text.split_once(':').unwrap();
        came.entry(key.to_owned()).or_default().push(number.parse().unwrap());
    }
    (report, came, aws)
}

#[tokio::test(flavor = "multi_thread")]
async fn records_arrive_in_order_and_are_counted() {
    let (report, came, _) = through(vec![], &options(false, 1), 2_000).await;
    assert_eq!((report.calls, report.retried, report.unknown), (4, 0, 0));
    assert!(came.values().all(|numbers| *numbers == (0..50).collect::<Vec<_>>()));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_refused_is_sent_again() {
    for concurrency in [1, 4] {
        let rules = vec![Rule::new("PutRecords", Fault::Partial { one_in: 7 }).times(10)];
        let (report, came, aws) = through(rules, &options(false, concurrency), 4_000).await;
        assert!(report.retried > 100, "{report:?}");
        assert_eq!(report.unknown, 0);
        // of a handful that is sent again the proxy may refuse none
        assert!((5..=10).contains(&aws.faults().of("PutRecords")), "one fault an answer");
        for mut numbers in came.into_values() {
            numbers.sort_unstable();
            assert_eq!(numbers, (0..100).collect::<Vec<_>>(), "each once");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_a_key_is_kept_when_asked_for_although_records_are_refused() {
    let rules = vec![Rule::new("PutRecords", Fault::Partial { one_in: 3 }).probability(0.5, 1)];
    let (report, came, _) = through(rules, &options(true, 8), 2_000).await;
    assert!(report.retried > 100, "{report:?}");
    assert!(came.values().all(|numbers| *numbers == (0..50).collect::<Vec<_>>()), "{came:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_may_double_records_and_the_report_says_how_many() {
    let rules = vec![Rule::new("PutRecords", Fault::TimeoutAfter).skip(1).times(1)];
    let (report, came, _) = through(rules, &options(false, 1), 2_000).await;
    assert_eq!(report.unknown, 500);
    let total: usize = came.values().map(Vec::len).sum();
    assert_eq!(total, 2_500);
    let rules = vec![Rule::new("PutRecords", Fault::Throttle).times(3)];
    let (report, came, _) = through(rules, &options(false, 1), 2_000).await;
    assert_eq!((report.unknown, came.values().map(Vec::len).sum()), (0, 2_000usize));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_takes_less_is_waited_for() {
    let fixture = Fixture::with(1, KinesisOptions { enforce_limits: true, ..KinesisOptions::default() }).await;
    let records = (0..2_500).map(|i| Ok(record("k", None, Bytes::from(i.to_string()))));
    let report = put(&fixture.aws, &options(false, 2), records, |_| ()).await.unwrap();
    assert_eq!(report.records, 2_500);
    assert!(report.retried > 0, "{report:?}");
    let source = fixture.source(Mode::Polling);
    let info = source.discover(&[]).await.unwrap().remove(0);
    assert_eq!(read_from(&source, &info, Position::TrimHorizon, 2_500).await.len(), 2_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_fails_or_a_record_too_big_ends_it() {
    let fixture = Fixture::new(1).await;
    let input = [Ok(record("k", None, "a".into())), Err(PortError::new(Kind::Broken, "the file breaks"))];
    let error = put(&fixture.aws, &options(false, 1), input, |_| ()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Broken);
    let input = [Ok(record("k", None, vec![0; 1 << 20].into()))];
    let error = put(&fixture.aws, &options(false, 1), input, |_| ()).await.unwrap_err();
    assert!(error.message.contains("the stream takes 1048576"), "{error}");
}
