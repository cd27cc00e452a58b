//! Query results for people and for programs.
//!
//! Numbers keep all their digits, decimals those of their scale; timestamps are ISO 8601 in UTC with as many fraction
//! digits as they need (`2010-12-01T08:26:00Z`); binary is hexadecimal.

mod csv;
mod json;
mod table;

pub use csv::csv;
pub use json::json;
pub use table::table;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use std::io;

/// Texts of one batch's values.
struct Cells<'a> {
    batch: &'a RecordBatch,
    columns: Vec<ArrayFormatter<'a>>,
}

impl<'a> Cells<'a> {
    fn of(batch: &'a RecordBatch) -> io::Result<Self> {
        static OPTIONS: FormatOptions<'static> = FormatOptions::new();
        let columns = batch.columns().iter().map(|array| ArrayFormatter::try_new(array.as_ref(), &OPTIONS));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
        Ok(Self { batch, columns })
    }

    /// Text of a value, none for null.
    fn text(&self, row: usize, column: usize) -> io::Result<Option<String>> {
        let array = self.batch.column(column);
        // a column of nothing but the literal NULL keeps no bits that say so
        if array.is_null(row) || *array.data_type() == DataType::Null {
            return Ok(None);
        }
        self.columns[column].value(row).try_to_string().map(Some).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests;
