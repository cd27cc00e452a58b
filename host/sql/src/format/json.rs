//! Results as JSON.

use super::Cells;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{Float32Type, Float64Type};
use std::io::{self, Write};

/// Writes one JSON array with an object for each row, a row a line, members in the order of the columns.
///
/// Integers and decimals are JSON numbers with all their digits (`7863385.734`): a reader that takes numbers for binary
/// floats may round those of more than 15 digits. Floats are the shortest number that reads back as the same; NaN and the
/// infinities, which JSON lacks, are the strings `"NaN"`, `"Infinity"` and `"-Infinity"`. Booleans are `true` and
/// `false`, null is `null`, anything else is a string.
///
/// # Errors
/// As `out` fails.
pub fn json(out: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch]) -> io::Result<()> {
    let keys: Vec<String> = schema.fields().iter().map(|field| string(field.name())).collect();
    let mut separator = "\n";
    out.write_all(b"[")?;
    for batch in batches {
        let cells = Cells::of(batch)?;
        for row in 0..batch.num_rows() {
            let members =
                keys.iter().enumerate().map(|(column, key)| Ok(format!("{key}:{}", value(&cells, row, column)?)));
            let members = members.collect::<io::Result<Vec<_>>>()?;
            write!(out, "{separator}{{{}}}", members.join(","))?;
            separator = ",\n";
        }
    }
    out.write_all(b"\n]\n")
}

fn value(cells: &Cells<'_>, row: usize, column: usize) -> io::Result<String> {
    let array = cells.batch.column(column);
    let Some(text) = cells.text(row, column)? else { return Ok("null".into()) };
    Ok(match array.data_type() {
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Boolean | DataType::Null => text,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => text,
        integer if integer.is_integer() => text,
        _ => string(&text),
    })
}

fn float(value: f64) -> String {
    match value {
        _ if value.is_nan() => "\"NaN\"".into(),
        f64::INFINITY => "\"Infinity\"".into(),
        f64::NEG_INFINITY => "\"-Infinity\"".into(),
        finite => serde_json::Value::from(finite).to_string(),
    }
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
