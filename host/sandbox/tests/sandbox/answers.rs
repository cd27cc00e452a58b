//! Answers that are not what they should be: each is refused, none becomes Arrow.

use crate::guests::{ROWS, attacks, call, config, open, transformer, validator};
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use sluice_ports::Cause;
use std::collections::BTreeSet;

/// Attack, and what the error says of it.
const REFUSED: &[(&str, &str)] = &[
    ("offsets_first", "column `text`: its first offset is 1; it must be 0"),
    ("offsets_fall", "column `text`: offsets fall at row 2, from 2 to 1"),
    ("offsets_short", "column `text`: its last offset is 9; there are 10 bytes"),
    ("offsets_long", "column `text`: its last offset is 4294967295; there are 10 bytes"),
    ("offsets_few", "column `text`: has 10 offsets; 10 rows take 11"),
    ("offsets_none", "column `text`: has 0 offsets; 10 rows take 11"),
    ("binary_offsets", "column `raw`: offsets fall at row 2, from 9 to 3"),
    ("utf8_bytes", "column `text`: row 4 is not valid UTF-8"),
    ("utf8_split", "column `text`: row 1 is not valid UTF-8"),
    ("rows_few", "column `number`: has 9 rows; the answer must have 10"),
    ("rows_many", "column `number`: has 11 rows; the answer must have 10"),
    ("rows_none", "column `number`: has 0 rows; the answer must have 10"),
    ("dates_few", "column `day`: has 9 rows"),
    ("times_few", "column `at`: has 9 rows"),
    ("floats_few", "column `float`: has 9 rows"),
    ("validity_short", "column `number`: validity has 1 bytes; 10 rows take 2"),
    ("validity_long", "column `number`: validity has 3 bytes; 10 rows take 2"),
    ("validity_spare", "column `number`: validity has bits after row 10, the last; spare bits must be 0"),
    ("bits_short", "column `flag`: its bit list has 1 bytes; 10 rows take 2"),
    ("bits_spare", "column `flag`: its bit list has bits after row 10"),
    ("null_number", "column `number`: row 2 is null and holds a value"),
    ("null_text", "column `text`: row 2 is null and holds a value; under a null it must be zero or empty"),
    ("null_flag", "column `flag`: row 2 is null and holds a value"),
    ("null_float", "column `float`: row 2 is null and holds a value"),
    ("null_money", "column `money`: row 2 is null and holds a value"),
    ("not_nullable", "column `number`: row 2 is null; its signature says that there are no nulls"),
    ("reject_range", "rejection 0 is of row 10; the batch has 10 rows"),
    ("reject_order", "rejection 1 is of row 4 and stands after row 5; rows must not fall"),
    ("reject_code", "rejection 0 has code 1; its signature has 1 reasons"),
    ("reject_column", "rejection 0 blames column 1; its signature reads 1 columns"),
    ("reject_lengths", "rejections hold 2 rows, 1 codes and 2 columns; the lists must be equally long"),
    ("type_other", "column `number`: came back as text; its signature says int64"),
    ("type_same_shape", "column `number`: came back as timestamp; its signature says int64"),
    ("decimal_over", "column `money`: row 4 has more than 5 digits"),
    ("decimal_under", "column `money`: row 4 has more than 5 digits"),
    ("decimal_least", "column `money`: row 4 has more than 5 digits"),
    ("decimal_odd", "column `money`: has 19 words; a decimal takes two"),
    ("decimal_few", "column `money`: has 9 rows"),
    ("columns_many", "2 columns came back; its signature says 1"),
    ("columns_few", "0 columns came back; its signature says 1"),
    ("wild_pointer", "list pointer/length out of bounds of memory"),
];

/// Attacks whose answer is over the limit of 1 MiB plus sixteen times the input.
const OVERSIZE: [&str; 2] = ["huge", "huge_rejections"];

/// What is strange and yet allowed.
const TAKEN: [&str; 2] = ["nan", "reject_well"];

#[test]
fn every_malformed_answer_is_refused_by_name() {
    for (attack, says) in REFUSED {
        let failure = call(&mut *open(transformer(), config(attack)).step().unwrap()).expect_err(attack);
        let expected =
            format!("step `mask` (rule `hostile-transformer@0.1.0`): malformed answer on a batch of 10 rows: {says}");
        assert!(failure.detail.starts_with(&expected), "{attack}: {}", failure.detail);
        assert_eq!(failure.cause, Cause::Answer, "{attack}");
    }
}

#[test]
fn an_answer_over_its_limit_is_not_even_copied() {
    for attack in OVERSIZE {
        let failure = call(&mut *open(transformer(), config(attack)).step().unwrap()).expect_err(attack);
        assert_eq!(failure.cause, Cause::Answer);
        assert!(failure.detail.contains("its answer on a batch of 10 rows is over its limit of"), "{}", failure.detail);
    }
    let failure = call(&mut *open(transformer(), config("huge")).step().unwrap()).unwrap_err();
    let says = "16 times what went in and 1 MiB; raise `output_ratio` under `limits` or let it return less";
    assert!(failure.detail.ends_with(says), "{}", failure.detail);
    let mut narrow = config("huge");
    narrow.limits.output_bytes = 1000;
    let failure = call(&mut *open(transformer(), narrow).step().unwrap()).unwrap_err();
    assert!(failure.detail.contains("over its limit of 1000 bytes; raise `output` under"), "{}", failure.detail);
    let mut roomy = config("huge_rejections");
    roomy.limits.output_ratio = 1_000_000;
    let failure = call(&mut *open(transformer(), roomy).step().unwrap());
    assert_eq!(failure.unwrap().rejections.len(), 1 << 20);
}

#[test]
fn the_step_lives_on_after_every_malformed_answer() {
    let plan = open(transformer(), config("offsets_fall"));
    let mut step = plan.step().unwrap();
    for _ in 0..3 {
        assert_eq!(call(&mut *step).unwrap_err().cause, Cause::Answer);
    }
}

#[test]
fn nans_are_made_canonical() {
    let out = call(&mut *open(transformer(), config("nan")).step().unwrap()).unwrap();
    let floats = out.columns[0].as_primitive::<Float64Type>();
    assert!(floats.values().iter().all(|value| value.to_bits() == 0x7ff8_0000_0000_0000));
}

#[test]
fn several_rejections_of_one_row_are_all_kept() {
    let out = call(&mut *open(transformer(), config("reject_well")).step().unwrap()).unwrap();
    assert_eq!(out.rejections.iter().map(|rejection| rejection.row).collect::<Vec<_>>(), [0, 2, 2, 9]);
    assert_eq!(out.columns[0].len(), ROWS);
}

#[test]
fn a_validator_cannot_invent_a_reason() {
    let numbers: arrow_array::ArrayRef = std::sync::Arc::new(arrow_array::Int64Array::from(vec![1, -1]));
    let failure = open(validator(), config("code")).step().unwrap().call(2, &[numbers]).unwrap_err();
    assert!(failure.detail.contains("rejection 0 has code 7; its signature has 1 reasons"), "{}", failure.detail);
}

#[test]
fn every_attack_of_the_transformer_has_a_test() {
    let tested: BTreeSet<&str> = (REFUSED.iter().map(|(attack, _)| *attack))
        .chain(OVERSIZE)
        .chain(TAKEN)
        .chain(crate::crashes::TESTED)
        .chain(crate::openings::TESTED.iter().map(|(attack, _)| *attack))
        .collect();
    let known = attacks(transformer());
    assert_eq!(known.iter().map(String::as_str).collect::<BTreeSet<_>>(), tested);
    assert!(known.len() >= 25);
}
