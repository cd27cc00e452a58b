//! Rules that were built when the contract said less: old guests, new host.

use crate::guests::sandbox;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, StringArray};
use sluice_batch::{ColumnType, Field};
use sluice_sandbox::{Capability, Component, Limits, StepConfig, TokenKey, World};
use std::path::Path;
use std::sync::Arc;

/// A rule built against `sluice:rules@0.1.0` before it had `lookup`.
fn released(rule: &str) -> Component {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/released");
    let bytes = std::fs::read(folder.join(format!("0.1.0-{rule}.wasm"))).unwrap();
    sandbox().load(&bytes).unwrap_or_else(|error| panic!("{rule}: {error}"))
}

fn config(config: &str, grants: &[Capability]) -> StepConfig {
    StepConfig {
        label: "old".into(),
        dataset: "tests".into(),
        config: config.into(),
        inputs: vec![Field::new("id", ColumnType::Text), Field::new("number", ColumnType::Int64)],
        reads: vec!["id".into(), "number".into()],
        writes: vec!["id".into()],
        grants: grants.iter().copied().collect(),
        limits: Limits::default(),
        token_key: Some(TokenKey::new(b"a key for tests only, 32 bytes..").unwrap()),
        lookups: Vec::new(),
    }
}

fn ids() -> ArrayRef {
    Arc::new([Some("a"), None, Some("b")].into_iter().collect::<StringArray>())
}

#[test]
fn an_old_validator_runs() {
    let checks = released("checks");
    assert_eq!((checks.world(), checks.imports().len()), (World::Validator, 0));
    let rules = r#"{"rules": [{"column": "id", "required": true, "reason": "no_id"}]}"#;
    let output = checks.open(config(rules, &[])).unwrap().step().unwrap().call(3, &[ids()]).unwrap();
    assert_eq!(output.rejections.iter().map(|rejection| rejection.row).collect::<Vec<_>>(), [1]);
}

#[test]
fn an_old_transformer_runs_with_its_capability() {
    let pseudonyms = released("pseudonyms");
    assert_eq!(pseudonyms.imports().iter().collect::<Vec<_>>(), [&Capability::Token]);
    let plan = pseudonyms.open(config(r#"{"columns": {"id": {}}}"#, &[Capability::Token])).unwrap();
    let output = plan.step().unwrap().call(3, &[ids()]).unwrap();
    let lengths: Vec<_> = output.columns[0].as_string::<i32>().iter().map(|id| id.map(str::len)).collect();
    assert_eq!(lengths, [Some(26), None, Some(26)]);
}

#[test]
fn an_old_aggregator_runs() {
    let sums = released("sums");
    let plan = sums.open(config(r#"{"outputs": {"total": {"sum": "number"}}}"#, &[])).unwrap();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 39]));
    let mut fold = plan.fold().unwrap();
    let none: Vec<ArrayRef> =
        plan.signature().partials.iter().map(|ty| arrow_array::new_null_array(&ty.arrow(), 1)).collect();
    let partials = fold.fold(&none, &[numbers], &[0, 0, 0], 1).unwrap();
    let totals = fold.finish(&partials).unwrap();
    assert_eq!(totals[0].as_primitive::<Int64Type>().value(0), 42);
}
