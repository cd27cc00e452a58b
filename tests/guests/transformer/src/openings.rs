//! Ways to go wrong while being opened.

use crate::bindings::exports::sluice::rules::rule::{Effect, Finding, Output, Reason, Signature};
use crate::bindings::sluice::rules::types::{ColumnType, DecimalType};
use std::hint::black_box;

pub(crate) const NAMES: [&str; 19] = [
    "open_loop",
    "open_trap",
    "open_allocate",
    "open_huge",
    "findings",
    "findings_none",
    "reads_ungranted",
    "reads_unknown",
    "reads_twice",
    "writes_ungranted",
    "writes_twice",
    "writes_reserved",
    "writes_nameless",
    "adds_existing",
    "replaces_missing",
    "type_impossible",
    "reason_malformed",
    "reason_twice",
    "partials_of_a_transformer",
];

pub(crate) fn open(name: &str) -> Result<Signature, Vec<Finding>> {
    let mut signature = Signature {
        reads: vec!["text".into()],
        outputs: vec![output("text", Effect::Replaces)],
        reasons: Vec::new(),
        partials: Vec::new(),
    };
    match name {
        "open_loop" => spin(),
        "open_trap" => panic!("on purpose"),
        "open_allocate" => black_box(vec![1u8; 1 << 30]).truncate(1),
        "open_huge" => signature.reasons = vec![reason(&"x".repeat(2 << 20))],
        "findings" => return Err(vec![finding("/columns/a\u{1b}[31m", "is not there"), finding("", "and more")]),
        "findings_none" => return Err(Vec::new()),
        "reads_ungranted" => signature.reads = vec!["secret".into()],
        "reads_unknown" => signature.reads = vec!["nowhere".into()],
        "reads_twice" => signature.reads = vec!["text".into(), "text".into()],
        "writes_ungranted" => signature.outputs = vec![output("secret", Effect::Replaces)],
        "writes_twice" => signature.outputs.push(output("text", Effect::Replaces)),
        "writes_reserved" => signature.outputs = vec![output("_sluice_id", Effect::Adds)],
        "writes_nameless" => signature.outputs = vec![output("", Effect::Adds)],
        "adds_existing" => signature.outputs = vec![output("text", Effect::Adds)],
        "replaces_missing" => signature.outputs = vec![output("new", Effect::Replaces)],
        "type_impossible" => {
            signature.outputs[0].ty = ColumnType::Decimal(DecimalType { precision: 39, scale: 2 });
        }
        "reason_malformed" => signature.reasons = vec![reason("Not Good")],
        "reason_twice" => signature.reasons = vec![reason("bad"), reason("bad")],
        "partials_of_a_transformer" => signature.partials = vec![ColumnType::Int64],
        _ => return Err(vec![finding("/attack", &format!("unknown attack `{name}`"))]),
    }
    Ok(signature)
}

fn spin() {
    let mut n = 0u64;
    while black_box(n) != u64::MAX {
        n = n.wrapping_add(1) & 0xffff;
    }
}

fn output(name: &str, effect: Effect) -> Output {
    Output { name: name.into(), ty: ColumnType::Text, nullable: true, effect }
}

fn reason(code: &str) -> Reason {
    Reason { code: code.into(), text: "a reason".into() }
}

fn finding(path: &str, message: &str) -> Finding {
    Finding { path: path.into(), message: message.into() }
}
