//! Rows as texts that can be compared.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use std::fmt;

/// A table whose rows are in no particular order: they are held sorted.
#[derive(PartialEq, Eq, Clone)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// Rows of these batches, without the columns named.
    pub(crate) fn new(batches: &[RecordBatch], without: &[&str]) -> Self {
        let mut table = Self { columns: Vec::new(), rows: Vec::new() };
        for batch in batches {
            let schema = batch.schema();
            let kept: Vec<usize> =
                (0..batch.num_columns()).filter(|i| !without.contains(&schema.field(*i).name().as_str())).collect();
            table.columns = kept.iter().map(|i| schema.field(*i).name().clone()).collect();
            table
                .rows
                .extend((0..batch.num_rows()).map(|row| kept.iter().map(|i| cell(batch.column(*i), row)).collect()));
        }
        table.rows.sort_unstable();
        table
    }

    /// Values of a column, in the order of the rows.
    #[track_caller]
    pub(crate) fn column(&self, name: &str) -> Vec<Option<&str>> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let index = self.columns.iter().position(|column| column == name);
        let index = index.unwrap_or_else(|| panic!("no column `{name}` among {:?}", self.columns));
        self.rows.iter().map(|row| row[index].as_deref()).collect()
    }

    /// Values of a column that has no nulls.
    #[track_caller]
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        self.column(name).into_iter().map(|value| value.expect("the column has no nulls")).collect()
    }

    /// Insists that another table holds the same rows; shows the first that it does not.
    #[track_caller]
    pub(crate) fn same(&self, expected: &Self, what: &str) {
        if self == expected {
            return;
        }
        let (found, wanted) = (self.rows.len(), expected.rows.len());
        let extra = self.rows.iter().find(|row| expected.rows.binary_search(row).is_err());
        let missing = expected.rows.iter().find(|row| self.rows.binary_search(row).is_err());
        panic!(
            "{what}: {found} rows of {:?}, expected {wanted} of {:?}\n  not expected: {extra:?}\n  missing: {missing:?}",
            self.columns, expected.columns
        );
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows of {:?}", self.rows.len(), self.columns)
    }
}

/// A value with all that it holds: decimals as unscaled integers, times as microseconds.
pub(crate) fn cell(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => format!("{:02x?}", array.as_binary::<i32>().value(row)),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row).to_string(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).to_string(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
        other => panic!("no column of the lake is {other}"),
    })
}
