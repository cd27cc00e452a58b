//! From a key to the row that has it.

use super::{LookupColumn, LookupError};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;
use hashbrown::{DefaultHashBuilder, HashTable};
use sluice_batch::ColumnType;
use std::hash::BuildHasher;

/// That no row has the key.
pub(super) const NONE: u32 = u32::MAX;

/// Numbers of rows by the hash of their keys. How keys are hashed is drawn anew by each process and shows nowhere.
pub(super) struct Index {
    rows: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Index {
    /// # Errors
    /// A key stands twice.
    pub(super) fn new(key: &[LookupColumn], rows: usize) -> Result<Self, LookupError> {
        let keys = Keys::new(key.iter().map(|column| (&column.values, column.field.ty)));
        let mut index = Self { rows: HashTable::with_capacity(rows), hasher: DefaultHashBuilder::default() };
        for row in 0..rows {
            let hash = keys.hash(row, &index.hasher);
            if let Some(first) = index.rows.find(hash, |first| keys.equal(row, &keys, *first as usize)) {
                return Err(LookupError::Duplicate { first: *first as usize, row });
            }
            // there is room for all rows, so none is hashed again
            index.rows.insert_unique(hash, row as u32, |row| keys.hash(*row as usize, &index.hasher));
        }
        Ok(index)
    }

    /// The row of a table that has the key at `row` of other columns, or [`NONE`].
    pub(super) fn find(&self, table: &Keys<'_>, asked: &Keys<'_>, row: usize) -> u32 {
        if asked.is_null(row) {
            return NONE;
        }
        let hash = asked.hash(row, &self.hasher);
        self.rows.find(hash, |found| asked.equal(row, table, *found as usize)).copied().unwrap_or(NONE)
    }
}

/// Columns of a key, looked at by row.
pub(super) struct Keys<'a>(Vec<(&'a ArrayRef, Values<'a>)>);

enum Values<'a> {
    Bits(&'a BooleanBuffer),
    Short(&'a [i32]),
    Long(&'a [i64]),
    Wide(&'a [i128]),
    Bytes {
        offsets: &'a [i32],
        bytes: &'a [u8],
    },
    /// A float: no table has such a key.
    None,
}

impl<'a> Keys<'a> {
    pub(super) fn new(columns: impl Iterator<Item = (&'a ArrayRef, ColumnType)>) -> Self {
        Self(columns.map(|(array, ty)| (array, Values::new(array, ty))).collect())
    }

    fn is_null(&self, row: usize) -> bool {
        self.0.iter().any(|(array, _)| array.is_null(row))
    }

    fn hash(&self, row: usize, hasher: &DefaultHashBuilder) -> u64 {
        self.0.iter().fold(0, |hash, (_, values)| match values {
            Values::Bits(bits) => hasher.hash_one((hash, bits.value(row))),
            Values::Short(values) => hasher.hash_one((hash, values[row])),
            Values::Long(values) => hasher.hash_one((hash, values[row])),
            Values::Wide(values) => hasher.hash_one((hash, values[row])),
            Values::Bytes { offsets, bytes } => hasher.hash_one((hash, slice(offsets, bytes, row))),
            Values::None => hash,
        })
    }

    /// Whether the key at `row` is that at another row of columns of the same types.
    fn equal(&self, row: usize, other: &Keys<'_>, at: usize) -> bool {
        self.0.iter().zip(&other.0).all(|((_, one), (_, other))| match (one, other) {
            (Values::Bits(one), Values::Bits(other)) => one.value(row) == other.value(at),
            (Values::Short(one), Values::Short(other)) => one[row] == other[at],
            (Values::Long(one), Values::Long(other)) => one[row] == other[at],
            (Values::Wide(one), Values::Wide(other)) => one[row] == other[at],
            (Values::Bytes { offsets, bytes }, Values::Bytes { offsets: others, bytes: other }) => {
                slice(offsets, bytes, row) == slice(others, other, at)
            }
            _ => false,
        })
    }
}

impl<'a> Values<'a> {
    fn new(array: &'a ArrayRef, ty: ColumnType) -> Self {
        match ty {
            ColumnType::Boolean => Self::Bits(array.as_boolean().values()),
            ColumnType::Int64 => Self::Long(array.as_primitive::<Int64Type>().values()),
            ColumnType::Timestamp => Self::Long(array.as_primitive::<TimestampMicrosecondType>().values()),
            ColumnType::Date => Self::Short(array.as_primitive::<Date32Type>().values()),
            ColumnType::Decimal { .. } => Self::Wide(array.as_primitive::<Decimal128Type>().values()),
            ColumnType::Text => {
                let text = array.as_string::<i32>();
                Self::Bytes { offsets: text.value_offsets(), bytes: text.value_data() }
            }
            ColumnType::Binary => {
                let binary = array.as_binary::<i32>();
                Self::Bytes { offsets: binary.value_offsets(), bytes: binary.value_data() }
            }
            ColumnType::Float64 => Self::None,
        }
    }
}

fn slice<'a>(offsets: &[i32], bytes: &'a [u8], row: usize) -> &'a [u8] {
    &bytes[offsets[row] as usize..offsets[row + 1] as usize]
}
