//! `sluice ddl` as text: each file of `tests/ddl` is what one dataset gives. `SLUICE_BLESS=1` writes them anew.

use arrow_schema::{DataType, TimeUnit};
use sluice_aws::redshift::{RedshiftConfig, TableOptions, ddl};
use sluice_ports::{Column, Table, TableKind};
use std::path::Path;

fn column(name: &str, ty: DataType) -> Column {
    Column { name: name.into(), ty, nullable: true, json: false, comment: None }
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn needed(name: &str, ty: DataType) -> Column {
    Column { nullable: false, ..column(name, ty) }
}

fn sluice_columns() -> [Column; 3] {
    [
        needed("_sluice_id", DataType::Utf8),
        needed("_sluice_arrived_at", time()),
        needed("_sluice_commit", DataType::Int64),
    ]
}

/// A table with a column of every type.
fn every_type() -> Table {
    let mut columns = vec![
        Column { comment: Some("What the customer's called".into()), ..column("name", DataType::Utf8) },
        column("quantity", DataType::Int64),
        column("price", DataType::Decimal128(12, 4)),
        column("weight", DataType::Float64),
        column("gift", DataType::Boolean),
        column("invoiced_at", time()),
        column("due", DataType::Date32),
        column("picture", DataType::Binary),
        Column { json: true, ..column("extra", DataType::Utf8) },
    ];
    columns.extend(sluice_columns());
    let comment = Some("Invoices, one row for each line".into());
    Table { name: "silver".into(), columns, kind: TableKind::Records, comment }
}

fn gold() -> Table {
    let columns = vec![
        needed("window_start", time()),
        needed("window_end", time()),
        column("country", DataType::Utf8),
        column("revenue", DataType::Decimal128(38, 4)),
        needed("_sluice_commit", DataType::Int64),
        needed("_sluice_fence", DataType::Int64),
    ];
    let kind = TableKind::Keyed(vec!["window_start".into(), "country".into()]);
    Table { name: "per_country".into(), columns, kind, comment: None }
}

fn config() -> RedshiftConfig {
    RedshiftConfig::new("online-retail", "retail", "default", "lake", "s3://lake/lake/")
}

fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ddl").join(name);
    if std::env::var_os("SLUICE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} is not what it was (SLUICE_BLESS=1 takes it over):\n{text}");
}

#[test]
fn defaults_give_every_type_its_column() {
    check("defaults.sql", &ddl(&config(), &[every_type(), gold()]).unwrap());
}

#[test]
fn options_name_keys_lengths_encodings_and_readers() {
    let mut config = config();
    config.varchar = 256;
    config.grants = vec!["analysts".into(), "data science".into()];
    let options = TableOptions {
        name: Some("invoices".into()),
        dist_key: Some("name".into()),
        sort_key: vec!["invoiced_at".into(), "_sluice_arrived_at".into()],
        encodings: [("quantity".to_owned(), "mostly16".to_owned())].into(),
        varchar: None,
        lengths: [("name".to_owned(), 1_000), ("picture".to_owned(), 2_000)].into(),
    };
    config.tables.insert("silver".into(), options);
    check("options.sql", &ddl(&config, &[every_type()]).unwrap());
}

#[test]
fn the_text_is_the_same_each_time() {
    let once = ddl(&config(), &[every_type(), gold()]).unwrap();
    assert_eq!(once, ddl(&config(), &[every_type(), gold()]).unwrap());
    assert!(once.lines().all(|line| line == line.trim_end()), "no blanks at the ends of lines");
}
