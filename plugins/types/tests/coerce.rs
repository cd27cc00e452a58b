//! The rule from outside: a configuration, a column of text, what comes out and what is rejected.

use sluice_sdk::native::{self, Opened};
use sluice_sdk::{Column, ColumnType, Field, Finding};
use types::Types;

fn field(name: &str, ty: ColumnType) -> Field {
    Field { name: name.to_owned(), ty, nullable: true }
}

fn open(column: &str) -> Opened<Types> {
    let config = format!(r#"{{"columns": {{"x": {column}}}}}"#);
    native::open(&config, &[field("x", ColumnType::Text)]).unwrap()
}

/// What one column becomes, and the rows that are rejected with their codes.
fn coerce(column: &str, rows: &[Option<&str>]) -> (Column, Vec<(usize, String)>) {
    let mut rule = open(column);
    let (out, rejected) = rule.apply(native::batch(&[native::texts(rows)]));
    assert!(rejected.iter().all(|(_, _, at)| *at == Some("x")));
    let rejected = rejected.iter().map(|(row, code, _)| (*row, (*code).to_owned())).collect();
    (out.columns()[0].clone(), rejected)
}

fn malformed(rows: &[usize]) -> Vec<(usize, String)> {
    rows.iter().map(|&row| (row, "x_malformed".to_owned())).collect()
}

#[test]
fn whole_numbers_keep_to_their_range_and_nulls_stay() {
    let column = r#"{"to": "int64", "min": 1, "max": "1000", "nulls": ["NA", "-"]}"#;
    let rows =
        [Some(" +12 "), None, Some("NA"), Some("0"), Some("1001"), Some("1.0"), Some(""), Some("1000"), Some("-")];
    let (out, rejected) = coerce(column, &rows);
    let expected = [Some(12), None, None, Some(0), Some(0), Some(0), Some(0), Some(1000), None];
    assert_eq!(out, native::int64s(&expected));
    assert_eq!(rejected, malformed(&[3, 4, 5, 6]));
}

#[test]
fn a_range_may_have_a_reason_of_its_own() {
    let column = r#"{"to": "float64", "min": 0.5, "reason": "bad", "range_reason": "small", "exponent": true}"#;
    let (out, rejected) = coerce(column, &[Some("5e-1"), Some("0.4"), Some("x")]);
    assert_eq!(out, native::float64s(&[Some(0.5), Some(0.0), Some(0.0)]));
    assert_eq!(rejected, [(1, "small".to_owned()), (2, "bad".to_owned())]);
    assert_eq!(open(column).signature.reasons[1].text, "`x` is not between 0.5 and ..");
}

#[test]
fn decimals_are_exact_and_refuse_or_round_what_their_scale_does_not_keep() {
    let rows = [Some("1,234.5"), Some("0.125"), Some("-0.135"), Some("9.990"), Some("12345678901234567.00")];
    let (out, rejected) = coerce(r#"{"to": "decimal(18,2)", "thousands": ","}"#, &rows);
    assert_eq!(out, native::decimals(&[Some(123_450), Some(0), Some(0), Some(999), Some(0)]));
    assert_eq!(rejected, malformed(&[1, 2, 4]));
    let (out, rejected) = coerce(r#"{"to": "decimal(18,2)", "thousands": ",", "on_excess_scale": "round"}"#, &rows);
    assert_eq!(out, native::decimals(&[Some(123_450), Some(12), Some(-14), Some(999), Some(0)]));
    assert_eq!(rejected, malformed(&[4]));
    let (out, _) = coerce(r#"{"to": "decimal(9,2)", "thousands": ".", "point": ","}"#, &[Some("1.234,56")]);
    assert_eq!(out, native::decimals(&[Some(123_456)]));
}

#[test]
fn booleans_have_their_own_words() {
    let column = r#"{"to": "boolean", "true": ["yes", 1], "false": ["no", ""], "nulls": ["?"]}"#;
    let (out, rejected) =
        coerce(column, &[Some("YES"), Some("1"), Some(" no "), Some(""), None, Some("?"), Some("true")]);
    let expected = [Some(true), Some(true), Some(false), Some(false), None, None, Some(false)];
    assert_eq!(out, native::booleans(&expected));
    assert_eq!(rejected, malformed(&[6]));
}

#[test]
fn times_are_tried_form_after_form() {
    let column = r#"{"to": "timestamp", "formats": ["%Y-%m-%d %H:%M:%S", "iso"], "min": "1970-01-01T00:00:00Z"}"#;
    let rows = [Some("1970-01-01 00:00:01"), Some("1970-01-01T01:00:02+01:00"), Some("1969-12-31"), Some("soon")];
    let (out, rejected) = coerce(column, &rows);
    assert_eq!(out, native::timestamps(&[Some(1_000_000), Some(2_000_000), Some(0), Some(0)]));
    assert_eq!(rejected, malformed(&[2, 3]));

    let (out, rejected) = coerce(
        r#"{"to": "date", "formats": ["iso", "%d.%m.%Y"]}"#,
        &[Some("1970-01-02"), Some("3.1.1970"), Some("30.2.1970")],
    );
    assert_eq!(out, native::dates(&[Some(1), Some(2), Some(0)]));
    assert_eq!(rejected, malformed(&[2]));

    let strict = r#"{"to": "timestamp", "formats": ["%Y-%m-%d"], "trim": false}"#;
    assert_eq!(coerce(strict, &[Some(" 1970-01-02")]).1, malformed(&[0]));
}

#[test]
fn numbers_of_an_epoch_come_as_text_or_as_int64() {
    let (out, rejected) =
        coerce(r#"{"to": "timestamp", "epoch": "seconds"}"#, &[Some("1.5"), None, Some("1e3"), Some("9999999999999")]);
    assert_eq!(out, native::timestamps(&[Some(1_500_000), None, Some(0), Some(0)]));
    assert_eq!(rejected, malformed(&[2, 3]));

    let mixed = r#"{"to": "timestamp", "formats": ["iso", "epoch_ms"]}"#;
    let (out, _) = coerce(mixed, &[Some("1970-01-01T00:00:01Z"), Some("1500")]);
    assert_eq!(out, native::timestamps(&[Some(1_000_000), Some(1_500_000)]));

    let config = r#"{"columns": {"x": {"to": "timestamp", "epoch": "millis"}}}"#;
    let mut rule = native::open::<Types>(config, &[field("x", ColumnType::Int64)]).unwrap();
    let (out, rejected) = rule.apply(native::batch(&[native::int64s(&[Some(-1), None, Some(i64::MAX)])]));
    assert_eq!(out.columns(), [native::timestamps(&[Some(-1_000), None, Some(0)])]);
    assert_eq!(rejected, [(2, "x_malformed", Some("x"))]);
}

#[test]
fn text_can_be_trimmed_and_made_null_and_passes_as_it_is_else() {
    let rows = [Some(" a "), Some("NA "), None, Some("\u{e9} "), Some("")];
    let (out, rejected) = coerce(r#"{"nulls": ["NA", ""], "trim": true}"#, &rows);
    assert_eq!(out, native::texts(&[Some("a"), None, None, Some("\u{e9}"), None]));
    assert!(rejected.is_empty());
    assert_eq!(coerce("{}", &rows).0, native::texts(&rows));
}

#[test]
fn what_is_required_is_not_null() {
    let rows = [None, Some("NA"), Some("1")];
    for to in ["int64", "decimal(9,0)", "boolean", "text", "float64"] {
        let column = format!(r#"{{"to": "{to}", "required": true, "nulls": ["NA"], "reason": "no"}}"#);
        let column = column.replace(r#""boolean""#, r#""boolean", "true": ["1"]"#);
        let (out, rejected) = coerce(&column, &rows);
        assert_eq!(rejected, [(0, "no".to_owned()), (1, "no".to_owned())], "{to}");
        assert!(out.validity.is_empty(), "a column that is said to hold no nulls holds none");
        assert!(!open(&column).signature.outputs[0].nullable);
    }
    assert_eq!(coerce(r#"{"required": true}"#, &rows).1, malformed(&[0]));
    let config = r#"{"columns": {"x": {"to": "timestamp", "epoch": "millis", "required": true}}}"#;
    let mut rule = native::open::<Types>(config, &[field("x", ColumnType::Int64)]).unwrap();
    let (_, rejected) = rule.apply(native::batch(&[native::int64s(&[Some(1), None])]));
    assert_eq!(rejected, [(1, "x_malformed", Some("x"))]);
}

#[test]
fn a_row_is_counted_under_the_first_column_that_fails() {
    let config = r#"{"columns": {"b": {"to": "int64"}, "a": {"to": "int64", "reason": "bad_a"}}}"#;
    let inputs = [field("a", ColumnType::Text), field("b", ColumnType::Text)];
    let mut rule = native::open::<Types>(config, &inputs).unwrap();
    assert_eq!(rule.signature.reads, ["b", "a"]);
    let column = || native::texts(&[Some("1"), Some("x")]);
    let (_, rejected) = rule.apply(native::batch(&[column(), column()]));
    assert_eq!(rejected, [(1, "b_malformed", Some("b")), (1, "bad_a", Some("a"))]);
}

fn findings(columns: &str) -> Vec<String> {
    let inputs = [field("x", ColumnType::Text), field("n", ColumnType::Int64)];
    let refused = native::open::<Types>(&format!(r#"{{"columns": {columns}}}"#), &inputs);
    refused.err().unwrap_or_default().iter().map(Finding::to_string).collect()
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let columns = r#"{
        "x": {"to": "int64", "min": 5, "max": 1.5, "point": ",", "reason": "Bad"},
        "n": {"to": "decimal(40,2)"},
        "xx": {"to": "timestamp", "formats": ["iso", "%Y", "rfc"]}
    }"#;
    let told = findings(columns);
    for part in [
        "/columns/x/max: `1.5` is no value of this column",
        "/columns/x/point: `point` means nothing for int64",
        "/columns/x/reason: `Bad` is no reason code",
        "/columns/n/to: unknown column type `decimal(40,2)`",
        "/columns/xx: no column `xx` exists here; did you mean `x`?",
        "/columns/xx/formats/1: a format tells year, month and day",
        "/columns/xx/formats/2: unknown format `rfc`",
    ] {
        assert!(told.iter().any(|finding| finding.starts_with(part)), "{part}\n{told:#?}");
    }
}

#[test]
fn each_mistake_has_its_finding() {
    for (columns, part) in [
        ("{}", "no column is named"),
        (r#"{"x": {"too": "int64"}}"#, "/columns/x/too: unknown key `too`; did you mean `to`?"),
        (r#"{"n": {"to": "int64"}}"#, "column `n` is int64 here, but text is wanted"),
        (r#"{"n": {"to": "date", "epoch": "seconds"}}"#, "`epoch` means nothing for date"),
        (r#"{"x": {"to": "binary"}}"#, "does not become binary"),
        (r#"{"x": {"to": "int64", "min": 2, "max": 1}}"#, "`min` is larger than `max`"),
        (r#"{"x": {"to": "int64", "thousands": "ab"}}"#, "is one ASCII character"),
        (r#"{"x": {"to": "float64", "thousands": "."}}"#, "are the same"),
        (r#"{"x": {"to": "boolean", "true": ["a"], "false": ["A"]}}"#, "`a` is both true and false"),
        (r#"{"x": {"to": "timestamp", "formats": ["%F"], "timezone_required": true}}"#, "has no `%z`"),
        (r#"{"x": {"to": "int64", "range_reason": "r"}}"#, "`range_reason` means nothing"),
        (
            r#"{"x": {"to": "timestamp", "epoch": "years"}}"#,
            "/columns/x/epoch: unknown value `years`; known: seconds, millis",
        ),
        (r#"{"x": {"to": "decimal(9,2)", "on_excess_scale": "cut"}}"#, "unknown value `cut`; known: reject, round"),
    ] {
        let told = findings(columns);
        assert!(told.iter().any(|finding| finding.contains(part)), "{columns}: {told:#?}");
    }
}

#[test]
fn the_schema_names_every_setting() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../src/schema.json")).unwrap();
    let properties = schema["$defs"]["column"]["properties"].as_object().unwrap();
    let told = &findings(r#"{"x": {"": 1}}"#)[0];
    let known = told.split_once("(known: ").unwrap().1.trim_end_matches(')');
    let mut known: Vec<_> = known.split(", ").collect();
    let mut named: Vec<_> = properties.keys().map(String::as_str).collect();
    known.sort_unstable();
    named.sort_unstable();
    assert_eq!(named, known);
}
