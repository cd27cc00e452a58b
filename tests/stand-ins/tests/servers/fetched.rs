//! The servers that are fetched. Where they cannot be, the tests say so and pass: they then tested nothing.

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::ShardIteratorType;
use sluice_stand_ins::fetch::Ministack;
use sluice_stand_ins::kinesis::{KinesisLocal, wait_until_active};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn fetched<T>(started: io::Result<T>) -> Option<T> {
    started.inspect_err(|error| eprintln!("SKIPPED: {error}")).ok()
}

/// A second listener on all interfaces can only be had if the server listens on loopback alone, at another address.
fn listens_on_loopback_only(endpoint: &str) -> bool {
    let port: u16 = endpoint.rsplit(':').next().unwrap().parse().unwrap();
    TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)).is_ok()
}

#[tokio::test]
async fn kinesis_local_names_the_children_of_a_split() {
    let Some(server) = fetched(KinesisLocal::start().await) else { return };
    assert!(listens_on_loopback_only(&server.endpoint()));
    server.create_stream("orders", 1).await.unwrap();
    let client = server.client();
    let put = client.put_record().stream_name("orders").partition_key("k").data(Blob::new("one"));
    let parent = put.send().await.unwrap().shard_id().to_owned();
    let split = client.split_shard().stream_name("orders").shard_to_split(&parent);
    split.new_starting_hash_key((1_u128 << 127).to_string()).send().await.unwrap();
    wait_until_active(&client, "orders").await.unwrap();
    let iterator = client.get_shard_iterator().stream_name("orders").shard_id(&parent);
    let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
    let (mut next, mut children, mut read) = (iterator.shard_iterator, Vec::new(), 0);
    while let Some(iterator) = next {
        let answer = client.get_records().shard_iterator(iterator).send().await.unwrap();
        read += answer.records().len();
        children.extend(answer.child_shards().iter().map(|child| child.shard_id().to_owned()));
        next = answer.next_shard_iterator;
    }
    assert_eq!((read, children.len()), (1, 2));
}

#[tokio::test]
async fn ministack_answers_dynamodb_and_sqs() {
    let Some(server) = fetched(Ministack::start().await) else { return };
    assert!(listens_on_loopback_only(&server.endpoint()));
    let tables = post(&server.endpoint(), "DynamoDB_20120810.ListTables").await;
    assert!(tables.contains("TableNames"), "{tables}");
    let queues = post(&server.endpoint(), "AmazonSQS.ListQueues").await;
    assert!(queues.starts_with("HTTP/1.1 200"), "{queues}");
}

async fn post(endpoint: &str, target: &str) -> String {
    let address = endpoint.strip_prefix("http://").unwrap();
    let service = if target.starts_with("AmazonSQS") { "sqs" } else { "dynamodb" };
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Amz-Target: {target}\r\n\
         Content-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0\r\n\r\n{{}}"
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
