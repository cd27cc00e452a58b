//! Capability `lookup`: reference tables. They stay here; a rule asks for a batch of keys at a time.
//!
//! A table is immutable and shared by all instances; its index is built once. An instance sees the tables of its step and no
//! others ([`Lookups`]). A table that is read anew is another table with another digest, and comes with a step that is
//! opened anew, so what a rule was told of a table when it was opened holds as long as it lives.

mod find;
mod gather;
mod index;

pub(crate) use find::{Asked, Lookups};

use arrow_array::{Array, ArrayRef};
use index::Index;
use sluice_batch::{ColumnType, Field};
use std::fmt;

/// A column of a reference table.
#[derive(Debug, Clone)]
pub struct LookupColumn {
    /// Name and type.
    pub field: Field,
    /// Values, of the Arrow type of the field.
    pub values: ArrayRef,
}

/// A reference table with its index.
pub struct LookupTable {
    name: String,
    digest: String,
    key: Vec<LookupColumn>,
    columns: Vec<LookupColumn>,
    index: Index,
}

/// Columns that make no reference table. Rows count from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There is no key column.
    #[error("the table has no key; name at least one column of the key")]
    NoKey,
    /// A column of the key cannot make one.
    #[error("column `{column}` is {ty} and makes no key: two floats that look the same may differ; choose another")]
    KeyType {
        /// Its name.
        column: String,
        /// Its type.
        ty: ColumnType,
    },
    /// A column is not of the type or number of rows that it is said to be.
    #[error("column `{column}` is {found} with {rows} rows, where {ty} with {expected} was said")]
    Shape {
        /// Its name.
        column: String,
        /// Its type as said.
        ty: ColumnType,
        /// Its Arrow type.
        found: String,
        /// Its rows.
        rows: usize,
        /// Rows of the first column.
        expected: usize,
    },
    /// There are more rows than row numbers.
    #[error("the table has {0} rows; at most {max} may be", max = LookupTable::MOST_ROWS)]
    TooLong(usize),
    /// A key holds a null, and could never be found.
    #[error("column `{column}` of the key holds nothing; fill it in, or leave the row out")]
    NullKey {
        /// The column.
        column: String,
        /// The row.
        row: usize,
    },
    /// Two rows have the same key.
    #[error("the key stands twice; leave one of the rows out, or add a column to the key")]
    Duplicate {
        /// The row that was there first.
        first: usize,
        /// The other.
        row: usize,
    },
}

impl LookupError {
    /// The rows at fault, if it is of rows: first the one that is to be changed.
    pub fn rows(&self) -> Vec<usize> {
        match *self {
            Self::NullKey { row, .. } => vec![row],
            Self::Duplicate { first, row } => vec![row, first],
            _ => Vec::new(),
        }
    }
}

impl LookupTable {
    /// Most rows: a row's number has 32 bits, and one number means that there is none.
    pub const MOST_ROWS: usize = u32::MAX as usize - 1;

    /// Makes a table: `key` are the columns whose values together name a row, `columns` those that values are taken from.
    /// `digest` tells it from what it was before or will be, and says what it was made of.
    ///
    /// # Errors
    /// The columns make none.
    pub fn new(
        name: impl Into<String>,
        digest: impl Into<String>,
        key: Vec<LookupColumn>,
        columns: Vec<LookupColumn>,
    ) -> Result<Self, LookupError> {
        let rows = key.first().ok_or(LookupError::NoKey)?.values.len();
        if rows > Self::MOST_ROWS {
            return Err(LookupError::TooLong(rows));
        }
        key.iter().chain(&columns).try_for_each(|column| column.check(rows))?;
        key.iter().try_for_each(LookupColumn::check_key)?;
        let index = Index::new(&key, rows)?;
        Ok(Self { name: name.into(), digest: digest.into(), key, columns, index })
    }

    /// Name, as in the manifest.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What tells it from other states of the same table.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.key[0].values.len()
    }
}

impl fmt::Debug for LookupTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, digest, .. } = self;
        f.debug_struct("LookupTable").field("name", name).field("digest", digest).finish_non_exhaustive()
    }
}

impl LookupColumn {
    fn check(&self, expected: usize) -> Result<(), LookupError> {
        let (ty, rows) = (self.field.ty, self.values.len());
        if *self.values.data_type() == ty.arrow() && rows == expected {
            return Ok(());
        }
        let found = self.values.data_type().to_string();
        Err(LookupError::Shape { column: self.field.name.clone(), ty, found, rows, expected })
    }

    fn check_key(&self) -> Result<(), LookupError> {
        let (column, ty) = (self.field.name.clone(), self.field.ty);
        if ty == ColumnType::Float64 {
            return Err(LookupError::KeyType { column, ty });
        }
        match (0..self.values.len()).find(|row| self.values.is_null(*row)) {
            Some(row) => Err(LookupError::NullKey { column, row }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Float64Array, Int64Array, StringArray};
    use std::sync::Arc;

    fn column(name: &str, ty: ColumnType, values: ArrayRef) -> LookupColumn {
        LookupColumn { field: Field::new(name, ty), values }
    }

    fn texts(values: &[Option<&str>]) -> LookupColumn {
        column("k", ColumnType::Text, Arc::new(values.iter().copied().collect::<StringArray>()))
    }

    fn refused(key: Vec<LookupColumn>, columns: Vec<LookupColumn>) -> LookupError {
        LookupTable::new("t", "d", key, columns).unwrap_err()
    }

    #[test]
    fn what_makes_no_table_is_refused_with_the_rows_at_fault() {
        assert_eq!(refused(vec![], vec![]), LookupError::NoKey);
        let error = refused(vec![texts(&[Some("a"), Some("b"), Some("a")])], vec![]);
        assert_eq!((error.rows(), &error), (vec![2, 0], &LookupError::Duplicate { first: 0, row: 2 }));
        assert_eq!(refused(vec![texts(&[Some("a"), None])], vec![]).rows(), [1]);
        let floats = column("f", ColumnType::Float64, Arc::new(Float64Array::from(vec![1.0])));
        assert!(matches!(refused(vec![floats.clone()], vec![]), LookupError::KeyType { .. }));
        let numbers = column("n", ColumnType::Text, Arc::new(Int64Array::from(vec![1])));
        assert!(matches!(refused(vec![texts(&[Some("a")])], vec![numbers]), LookupError::Shape { .. }));
        assert!(matches!(refused(vec![texts(&[])], vec![floats]), LookupError::Shape { rows: 1, expected: 0, .. }));
    }

    #[test]
    fn a_table_without_rows_or_values_is_one() {
        assert_eq!(LookupTable::new("t", "d", vec![texts(&[])], vec![]).unwrap().rows(), 0);
    }
}
