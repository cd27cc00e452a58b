//! Aggregators: what they return is checked as strictly.

use crate::guests::{aggregator, attacks, config, open};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use sluice_ports::{Cause, Fold, StepFailure};
use std::collections::BTreeSet;
use std::sync::Arc;

const REFUSED_WHEN_OPENED: &[(&str, &str)] = &[
    ("no_partials", "it is an aggregator without partial columns"),
    ("reasons", "an aggregator rejects nothing"),
    ("replaces", "it says that it replaces column `count`; an aggregator's columns are all new"),
];

const REFUSED: &[(&str, &str)] = &[
    ("fold_rows", "on a batch of 4 rows in 2 groups: column `partial 0`: has 3 rows; the answer must have 2"),
    ("fold_columns", "on a batch of 4 rows in 2 groups: 1 columns came back; its signature says 2"),
    ("merge_rows", "on a merge of 4 partial rows into 2: column `partial 0`: has 3 rows"),
    ("finish_type", "on finishing 2 groups: column `sum`: came back as float64; its signature says int64"),
    ("finish_rows", "on finishing 2 groups: column `sum`: has 0 rows; the answer must have 2"),
];

fn numbers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn values(columns: &[ArrayRef]) -> Vec<Vec<i64>> {
    columns.iter().map(|column| column.as_primitive::<Int64Type>().values().to_vec()).collect()
}

fn fold(fold: &mut dyn Fold) -> Result<Vec<ArrayRef>, StepFailure> {
    // the second group is new: its partials are null
    let partials: Vec<ArrayRef> = [2, 100].map(|n| Arc::new(Int64Array::from(vec![Some(n), None])) as ArrayRef).into();
    fold.fold(&partials, &[numbers(&[1, 2, 3, 4])], &[0, 1, 1, 0], 2)
}

fn whole_way(attack: &str) -> Result<Vec<ArrayRef>, StepFailure> {
    let mut rule = open(aggregator(), config(attack)).fold()?;
    fold(&mut *rule)?;
    let halves = [numbers(&[1, 1, 2, 2]), numbers(&[10, 20, 30, 40])];
    let merged = rule.merge(&halves, &[0, 1, 1, 0], 2)?;
    rule.finish(&merged)
}

#[test]
fn an_honest_aggregator_folds_merges_and_finishes() {
    let mut rule = open(aggregator(), config("honest")).fold().unwrap();
    assert_eq!(values(&fold(&mut *rule).unwrap()), [[4, 2], [105, 5]]);
    assert_eq!(values(&whole_way("honest").unwrap()), [[3, 3], [50, 50]]);
}

#[test]
fn malformed_partials_and_columns_are_refused() {
    for (attack, says) in REFUSED {
        let failure = whole_way(attack).expect_err(attack);
        assert_eq!(failure.cause, Cause::Answer);
        assert!(failure.detail.contains(says), "{attack}: {}", failure.detail);
    }
}

#[test]
fn a_trap_in_a_fold_names_rows_and_groups() {
    let failure = whole_way("fold_trap").unwrap_err();
    assert_eq!(failure.cause, Cause::Trap);
    assert!(failure.detail.contains("trapped on a batch of 4 rows in 2 groups"), "{}", failure.detail);
}

#[test]
fn bad_signatures_of_aggregators_are_refused() {
    for (attack, says) in REFUSED_WHEN_OPENED {
        let text = aggregator().open(config(attack)).map(drop).expect_err(attack).to_string();
        assert!(text.contains(says), "{attack}: {text}");
    }
}

#[test]
fn an_aggregator_is_no_step() {
    let failure = open(aggregator(), config("honest")).step().map(drop).unwrap_err();
    assert_eq!(failure.cause, Cause::Start);
}

#[test]
fn every_attack_of_the_aggregator_has_a_test() {
    let tested = REFUSED.iter().chain(REFUSED_WHEN_OPENED).map(|(attack, _)| *attack).chain(["honest", "fold_trap"]);
    let known = attacks(aggregator());
    assert_eq!(known.iter().map(String::as_str).collect::<BTreeSet<_>>(), tested.collect());
}
