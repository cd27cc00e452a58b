//! The fast parser, the strict one and serde_json agree.

use super::*;
use crate::padded::Padded;
use arrow_array::{Array, ArrayRef, cast::AsArray};
use proptest::prelude::*;
use serde_json::value::RawValue;
use sluice_batch::ColumnType;
use std::collections::HashMap;

fn column(name: &str, from: &str, ty: ColumnType, json: bool) -> SchemaColumn {
    SchemaColumn { name: name.into(), from: from.into(), ty, json, pii: None }
}

fn texts() -> Vec<SchemaColumn> {
    ["a", "b", "long_name_that_is_longer_than_one_block_of_bytes", "é"]
        .map(|name| column(name, name, ColumnType::Text, false))
        .to_vec()
}

fn mixed() -> Vec<SchemaColumn> {
    vec![
        column("a", "a", ColumnType::Int64, false),
        column("b", "b", ColumnType::Text, true),
        column("c", "a", ColumnType::Text, false),
        column("d", "$", ColumnType::Text, false),
        column("e", "b.a", ColumnType::Text, false),
        column("f", "b.a.b", ColumnType::Binary, false),
        column("g", "é", ColumnType::Decimal { precision: 9, scale: 2 }, false),
    ]
}

fn typed() -> Vec<SchemaColumn> {
    vec![
        column("a", "a", ColumnType::Float64, false),
        column("b", "b", ColumnType::Boolean, false),
        column("é", "é", ColumnType::Timestamp, false),
        column("d", "$", ColumnType::Text, false),
        column("j", "c", ColumnType::Text, true),
    ]
}

fn nested() -> Vec<SchemaColumn> {
    ["a.a", "a.b", "b.a.b", "é", "b.x"].map(|from| column(from, from, ColumnType::Text, false)).to_vec()
}

/// A record of few names, so that they repeat in all orders, with values and blanks of all kinds.
fn record() -> impl Strategy<Value = String> {
    let names = ["a", "b", "c", "b.a", "é", "\\u0061", "long_name_that_is_longer_than_one_block_of_bytes"];
    let blank = || prop::sample::select(vec!["", "", "", "", " ", "\t ", "\r\n"]);
    let field = (prop::sample::select(names.to_vec()), blank(), value(), blank())
        .prop_map(|(name, before, value, after)| format!("\"{name}\":{before}{value}{after}"));
    (blank(), prop::collection::vec(field, 0..6), prop::sample::select(vec![",", ",", ", "]), blank())
        .prop_map(|(before, fields, comma, after)| format!("{before}{{{}}}{after}", fields.join(comma)))
}

fn value() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -!#-\\[\\]-~]{0,40}",
        "[é✓😀]{1,3}",
        prop::sample::select(vec![
            "\\n",
            "\\\"",
            "\\\\",
            "\\/",
            "\\u00e9",
            "\\uD83D\\uDE00",
            "\\ud83d",
            "\\ude00",
            "\\x",
            "\u{7f}",
        ])
        .prop_map(str::to_owned),
    ];
    let string = prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()));
    let other = [
        "0",
        "-0",
        "12",
        "12.50",
        "-3e7",
        "1E+2",
        "1.5e-3",
        "1e999",
        "-",
        "01",
        "1.",
        "12345678901234567890",
        "true",
        "false",
        "null",
        "nul",
        "\"2026-03-01T10:00:00Z\"",
    ];
    let leaf = prop_oneof![4 => string, 4 => prop::sample::select(other.to_vec()).prop_map(str::to_owned)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec((prop::sample::select(vec!["a", "b", "x"]), inner), 0..3).prop_map(|fields| {
                let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\" :{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// A sound record whose few names stand at all depths, some of them twice.
fn deep_record() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["1", "null", "\"s\"", "{}", "{ }", "[{\"a\":1}]"]).prop_map(str::to_owned);
    let object = |value: BoxedStrategy<String>| {
        prop::collection::vec((prop::sample::select(vec!["a", "b", "x"]), value), 0..4).prop_map(|fields| {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        })
    };
    let value = leaf.prop_recursive(2, 12, 4, move |inner| prop_oneof![inner.clone(), object(inner)]);
    object(value.boxed())
}

/// A record, or one with a byte changed, put in or left out.
fn broken_record() -> impl Strategy<Value = Vec<u8>> {
    let bytes = b"\"\\{}[]:,0-.eE+tfnu \t\n\r\x00\x1f\x7f\xc3\xa9/a".to_vec();
    let change = (any::<prop::sample::Index>(), prop::sample::select(bytes), 0..3);
    (record(), prop::option::weighted(0.4, change)).prop_map(|(record, change)| {
        let mut bytes = record.into_bytes();
        match change {
            Some((at, byte, 0)) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            Some((at, byte, 1)) => bytes.insert(at.index(bytes.len() + 1), byte),
            Some((at, _, _)) if !bytes.is_empty() => {
                bytes.remove(at.index(bytes.len()));
            }
            _ => {}
        }
        bytes
    })
}

/// Rows of the records that are UTF-8, and which of them were refused and why.
fn parse(
    parser: &mut Parser,
    schema: &[SchemaColumn],
    extra: bool,
    records: &[Vec<u8>],
) -> (Vec<ArrayRef>, Vec<String>) {
    let mut columns: Vec<_> = schema.iter().map(|column| Column::new(column.ty, column.json)).collect();
    columns.extend(extra.then(|| Column::new(ColumnType::Text, false)));
    columns.iter_mut().for_each(|column| column.start(records.len()));
    let (mut rows, mut refusals) = (0, Vec::new());
    for record in records.iter().filter(|record| std::str::from_utf8(record).is_ok()) {
        let mut copy = Vec::new();
        match parser.row(Padded::new(record, 0, record.len(), &mut copy), &mut columns, rows) {
            Ok(()) => rows += 1,
            Err(refusal) => refusals.push(format!("{refusal:?}")),
        }
        assert!(columns.iter().all(|column| column.rows() == rows));
    }
    (columns.iter_mut().map(Column::finish).collect(), refusals)
}

/// What serde_json makes of a record: source texts by name, the last of each; `None` where it is no JSON object.
fn oracle(record: &[u8]) -> Option<HashMap<String, Box<RawValue>>> {
    let syntax: &RawValue = serde_json::from_slice(record).ok()?;
    // only this parse sees half surrogate pairs; numbers that are too large for it are JSON all the same
    serde_json::from_str::<serde_json::Value>(&without_exponents(syntax.get())).ok()?;
    serde_json::from_slice(record).ok()
}

/// A JSON text without the exponents of its numbers.
fn without_exponents(json: &str) -> String {
    let (mut text, mut in_string, mut escaped, mut in_exponent) = (String::new(), false, false, false);
    for c in json.chars() {
        in_exponent = !in_string
            && (matches!(c, 'e' | 'E') && text.ends_with(|last: char| last.is_ascii_digit())
                || in_exponent && (c.is_ascii_digit() || matches!(c, '+' | '-')));
        in_string ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        if !in_exponent {
            text.push(c);
        }
    }
    text
}

fn oracle_text(value: Option<&RawValue>, json: bool) -> Option<String> {
    match value?.get() {
        "null" => None,
        text if text.starts_with('"') && !json => Some(serde_json::from_str(text).unwrap()),
        text => Some(text.to_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_parser_gives_what_the_strict_one_does(
        records in prop::collection::vec(broken_record(), 1..8), which in 0..4,
        unknown in prop::sample::select(vec![UnknownFields::Drop, UnknownFields::Extra, UnknownFields::Reject]),
    ) {
        let schema = match which {
            0 => texts(),
            1 => mixed(),
            2 => nested(),
            _ => typed(),
        };
        let extra = unknown == UnknownFields::Extra;
        let mut both = Parser::new(&schema, unknown);
        let mut strict = Parser { fast: None, ..Parser::new(&schema, unknown) };
        prop_assert!(both.fast.is_some());
        for _ in 0..2 {
            // the second time what was learned the first time is used
            let (columns, refusals) = parse(&mut both, &schema, extra, &records);
            let (expected, reasons) = parse(&mut strict, &schema, extra, &records);
            prop_assert_eq!(columns, expected);
            prop_assert_eq!(refusals, reasons);
        }
    }

    #[test]
    fn paths_lead_where_serde_json_says(records in prop::collection::vec(deep_record(), 1..12)) {
        let schema = nested();
        let bytes: Vec<_> = records.iter().map(|record| record.clone().into_bytes()).collect();
        let (columns, refusals) = parse(&mut Parser::new(&schema, UnknownFields::Drop), &schema, false, &bytes);
        prop_assert!(refusals.is_empty());
        for (column, array) in schema.iter().zip(&columns) {
            let array = array.as_string::<i32>();
            for (row, record) in records.iter().enumerate() {
                let inside = |text: String, name: &str| {
                    let fields: HashMap<String, Box<RawValue>> = serde_json::from_str(&text).ok()?;
                    oracle_text(fields.get(name).map(AsRef::as_ref), true)
                };
                let found = column.from.split('.').try_fold(record.clone(), inside);
                let expected = found.map(|text| text.trim_matches('"').to_owned());
                prop_assert_eq!(array.is_valid(row).then(|| array.value(row).to_owned()), expected);
            }
        }
    }

    #[test]
    fn texts_and_verdicts_are_those_of_serde_json(records in prop::collection::vec(broken_record(), 1..8)) {
        let mut schema = texts();
        schema.push(column("j", "c", ColumnType::Text, true));
        let mut parser = Parser::new(&schema, UnknownFields::Drop);
        let (columns, refusals) = parse(&mut parser, &schema, false, &records);
        let taken: Vec<_> = records.iter().filter_map(|record| oracle(record)).collect();
        let utf8 = records.iter().filter(|record| std::str::from_utf8(record).is_ok()).count();
        prop_assert_eq!(refusals.len(), utf8 - taken.len(), "{:?}", refusals);
        for (column, array) in schema.iter().zip(&columns) {
            let array = array.as_string::<i32>();
            array.to_data().validate_full().unwrap();
            for (row, fields) in taken.iter().enumerate() {
                let expected = oracle_text(fields.get(&column.from).map(AsRef::as_ref), column.json);
                prop_assert_eq!(array.is_valid(row).then(|| array.value(row).to_owned()), expected);
            }
        }
    }

    #[test]
    fn what_is_kept_in_extra_is_json(records in prop::collection::vec(broken_record(), 1..8)) {
        let schema = mixed();
        let mut parser = Parser::new(&schema, UnknownFields::Extra);
        let (columns, _) = parse(&mut parser, &schema, true, &records);
        for text in columns[schema.len()].as_string::<i32>().iter().flatten() {
            prop_assert!(serde_json::from_str::<HashMap<String, &RawValue>>(text).is_ok_and(|f| !f.is_empty()), "{}", text);
        }
    }
}

/// One record in one schema: its columns as texts, then `_extra`, or why it is refused.
fn one(schema: &[SchemaColumn], unknown: UnknownFields, record: &str) -> Result<Vec<Option<String>>, String> {
    let extra = unknown == UnknownFields::Extra;
    let records = [record.as_bytes().to_vec()];
    let (columns, refusals) = parse(&mut Parser::new(schema, unknown), schema, extra, &records);
    match refusals.into_iter().next() {
        Some(refusal) => Err(refusal),
        None => Ok(columns
            .iter()
            .map(|column| column.as_string::<i32>().iter().next().unwrap().map(str::to_owned))
            .collect()),
    }
}

fn paths(froms: &[&str]) -> Vec<SchemaColumn> {
    froms.iter().map(|from| column(from, from, ColumnType::Text, false)).collect()
}

#[test]
fn scalars_keep_their_source_text() {
    let schema = paths(&["a", "b", "c", "d", "e", "f", "g"]);
    let record = r#"{"a":1e3,"b":12.50,"c":true,"d":"1e3","e":-0,"f":[1, 2.0],"g":{"x" : null}}"#;
    let expected =
        ["1e3", "12.50", "true", "1e3", "-0", "[1, 2.0]", "{\"x\" : null}"].map(|text| Some(text.to_owned()));
    assert_eq!(one(&schema, UnknownFields::Drop, record), Ok(expected.to_vec()));
    assert!(one(&schema, UnknownFields::Drop, r#"{"a":003}"#).is_err());
}

#[test]
fn an_exact_name_goes_before_a_path_and_the_last_of_equal_names_counts() {
    let some = |text: &str| Some(text.to_owned());
    let nested = |record| one(&paths(&["a.b", "a"]), UnknownFields::Drop, record).unwrap();
    assert_eq!(nested(r#"{"a":{"b":1}}"#), [some("1"), some(r#"{"b":1}"#)]);
    assert_eq!(nested(r#"{"a.b":2,"a":{"b":1}}"#)[0], some("2"));
    assert_eq!(nested(r#"{"a":{"b":1},"a.b":2}"#)[0], some("2"));
    assert_eq!(nested(r#"{"a":{"b":1},"a.b":null}"#)[0], None);
    assert_eq!(nested(r#"{"a":{"b":1,"b":3}}"#)[0], some("3"));
    assert_eq!(nested(r#"{"a":{"b":1},"a":{"c":1}}"#)[0], None);
    assert_eq!(nested(r#"{"a":{"b":1},"a":7}"#), [None, some("7")]);
    let flat = one(&paths(&["a"]), UnknownFields::Drop, r#"{"a":"x","\u0061":"y"}"#);
    assert_eq!(flat, Ok(vec![some("y")]));
}

#[test]
fn fields_that_the_schema_does_not_name_go_where_the_policy_says() {
    let schema = paths(&["a", "c.d.e"]);
    let record = r#"{"x":[1],"a":"s","c":{"d":{"e":1,"f":"\u0041"},"g" : 2},"y\n": 3}"#;
    assert_eq!(one(&schema, UnknownFields::Drop, record).unwrap()[0].as_deref(), Some("s"));
    assert!(one(&schema, UnknownFields::Reject, record).unwrap_err().contains("Unknown"));
    let extra = one(&schema, UnknownFields::Extra, record).unwrap()[2].clone().unwrap();
    assert_eq!(extra, r#"{"x":[1],"c":{"d":{"f":"\u0041"},"g":2},"y\n":3}"#);
    let none = one(&schema, UnknownFields::Extra, r#"{"a":1,"c":{"d":{"e":1}}}"#);
    assert_eq!(none.unwrap()[2], None);
    assert!(one(&schema, UnknownFields::Reject, r#"{"a":1,"c":{"d":{"e":1}}}"#).is_ok());
    assert!(one(&schema, UnknownFields::Reject, r#"{"c":7}"#).is_err());
}

#[test]
fn plain_records_take_the_fast_parser_in_any_order_and_form() {
    let schema = paths(&["a", "b", "c.d", "c.e"]);
    let mut parser = Parser::new(&schema, UnknownFields::Drop);
    let mut columns: Vec<_> = schema.iter().map(|column| Column::new(column.ty, column.json)).collect();
    let records = [
        r#"{"a":"x","b":1,"c":{"d":"y","e":[1,{}]}}"#,
        r#"{"c":{},"b":"\u00e9\n","x":{"a":[]},"a":null}"#,
        r#" { "b" : -1.5e3 , "c" : null } "#,
        r#"{"c":{"e":true,"a":1,"d":"z"},"a":"q"}"#,
    ];
    columns.iter_mut().for_each(|column| column.start(records.len()));
    for (row, record) in records.iter().enumerate() {
        let mut copy = Vec::new();
        let record = Padded::new(record.as_bytes(), 0, record.len(), &mut copy);
        assert_eq!(parser.fast.as_mut().unwrap().row(record, &mut columns, row), Some(()), "{row}");
    }
}

#[test]
fn a_million_brackets_overflow_no_stack() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let row = one(&paths(&["a"]), UnknownFields::Drop, &deep).unwrap();
    assert_eq!(row[0].as_ref().map(String::len), Some(2_000_000));
    let open = format!("{{\"b\":{}", "[{\"a\":".repeat(300_000));
    assert!(one(&paths(&["a"]), UnknownFields::Drop, &open).is_err());
}

#[test]
fn typed_columns_take_what_they_hold_exactly_and_nothing_else() {
    let ok = |ty, value: &str| {
        let schema = [column("a", "a", ty, false)];
        let records = [format!("{{\"a\":{value}}}").into_bytes()];
        let (columns, refusals) = parse(&mut Parser::new(&schema, UnknownFields::Drop), &schema, false, &records);
        assert_eq!(columns[0].data_type(), &ty.arrow());
        assert!(refusals.iter().all(|refusal| refusal.contains("Mismatch")));
        refusals.is_empty()
    };
    let decimal = ColumnType::Decimal { precision: 5, scale: 2 };
    for (ty, good, bad) in [
        (
            ColumnType::Int64,
            &["1", "-0", "null"][..],
            &["1.0", "1e3", "\"1\"", "true", "[1]", "9223372036854775808"][..],
        ),
        (ColumnType::Float64, &["1", "1.5", "-2e3", "null"], &["1e999", "\"1\"", "{}"]),
        (ColumnType::Boolean, &["true", "false", "null"], &["0", "\"true\""]),
        (decimal, &["1", "1.50", "\"12.5\"", "\"\\u0031\"", "1e2", "null"], &["1.505", "1000", "\"\"", "true", "[]"]),
        (ColumnType::Timestamp, &["\"2026-03-01T10:00:00Z\"", "null"], &["\"2026-03-01\"", "1772359200"]),
        (ColumnType::Date, &["\"2026-03-01\"", "null"], &["\"2026-02-30\"", "20260301", "[]"]),
        (ColumnType::Binary, &["\"x\"", "1", "{}", "null"], &[]),
    ] {
        good.iter().for_each(|value| assert!(ok(ty, value), "{ty} {value}"));
        bad.iter().for_each(|value| assert!(!ok(ty, value), "{ty} {value}"));
    }
}
