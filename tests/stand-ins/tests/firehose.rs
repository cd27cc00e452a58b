//! The Firehose server, spoken to with the AWS SDK.

use aws_sdk_firehose::Client;
use aws_sdk_firehose::config::retry::RetryConfig;
use aws_sdk_firehose::config::{BehaviorVersion, Region};
use aws_sdk_firehose::error::ProvideErrorMetadata;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::{
    BufferingHints, CompressionFormat, DeliveryStreamStatus, DeliveryStreamType, DynamicPartitioningConfiguration,
    ExtendedS3DestinationConfiguration, Record,
};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use flate2::read::MultiGzDecoder;
use sluice_stand_ins::firehose::{Clock, Disorder, FailRecords, FirehoseOptions, FirehoseServer, StreamSpec};
use sluice_stand_ins::proxy::{Fault, FaultProxy, Rule};
use sluice_stand_ins::s3::{ACCESS_KEY, REGION, S3Server};
use std::io::Read;
use std::time::Duration;

const NOON: u64 = 1_322_913_609_000; // 2011-12-03 12:00:09

struct Case {
    s3: S3Server,
    firehose: FirehoseServer,
    client: Client,
}

fn client(endpoint: &str) -> Client {
    let https = aws_smithy_http_client::Builder::new();
    let https = https.tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    let credentials = aws_credential_types::Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "test");
    let config = aws_sdk_firehose::Config::builder().behavior_version(BehaviorVersion::latest()).http_client(https);
    let config = config.region(Region::from_static(REGION)).credentials_provider(credentials).endpoint_url(endpoint);
    Client::from_conf(config.retry_config(RetryConfig::disabled()).build())
}

async fn started(options: FirehoseOptions) -> Case {
    let s3 = S3Server::start().await.unwrap();
    s3.create_bucket("lake").await.unwrap();
    let firehose = FirehoseServer::start(FirehoseOptions { s3_endpoint: s3.endpoint(), ..options }).await.unwrap();
    let client = client(&firehose.endpoint());
    Case { s3, firehose, client }
}

/// A stream `orders` to `lake` under `raw/`, on a clock that stands still at noon.
async fn stopped(disorder: Disorder) -> Case {
    let case =
        started(FirehoseOptions { clock: Clock::stopped_at(NOON), disorder, ..FirehoseOptions::default() }).await;
    case.firehose.create_stream(&spec()).unwrap();
    case
}

fn spec() -> StreamSpec {
    StreamSpec {
        name: "orders".to_owned(),
        bucket: "lake".to_owned(),
        prefix: Some("raw/".to_owned()),
        error_prefix: Some("failed/!{firehose:error-output-type}/".to_owned()),
        size_mib: Some(1),
        interval_seconds: Some(60),
        gzip: false,
    }
}

fn record(text: &str) -> Record {
    Record::builder().data(Blob::new(text)).build().unwrap()
}

impl Case {
    async fn put(&self, texts: &[&str]) -> usize {
        let records = texts.iter().map(|text| record(text)).collect();
        let put = self.client.put_record_batch().delivery_stream_name("orders").set_records(Some(records));
        put.send().await.unwrap().failed_put_count() as usize
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        let listed = self.s3.client().list_objects_v2().bucket("lake").prefix(prefix).send().await.unwrap();
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    async fn read(&self, key: &str) -> Vec<u8> {
        let object = self.s3.client().get_object().bucket("lake").key(key).send().await.unwrap();
        object.body.collect().await.unwrap().to_vec()
    }

    /// The lines of all objects under a prefix.
    async fn lines(&self, prefix: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for key in self.keys(prefix).await {
            lines.extend(String::from_utf8(self.read(&key).await).unwrap().lines().map(str::to_owned));
        }
        lines
    }

    async fn refusal(&self, records: Vec<Record>) -> String {
        let put = self.client.put_record_batch().delivery_stream_name("orders").set_records(Some(records));
        put.send().await.unwrap_err().code().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_stream_is_made_described_listed_and_deleted() {
    let case = started(FirehoseOptions::default()).await;
    let hints = BufferingHints::builder().size_in_mbs(64).interval_in_seconds(0).build();
    let partitioning = DynamicPartitioningConfiguration::builder().enabled(true).build();
    let destination = ExtendedS3DestinationConfiguration::builder()
        .role_arn("arn:aws:iam::000000000000:role/firehose")
        .bucket_arn("arn:aws:s3:::lake")
        .prefix("raw/!{timestamp:yyyy}/")
        .error_output_prefix("failed/!{firehose:error-output-type}/")
        .buffering_hints(hints)
        .compression_format(CompressionFormat::Gzip)
        .dynamic_partitioning_configuration(partitioning)
        .build()
        .unwrap();
    let create = || case.client.create_delivery_stream().delivery_stream_name("orders");
    let create = || create().extended_s3_destination_configuration(destination.clone()).send();
    let made = create().await.unwrap();
    assert_eq!(made.delivery_stream_arn(), Some("arn:aws:firehose:eu-west-1:000000000000:deliverystream/orders"));
    assert!(create().await.unwrap_err().into_service_error().is_resource_in_use_exception());
    let described = case.client.describe_delivery_stream().delivery_stream_name("orders").send().await.unwrap();
    let described = described.delivery_stream_description().unwrap();
    assert_eq!(described.delivery_stream_status(), &DeliveryStreamStatus::Active);
    assert_eq!(described.delivery_stream_type(), &DeliveryStreamType::DirectPut);
    let shown = described.destinations()[0].extended_s3_destination_description().unwrap();
    assert_eq!((shown.bucket_arn(), shown.prefix()), ("arn:aws:s3:::lake", destination.prefix()));
    assert_eq!(shown.error_output_prefix(), destination.error_output_prefix());
    assert_eq!(shown.compression_format(), &CompressionFormat::Gzip);
    assert_eq!(shown.buffering_hints(), Some(&hints_of(64, 0)));
    assert_eq!(shown.dynamic_partitioning_configuration().unwrap().enabled(), Some(true));
    let listed = case.client.list_delivery_streams().send().await.unwrap();
    assert_eq!(listed.delivery_stream_names(), ["orders"]);
    case.client.delete_delivery_stream().delivery_stream_name("orders").send().await.unwrap();
    assert_eq!(case.refusal(vec![record("x")]).await, "ResourceNotFoundException");
}

fn hints_of(size: i32, interval: i32) -> BufferingHints {
    BufferingHints::builder().size_in_mbs(size).interval_in_seconds(interval).build()
}

#[tokio::test]
async fn what_aws_would_refuse_to_create_is_refused() {
    let case = started(FirehoseOptions::default()).await;
    for wrong in [
        StreamSpec { size_mib: Some(129), ..spec() },
        StreamSpec { interval_seconds: Some(901), ..spec() },
        StreamSpec { name: "a b".to_owned(), ..spec() },
        StreamSpec { prefix: Some("!{timestamp:yyyy}/".to_owned()), error_prefix: None, ..spec() },
    ] {
        let error = case.firehose.create_stream(&wrong).unwrap_err().to_string();
        assert!(error.contains("InvalidArgumentException"), "{error}");
    }
}

#[tokio::test]
async fn a_buffer_waits_for_its_age() {
    let case = stopped(Disorder::default()).await;
    assert_eq!(case.put(&["a\n", "b\n"]).await, 0);
    case.firehose.advance(Duration::from_secs(59)).await.unwrap();
    assert!(case.keys("").await.is_empty());
    assert_eq!(case.put(&["c\n"]).await, 0);
    case.firehose.advance(Duration::from_secs(1)).await.unwrap();
    let keys = case.keys("").await;
    assert_eq!(keys.len(), 1);
    assert!(keys[0].starts_with("raw/2011/12/03/12/orders-1-2011-12-03-12-00-09-"), "{}", keys[0]);
    assert_eq!(case.read(&keys[0]).await, b"a\nb\nc\n");
    assert_eq!(case.firehose.acknowledged().concat(), b"a\nb\nc\n");
    assert_eq!(case.firehose.delivered(), keys);
}

#[tokio::test]
async fn a_buffer_goes_when_it_is_large_enough() {
    let case = stopped(Disorder::default()).await;
    let large = "x".repeat(600_000);
    case.put(&[&large]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(case.keys("").await.is_empty());
    case.put(&[&large]).await;
    while case.keys("").await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(case.lines("raw/").await, ["x".repeat(1_200_000)]); // no newline is added
}

#[tokio::test]
async fn an_interval_of_zero_delivers_at_once_and_gzip_unpacks() {
    let case = started(FirehoseOptions::default()).await;
    let prefix = Some("raw/!{timestamp:yyyy-MM}/!{firehose:random-string}/".to_owned());
    case.firehose.create_stream(&StreamSpec { prefix, interval_seconds: Some(0), gzip: true, ..spec() }).unwrap();
    case.put(&["a\n", "b\n"]).await;
    while case.keys("").await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let keys = case.keys("raw/20").await;
    assert_eq!((keys[0].split('/').nth(2).unwrap().len(), keys[0].ends_with(".gz")), (11, true));
    let mut text = String::new();
    MultiGzDecoder::new(case.read(&keys[0]).await.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "a\nb\n");
}

#[tokio::test]
async fn the_limits_are_the_service_s() {
    let case = stopped(Disorder::default()).await;
    let largest = "x".repeat(1000 << 10);
    assert_eq!(case.put(&[&largest]).await, 0);
    assert_eq!(case.refusal(vec![record(&format!("{largest}x"))]).await, "InvalidArgumentException");
    assert_eq!(case.refusal(vec![record("x"); 501]).await, "InvalidArgumentException");
    assert_eq!(case.put(&["x"; 500]).await, 0);
    let mut batch = vec![record(&largest); 4];
    batch.push(record(&"x".repeat(96 << 10)));
    let exact = case.client.put_record_batch().delivery_stream_name("orders").set_records(Some(batch.clone()));
    exact.send().await.unwrap();
    batch.push(record("x"));
    assert_eq!(case.refusal(batch).await, "InvalidArgumentException");
    assert_eq!(case.firehose.acknowledged().len(), 1 + 500 + 5);
}

#[tokio::test]
async fn refused_records_are_named_and_not_delivered() {
    let case = stopped(Disorder::default()).await;
    case.firehose.fail_records(FailRecords::Next(2));
    let records = ["a\n", "b\n", "c\n"].map(record).to_vec();
    let put = case.client.put_record_batch().delivery_stream_name("orders").set_records(Some(records));
    let put = put.send().await.unwrap();
    let codes: Vec<_> = put.request_responses().iter().map(|entry| entry.error_code()).collect();
    assert_eq!(codes, [Some("ServiceUnavailableException"), Some("ServiceUnavailableException"), None]);
    assert_eq!(put.failed_put_count(), 2);
    assert!(put.request_responses()[2].record_id().is_some());
    case.firehose.fail_records(FailRecords::Chance(1.0));
    let one = case.client.put_record().delivery_stream_name("orders").record(record("d\n")).send().await;
    assert!(one.unwrap_err().into_service_error().is_service_unavailable_exception());
    case.firehose.fail_records(FailRecords::Never);
    case.client.put_record().delivery_stream_name("orders").record(record("e\n")).send().await.unwrap();
    case.firehose.flush().await.unwrap();
    assert_eq!(case.lines("raw/").await, ["c", "e"]);
}

#[tokio::test]
async fn a_quota_refuses_what_is_past_it_in_a_second() {
    let options = FirehoseOptions { bytes_per_second: Some(10), clock: Clock::stopped_at(NOON), ..Default::default() };
    let case = started(options).await;
    case.firehose.create_stream(&spec()).unwrap();
    assert_eq!(case.put(&["12345", "12345", "1"]).await, 1);
    case.firehose.advance(Duration::from_secs(1)).await.unwrap();
    assert_eq!(case.put(&["12345", "12345"]).await, 0);
}

#[tokio::test]
async fn objects_arrive_late_and_overtake_each_other() {
    let (delay, jitter) = (Duration::from_secs(100), Duration::from_secs(1000));
    let case = stopped(Disorder { delay, jitter, seed: 3, ..Disorder::default() }).await;
    for number in 0..20 {
        case.put(&[&format!("{number}\n")]).await;
        case.firehose.advance(Duration::from_secs(60)).await.unwrap();
    }
    assert!(case.firehose.delivered().len() < 20);
    case.firehose.advance(delay + jitter).await.unwrap();
    let arrived = case.firehose.delivered();
    let mut sorted = arrived.clone();
    sorted.sort();
    assert_eq!(arrived.len(), 20);
    assert_ne!(arrived, sorted, "names go by arrival of the records, so in order they are sorted");
}

#[tokio::test]
async fn objects_and_records_come_twice_and_shuffled() {
    let disorder =
        Disorder { doubled_objects: 1.0, doubled_records: 0.3, shuffled_records: true, ..Disorder::default() };
    let case = stopped(disorder).await;
    let texts: Vec<String> = (0..100).map(|number| format!("{number:02}\n")).collect();
    case.put(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    case.firehose.flush().await.unwrap();
    let keys = case.keys("raw/").await;
    assert_eq!(keys.len(), 2);
    assert_eq!(case.read(&keys[0]).await, case.read(&keys[1]).await);
    let mut lines = case.lines(&keys[0]).await;
    assert!((110..160).contains(&lines.len()), "{}", lines.len());
    assert!(!lines.is_sorted());
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), 100);
    assert_eq!(case.firehose.acknowledged().len(), 100);
}

#[tokio::test]
async fn failed_buffers_lie_under_the_error_prefix() {
    let case = stopped(Disorder { failing_objects: 1.0, ..Disorder::default() }).await;
    case.put(&["a\n"]).await;
    case.firehose.flush().await.unwrap();
    assert!(case.keys("raw/").await.is_empty());
    let line = &case.lines("failed/processing-failed/2011/12/03/12/").await[0];
    assert!(line.contains("\"rawData\":\"YQo=\""), "{line}");
    case.firehose.set_disorder(Disorder::default());
    case.put(&["b\n"]).await;
    case.firehose.flush().await.unwrap();
    assert_eq!(case.lines("raw/").await, ["b"]);
}

#[tokio::test]
async fn an_object_that_s3_refuses_is_tried_again() {
    let s3 = S3Server::start().await.unwrap();
    s3.create_bucket("lake").await.unwrap();
    let proxy =
        FaultProxy::start(&s3.endpoint(), vec![Rule::new("PutObject", Fault::Throttle).times(2)]).await.unwrap();
    let options = FirehoseOptions { s3_endpoint: proxy.endpoint(), ..FirehoseOptions::default() };
    let firehose = FirehoseServer::start(options).await.unwrap();
    firehose.create_stream(&StreamSpec { interval_seconds: Some(900), ..spec() }).unwrap();
    let client = client(&firehose.endpoint());
    let case = Case { s3, firehose, client };
    case.put(&["a\n"]).await;
    assert!(case.firehose.flush().await.is_err());
    while case.firehose.delivered().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(case.lines("raw/").await, ["a"]);
}

#[tokio::test]
async fn a_partial_failure_of_the_proxy_reads_as_the_service_s() {
    let case = stopped(Disorder::default()).await;
    let rule = Rule::new("PutRecordBatch", Fault::Partial { one_in: 2 });
    let proxy = FaultProxy::start(&case.firehose.endpoint(), vec![rule]).await.unwrap();
    let records = ["a", "b", "c"].map(record).to_vec();
    let put = client(&proxy.endpoint()).put_record_batch().delivery_stream_name("orders").set_records(Some(records));
    let put = put.send().await.unwrap();
    let codes: Vec<_> = put.request_responses().iter().map(|entry| entry.error_code().is_some()).collect();
    assert_eq!((put.failed_put_count(), codes), (2, vec![true, false, true]));
    assert_eq!(case.firehose.acknowledged().concat(), b"b");
}
