//! What CreateDeliveryStream says, checked.

use super::prefix::Prefix;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A delivery stream as a test or the command makes it, without the words of the API.
#[derive(Debug, Clone, Default)]
pub struct StreamSpec {
    /// The name of the stream.
    pub name: String,
    /// The bucket that it writes to.
    pub bucket: String,
    /// The prefix of its objects, with expressions; none: the time of arrival.
    pub prefix: Option<String>,
    /// The prefix of what failed.
    pub error_prefix: Option<String>,
    /// The buffer's size that makes an object, in MiB. Default: 5, as with AWS.
    pub size_mib: Option<u64>,
    /// The buffer's age that makes an object, in seconds. Default: 300, as with AWS.
    pub interval_seconds: Option<u64>,
    /// Whether objects are packed with gzip.
    pub gzip: bool,
}

impl StreamSpec {
    /// The call of the API that makes this stream.
    pub(super) fn call(&self) -> Value {
        let mut destination = Map::new();
        destination.insert("RoleARN".to_owned(), "arn:aws:iam::000000000000:role/firehose".into());
        destination.insert("BucketARN".to_owned(), format!("arn:aws:s3:::{}", self.bucket).into());
        destination.insert("CompressionFormat".to_owned(), if self.gzip { "GZIP" } else { "UNCOMPRESSED" }.into());
        let hints = json!({ "SizeInMBs": self.size_mib, "IntervalInSeconds": self.interval_seconds });
        destination.insert("BufferingHints".to_owned(), hints);
        let prefixes = [("Prefix", &self.prefix), ("ErrorOutputPrefix", &self.error_prefix)];
        for (name, prefix) in prefixes {
            destination.extend(prefix.as_ref().map(|prefix| (name.to_owned(), prefix.as_str().into())));
        }
        json!({ "DeliveryStreamName": self.name, "ExtendedS3DestinationConfiguration": destination })
    }
}

/// The call CreateDeliveryStream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateCall {
    pub(super) delivery_stream_name: String,
    pub(super) delivery_stream_type: Option<String>,
    pub(super) kinesis_stream_source_configuration: Option<Value>,
    pub(super) extended_s3_destination_configuration: Option<Map<String, Value>>,
}

/// The part of a destination that this server acts on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    #[serde(rename = "BucketARN")]
    bucket_arn: String,
    prefix: Option<String>,
    error_output_prefix: Option<String>,
    buffering_hints: Option<Hints>,
    compression_format: Option<String>,
    dynamic_partitioning_configuration: Option<Switch>,
}

#[derive(Debug, Default, Deserialize)]
struct Hints {
    #[serde(rename = "SizeInMBs")]
    size: Option<u64>,
    #[serde(rename = "IntervalInSeconds")]
    interval: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Switch {
    enabled: Option<bool>,
}

/// How a stream buffers and where it writes.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) bucket: String,
    pub(super) prefix: Prefix,
    pub(super) error_prefix: Prefix,
    pub(super) size_bytes: u64,
    pub(super) interval: Duration,
    pub(super) gzip: bool,
    /// The destination as DescribeDeliveryStream shows it.
    pub(super) described: Map<String, Value>,
}

impl Settings {
    /// Checks a destination by the rules of
    /// <https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html>.
    pub(super) fn check(configuration: Map<String, Value>) -> Result<Self, String> {
        let wrong = |error| format!("ExtendedS3DestinationConfiguration: {error}");
        let destination = Destination::deserialize(Value::Object(configuration.clone())).map_err(wrong)?;
        let arn = &destination.bucket_arn;
        let bucket =
            arn.strip_prefix("arn:aws:s3:::").ok_or_else(|| format!("BucketARN `{arn}` is no bucket's ARN"))?;
        let partitions =
            destination.dynamic_partitioning_configuration.is_some_and(|switch| switch.enabled == Some(true));
        let hints = destination.buffering_hints.unwrap_or_default();
        let (size, interval) = (hints.size.unwrap_or(if partitions { 64 } else { 5 }), hints.interval.unwrap_or(300));
        if !(1..=128).contains(&size) || interval > 900 || partitions && size < 64 {
            return Err(format!("BufferingHints of {size} MB and {interval} s are out of range"));
        }
        let gzip = match destination.compression_format.as_deref() {
            None | Some("UNCOMPRESSED") => false,
            Some("GZIP") => true,
            Some(other) => return Err(format!("CompressionFormat `{other}` is not known to this server")),
        };
        let objects = destination.prefix.as_deref();
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: Prefix::of_objects(objects)?,
            error_prefix: Prefix::of_errors(destination.error_output_prefix.as_deref(), objects)?,
            size_bytes: size << 20,
            interval: Duration::from_secs(interval),
            gzip,
            described: described(configuration, (size, interval), gzip),
        })
    }
}

fn described(mut destination: Map<String, Value>, hints: (u64, u64), gzip: bool) -> Map<String, Value> {
    let format = if gzip { "GZIP" } else { "UNCOMPRESSED" };
    destination.insert("CompressionFormat".to_owned(), format.into());
    let hints = json!({ "SizeInMBs": hints.0, "IntervalInSeconds": hints.1 });
    destination.insert("BufferingHints".to_owned(), hints);
    let encryption = json!({ "NoEncryptionConfig": "NoEncryption" });
    destination.entry("EncryptionConfiguration").or_insert(encryption);
    destination.entry("RoleARN").or_insert("arn:aws:iam::000000000000:role/firehose".into());
    destination.entry("S3BackupMode").or_insert("Disabled".into());
    destination
}
