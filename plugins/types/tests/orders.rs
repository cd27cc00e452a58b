//! The columns of the `orders` task, against the task's own words: quantity is `[+-]?[0-9]+` with blanks around, 1 to
//! 1,000; amount is `[+-]?[0-9]+(\.[0-9]+)?` after blanks around and commas are removed; ts is
//! `YYYY-MM-DDTHH:MM:SS[.f]Z`. Quantity is judged before amount, amount before ts.

use proptest::prelude::*;
use sluice_sdk::native::{self, Opened};
use sluice_sdk::{ColumnType, Field};
use types::Types;

const CONFIG: &str = r#"{"columns": {
    "quantity": {"to": "int64", "min": 1, "max": 1000, "required": true, "reason": "bad_quantity"},
    "amount": {"to": "decimal(18,2)", "thousands": ",", "on_excess_scale": "round", "required": true,
        "reason": "bad_amount"},
    "ts": {"to": "timestamp", "formats": ["utc"], "trim": false, "required": true, "reason": "bad_ts"}
}}"#;

fn open() -> Opened<Types> {
    let field = |name: &str| Field { name: name.to_owned(), ty: ColumnType::Text, nullable: true };
    native::open(CONFIG, &["quantity", "amount", "ts"].map(field)).unwrap()
}

fn plain_quantity(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|quantity| (1..=1000).contains(quantity))
}

/// The amount in hundredths, where it has no more than two digits after the point.
fn plain_amount(text: &str) -> Option<i128> {
    let text = text.trim_ascii().replace(',', "");
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all(whole) || !all(fraction) {
        return None;
    }
    let value: i128 = format!("{whole}{fraction:0<2}").parse().unwrap();
    Some(if text.starts_with('-') { -value } else { value })
}

proptest! {
    #[test]
    fn quantities_are_those_of_the_task(rows in proptest::collection::vec("[ \\t]?[+-]{0,2}[0-9]{0,5}[ .x]?", 1..20)) {
        let mut rule = open();
        let texts: Vec<_> = rows.iter().map(|row| Some(row.as_str())).collect();
        let zeros = native::texts(&vec![Some("0"); rows.len()]);
        let times = native::texts(&vec![Some("2024-01-01T00:00:00Z"); rows.len()]);
        let (out, rejected) = rule.apply(native::batch(&[native::texts(&texts), zeros, times]));
        let plain: Vec<_> = rows.iter().map(|row| plain_quantity(row)).collect();
        let expected: Vec<_> = plain.iter().map(|quantity| Some(quantity.unwrap_or(0))).collect();
        prop_assert_eq!(&out.columns()[0], &native::int64s(&expected));
        let bad: Vec<_> = plain.iter().enumerate().filter(|(_, q)| q.is_none()).map(|(row, _)| row).collect();
        prop_assert_eq!(rejected.iter().map(|(row, ..)| *row).collect::<Vec<_>>(), bad);
    }

    #[test]
    fn amounts_are_those_of_the_task(
        rows in proptest::collection::vec("[ ]?[+-]?[,]?[0-9]{0,4}[,]{0,2}[0-9]{0,3}([.][,]?[0-9]{0,2}[,]?)?[ e]?", 1..20),
    ) {
        let mut rule = open();
        let texts: Vec<_> = rows.iter().map(|row| Some(row.as_str())).collect();
        let ones = native::texts(&vec![Some("1"); rows.len()]);
        let times = native::texts(&vec![Some("2024-01-01T00:00:00Z"); rows.len()]);
        let (out, _) = rule.apply(native::batch(&[ones, native::texts(&texts), times]));
        let expected: Vec<_> = rows.iter().map(|row| Some(plain_amount(row).unwrap_or(0))).collect();
        prop_assert_eq!(&out.columns()[1], &native::decimals(&expected), "{:?}", rows);
    }
}

#[test]
fn the_first_of_the_task_s_checks_that_fails_is_counted() {
    let mut rule = open();
    let batch = native::batch(&[
        native::texts(&[Some("5"), Some("0"), Some("5"), None]),
        native::texts(&[Some("1,234.56"), Some("x"), Some("1.5"), Some("1")]),
        native::texts(&[Some("2024-02-29T10:00:00.5Z"), Some("x"), Some("2024-02-29T10:00Z"), None]),
    ]);
    let (out, rejected) = rule.apply(batch);
    let codes: Vec<_> = rejected.iter().map(|(row, code, _)| (*row, *code)).collect();
    assert_eq!(
        codes,
        [(1, "bad_quantity"), (1, "bad_amount"), (1, "bad_ts"), (2, "bad_ts"), (3, "bad_quantity"), (3, "bad_ts")]
    );
    assert_eq!(out.columns()[2], native::timestamps(&[Some(1_709_200_800_500_000), Some(0), Some(0), Some(0)]));
}
