//! The proxy: every way to fail, seen through the SDKs.

use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::operation::RequestId;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{
    PutRecordsRequestEntry, ShardIteratorType, StartingPosition, SubscribeToShardEventStream,
};
use aws_sdk_s3::primitives::ByteStream;
use sluice_stand_ins::kinesis::{self, KinesisServer};
use sluice_stand_ins::proxy::{Fault, FaultProxy, Rule};
use sluice_stand_ins::s3::{self, S3Server};

const SHARD: &str = "shardId-000000000000";

async fn stream(rules: Vec<Rule>) -> (KinesisServer, FaultProxy, aws_sdk_kinesis::Client) {
    let server = KinesisServer::start().await.unwrap();
    server.create_stream("orders", 1).await.unwrap();
    let proxy = FaultProxy::start(&server.endpoint(), rules).await.unwrap();
    let client = kinesis::client(&proxy.endpoint());
    (server, proxy, client)
}

async fn bucket(rules: Vec<Rule>) -> (S3Server, FaultProxy, aws_sdk_s3::Client) {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("lake").await.unwrap();
    let proxy = FaultProxy::start(&server.endpoint(), rules).await.unwrap();
    let client = s3::client(&proxy.endpoint());
    (server, proxy, client)
}

fn entries(count: usize) -> Vec<PutRecordsRequestEntry> {
    let entry = |number: usize| {
        let data = Blob::new(number.to_string());
        PutRecordsRequestEntry::builder().data(data).partition_key("k").build().unwrap()
    };
    (0..count).map(entry).collect()
}

async fn read_all(client: &aws_sdk_kinesis::Client) -> Vec<String> {
    let iterator = client.get_shard_iterator().stream_name("orders").shard_id(SHARD);
    let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
    let answer = client.get_records().set_shard_iterator(iterator.shard_iterator).send().await.unwrap();
    let text = |record: &aws_sdk_kinesis::types::Record| String::from_utf8(record.data().as_ref().to_vec()).unwrap();
    answer.records().iter().map(text).collect()
}

#[tokio::test]
async fn answered_faults_carry_the_service_s_code_and_the_noted_request_id() {
    let custom = Fault::Custom { status: 400, code: "KMSThrottlingException".to_owned() };
    let cases = [
        (Fault::Throttle, "ProvisionedThroughputExceededException"),
        (Fault::Internal500, "InternalFailureException"),
        (Fault::ExpiredToken, "ExpiredTokenException"),
        (Fault::ExpiredIterator, "ExpiredIteratorException"),
        (custom, "KMSThrottlingException"),
    ];
    let rules = cases.iter().map(|(fault, _)| Rule::new("PutRecords", fault.clone()).times(1)).collect();
    let (_server, proxy, client) = stream(rules).await;
    for (at, (fault, code)) in cases.into_iter().enumerate() {
        let error = client.put_records().stream_name("orders").set_records(Some(entries(1))).send().await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        let injected = &proxy.injected()[at];
        assert_eq!((&injected.fault, injected.operation.as_str()), (&fault, "PutRecords"));
        assert_eq!(injected.request_id.as_deref(), error.request_id());
    }
    client.put_records().stream_name("orders").set_records(Some(entries(3))).send().await.unwrap();
    assert_eq!(read_all(&client).await, ["0", "1", "2"]);
    assert_eq!(proxy.calls()["PutRecords"], 6);
}

#[tokio::test]
async fn a_lost_answer_had_its_effect_and_a_lost_call_had_none() {
    let before = Rule::new("PutRecords", Fault::TimeoutBefore).times(1);
    let after = Rule::new("PutRecords", Fault::TimeoutAfter).times(1);
    let (_server, proxy, client) = stream(vec![before, after]).await;
    let put = || client.put_records().stream_name("orders").set_records(Some(entries(1))).send();
    assert!(put().await.unwrap_err().as_service_error().is_none());
    assert!(read_all(&client).await.is_empty());
    assert!(put().await.unwrap_err().as_service_error().is_none());
    assert_eq!(read_all(&client).await, ["0"]);
    put().await.unwrap();
    let ids: Vec<_> = proxy.injected().into_iter().map(|injected| injected.request_id).collect();
    assert_eq!(ids, [None, None]);
}

#[tokio::test]
async fn a_partial_failure_passes_the_other_records_on() {
    let (_server, proxy, client) = stream(vec![Rule::new("PutRecords", Fault::Partial { one_in: 3 }).times(2)]).await;
    let mut waiting = entries(7);
    let mut counts = Vec::new();
    while !waiting.is_empty() {
        let put = client.put_records().stream_name("orders").set_records(Some(waiting.clone())).send().await.unwrap();
        let failed = put.records().iter().map(|record| record.error_code().is_some());
        let rest: Vec<_> =
            waiting.iter().zip(failed).filter(|(_, failed)| *failed).map(|(entry, _)| entry.clone()).collect();
        assert_eq!(put.failed_record_count(), Some(rest.len() as i32));
        counts.push(rest.len());
        waiting = rest;
    }
    assert_eq!(counts, [3, 1, 0]);
    let mut read = read_all(&client).await;
    read.sort();
    assert_eq!(read, ["0", "1", "2", "3", "4", "5", "6"]);
    assert_eq!(proxy.injected().len(), 2);
}

#[tokio::test]
async fn rules_change_while_it_runs() {
    let (_server, proxy, client) = stream(vec![Rule::new("*", Fault::Throttle)]).await;
    assert!(client.list_shards().stream_name("orders").send().await.is_err());
    proxy.set_rules(Vec::new());
    client.list_shards().stream_name("orders").send().await.unwrap();
    assert_eq!(proxy.injected().len(), 1);
}

#[tokio::test]
async fn a_subscription_passes_as_it_comes() {
    let (server, _proxy, client) = stream(Vec::new()).await;
    let summary = server.client().describe_stream_summary().stream_name("orders").send().await.unwrap();
    let arn = summary.stream_description_summary().unwrap().stream_arn().to_owned();
    let consumer = client.register_stream_consumer().stream_arn(arn).consumer_name("c").send().await.unwrap();
    let consumer = consumer.consumer().unwrap().consumer_arn().to_owned();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await; // until the consumer is active
    client.put_records().stream_name("orders").set_records(Some(entries(5))).send().await.unwrap();
    let from = StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon).build().unwrap();
    let subscribe = client.subscribe_to_shard().consumer_arn(consumer).shard_id(SHARD).starting_position(from);
    let mut events = subscribe.send().await.unwrap().event_stream;
    let mut read = 0;
    while read < 5 {
        if let Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)) = events.recv().await.unwrap() {
            read += event.records().len();
        }
    }
}

#[tokio::test]
async fn objects_pass_signed_large_and_by_head() {
    let (_server, _proxy, client) = bucket(Vec::new()).await;
    let body: Vec<u8> = (0..9_000_000_u32).map(|at| at as u8).collect();
    let put = client.put_object().bucket("lake").key("big file+1").body(ByteStream::from(body.clone()));
    put.send().await.unwrap();
    let head = client.head_object().bucket("lake").key("big file+1").send().await.unwrap();
    assert_eq!(head.content_length(), Some(9_000_000));
    let read = client.get_object().bucket("lake").key("big file+1").send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().to_vec(), body);
}

#[tokio::test]
async fn s3_faults_are_s3_s() {
    let cases =
        [(Fault::Throttle, "SlowDown"), (Fault::Internal500, "InternalError"), (Fault::ExpiredToken, "ExpiredToken")];
    let mut rules: Vec<_> = cases.iter().map(|(fault, _)| Rule::new("PutObject", fault.clone()).times(1)).collect();
    rules.push(Rule::new("PutObject", Fault::TimeoutAfter).times(1));
    let (server, proxy, client) = bucket(rules).await;
    let put =
        || client.put_object().bucket("lake").key("k").if_none_match("*").body(ByteStream::from_static(b"v")).send();
    for (at, (_, code)) in cases.into_iter().enumerate() {
        let error = put().await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(aws_sdk_s3::operation::RequestId::request_id(&error), proxy.injected()[at].request_id.as_deref());
    }
    assert!(put().await.unwrap_err().as_service_error().is_none());
    assert_eq!(put().await.unwrap_err().code(), Some("PreconditionFailed"));
    assert!(server.client().head_object().bucket("lake").key("k").send().await.is_ok());
}
