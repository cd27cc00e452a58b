//! Results as CSV.

use super::Cells;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use std::io::{self, Write};

/// Writes CSV as RFC 4180 has it, with a header and lines that end in a newline. Null is an empty field, empty text is
/// `""`.
///
/// # Errors
/// As `out` fails.
pub fn csv(out: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch]) -> io::Result<()> {
    let names: Vec<String> = schema.fields().iter().map(|field| quoted(field.name())).collect();
    writeln!(out, "{}", names.join(","))?;
    for batch in batches {
        let cells = Cells::of(batch)?;
        for row in 0..batch.num_rows() {
            let fields = (0..batch.num_columns())
                .map(|column| cells.text(row, column).map(|text| text.map_or(String::new(), |text| quoted(&text))));
            writeln!(out, "{}", fields.collect::<io::Result<Vec<_>>>()?.join(","))?;
        }
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([',', '"', '\n', '\r']);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}
