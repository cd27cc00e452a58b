//! A bucket as the lake and as the commit log, on servers that stand in for S3 and DynamoDB.

mod dynamodb;
mod faults;
mod lease;
mod log;
mod store;

use sluice_aws::client::Aws;
use sluice_aws::s3::{LeaseOptions, S3Lake, S3Log, S3Store};
use sluice_stand_ins::proxy::{FaultProxy, Rule};
use sluice_stand_ins::s3::S3Server;
use std::time::Duration;

/// A server with the bucket `lake`.
async fn server() -> S3Server {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("lake").await.unwrap();
    server
}

/// The same behind a proxy that makes calls fail.
async fn faulty(rules: Vec<Rule>) -> (S3Server, FaultProxy, Aws) {
    let server = server().await;
    let proxy = FaultProxy::start(&server.endpoint(), rules).await.unwrap();
    let aws = Aws::for_endpoint(&proxy.endpoint());
    (server, proxy, aws)
}

fn lake(place: &str) -> S3Lake {
    S3Lake::new("lake", format!("{place}/"))
}

fn store(aws: &Aws, place: &str) -> S3Store {
    S3Store::new(aws.clone(), lake(place))
}

fn log(aws: &Aws, place: &str) -> S3Log {
    S3Log::new(aws.clone(), lake(place), &LeaseOptions::default())
}

/// A log whose lease lasts so long.
fn log_for(aws: &Aws, place: &str, ttl: Duration) -> S3Log {
    S3Log::new(aws.clone(), lake(place), &LeaseOptions { ttl, table: None })
}
