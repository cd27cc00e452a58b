//! Strings that have broken other programs come back byte for byte.

use crate::support::lake::Lake;
use crate::support::sluice::{Sluice, query, write_pipeline};
use crate::support::{csv, files, root};
use std::collections::BTreeMap;
use std::path::Path;

fn strings() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("tests/json/naughty_strings.json")).expect("the strings are there");
    let mut strings: Vec<String> = serde_json::from_str(&text).expect("they are a JSON array");
    assert!(strings.len() >= 200);
    // and some that the list lacks
    strings.extend(
        ["", " ", "\u{0}", "\u{feff}", "\u{10ffff}", "a\u{0}b", "\t\r\n", "\"", "\\", ",", "\u{7f}\u{80}"]
            .map(str::to_owned),
    );
    strings
}

/// Runs strings through and gives them as silver, read as Parquet, and a query have them.
fn back(folder: &Path, source: &str, input: &str) -> [BTreeMap<usize, String>; 2] {
    let manifest = format!("dataset: naughty\nsource: {source}\nschema: {{ n: int64, value: text }}\n");
    let pipeline = write_pipeline(&folder.join("naughty"), &manifest);
    let (file, data) = (folder.join("input"), folder.join("lake"));
    files::write(&file, input);
    Sluice::run(&pipeline, &data).input(&file).output().ok();
    let silver = Lake::new(&data).silver();
    let numbers = silver.texts("n").into_iter().map(|n| n.parse().unwrap());
    let parquet = numbers.zip(silver.texts("value").into_iter().map(str::to_owned)).collect();
    let row = |row: serde_json::Value| {
        (row["n"].as_u64().unwrap() as usize, row["value"].as_str().expect("it is a text").to_owned())
    };
    let queried = query(&pipeline, &data, "select n, value from silver").into_iter().map(row).collect();
    [parquet, queried]
}

#[test]
fn naughty_strings_come_back_from_json_byte_for_byte() {
    let strings = strings();
    let folder = tempfile::tempdir().unwrap();
    let line = |(n, value): (usize, &String)| format!("{}\n", serde_json::json!({ "n": n, "value": value }));
    let input: String = strings.iter().enumerate().map(line).collect();
    let expected: BTreeMap<usize, String> = strings.into_iter().enumerate().collect();
    for found in back(folder.path(), "{ format: json }", &input) {
        assert_eq!(found, expected);
    }
}

#[test]
fn naughty_strings_come_back_from_csv_byte_for_byte() {
    let strings = strings();
    let folder = tempfile::tempdir().unwrap();
    let lines = strings.iter().enumerate().map(|(n, value)| csv::line([n.to_string().as_str(), value]));
    let input: String = std::iter::once("n,value\n".to_owned()).chain(lines).collect();
    let expected: BTreeMap<usize, String> = strings.into_iter().enumerate().collect();
    for found in back(folder.path(), "{ format: csv, empty: text }", &input) {
        assert_eq!(found, expected);
    }
}
