//! Where a lease is written down: one object or one item, changed only over what was seen of it.

use super::bucket::{Bucket, Condition};
use super::keys::LEASE;
use crate::client::{Aws, Retry, retry};
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sluice_ports::{Kind, PortError, Result};
use std::collections::HashMap;
use std::time::Duration;

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Unlike that of every other lease; empty where nobody holds it.
    pub(super) owner: String,
    /// Raised by each lease, never lowered.
    pub(super) fence: u64,
    /// Raised by each renewal.
    pub(super) beat: u64,
    /// How long a renewal lasts, in milliseconds.
    pub(super) ttl_ms: u64,
    /// Who holds it, for people.
    pub(super) holder: String,
    /// The process that holds it, for others on its machine.
    pub(super) process: String,
}

impl Record {
    pub(super) fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }
}

/// What was read, and what tells it from every other writing.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) record: Record,
    /// ETag of an object; an item is told by the record itself.
    version: String,
}

/// The place.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// An object of the lake.
    Object(Bucket),
    /// An item of a DynamoDB table, whose key `lease` is the address of the lake.
    Item { aws: Aws, table: String, key: String },
}

impl Cell {
    /// In the lake, or in a table.
    pub(super) fn new(bucket: &Bucket, table: Option<&str>) -> Self {
        match table {
            None => Self::Object(bucket.clone()),
            Some(table) => Self::Item { aws: bucket.aws.clone(), table: table.to_owned(), key: bucket.lake.url("") },
        }
    }

    /// The place as messages name it.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Object(bucket) => bucket.what(LEASE),
            Self::Item { table, key, .. } => format!("`{key}` in table `{table}`"),
        }
    }

    /// What is written down, if anything.
    pub(super) async fn read(&self, policy: &Retry) -> Result<Option<Seen>> {
        match self {
            Self::Object(bucket) => match bucket.find(LEASE).await? {
                Some(content) => {
                    let record = serde_json::from_slice(&content.data).map_err(|error| self.unreadable(&error))?;
                    Ok(Some(Seen { record, version: content.etag }))
                }
                None => Ok(None),
            },
            Self::Item { aws, table, key } => {
                let call = || {
                    let request = aws.dynamodb().get_item().table_name(table).consistent_read(true);
                    request.key("lease", text(key)).send()
                };
                let output =
                    retry(policy, "GetItem", &self.what(), call).await.map_err(|error| no_table(table, error))?;
                let Some(item) = output.item else { return Ok(None) };
                let record = from_item(&item).ok_or_else(|| self.unreadable(&"an attribute is missing"))?;
                Ok(Some(Seen { record, version: String::new() }))
            }
        }
    }

    /// Writes a record over what was seen, or where nothing was; `None` where something else is there now.
    pub(super) async fn write(&self, policy: &Retry, over: Option<&Seen>, record: &Record) -> Result<Option<Seen>> {
        let written = match self {
            Self::Object(bucket) => write_object(bucket, policy, over, record).await,
            Self::Item { aws, table, key } => self.write_item(aws, table, key, policy, over, record).await,
        };
        match written {
            Ok(Some(seen)) => Ok(Some(seen)),
            // the refusal, or the lost answer, may stand for an earlier attempt's success
            Ok(None) => self.read_back(policy, record).await,
            Err(error) if error.kind == Kind::Retry => match self.read_back(policy, record).await {
                Ok(Some(seen)) => Ok(Some(seen)),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn read_back(&self, policy: &Retry, record: &Record) -> Result<Option<Seen>> {
        Ok(self.read(policy).await?.filter(|seen| seen.record == *record))
    }

    async fn write_item(
        &self,
        aws: &Aws,
        table: &str,
        key: &str,
        policy: &Retry,
        over: Option<&Seen>,
        record: &Record,
    ) -> Result<Option<Seen>> {
        let call = || {
            let request = aws.dynamodb().put_item().table_name(table).set_item(Some(to_item(key, record)));
            let request = match over {
                None => request.condition_expression("attribute_not_exists(lease)"),
                Some(seen) => request
                    .condition_expression("#owner = :owner AND #fence = :fence AND #beat = :beat")
                    .expression_attribute_names("#owner", "owner")
                    .expression_attribute_names("#fence", "fence")
                    .expression_attribute_names("#beat", "beat")
                    .expression_attribute_values(":owner", text(&seen.record.owner))
                    .expression_attribute_values(":fence", number(seen.record.fence))
                    .expression_attribute_values(":beat", number(seen.record.beat)),
            };
            request.send()
        };
        match retry(policy, "PutItem", &self.what(), call).await {
            Ok(_) => Ok(Some(Seen { record: record.clone(), version: String::new() })),
            Err(error) if error.kind == Kind::Fenced => Ok(None),
            Err(error) => Err(no_table(table, error)),
        }
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> PortError {
        let message = format!("{} is no lease: {error}; delete it while no host runs on this lake", self.what());
        PortError::new(Kind::Fatal, message)
    }
}

async fn write_object(bucket: &Bucket, policy: &Retry, over: Option<&Seen>, record: &Record) -> Result<Option<Seen>> {
    let failed = |error| PortError::new(Kind::Fatal, format!("a lease that cannot be written: {error}"));
    let data = Bytes::from(serde_json::to_vec(record).map_err(failed)?);
    let condition = over.map_or(Condition::Absent, |seen| Condition::Is(&seen.version));
    let etag = bucket.put_if(policy, LEASE, &data, condition, || Ok(())).await?;
    Ok(etag.map(|version| Seen { record: record.clone(), version }))
}

fn no_table(table: &str, error: PortError) -> PortError {
    match error.kind {
        Kind::NotFound => {
            let hint = "create it as `sluice aws plan` prints it, or leave `table` out to keep the lease in the bucket";
            PortError { kind: Kind::Fatal, message: format!("there is no lease table `{table}`; {hint}"), ..error }
        }
        _ => error,
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn to_item(key: &str, record: &Record) -> HashMap<String, AttributeValue> {
    let pairs = [
        ("lease", text(key)),
        ("owner", text(&record.owner)),
        ("fence", number(record.fence)),
        ("beat", number(record.beat)),
        ("ttl_ms", number(record.ttl_ms)),
        ("holder", text(&record.holder)),
        ("process", text(&record.process)),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn from_item(item: &HashMap<String, AttributeValue>) -> Option<Record> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse().ok();
    Some(Record {
        owner: text("owner")?,
        fence: number("fence")?,
        beat: number("beat")?,
        ttl_ms: number("ttl_ms")?,
        holder: text("holder")?,
        process: text("process")?,
    })
}
