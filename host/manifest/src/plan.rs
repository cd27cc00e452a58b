//! The checked plan: a manifest that holds together, with every default filled in.
//!
//! A plan says what is done; where it runs (folders, streams) stands apart in [`Environment`] and does not enter the
//! plan's digest.

mod aws;
mod guard;
mod rollout;

pub use aws::{
    AwsEnvironment, AwsSource, Expired, FirehoseSpec, KinesisSpec, KplOutOfRange, LeaseSpec, LoadFrom, RedshiftSpec,
    RedshiftTable, S3SourceSpec, S3Spec, StartSpec,
};
pub use guard::{GuardLayer, GuardPlan, OnHit, PiiKind};
pub use rollout::{BreakerPlan, CanaryPlan, OnFailure, ProbationPlan, RolloutPlan};

use serde::{Deserialize, Serialize};
use sluice_batch::{ColumnType, Field, digest_hex};
use sluice_ports::RuleKind;
use std::path::PathBuf;
use std::time::Duration;

/// What a dataset goes through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the dataset: lower-case letters, digits and `-`, at most 64 bytes.
    pub dataset: String,
    /// How records look as they arrive.
    pub format: Format,
    /// Longest record in bytes; a longer one is quarantined. 1 KiB to 10 MiB, default 1 MiB.
    pub max_record_bytes: usize,
    /// What becomes of fields that the schema does not name.
    pub unknown_fields: UnknownFields,
    /// Columns as they arrive, in the order of silver.
    pub schema: Vec<SchemaColumn>,
    /// Steps, in order.
    pub steps: Vec<StepPlan>,
    /// The silver layer.
    pub silver: SilverPlan,
    /// The bronze layer.
    pub bronze: BronzePlan,
    /// How records that a producer sent twice are recognised, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup: Option<DedupPlan>,
    /// Aggregates.
    pub gold: Vec<GoldPlan>,
    /// How far an event time may lie ahead of the arrival. Default 1 day.
    pub max_ahead: Duration,
    /// When a segment closes.
    pub segment: SegmentPlan,
    /// When a batch closes.
    pub batch: BatchPlan,
    /// Where the key of pseudonyms comes from.
    pub token: Option<KeySource>,
    /// Reference tables, in the order of the manifest.
    pub lookups: Vec<LookupPlan>,
    /// Personal data that may not leave in the clear.
    pub guard: Option<GuardPlan>,
    /// When a rule that keeps failing is parked.
    pub breaker: BreakerPlan,
    /// How a new version is taken up. It does not decide what objects hold, so it is no part of the plan's JSON.
    #[serde(skip)]
    pub rollout: RolloutPlan,
    /// Public keys of which one must have signed every rule, as `ed25519:` and the key in base64. None: rules need no
    /// signature. No part of the plan's JSON either.
    #[serde(skip)]
    pub trust: Vec<String>,
}

impl Plan {
    /// SHA-256 of the plan as JSON, 64 hexadecimal digits. The same for two manifests that say the same, whatever their
    /// comments, spacing and order of keys; a plan holds lists only, so its JSON has one form.
    pub fn digest(&self) -> String {
        digest_hex(&serde_json::to_vec(self).expect("a plan is plain data"))
    }
}

/// How records look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "snake_case")]
pub enum Format {
    /// JSON.
    Json {
        /// How one record is told from the next.
        records: JsonRecords,
    },
    /// Comma-separated values after RFC 4180.
    Csv {
        /// Separator of fields, one ASCII byte. Default `,`.
        delimiter: u8,
        /// Quotation mark, one ASCII byte. Default `"`.
        quote: u8,
        /// Names of the columns: in the first line, or given.
        header: CsvHeader,
        /// Whether an empty field is null (default) or an empty text.
        empty_is_null: bool,
    },
}

/// How JSON records are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonRecords {
    /// One on each line (NDJSON). Blank lines are no records.
    Lines,
    /// Elements of one array.
    Array,
    /// The whole file is one record.
    File,
}

/// Where the names of CSV columns stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CsvHeader {
    /// In the first line.
    FirstLine,
    /// In the manifest.
    Names(Vec<String>),
}

/// What becomes of fields that the schema does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownFields {
    /// They are left out (default).
    Drop,
    /// They are kept as one JSON object in the text column `_extra`.
    Extra,
    /// The record is quarantined, reason `unknown_field`.
    Reject,
}

/// A column as it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaColumn {
    /// Name in silver, lower case.
    pub name: String,
    /// Field that it comes from: names joined by points; `$` is the whole record. Default: the name.
    pub from: String,
    /// Type as it arrives.
    pub ty: ColumnType,
    /// Whether the text is any JSON value (`type: json`): its source text is kept.
    pub json: bool,
    /// What personal data it holds (`email`, `phone`, `name`, ... any word).
    pub pii: Option<String>,
}

impl SchemaColumn {
    /// As a field.
    pub fn field(&self) -> Field {
        Field::new(&self.name, self.ty)
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepPlan {
    /// Label, unique among the steps: the rule's name, with `-2` and so on where it repeats, or as given by `name:`.
    pub label: String,
    /// What it runs.
    pub what: StepWhat,
    /// Whether rejected rows are set aside (default) or left out on purpose.
    pub otherwise: Otherwise,
    /// What becomes of rows while the breaker has parked the step. Never [`OnFailure::Stop`] of a redactor.
    pub on_failure: OnFailure,
}

/// What a step runs.
#[allow(clippy::large_enum_variant)] // a plan has at most 256 steps
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepWhat {
    /// A rule.
    Rule(RuleUse),
    /// A SQL condition; rows for which it is false are rejected.
    Check {
        /// The condition.
        sql: String,
        /// Reason code.
        reason: String,
    },
}

/// What becomes of rejected rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// Set aside with reasons (default).
    Quarantine,
    /// Left out on purpose and counted.
    Filter,
}

/// A rule, what it is granted, and its configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleUse {
    /// Kind, from the verb of the step.
    pub kind: RuleKind,
    /// Name.
    pub name: String,
    /// Range of versions, as in Cargo (`^1`, `>=1.2, <2`).
    pub version: String,
    /// Columns it may read.
    pub reads: Vec<String>,
    /// Columns it may write.
    pub writes: Vec<String>,
    /// Capabilities it may import: `lookup`, `token`, `log`.
    pub grants: Vec<String>,
    /// Reference tables it may look into: some where it is granted `lookup`, else none.
    pub lookups: Vec<String>,
    /// Its configuration, as JSON text.
    pub config: String,
    /// Its limits.
    pub limits: Limits,
}

/// Limits of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Linear memory. 1 MiB to 1 GiB, default 64 MiB.
    pub memory_bytes: usize,
    /// Processor time of one call. 1 ms to 60 s, default 250 ms.
    pub deadline: Duration,
    /// What one answer may hold. 64 KiB to 256 MiB, default 64 MiB.
    pub output_bytes: usize,
    /// What one answer may hold, in times of what went in; 1 MiB more is always allowed, and never more than
    /// `output_bytes`. 1 to 1,000, default 16.
    pub output_ratio: u32,
    /// Elements that each table of the rule's code may grow to. 0 to 20,000, default 10,000.
    pub table_elements: usize,
    /// Lines that one call may log. 0 to 10,000, default 100.
    pub log_lines: usize,
    /// Bytes that one call may log. 0 to 1 MiB, default 10 KiB.
    pub log_bytes: usize,
    /// Size of the rule's file. 1 KiB to 64 MiB, default 16 MiB.
    pub component_bytes: usize,
    /// Processor time of compiling it. 1 s to 5 min, default 30 s.
    pub compile_time: Duration,
    /// Memory of the process that compiles it. 128 MiB to 8 GiB, default 1 GiB.
    pub compile_memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            deadline: Duration::from_millis(250),
            output_bytes: 64 << 20,
            output_ratio: 16,
            table_elements: 10_000,
            log_lines: 100,
            log_bytes: 10 << 10,
            component_bytes: 16 << 20,
            compile_time: Duration::from_secs(30),
            compile_memory_bytes: 1 << 30,
        }
    }
}

/// The silver layer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilverPlan {
    /// Hive-style partitions, outermost first.
    pub partition_by: Vec<Partition>,
}

/// The bronze layer: records as they arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BronzePlan {
    /// Whether it is kept. Default no.
    pub enabled: bool,
    /// Where the key comes from that it is encrypted with. There where `enabled` and a column holds personal data.
    pub encrypt: Option<KeySource>,
}

/// One level of partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Column.
    pub column: String,
    /// What of it.
    pub of: PartitionOf,
}

impl Partition {
    /// Name before the `=` in the folder: the column, or `year`, `month`, `day`, `hour`.
    pub fn key(&self) -> &str {
        match self.of {
            PartitionOf::Value => &self.column,
            PartitionOf::Year => "year",
            PartitionOf::Month => "month",
            PartitionOf::Day => "day",
            PartitionOf::Hour => "hour",
        }
    }
}

/// What of a column makes a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionOf {
    /// The value.
    Value,
    /// `2010`, of a timestamp or date.
    Year,
    /// `2010-12`, of a timestamp or date.
    Month,
    /// `2010-12-01`, of a timestamp or date.
    Day,
    /// `2010-12-01T08`, of a timestamp.
    Hour,
}

/// An aggregate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoldPlan {
    /// Name of folder and table: lower-case letters, digits and `_`.
    pub name: String,
    /// The aggregator. Its `writes` are the outputs it may add.
    pub rule: RuleUse,
    /// Columns whose values make a group.
    pub keys: Vec<String>,
    /// The windows.
    pub window: WindowPlan,
}

/// Tumbling windows over event time. Window n covers [n * width, (n + 1) * width) since the epoch, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowPlan {
    /// Width.
    pub width: Duration,
    /// Timestamp or date column that holds the event time.
    pub on: String,
    /// How long after its end, in event time, a window still takes rows. Default 0.
    pub lateness: Duration,
    /// What becomes of rows that come later.
    pub late: Late,
    /// A shard that gives nothing for so long holds no window open. Default 5 minutes.
    pub idle: Duration,
}

/// What becomes of late rows. They are in silver in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// Counted (default).
    Drop,
    /// Counted and written to `late/NAME`.
    Output,
}

/// How records that a producer sent twice are recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupPlan {
    /// Columns of silver whose values are the same.
    pub columns: Vec<String>,
    /// How long after the first a double may arrive. Default 10 minutes.
    pub window: Duration,
    /// Keys remembered of each shard at most. Default 1,000,000.
    pub keys: usize,
}

/// When a segment closes: at the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentPlan {
    /// Bytes read. Default 128 MiB.
    pub bytes: u64,
    /// Records read. Default 1,000,000.
    pub rows: u64,
    /// Age. Default 60 s.
    pub age: Duration,
}

impl Default for SegmentPlan {
    fn default() -> Self {
        Self { bytes: 128 << 20, rows: 1_000_000, age: Duration::from_secs(60) }
    }
}

/// When a batch closes: at the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPlan {
    /// Records. 1 to 65,536, default 4,096.
    pub rows: usize,
    /// Bytes. Default 4 MiB.
    pub bytes: usize,
    /// Age, where records come slowly. Default 1 s.
    pub age: Duration,
}

impl Default for BatchPlan {
    fn default() -> Self {
        Self { rows: 4096, bytes: 4 << 20, age: Duration::from_secs(1) }
    }
}

/// A reference table that rules may look into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupPlan {
    /// Name, unique.
    pub name: String,
    /// File that holds it (CSV or Parquet, by extension), as the manifest names it (relative to the manifest).
    pub file: PathBuf,
    /// Columns whose values together name a row; no two rows have the same.
    pub key: Vec<String>,
    /// Columns that rules may take values from. None: the table only says which keys there are.
    pub columns: Vec<String>,
}

/// Where a key comes from. The environment goes first. The key itself never stands in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySource {
    /// Environment variable that holds it.
    pub key_env: Option<String>,
    /// File that holds it, as the manifest names it (relative to the manifest).
    pub key_file: Option<PathBuf>,
}

/// Where a pipeline runs: bindings of one environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// Name of the environment.
    pub name: String,
    /// File or folder that is the source, resolved against the manifest's folder.
    pub input: Option<PathBuf>,
    /// Compression of the input files.
    pub compression: Compression,
    /// Folder of the lake, resolved against the manifest's folder.
    pub data_dir: Option<PathBuf>,
    /// What it binds on AWS. Nothing for `local`.
    pub aws: Option<AwsEnvironment>,
}

/// Compression of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// By the first bytes of each file (default).
    #[default]
    Auto,
    /// Plain.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}
