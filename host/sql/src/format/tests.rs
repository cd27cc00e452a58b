//! Results as people and programs see them.

use super::*;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema, SchemaRef};
use std::sync::Arc;

fn sample() -> (SchemaRef, Vec<RecordBatch>) {
    let price = Decimal128Array::from(vec![Some(1_234_500), Some(-1), None]).with_precision_and_scale(12, 3).unwrap();
    let ts = vec![Some(1_291_191_960_000_000), Some(1_291_191_960_000_500), None];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(-7), None]))),
        ("price", Arc::new(price)),
        ("x", Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::NAN), None]))),
        ("name", Arc::new(StringArray::from(vec![Some("a,\"b\"\n\u{1b}[31m"), Some(""), None]))),
        ("ts", Arc::new(TimestampMicrosecondArray::from(ts).with_timezone("UTC"))),
        ("day", Arc::new(Date32Array::from(vec![Some(0), Some(14_944), None]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("raw", Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), Some(b""), None]))),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let schema = SchemaRef::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns.into_iter().map(|column| column.1).collect()).unwrap();
    // in two batches, as results come
    (schema, vec![batch.slice(0, 1), batch.slice(1, 2)])
}

fn text(write: impl Fn(&mut dyn io::Write, &SchemaRef, &[RecordBatch]) -> io::Result<()>) -> String {
    let ((schema, batches), mut out) = (sample(), vec![]);
    write(&mut out, &schema, &batches).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_table_is_aligned_and_shows_nulls_and_control_characters() {
    let expected = [
        "                  n     price     x  name               ts                           day         ok     raw",
        "-------------------  --------  ----  -----------------  ---------------------------  ----------  -----  ----",
        "9223372036854775807  1234.500   0.1  a,\"b\"\\n\\u{1b}[31m  2010-12-01T08:26:00Z         1970-01-01  true   00ff",
        "                 -7    -0.001   NaN                     2010-12-01T08:26:00.000500Z  2010-12-01  false",
        "               NULL      NULL  NULL  NULL               NULL                         NULL        NULL   NULL",
        "(3 rows)",
        "",
    ];
    assert_eq!(text(table).split('\n').collect::<Vec<_>>(), expected);
}

#[test]
fn csv_tells_null_from_empty_text() {
    let expected = "n,price,x,name,ts,day,ok,raw\n\
        9223372036854775807,1234.500,0.1,\"a,\"\"b\"\"\n\u{1b}[31m\",2010-12-01T08:26:00Z,1970-01-01,true,00ff\n\
        -7,-0.001,NaN,\"\",2010-12-01T08:26:00.000500Z,2010-12-01,false,\"\"\n\
        ,,,,,,,\n";
    assert_eq!(text(csv), expected);
}

#[test]
fn json_keeps_every_digit() {
    let found = text(json);
    assert!(found.starts_with("[\n{\"n\":9223372036854775807,\"price\":1234.500,\"x\":0.1,\"name\":"), "{found}");
    let parsed: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(parsed.as_array().unwrap().len(), 3);
    assert_eq!(parsed[0]["name"], "a,\"b\"\n\u{1b}[31m");
    assert_eq!(parsed[1]["x"], "NaN");
    assert_eq!(parsed[1]["ok"], false);
    assert_eq!(parsed[0]["ts"], "2010-12-01T08:26:00Z");
    assert!(parsed[2].as_object().unwrap().values().all(serde_json::Value::is_null));
}

#[test]
fn results_without_rows_have_their_header() {
    let (schema, _) = sample();
    let text = |write: fn(&mut dyn io::Write, &SchemaRef, &[RecordBatch]) -> io::Result<()>| {
        let mut out = vec![];
        write(&mut out, &schema, &[]).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert!(text(table).ends_with("(0 rows)\n"));
    assert_eq!(text(csv), "n,price,x,name,ts,day,ok,raw\n");
    assert_eq!(text(json), "[\n]\n");
}
