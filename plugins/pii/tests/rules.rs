//! The rule as a whole, natively.

use pii::Pii;
use proptest::prelude::*;
use sluice_sdk::native::{self, Opened};
use sluice_sdk::{Column, ColumnType, Field, Finding, kernels::Text};

fn field(name: &str, ty: ColumnType) -> Field {
    Field { name: name.to_owned(), ty, nullable: true }
}

fn open(column: &str) -> Opened<Pii> {
    let config = format!(r#"{{"columns": {{"x": {column}}}}}"#);
    native::open::<Pii>(&config, &[field("x", ColumnType::Text)]).unwrap_or_else(|findings| panic!("{findings:?}"))
}

fn texts_of(column: &Column) -> Vec<Option<String>> {
    let sluice_sdk::Values::Text(text) = &column.values else { panic!("no text: {column:?}") };
    let valid = |row| sluice_sdk::kernels::bits::is_valid(&column.validity, row);
    let rows = Text::new(&text.offsets, &text.bytes);
    let row = |(i, row): (usize, &[u8])| valid(i).then(|| String::from_utf8(row.to_vec()).unwrap());
    rows.iter().enumerate().map(row).collect()
}

/// What one column's configuration makes of some values and a null.
fn hidden(column: &str, values: &[&str]) -> Vec<String> {
    let mut rows: Vec<Option<&str>> = values.iter().map(|&value| Some(value)).collect();
    rows.push(None);
    let mut rule = open(column);
    let (out, rejected) = rule.apply(native::batch(&[native::texts(&rows)]));
    assert!(rejected.is_empty());
    let mut texts = texts_of(&out.columns()[0]);
    assert_eq!(texts.pop(), Some(None), "a null stays null");
    texts.into_iter().map(|text| text.expect("a value stays a value")).collect()
}

#[test]
fn whole_values_are_hidden_in_every_way() {
    assert_eq!(hidden(r#"{"how": "mask"}"#, &["Jo 7-é!", ""]), ["** *-*!", ""]);
    assert_eq!(hidden(r#"{}"#, &["a", ""]), ["[REDACTED]", "[REDACTED]"]);
    assert_eq!(hidden(r#"{"as": "email"}"#, &["a@b.cd"]), ["[EMAIL]"]);
    assert_eq!(hidden(r#"{"how": "replace", "with": "?"}"#, &["a"]), ["?"]);
}

#[test]
fn a_part_is_shown_by_the_kind_of_the_value() {
    let cases: [(&str, &str, &str); 14] = [
        ("email", "alice.smith1@example.com", "a***@example.com"),
        ("email", "élan@x.fr", "é***@x.fr"),
        ("email", "@x.fr", "***"),
        ("email", "no address", "***"),
        ("phone", "+44 20 7946 0958", "+** ** **** **58"),
        ("phone", "0123456789", "********89"),
        ("phone", "12", "12"),
        ("card", "4111-1111-1111-1111", "****-****-****-1111"),
        ("card", "1234", "****"),
        ("iban", "DE89 3704 0044 0532 0130 00", "DE89 **** **** **** **30 00"),
        ("ssn", "078-05-1120", "***-**-1120"),
        ("ip", "192.168.10.7", "192.168.*.*"),
        ("ip", "2001:db8::8a2e:370:7334", "2001:db8:*"),
        ("ip", "host7", "*****"),
    ];
    for (kind, value, expected) in cases {
        assert_eq!(hidden(&format!(r#"{{"as": "{kind}", "how": "partial"}}"#), &[value]), [expected], "{kind}");
    }
    assert_eq!(hidden(r#"{"how": "partial"}"#, &["Jordan", "é", ""]), ["J***", "é***", ""]);
}

#[test]
fn what_is_found_in_free_text_is_hidden() {
    let all = r#"["email", "card", "iban", "ssn", "ip", "phone"]"#;
    let text = "é mail jo@x.de or +44 20 7946 0958, card 4111 1111 1111 1111 ✓";
    let replaced = hidden(&format!(r#"{{"find": {all}}}"#), &[text, "clean", "10.0.0.1", "078-05-1120"]);
    assert_eq!(replaced, ["é mail [EMAIL] or [PHONE], card [CARD] ✓", "clean", "[IP]", "[SSN]"]);
    let with = hidden(&format!(r#"{{"find": {all}, "how": "replace", "with": "***"}}"#), &[text]);
    assert_eq!(with, ["é mail *** or ***, card *** ✓"]);
    let masked = hidden(&format!(r#"{{"find": {all}, "how": "mask"}}"#), &[text]);
    assert_eq!(masked, ["é mail **@*.** or +** ** **** ****, card **** **** **** **** ✓"]);
    let partial = hidden(&format!(r#"{{"find": {all}, "how": "partial"}}"#), &[text]);
    assert_eq!(partial, ["é mail j***@x.de or +** ** **** **58, card **** **** **** 1111 ✓"]);
    assert_eq!(hidden(r#"{"find": ["email"], "how": "drop"}"#, &[text])[0], text.replace("jo@x.de", ""));
    assert_eq!(hidden(r#"{"find": ["email"]}"#, &["nothing", "", "@ all"]), ["nothing", "", "@ all"]);
}

#[test]
fn the_columns_of_orders_are_hidden_as_their_definition_says() {
    let config = r#"{"columns": {
        "email": {"as": "email", "how": "partial"}, "phone": {"as": "phone", "how": "partial"}, "note": {"find": ["email"]}
    }}"#;
    let inputs = ["note", "email", "phone", "status"].map(|name| field(name, ColumnType::Text));
    let mut rule = native::open::<Pii>(config, &inputs).unwrap();
    assert_eq!(rule.signature.reads, ["email", "phone", "note"]);
    let batch = native::batch(&[
        native::texts(&[Some("zoe.lee7@corp.example.net"), None]),
        native::texts(&[Some("+1-415-555-0132"), Some("0123456789")]),
        native::texts(&[Some("caf\u{e9} a.b@x.co.uk, or c@d.ef!"), Some("50% off @ counter")]),
    ]);
    let (out, _) = rule.apply(batch);
    let columns: Vec<_> = out.columns().iter().map(texts_of).collect();
    assert_eq!(columns[0], [Some("z***@corp.example.net".to_owned()), None]);
    assert_eq!(columns[1], [Some("+*-***-***-**32".to_owned()), Some("********89".to_owned())]);
    assert_eq!(columns[2], [Some("caf\u{e9} [EMAIL], or [EMAIL]!".to_owned()), Some("50% off @ counter".to_owned())]);
}

#[test]
fn any_column_can_be_dropped() {
    let inputs = [field("n", ColumnType::decimal(9, 2)), Field { nullable: false, ..field("t", ColumnType::Text) }];
    let config = r#"{"columns": {"n": {"how": "drop"}, "t": {"how": "drop"}}}"#;
    let mut rule = native::open::<Pii>(config, &inputs).unwrap();
    assert!(rule.signature.outputs.iter().all(|output| output.nullable));
    let (out, _) = rule.apply(native::batch(&[native::decimals(&[Some(1)]), native::texts(&[Some("a")])]));
    assert_eq!(out.columns(), [Column::nulls(ColumnType::decimal(9, 2), 1), Column::nulls(ColumnType::Text, 1)]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let inputs = [field("email", ColumnType::Text), field("n", ColumnType::Int64)];
    let config = r#"{"columns": {
        "emial": {"how": "maks"},
        "email": {"find": ["emails", "e"], "as": "mail", "how": "token", "with": "x"},
        "n": {"how": "mask"}
    }}"#;
    let findings = native::open::<Pii>(config, &inputs).expect_err("something is wrong");
    assert_eq!(
        findings.iter().map(Finding::to_string).collect::<Vec<_>>(),
        [
            "/columns/emial: no column `emial` exists here; did you mean `email`?",
            "/columns/emial/how: unknown way `maks`; did you mean `mask`? (known: mask, partial, replace, drop)",
            "/columns/email/how: keyed pseudonyms are made by the rule `pseudonyms`, which is granted `token`",
            "/columns/email/with: this is for `\"how\": \"replace\"` only; leave it out",
            "/columns/email/as: unknown kind `mail`; did you mean `email`? (known: email, iban, card, ip, ssn, phone)",
            "/columns/email/as: `as` is for the whole value and `find` for what stands in it; leave one of them out",
            "/columns/email/find/0: unknown kind `emails`; did you mean `email`? (known: email, iban, card, ip, ssn, phone)",
            "/columns/email/find/1: unknown kind `e` (known: email, iban, card, ip, ssn, phone)",
            "/columns/n: column `n` is int64 here; only text can be hidden in part, the rest can be dropped (`\"how\": \"drop\"`)",
        ]
    );
    assert!(native::open::<Pii>(r#"{"columns": {}}"#, &inputs).is_err());
}

proptest! {
    #[test]
    fn what_happens_to_a_row_depends_on_that_row_only(
        rows in proptest::collection::vec(
            proptest::option::of("(a@b\\.cd|10\\.0\\.0\\.1|\\+442079460958|[a-z@.0-9é ]{0,6}){0,4}"), 1..20),
        cut in 0usize..20,
    ) {
        let rows: Vec<Option<&str>> = rows.iter().map(|row| row.as_deref()).collect();
        let cut = cut.min(rows.len());
        for column in [
            r#"{"find": ["email", "card", "iban", "ssn", "ip", "phone"]}"#, r#"{"find": ["email"], "how": "partial"}"#,
            r#"{"as": "email", "how": "partial"}"#, r#"{"as": "phone", "how": "partial"}"#, r#"{"how": "mask"}"#,
            r#"{"as": "ip", "how": "partial"}"#,
        ] {
            let mut rule = open(column);
            let mut run = |rows: &[Option<&str>]| texts_of(&rule.apply(native::batch(&[native::texts(rows)])).0.columns()[0]);
            let (head, tail) = rows.split_at(cut);
            let mut parts = if head.is_empty() { Vec::new() } else { run(head) };
            if !tail.is_empty() {
                parts.extend(run(tail));
            }
            prop_assert_eq!(run(&rows), parts, "{}", column);
        }
    }
}
