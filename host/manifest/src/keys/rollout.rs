//! Keys of new versions and of rules that fail.

use super::{DAY, SECOND, object};
use crate::shape::{Key, Shape, Value};

pub(super) const ON_FAILURE: Key = Key {
    name: "on_failure",
    doc: "What becomes of rows while the breaker has parked the step.",
    value: Value::Choice(&[("quarantine", "set aside, reason `rule_failed`"), ("stop", "the run stops")]),
    required: false,
    default: "quarantine",
};

pub(super) static BREAKER: Shape = Shape {
    name: "breaker",
    doc: "When a rule that keeps failing is parked.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("failures", Value::Count { min: 1, max: 1_000 }, "Failed batches that park a rule.").or("5"),
        Key::new("of", Value::Count { min: 1, max: 1_000 }, "Among so many of its last batches.").or("20"),
        Key::new(
            "pause",
            Value::Time { min: SECOND, max: DAY },
            "How long it is parked before it is tried on one batch again.",
        )
        .or("30s"),
    ],
};

pub(super) static ROLLOUT: Shape = Shape {
    name: "rollout",
    doc: "How a new version of the manifest or of a rule is taken up by a running pipeline.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new(
            "watch",
            Value::Flag,
            "Whether a host that follows its source takes up new manifests and rules by itself. If not, only `sluice \
            rules apply` brings them in.",
        )
        .or("true"),
        Key::new(
            "shadow",
            Value::Count { min: 0, max: 1_000_000 },
            "Batches that a new version is run beside the old one, and compared with it, before it is swapped in.",
        )
        .or("0"),
        Key::new(
            "canary",
            object(&CANARY),
            "The part of segments that a new version gets first. Default: it gets all of them at once.",
        ),
        Key::new("probation", object(&PROBATION), "What a new version must keep to in its first segments."),
    ],
};

static CANARY: Shape = Shape {
    name: "canary",
    doc: "The part of segments that a new version gets before it gets all.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("share", Value::Share { min: 1, max: 99 }, "Share of the segments.").or("10%"),
        Key::new("segments", Value::Count { min: 1, max: 1_000 }, "Segments of the new version until it gets all.")
            .or("5"),
    ],
};

static PROBATION: Shape = Shape {
    name: "probation",
    doc: "Bounds that the first segments of a new version must keep to. One that does not is thrown away and run again \
        with the old version.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("segments", Value::Count { min: 0, max: 1_000 }, "How many segments. `0`: none.").or("3"),
        Key::new(
            "failed_rows",
            Value::Count { min: 0, max: 1_000_000_000 },
            "Rows of a segment that may fail: traps, deadlines, malformed answers.",
        )
        .or("0"),
        Key::new(
            "latency",
            Value::Number { min: 1, max: 1_000 },
            "Most processor time of a row, in times of the old version's.",
        )
        .or("3"),
        Key::new("rejects", Value::Share { min: 0, max: 100 }, "How far the share of rejected rows may move.").or("5%"),
        Key::new("nulls", Value::Share { min: 0, max: 100 }, "How far the share of nulls in a column may move.")
            .or("5%"),
        Key::new(
            "shift",
            Value::Number { min: 0, max: 100 },
            "How far the values of a column may shift, as population stability index: 0.1 is little, 0.25 is much.",
        )
        .or("0.25"),
    ],
};
