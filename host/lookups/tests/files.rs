//! Files that are reference tables, and files that are none.

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int32Array, RecordBatch, StringArray,
    StringViewArray, TimestampNanosecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use sluice_batch::digest_hex;
use sluice_lookups::{Table, TableLimits, read};
use sluice_manifest::LookupPlan;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn csv(&self, text: &str) -> PathBuf {
        let file = self.0.path().join("table.csv");
        std::fs::write(&file, text).unwrap();
        file
    }

    fn parquet(&self, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
        let file = self.0.path().join("table.parquet");
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(std::fs::File::create(&file).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        file
    }
}

fn plan(key: &[&str], columns: &[&str]) -> LookupPlan {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    LookupPlan { name: "t".into(), file: PathBuf::new(), key: names(key), columns: names(columns) }
}

fn taken(file: &std::path::Path, key: &[&str], columns: &[&str]) -> Table {
    read(file, &plan(key, columns), TableLimits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(file: &std::path::Path, key: &[&str], columns: &[&str]) -> String {
    read(file, &plan(key, columns), TableLimits::default()).unwrap_err().to_string()
}

fn texts(values: &ArrayRef) -> Vec<Option<&str>> {
    values.as_string::<i32>().iter().collect()
}

#[test]
fn csv_gives_text_by_the_names_of_its_header() {
    let text = "\u{feff}name,Code,\"VAT, %\"\r\n\"Côte d'Ivoire\",CI,18\r\n\r\n\"two\nlines\",XX,\r\n";
    let place = Place::new();
    let file = place.csv(text);
    let table = taken(&file, &["Code"], &["VAT, %", "name"]);
    assert_eq!(table.digest, digest_hex(text.as_bytes()));
    assert_eq!(texts(&table.key[0].values), [Some("CI"), Some("XX")]);
    assert_eq!(texts(&table.columns[0].values), [Some("18"), None]);
    assert_eq!(texts(&table.columns[1].values), [Some("Côte d'Ivoire"), Some("two\nlines")]);
    assert!(table.columns[0].field.nullable && !table.columns[1].field.nullable);
    assert_eq!([table.place(0), table.place(1), table.place(2)], ["line 2", "line 4", "row 3"]);
}

#[test]
fn a_csv_without_rows_is_a_table() {
    let place = Place::new();
    let table = taken(&place.csv("code,name\n"), &["code"], &["name"]);
    assert_eq!((table.key[0].values.len(), table.columns[0].values.len()), (0, 0));
}

#[test]
fn what_is_wrong_with_a_csv_is_told_with_its_line() {
    let place = Place::new();
    let file = place.csv("code,name\nDE,Germany\nFR\n");
    assert_eq!(refused(&file, &["code"], &[]), "line 3: found 1 fields, expected 2");
    let file = place.csv("code,name\nDE,\"Ger\"many\n");
    assert!(refused(&file, &["code"], &[]).starts_with("line 2: byte 8: something stands behind a closing"));
    std::fs::write(&file, b"code\nDE\n\xff\n").unwrap();
    assert!(refused(&file, &["code"], &[]).starts_with("line 3: "));
    let file = place.csv("code,name\nDE,Germany\n");
    let missing = refused(&file, &["code"], &["nam"]);
    assert!(missing.contains("which the CSV header does not name; the nearest name there is `name`"), "{missing}");
    assert!(refused(&place.csv(""), &["code"], &[]).contains("the CSV header does not name"));
    assert!(refused(&place.csv("a,a\n"), &["a"], &[]).contains("names the field `a` twice"));
    assert!(refused(&place.0.path().join("none.csv"), &["a"], &[]).starts_with("it could not be read: "));
}

#[test]
fn parquet_gives_its_types_or_those_that_rules_have_for_them() {
    let place = Place::new();
    let words: DictionaryArray<arrow_array::types::Int8Type> = [Some("a"), None, Some("a")].into_iter().collect();
    let file = place.parquet(vec![
        ("skipped", Arc::new(StringArray::from(vec!["x", "y", "z"]))),
        ("small", Arc::new(Int32Array::from(vec![Some(1), None, Some(-3)]))),
        ("word", Arc::new(words)),
        ("view", Arc::new(StringViewArray::from(vec!["a", "longer than twelve bytes", ""]))),
        ("at", Arc::new(TimestampNanosecondArray::from(vec![1_000, 2_000, 3_000]))),
        ("day", Arc::new(Date32Array::from(vec![1, 2, 3]))),
        ("price", Arc::new(Decimal128Array::from(vec![1, 2, 3]).with_precision_and_scale(7, 2).unwrap())),
    ]);
    let table = taken(&file, &["view", "day"], &["price", "small", "word", "at"]);
    let columns: Vec<_> = table.key.iter().chain(&table.columns).collect();
    let types: Vec<String> = columns.iter().map(|c| format!("{}: {}", c.field.name, c.field.ty)).collect();
    let expected = ["view: text", "day: date", "price: decimal(7,2)", "small: int64", "word: text", "at: timestamp"];
    assert_eq!(types, expected);
    assert!(columns.iter().all(|column| *column.values.data_type() == column.field.ty.arrow()));
    assert_eq!(texts(&table.key[0].values), [Some("a"), Some("longer than twelve bytes"), Some("")]);
    assert_eq!(texts(&table.columns[2].values), [Some("a"), None, Some("a")]);
    assert_eq!(table.columns[3].values.as_primitive::<arrow_array::types::TimestampMicrosecondType>().value(2), 3);
    assert_eq!(table.place(1), "row 2");
}

#[test]
fn a_parquet_without_rows_is_a_table() {
    let place = Place::new();
    let file = place.parquet(vec![("code", Arc::new(StringArray::from(Vec::<&str>::new())))]);
    assert_eq!(taken(&file, &["code"], &[]).key[0].values.len(), 0);
}

#[test]
fn what_a_type_cannot_hold_as_it_is_refuses_the_parquet() {
    let place = Place::new();
    let file = place.parquet(vec![
        ("at", Arc::new(TimestampNanosecondArray::from(vec![1_001]))),
        ("big", Arc::new(UInt64Array::from(vec![u64::MAX]))),
        (
            "list",
            Arc::new(arrow_array::ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>([Some([
                Some(1),
            ])])),
        ),
    ]);
    let finer = refused(&file, &["at"], &[]);
    assert!(finer.starts_with("column `at` is Timestamp(ns): ") && finer.contains("not every value of it"), "{finer}");
    assert!(refused(&file, &["big"], &[]).contains("store it as int64"));
    assert!(refused(&file, &["list"], &[]).contains("no column of a rule can hold it"));
    assert_eq!(refused(&file, &["bigg"], &[]), "it has no column `bigg`; did you mean `big`?");
    std::fs::write(&file, "no parquet").unwrap();
    assert!(refused(&file, &["a"], &[]).starts_with("it is no Parquet file that can be read: "));
}

#[test]
fn a_table_over_its_limits_is_refused() {
    let place = Place::new();
    let over = |file: &std::path::Path, limits: TableLimits| {
        read(file, &plan(&["code"], &[]), limits).unwrap_err().to_string()
    };
    let file = place.csv("code\nDE\nFR\n");
    let limits = TableLimits { rows: 1, ..TableLimits::default() };
    assert_eq!(over(&file, limits), "it has 2 rows or more; a reference table may have 1");
    let limits = TableLimits { bytes: 10, ..TableLimits::default() };
    assert_eq!(over(&file, limits), "it holds 11 bytes or more; a reference table may hold 10");
    // small on disk, large in memory
    let same = vec!["the same text again and again"; 100_000];
    let file = place.parquet(vec![("code", Arc::new(StringArray::from(same)))]);
    let bytes = file.metadata().unwrap().len();
    assert!(over(&file, TableLimits { bytes, ..TableLimits::default() }).contains("bytes or more"));
    let limits = TableLimits { rows: 99_999, ..TableLimits::default() };
    assert_eq!(over(&file, limits), "it has 100000 rows or more; a reference table may have 99999");
}
