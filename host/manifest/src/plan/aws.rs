//! What an environment on AWS binds: where records come from, where rows go, by which names and roles.

use serde::Serialize;
use std::time::Duration;

/// An environment on AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AwsEnvironment {
    /// Region. Default: that of the standard AWS configuration.
    pub region: Option<String>,
    /// Profile of the standard AWS configuration.
    pub profile: Option<String>,
    /// Whether FIPS endpoints are used. Default: as the standard AWS configuration says.
    pub fips: Option<bool>,
    /// Whether dual-stack endpoints are used. Default: as the standard AWS configuration says.
    pub dual_stack: Option<bool>,
    /// Whether buckets stand in the path of S3 requests. Default: where an endpoint is overridden.
    pub path_style: Option<bool>,
    /// Where records come from.
    pub source: AwsSource,
    /// Delivery of silver through Firehose.
    pub delivery: Option<FirehoseSpec>,
    /// The lake.
    pub lake: S3Spec,
    /// The lease that keeps a second host out.
    pub lease: LeaseSpec,
    /// The warehouse.
    pub warehouse: Option<RedshiftSpec>,
}

/// Where records come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AwsSource {
    /// A data stream.
    Kinesis(KinesisSpec),
    /// Objects that land under a prefix.
    S3(S3SourceSpec),
}

/// A data stream as the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KinesisSpec {
    /// Name or ARN of the stream.
    pub stream: String,
    /// Where the first run starts.
    pub start: StartSpec,
    /// Name of the registered consumer that reads by enhanced fan-out. Nothing: by polling.
    pub fan_out: Option<String>,
    /// What becomes of records of an aggregate whose hash keys lie outside the shard.
    pub kpl_out_of_range: KplOutOfRange,
    /// What happens where the position to resume from is older than the stream's retention.
    pub expired: Expired,
    /// How often a shard that is caught up is asked. Default 1 s.
    pub poll: Duration,
}

/// Where the first run over a stream starts. Later runs resume from the last commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StartSpec {
    /// The oldest record that the stream holds (default).
    #[default]
    TrimHorizon,
    /// What arrives from the first start on.
    Latest,
    /// What arrived at this time or later: milliseconds since 1970-01-01T00:00:00 UTC.
    At(i64),
}

/// What becomes of records of a KPL aggregate whose hash keys lie outside the shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KplOutOfRange {
    /// Set aside, reason `kpl_outside_shard` (default).
    #[default]
    Quarantine,
    /// Taken as any other record; what the producer sends again comes twice.
    Deliver,
    /// Left out and counted.
    Drop,
}

/// What happens where a position is older than the retention of its stream: records are lost to this pipeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expired {
    /// The run stops with an alarm (default).
    #[default]
    Stop,
    /// The run goes on from the oldest record that is left, with an alarm.
    TrimHorizon,
}

/// Objects under a prefix as the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct S3SourceSpec {
    /// Bucket.
    pub bucket: String,
    /// Prefix, empty or ending with `/`.
    pub prefix: String,
    /// URL of the SQS queue that announces new objects. Nothing: the prefix is listed.
    pub queue: Option<String>,
}

/// Delivery of silver through Firehose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirehoseSpec {
    /// Name of the delivery stream.
    pub stream: String,
    /// Bucket that it delivers into.
    pub bucket: String,
    /// Prefix that it delivers under, up to the first expression; ends with `/`.
    pub prefix: String,
    /// Prefix of what it could not deliver, up to the first expression; ends with `/`.
    pub error_prefix: String,
    /// Columns whose values make a key with an order of its own. None: rows are ordered by their identity only.
    pub order_by: Vec<String>,
    /// Most MiB a second that are put. Nothing: as much as the stream takes.
    pub mib_per_second: Option<u32>,
    /// How long after the buffer interval an object may be missing before that is an alarm. Default 15 min.
    pub grace: Duration,
}

/// A lake in S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct S3Spec {
    /// Bucket.
    pub bucket: String,
    /// Prefix; ends with `/`.
    pub prefix: String,
    /// KMS key (id, ARN or alias) that objects are encrypted with. Nothing: as the bucket says.
    pub kms_key: Option<String>,
    /// Storage class of silver, gold, quarantine and bronze objects. Nothing: `STANDARD`.
    pub storage_class: Option<String>,
    /// Tags of objects, in the order of the manifest.
    pub tags: Vec<(String, String)>,
    /// Size that Parquet objects are steered to. Default 128 MiB.
    pub target_bytes: u64,
}

/// The lease of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaseSpec {
    /// How long a lease outlives its last heartbeat. 1 s to 10 min, default 30 s.
    pub ttl: Duration,
    /// DynamoDB table that holds it. Nothing: an object of the lake does.
    pub table: Option<String>,
}

impl Default for LeaseSpec {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(30), table: None }
    }
}

/// A warehouse in Redshift.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedshiftSpec {
    /// Identifier of a provisioned cluster. Either this or `workgroup` stands there.
    pub cluster: Option<String>,
    /// Name of a serverless workgroup.
    pub workgroup: Option<String>,
    /// Database.
    pub database: String,
    /// Schema. Default `public`.
    pub schema: String,
    /// Database user, of a provisioned cluster. Nothing: that of the caller's IAM identity.
    pub user: Option<String>,
    /// ARN of the secret that holds user and password.
    pub secret: Option<String>,
    /// Role that COPY reads S3 with: an ARN, or `default`.
    pub copy_role: String,
    /// Role that UNLOAD writes S3 with: an ARN, or `default`.
    pub unload_role: Option<String>,
    /// Which objects are loaded.
    pub load: LoadFrom,
    /// How often new objects are looked for. Default 1 min.
    pub every: Duration,
    /// Roles of the database that may select from the tables.
    pub grants: Vec<String>,
    /// Whether tables are created and widened where they are behind the schema. Default yes.
    pub create: bool,
    /// Bytes of a text column, where its table says nothing else. 1 to 65,535, default 4,096.
    pub varchar: u32,
    /// Tables about which the manifest says something, in its order.
    pub tables: Vec<RedshiftTable>,
}

impl RedshiftSpec {
    /// What is said about the table of an output: `silver`, `quarantine`, or the name of a gold.
    pub fn table(&self, output: &str) -> Option<&RedshiftTable> {
        self.tables.iter().find(|table| table.name == output)
    }
}

/// Which objects Redshift loads silver from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadFrom {
    /// The Parquet of the lake (default).
    #[default]
    Lake,
    /// What Firehose delivered.
    Firehose,
}

/// What a manifest says about one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RedshiftTable {
    /// Output: `silver`, `quarantine`, or the name of a gold.
    pub name: String,
    /// Name of the table. Nothing: that of the output.
    pub table: Option<String>,
    /// Distribution key. Nothing: Redshift chooses.
    pub dist_key: Option<String>,
    /// Sort key, compound, in this order.
    pub sort_key: Vec<String>,
    /// Bytes of single text columns.
    pub varchar: Vec<(String, u32)>,
}
