//! Rows in columns.

use crate::views::{Booleans, Decimals, Numbers, Texts};
use crate::{Column, ColumnId, Values, VarBytes};
use std::fmt;

/// Rows in columns: what a rule is called with. The columns are those that its signature reads, in that order.
///
/// Invariant: every column has as many rows as the batch, offsets never fall, and text is valid UTF-8 row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    rows: usize,
    columns: Vec<Column>,
}

/// A column that is not what a batch of so many rows may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedBatch {
    /// Which column.
    pub column: usize,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for MalformedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {} of the batch: {}", self.column, self.message)
    }
}

impl std::error::Error for MalformedBatch {}

impl Batch {
    /// A batch of columns, checked: row counts, offsets and UTF-8.
    ///
    /// # Errors
    /// The first column that is malformed.
    pub fn new(rows: usize, columns: Vec<Column>) -> Result<Self, MalformedBatch> {
        for (index, column) in columns.iter().enumerate() {
            check(column, rows).map_err(|message| MalformedBatch { column: index, message })?;
        }
        Ok(Self { rows, columns })
    }

    /// A batch of columns that are known to be well-formed; nothing is checked.
    ///
    /// # Safety
    /// Every row of every text column must be valid UTF-8. Any other malformation makes a rule panic or answer wrongly,
    /// no worse.
    #[must_use]
    pub unsafe fn trusted(rows: usize, columns: Vec<Column>) -> Self {
        Self { rows, columns }
    }

    /// Number of rows.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// All columns, in the order of the signature's reads.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// One column as it came over the boundary.
    ///
    /// # Panics
    /// It was taken.
    #[must_use]
    pub fn column(&self, id: ColumnId) -> &Column {
        &self.columns[id.index()]
    }

    /// Takes a column out of the batch, to change it where it is or to give it back as it is. It cannot be looked at
    /// here any more.
    pub fn take(&mut self, id: ColumnId) -> Column {
        std::mem::replace(&mut self.columns[id.index()], Column::new(Values::Boolean(Vec::new())))
    }

    /// A text or binary column.
    ///
    /// # Panics
    /// The column is of another type.
    #[inline]
    #[must_use]
    pub fn texts(&self, id: ColumnId) -> Texts<'_> {
        let column = self.column(id);
        match &column.values {
            // SAFETY: every row of a batch's text columns is valid UTF-8, by the invariant of `Batch`.
            Values::Text(v) => unsafe { Texts::new(&v.offsets, &v.bytes, &column.validity, true) },
            // SAFETY: not said to be text.
            Values::Binary(v) => unsafe { Texts::new(&v.offsets, &v.bytes, &column.validity, false) },
            _ => wrong(column, "text"),
        }
    }

    /// An int64 column.
    ///
    /// # Panics
    /// The column is of another type.
    #[inline]
    #[must_use]
    pub fn int64s(&self, id: ColumnId) -> Numbers<'_, i64> {
        let column = self.column(id);
        match &column.values {
            Values::Int64(values) => Numbers::new(values, &column.validity),
            _ => wrong(column, "int64"),
        }
    }

    /// A float64 column.
    ///
    /// # Panics
    /// The column is of another type.
    #[inline]
    #[must_use]
    pub fn float64s(&self, id: ColumnId) -> Numbers<'_, f64> {
        let column = self.column(id);
        match &column.values {
            Values::Float64(values) => Numbers::new(values, &column.validity),
            _ => wrong(column, "float64"),
        }
    }

    /// A timestamp column: microseconds since the epoch, UTC.
    ///
    /// # Panics
    /// The column is of another type.
    #[inline]
    #[must_use]
    pub fn timestamps(&self, id: ColumnId) -> Numbers<'_, i64> {
        let column = self.column(id);
        match &column.values {
            Values::Timestamp(values) => Numbers::new(values, &column.validity),
            _ => wrong(column, "timestamp"),
        }
    }

    /// A date column: days since the epoch.
    ///
    /// # Panics
    /// The column is of another type.
    #[inline]
    #[must_use]
    pub fn dates(&self, id: ColumnId) -> Numbers<'_, i32> {
        let column = self.column(id);
        match &column.values {
            Values::Date(values) => Numbers::new(values, &column.validity),
            _ => wrong(column, "date"),
        }
    }

    /// A decimal column. Its scale was told when the rule was opened.
    ///
    /// # Panics
    /// The column is of another type.
    #[inline]
    #[must_use]
    pub fn decimals(&self, id: ColumnId) -> Decimals<'_> {
        let column = self.column(id);
        match &column.values {
            Values::Decimal(words) => Decimals::new(words, &column.validity),
            _ => wrong(column, "decimal"),
        }
    }

    /// A boolean column.
    ///
    /// # Panics
    /// The column is of another type.
    #[inline]
    #[must_use]
    pub fn booleans(&self, id: ColumnId) -> Booleans<'_> {
        let column = self.column(id);
        match &column.values {
            Values::Boolean(bits) => Booleans::new(bits, &column.validity, self.rows),
            _ => wrong(column, "boolean"),
        }
    }

    /// The columns, given back.
    #[must_use]
    pub fn into_columns(self) -> Vec<Column> {
        self.columns
    }
}

/// A column is looked at as what it is not.
#[cold]
pub(crate) fn wrong(column: &Column, wanted: &str) -> ! {
    let found = match column.values {
        Values::Boolean(_) => "boolean (or was taken)",
        Values::Int64(_) => "int64",
        Values::Float64(_) => "float64",
        Values::Decimal(_) => "decimal",
        Values::Timestamp(_) => "timestamp",
        Values::Date(_) => "date",
        Values::Text(_) => "text",
        Values::Binary(_) => "binary",
    };
    panic!("a column is {found} but was read as {wanted}; ask `Setup` for the type that the rule reads")
}

fn check(column: &Column, rows: usize) -> Result<(), String> {
    if !column.has_rows(rows) {
        return Err(format!("values or validity are not of {rows} rows"));
    }
    match &column.values {
        Values::Text(text) => {
            offsets(text)?;
            utf8(text)
        }
        Values::Binary(bytes) => offsets(bytes),
        _ => Ok(()),
    }
}

fn offsets(column: &VarBytes) -> Result<(), String> {
    let ends = (column.offsets.first(), column.offsets.last().map(|&last| last as usize));
    if ends != (Some(&0), Some(column.bytes.len())) {
        return Err("offsets do not begin at 0 and end at the length of the bytes".to_owned());
    }
    if column.offsets.is_sorted() { Ok(()) } else { Err("offsets fall".to_owned()) }
}

fn utf8(column: &VarBytes) -> Result<(), String> {
    let text = std::str::from_utf8(&column.bytes).map_err(|e| format!("text is not UTF-8: {e}"))?;
    let cut = column.offsets.iter().find(|&&at| !text.is_char_boundary(at as usize));
    cut.map_or(Ok(()), |at| Err(format!("a row begins within a character, at byte {at}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(rows: usize, column: Column) -> String {
        Batch::new(rows, vec![column]).unwrap_err().message
    }

    #[test]
    fn malformed_columns_are_refused() {
        assert!(message(3, Column::new(Values::Int64(vec![1, 2]))).contains("3 rows"));
        assert!(message(1, Column::new(Values::Decimal(vec![1]))).contains("1 rows"));
        assert!(message(9, Column::new(Values::Int64(vec![0; 9])).with_validity(vec![1])).contains("validity"));
        assert!(message(1, Column::text(vec![1, 1], b"a".to_vec())).contains("begin at 0"));
        assert!(message(1, Column::text(vec![0, 1], b"ab".to_vec())).contains("end at"));
        assert!(message(3, Column::text(vec![0, 2, 1, 2], b"ab".to_vec())).contains("fall"));
        assert!(message(1, Column::text(vec![0, 1], vec![0xFF])).contains("UTF-8"));
        assert!(message(2, Column::text(vec![0, 1, 2], "\u{e9}".as_bytes().to_vec())).contains("within a character"));
    }

    #[test]
    fn views_give_values_and_nulls() {
        let words = [5i128, -7].into_iter().flat_map(crate::views::to_words).collect();
        let columns = vec![
            Column::text(vec![0, 1, 1], b"a".to_vec()).with_validity(vec![1]),
            Column::new(Values::Int64(vec![4, 0])).with_validity(vec![1]),
            Column::new(Values::Decimal(words)),
            Column::new(Values::Boolean(vec![2])),
        ];
        let mut batch = Batch::new(2, columns).unwrap();
        assert!(batch.texts(ColumnId(0)).iter().eq([Some("a"), None]));
        assert!(batch.int64s(ColumnId(1)).iter().eq([Some(4), None]));
        assert!(batch.decimals(ColumnId(2)).iter().eq([Some(5), Some(-7)]));
        assert!(batch.booleans(ColumnId(3)).iter().eq([Some(false), Some(true)]));
        assert_eq!(batch.take(ColumnId(1)).values, Values::Int64(vec![4, 0]));
    }

    #[test]
    #[should_panic(expected = "is int64 but was read as text")]
    fn a_column_of_another_type_is_not_read_as_text() {
        let batch = Batch::new(1, vec![Column::new(Values::Int64(vec![1]))]).unwrap();
        let _ = batch.texts(ColumnId(0));
    }
}
