//! The lease in a DynamoDB table.

use super::lease::stand_by;
use super::{lake, server};
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use bytes::Bytes;
use sluice_aws::client::Aws;
use sluice_aws::client::tests_support::Endpoints;
use sluice_aws::s3::{LeaseOptions, S3Log};
use sluice_ports::{CommitLog, Entry, EntryKind, Kind, suite};
use sluice_stand_ins::fetch::Ministack;
use sluice_stand_ins::s3::S3Server;
use std::time::Duration;
use tokio::runtime::Builder;

const TTL: Duration = Duration::from_secs(2);

/// A server for S3 and one for DynamoDB, with the table that `sluice aws plan` prints.
async fn servers() -> Option<(S3Server, Ministack, Aws)> {
    let dynamodb = match Ministack::start().await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("SKIPPED: the DynamoDB lease is not tested, its server cannot be had here: {error}");
            return None;
        }
    };
    let s3 = server().await;
    let endpoints = Endpoints { s3: Some(s3.endpoint()), dynamodb: Some(dynamodb.endpoint()), ..Endpoints::default() };
    let aws = Aws::for_endpoints(endpoints);
    let key = KeySchemaElement::builder().attribute_name("lease").key_type(KeyType::Hash).build().unwrap();
    let attribute = AttributeDefinition::builder().attribute_name("lease").attribute_type(ScalarAttributeType::S);
    let create = aws.dynamodb().create_table().table_name("leases").key_schema(key);
    let create = create.attribute_definitions(attribute.build().unwrap()).billing_mode(BillingMode::PayPerRequest);
    create.send().await.unwrap();
    Some((s3, dynamodb, aws))
}

fn log(aws: &Aws, place: &str, ttl: Duration) -> S3Log {
    S3Log::new(aws.clone(), lake(place), &LeaseOptions { ttl, table: Some("leases".to_owned()) })
}

#[tokio::test]
async fn a_table_keeps_the_contract_of_leases() {
    let Some((_s3, _dynamodb, aws)) = servers().await else { return };
    suite::commit_log(async |place: &str| log(&aws, place, Duration::from_secs(30))).await;
    let options = LeaseOptions { table: Some("none".to_owned()), ..LeaseOptions::default() };
    let error = S3Log::new(aws.clone(), lake("no-table"), &options).acquire("d").await.err().unwrap();
    assert_eq!(error.kind, Kind::Fatal, "{error}");
    assert!(error.message.contains("no lease table `none`; create it as `sluice aws plan` prints it"), "{error}");
}

#[test]
fn a_holder_that_stops_renewing_its_item_is_taken_over_from() {
    let build = || Builder::new_current_thread().enable_all().build().unwrap();
    let (servers_at, holder) = (build(), build());
    let Some((s3, dynamodb, aws)) = servers_at.block_on(servers()) else { return };
    let first = log(&aws, "taken", TTL);
    let lease = holder.block_on(first.acquire("d")).unwrap();
    let endpoints = Endpoints { s3: Some(s3.endpoint()), dynamodb: Some(dynamodb.endpoint()), ..Endpoints::default() };
    let second = log(&Aws::for_endpoints(endpoints), "taken", TTL);
    let (next, waited) = servers_at.block_on(stand_by(&second, TTL * 4));
    assert!(waited >= TTL, "{waited:?}");
    assert_eq!(next.fence(), 2);
    holder.block_on(async { tokio::time::sleep(TTL / 2).await });
    let error = lease.check().unwrap_err();
    assert!(error.message.contains("took it (fence 2)"), "{error}");
    let cut = Entry { number: 1, kind: EntryKind::Cut };
    assert_eq!(holder.block_on(first.put(cut, Bytes::new())).unwrap_err().kind, Kind::Fenced);
}
