//! Results as a table for people.

use super::Cells;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use std::io::{self, Write};

/// Characters of one value that are shown; the rest is cut off and marked with `…`. CSV and JSON give everything.
const MAX_WIDTH: usize = 100;

/// Writes an aligned table: header, rows, and their number. Numbers stand to the right, null is `NULL`, and control
/// characters are escaped, so that no value can write elsewhere on a terminal.
///
/// # Errors
/// As `out` fails.
pub fn table(out: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch]) -> io::Result<()> {
    let header: Vec<String> = schema.fields().iter().map(|field| shown(field.name())).collect();
    let right: Vec<bool> = schema.fields().iter().map(|field| is_number(field.data_type())).collect();
    let mut rows = vec![];
    for batch in batches {
        let cells = Cells::of(batch)?;
        for row in 0..batch.num_rows() {
            let texts = (0..batch.num_columns())
                .map(|column| cells.text(row, column).map(|text| text.map_or("NULL".into(), |text| shown(&text))));
            rows.push(texts.collect::<io::Result<Vec<_>>>()?);
        }
    }
    let widths: Vec<usize> = (0..header.len())
        .map(|i| std::iter::once(&header).chain(&rows).map(|row| row[i].chars().count()).max().unwrap_or(0))
        .collect();
    line(out, &header, &widths, &right)?;
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    writeln!(out, "{}", rules.join("  "))?;
    rows.iter().try_for_each(|row| line(out, row, &widths, &right))?;
    writeln!(out, "({} row{})", rows.len(), if rows.len() == 1 { "" } else { "s" })
}

fn line(out: &mut dyn Write, row: &[String], widths: &[usize], right: &[bool]) -> io::Result<()> {
    let cells = row
        .iter()
        .zip(widths)
        .zip(right)
        .map(|((text, width), right)| if *right { format!("{text:>width$}") } else { format!("{text:<width$}") });
    writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// A value as it is shown: on one line, and not too wide.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (i, c) in text.chars().enumerate() {
        match c {
            _ if i == MAX_WIDTH => {
                shown.push('…');
                break;
            }
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}
