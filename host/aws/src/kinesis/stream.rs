//! Which stream it is, and what shards it has.

use super::call::call;
use super::kpl::HashRange;
use crate::client::Aws;
use aws_sdk_kinesis::types::{Shard, StreamDescriptionSummary, StreamStatus};
use sluice_ports::{Kind, PortError, Result};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Default of a stream's greatest record, in KiB.
/// <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>
const DEFAULT_RECORD_KIB: i32 = 1024;

/// How a stream is named: by its name in the account and region of the calls, or by its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamName {
    /// A name.
    Name(String),
    /// An ARN, which may lie in another account.
    Arn(String),
}

impl StreamName {
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Name(name) => Some(name.clone()),
            Self::Arn(_) => None,
        }
    }

    pub(super) fn arn(&self) -> Option<String> {
        match self {
            Self::Name(_) => None,
            Self::Arn(arn) => Some(arn.clone()),
        }
    }
}

impl FromStr for StreamName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let name = text.to_owned();
        Ok(if text.starts_with("arn:") { Self::Arn(name) } else { Self::Name(name) })
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) | Self::Arn(name) => f.write_str(name),
        }
    }
}

/// A stream as it was found.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) arn: String,
    /// What makes it unlike any other: a stream that is deleted and made anew has the same ARN.
    pub(super) id: Arc<str>,
    /// Bytes of its greatest record.
    pub(super) record_bytes: usize,
    pub(super) retention_hours: i32,
}

impl Stream {
    pub(super) async fn find(aws: &Aws, name: &StreamName) -> Result<Self> {
        let request = || {
            let call = aws.kinesis().describe_stream_summary();
            call.set_stream_name(name.name()).set_stream_arn(name.arn()).send()
        };
        let found = call(aws, "DescribeStreamSummary", &format!("stream `{name}`"), request).await.result?;
        let summary = found.stream_description_summary.ok_or_else(|| no_description(name))?;
        match summary.stream_status {
            StreamStatus::Creating | StreamStatus::Deleting => Err(not_there(name, &summary.stream_status)),
            _ => Ok(Self::of(&summary)),
        }
    }

    fn of(summary: &StreamDescriptionSummary) -> Self {
        let arn = summary.stream_arn.clone();
        let id = format!("{arn}@{}", summary.stream_creation_timestamp.secs()).into();
        let kib = summary.max_record_size_in_kib.unwrap_or(DEFAULT_RECORD_KIB);
        let record_bytes = usize::try_from(kib).unwrap_or_default() << 10;
        Self { arn, id, record_bytes, retention_hours: summary.retention_period_hours }
    }
}

fn not_there(name: &StreamName, status: &StreamStatus) -> PortError {
    let message =
        format!("stream `{name}` is {status}; wait until it is ACTIVE, or name another", status = status.as_str());
    PortError::new(Kind::Retry, message)
}

fn no_description(name: &StreamName) -> PortError {
    PortError::new(
        Kind::Fatal,
        format!("DescribeStreamSummary of stream `{name}` gave no description; check the endpoint"),
    )
}

/// A shard as the stream lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) parents: Vec<String>,
    pub(super) range: HashRange,
    pub(super) closed: bool,
}

/// All shards that the stream still holds records of, in the order of their ids.
pub(super) async fn list(aws: &Aws, name: &StreamName) -> Result<Vec<Listed>> {
    list_by(aws, name, None).await
}

/// Pages, of the service's size unless another is given, are asked for by the last shard of the one before, not by its
/// token: tokens expire after five minutes.
async fn list_by(aws: &Aws, name: &StreamName, page: Option<i32>) -> Result<Vec<Listed>> {
    let mut all: Vec<Listed> = vec![];
    loop {
        let last = all.last().map(|shard| shard.id.clone());
        let request = || {
            let call = aws.kinesis().list_shards().set_exclusive_start_shard_id(last.clone()).set_max_results(page);
            call.set_stream_name(name.name()).set_stream_arn(name.arn()).send()
        };
        let page = call(aws, "ListShards", &format!("stream `{name}`"), request).await.result?;
        let shards = page.shards.unwrap_or_default();
        let more = page.next_token.is_some() && !shards.is_empty();
        all.extend(shards.into_iter().map(|shard| listed(shard, name)).collect::<Result<Vec<_>>>()?);
        if !more {
            all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            all.dedup_by(|a, b| a.id == b.id);
            return Ok(all);
        }
    }
}

fn listed(shard: Shard, name: &StreamName) -> Result<Listed> {
    let id = shard.shard_id;
    let range = shard.hash_key_range.and_then(|range| {
        Some(HashRange { from: range.starting_hash_key.parse().ok()?, to: range.ending_hash_key.parse().ok()? })
    });
    let range = range.ok_or_else(|| {
        let message = format!("shard `{id}` of stream `{name}` is listed without hash keys; check the endpoint");
        PortError::new(Kind::Fatal, message)
    })?;
    let closed = shard.sequence_number_range.is_some_and(|numbers| numbers.ending_sequence_number.is_some());
    let parents = shard.parent_shard_id.into_iter().chain(shard.adjacent_parent_shard_id);
    Ok(Listed { id, parents: parents.filter(|parent| !parent.is_empty()).collect(), range, closed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_stand_ins::kinesis::KinesisServer;

    #[tokio::test]
    async fn a_listing_in_pages_is_whole() {
        let server = KinesisServer::start().await.unwrap();
        server.create_stream("s", 7).await.unwrap();
        let (aws, name) = (Aws::for_endpoint(&server.endpoint()), "s".parse().unwrap());
        let whole = list(&aws, &name).await.unwrap();
        assert_eq!((whole.len(), whole[0].range.from, whole[6].range.to), (7, 0, u128::MAX));
        for page in [1, 3, 7, 8] {
            assert_eq!(list_by(&aws, &name, Some(page)).await.unwrap(), whole, "pages of {page}");
        }
    }

    #[test]
    fn a_stream_is_named_by_name_or_arn() {
        let arn = "arn:aws:kinesis:eu-west-1:000000000000:stream/s";
        assert_eq!(arn.parse::<StreamName>().unwrap(), StreamName::Arn(arn.into()));
        assert_eq!("s".parse::<StreamName>().unwrap(), StreamName::Name("s".into()));
    }
}
