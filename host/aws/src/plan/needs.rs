//! What a pipeline names of an account.

use serde::{Deserialize, Serialize};

/// What one environment of a pipeline names. Names are taken as checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Name of the dataset: part of the names of roles.
    pub dataset: String,
    /// Region, where it is known.
    #[serde(default)]
    pub region: Option<String>,
    /// Account number, where it is known.
    #[serde(default)]
    pub account: Option<String>,
    /// The data stream that is the source.
    #[serde(default)]
    pub kinesis: Option<KinesisNeeds>,
    /// The bucket that is the source.
    #[serde(default)]
    pub s3_source: Option<S3SourceNeeds>,
    /// The delivery stream.
    #[serde(default)]
    pub firehose: Option<FirehoseNeeds>,
    /// The lake.
    pub lake: LakeNeeds,
    /// The DynamoDB table of the lease, where an object of the lake does not hold it.
    #[serde(default)]
    pub lease_table: Option<String>,
    /// The warehouse.
    #[serde(default)]
    pub redshift: Option<RedshiftNeeds>,
}

/// A data stream as the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KinesisNeeds {
    /// Name or ARN. One named by ARN is somebody else's: it is used and not made.
    pub stream: String,
    /// Name of the consumer that reads by enhanced fan-out.
    #[serde(default)]
    pub fan_out: Option<String>,
}

/// Objects under a prefix as the source. Bucket and queue are somebody else's: they are used and not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3SourceNeeds {
    /// Bucket.
    pub bucket: String,
    /// Prefix, empty or ending with `/`.
    #[serde(default)]
    pub prefix: String,
    /// URL of the queue that announces objects.
    #[serde(default)]
    pub queue: Option<String>,
}

/// A delivery stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirehoseNeeds {
    /// Name.
    pub stream: String,
    /// Bucket that it delivers into.
    pub bucket: String,
    /// Prefix of what it delivers; ends with `/`.
    pub prefix: String,
    /// Prefix of what it cannot deliver; ends with `/`.
    pub error_prefix: String,
}

/// The lake.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LakeNeeds {
    /// Bucket.
    pub bucket: String,
    /// Prefix; ends with `/`.
    pub prefix: String,
    /// KMS key (id, ARN or alias) that objects are encrypted with.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// Whether objects are given tags.
    #[serde(default)]
    pub tagged: bool,
}

/// The warehouse. It is used and not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedshiftNeeds {
    /// Where it runs.
    pub target: RedshiftTarget,
    /// Database.
    pub database: String,
    /// User, where one is named.
    #[serde(default)]
    pub user: Option<String>,
    /// ARN of the secret that holds user and password.
    #[serde(default)]
    pub secret: Option<String>,
    /// Role of COPY: an ARN, or `default`.
    pub copy_role: String,
    /// Role of UNLOAD: an ARN, or `default`.
    #[serde(default)]
    pub unload_role: Option<String>,
    /// Whether silver is loaded from what Firehose delivers.
    #[serde(default)]
    pub load_from_firehose: bool,
}

/// Where a warehouse runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedshiftTarget {
    /// A provisioned cluster, by its identifier.
    Cluster(String),
    /// A serverless workgroup, by its name.
    Workgroup(String),
}

impl KinesisNeeds {
    /// Whether the stream is made with the pipeline.
    pub(super) fn is_own(&self) -> bool {
        !self.stream.starts_with("arn:")
    }
}
