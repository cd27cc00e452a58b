//! The same records in every form that they can arrive in.

use crate::support::lake::Lake;
use crate::support::orders::{self, Order};
use crate::support::sluice::{Sluice, variant, write_pipeline};
use crate::support::{csv, files, pipeline};
use std::path::Path;

/// Orders that are all JSON objects, some of them broken in other ways. Null and the empty text cannot be told apart in
/// CSV, so no text that is kept is empty.
fn records() -> Vec<Order> {
    let mut records = orders::orders(4_000, 21);
    let values = records.iter_mut().flat_map(|order| &mut order.0).filter(|(name, _)| *name == "note");
    values.filter(|(_, value)| value == "\"\"").for_each(|(_, value)| *value = "\"none\"".into());
    records
}

fn ndjson(records: &[Order]) -> String {
    records.iter().map(|order| order.json() + "\n").collect()
}

/// Null and a missing field are an empty field here.
fn csv_text(records: &[Order]) -> String {
    let names: Vec<&str> =
        vec!["order_id", "customer_id", "email", "phone", "status", "amount", "quantity", "country", "ts", "note"];
    let mut text = names.join(",") + "\n";
    for order in records {
        let field = |name: &&str| {
            let value = order.0.iter().find(|(field, _)| field == name).map_or("null", |(_, value)| value);
            match serde_json::from_str(value).expect("values are JSON") {
                serde_json::Value::String(text) => text,
                serde_json::Value::Null => String::new(),
                _ => value.to_owned(),
            }
        };
        let fields: Vec<String> = names.iter().map(field).collect();
        text += &csv::line(fields.iter().map(String::as_str));
    }
    text
}

/// The pipeline `orders` with another source.
fn with_source(folder: &Path, source: &str) -> std::path::PathBuf {
    let manifest = std::fs::read_to_string(pipeline("orders").join("pipeline.yaml")).unwrap();
    let from = "source:\n  format: json\n  records: lines\n";
    assert!(manifest.contains(from), "the pipeline's source is written otherwise");
    write_pipeline(folder, &manifest.replacen(from, &format!("source: {source}\n"), 1))
}

#[test]
fn records_as_lines_array_or_csv_plain_or_packed_give_the_same_silver_and_gold() {
    let folder = tempfile::tempdir().unwrap();
    let records = records();
    let lines = ndjson(&records);
    let array = format!("[{}]", lines.trim_end().replace('\n', ",\n"));
    let table = csv_text(&records);
    let two_members = [files::gzip(&lines.as_bytes()[..9_000]), files::gzip(&lines.as_bytes()[9_000..])].concat();
    let json = variant("orders", &folder.path().join("json"), "");
    let as_array = with_source(&folder.path().join("array"), "{ format: json, records: array }");
    let as_csv = with_source(&folder.path().join("csv"), "{ format: csv }");
    let cases: [(&str, &Path, Vec<u8>); 9] = [
        ("lines", &json, lines.clone().into()),
        ("lines.gz", &json, files::gzip(lines.as_bytes())),
        ("lines-in-two-members.gz", &json, two_members),
        ("lines.zst", &json, files::zstd(lines.as_bytes())),
        ("lines-with-bom-and-crlf", &json, format!("\u{feff}{}", lines.replace('\n', "\r\n")).into()),
        ("array", &as_array, array.clone().into()),
        ("array.gz", &as_array, files::gzip(array.as_bytes())),
        ("csv-with-bom", &as_csv, format!("\u{feff}{table}").into()),
        ("csv.zst", &as_csv, files::zstd(table.as_bytes())),
    ];
    let mut first = None;
    for (name, pipeline, bytes) in cases {
        let (input, data) = (folder.path().join(format!("{name}.in")), folder.path().join(name));
        files::write(&input, bytes);
        let account = Sluice::run(pipeline, &data).input(&input).output().ok().account();
        assert_eq!(account["read"], records.len(), "{name}: {account}");
        let lake = Lake::new(&data);
        let found = (lake.silver_content(), lake.gold("orders_per_minute"), account["reasons"].clone());
        let (silver, gold, reasons) = first.get_or_insert_with(|| found.clone());
        found.0.same(silver, name);
        found.1.same(gold, name);
        assert_eq!(found.2, *reasons, "{name}");
    }
}

#[test]
fn a_scalar_read_as_text_keeps_its_source_text() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "dataset: scalars\nsource: { format: json }\nschema: { value: text }\n";
    let pipeline = write_pipeline(&folder.path().join("scalars"), manifest);
    let scalars = ["003", "1e3", "12.50", "-0", "true", "1E+400", "123456789012345678901234567890.10"];
    // a number may not begin with a zero in JSON; as a string it may
    let value = |scalar: &&str| if scalar.starts_with("00") { format!("\"{scalar}\"") } else { (*scalar).to_owned() };
    let lines: String = scalars.iter().map(|scalar| format!("{{\"value\":{}}}\n", value(scalar))).collect();
    let (input, data) = (folder.path().join("in"), folder.path().join("lake"));
    files::write(&input, lines);
    Sluice::run(&pipeline, &data).input(&input).output().ok();
    let silver = Lake::new(&data).silver();
    let mut expected = scalars.to_vec();
    expected.sort_unstable();
    assert_eq!(silver.texts("value"), expected);
}

#[test]
fn unknown_fields_are_dropped_kept_or_reason_for_rejection_as_the_dataset_says() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in");
    files::write(&input, "{\"a\":\"1\",\"b\":2.50,\"c\":[1, 2]}\n{\"a\":\"2\"}\n");
    let run = |policy: &str| {
        let manifest =
            format!("dataset: fields\nsource: {{ format: json, unknown_fields: {policy} }}\nschema: {{ a: text }}\n");
        let pipeline = write_pipeline(&folder.path().join(policy), &manifest);
        let data = folder.path().join(format!("{policy}-lake"));
        let account = Sluice::run(&pipeline, &data).input(&input).output().ok().account();
        (Lake::new(&data).silver_content(), account)
    };
    let (dropped, _) = run("drop");
    assert_eq!((dropped.columns.len(), dropped.texts("a")), (1, vec!["1", "2"]));
    let (kept, _) = run("extra");
    assert_eq!(kept.column("_extra")[1], None);
    let extra: serde_json::Value = serde_json::from_str(kept.column("_extra")[0].unwrap()).unwrap();
    assert_eq!(extra["c"], serde_json::json!([1, 2]));
    assert!(kept.column("_extra")[0].unwrap().contains("2.50"), "numbers keep their digits");
    let (rejected, account) = run("reject");
    assert_eq!((rejected.texts("a"), &account["reasons"]["unknown_field"]), (vec!["2"], &1.into()));
}
