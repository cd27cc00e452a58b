use super::*;
use arrow_array::ArrayRef;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The column of floats: a name that has to be escaped.
const FLOAT: &str = "a \"float\"";

/// One row with a column of every type.
type Row =
    (Option<bool>, Option<i64>, Option<f64>, Option<i128>, Option<i64>, Option<i32>, Option<String>, Option<Vec<u8>>);

fn batch(rows: &[Row], precision: u8, scale: i8) -> RecordBatch {
    let decimals: Decimal128Array = rows.iter().map(|row| row.3).collect();
    let decimals = decimals.with_precision_and_scale(precision, scale).unwrap();
    let times: TimestampMicrosecondArray = rows.iter().map(|row| row.4).collect();
    let bytes: Vec<Option<&[u8]>> = rows.iter().map(|row| row.7.as_deref()).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("boolean", Arc::new(rows.iter().map(|row| row.0).collect::<BooleanArray>())),
        ("int", Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>())),
        ("a \"float\"", Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>())),
        ("decimal", Arc::new(decimals)),
        ("time", Arc::new(times.with_timezone("UTC"))),
        ("date", Arc::new(rows.iter().map(|row| row.5).collect::<Date32Array>())),
        ("text", Arc::new(rows.iter().map(|row| row.6.clone()).collect::<StringArray>())),
        ("binary", Arc::new(BinaryArray::from(bytes))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn lines(batch: &RecordBatch, json: &[&str]) -> String {
    let json = json.iter().map(ToString::to_string).collect();
    let rows = Rows::new(batch, &json).unwrap();
    let mut out = Vec::new();
    (0..rows.len()).for_each(|row| rows.write(row, &mut out));
    String::from_utf8(out).unwrap()
}

fn of_texts(name: &str, texts: &[&str], json: bool) -> String {
    let column = Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter([(name, column)]).unwrap();
    lines(&batch, if json { std::slice::from_ref(&name) } else { &[] })
}

#[test]
fn a_row_reads_as_documented() {
    let row: Row = (
        Some(true),
        Some(-42),
        Some(0.1),
        Some(-1_234_567),
        Some(1_291_191_960_000_001),
        Some(14_944),
        Some("caf\u{e9} \"x\"\\\n\t\u{1}".into()),
        Some(vec![0, 0xab, 0xff]),
    );
    let line = concat!(
        r#"{"boolean":true,"int":-42,"a \"float\"":0.1,"decimal":"-1234.567","time":"2010-12-01 08:26:00.000001","#,
        r#""date":"2010-12-01","text":"café \"x\"\\\n\t\u0001","binary":"00abff"}"#,
        "\n"
    );
    assert_eq!(lines(&batch(&[row], 38, 3), &[]), line);
}

#[test]
fn nulls_and_floats_that_json_cannot_hold_are_left_out() {
    let floats = [None, Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY)];
    let rows: Vec<Row> = floats.map(|float| (None, None, float, None, None, None, None, None)).into();
    assert_eq!(lines(&batch(&rows, 38, 0), &[]), "{}\n".repeat(4));
}

#[test]
fn json_columns_are_embedded_on_one_line_and_what_is_no_json_is_a_string() {
    let texts = ["{\"a\":\n [1,\r\n2.50]}", " \"x\\ny\" ", "1e400", "not json", "", "{\"a\":1} {}", "null"];
    let expected =
        ["{\"a\":  [1,  2.50]}", "\"x\\ny\"", "1e400", "\"not json\"", "\"\"", "\"{\\\"a\\\":1} {}\"", "null"];
    let lines = of_texts("j", &texts, true);
    let values: Vec<&str> = lines.lines().map(|line| &line[5..line.len() - 1]).collect();
    assert_eq!(values, expected);
    assert_eq!(of_texts("j", &["{}"], false), "{\"j\":\"{}\"}\n");
}

#[test]
fn dates_are_those_of_the_calendar_before_and_after_christ() {
    for (day, text) in [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (11_016, "2000-02-29"),
        (2_932_896, "9999-12-31"),
        (2_932_897, "10000-01-01"),
        (-719_162, "0001-01-01"),
        (-719_163, "0001-12-31 BC"),
    ] {
        let mut out = vec![];
        date(day, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn every_decimal_has_its_point_in_the_right_place() {
    let max = 10_i128.pow(38) - 1;
    for (value, scale, text) in [
        (0, 0, "0"),
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (123, 2, "1.23"),
        (max, 0, "99999999999999999999999999999999999999"),
        (-max, 38, "-0.99999999999999999999999999999999999999"),
        (1, 38, "0.00000000000000000000000000000000000001"),
    ] {
        let mut out = vec![];
        decimal(value, scale, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("\"{text}\""));
    }
}

#[test]
fn integers_that_a_double_cannot_hold_are_strings() {
    let limit = 1_i64 << 53;
    for (value, text) in [
        (limit, "9007199254740992"),
        (limit + 1, "\"9007199254740993\""),
        (-limit - 1, "\"-9007199254740993\""),
        (i64::MIN, "\"-9223372036854775808\""),
        (0, "0"),
    ] {
        let mut out = vec![];
        integer(value, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn a_type_that_no_dataset_has_is_refused_by_name() {
    let column = Arc::new(arrow_array::Int8Array::from(vec![1])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("tiny", column)]).unwrap();
    let error = Rows::new(&batch, &BTreeSet::new()).unwrap_err();
    assert_eq!(error.message, "column `tiny` has the type Int8, which cannot be written as JSON lines");
}

#[test]
fn keys_tell_values_and_nulls_apart() {
    let texts = StringArray::from(vec![Some("a"), None, Some("null"), Some("a"), Some("a\",\"b")]);
    let more = StringArray::from(vec!["b", "b", "b", "b", ""]);
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("x", Arc::new(texts) as ArrayRef, true),
        ("y", Arc::new(more) as ArrayRef, true),
    ])
    .unwrap();
    let json = BTreeSet::new();
    let rows = Rows::new(&batch, &json).unwrap();
    let key = |row| {
        let mut out = vec![];
        rows.write_key(row, &[0, 1], &mut out);
        out
    };
    assert_eq!(key(0), key(3));
    let different: BTreeSet<_> = [0, 1, 2, 4].map(key).into();
    assert_eq!(different.len(), 4);
}

fn row() -> impl Strategy<Value = Row> {
    let max = 10_i128.pow(20) - 1;
    // within the years 1 to 9999
    let (first, last) = (-719_162_i64, 2_932_896_i64);
    (
        any::<Option<bool>>(),
        any::<Option<i64>>(),
        any::<Option<f64>>(),
        proptest::option::of(-max..=max),
        proptest::option::of(first * DAY_MICROS..last * DAY_MICROS),
        proptest::option::of(first as i32..=last as i32),
        any::<Option<String>>(),
        any::<Option<Vec<u8>>>(),
    )
}

/// The object that a row is to be read back as, its float left out, made by other means than the writer's.
fn object(row: &Row) -> Map<String, Value> {
    let exact = |int: i64| int.unsigned_abs() <= 1 << 53;
    let day = |days: i64| {
        let mut out = vec![];
        date(days, &mut out);
        String::from_utf8(out).unwrap()
    };
    let time = |micros: i64| {
        let of_day = micros.rem_euclid(DAY_MICROS);
        let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
        let (hour, minute, second) = (seconds / 3_600, seconds % 3_600 / 60, seconds % 60);
        format!("{} {hour:02}:{minute:02}:{second:02}.{fraction:06}", day(micros.div_euclid(DAY_MICROS)))
    };
    let decimal = |value: i128| {
        let sign = if value < 0 { "-" } else { "" };
        format!("{sign}{}.{:04}", value.unsigned_abs() / 10_000, value.unsigned_abs() % 10_000)
    };
    let hexadecimal = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let values = [
        ("boolean", row.0.map(|v| json!(v))),
        ("int", row.1.map(|v| if exact(v) { json!(v) } else { json!(v.to_string()) })),
        ("decimal", row.3.map(|v| json!(decimal(v)))),
        ("time", row.4.map(|v| json!(time(v)))),
        ("date", row.5.map(|v| json!(day(v.into())))),
        ("text", row.6.as_ref().map(|v| json!(v))),
        ("binary", row.7.as_ref().map(|v| json!(hexadecimal(v)))),
    ];
    values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

proptest! {
    #[test]
    fn rows_read_back_as_what_they_were(rows in proptest::collection::vec(row(), 0..20)) {
        let text = lines(&batch(&rows, 38, 4), &[]);
        prop_assert_eq!(text.matches('\n').count(), rows.len());
        for (line, row) in text.lines().zip(&rows) {
            let mut read: Map<String, Value> = serde_json::from_str(line).unwrap();
            // serde_json reads floats to within a unit in the last place; the text itself is exact
            let float = read.remove(FLOAT).is_some();
            prop_assert_eq!(float, row.2.is_some_and(f64::is_finite));
            if float {
                let texts: HashMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap();
                prop_assert_eq!(texts[FLOAT].get().parse::<f64>().unwrap(), row.2.unwrap());
            }
            prop_assert_eq!(read, object(row));
        }
    }

    #[test]
    fn embedded_json_reads_back_and_stays_on_its_line(text in "[ \\n\\r\\t\"\\\\{}\\[\\]:,0-9a-z\\PC]{0,40}") {
        let line = of_texts("j", &[&text], true);
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert!(!line.contains('\r'));
        let read: Map<String, Value> = serde_json::from_str(&line).unwrap();
        let expected = serde_json::from_str(&text).unwrap_or(Value::String(text));
        prop_assert_eq!(&read["j"], &expected);
    }

    #[test]
    fn floats_are_exact(value in any::<f64>().prop_filter("JSON can hold it", |value| value.is_finite())) {
        let mut out = vec![];
        float(value, &mut out);
        let read: f64 = String::from_utf8(out).unwrap().parse().unwrap();
        prop_assert_eq!(read.to_bits(), value.to_bits());
    }

    #[test]
    fn days_follow_each_other(day in -100_000_000_i64..100_000_000) {
        let ((year, month, of_month), next) = (civil(day), civil(day + 1));
        let follows = [(year, month, of_month + 1), (year, month + 1, 1), (year + 1, 1, 1)];
        prop_assert!(follows.contains(&next), "{next:?}");
    }
}
