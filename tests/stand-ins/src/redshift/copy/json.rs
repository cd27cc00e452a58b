//! JSON objects, one after another, to columns by name.

use super::rows::{Loaded, Writer};
use super::source::Object;
use super::statement::Options;
use super::values::{Column, ColumnKind, Wrong, from_number, from_text, wrong};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Makes rows of the objects in a text; keys without a column are passed over, columns without a key are null.
pub(super) fn rows(object: &Object, columns: &[Column], text: &[u8], options: &Options, ignore_case: bool) -> Loaded {
    let mut writer = Writer::new(object, columns, options.max_errors);
    let (mut at, mut line) = (0, 1);
    while let Some(start) = text[at..].iter().position(|byte| !byte.is_ascii_whitespace()) {
        line += newlines(&text[at..at + start]);
        at += start;
        let mut stream = serde_json::Deserializer::from_slice(&text[at..]).into_iter::<Fields<'_>>();
        let read = stream.next();
        let end = match read {
            Some(Ok(fields)) => {
                let end = at + stream.byte_offset();
                let raw = &text[at..end];
                row(&mut writer, line, &fields, raw, options, ignore_case);
                end
            }
            Some(Err(error)) => {
                let end = end_of_line(text, at);
                let raw = String::from_utf8_lossy(&text[at..end]).into_owned();
                writer.fail(line, None, wrong(1216, format!("Invalid JSON: {error}")), raw.clone(), raw);
                end
            }
            None => break,
        };
        line += newlines(&text[at..end]);
        at = end;
        if writer.is_hopeless() {
            break;
        }
    }
    writer.finish()
}

fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn end_of_line(text: &[u8], at: usize) -> usize {
    text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |length| at + length)
}

/// Keys and values of an object as they are written.
type Fields<'f> = HashMap<String, &'f RawValue>;

fn row(writer: &mut Writer<'_>, line: u64, fields: &Fields<'_>, raw: &[u8], options: &Options, ignore_case: bool) {
    let names = writer.names();
    let raw_field =
        |at: usize| find(fields, names[at], ignore_case).map_or_else(String::new, |value| value.get().to_owned());
    let raw_text = |at: Option<usize>| at.map_or_else(|| String::from_utf8_lossy(raw).into_owned(), raw_field);
    writer.row(line, |_, column| field(column, find(fields, &column.name, ignore_case), options), raw_text);
}

fn find<'f>(fields: &Fields<'f>, name: &str, ignore_case: bool) -> Option<&'f RawValue> {
    if !ignore_case {
        return fields.get(name).copied();
    }
    fields.iter().find(|(key, _)| key.to_lowercase() == name).map(|(_, value)| *value)
}

/// A value for a column.
fn field(column: &Column, value: Option<&RawValue>, options: &Options) -> Result<Option<String>, Wrong> {
    let Some(raw) = value.map(RawValue::get).filter(|raw| *raw != "null") else { return Ok(None) };
    if column.kind == ColumnKind::Super {
        return Ok(Some(raw.to_owned()));
    }
    match raw.as_bytes()[0] {
        b'"' => {
            let text: String =
                serde_json::from_str(raw).map_err(|error| wrong(1216, format!("Invalid JSON: {error}")))?;
            from_text(column, &text, options)
        }
        b'-' | b'0'..=b'9' => {
            let number: f64 = raw.parse().map_err(|_| wrong(1208, format!("Invalid number '{raw}'")))?;
            from_number(column, number, options)
        }
        // true, false, objects and arrays: their text
        _ => from_text(column, raw, options),
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::object;
    use super::*;

    fn columns() -> Vec<Column> {
        let column =
            |name: &str, kind| Column { name: name.to_owned(), kind, type_name: "x".to_owned(), nullable: name != "a" };
        vec![
            column("a", ColumnKind::Integer(64)),
            column("b", ColumnKind::Decimal(10, 2)),
            column("c", ColumnKind::Text(12)),
            column("d", ColumnKind::Super),
        ]
    }

    fn loaded(text: &str, options: &Options) -> (String, Vec<(u64, u32)>) {
        let loaded = rows(&object("k"), &columns(), text.as_bytes(), options, false);
        let text = loaded.chunks.iter().map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect();
        (text, loaded.failures.iter().map(|failure| (failure.line, failure.wrong.code)).collect())
    }

    #[test]
    fn keys_go_to_columns_of_their_name() {
        let text = "{\"a\": 1, \"b\": \"0.1\", \"c\": {\"x\": [1]}, \"d\": {\"y\": 1.10}, \"A\": 2, \"z\": 3}\n{\"a\":2,\"c\":null}";
        let wanted = "1\t0.10\t{\"x\": [1]}\t{\"y\": 1.10}\n2\t\\N\t\\N\t\\N\n";
        assert_eq!(loaded(text, &Options::default()), (wanted.to_owned(), vec![]));
    }

    #[test]
    fn errors_have_their_line() {
        let text = "{\"a\": 1}\n\n{\"a\": \"x\"}\nnonsense\n{\"b\": 1}\n{\"a\":\n 5, \"c\": \"much too long a text\"}\n{\"a\": 6}";
        let options = Options { max_errors: 10, ..Options::default() };
        let (rows, failures) = loaded(text, &options);
        assert_eq!(rows, "1\t\\N\t\\N\t\\N\n6\t\\N\t\\N\t\\N\n");
        assert_eq!(failures, vec![(3, 1207), (4, 1216), (5, 1213), (6, 1204)]);
    }
}
