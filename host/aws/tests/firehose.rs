//! Delivery through Firehose, against the server that stands in for it: nothing acknowledged is lost, whatever fails.

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use sluice_aws::client::tests_support::{Endpoints, options};
use sluice_aws::client::{Aws, AwsOptions};
use sluice_aws::firehose::{Arrivals, ArrivalsConfig, Compression, FirehoseConfig, FirehoseDelivery, Gap, Seen, gaps};
use sluice_aws::s3::{S3Lake, S3Store};
use sluice_ports::suite::{delivery, delivery_rows};
use sluice_ports::{Delivery, Kind, ObjectStore, Parcel};
use sluice_stand_ins::firehose::{Disorder, FailRecords, FirehoseOptions, FirehoseServer, StreamSpec};
use sluice_stand_ins::proxy::{Fault, FaultProxy, Rule};
use sluice_stand_ins::s3::S3Server;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BUCKET: &str = "lake";

/// Servers, with a proxy before Firehose.
struct World {
    s3: S3Server,
    firehose: FirehoseServer,
    proxy: FaultProxy,
    aws: Aws,
    gzip: bool,
}

impl World {
    async fn new(rules: Vec<Rule>, disorder: Disorder) -> Self {
        Self::with(rules, disorder, &options()).await
    }

    async fn with(rules: Vec<Rule>, disorder: Disorder, options: &AwsOptions) -> Self {
        let s3 = S3Server::start().await.unwrap();
        s3.create_bucket(BUCKET).await.unwrap();
        let spec = FirehoseOptions { s3_endpoint: s3.endpoint(), disorder, ..FirehoseOptions::default() };
        let firehose = FirehoseServer::start(spec).await.unwrap();
        let proxy = FaultProxy::start(&firehose.endpoint(), rules).await.unwrap();
        let endpoints = Endpoints { firehose: Some(proxy.endpoint()), s3: Some(s3.endpoint()), ..Endpoints::default() };
        let aws = Aws::for_endpoints_with(endpoints, options);
        Self { s3, firehose, proxy, aws, gzip: false }
    }

    /// Makes a stream, and what is configured to fit it.
    fn stream(&self, name: &str) -> FirehoseConfig {
        let (prefix, error_prefix) = (format!("firehose/{name}/"), format!("errors/{name}/"));
        let spec = StreamSpec {
            name: name.to_owned(),
            bucket: BUCKET.to_owned(),
            prefix: Some(format!("{prefix}!{{timestamp:yyyy/MM/dd/HH}}/")),
            error_prefix: Some(format!("{error_prefix}!{{firehose:error-output-type}}/")),
            gzip: self.gzip,
            ..StreamSpec::default()
        };
        self.firehose.create_stream(&spec).unwrap();
        FirehoseConfig { error_prefix, mib_per_second: 1_000.0, ..FirehoseConfig::new(name, BUCKET, prefix) }
    }

    fn delivery(&self, config: FirehoseConfig) -> FirehoseDelivery {
        let direct = S3Store::new(self.aws.clone(), S3Lake::new(BUCKET, config.prefix.clone()));
        FirehoseDelivery::new(self.aws.clone(), Arc::new(direct), config)
    }

    fn arrivals(&self, name: &str) -> Arrivals {
        let (prefix, error_prefix) = (format!("firehose/{name}/"), format!("errors/{name}/"));
        Arrivals::new(self.aws.clone(), ArrivalsConfig { bucket: BUCKET.to_owned(), prefix, error_prefix })
    }

    /// Everything that arrived of a stream, having waited for it.
    async fn arrived(&self, name: &str) -> Vec<(u64, String)> {
        self.firehose.flush().await.unwrap();
        let arrivals = self.arrivals(name);
        let mut ids = vec![];
        for object in arrivals.scan(None, &BTreeSet::new()).await.unwrap().objects {
            let held = arrivals.ids(&object).await.unwrap();
            assert_eq!(held.bad_lines, 0, "{}", object.key);
            ids.extend(held.ids);
        }
        ids
    }

    /// Rows of all records acknowledged, as JSON.
    fn acknowledged(&self) -> Vec<Vec<serde_json::Value>> {
        let record = |data: bytes::Bytes| {
            assert!(data.ends_with(b"\n"), "a record ends with its last line");
            let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
        };
        self.firehose.acknowledged().into_iter().map(record).collect()
    }
}

/// A delivery together with the stream it goes to.
struct Named(FirehoseDelivery, String);

#[async_trait::async_trait]
impl Delivery for Named {
    async fn deliver(&self, parcel: Parcel<'_>) -> sluice_ports::Result<sluice_ports::Receipt> {
        self.0.deliver(parcel).await
    }
}

async fn contract(world: &World, change: impl Fn(FirehoseConfig) -> FirehoseConfig) {
    contract_at(world, "", change).await;
}

/// The contract, on streams whose names begin with this.
async fn contract_at(world: &World, begin: &str, change: impl Fn(FirehoseConfig) -> FirehoseConfig) {
    let make = async |place: &str| {
        let name = format!("{begin}{place}");
        Named(world.delivery(change(world.stream(&name))), name)
    };
    delivery(make, async |delivery: &Named| world.arrived(&delivery.1).await).await;
}

fn faults() -> Vec<Rule> {
    let chance = |fault, seed| Rule::new("PutRecordBatch", fault).probability(0.12, seed);
    vec![
        chance(Fault::Throttle, 1),
        chance(Fault::Internal500, 2),
        chance(Fault::TimeoutBefore, 3),
        chance(Fault::TimeoutAfter, 4),
        chance(Fault::ExpiredToken, 5),
        chance(Fault::Partial { one_in: 3 }, 6),
        Rule::new("DescribeDeliveryStream", Fault::Internal500).probability(0.5, 7),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    contract(&World::new(vec![], Disorder::default()).await, |config| config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract_in_small_records_with_gzip_and_disorder() {
    let disorder =
        Disorder { doubled_objects: 0.3, doubled_records: 0.3, shuffled_records: true, ..Disorder::default() };
    let world = World { gzip: true, ..World::new(vec![], disorder).await };
    contract(&world, |config| FirehoseConfig { record_bytes: 5_000, ..config }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract_under_faults_and_each_is_an_event() {
    let world = World::new(faults(), Disorder::default()).await;
    for round in 0..6 {
        let change = |config| FirehoseConfig { record_bytes: 20_000, ..config };
        contract_at(&world, &format!("{round}-"), change).await;
    }
    let injected = world.proxy.injected();
    let of = |operation: &str| injected.iter().filter(|fault| fault.operation == operation).count() as u64;
    assert!(of("PutRecordBatch") > 10, "{injected:?}");
    for operation in ["PutRecordBatch", "DescribeDeliveryStream"] {
        assert_eq!(world.aws.faults().of(operation), of(operation), "{:?}", world.aws.faults().counts());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract_and_the_order_of_keys_under_faults() {
    let world = World::new(faults(), Disorder::default()).await;
    contract(&world, |config| FirehoseConfig { order_by: vec!["text".into()], ..config }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_entries_that_failed_are_sent_again() {
    let world = World::new(vec![], Disorder::default()).await;
    world.firehose.fail_records(FailRecords::Chance(0.4));
    let delivery = world.delivery(FirehoseConfig { record_bytes: 2_000, ..world.stream("s") });
    let batches = [delivery_rows(1, 0..4_000, 200)];
    let receipt = delivery.deliver(Parcel { table: "silver", commit: 1, cut: "c", batches: &batches }).await.unwrap();
    let records = world.acknowledged();
    assert_eq!(records.len() as u64, receipt.records, "no record was acknowledged twice");
    assert_eq!(records.iter().map(Vec::len).sum::<usize>(), 4_000);
    let bytes: usize = world.firehose.acknowledged().iter().map(bytes::Bytes::len).sum();
    assert_eq!(bytes as u64, receipt.bytes);
    assert!(world.aws.faults().of("PutRecordBatch") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keys_next_record_waits_for_the_one_before() {
    let rules = vec![Rule::new("PutRecordBatch", Fault::Partial { one_in: 2 }).probability(0.5, 1)];
    let world = World::new(rules, Disorder::default()).await;
    world.firehose.fail_records(FailRecords::Chance(0.2));
    let order_by = vec!["customer".to_owned()];
    let delivery = world.delivery(FirehoseConfig { record_bytes: 300, order_by, ..world.stream("s") });
    for commit in 0..3_i64 {
        let rows = 0..2_000_i64;
        let customers: StringArray = rows.clone().map(|row| (row % 7 != 0).then(|| format!("c{}", row % 41))).collect();
        let ids: StringArray = rows.clone().map(|row| Some(format!("s/{commit}/{row}"))).collect();
        let numbers = Int64Array::from_iter_values(rows.clone().map(|row| commit * 2_000 + row));
        let columns = [
            ("customer", Arc::new(customers) as ArrayRef, true),
            ("number", Arc::new(numbers), false),
            ("_sluice_id", Arc::new(ids), false),
            ("_sluice_commit", Arc::new(Int64Array::from_iter_values(rows.map(|_| commit))), false),
        ];
        let batches = [RecordBatch::try_from_iter_with_nullable(columns).unwrap()];
        let parcel = Parcel { table: "silver", commit: commit as u64, cut: "c", batches: &batches };
        assert_eq!(delivery.deliver(parcel).await.unwrap().rows, 2_000);
    }
    let mut by_key: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for record in world.acknowledged() {
        let keys: BTreeSet<String> = record.iter().map(|row| row["customer"].to_string()).collect();
        assert_eq!(keys.len(), 1, "a record holds one key");
        let numbers = record.iter().map(|row| row["number"].as_i64().unwrap());
        by_key.entry(keys.into_iter().next().unwrap()).or_default().extend(numbers);
    }
    assert_eq!(by_key.values().map(Vec::len).sum::<usize>(), 6_000);
    for (key, numbers) in by_key {
        assert!(numbers.is_sorted(), "key {key} came out of order");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_too_large_for_a_record_go_direct_under_names_of_the_cut() {
    let world = World::new(vec![], Disorder::default()).await;
    let delivery = world.delivery(world.stream("s"));
    let batches = [delivery_rows(1, 0..3, 10), delivery_rows(1, 3..4, 1_200_000), delivery_rows(1, 5..8, 900_000)];
    let parcel = Parcel { table: "silver", commit: 1, cut: "0123456789abcdef0123", batches: &batches };
    let receipt = delivery.deliver(parcel).await.unwrap();
    assert_eq!((receipt.rows, receipt.direct), (7, 1));
    let direct = |found: Vec<sluice_ports::Object>| -> Vec<_> {
        found.into_iter().filter(|object| object.key.contains("/direct/")).collect()
    };
    let arrivals = world.arrivals("s");
    let first = direct(arrivals.scan(None, &BTreeSet::new()).await.unwrap().objects);
    assert_eq!(first[0].key, "firehose/s/direct/0123456789abcdef-000.ndjson.gz");
    assert_eq!(arrivals.ids(&first[0]).await.unwrap().ids, [(1, "s/1/3".to_owned())]);
    delivery.deliver(parcel).await.unwrap();
    assert_eq!(direct(arrivals.scan(None, &BTreeSet::new()).await.unwrap().objects), first, "the same bytes again");
    let ids: BTreeSet<_> = world.arrived("s").await.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_does_not_fit_is_refused_before_anything_is_sent() {
    let world = World::new(vec![], Disorder::default()).await;
    let fits = world.stream("s");
    let facts = world.delivery(fits.clone()).check().await.unwrap().clone();
    assert_eq!((facts.compression, facts.one_row), (Compression::None, None));
    assert_eq!(facts.buffer_interval, Duration::from_secs(300));
    let elsewhere = world.delivery(FirehoseConfig { bucket: "pond".into(), prefix: "x/".into(), ..fits.clone() });
    let batches = [delivery_rows(1, 0..3, 10)];
    let error =
        elsewhere.deliver(Parcel { table: "silver", commit: 1, cut: "c", batches: &batches }).await.unwrap_err();
    assert_eq!(error.kind, Kind::Fatal);
    for part in ["`s`", "`lake`", "`pond`", "`x/`", "correct the stream or the environment"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    let missing = world.delivery(FirehoseConfig { stream: "absent".into(), ..fits });
    assert_eq!(missing.check().await.unwrap_err().kind, Kind::NotFound);
    assert!(world.firehose.acknowledged().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_takes_nothing_ends_in_an_error_that_says_so() {
    let options = AwsOptions { attempts: 4, ..options() };
    let world = World::with(vec![], Disorder::default(), &options).await;
    let delivery = world.delivery(FirehoseConfig { record_bytes: 1_000, ..world.stream("s") });
    world.firehose.fail_records(FailRecords::Chance(1.0));
    let batches = [delivery_rows(1, 0..30, 100)];
    let parcel = Parcel { table: "silver", commit: 1, cut: "c", batches: &batches };
    let error = delivery.deliver(parcel).await.unwrap_err();
    assert_eq!(error.kind, Kind::Retry);
    for part in ["delivery stream `s`", "records were not taken after 4 attempts", "`ServiceUnavailableException`"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    world.firehose.fail_records(FailRecords::Never);
    assert_eq!(delivery.deliver(parcel).await.unwrap().rows, 30, "sent again, it goes through");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_is_kept_to() {
    let world = World::new(vec![], Disorder::default()).await;
    let delivery = world.delivery(FirehoseConfig { mib_per_second: 2.0, record_bytes: 100_000, ..world.stream("s") });
    let batches = [delivery_rows(1, 0..5_000, 1_000)];
    let begun = Instant::now();
    let parcel = Parcel { table: "silver", commit: 1, cut: "c", batches: &batches };
    let receipt = delivery.deliver(parcel).await.unwrap();
    let mib = receipt.bytes as f64 / f64::from(1 << 20);
    let least = (mib - 2.0) / 2.0;
    assert!(least > 0.8 && begun.elapsed().as_secs_f64() >= least, "{mib} MiB in {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_found_by_id_and_filled_by_sending_the_missing_rows() {
    let world = World::new(vec![], Disorder::default()).await;
    let (name, batches) = ("s", [delivery_rows(1, 0..100, 50), delivery_rows(2, 0..50, 50)]);
    let delivery = world.delivery(world.stream(name));
    let arrivals = world.arrivals(name);
    let parcel = |batch| Parcel { table: "silver", commit: 1, cut: "c", batches: std::slice::from_ref(batch) };
    delivery.deliver(parcel(&batches[0])).await.unwrap();
    world.firehose.flush().await.unwrap();
    let first = arrivals.scan(None, &BTreeSet::new()).await.unwrap();
    assert!(first.errors.is_empty() && !first.objects.is_empty());

    world.firehose.set_disorder(Disorder { failing_objects: 1.0, ..Disorder::default() });
    delivery.deliver(parcel(&batches[1])).await.unwrap();
    world.firehose.flush().await.unwrap();
    let loaded = first.objects.iter().map(|object| (object.key.clone(), object.etag.clone())).collect();
    let second = arrivals.scan(None, &loaded).await.unwrap();
    assert!(second.objects.is_empty(), "what is loaded is left out, and errors are no rows: {second:?}");
    assert!(!second.errors.is_empty(), "anything under the error prefix is told");
    let later = Some(i64::MAX);
    assert_eq!(arrivals.scan(later, &BTreeSet::new()).await.unwrap(), Default::default(), "older than asked for");

    let mut seen = Seen::default();
    assert_eq!(arrivals.see(&first.objects, &mut seen).await.unwrap(), 0);
    let ids = |commit: u64, rows: u64| (0..rows).map(|row| format!("s/{commit}/{row}")).collect::<Vec<_>>();
    let (one, two) = (ids(1, 100), ids(2, 50));
    let expected = [(1, one.as_slice()), (2, two.as_slice())];
    assert_eq!(gaps(expected, &seen), [Gap { commit: 2, missing: two.clone() }]);

    world.firehose.set_disorder(Disorder::default());
    delivery.deliver(parcel(&batches[1])).await.unwrap();
    world.firehose.flush().await.unwrap();
    let refilled = arrivals.scan(None, &loaded).await.unwrap();
    arrivals.see(&refilled.objects, &mut seen).await.unwrap();
    assert_eq!(gaps(expected, &seen), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_of_many_objects_come_whole_and_bad_lines_are_counted() {
    let world = World::new(vec![], Disorder::default()).await;
    let store = S3Store::new(world.aws.clone(), S3Lake::new(BUCKET, "firehose/s/"));
    for number in 0..1_050 {
        let line = format!("{{\"_sluice_id\":\"s/{number}\",\"_sluice_commit\":1}}\nbad\n");
        store.put(&format!("2026/11/25/10/x-{number:04}"), line.into()).await.unwrap();
    }
    let arrivals = world.arrivals("s");
    let found = arrivals.scan(None, &BTreeSet::new()).await.unwrap();
    assert_eq!(found.objects.len(), 1_050);
    let mut seen = Seen::default();
    assert_eq!(arrivals.see(&found.objects[..40], &mut seen).await.unwrap(), 40);
    assert_eq!(seen.of(1), 40);
    world.s3.client().delete_object().bucket(BUCKET).key(&found.objects[0].key).send().await.unwrap();
    assert_eq!(arrivals.ids(&found.objects[0]).await.unwrap_err().kind, Kind::NotFound);
    store.put("2026/11/25/10/x-0001", "{}\n".into()).await.unwrap();
    assert_eq!(arrivals.ids(&found.objects[1]).await.unwrap_err().kind, Kind::Changed);
}
