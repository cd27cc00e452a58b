//! Keys of an environment on AWS.

use super::{COLUMNS, DAY, GIB, MIB, SECOND, object};
use crate::names;
use crate::names::aws;
use crate::shape::{Key, Shape, Value};

const MINUTE: u64 = 60 * SECOND;

/// Bytes that a VARCHAR can hold (<https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html>).
const MAX_VARCHAR: u64 = 65_535;

/// Tags that an object can have (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>).
const MAX_TAGS: usize = 10;

/// Roles that one manifest grants its tables to.
const MAX_GRANTS: usize = 100;

/// Tables of one manifest: silver, quarantine and each gold.
const MAX_TABLES: usize = super::MAX_STEPS + 2;

/// An environment on AWS.
pub(crate) static AWS: Shape = Shape {
    name: "AWS environment",
    doc: "AWS: a stream or a bucket as the source, a bucket as the lake, Firehose and Redshift by choice. Credentials \
        come from the standard AWS configuration and never stand in a manifest.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("region", Value::Text(&aws::REGION), "Region. Default: that of the standard AWS configuration."),
        Key::new(
            "profile",
            Value::Text(&names::FREE),
            "Profile of the standard AWS configuration. Default: as that configuration says.",
        ),
        Key::new("fips", Value::Flag, "Whether FIPS endpoints are used. Default: as the AWS configuration says."),
        Key::new(
            "dual_stack",
            Value::Flag,
            "Whether dual-stack endpoints are used. Default: as the AWS configuration says.",
        ),
        Key::new(
            "path_style",
            Value::Flag,
            "Whether buckets stand in the path of S3 requests. Default: only where the endpoint is overridden.",
        ),
        Key::new("source", object(&SOURCE), "Where records come from.").required(),
        Key::new("delivery", object(&DELIVERY), "Where silver goes besides the lake."),
        Key::new("lake", object(&LAKE), "Where bronze, silver, gold, quarantine and the commits lie.").required(),
        Key::new("lease", object(&LEASE), "What keeps a second host from working on the same pipeline."),
        Key::new("warehouse", object(&WAREHOUSE), "Where the tables are."),
    ],
};

static SOURCE: Shape = Shape {
    name: "source of records",
    doc: "Where records come from: a data stream, or objects that land under a prefix.",
    one_of: &["kinesis", "s3"],
    any_of: &[],
    keys: &[
        Key::new("kinesis", object(&KINESIS), "A data stream of Kinesis."),
        Key::new("s3", object(&S3_SOURCE), "Objects under a prefix of S3."),
    ],
};

static KINESIS: Shape = Shape {
    name: "data stream",
    doc: "A data stream of Kinesis as the source.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("stream", Value::Text(&aws::STREAM), "Name or ARN of the stream.").required(),
        Key::new(
            "start",
            Value::Text(&aws::START),
            "Where the first run starts: `trim_horizon` (the oldest record there is), `latest` (what arrives from then \
            on), or a time. Later runs go on from the last commit.",
        )
        .or("trim_horizon"),
        Key::new(
            "fan_out",
            Value::Text(&aws::CONSUMER),
            "Name of a registered consumer: the stream is read by enhanced fan-out. Default: by polling.",
        ),
        Key::new(
            "kpl_out_of_range",
            Value::Choice(&[
                ("quarantine", "set aside, reason `kpl_outside_shard`"),
                ("deliver", "taken as any other; what a producer sends again can come twice"),
                ("drop", "left out and counted"),
            ]),
            "What becomes of records of a KPL aggregate whose hash key lies outside the shard.",
        )
        .or("quarantine"),
        Key::new(
            "expired",
            Value::Choice(&[
                ("stop", "stop with an alarm"),
                ("trim_horizon", "go on from the oldest record that is left, with an alarm"),
            ]),
            "What happens where the position to go on from is older than the stream's retention: records are lost to \
            this pipeline.",
        )
        .or("stop"),
        Key::new(
            "poll",
            Value::Time { min: 200, max: MINUTE },
            "How often a shard that is caught up is asked. All consumers of a shard share five reads a second.",
        )
        .or("1s"),
    ],
};

static S3_SOURCE: Shape = Shape {
    name: "bucket source",
    doc: "Objects that land under a prefix of S3 as the source. What Sluice writes itself is never read.",
    one_of: &[],
    any_of: &[],
    keys: &[
        BUCKET,
        Key::new("prefix", Value::Text(&aws::PREFIX), "Prefix, ending with `/`. Default: the whole bucket."),
        Key::new(
            "queue",
            Value::Text(&aws::QUEUE),
            "URL of the SQS queue that announces new objects. Default: the prefix is listed.",
        ),
    ],
};

const BUCKET: Key = Key::new("bucket", Value::Text(&aws::BUCKET), "Bucket.").required();

static DELIVERY: Shape = Shape {
    name: "delivery",
    doc: "Where silver goes besides the lake.",
    one_of: &[],
    any_of: &[],
    keys: &[Key::new("firehose", object(&FIREHOSE), "A delivery stream of Firehose that writes to S3.").required()],
};

static FIREHOSE: Shape = Shape {
    name: "delivery stream",
    doc: "Delivery of silver through Firehose (direct put) into S3, as JSON lines.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("stream", Value::Text(&aws::DELIVERY_STREAM), "Name of the delivery stream.").required(),
        BUCKET,
        Key::new(
            "prefix",
            Value::Text(&aws::PREFIX),
            "Prefix that the delivery stream writes under, as far as it is fixed; ends with `/`.",
        )
        .required(),
        Key::new(
            "error_prefix",
            Value::Text(&aws::PREFIX),
            "Prefix of what it could not deliver, as far as it is fixed; ends with `/`. Anything there is an alarm.",
        )
        .required(),
        Key::new(
            "order_by",
            COLUMNS,
            "Columns whose values make a key: rows of one key arrive in order. Default: none, the order is that of \
            `_sluice_id`.",
        ),
        Key::new(
            "mib_per_second",
            Value::Count { min: 1, max: 10_000 },
            "Most MiB a second that are put. Default: as much as the delivery stream takes.",
        ),
        Key::new(
            "grace",
            Value::Time { min: MINUTE, max: DAY },
            "How long after its buffer interval the delivery stream may owe a row before that is an alarm.",
        )
        .or("15m"),
    ],
};

static LAKE: Shape = Shape {
    name: "lake",
    doc: "Where bronze, silver, gold, quarantine and the commits lie.",
    one_of: &[],
    any_of: &[],
    keys: &[Key::new("s3", object(&S3), "A prefix of S3, of this dataset alone.").required()],
};

static S3: Shape = Shape {
    name: "lake in S3",
    doc: "A prefix of S3 as the lake. It belongs to one dataset.",
    one_of: &[],
    any_of: &[],
    keys: &[
        BUCKET,
        Key::new("prefix", Value::Text(&aws::PREFIX), "Prefix, ending with `/`.").required(),
        Key::new(
            "kms_key",
            Value::Text(&aws::KMS_KEY),
            "KMS key that objects are encrypted with: id, ARN or alias. Default: as the bucket says.",
        ),
        Key::new(
            "storage_class",
            Value::Choice(&[
                ("STANDARD", "the usual one"),
                ("INTELLIGENT_TIERING", "moved by use"),
                ("STANDARD_IA", "seldom read"),
                ("ONEZONE_IA", "seldom read, one zone"),
                ("GLACIER_IR", "archive that can be read at once"),
            ]),
            "Storage class of data; commits and other small objects are always in `STANDARD`.",
        )
        .or("STANDARD"),
        Key::new(
            "tags",
            Value::Named { name: &aws::TAG_KEY, of: &Value::Text(&aws::TAG_VALUE), min: 0, max: MAX_TAGS },
            "Tags of objects. Default: none.",
        ),
        Key::new(
            "target_bytes",
            Value::Size { min: MIB, max: GIB },
            "Size that Parquet objects are steered to; a segment that holds less makes a smaller one.",
        )
        .or("128MiB"),
    ],
};

static LEASE: Shape = Shape {
    name: "lease",
    doc: "What keeps a second host from working on the same pipeline.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new(
            "ttl",
            Value::Time { min: SECOND, max: 10 * MINUTE },
            "How long a lease outlives the last sign of life of its host; then another may take over.",
        )
        .or("30s"),
        Key::new(
            "table",
            Value::Text(&aws::DYNAMO_TABLE),
            "DynamoDB table that holds the lease; its key is `lease` (text). Default: an object of the lake.",
        ),
    ],
};

static WAREHOUSE: Shape = Shape {
    name: "warehouse",
    doc: "Where the tables are.",
    one_of: &[],
    any_of: &[],
    keys: &[Key::new("redshift", object(&REDSHIFT), "A database of Redshift, through its Data API.").required()],
};

static REDSHIFT: Shape = Shape {
    name: "Redshift database",
    doc: "A database of Redshift, through its Data API.",
    one_of: &["cluster", "workgroup"],
    any_of: &[],
    keys: &[
        Key::new("cluster", Value::Text(&aws::CLUSTER), "Identifier of a provisioned cluster."),
        Key::new("workgroup", Value::Text(&aws::WORKGROUP), "Name of a serverless workgroup."),
        Key::new("database", Value::Text(&aws::SQL_ID), "Database.").required(),
        Key::new("schema", Value::Text(&aws::SQL_ID), "Schema that the tables are in.").or("public"),
        Key::new(
            "user",
            Value::Text(&names::FREE),
            "User of the database, of a provisioned cluster. Default: that of the caller's IAM identity.",
        ),
        Key::new(
            "secret",
            Value::Text(&aws::SECRET),
            "ARN of the secret that holds user and password. Default: temporary credentials by IAM.",
        ),
        Key::new(
            "copy_role",
            Value::Text(&aws::ROLE),
            "Role that COPY reads S3 with: an ARN, or `default` for the default role of cluster or namespace.",
        )
        .required(),
        Key::new("unload_role", Value::Text(&aws::ROLE), "Role that UNLOAD writes S3 with. Default: no UNLOAD."),
        Key::new(
            "load",
            Value::Choice(&[("lake", "the Parquet of the lake"), ("firehose", "what the delivery stream wrote")]),
            "What silver is loaded from. Quarantine and gold are loaded from the lake in any case.",
        )
        .or("lake"),
        Key::new("every", Value::Time { min: SECOND, max: DAY }, "How often new objects are loaded.").or("1m"),
        Key::new(
            "grants",
            Value::List { of: &Value::Text(&aws::SQL_ROLE), min: 0, max: MAX_GRANTS },
            "Roles of the database that may select from the tables. Default: none.",
        ),
        Key::new(
            "create",
            Value::Flag,
            "Whether tables that are missing are created, and columns that are missing added.",
        )
        .or("true"),
        Key::new(
            "varchar",
            Value::Count { min: 1, max: MAX_VARCHAR },
            "Bytes of a text column, where its table says nothing else.",
        )
        .or("4_096"),
        Key::new(
            "tables",
            Value::Named { name: &aws::OUTPUT, of: &object(&TABLE), min: 0, max: MAX_TABLES },
            "Tables by output: `silver`, `quarantine`, or the name of an aggregate. Default: each as its output.",
        ),
    ],
};

static TABLE: Shape = Shape {
    name: "table",
    doc: "What is special about a table.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("table", Value::Text(&aws::SQL_ID), "Name of the table. Default: that of the output."),
        Key::new(
            "dist_key",
            Value::Text(&names::COLUMN_REF),
            "Distribution key. Default: Redshift chooses (`DISTSTYLE AUTO`).",
        ),
        Key::new(
            "sort_key",
            Value::List { of: &Value::Text(&names::COLUMN_REF), min: 0, max: 400 },
            "Compound sort key, the leading column first. Default: Redshift chooses (`SORTKEY AUTO`).",
        ),
        Key::new(
            "varchar",
            Value::Named {
                name: &names::COLUMN_REF,
                of: &Value::Count { min: 1, max: MAX_VARCHAR },
                min: 0,
                max: super::MAX_COLUMNS,
            },
            "Bytes of single text columns.",
        ),
    ],
};
