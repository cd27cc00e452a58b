//! Partial rows: typed columns that grow and are written in place.

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, TimestampMicrosecondArray,
};
use hashbrown::HashMap;
use sluice_batch::ColumnType;
use std::sync::Arc;

/// One partial column.
#[derive(Debug, Clone)]
enum Column {
    Bool(Vec<Option<bool>>),
    I64(Vec<Option<i64>>),
    I32(Vec<Option<i32>>),
    I128(Vec<Option<i128>>),
    F64(Vec<Option<f64>>),
    Bytes(Vec<Option<Box<[u8]>>>),
}

impl Column {
    fn new(ty: ColumnType) -> Self {
        match ty {
            ColumnType::Boolean => Self::Bool(Vec::new()),
            ColumnType::Int64 | ColumnType::Timestamp => Self::I64(Vec::new()),
            ColumnType::Date => Self::I32(Vec::new()),
            ColumnType::Decimal { .. } => Self::I128(Vec::new()),
            ColumnType::Float64 => Self::F64(Vec::new()),
            ColumnType::Text | ColumnType::Binary => Self::Bytes(Vec::new()),
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(values) => values.push(None),
            Self::I64(values) => values.push(None),
            Self::I32(values) => values.push(None),
            Self::I128(values) => values.push(None),
            Self::F64(values) => values.push(None),
            Self::Bytes(values) => values.push(None),
        }
    }

    /// The values of some rows as an array of type `ty`.
    fn gather(&self, rows: &[u32], ty: ColumnType) -> ArrayRef {
        fn pick<T: Copy>(values: &[Option<T>], rows: &[u32]) -> Vec<Option<T>> {
            rows.iter().map(|row| values[*row as usize]).collect()
        }
        match (self, ty) {
            (Self::Bool(values), _) => Arc::new(BooleanArray::from(pick(values, rows))),
            (Self::I64(values), ColumnType::Timestamp) => {
                Arc::new(TimestampMicrosecondArray::from(pick(values, rows)).with_timezone("UTC"))
            }
            (Self::I64(values), _) => Arc::new(Int64Array::from(pick(values, rows))),
            (Self::I32(values), _) => Arc::new(Date32Array::from(pick(values, rows))),
            (Self::I128(values), ColumnType::Decimal { precision, scale }) => {
                let array = Decimal128Array::from(pick(values, rows));
                Arc::new(array.with_precision_and_scale(precision, scale as i8).expect("the partial's own type"))
            }
            (Self::I128(values), _) => Arc::new(Decimal128Array::from(pick(values, rows))),
            (Self::F64(values), _) => Arc::new(Float64Array::from(pick(values, rows))),
            (Self::Bytes(values), ColumnType::Binary) => {
                let mut out = BinaryBuilder::new();
                rows.iter().for_each(|row| out.append_option(values[*row as usize].as_deref()));
                Arc::new(out.finish())
            }
            (Self::Bytes(values), _) => {
                let mut out = StringBuilder::new();
                for row in rows {
                    let text = values[*row as usize].as_deref();
                    out.append_option(text.map(|bytes| std::str::from_utf8(bytes).expect("the partial is text")));
                }
                Arc::new(out.finish())
            }
        }
    }

    /// Writes an array over some rows.
    fn scatter(&mut self, rows: &[u32], array: &ArrayRef, ty: ColumnType) {
        macro_rules! write {
            ($values:expr, $array:expr) => {
                for (row, value) in rows.iter().zip($array.iter()) {
                    $values[*row as usize] = value.map(Into::into);
                }
            };
        }
        match (self, ty) {
            (Self::Bool(values), _) => write!(values, array.as_boolean()),
            (Self::I64(values), ColumnType::Timestamp) => {
                write!(values, array.as_primitive::<TimestampMicrosecondType>());
            }
            (Self::I64(values), _) => write!(values, array.as_primitive::<Int64Type>()),
            (Self::I32(values), _) => write!(values, array.as_primitive::<Date32Type>()),
            (Self::I128(values), _) => write!(values, array.as_primitive::<Decimal128Type>()),
            (Self::F64(values), _) => write!(values, array.as_primitive::<Float64Type>()),
            (Self::Bytes(values), ColumnType::Binary) => write!(values, array.as_binary::<i32>()),
            (Self::Bytes(values), _) => {
                for (row, value) in rows.iter().zip(array.as_string::<i32>().iter()) {
                    values[*row as usize] = value.map(|text| text.as_bytes().into());
                }
            }
        }
    }
}

/// The partials of one (shard, window).
#[derive(Debug, Clone)]
pub(crate) struct Table {
    types: Arc<[ColumnType]>,
    index: HashMap<Box<[u8]>, u32>,
    keys: Vec<Box<[u8]>>,
    columns: Vec<Column>,
}

impl Table {
    pub(crate) fn new(types: &Arc<[ColumnType]>) -> Self {
        let columns = types.iter().map(|ty| Column::new(*ty)).collect();
        Self { types: types.clone(), index: HashMap::new(), keys: Vec::new(), columns }
    }

    /// Row of a group; a new one begins with all partials null.
    pub(crate) fn row(&mut self, key: &[u8]) -> u32 {
        if let Some(row) = self.index.get(key) {
            return *row;
        }
        let row = self.keys.len() as u32;
        self.index.insert(key.into(), row);
        self.keys.push(key.into());
        self.columns.iter_mut().for_each(Column::push_null);
        row
    }

    /// Keys of all groups, in the order in which they first came.
    pub(crate) fn keys(&self) -> &[Box<[u8]>] {
        &self.keys
    }

    /// Partials of some rows.
    pub(crate) fn gather(&self, rows: &[u32]) -> Vec<ArrayRef> {
        self.columns.iter().zip(self.types.iter()).map(|(column, ty)| column.gather(rows, *ty)).collect()
    }

    /// Partials of all rows.
    pub(crate) fn all(&self) -> Vec<ArrayRef> {
        self.gather(&(0..self.keys.len() as u32).collect::<Vec<_>>())
    }

    /// Writes partials over some rows.
    pub(crate) fn scatter(&mut self, rows: &[u32], arrays: &[ArrayRef]) {
        for ((column, array), ty) in self.columns.iter_mut().zip(arrays).zip(self.types.iter()) {
            column.scatter(rows, array, *ty);
        }
    }

    /// Takes back the groups that were begun after there were `rows`.
    pub(crate) fn forget_after(&mut self, rows: usize) {
        for key in self.keys.drain(rows..) {
            self.index.remove(&key);
        }
        for column in &mut self.columns {
            match column {
                Column::Bool(values) => values.truncate(rows),
                Column::I64(values) => values.truncate(rows),
                Column::I32(values) => values.truncate(rows),
                Column::I128(values) => values.truncate(rows),
                Column::F64(values) => values.truncate(rows),
                Column::Bytes(values) => values.truncate(rows),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;

    #[test]
    fn what_is_written_is_read_and_new_groups_are_null() {
        let types: Arc<[ColumnType]> = [ColumnType::Int64, ColumnType::Text].into();
        let mut table = Table::new(&types);
        let rows = [table.row(b"a"), table.row(b"b"), table.row(b"a")];
        assert_eq!(rows, [0, 1, 0]);
        assert_eq!(table.gather(&[1])[0].null_count(), 1);
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
        let texts: ArrayRef = Arc::new(arrow_array::StringArray::from(vec![Some("x"), None]));
        table.scatter(&[1, 0], &[ints, texts]);
        let all = table.all();
        assert_eq!(all[0].as_primitive::<Int64Type>().values(), &[8, 7]);
        assert_eq!((all[1].is_null(0), all[1].as_string::<i32>().value(1)), (true, "x"));
        table.forget_after(1);
        assert_eq!((table.keys().len(), table.row(b"b")), (1, 1));
    }
}
