//! From a stream to columns, through the public API.

use arrow_array::{Array, cast::AsArray, types::Int64Type};
use sluice_batch::ColumnType;
use sluice_formats::{Decoded, Decoder, FrameError, Framer, Limits, RawBatch, Span, tail_digest};
use sluice_manifest::plan::{CsvHeader, Format, JsonRecords, SchemaColumn, UnknownFields};

const LIMITS: Limits = Limits { rows: 100, bytes: 1 << 20, max_record_bytes: 1 << 16 };
const LINES: Format = Format::Json { records: JsonRecords::Lines };

fn csv(empty_is_null: bool) -> Format {
    Format::Csv { delimiter: b',', quote: b'"', header: CsvHeader::FirstLine, empty_is_null }
}

fn column(from: &str, ty: ColumnType) -> SchemaColumn {
    SchemaColumn { name: from.to_lowercase(), from: from.into(), ty, json: false, pii: None }
}

fn texts(froms: &[&str]) -> Vec<SchemaColumn> {
    froms.iter().map(|from| column(from, ColumnType::Text)).collect()
}

fn batch(format: &Format, stream: &[u8]) -> RawBatch {
    let mut framer = Framer::new(format, LIMITS, 0, None);
    framer.push(stream.to_vec().into());
    framer.end();
    let batch = framer.next(false).unwrap().expect("something stands in the stream");
    assert_eq!(framer.next(false), Ok(None));
    batch
}

fn decode(format: &Format, schema: &[SchemaColumn], unknown: UnknownFields, stream: &[u8]) -> Decoded {
    let batch = batch(format, stream);
    let decoded = Decoder::new(format, schema, unknown).decode(&batch);
    let mut seen: Vec<u32> = decoded.rows.iter().copied().chain(decoded.rejects.iter().map(|r| r.record)).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..batch.records.len() as u32).collect::<Vec<_>>());
    assert!(decoded.columns.iter().all(|column| column.len() == decoded.rows.len()));
    decoded.columns.iter().for_each(|column| column.to_data().validate_full().unwrap());
    decoded
}

fn column_texts(decoded: &Decoded, column: usize) -> Vec<Option<&str>> {
    decoded.columns[column].as_string::<i32>().iter().collect()
}

/// Record, reason, field and detail of each reject.
fn rejects(decoded: &Decoded) -> Vec<(u32, &str, Option<&str>, &str)> {
    decoded.rejects.iter().map(|r| (r.record, r.reason, r.field.as_deref(), r.detail.as_str())).collect()
}

#[test]
fn malformed_lines_are_told_by_position_and_the_others_are_rows() {
    let stream = b"{\"a\":\"x\"}\n{\"a\":}\n\n[1]\n{\"a\":\"\xff\"}\n  {\"b\":1 }\r\n{\"a\":\"\\ud800\"}\nnull\n{\"a\":\"last\"}";
    let decoded = decode(&LINES, &texts(&["a"]), UnknownFields::Drop, stream);
    assert_eq!(decoded.rows, [0, 4, 7]);
    assert_eq!(column_texts(&decoded, 0), [Some("x"), None, Some("last")]);
    let malformed = |record, detail| (record, "malformed_json", None, detail);
    assert_eq!(
        rejects(&decoded),
        [
            malformed(1, "byte 5: expected a value"),
            malformed(2, "byte 0: the record is no object"),
            malformed(3, "byte 6: no UTF-8"),
            malformed(5, "byte 6: half of a surrogate pair stands alone"),
            malformed(6, "byte 0: the record is no object"),
        ]
    );
}

#[test]
fn a_mismatch_names_the_field_but_never_the_value() {
    let schema = [column("n", ColumnType::Int64), column("t.u", ColumnType::Timestamp)];
    let stream = b"{\"n\":7}\n{\"n\":\"secret\"}\n{\"t\":{\"u\":\"secret\"}}\n{\"n\":\"secret\",}\n";
    let decoded = decode(&LINES, &schema, UnknownFields::Drop, stream);
    assert_eq!(decoded.columns[0].as_primitive::<Int64Type>().values(), &[7]);
    let expected = [
        (1, "type_mismatch", Some("n"), "expected int64, found a string"),
        (2, "type_mismatch", Some("t.u"), "expected timestamp, found a string"),
        (3, "malformed_json", None, "byte 14: expected a name in quotation marks"),
    ];
    assert_eq!(rejects(&decoded), expected);
}

#[test]
fn the_name_of_an_unknown_field_is_told_only_where_nothing_is_personal() {
    let mut schema = texts(&["a"]);
    let stream = b"{\"a\":1,\"mail@example.org\":2}";
    let decoded = decode(&LINES, &schema, UnknownFields::Reject, stream);
    let detail = "byte 7: the schema does not name this field";
    assert_eq!(rejects(&decoded), [(0, "unknown_field", Some("mail@example.org"), detail)]);
    schema[0].pii = Some("email".into());
    assert_eq!(rejects(&decode(&LINES, &schema, UnknownFields::Reject, stream))[0].2, None);
}

#[test]
fn csv_records_become_rows_by_the_names_of_the_header() {
    let stream = "\u{feff}id,\"a,b\",n\r\n1,\"x\r\n\"\"y\"\"\",5\r\n\r\n2,,\n3,z,six\n4,z\n5,\"z\"z,1\n\"\",é,1\n";
    let schema = [column("a,b", ColumnType::Text), column("n", ColumnType::Int64), column("id", ColumnType::Text)];
    let decoded = decode(&csv(true), &schema, UnknownFields::Drop, stream.as_bytes());
    assert_eq!(decoded.rows, [0, 1, 5]);
    assert_eq!(column_texts(&decoded, 0), [Some("x\r\n\"y\""), None, Some("é")]);
    assert_eq!(column_texts(&decoded, 2), [Some("1"), Some("2"), None]);
    assert_eq!(decoded.columns[1].as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(5), None, Some(1)]);
    let expected = [
        (2, "type_mismatch", Some("n"), "expected int64, found text"),
        (3, "malformed_csv", None, "found 2 fields, expected 3"),
        (4, "malformed_csv", None, "byte 5: something stands behind a closing quotation mark"),
    ];
    assert_eq!(rejects(&decoded), expected);
}

#[test]
fn an_empty_field_is_null_or_empty_as_the_manifest_says() {
    let stream = b"a,n\n,1\n\"\",2\n";
    let schema = texts(&["a"]);
    assert_eq!(column_texts(&decode(&csv(true), &schema, UnknownFields::Drop, stream), 0), [None, None]);
    assert_eq!(column_texts(&decode(&csv(false), &schema, UnknownFields::Drop, stream), 0), [Some(""), Some("")]);
    let decoded = decode(&csv(false), &[column("a", ColumnType::Int64)], UnknownFields::Drop, stream);
    assert_eq!((decoded.rows.len(), decoded.rejects.len()), (0, 2));
}

#[test]
fn csv_that_is_no_utf8_or_never_closes_its_quote_is_rejected_record_by_record() {
    let decoded = decode(&csv(true), &texts(&["a", "b"]), UnknownFields::Drop, b"a,b\n1,\xff\n2,3\n4,\"5\n6,7\n");
    assert_eq!(column_texts(&decoded, 1), [Some("3")]);
    let expected = [
        (0, "invalid_utf8", None, "byte 2: no UTF-8"),
        (2, "malformed_csv", None, "byte 2: the quotation mark is not closed"),
    ];
    assert_eq!(rejects(&decoded), expected);
}

#[test]
fn unknown_csv_fields_follow_the_policy_and_json_columns_hold_json() {
    let stream = b"a,x,y\n\"{\"\"k\"\": 1}\",\"q\"\"\",\n{,1,2\n";
    let schema = [SchemaColumn { json: true, ..column("a", ColumnType::Text) }, column("$", ColumnType::Text)];
    let decoded = decode(&csv(true), &schema, UnknownFields::Extra, stream);
    assert_eq!(column_texts(&decoded, 0), [Some("{\"k\": 1}")]);
    assert_eq!(column_texts(&decoded, 1), [Some("\"{\"\"k\"\": 1}\",\"q\"\"\",")]);
    assert_eq!(column_texts(&decoded, 2), [Some(r#"{"x":"q\"","y":null}"#)]);
    assert_eq!(rejects(&decoded), [(1, "type_mismatch", Some("a"), "expected text, found text that is no JSON")]);
    let decoded = decode(&csv(true), &schema, UnknownFields::Reject, stream);
    assert_eq!(rejects(&decoded)[0], (0, "unknown_field", Some("x"), "the schema does not name field 2"));
}

#[test]
fn a_schema_that_the_header_does_not_fit_stops_before_the_first_record() {
    let mut framer = Framer::new(&csv(true), LIMITS, 0, None).for_schema(&texts(&["Qty"]));
    framer.push("id,Quantity\n1,2\n".into());
    let error = framer.next(true).unwrap_err();
    assert!(matches!(error, FrameError::MissingField { .. }));
    let text = error.to_string();
    assert!(
        text.starts_with("column `qty` is read from the field `Qty`, which the CSV header does not name"),
        "{text}"
    );
    let decoded = decode(&csv(true), &texts(&["Qty"]), UnknownFields::Drop, b"id,Quantity\n1,2\n");
    assert_eq!(rejects(&decoded), [(0, "malformed_csv", None, "the header does not name the field `Qty`")]);
}

#[test]
fn records_that_split_a_character_are_no_utf8_even_where_all_bytes_together_are() {
    let data = "{\"a\":\"é\"}".as_bytes();
    let middle = data.iter().position(|byte| *byte == 0xa9).unwrap() as u32;
    let records = vec![Span { start: 0, len: middle }, Span { start: middle, len: data.len() as u32 - middle }];
    let (digest, tail) = (0, tail_digest(data));
    let (from, to) = (0, data.len() as u64);
    let batch =
        RawBatch { data: data.into(), base: 0, records, unusable: vec![], from, to, digest, tail, header: None };
    let decoded = Decoder::new(&LINES, &texts(&["a"]), UnknownFields::Drop).decode(&batch);
    assert!(decoded.rejects.iter().all(|reject| reject.detail.ends_with("no UTF-8")), "{:?}", decoded.rejects);
    assert_eq!(decoded.rejects.len(), 2);
}
