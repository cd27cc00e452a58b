//! Kinesis: the library's server with what the project's tests set on it.

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType};
use sluice_stand_ins::kinesis::{KinesisOptions, KinesisServer, wait_until_active};

fn entries(count: usize, size: usize) -> Vec<PutRecordsRequestEntry> {
    let entry = |number: usize| {
        let data = Blob::new(vec![b'x'; size]);
        PutRecordsRequestEntry::builder().data(data).partition_key(number.to_string()).build().unwrap()
    };
    (0..count).map(entry).collect()
}

async fn read_all(client: &aws_sdk_kinesis::Client, stream: &str) -> usize {
    let shards = client.list_shards().stream_name(stream).send().await.unwrap();
    let mut read = 0;
    for shard in shards.shards() {
        let iterator = client.get_shard_iterator().stream_name(stream).shard_id(shard.shard_id());
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        let mut next = iterator.shard_iterator;
        while let Some(iterator) = next {
            let answer = client.get_records().shard_iterator(iterator).send().await.unwrap();
            read += answer.records().len();
            next = answer.next_shard_iterator.filter(|_| !answer.records.is_empty());
        }
    }
    read
}

#[tokio::test]
async fn takes_the_largest_batch_and_gives_it_back() {
    let server = KinesisServer::start().await.unwrap();
    server.create_stream("orders", 4).await.unwrap();
    let client = server.client();
    let put = client.put_records().stream_name("orders").set_records(Some(entries(500, 10_000))).send().await.unwrap();
    assert_eq!(put.failed_record_count(), Some(0));
    assert_eq!(read_all(&client, "orders").await, 500);
}

#[tokio::test]
async fn names_the_stream_by_region() {
    let server = KinesisServer::start().await.unwrap();
    server.create_stream("orders", 1).await.unwrap();
    let described = server.client().describe_stream_summary().stream_name("orders").send().await.unwrap();
    let arn = described.stream_description_summary().unwrap().stream_arn();
    assert!(arn.starts_with("arn:aws:kinesis:eu-west-1:"), "{arn}");
}

#[tokio::test]
async fn splits_without_losing_records() {
    let server = KinesisServer::start().await.unwrap();
    server.create_stream("orders", 1).await.unwrap();
    let client = server.client();
    client.put_records().stream_name("orders").set_records(Some(entries(100, 10))).send().await.unwrap();
    let middle = (1_u128 << 127).to_string();
    let split = client.split_shard().stream_name("orders").shard_to_split("shardId-000000000000");
    split.new_starting_hash_key(middle).send().await.unwrap();
    wait_until_active(&client, "orders").await.unwrap();
    client.put_records().stream_name("orders").set_records(Some(entries(100, 10))).send().await.unwrap();
    assert_eq!(read_all(&client, "orders").await, 200);
}

#[tokio::test]
async fn throttles_when_asked() {
    let options = KinesisOptions { enforce_limits: true, ..KinesisOptions::default() };
    let server = KinesisServer::start_with(options).await.unwrap();
    server.create_stream("orders", 1).await.unwrap();
    let client = server.client();
    let mut failed = 0;
    for _ in 0..3 {
        let put = client.put_records().stream_name("orders").set_records(Some(entries(500, 10))).send().await.unwrap();
        failed += put.failed_record_count().unwrap_or_default();
    }
    assert!(failed > 0, "three times 500 records a second are more than a shard takes");
}
