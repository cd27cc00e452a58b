//! The rule as a whole, natively.

use checks::Checks;
use sluice_sdk::{Column, ColumnType, Field, Finding, native};

fn field(name: &str, ty: ColumnType) -> Field {
    Field { name: name.to_owned(), ty, nullable: true }
}

fn rejected(config: &str, ty: ColumnType, column: Column) -> Vec<(usize, String)> {
    let inputs = [field("x", ty)];
    let mut rule = native::open::<Checks>(config, &inputs).unwrap_or_else(|findings| panic!("{findings:?}"));
    let batch = native::batch(&[column]);
    rule.check(&batch).into_iter().map(|(row, code, _)| (row, code.to_owned())).collect()
}

/// The rows that one check of a text column `x` rejects.
fn rows(check: &str, texts: &[&str]) -> Vec<usize> {
    let column = native::texts(&texts.iter().map(|&text| Some(text)).collect::<Vec<_>>());
    let config = format!(r#"{{"rules": [{{"column": "x", {check}}}]}}"#);
    rejected(&config, ColumnType::Text, column).into_iter().map(|(row, _)| row).collect()
}

fn findings(config: &str, inputs: &[Field]) -> Vec<String> {
    let findings = native::open::<Checks>(config, inputs).expect_err("something is wrong");
    findings.iter().map(Finding::to_string).collect()
}

#[test]
fn the_orders_are_judged_in_the_order_of_the_checks() {
    let config = r#"{"rules": [
        {"column": "order_id", "not_blank": true, "reason": "missing_order_id"},
        {"column": "status", "required": true, "one_of": ["pending", "paid"], "reason": "bad_status"},
        {"column": "quantity", "required": true, "type": "int64", "min": 1, "max": 1000, "reason": "bad_quantity"},
        {"column": "amount", "required": true, "type": "decimal", "thousands": ",", "reason": "bad_amount"},
        {"column": "ts", "required": true, "type": "timestamp", "reason": "bad_ts", "text": "no time"}
    ]}"#;
    let names = ["order_id", "status", "quantity", "amount", "ts"];
    let inputs = names.map(|name| field(name, ColumnType::Text));
    let mut rule = native::open::<Checks>(config, &inputs).unwrap();
    let good = [Some("ord-1"), Some("paid"), Some(" 7 "), Some("1,234.50"), Some("2026-03-01T10:00:00.000Z")];
    let bad = [
        (1, Some("")),
        (2, Some("PAID")),
        (3, Some("1001")),
        (3, Some("three")),
        (4, Some("12.3.4")),
        (5, Some("2026-13-01T10:00:00.000Z")),
        (5, None),
    ];
    let mut table = vec![good];
    for (column, value) in bad {
        let mut row = good;
        row[column - 1] = value;
        table.push(row);
    }
    table.push([None, None, Some("0"), Some("N/A"), Some("yesterday")]);
    let columns: Vec<Column> =
        (0..5).map(|i| native::texts(&table.iter().map(|row| row[i]).collect::<Vec<_>>())).collect();
    let batch = native::batch(&columns);
    let codes = ["missing_order_id", "bad_status", "bad_quantity", "bad_amount", "bad_ts"];
    let mut expected: Vec<(usize, &str, Option<&str>)> =
        bad.iter().enumerate().map(|(i, &(column, _))| (i + 1, codes[column - 1], Some(names[column - 1]))).collect();
    expected.extend((0..5).map(|i| (8, codes[i], Some(names[i]))));
    assert_eq!(rule.check(&batch), expected);
    let texts: Vec<_> = rule.signature.reasons.iter().map(|reason| reason.text.as_str()).collect();
    assert_eq!(texts[2], "`quantity` is to be present, of type int64, at least 1, at most 1000");
    assert_eq!(texts[4], "no time");
}

#[test]
fn text_is_read_as_its_type() {
    assert_eq!(rows(r#""type": "int64""#, &["1", " -2 ", "+3", "1.0", "", "9223372036854775808", "1e3"]), [3, 4, 5, 6]);
    assert_eq!(rows(r#""type": "decimal""#, &["1", "1.50", "1e3", ".5", "1,5", "x"]), [3, 4, 5]);
    assert_eq!(rows(r#""type": "float64""#, &["1e300", "1e999", "NaN", "-0.0"]), [1, 2]);
    assert_eq!(rows(r#""type": "boolean""#, &["true", "FALSE", "yes", "0", "maybe", ""]), [4, 5]);
    assert_eq!(rows(r#""type": "timestamp""#, &["2026-03-01T10:00Z", "2026-03-01 10:00:00", "2026-03-01", "x"]), [3]);
    assert_eq!(rows(r#""type": "date""#, &["2024-02-29", "2023-02-29", "29.2.2024"]), [1, 2]);
}

#[test]
fn ranges_hold_exactly_whatever_the_type() {
    assert_eq!(rows(r#""min": 0.1, "max": "0.30""#, &["0.1", "0.3", "0.30000000000000000001", "0.09", "x"]), [2, 3, 4]);
    assert_eq!(rows(r#""type": "int64", "min": 1.5"#, &["1", "2", "99999999999999999999"]), [0, 2]);
    assert_eq!(rows(r#""type": "date", "min": "2026-01-01""#, &["2025-12-31", "2026-01-01"]), [0]);
    let between = r#"{"rules": [{"column": "x", "min": -1, "max": 2.5, "reason": "r"}]}"#;
    let ints = native::int64s(&[Some(-2), Some(-1), None, Some(2), Some(3)]);
    assert_eq!(rejected(between, ColumnType::Int64, ints), [(0, "r".to_owned()), (4, "r".to_owned())]);
    let decimals = native::decimals(&[Some(2_500), Some(2_501), None, Some(-1_001)]);
    let decimal = ColumnType::decimal(9, 3);
    assert_eq!(rejected(between, decimal, decimals), [(1, "r".to_owned()), (3, "r".to_owned())]);
    let floats = native::float64s(&[Some(2.5), Some(f64::NAN), None, Some(f64::INFINITY)]);
    assert_eq!(rejected(between, ColumnType::Float64, floats), [(1, "r".to_owned()), (3, "r".to_owned())]);
    let since = r#"{"rules": [{"column": "x", "min": "1970-01-01T00:00:01Z"}]}"#;
    let times = native::timestamps(&[Some(999_999), Some(1_000_000)]);
    assert_eq!(rejected(since, ColumnType::Timestamp, times), [(0, "x_out_of_range".to_owned())]);
}

#[test]
fn sets_patterns_and_lengths_are_tested() {
    assert_eq!(rows(r#""one_of": ["a", 0.10, true]"#, &["a", "0.10", "0.1", "true", "A"]), [2, 4]);
    assert_eq!(rows(r#""not_one_of": ["a"]"#, &["a", "b"]), [0]);
    assert_eq!(rows(r#""matches": "C?[0-9]{6}""#, &["C123456", "123456", "1234567", "xC123456"]), [2, 3]);
    assert_eq!(rows(r#""length": {"min": 2, "max": 3}"#, &["é", "éé", "ééé", "éééé", ""]), [0, 3, 4]);
    assert_eq!(rows(r#""not_blank": true"#, &["", " \t", "x"]), [0, 1]);
    let set = r#"{"rules": [{"column": "x", "one_of": [1, "2", 2.0]}]}"#;
    let ints = native::int64s(&[Some(1), Some(3), None, Some(2)]);
    assert_eq!(rejected(set, ColumnType::Int64, ints), [(1, "x_not_in_set".to_owned())]);
    let set = r#"{"rules": [{"column": "x", "one_of": [true]}]}"#;
    let inputs = [field("n", ColumnType::Int64), field("x", ColumnType::Boolean)];
    let mut rule =
        native::open::<Checks>(&set.replace("[{", r#"[{"column": "n", "required": true}, {"#), &inputs).unwrap();
    let batch = native::batch(&[native::int64s(&[Some(0); 3]), native::booleans(&[Some(true), Some(false), None])]);
    assert_eq!(rule.check(&batch), [(1, "x_not_in_set", Some("x"))]);
}

#[test]
fn a_null_fails_only_what_asks_for_a_value() {
    let nulls = || native::texts(&[None, Some("a")]);
    for check in [r#""type": "int64""#, r#""one_of": ["b"]"#, r#""matches": "b""#, r#""length": {"min": 9}"#] {
        let config = format!(r#"{{"rules": [{{"column": "x", {check}}}]}}"#);
        let found = rejected(&config, ColumnType::Text, nulls());
        assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1], "{check}");
    }
    for check in [r#""required": true"#, r#""not_blank": true"#] {
        let config = format!(r#"{{"rules": [{{"column": "x", {check}}}]}}"#);
        assert_eq!(rejected(&config, ColumnType::Text, nulls()), [(0, "x_missing".to_owned())], "{check}");
    }
}

#[test]
fn a_check_rejects_a_row_once_and_several_checks_each() {
    let config = r#"{"rules": [
        {"column": "x", "type": "int64", "min": 5, "matches": "[0-9]+", "length": {"max": 2}},
        {"column": "x", "not_one_of": ["abc"], "reason": "second"}
    ]}"#;
    let column = native::texts(&[Some("abc"), Some("4"), Some("7"), Some("+77")]);
    let found = rejected(config, ColumnType::Text, column);
    let expected = [(0, "x_malformed"), (0, "second"), (1, "x_out_of_range"), (3, "x_malformed")];
    assert_eq!(found, expected.map(|(row, code)| (row, code.to_owned())));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let inputs = [field("status", ColumnType::Text), field("n", ColumnType::Int64), field("at", ColumnType::Timestamp)];
    let config = r#"{"rules": [
        {"column": "statsu", "one_of": ["a"], "matches": "("},
        {"column": "status", "type": "int46"},
        {"column": "status", "type": "int64", "min": "x", "max": 1},
        {"column": "status", "matches": "[a-", "one_of": [], "reason": "Bad"},
        {"column": "n", "not_blank": true, "type": "date", "thousands": ","},
        {"column": "n", "min": 2, "max": 1, "one_of": ["a"]},
        {"column": "at", "min": "soon"},
        {"column": "at"},
        {"column": "status", "type": "date", "thousands": ",", "length": {}}
    ]}"#;
    assert_eq!(
        findings(config, &inputs),
        [
            "/rules/0/column: no column `statsu` exists here; did you mean `status`?",
            "/rules/0/matches: the group is not closed; write `\\(` for the character (at byte 0 of the pattern)",
            "/rules/1/type: unknown type `int46`; did you mean `int64`? (known: int64, decimal, float64, boolean, timestamp, date)",
            "/rules/2/min: `x` is no number",
            "/rules/3/one_of: the list is empty; name the values or leave it out",
            "/rules/3/matches: the class is not closed; write `\\[` for the character (at byte 0 of the pattern)",
            "/rules/3/reason: `Bad` is no reason code; a code is 1 to 64 lower-case letters, digits and `_`",
            "/rules/4/not_blank: column `n` is int64 here, and this is for text",
            "/rules/4/thousands: column `n` is int64 here; only text has separators",
            "/rules/4/type: column `n` is int64 here and never of this type; leave `type` out",
            "/rules/5/min: min is greater than max, so that nothing passes",
            "/rules/5/one_of/0: `a` is not an int64",
            "/rules/6/min: `soon` is not a timestamp",
            "/rules/7: nothing is asked of the column; add required, not_blank, type, min, max, one_of, not_one_of, matches or length",
            "/rules/8/thousands: only numbers have separators",
            "/rules/8/length: a length has a min, a max or both, and min is not greater than max",
        ]
    );
    assert_eq!(
        findings(r#"{"rules": []}"#, &inputs),
        ["/rules: there is nothing to check; add a check, such as `{\"column\": \"id\", \"required\": true}`"]
    );
    assert_eq!(
        findings(r#"{"rules": [{"column": "n", "requierd": true}]}"#, &inputs)[0].split(" (known").next(),
        Some("/rules/0/requierd: unknown key `requierd`; did you mean `required`?")
    );
}

#[test]
fn long_and_odd_column_names_give_good_codes() {
    let name = format!("Customer.Address-{}", "z".repeat(100));
    let config = format!(r#"{{"rules": [{{"column": "{name}", "required": true}}]}}"#);
    let rule = native::open::<Checks>(&config, &[field(&name, ColumnType::Text)]).unwrap();
    let code = &rule.signature.reasons[0].code;
    assert!(code.len() == 64 && code.starts_with("customer_address_z") && code.ends_with("_missing"), "{code}");
}
