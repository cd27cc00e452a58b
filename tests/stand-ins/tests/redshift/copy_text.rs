//! COPY of JSON and CSV, and what is kept of their errors.

use crate::world::{BUCKET, ROLE, World};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

#[tokio::test]
async fn json_goes_to_columns_by_name() {
    let world = World::start().await;
    world.done("CREATE TABLE t (id bigint, price decimal(18,2), exact decimal(18,2), note varchar(50), doc super, at timestamptz)").await;
    let text = "{\"at\": \"2026-01-02T03:04:05.678Z\", \"id\": 1, \"price\": 2.675, \"exact\": \"2.675\", \"doc\": {\"a\": [1, null]}, \
                \"unknown\": 1}\n{\"id\": 2, \"note\": {\"x\": \"y\"}, \"ID\": 9}{\"id\": 9007199254740993, \"doc\": \"text\"}\n";
    world.put("p/a.gz", gzip(text)).await;
    let copy =
        format!("COPY t FROM 's3://{BUCKET}/p/' {ROLE} FORMAT AS JSON 'auto' GZIP TIMEFORMAT 'auto' STATUPDATE OFF");
    assert_eq!(world.done(&copy).await.result_rows, 3);
    let rows = world.rows("SELECT id, price, exact, note, doc, at FROM t ORDER BY id").await;
    assert_eq!(rows[0], ["1", "2.67", "2.68", "null", "{\"a\": [1, null]}", "2026-01-02 03:04:05.678+00"]);
    assert_eq!(rows[1], ["2", "null", "null", "{\"x\": \"y\"}", "null", "null"]);
    assert_eq!(rows[2][..1], ["9007199254740992"], "a bare number is a double");
    assert_eq!(rows[2][4], "\"text\"");
}

#[tokio::test]
async fn load_errors_are_kept_though_the_load_is_rolled_back() {
    let world = World::start().await;
    world.done("CREATE TABLE t (id int NOT NULL, name varchar(3))").await;
    world.put("p/good", "{\"id\": 1}\n").await;
    world.put("p/wrong", "{\"id\": 2}\n{\"id\": \"x7\", \"name\": \"abc\"}\n").await;
    let copy = format!("COPY t FROM 's3://{BUCKET}/p/' {ROLE} JSON 'auto'");
    let end = world.run(&copy).await;
    let said = "ERROR: Load into table 't' failed.  Check 'sys_load_error_detail' system table for details.";
    assert_eq!(end.error.as_deref(), Some(said));
    assert_eq!(world.rows("SELECT count(*) FROM t").await, [["0"]]);
    let detail = "SELECT TRIM(file_name), line_number, TRIM(column_name), column_type, error_code, error_message FROM \
                  sys_load_error_detail WHERE query_id = ";
    let rows = world.rows(&format!("{detail}{}", end.redshift_query_id)).await;
    let message = "Invalid digit, Value 'x', Pos 0, Type: Integer";
    assert_eq!(rows, [[&format!("s3://{BUCKET}/p/wrong"), "2", "id", "int4", "1207", message]]);
    let raw = world.rows("SELECT raw_field_value, raw_line FROM stl_load_errors").await;
    assert_eq!(raw, [["\"x7\"", "{\"id\": \"x7\", \"name\": \"abc\"}"]]);
    assert_eq!(world.done(&format!("{copy} MAXERROR 1")).await.result_rows, 2);
    let history = world.rows("SELECT table_name, loaded_rows, source_file_count FROM sys_load_history").await;
    assert_eq!(history, [["t", "2", "2"]]);
}

#[tokio::test]
async fn text_has_the_length_of_its_bytes() {
    let world = World::start().await;
    world.done("CREATE TEMP TABLE t (a varchar(3))").await;
    world.done("CREATE TABLE t (a varchar(3))").await;
    world.put("k", "{\"a\": \"äöü\"}").await;
    let copy = format!("COPY t FROM 's3://{BUCKET}/k' {ROLE} JSON 'auto'");
    world.refused(&copy).await;
    let error = world.rows("SELECT error_code, error_message, column_length FROM sys_load_error_detail").await;
    assert_eq!(error, [["1204", "String length exceeds DDL length", "3"]]);
    world.done(&format!("{copy} TRUNCATECOLUMNS")).await;
    assert_eq!(world.rows("SELECT a FROM t").await, [["ä"]]);
}

#[tokio::test]
async fn csv_is_read_with_its_quotes_and_header() {
    let world = World::start().await;
    world.done("CREATE TABLE t (a int, b varchar(20), c date)").await;
    world.put("k", "a,b,c\r\n1,\"x, \"\"y\"\"\nz\",2026-01-02\r\n2,,\n").await;
    world.done(&format!("COPY t FROM 's3://{BUCKET}/k' {ROLE} CSV IGNOREHEADER 1 EMPTYASNULL")).await;
    assert_eq!(
        world.rows("SELECT * FROM t ORDER BY a").await,
        [["1", "x, \"y\"\nz", "2026-01-02"], ["2", "null", "null"]]
    );
    world.put("pipes", "3|x\n").await;
    world.done(&format!("COPY t (a, b) FROM 's3://{BUCKET}/pipes' {ROLE}")).await;
    assert_eq!(world.rows("SELECT b FROM t WHERE a = 3").await, [["x"]]);
}

#[tokio::test]
async fn what_copy_needs_is_asked_for() {
    let world = World::start().await;
    world.done("CREATE TABLE t (a int)").await;
    world.put("k", "1\n").await;
    let refused = async |sql: String| world.refused(&sql).await;
    assert!(refused(format!("COPY t FROM 's3://{BUCKET}/k' CSV")).await.contains("CREDENTIALS argument is required"));
    assert!(refused(format!("COPY t FROM 's3://{BUCKET}/k' {ROLE} CSV NOSUCH")).await.contains("near \"NOSUCH\""));
    assert!(
        refused(format!("COPY u FROM 's3://{BUCKET}/k' {ROLE} CSV"))
            .await
            .contains("Cannot COPY into nonexistent table u")
    );
    assert!(refused(format!("COPY t FROM 's3://nowhere/k' {ROLE} CSV")).await.contains("S3ServiceException"));
    assert!(refused(format!("COPY t (b) FROM 's3://{BUCKET}/k' {ROLE} CSV")).await.contains("column \"b\""));
}
