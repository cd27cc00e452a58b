//! Rows of a column, in the order in which they were found.

use super::index::NONE;
use crate::bits;
use crate::lower::{CANONICAL_NAN, is_strange_nan};
use crate::wire::{ColumnOut, ValuesOut, VarBytesOut};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, BinaryType, ByteArrayType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType, Utf8Type,
};
use arrow_array::{Array, ArrayRef, GenericByteArray};
use sluice_batch::ColumnType;

/// Bytes that the lists of the rows `at` take.
pub(super) fn size(array: &ArrayRef, ty: ColumnType, at: &[u32]) -> usize {
    let values = match ty {
        ColumnType::Boolean => bits::bytes_for(at.len()),
        ColumnType::Date => size_of::<i32>() * at.len(),
        ColumnType::Decimal { .. } => size_of::<i128>() * at.len(),
        ColumnType::Int64 | ColumnType::Timestamp | ColumnType::Float64 => size_of::<i64>() * at.len(),
        ColumnType::Text => text_size(array.as_bytes::<Utf8Type>(), at),
        ColumnType::Binary => text_size(array.as_bytes::<BinaryType>(), at),
    };
    bits::bytes_for(at.len()) + values
}

fn text_size<T: ByteArrayType<Offset = i32>>(array: &GenericByteArray<T>, at: &[u32]) -> usize {
    let length = |row: &u32| valid(array, *row).map_or(0, |row| array.value_length(row) as usize);
    size_of::<u32>() * (at.len() + 1) + at.iter().map(length).sum::<usize>()
}

/// The rows `at`; null where there is none.
pub(super) fn gather(array: &ArrayRef, ty: ColumnType, at: &[u32]) -> ColumnOut {
    let values = match ty {
        ColumnType::Boolean => {
            let values = array.as_boolean();
            ValuesOut::Boolean(pack(at, |row| valid(values, row).is_some_and(|row| values.value(row))))
        }
        ColumnType::Int64 => ValuesOut::Int64(fixed::<Int64Type>(array, at)),
        ColumnType::Timestamp => ValuesOut::Timestamp(fixed::<TimestampMicrosecondType>(array, at)),
        ColumnType::Date => ValuesOut::Date(fixed::<Date32Type>(array, at)),
        ColumnType::Float64 => {
            let canonical = |value| if is_strange_nan(value) { f64::from_bits(CANONICAL_NAN) } else { value };
            ValuesOut::Float64(fixed::<Float64Type>(array, at).into_iter().map(canonical).collect())
        }
        ColumnType::Decimal { .. } => {
            let words = |value: i128| [value as u64, (value >> 64) as u64];
            ValuesOut::Decimal(fixed::<Decimal128Type>(array, at).into_iter().flat_map(words).collect())
        }
        ColumnType::Text => ValuesOut::Text(var_bytes(array.as_bytes::<Utf8Type>(), at)),
        ColumnType::Binary => ValuesOut::Binary(var_bytes(array.as_bytes::<BinaryType>(), at)),
    };
    let all = at.iter().all(|row| valid(array, *row).is_some());
    let validity = if all { Vec::new() } else { pack(at, |row| valid(array, row).is_some()) };
    ColumnOut { validity, values }
}

/// The row as an index, where there is one that holds a value.
fn valid(array: &dyn Array, row: u32) -> Option<usize> {
    (row != NONE && array.is_valid(row as usize)).then_some(row as usize)
}

/// One bit a row, least significant first.
pub(super) fn pack(at: &[u32], test: impl Fn(u32) -> bool) -> Vec<u8> {
    let byte = |rows: &[u32]| (0..).zip(rows).fold(0, |byte, (bit, row)| byte | u8::from(test(*row)) << bit);
    at.chunks(8).map(byte).collect()
}

fn fixed<T: ArrowPrimitiveType>(array: &ArrayRef, at: &[u32]) -> Vec<T::Native> {
    let array = array.as_primitive::<T>();
    at.iter().map(|row| valid(array, *row).map_or_else(T::Native::default, |row| array.value(row))).collect()
}

fn var_bytes<T: ByteArrayType<Offset = i32>>(array: &GenericByteArray<T>, at: &[u32]) -> VarBytesOut {
    let (starts, data) = (array.value_offsets(), array.value_data());
    let mut offsets = Vec::with_capacity(at.len() + 1);
    let mut bytes = Vec::with_capacity(text_size(array, at) - size_of::<u32>() * (at.len() + 1));
    offsets.push(0);
    for row in at {
        if let Some(row) = valid(array, *row) {
            bytes.extend_from_slice(&data[starts[row] as usize..starts[row + 1] as usize]);
        }
        offsets.push(bytes.len() as u32);
    }
    VarBytesOut { offsets, bytes }
}
