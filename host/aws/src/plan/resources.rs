//! What has to be there.

use super::document::Value;
use super::needs::Needs;
use super::roles::{log_group, roles, stream_arn};
use super::text::{Part, Text};

/// Days after which parts of an upload that was never ended are thrown away. An upload of the host lasts minutes.
pub(super) const ABORT_DAYS: u64 = 2;
/// Bytes (in MiB) and seconds after which Firehose writes an object: the size that Redshift loads well, and a minute.
pub(super) const BUFFER_MIB: u64 = 64;
pub(super) const BUFFER_SECONDS: u64 = 60;
/// Hours that a stream keeps records: how long the pipeline may stand still and lose nothing.
pub(super) const RETENTION_HOURS: u64 = 168;
/// Key of the lease table.
pub(super) const LEASE_KEY: &str = "lease";

/// One thing that has to be there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resource {
    /// A data stream.
    Stream {
        /// Name.
        name: String,
    },
    /// A consumer that is registered with a stream.
    Consumer {
        /// Name.
        name: String,
        /// ARN of the stream.
        stream: Text,
    },
    /// A bucket, with the prefixes below which uploads that were never ended are thrown away.
    Bucket {
        /// Which it is: `lake`, or `delivery` where that is another.
        id: &'static str,
        /// Name.
        name: String,
        /// Prefixes.
        prefixes: Vec<String>,
    },
    /// A delivery stream.
    Delivery(Delivery),
    /// The DynamoDB table of the lease.
    LeaseTable {
        /// Name.
        name: String,
    },
}

/// A delivery stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delivery {
    /// Name.
    pub(super) name: String,
    /// Log group.
    pub(super) log_group: String,
    /// Bucket.
    pub(super) bucket: String,
    /// Prefix of what it delivers.
    pub(super) prefix: String,
    /// Prefix of what it cannot deliver, with the expression that Firehose asks for.
    pub(super) error_prefix: String,
    /// Its role.
    pub(super) role: Text,
    /// ARN of the key that it encrypts with.
    pub(super) key: Option<Text>,
}

/// All of them, in the order in which they can be made.
pub(super) fn resources(needs: &Needs) -> Vec<Resource> {
    let mut all = Vec::new();
    if let Some(kinesis) = &needs.kinesis {
        if kinesis.is_own() {
            all.push(Resource::Stream { name: kinesis.stream.clone() });
        }
        let stream = stream_arn(kinesis);
        all.extend(kinesis.fan_out.clone().map(|name| Resource::Consumer { name, stream }));
    }
    all.extend(buckets(needs));
    all.extend(delivery(needs));
    all.extend(needs.lease_table.clone().map(|name| Resource::LeaseTable { name }));
    all
}

fn buckets(needs: &Needs) -> Vec<Resource> {
    let lake = (needs.lake.bucket.clone(), vec![needs.lake.prefix.clone()]);
    let delivered = needs
        .firehose
        .as_ref()
        .map(|firehose| (firehose.bucket.clone(), vec![firehose.prefix.clone(), firehose.error_prefix.clone()]));
    let bucket = |id, (name, prefixes)| Resource::Bucket { id, name, prefixes };
    match delivered {
        Some((name, prefixes)) if name == lake.0 => vec![bucket("lake", (name, [lake.1, prefixes].concat()))],
        Some(delivered) => vec![bucket("lake", lake), bucket("delivery", delivered)],
        None => vec![bucket("lake", lake)],
    }
}

fn delivery(needs: &Needs) -> Option<Resource> {
    let firehose = needs.firehose.as_ref()?;
    let role = roles(needs).into_iter().find(|role| role.id == "firehose")?;
    let key = needs.lake.kms_key.as_ref().filter(|key| firehose.bucket == needs.lake.bucket && !is_alias(key));
    Some(Resource::Delivery(Delivery {
        name: firehose.stream.clone(),
        log_group: log_group(firehose),
        bucket: firehose.bucket.clone(),
        prefix: firehose.prefix.clone(),
        error_prefix: format!("{}!{{firehose:error-output-type}}/", firehose.error_prefix),
        role: role.arn(),
        key: key
            .map(|key| if key.starts_with("arn:") { Text::plain(key) } else { Text::arn("kms", format!("key/{key}")) }),
    }))
}

/// Firehose takes a key by its ARN only; with an alias the bucket's own encryption holds.
fn is_alias(key: &str) -> bool {
    key.starts_with("alias/") || key.contains(":alias/")
}

impl Resource {
    /// As a document: kind, name, ARN and settings.
    pub(super) fn document(&self) -> Value {
        match self {
            Self::Stream { name } => stream_document(name),
            Self::Consumer { name, stream } => {
                let mut arn = stream.clone();
                arn.0.push(Part::Plain(format!("/consumer/{name}")));
                document("kinesis stream consumer", name, arn, [("stream", stream.clone().into())])
            }
            Self::Bucket { name, prefixes, .. } => bucket_document(name, prefixes),
            Self::Delivery(delivery) => delivery_document(delivery),
            Self::LeaseTable { name } => {
                let arn = Text::arn("dynamodb", format!("table/{name}"));
                let key = Value::map([(LEASE_KEY, Value::text("S"))]);
                document("dynamodb table", name, arn, [("hash_key", key)])
            }
        }
    }
}

fn stream_document(name: &str) -> Value {
    let settings = [
        ("mode", Value::text("ON_DEMAND")),
        ("retention_hours", Value::Number(RETENTION_HOURS)),
        ("encryption", Value::text("alias/aws/kinesis")),
    ];
    document("kinesis stream", name, Text::arn("kinesis", format!("stream/{name}")), settings)
}

fn delivery_document(delivery: &Delivery) -> Value {
    let name = &delivery.name;
    let mut settings = vec![
        ("source", Value::text("DirectPut")),
        ("role", delivery.role.clone().into()),
        ("bucket", Text::s3(&delivery.bucket).into()),
        ("prefix", Value::text(&delivery.prefix)),
        ("error_prefix", Value::text(&delivery.error_prefix)),
        ("compression", Value::text("GZIP")),
        ("buffer_mib", Value::Number(BUFFER_MIB)),
        ("buffer_seconds", Value::Number(BUFFER_SECONDS)),
        ("log_group", Value::text(&delivery.log_group)),
    ];
    settings.extend(delivery.key.clone().map(|key| ("kms_key", key.into())));
    document("firehose delivery stream", name, Text::arn("firehose", format!("deliverystream/{name}")), settings)
}

fn bucket_document(name: &str, prefixes: &[String]) -> Value {
    let rule = |prefix: &String| {
        Value::map([
            ("prefix", Value::text(prefix)),
            ("abort_incomplete_multipart_upload_days", Value::Number(ABORT_DAYS)),
        ])
    };
    let rules = Value::List(prefixes.iter().map(rule).collect());
    let settings = [("public_access", Value::text("blocked")), ("lifecycle_rules", rules)];
    document("s3 bucket", name, Text::s3(name), settings)
}

fn document<'a>(kind: &str, name: &str, arn: Text, settings: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::map([
        ("kind", Value::text(kind)),
        ("name", Value::text(name)),
        ("arn", arn.into()),
        ("settings", Value::map(settings)),
    ])
}
