//! Capability `lookup`.

use crate::guests::{ROWS, attacks, call, config, module, open, sandbox, text, texts};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use sluice_batch::{ColumnType, Field};
use sluice_ports::{Cause, StepFailure, StepOutput};
use sluice_sandbox::{Capability, Component, LookupColumn, LookupTable, OpenError, StepConfig};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

fn component() -> &'static Component {
    static LOADED: OnceLock<Component> = OnceLock::new();
    LOADED.get_or_init(|| sandbox().load(&module("lookups")).unwrap_or_else(|error| panic!("{error}")))
}

fn column(name: &str, values: ArrayRef) -> LookupColumn {
    LookupColumn { field: Field::new(name, ColumnType::Text), values }
}

fn table(name: &str, key: LookupColumn, value: LookupColumn) -> Arc<LookupTable> {
    Arc::new(LookupTable::new(name, "digest", vec![key], vec![value]).unwrap())
}

/// `d` and the empty text have no name, `a` has none to give.
fn countries() -> Arc<LookupTable> {
    let codes = texts(&[Some("a"), Some("b"), Some("g"), Some("x"), Some("j")]);
    let names = texts(&[None, Some("Bhutan"), Some("Österreich"), Some("never"), Some("")]);
    table("countries", column("code", codes), column("name", names))
}

/// One row of 1 MiB.
fn long() -> Arc<LookupTable> {
    let text = "a".repeat(1 << 20);
    table("long", column("code", texts(&[Some("a")])), column("text", texts(&[Some(text.as_str())])))
}

fn with_tables(attack: &str, lookups: Vec<Arc<LookupTable>>) -> StepConfig {
    StepConfig { lookups, ..config(attack) }
}

fn run(config: StepConfig) -> Result<StepOutput, StepFailure> {
    call(&mut *open(component(), config).step().unwrap())
}

fn answer(config: StepConfig) -> Vec<Option<String>> {
    let output = run(config).unwrap_or_else(|failure| panic!("{}", failure.detail));
    output.columns[0].as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
}

#[test]
fn a_batch_of_keys_finds_its_rows_and_null_finds_none() {
    let names = answer(with_tables("honest", vec![long(), countries()]));
    let text = text();
    assert_eq!((text.len(), names.len()), (ROWS, ROWS));
    for (key, name) in text.as_string::<i32>().iter().zip(&names) {
        let expected = match key {
            Some("b") => Some("Bhutan"),
            Some("g") => Some("Österreich"),
            Some("j") => Some(""),
            _ => None,
        };
        assert_eq!(name.as_deref(), expected, "{key:?}");
    }
    let found = answer(with_tables("found", vec![countries()]));
    let yes: Vec<usize> = (0..ROWS).filter(|row| found[*row].as_deref() == Some("yes")).collect();
    assert_eq!(yes, [0, 1, 6, 9], "a row is found whose value is null");
}

#[test]
fn a_rule_is_shown_the_tables_of_its_step_and_only_once_it_is_opened() {
    let shown = answer(with_tables("tables", vec![countries()])).remove(0).unwrap();
    assert_eq!(shown, "countries(code: ColumnType::Text)[name: ColumnType::Text]");
    assert_eq!(component().description().summary, "Was shown 0 tables before it was opened.");
    assert_eq!(component().imports().iter().collect::<Vec<_>>(), [&Capability::Lookup]);
}

#[test]
fn a_rule_that_looks_up_needs_the_grant_and_a_table() {
    let problem = |config: StepConfig| match component().open(config).map(drop).unwrap_err() {
        OpenError::Refused { problems, .. } => problems.join("; "),
        other => panic!("{other}"),
    };
    let mut without = with_tables("honest", vec![countries()]);
    without.grants = [Capability::Log, Capability::Token].into();
    let says = "it uses capability `lookup` (`sluice:rules/lookup@0.1.0`), which the manifest does not grant";
    assert!(problem(without).starts_with(says));
    let none = problem(with_tables("honest", Vec::new()));
    assert_eq!(none, "it uses capability `lookup` and the step names no table; name them under `lookups`");
}

#[test]
fn a_table_that_was_read_anew_comes_with_a_step_that_is_opened_anew() {
    let old = open(component(), with_tables("honest", vec![countries()]));
    let fresh = table("countries", column("code", texts(&[Some("b")])), column("name", texts(&[Some("Druk Yul")])));
    let new = open(component(), with_tables("honest", vec![fresh]));
    let name = |plan: &dyn sluice_ports::RulePlan| {
        let output = call(&mut *plan.step().unwrap()).unwrap_or_else(|failure| panic!("{}", failure.detail));
        output.columns[0].as_string::<i32>().value(1).to_owned()
    };
    assert_eq!((name(&*new), name(&*old)), ("Druk Yul".to_owned(), "Bhutan".to_owned()));
}

/// Attack, and what the error says of it.
const REFUSED: [(&str, &str); 11] = [
    ("table_unknown", "asked table `secrets`, which the step may not look into; its tables: countries, long"),
    ("column_unknown", "asked for column `population` of table `countries`, where the manifest names no such"),
    ("column_of_key", "asked for column `code` of table `countries`, where the manifest names no such"),
    ("column_twice", "asked for 2 columns of table `countries`, which gives 1"),
    ("columns_many", "asked for 1000 columns of table `countries`, which gives 1"),
    ("key_type", "gave int64 for key column `code` of table `countries`, which is text"),
    ("key_few", "gave 0 columns for the key of table `countries`, which has 1"),
    ("key_offsets", "gave a malformed key of table `countries`: column `code`: offsets fall at row 1, from 5 to 2"),
    ("rows_more", "gave a malformed key of table `countries`: column `code`: has 11 offsets; 11 rows take 12"),
    ("rows_most", "at once in table `countries`; it may answer "),
    ("huge", "at once in table `long`; it may answer "),
];

#[test]
fn what_the_host_is_asked_is_checked_as_an_answer_is() {
    for (attack, says) in REFUSED {
        let failure = run(with_tables(attack, vec![countries(), long()])).expect_err(attack);
        assert_eq!(failure.cause, Cause::Answer, "{attack}");
        assert!(failure.detail.contains(says), "{attack}: {}", failure.detail);
    }
}

#[test]
fn lookups_have_the_time_out_of_host_calls() {
    let mut config = with_tables("many", vec![countries()]);
    // the rule itself does little; what stops it is the host's time
    config.limits.deadline = Duration::from_secs(30);
    let failure = run(config).unwrap_err();
    assert_eq!(failure.cause, Cause::Deadline);
    assert!(failure.detail.contains("host calls took more than 1000 ms on a batch of 10 rows"), "{}", failure.detail);
}

#[test]
fn every_attack_is_tested() {
    let tested = REFUSED.iter().map(|(attack, _)| *attack).chain(["honest", "found", "tables", "many"]);
    let tested: BTreeSet<String> = tested.map(str::to_owned).collect();
    assert_eq!(tested, attacks(component()).into_iter().collect());
}
