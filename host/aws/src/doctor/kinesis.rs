//! The data stream.

use super::{Check, Doctor, failed};
use crate::client::retry;
use crate::plan::KinesisNeeds;
use aws_sdk_kinesis::types::{
    ConsumerStatus, EncryptionType, ShardIteratorType, StreamDescriptionSummary, StreamStatus,
};
use sluice_ports::{Kind, Result};

/// Greatest record of a stream that says nothing else, in KiB.
const DEFAULT_RECORD_KIB: i32 = 1024;

/// A stream as calls name it: by name or by ARN.
struct Named {
    name: Option<String>,
    arn: Option<String>,
}

impl Named {
    fn of(stream: &str) -> Self {
        let (stream, is_arn) = (Some(stream.to_owned()), stream.starts_with("arn:"));
        if is_arn { Self { name: None, arn: stream } } else { Self { name: stream, arn: None } }
    }
}

impl Doctor<'_> {
    /// The stream, whether it can be read, and its consumer.
    pub(super) async fn stream(&self, max_record_bytes: Option<u64>) -> Vec<Check> {
        let Some(kinesis) = &self.needs.kinesis else { return Vec::new() };
        let (stream, name) = (Named::of(&kinesis.stream), format!("stream `{}`", kinesis.stream));
        let summary = match self.describe(&stream, &name).await {
            Ok(Some(summary)) => summary,
            Ok(None) => return vec![Check::fail(name, "the answer describes nothing", "try again")],
            Err(error) => return vec![failed(name, &error)],
        };
        let mut checks = vec![state(&name, &summary), retention(&name, &summary)];
        checks.extend(max_record_bytes.and_then(|most| record_size(&name, &summary, most)));
        checks.push(match kinesis.fan_out {
            Some(_) => self.consumer(kinesis, &summary).await,
            None => self.reading(&stream, &name).await,
        });
        checks
    }

    async fn describe(&self, stream: &Named, what: &str) -> Result<Option<StreamDescriptionSummary>> {
        let call = || {
            let request = self.aws.kinesis().describe_stream_summary();
            request.set_stream_name(stream.name.clone()).set_stream_arn(stream.arn.clone()).send()
        };
        let found = retry(&self.retry, "DescribeStreamSummary", what, call).await?;
        Ok(found.stream_description_summary)
    }

    /// One read, as a run does it.
    async fn reading(&self, stream: &Named, name: &str) -> Check {
        let check = format!("{name}, reading");
        match self.read_once(stream, name).await {
            Ok(shards) => Check::ok(check, format!("{shards} shards listed, one of them read")),
            Err(error) => failed(check, &error),
        }
    }

    async fn read_once(&self, stream: &Named, what: &str) -> Result<usize> {
        let kinesis = self.aws.kinesis();
        let call =
            || kinesis.list_shards().set_stream_name(stream.name.clone()).set_stream_arn(stream.arn.clone()).send();
        let shards = retry(&self.retry, "ListShards", what, call).await?.shards.unwrap_or_default();
        let Some(shard) = shards.first() else { return Ok(0) };
        let call = || {
            let request = kinesis.get_shard_iterator().shard_id(&shard.shard_id);
            let request = request.set_stream_name(stream.name.clone()).set_stream_arn(stream.arn.clone());
            request.shard_iterator_type(ShardIteratorType::TrimHorizon).send()
        };
        let iterator = retry(&self.retry, "GetShardIterator", what, call).await?.shard_iterator;
        let call = || {
            let request = kinesis.get_records().limit(1).set_stream_arn(stream.arn.clone());
            request.set_shard_iterator(iterator.clone()).send()
        };
        retry(&self.retry, "GetRecords", what, call).await?;
        Ok(shards.len())
    }

    async fn consumer(&self, kinesis: &KinesisNeeds, summary: &StreamDescriptionSummary) -> Check {
        let consumer = kinesis.fan_out.clone().unwrap_or_default();
        let name = format!("consumer `{consumer}` of stream `{}`", kinesis.stream);
        let call = || {
            let request = self.aws.kinesis().describe_stream_consumer();
            request.stream_arn(&summary.stream_arn).consumer_name(&consumer).send()
        };
        match retry(&self.retry, "DescribeStreamConsumer", &name, call).await {
            Ok(found) => match found.consumer_description.map(|found| found.consumer_status) {
                Some(ConsumerStatus::Active) => Check::ok(name, "ACTIVE"),
                Some(status) => Check::warn(name, status.as_str(), "wait until it is ACTIVE"),
                None => Check::fail(name, "the answer describes nothing", "try again"),
            },
            Err(error) if error.kind == Kind::NotFound => Check::ok(name, "not registered; the first run registers it"),
            Err(error) => failed(name, &error),
        }
    }
}

fn state(name: &str, summary: &StreamDescriptionSummary) -> Check {
    let shards = summary.open_shard_count;
    let encryption = match summary.encryption_type {
        Some(EncryptionType::Kms) => format!("encrypted with `{}`", summary.key_id.as_deref().unwrap_or("a KMS key")),
        _ => "not encrypted at rest".to_owned(),
    };
    let found = format!("{}, {shards} open shards, {encryption}", summary.stream_status);
    match summary.stream_status {
        StreamStatus::Active | StreamStatus::Updating => Check::ok(name, found),
        _ => Check::fail(name, found, "wait until it is ACTIVE, or name another stream"),
    }
}

/// What a pipeline that stands still may take to come back.
fn retention(name: &str, summary: &StreamDescriptionSummary) -> Check {
    let (name, hours) = (format!("{name}, retention"), summary.retention_period_hours);
    match hours {
        ..=24 => Check::warn(
            name,
            format!("{hours} h: a pipeline that stands still for longer loses records"),
            "keep records longer (`aws kinesis increase-stream-retention-period`)",
        ),
        _ => Check::ok(name, format!("{hours} h")),
    }
}

/// Records that the stream takes and the pipeline does not. Nothing where all fit.
fn record_size(name: &str, summary: &StreamDescriptionSummary, most: u64) -> Option<Check> {
    let kib = summary.max_record_size_in_kib.unwrap_or(DEFAULT_RECORD_KIB);
    let bytes = u64::try_from(kib).unwrap_or_default() * 1024;
    (bytes > most).then(|| {
        Check::warn(
            format!("{name}, size of records"),
            format!("the stream takes {bytes} bytes, the pipeline {most}: longer ones are quarantined"),
            "raise `source.max_record_bytes` of the manifest",
        )
    })
}
