//! COPY of Parquet, and manifests.

use crate::world::{BUCKET, ROLE, World};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use aws_sdk_redshiftdata::types::StatusString;
use parquet::arrow::ArrowWriter;
use std::sync::Arc;

/// A Parquet file with these columns.
fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.expect("columns of one length");
    let mut bytes = vec![];
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("rows are written");
    writer.close().expect("the file is whole");
    bytes
}

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn ids(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

impl World {
    /// Puts a manifest with the sizes of the objects; its URL.
    async fn manifest(&self, entries: &[(&str, u64)]) -> String {
        let entry = |(url, size): &(&str, u64)| {
            format!("{{\"url\": \"{url}\", \"mandatory\": true, \"meta\": {{\"content_length\": {size}}}}}")
        };
        let entries: Vec<String> = entries.iter().map(entry).collect();
        self.put("manifest", format!("{{\"entries\": [{}]}}", entries.join(", "))).await
    }
}

#[tokio::test]
async fn parquet_is_loaded_by_position() {
    let world = World::start().await;
    world
        .done(
            "CREATE TABLE t (id bigint, name varchar(10), price decimal(18,2), at timestamptz, day date, f float8, ok boolean, \
             bytes varbyte(4), n int)",
        )
        .await;
    let price = Decimal128Array::from(vec![Some(-1_050), None]).with_precision_and_scale(18, 2).expect("it fits");
    let file = parquet(vec![
        ("other", ids(&[1, 2])),
        ("names", text(&[Some("ä\t\\\n"), None])),
        ("p", Arc::new(price)),
        ("t", Arc::new(TimestampMicrosecondArray::from(vec![1_700_000_000_123_456, -1]).with_timezone("UTC"))),
        ("d", Arc::new(Date32Array::from(vec![19_782, 0]))),
        ("f", Arc::new(Float64Array::from(vec![0.1, f64::NAN]))),
        ("b", Arc::new(BooleanArray::from(vec![true, false]))),
        ("x", Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..], b""]))),
        ("n", Arc::new(Int32Array::from(vec![7, -7]))),
    ]);
    let size = file.len() as u64;
    let url = world.put("a.parquet", file).await;
    let manifest = world.manifest(&[(&url, size)]).await;
    let end = world.done(&format!("COPY t FROM '{manifest}' {ROLE} FORMAT AS PARQUET MANIFEST")).await;
    assert_eq!(end.result_rows, 2);
    let rows = world.rows("SELECT * FROM t ORDER BY id").await;
    assert_eq!(
        rows[0],
        ["1", "ä\t\\\n", "-10.50", "2023-11-14 22:13:20.123456+00", "2024-02-29", "0.1", "true", "\\x00ff", "7"]
    );
    assert_eq!(
        rows[1],
        ["2", "null", "null", "1969-12-31 23:59:59.999999+00", "1970-01-01", "NaN", "false", "\\x", "-7"]
    );
}

#[tokio::test]
async fn parquet_that_does_not_fit_is_refused() {
    let world = World::start().await;
    world.done("CREATE TABLE t (id bigint, name varchar(3))").await;
    let copy = |key: &str| format!("COPY t FROM 's3://{BUCKET}/{key}' {ROLE} FORMAT AS PARQUET");
    let cases = [
        (
            "fewer",
            parquet(vec![("id", ids(&[1]))]),
            "Unmatched number of columns between table and file. Table columns: 2, Data columns: 1",
        ),
        (
            "type",
            parquet(vec![("id", text(&[Some("1")])), ("name", text(&[Some("a")]))]),
            "has an incompatible Parquet schema for column",
        ),
        (
            "long",
            parquet(vec![("id", ids(&[1])), ("name", text(&[Some("äöü")]))]),
            "is longer than the length defined in the table. Table: 3, Data: 6",
        ),
        ("damaged", b"PAR1 nonsense".to_vec(), "is not a valid Parquet file"),
    ];
    for (key, bytes, wanted) in cases {
        world.put(key, bytes).await;
        let error = world.refused(&copy(key)).await;
        assert!(error.starts_with("ERROR: Spectrum Scan Error") && error.contains(wanted), "{key}: {error}");
        assert!(error.contains(&format!("{BUCKET}/{key}")), "it names the file: {error}");
    }
    assert_eq!(world.rows("SELECT count(*) FROM t").await, [["0"]]);
    for option in ["MAXERROR 3", "REGION 'eu-west-1'", "TRUNCATECOLUMNS", "COMPUPDATE OFF", "GZIP"] {
        let error = world.refused(&format!("{} {option}", copy("fewer"))).await;
        assert!(error.ends_with("argument is not supported for PARQUET based COPY"), "{error}");
    }
    world.done(&format!("{} FILLRECORD", copy("fewer"))).await;
    assert_eq!(world.rows("SELECT * FROM t").await, [["1", "null"]]);
}

#[tokio::test]
async fn manifests_are_kept_to() {
    let world = World::start().await;
    world.done("CREATE TABLE t (id bigint)").await;
    let file = parquet(vec![("id", ids(&[1, 2]))]);
    let size = file.len() as u64;
    let url = world.put("a", file).await;
    let copy = format!("COPY t FROM 's3://{BUCKET}/manifest' {ROLE} PARQUET MANIFEST");
    assert!(world.refused(&copy).await.contains("Problem reading manifest file"), "there is none");
    world.manifest(&[(&url, size + 1)]).await;
    assert!(world.refused(&copy).await.contains("content_length"));
    world.manifest(&[(&url, size), (&format!("s3://{BUCKET}/missing"), 7)]).await;
    assert!(world.refused(&copy).await.contains("The specified key does not exist"));
    world.put("manifest", format!("{{\"entries\": [{{\"url\": \"{url}\", \"mandatory\": true}}]}}")).await;
    assert!(world.refused(&copy).await.contains("no meta.content_length"));
    let optional = format!("{{\"url\": \"s3://{BUCKET}/missing\", \"meta\": {{\"content_length\": 7}}}}");
    let there = format!("{{\"url\": \"{url}\", \"meta\": {{\"content_length\": {size}}}}}");
    world.put("manifest", format!("{{\"entries\": [{optional}, {there}]}}")).await;
    world.done(&copy).await;
    assert_eq!(world.rows("SELECT count(*) FROM t").await, [["2"]]);
}

#[tokio::test]
async fn a_prefix_loads_all_below_it_in_the_transaction() {
    let world = World::start().await;
    world.done("CREATE TABLE t (id bigint)").await;
    for (key, id) in [("p/a", 1), ("p/b", 2), ("q/c", 3)] {
        world.put(key, parquet(vec![("id", ids(&[id]))])).await;
    }
    let copy = format!("COPY t FROM 's3://{BUCKET}/p/' {ROLE} FORMAT PARQUET");
    let end = world.batch(&[&copy, "SELECT pg_last_copy_count()", "SELECT nonsense FROM t"]).await;
    assert_eq!(end.status, Some(StatusString::Failed));
    assert_eq!(world.rows("SELECT count(*) FROM t").await, [["0"]], "it was rolled back");
    let end = world.batch(&[&copy, "SELECT pg_last_copy_count(), pg_last_copy_id()"]).await;
    let query = end.sub_statements()[0].redshift_query_id.to_string();
    assert_eq!(world.rows_of(&format!("{}:2", end.id)).await, [["2".to_owned(), query]]);
    assert_eq!(world.rows("SELECT id FROM t ORDER BY id").await, [["1"], ["2"]]);
    let missing = world.refused(&format!("COPY t FROM 's3://{BUCKET}/none/' {ROLE} FORMAT PARQUET")).await;
    assert_eq!(missing, "ERROR: The specified S3 prefix 'none/' does not exist");
}
