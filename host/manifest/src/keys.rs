//! The table of keys: everything that a manifest may say, with meaning, unit, default and range.

pub(crate) mod aws;
mod guard;
mod rollout;

use crate::names;
use crate::shape::{Key, Shape, Value};
use crate::yaml::Node;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// Most columns: what a table of Redshift holds is 1,600, and the host adds some of its own.
const MAX_COLUMNS: usize = 1_500;

/// Most steps, and most aggregates: each is an instance of its own in every worker.
const MAX_STEPS: usize = 256;

const fn object(shape: &'static Shape) -> Value {
    Value::Object(shape)
}

/// A manifest.
pub(crate) static MANIFEST: Shape = Shape {
    name: "manifest",
    doc: "A pipeline of Sluice: one dataset on its way from the source to silver and gold.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("dataset", Value::Text(&names::NAME), "Name of the dataset: lower-case letters, digits and `-`.")
            .required(),
        Key::new("description", Value::Text(&names::FREE), "What the dataset is, for people."),
        Key::new(
            "source",
            Value::Variants { pick: pick_source, shapes: &[&JSON_SOURCE, &CSV_SOURCE] },
            "How records look as they arrive.",
        )
        .required(),
        Key::new(
            "schema",
            SCHEMA,
            "Columns as they arrive, in the order of silver: a type, or a mapping that also says where the column \
            comes from.",
        )
        .required(),
        Key::new(
            "rules",
            Value::Text(&names::PATH),
            "Folder of the rules, relative to the manifest: a registry, or packages to build.",
        ),
        Key::new("trust", object(&guard::TRUST), "Whose rules are run. Default: those of the folder, signed or not."),
        Key::new("lookups", guard::LOOKUPS, "Reference tables, by name. A step that names one may look into it."),
        Key::new("steps", STEPS, "What records go through, in order. A row that a step rejects skips the later ones."),
        Key::new("silver", object(&SILVER), "The silver layer: what came through the steps."),
        Key::new("bronze", object(&guard::BRONZE), "The bronze layer: records as they arrived."),
        Key::new(
            "gold",
            Value::List { of: &object(&GOLD), min: 0, max: MAX_STEPS },
            "Aggregates over silver, by window of event time.",
        ),
        Key::new(
            "max_ahead",
            Value::Time { min: 0, max: 3_660 * DAY },
            "How far an event time may lie ahead of the arrival; a row further ahead is quarantined, so that one \
            wrong year cannot close every window.",
        )
        .or("1d"),
        Key::new(
            "dedup",
            object(&DEDUP),
            "How records that a producer sent twice are recognised: the later ones are left out and counted, reason \
            `duplicate`.",
        ),
        Key::new("segment", object(&SEGMENT), "When a segment closes and is committed: at the first of these."),
        Key::new("batch", object(&BATCH), "When a batch closes and goes to the rules: at the first of these."),
        Key::new(
            "token",
            object(&guard::TOKEN),
            "Where the key of pseudonyms comes from. Needed where a step is granted `token`.",
        ),
        Key::new(
            "guard",
            object(&guard::GUARD),
            "Personal data that may not leave in the clear, whatever the rules did.",
        ),
        Key::new("breaker", object(&rollout::BREAKER), "When a rule that keeps failing is parked."),
        Key::new(
            "rollout",
            object(&rollout::ROLLOUT),
            "How a new version of the manifest or of a rule is taken up by a running pipeline.",
        ),
        Key::new(
            "environments",
            ENVIRONMENTS,
            "Where the pipeline runs, by name. `local` is this machine; any other is on AWS.",
        ),
    ],
};

const SCHEMA: Value = Value::Named {
    name: &names::COLUMN,
    of: &Value::Either { single: &Value::Text(&names::TYPE), many: &object(&COLUMN) },
    min: 1,
    max: MAX_COLUMNS,
};

const STEPS: Value = Value::List {
    of: &Value::Variants { pick: pick_step, shapes: &[&RULE_STEP, &CHECK_STEP] },
    min: 0,
    max: MAX_STEPS,
};

/// Most environments. Real manifests have two or three.
const MAX_ENVIRONMENTS: usize = 64;

const ENVIRONMENTS: Value = Value::Known {
    known: &[("local", object(&LOCAL))],
    name: &names::NAME,
    of: &object(&aws::AWS),
    max: MAX_ENVIRONMENTS,
};

const COLUMNS: Value = Value::List { of: &Value::Text(&names::COLUMN_REF), min: 0, max: MAX_COLUMNS };
const SOME_COLUMNS: Value = Value::List { of: &Value::Text(&names::COLUMN_REF), min: 1, max: MAX_COLUMNS };
const RULE: Value = Value::Text(&names::RULE);

fn pick_source(node: &Node) -> usize {
    usize::from(node.get("format").and_then(Node::text) == Some("csv"))
}

fn pick_step(node: &Node) -> usize {
    let is_rule = ["validate", "redact", "coerce"].iter().any(|verb| node.get(verb).is_some());
    usize::from(node.get("check").is_some() && !is_rule)
}

const COMPRESSION: Value =
    Value::Choice(&[("auto", "by the first bytes"), ("none", "plain"), ("gzip", "gzip"), ("zstd", "Zstandard")]);

const UNKNOWN_FIELDS: Value = Value::Choice(&[
    ("drop", "leave them out"),
    ("extra", "keep them as one JSON object in the text column `_extra`"),
    ("reject", "quarantine the record, reason `unknown_field`"),
]);

/// The keys of every source, with those of one format in their midst.
macro_rules! source_keys {
    ($($key:expr),* $(,)?) => {
        &[
            Key::new(
                "format",
                Value::Choice(&[("json", "JSON"), ("csv", "comma-separated values (RFC 4180)")]),
                "Format of the records.",
            )
            .required(),
            $($key,)*
            Key::new("compression", COMPRESSION, "Compression of what arrives: files, or payloads of a stream.").or("auto"),
            Key::new("unknown_fields", UNKNOWN_FIELDS, "What becomes of fields that the schema does not name.").or("drop"),
            Key::new(
                "max_record_bytes",
                Value::Size { min: KIB, max: 10 * MIB },
                "Longest record; a longer one is quarantined.",
            )
            .or("1MiB"),
        ]
    };
}

static JSON_SOURCE: Shape = Shape {
    name: "json source",
    doc: "JSON records.",
    one_of: &[],
    any_of: &[],
    keys: source_keys![
        Key::new(
            "records",
            Value::Choice(&[
                ("lines", "one on each line (NDJSON)"),
                ("array", "the elements of one array"),
                ("file", "each file is one record")
            ]),
            "How records are told apart."
        )
        .or("lines"),
    ],
};

static CSV_SOURCE: Shape = Shape {
    name: "csv source",
    doc: "Comma-separated values after RFC 4180.",
    one_of: &[],
    any_of: &[],
    keys: source_keys![
        Key::new("delimiter", Value::Text(&names::BYTE), "Separator of fields, one ASCII character.").or(","),
        Key::new("quote", Value::Text(&names::BYTE), "Quotation mark, one ASCII character.").or("\""),
        Key::new(
            "header",
            Value::Either {
                single: &Value::True,
                many: &Value::List { of: &Value::Text(&names::FREE), min: 1, max: MAX_COLUMNS }
            },
            "`true`: the first line names the fields. A list: the names, where no line does."
        )
        .or("true"),
        Key::new(
            "empty",
            Value::Choice(&[("null", "as if the field were missing"), ("text", "a text without characters")]),
            "What an empty field is."
        )
        .or("null"),
    ],
};

static COLUMN: Shape = Shape {
    name: "column",
    doc: "A column as it arrives.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new(
            "type",
            Value::Text(&names::TYPE),
            "Type as it arrives: boolean, int64, float64, decimal(P,S), timestamp, date, text, binary, or json (any \
            JSON value, kept as its text).",
        )
        .or("text"),
        Key::new(
            "from",
            Value::Text(&names::FROM),
            "Field that the column comes from. In JSON a path of names joined by points (`customer.address.zip`), `$` \
            for the whole record. Default: the column's name.",
        ),
        Key::new(
            "pii",
            Value::Text(&names::PII),
            "Kind of personal data that the column holds (`email`, `phone`, `name`, `id`, any word). Such a column is \
            no partition and no key of an aggregate before a step redacts it, and never stands in the quarantine in \
            the clear.",
        ),
        Key::new("description", Value::Text(&names::FREE), "What the column is, for people."),
    ],
};

static RULE_STEP: Shape = Shape {
    name: "step",
    doc: "A step that runs a rule.",
    one_of: &["validate", "redact", "coerce", "check"],
    any_of: &[],
    keys: &[
        Key::new("validate", RULE, "Judges rows by a rule, `name@range` (ranges of versions as in Cargo)."),
        Key::new("redact", RULE, "Hides personal data by a rule, `name@range`."),
        Key::new("coerce", RULE, "Brings columns to types and forms by a rule, `name@range`."),
        Key::new(
            "name",
            Value::Text(&names::NAME),
            "Label of the step, unique. Default: the rule's name, with `-2` and so on where it repeats.",
        ),
        Key::new("reads", SOME_COLUMNS, "Columns that the rule is shown. It sees no others.").required(),
        Key::new("writes", COLUMNS, "Columns that the rule may change, or add where they are new. Default: none."),
        Key::new(
            "grants",
            Value::List {
                of: &Value::Choice(&[
                    ("lookup", "rows of the reference tables that `lookups` names"),
                    ("token", "keyed pseudonyms; the key stays in the host"),
                    ("log", "lines for the operator"),
                ]),
                min: 0,
                max: MAX_COLUMNS,
            },
            "Capabilities that the rule may use. Default: none.",
        ),
        Key::new(
            "lookups",
            guard::LOOKUP_NAMES,
            "Reference tables that the rule may look into; it sees no others. Needed where it is granted `lookup`.",
        ),
        Key::new("with", Value::Any, "Configuration of the rule, as the rule describes it."),
        OTHERWISE,
        rollout::ON_FAILURE,
        LIMITS_KEY,
    ],
};

static CHECK_STEP: Shape = Shape {
    name: "check step",
    doc: "A step that needs no code: rows for which a SQL condition does not hold are rejected.",
    one_of: &["validate", "redact", "coerce", "check"],
    any_of: &[],
    keys: &[
        Key::new("check", object(&CHECK), "A condition that every row must meet."),
        Key::new(
            "name",
            Value::Text(&names::NAME),
            "Label of the step, unique. Default: `check`, with `-2` and so on where it repeats.",
        ),
        OTHERWISE,
        rollout::ON_FAILURE,
    ],
};

const OTHERWISE: Key = Key {
    name: "otherwise",
    doc: "What becomes of rejected rows.",
    value: Value::Choice(&[("quarantine", "set aside with reasons"), ("filter", "left out on purpose and counted")]),
    required: false,
    default: "quarantine",
};

const LIMITS_KEY: Key =
    Key { name: "limits", doc: "What the rule may use.", value: Value::Object(&LIMITS), required: false, default: "" };

static CHECK: Shape = Shape {
    name: "check",
    doc: "A condition in SQL, with the reason that rejected rows carry.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new(
            "sql",
            Value::Text(&names::FREE),
            "The condition, over the columns as they are at this step. A row is kept where it is true.",
        )
        .required(),
        Key::new("reason", Value::Text(&names::SQL_NAME), "Reason code: lower-case letters, digits and `_`.")
            .required(),
    ],
};

static LIMITS: Shape = Shape {
    name: "limits",
    doc: "Limits of one rule, each for one worker.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("memory", Value::Size { min: MIB, max: GIB }, "Linear memory.").or("64MiB"),
        Key::new(
            "deadline",
            Value::Time { min: 1, max: 60 * SECOND },
            "Processor time of one call, which is one batch.",
        )
        .or("250ms"),
        Key::new("output", Value::Size { min: 64 * KIB, max: 256 * MIB }, "What one answer may hold.").or("64MiB"),
        Key::new(
            "output_ratio",
            Value::Count { min: 1, max: 1_000 },
            "What one answer may hold in times of what went in; 1 MiB more is always allowed, and never more than \
            `output`.",
        )
        .or("16"),
        Key::new(
            "table_elements",
            Value::Count { min: 0, max: 20_000 },
            "Elements that each table of the rule's code may grow to.",
        )
        .or("10_000"),
        Key::new("log_lines", Value::Count { min: 0, max: 10_000 }, "Lines that one call may log.").or("100"),
        Key::new("log_bytes", Value::Size { min: 0, max: MIB }, "Bytes that one call may log.").or("10KiB"),
        Key::new("component", Value::Size { min: KIB, max: 64 * MIB }, "Size of the rule's file.").or("16MiB"),
        Key::new(
            "compile_time",
            Value::Time { min: SECOND, max: 300 * SECOND },
            "Processor time of compiling the rule.",
        )
        .or("30s"),
        Key::new(
            "compile_memory",
            Value::Size { min: 128 * MIB, max: 8 * GIB },
            "Memory of the process that compiles the rule.",
        )
        .or("1GiB"),
    ],
};

static SILVER: Shape = Shape {
    name: "silver",
    doc: "The silver layer.",
    one_of: &[],
    any_of: &[],
    keys: &[Key::new(
        "partition_by",
        Value::List { of: &Value::Text(&names::PARTITION), min: 0, max: MAX_COLUMNS },
        "Partitions, outermost first: columns, or year, month, day or hour of one (`day(ts)`), as folders \
        `country=France/day=2010-12-01`. Default: none.",
    )],
};

static GOLD: Shape = Shape {
    name: "aggregate",
    doc: "An aggregate over silver: one row for each group and window.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new(
            "name",
            Value::Text(&names::GOLD_NAME),
            "Name of folder and table: lower-case letters, digits and `_`.",
        )
        .required(),
        Key::new("aggregate", RULE, "The aggregator, `name@range`.").required(),
        Key::new("keys", COLUMNS, "Columns whose values make a group. Default: none, one group for each window."),
        Key::new("reads", COLUMNS, "Columns that the aggregator is shown. Default: none."),
        Key::new(
            "grants",
            Value::List { of: &Value::Choice(&[("log", "lines for the operator")]), min: 0, max: MAX_COLUMNS },
            "Capabilities that the aggregator may use. Default: none.",
        ),
        Key::new("with", Value::Any, "Configuration of the aggregator, as it describes it."),
        LIMITS_KEY,
        Key::new("window", object(&WINDOW), "Windows over event time.").required(),
    ],
};

static WINDOW: Shape = Shape {
    name: "window",
    doc: "Tumbling windows. The n-th covers [n * width, (n + 1) * width) since 1970-01-01T00:00:00 UTC.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("tumbling", Value::Time { min: SECOND, max: 366 * DAY }, "Width of a window.").required(),
        Key::new("on", Value::Text(&names::COLUMN_REF), "Timestamp or date column that holds the event time.")
            .required(),
        Key::new(
            "lateness",
            Value::Time { min: 0, max: 3_660 * DAY },
            "How long after its end, in event time, a window still takes rows.",
        )
        .or("0s"),
        Key::new(
            "late",
            Value::Choice(&[("drop", "counted"), ("output", "counted, and written to `late/NAME`")]),
            "What becomes of rows that come later. They are in silver in any case.",
        )
        .or("drop"),
        Key::new(
            "idle",
            Value::Time { min: SECOND, max: 7 * DAY },
            "A shard that gives nothing for so long holds no window open.",
        )
        .or("5m"),
    ],
};

static DEDUP: Shape = Shape {
    name: "dedup",
    doc: "How records that a producer sent twice are recognised, within one shard and those it came from.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("columns", SOME_COLUMNS, "Columns of silver that have the same values.").required(),
        Key::new("window", Value::Time { min: SECOND, max: 7 * DAY }, "How long after the first a double may arrive.")
            .or("10m"),
        Key::new(
            "keys",
            Value::Count { min: 1, max: 100_000_000 },
            "Keys remembered of each shard at most; each takes about 64 bytes of memory.",
        )
        .or("1_000_000"),
    ],
};

static SEGMENT: Shape = Shape {
    name: "segment",
    doc: "When a segment closes.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("bytes", Value::Size { min: KIB, max: 64 * GIB }, "Bytes read.").or("128MiB"),
        Key::new("rows", Value::Count { min: 1, max: 1_000_000_000 }, "Records read.").or("1_000_000"),
        Key::new("age", Value::Time { min: 100, max: DAY }, "Time since its first record.").or("1m"),
    ],
};

static BATCH: Shape = Shape {
    name: "batch",
    doc: "When a batch closes.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("rows", Value::Count { min: 1, max: 65_536 }, "Records.").or("4_096"),
        Key::new("bytes", Value::Size { min: KIB, max: 256 * MIB }, "Bytes read.").or("4MiB"),
        Key::new(
            "age",
            Value::Time { min: 1, max: 60 * SECOND },
            "Time since its first record, where records come slowly.",
        )
        .or("1s"),
    ],
};

static LOCAL: Shape = Shape {
    name: "local environment",
    doc: "This machine: files as the stream, a folder as the lake.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("input", Value::Text(&names::PATH), "File or folder that is the source, relative to the manifest."),
        Key::new("data_dir", Value::Text(&names::PATH), "Folder of the lake, relative to the manifest."),
    ],
};
