//! The rule from outside: rows with groups, what comes out, and that it does not matter how rows are cut into batches.

use proptest::prelude::*;
use sluice_sdk::native::{self, Opened};
use sluice_sdk::{Batch, Column, ColumnType, Field, Finding};
use sums::Sums;

fn inputs() -> Vec<Field> {
    let columns = [
        ("quantity", ColumnType::Int64),
        ("unit_price", ColumnType::decimal(12, 3)),
        ("discount", ColumnType::decimal(3, 2)),
        ("weight", ColumnType::Float64),
        ("name", ColumnType::Text),
        ("at", ColumnType::Timestamp),
        ("day", ColumnType::Date),
        ("flag", ColumnType::Boolean),
        ("tiny", ColumnType::decimal(38, 37)),
    ];
    columns.map(|(name, ty)| Field { name: name.to_owned(), ty, nullable: true }).into()
}

fn open(outputs: &str) -> Opened<Sums> {
    native::open(&format!(r#"{{"outputs": {outputs}}}"#), &inputs()).unwrap()
}

/// Folds one batch and finishes.
fn summed(outputs: &str, columns: &[Column], groups: &[u32], count: usize) -> Vec<Column> {
    let mut rule = open(outputs);
    let none = rule.no_partials(count);
    let partials = rule.fold(none, &native::batch(columns), groups);
    rule.finish(partials).into_columns()
}

#[test]
fn revenue_is_exact_and_outputs_keep_their_order() {
    let outputs = r#"{"lines": "count", "units": {"sum": "quantity"}, "revenue": {"sum": "quantity * unit_price"}}"#;
    let rule = open(outputs);
    let names: Vec<_> = rule.signature.outputs.iter().map(|output| (output.name.as_str(), output.ty)).collect();
    let int64 = ColumnType::Int64;
    assert_eq!(names, [("lines", int64), ("units", int64), ("revenue", ColumnType::decimal(38, 3))]);
    let quantity = native::int64s(&[Some(6), Some(-2), Some(3), None]);
    let price = native::decimals(&[Some(2_550), Some(3_390), Some(1), Some(5)]);
    let out = summed(outputs, &[quantity, price], &[0, 0, 2, 2], 3);
    assert_eq!(out[0], native::int64s(&[Some(2), Some(0), Some(2)]));
    assert_eq!(out[1], native::int64s(&[Some(4), None, Some(3)]));
    assert_eq!(out[2], native::decimals(&[Some(8_520), None, Some(3)]));
}

#[test]
fn extremes_are_of_every_ordered_type_and_pass_over_nulls() {
    let outputs = r#"{
        "a": {"min": "quantity"}, "b": {"max": "unit_price"}, "c": {"min": "weight"}, "d": {"max": "weight"},
        "e": {"min": "name"}, "f": {"max": "name"}, "g": {"max": "at"}, "h": {"min": "day"}, "i": {"max": "day"},
        "j": {"min": "unit_price"}, "k": {"max": "quantity"}
    }"#;
    let columns = [
        native::int64s(&[Some(5), Some(-7), None, None]),
        native::decimals(&[Some(-1), Some(i128::from(i64::MAX) * 4), Some(3), None]),
        native::float64s(&[Some(0.0), Some(-0.0), Some(f64::NAN), None]),
        native::texts(&[Some("b"), Some(""), Some("\u{e9}"), None]),
        native::timestamps(&[Some(-5), Some(-9), None, None]),
        native::dates(&[Some(3), Some(2), Some(9), None]),
    ];
    let out = summed(outputs, &columns, &[0, 0, 0, 1], 2);
    let large = i128::from(i64::MAX) * 4;
    let expected = [
        native::int64s(&[Some(-7), None]),
        native::decimals(&[Some(large), None]),
        native::float64s(&[Some(-0.0), None]),
        native::float64s(&[Some(f64::NAN), None]),
        native::texts(&[Some(""), None]),
        native::texts(&[Some("\u{e9}"), None]),
        native::timestamps(&[Some(-5), None]),
        native::dates(&[Some(2), None]),
        native::dates(&[Some(9), None]),
        native::decimals(&[Some(-1), None]),
        native::int64s(&[Some(5), None]),
    ];
    // Compared as shown, since no NaN equals another.
    assert_eq!(format!("{out:?}"), format!("{expected:?}"));
}

#[test]
fn means_are_exact_for_decimals_and_floats_for_the_rest() {
    let outputs =
        r#"{"a": {"avg": "unit_price"}, "b": {"avg": "quantity"}, "c": {"avg": "weight"}, "n": {"count": "quantity"}}"#;
    let columns = [
        native::decimals(&[Some(10), Some(0), Some(0), None]),
        native::int64s(&[Some(i64::MAX), Some(i64::MAX), None, None]),
        native::float64s(&[Some(1.0), Some(2.0), None, None]),
    ];
    let rule = open(outputs);
    assert_eq!(rule.signature.outputs[0].ty, ColumnType::decimal(38, 7));
    let out = summed(outputs, &columns, &[0, 0, 0, 1], 2);
    assert_eq!(out[0], native::decimals(&[Some(33_333), None]));
    assert_eq!(out[1], native::float64s(&[Some(i64::MAX as f64), None]));
    assert_eq!(out[2], native::float64s(&[Some(1.5), None]));
    assert_eq!(out[3], native::int64s(&[Some(2), Some(0)]));
}

#[test]
fn outputs_that_need_the_same_partial_share_it() {
    let rule = open(r#"{"s": {"sum": "weight"}, "m": {"avg": "weight"}, "n": {"count": "weight"}}"#);
    assert_eq!(rule.signature.partials.len(), 2);
}

#[test]
#[should_panic(expected = "an int64 sum is past 64 bits")]
fn a_sum_past_64_bits_fails_and_is_never_wrong() {
    summed(r#"{"s": {"sum": "quantity"}}"#, &[native::int64s(&[Some(i64::MAX), Some(1)])], &[0, 0], 1);
}

#[test]
#[should_panic(expected = "a product of int64s is past 64 bits")]
fn a_product_past_64_bits_fails() {
    summed(r#"{"s": {"sum": "quantity * quantity"}}"#, &[native::int64s(&[Some(i64::MAX)])], &[0], 1);
}

#[test]
#[should_panic(expected = "past 38 digits")]
fn a_decimal_sum_past_38_digits_fails() {
    let nines = 10i128.pow(38) - 1;
    summed(r#"{"s": {"sum": "tiny"}}"#, &[native::decimals(&[Some(nines), Some(1)])], &[0, 0], 1);
}

fn findings(outputs: &str) -> Vec<String> {
    let opened = native::open::<Sums>(&format!(r#"{{"outputs": {outputs}}}"#), &inputs());
    opened.err().unwrap_or_default().iter().map(Finding::to_string).collect()
}

#[test]
fn each_mistake_has_its_finding() {
    for (outputs, part) in [
        ("{}", "/outputs: no output is named"),
        (r#"{"a": "sum"}"#, "/outputs/a: `sum` is no output; write `count`, or an object such as {\"sum\": \"sum\"}"),
        (r#"{"a": {}}"#, "/outputs/a: no aggregate is named"),
        (r#"{"a": {"summe": "x"}}"#, "/outputs/a/summe: unknown value `summe`; did you mean `sum`?"),
        (r#"{"a": {"sum": "quantity", "min": "quantity"}}"#, "/outputs/a: more stands here than is wanted"),
        (r#"{"a": {"sum": "quantty"}}"#, "/outputs/a/sum: no column `quantty` exists here; did you mean `quantity`?"),
        (r#"{"a": {"sum": "name"}}"#, "column `name` is text here, but a number is wanted; let a coerce step stand"),
        (r#"{"a": {"max": "flag"}}"#, "column `flag` is boolean here, but a type with an order is wanted"),
        (r#"{"a": {"count": "flag * quantity"}}"#, "column `flag` is boolean here, but a number is wanted"),
        (r#"{"a": {"sum": "quantity * quantity * quantity"}}"#, "has 3 factors; one or two can stand here"),
        (r#"{"a": {"sum": "weight * unit_price"}}"#, "float64 and decimal(12,3) are not multiplied"),
        (r#"{"a": {"sum": "tiny * discount"}}"#, "more than 38 digits after the point"),
    ] {
        let told = findings(outputs);
        assert!(told.iter().any(|finding| finding.contains(part)), "{outputs}: {told:#?}");
    }
    assert_eq!(findings(r#"{"a": {"sum": "nix"}, "b": {"sum": "name"}}"#).len(), 2, "all are told at once");
}

#[test]
fn the_schema_names_every_aggregate() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../src/schema.json")).unwrap();
    let of = &schema["properties"]["outputs"]["additionalProperties"]["oneOf"][1]["properties"];
    for (aggregate, _) in of.as_object().unwrap() {
        open(&format!(r#"{{"x": {{"{aggregate}": "quantity"}}}}"#));
    }
    assert_eq!(of.as_object().unwrap().len(), 5);
}

const ALL: &str = r#"{
    "rows": "count", "values": {"count": "quantity"}, "units": {"sum": "quantity"},
    "revenue": {"sum": "unit_price * quantity"}, "reduced": {"sum": "unit_price * discount"},
    "both": {"sum": "quantity * quantity"}, "load": {"sum": "quantity * weight"}, "loads": {"sum": "weight * weight"},
    "first": {"min": "name"}, "last": {"max": "name"}, "mean": {"avg": "unit_price"}, "middle": {"avg": "quantity"}
}"#;

type Row = (u32, Option<i64>, Option<i64>, Option<i64>, Option<i32>, Option<String>);

fn batch(rows: &[Row]) -> Batch {
    let decimals = |of: fn(&Row) -> Option<i64>| {
        native::decimals(&rows.iter().map(|row| of(row).map(i128::from)).collect::<Vec<_>>())
    };
    native::batch(&[
        native::int64s(&rows.iter().map(|row| row.1).collect::<Vec<_>>()),
        decimals(|row| row.2),
        decimals(|row| row.3),
        native::float64s(&rows.iter().map(|row| row.4.map(f64::from)).collect::<Vec<_>>()),
        native::texts(&rows.iter().map(|row| row.5.as_deref()).collect::<Vec<_>>()),
    ])
}

fn groups(rows: &[Row]) -> Vec<u32> {
    rows.iter().map(|row| row.0).collect()
}

/// Sum by the letter: add what has all its factors.
fn plain_sum(rows: &[Row], group: u32, value: impl Fn(&Row) -> Option<i128>) -> Option<i128> {
    rows.iter().filter(|row| row.0 == group).filter_map(value).reduce(|a, b| a + b)
}

const GROUPS: usize = 10;

fn row() -> impl Strategy<Value = Row> {
    let small = || proptest::option::of(-100_000i64..100_000);
    let wide = proptest::option::of(prop_oneof![-1_000i64..1_000, (-1i64 << 28..1 << 28)]);
    let whole = proptest::option::of(-1_000i32..1_000);
    (0..GROUPS as u32, wide, small(), small(), whole, proptest::option::of("[a-c]{0,3}"))
}

proptest! {
    #[test]
    fn sums_are_those_of_a_plain_loop(rows in proptest::collection::vec(row(), 1..60)) {
        let mut rule = open(ALL);
        let none = rule.no_partials(GROUPS);
        let partials = rule.fold(none, &batch(&rows), &groups(&rows));
        let out = rule.finish(partials).into_columns();
        let mut expected: [Vec<Option<i128>>; 4] = Default::default();
        for group in 0..GROUPS as u32 {
            let quantity = |row: &Row| row.1.map(i128::from);
            let times = |other: fn(&Row) -> Option<i64>| move |row: &Row| Some(row.2? as i128 * other(row)? as i128);
            expected[0].push(plain_sum(&rows, group, quantity));
            expected[1].push(plain_sum(&rows, group, times(|row| row.1)));
            expected[2].push(plain_sum(&rows, group, times(|row| row.3)));
            expected[3].push(plain_sum(&rows, group, |row| Some(quantity(row)? * quantity(row)?)));
        }
        let int64s = |column: &[Option<i128>]| native::int64s(&column.iter().map(|sum| sum.map(|sum| sum as i64)).collect::<Vec<_>>());
        prop_assert_eq!(&out[2], &int64s(&expected[0]));
        prop_assert_eq!(&out[3], &native::decimals(&expected[1]));
        prop_assert_eq!(&out[4], &native::decimals(&expected[2]));
        prop_assert_eq!(&out[5], &int64s(&expected[3]));
    }

    #[test]
    fn it_does_not_matter_where_batches_are_cut_or_merged(
        rows in proptest::collection::vec(row(), 2..60),
        cut in any::<prop::sample::Index>(),
        shard in any::<prop::sample::Index>(),
    ) {
        let mut rule = open(ALL);
        let none = rule.no_partials(GROUPS);
        let whole = rule.fold(none, &batch(&rows), &groups(&rows));

        let (a, b) = rows.split_at(1 + cut.index(rows.len() - 1));
        let none = rule.no_partials(GROUPS);
        let first = rule.fold(none, &batch(a), &groups(a));
        let continued = rule.fold(first.clone(), &batch(b), &groups(b));
        prop_assert_eq!(&rule.finish(continued), &rule.finish(whole.clone()), "continued");

        // Two shards are folded apart and merged in their order. The floats here are whole, so that any order is exact.
        let (a, b) = rows.split_at(1 + shard.index(rows.len() - 1));
        let none = rule.no_partials(GROUPS);
        let (left, right) = (rule.fold(none.clone(), &batch(a), &groups(a)), rule.fold(none, &batch(b), &groups(b)));
        let order: Vec<u32> = (0..GROUPS as u32).chain(0..GROUPS as u32).collect();
        let merged = rule.merge(after(&left, &right), &order, GROUPS);
        prop_assert_eq!(&rule.finish(merged), &rule.finish(whole), "merged");
    }
}

/// The rows of one batch of partials after those of another.
fn after(a: &Batch, b: &Batch) -> Batch {
    use sluice_sdk::{Decimals, Numbers, Values};
    let column = |(a, b): (&Column, &Column)| match &a.values {
        Values::Int64(_) => {
            native::int64s(&Numbers::<i64>::of(a).iter().chain(Numbers::<i64>::of(b).iter()).collect::<Vec<_>>())
        }
        Values::Float64(_) => {
            native::float64s(&Numbers::<f64>::of(a).iter().chain(Numbers::<f64>::of(b).iter()).collect::<Vec<_>>())
        }
        Values::Decimal(_) => {
            native::decimals(&Decimals::of(a).iter().chain(Decimals::of(b).iter()).collect::<Vec<_>>())
        }
        Values::Text(_) => native::texts(&texts(a).into_iter().chain(texts(b)).collect::<Vec<_>>()),
        other => panic!("no partial is {other:?}"),
    };
    native::batch(&a.columns().iter().zip(b.columns()).map(column).collect::<Vec<_>>())
}

fn texts(column: &Column) -> Vec<Option<&str>> {
    let sluice_sdk::Values::Text(text) = &column.values else { panic!("not text") };
    let text = sluice_sdk::kernels::Text::new(&text.offsets, &text.bytes);
    let valid = |row| sluice_sdk::kernels::bits::is_valid(&column.validity, row);
    text.iter().enumerate().map(|(row, text)| valid(row).then(|| std::str::from_utf8(text).unwrap())).collect()
}
