//! The rule as a whole, natively.

use lookups::Lookups;
use sluice_sdk::native::{self, Granted, Opened};
use sluice_sdk::{Column, ColumnType, Field, Values, kernels::Text, kernels::bits};

fn inputs() -> Vec<Field> {
    let field = |name: &str, ty| Field { name: name.to_owned(), ty, nullable: true };
    vec![field("country", ColumnType::Text), field("year", ColumnType::Int64), field("note", ColumnType::Text)]
}

fn countries() -> Granted {
    let codes = native::texts(&[Some("DE"), Some("FR"), Some("AQ")]);
    let names = native::texts(&[Some("Germany"), Some("France"), None]);
    let rates = native::int64s(&[Some(19), Some(20), None]);
    let columns = [("name", ColumnType::Text, names), ("vat", ColumnType::Int64, rates)];
    native::grant("countries", &[("code", ColumnType::Text, codes)], &columns)
}

fn open(config: &str) -> Opened<Lookups> {
    native::open(config, &inputs()).unwrap_or_else(|findings| panic!("{findings:?}"))
}

fn findings(config: &str) -> Vec<String> {
    native::open::<Lookups>(config, &inputs()).unwrap_err().iter().map(ToString::to_string).collect()
}

fn texts_of(column: &Column) -> Vec<Option<String>> {
    let Values::Text(text) = &column.values else { panic!("no text: {column:?}") };
    let rows = Text::new(&text.offsets, &text.bytes);
    let text = |(row, bytes): (usize, &[u8])| {
        bits::is_valid(&column.validity, row).then(|| String::from_utf8(bytes.to_vec()).unwrap())
    };
    rows.iter().enumerate().map(text).collect()
}

fn codes() -> Column {
    native::texts(&[Some("FR"), Some("XX"), None, Some("AQ"), Some("de")])
}

const NAMES: [Option<&str>; 5] = [Some("France"), None, None, None, None];

#[test]
fn columns_are_added_and_unknown_keys_rejected() {
    let _granted = countries();
    let mut rule = open(r#"{"table": "countries", "key": ["country"], "columns": {"name": "name", "vat": "vat"}}"#);
    let outputs: Vec<_> = rule.signature.outputs.iter().map(|output| (output.name.clone(), output.ty)).collect();
    assert_eq!(outputs, [("name".to_owned(), ColumnType::Text), ("vat".to_owned(), ColumnType::Int64)]);
    let (out, rejected) = rule.apply(native::batch(&[codes()]));
    assert_eq!(rejected, [(1, "unknown_key", Some("country")), (4, "unknown_key", Some("country"))]);
    assert_eq!(texts_of(&out.columns()[0]), NAMES.map(|name| name.map(str::to_owned)));
    assert_eq!(out.columns()[1], native::int64s(&[Some(20), None, None, None, None]));
}

#[test]
fn unknown_keys_give_nulls_and_nulls_are_rejected_where_it_is_said_so() {
    let _granted = countries();
    let mut rule = open(
        r#"{"table": "countries", "key": ["country"], "columns": {"note": "name"}, "unknown": "null",
            "required": true, "reason": "no_country"}"#,
    );
    assert_eq!(rule.signature.outputs[0].effect, sluice_sdk::Effect::Replaces);
    let (out, rejected) = rule.apply(native::batch(&[codes()]));
    assert_eq!(rejected, [(2, "no_country", Some("country"))]);
    assert_eq!(texts_of(&out.columns()[0]), NAMES.map(|name| name.map(str::to_owned)));
}

#[test]
fn without_columns_rows_are_only_judged() {
    let _granted = countries();
    let mut rule = open(r#"{"table": "countries", "key": ["country"]}"#);
    let (out, rejected) = rule.apply(native::batch(&[codes()]));
    assert_eq!((out.columns().len(), rejected.len()), (0, 2));
}

#[test]
fn keys_of_several_columns_blame_the_one_that_is_null() {
    let code = native::texts(&[Some("DE"), Some("DE")]);
    let year = native::int64s(&[Some(2020), Some(2021)]);
    let key = [("code", ColumnType::Text, code), ("year", ColumnType::Int64, year)];
    let rates = native::int64s(&[Some(16), Some(19)]);
    let _granted = native::grant("rates", &key, &[("rate", ColumnType::Int64, rates)]);
    let config = r#"{"table": "rates", "key": ["country", "year"], "columns": {"rate": "rate"}, "required": true}"#;
    let mut rule = open(config);
    let country = native::texts(&[Some("DE"), Some("DE"), Some("DE"), None]);
    let year = native::int64s(&[Some(2021), Some(2020), None, Some(2020)]);
    let (out, rejected) = rule.apply(native::batch(&[country, year]));
    assert_eq!(out.columns()[0], native::int64s(&[Some(19), Some(16), None, None]));
    assert_eq!(rejected, [(2, "unknown_key", Some("year")), (3, "unknown_key", Some("country"))]);
}

#[test]
fn everything_that_is_wrong_is_told_with_the_way_out() {
    assert_eq!(
        findings(r#"{"table": "countries", "key": ["country"]}"#),
        ["/table: the step may look into no table `countries`; name it under `lookups` of the step"]
    );
    let _granted = countries();
    assert_eq!(
        findings(r#"{"table": "countrys", "key": [], "unknown": "null"}"#),
        [
            "nothing is written and nothing rejected; name `columns`, or write `unknown: reject`",
            "/table: the step may look into no table `countrys`; did you mean `countries`?"
        ]
    );
    assert_eq!(
        findings(r#"{"table": "countries", "key": ["year"], "columns": {"a": "nam", "b": "population"}}"#),
        [
            "/key/0: column `year` is int64 here, but text is wanted",
            "/columns/a: table `countries` gives no column `nam`; did you mean `name`?",
            "/columns/b: table `countries` gives no column `population`; it gives name, vat"
        ]
    );
    assert_eq!(
        findings(r#"{"table": "countries", "key": ["country"], "columns": {"a": "name", "b": "name"}}"#),
        ["/columns/b: column `name` of the table is written as `a` already; leave one out"]
    );
    assert_eq!(
        findings(r#"{"table": "countries", "key": ["country", "year"]}"#),
        ["/key: 2 columns make no key of table `countries`; its key is code"]
    );
}

#[test]
fn the_schema_names_every_setting() {
    let schema = include_str!("../schema.json");
    for key in ["table", "key", "columns", "unknown", "required", "reason"] {
        assert!(schema.contains(&format!("\"{key}\": {{")), "{key}");
    }
}
