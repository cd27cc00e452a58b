//! Groups: the values of the key columns of a row as bytes, and back.
//!
//! The bytes order as the values do within one type, nulls first, so gold rows can be sorted by them.

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, TimestampMicrosecondArray,
};
use sluice_batch::ColumnType;
use std::sync::Arc;

/// A key column seen as what its bytes are made of.
pub(crate) enum KeyColumn<'a> {
    Bool(&'a BooleanArray),
    I64(&'a [i64], &'a ArrayRef),
    I32(&'a [i32], &'a ArrayRef),
    I128(&'a [i128], &'a ArrayRef),
    F64(&'a [f64], &'a ArrayRef),
    Bytes(&'a [i32], &'a [u8], &'a ArrayRef),
}

impl<'a> KeyColumn<'a> {
    pub(crate) fn new(array: &'a ArrayRef, ty: ColumnType) -> Self {
        match ty {
            ColumnType::Boolean => Self::Bool(array.as_boolean()),
            ColumnType::Int64 => Self::I64(array.as_primitive::<Int64Type>().values(), array),
            ColumnType::Timestamp => Self::I64(array.as_primitive::<TimestampMicrosecondType>().values(), array),
            ColumnType::Date => Self::I32(array.as_primitive::<Date32Type>().values(), array),
            ColumnType::Float64 => Self::F64(array.as_primitive::<Float64Type>().values(), array),
            ColumnType::Decimal { .. } => Self::I128(array.as_primitive::<Decimal128Type>().values(), array),
            ColumnType::Text => {
                let text = array.as_string::<i32>();
                Self::Bytes(text.value_offsets(), text.value_data(), array)
            }
            ColumnType::Binary => {
                let binary = array.as_binary::<i32>();
                Self::Bytes(binary.value_offsets(), binary.value_data(), array)
            }
        }
    }

    /// Appends the bytes of a row's value.
    pub(crate) fn push(&self, row: usize, out: &mut Vec<u8>) {
        let null = match self {
            Self::Bool(array) => array.is_null(row),
            Self::I64(_, array)
            | Self::I32(_, array)
            | Self::I128(_, array)
            | Self::F64(_, array)
            | Self::Bytes(_, _, array) => array.is_null(row),
        };
        if null {
            return out.push(0);
        }
        out.push(1);
        match self {
            Self::Bool(array) => out.push(u8::from(array.value(row))),
            // flipping the sign bit makes big-endian bytes order as the numbers do
            Self::I64(values, _) => out.extend_from_slice(&(values[row] ^ i64::MIN).to_be_bytes()),
            Self::I32(values, _) => out.extend_from_slice(&(values[row] ^ i32::MIN).to_be_bytes()),
            Self::I128(values, _) => out.extend_from_slice(&(values[row] ^ i128::MIN).to_be_bytes()),
            Self::F64(values, _) => out.extend_from_slice(&order_f64(values[row]).to_be_bytes()),
            Self::Bytes(offsets, data, _) => {
                push_escaped(&data[offsets[row] as usize..offsets[row + 1] as usize], out);
            }
        }
    }
}

/// IEEE 754 totalOrder as an unsigned number; negative zero counts as zero.
fn order_f64(value: f64) -> u64 {
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

fn unorder_f64(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

/// Bytes with an end that cannot stand within them: 0 becomes (0, 255), the end is (0, 0).
fn push_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        out.push(byte);
        if byte == 0 {
            out.push(255);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

fn take_escaped(bytes: &mut &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let zero = bytes.iter().position(|byte| *byte == 0).expect("an end was written");
        out.extend_from_slice(&bytes[..zero]);
        let end = bytes[zero + 1] == 0;
        *bytes = &bytes[zero + 2..];
        if end {
            return out;
        }
        out.push(0);
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (head, rest) = bytes.split_first_chunk::<N>().expect("a whole value was written");
    *bytes = rest;
    *head
}

/// Key columns from the bytes of keys.
pub(crate) fn columns(keys: &[&[u8]], types: &[ColumnType]) -> Vec<ArrayRef> {
    let mut rest = keys.to_vec();
    types.iter().map(|ty| column(&mut rest, *ty)).collect()
}

fn column(keys: &mut [&[u8]], ty: ColumnType) -> ArrayRef {
    fn each<'a, T>(keys: &mut [&'a [u8]], read: impl Fn(&mut &'a [u8]) -> T) -> Vec<Option<T>> {
        keys.iter_mut().map(|key| (take::<1>(key)[0] == 1).then(|| read(key))).collect()
    }
    let i64s = |keys: &mut [&[u8]]| each(keys, |key| i64::from_be_bytes(take(key)) ^ i64::MIN);
    match ty {
        ColumnType::Boolean => Arc::new(BooleanArray::from(each(keys, |key| take::<1>(key)[0] == 1))),
        ColumnType::Int64 => Arc::new(Int64Array::from(i64s(keys))),
        ColumnType::Timestamp => Arc::new(TimestampMicrosecondArray::from(i64s(keys)).with_timezone("UTC")),
        ColumnType::Date => Arc::new(Date32Array::from(each(keys, |k| i32::from_be_bytes(take(k)) ^ i32::MIN))),
        ColumnType::Float64 => {
            Arc::new(Float64Array::from(each(keys, |key| unorder_f64(u64::from_be_bytes(take(key))))))
        }
        ColumnType::Decimal { precision, scale } => {
            let array = Decimal128Array::from(each(keys, |key| i128::from_be_bytes(take(key)) ^ i128::MIN));
            Arc::new(array.with_precision_and_scale(precision, scale as i8).expect("the key's own type"))
        }
        ColumnType::Text => {
            let mut out = StringBuilder::new();
            each(keys, take_escaped)
                .into_iter()
                .for_each(|v| out.append_option(v.map(|v| String::from_utf8(v).expect("the key was text"))));
            Arc::new(out.finish())
        }
        ColumnType::Binary => {
            let mut out = BinaryBuilder::new();
            each(keys, take_escaped).into_iter().for_each(|v| out.append_option(v));
            Arc::new(out.finish())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BinaryArray, StringArray};
    use proptest::prelude::*;

    fn round_trip(array: &ArrayRef, ty: ColumnType) -> Vec<Vec<u8>> {
        let column = KeyColumn::new(array, ty);
        let keys: Vec<Vec<u8>> = (0..array.len())
            .map(|row| {
                let mut key = Vec::new();
                column.push(row, &mut key);
                key
            })
            .collect();
        let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        assert_eq!(columns(&slices, &[ty])[0].as_ref(), array.as_ref());
        keys
    }

    proptest! {
        #[test]
        fn keys_read_back_and_order_as_their_values(
            ints in proptest::collection::vec(proptest::option::of(any::<i64>()), 2..20),
            texts in proptest::collection::vec(proptest::option::of("[\\x00a\\x01]{0,4}"), 2..20),
            decimals in proptest::collection::vec(proptest::option::of(-1_000_000i128..1_000_000), 2..20),
        ) {
            let keys = round_trip(&(Arc::new(Int64Array::from(ints.clone())) as ArrayRef), ColumnType::Int64);
            prop_assert_eq!(keys[0].cmp(&keys[1]), ints[0].cmp(&ints[1]));
            let keys = round_trip(&(Arc::new(StringArray::from(texts.clone())) as ArrayRef), ColumnType::Text);
            prop_assert_eq!(keys[0].cmp(&keys[1]), texts[0].cmp(&texts[1]));
            let ty = ColumnType::Decimal { precision: 12, scale: 3 };
            let array = Decimal128Array::from(decimals.clone()).with_precision_and_scale(12, 3).unwrap();
            let keys = round_trip(&(Arc::new(array) as ArrayRef), ty);
            prop_assert_eq!(keys[0].cmp(&keys[1]), decimals[0].cmp(&decimals[1]));
        }

        #[test]
        fn floats_and_bytes_read_back(
            floats in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::ZERO, 1..20),
            bytes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6), 1..20),
        ) {
            let floats: Vec<f64> = floats.into_iter().map(|f| if f == 0.0 { 0.0 } else { f }).collect();
            let keys = round_trip(&(Arc::new(Float64Array::from(floats.clone())) as ArrayRef), ColumnType::Float64);
            for (pair, values) in keys.windows(2).zip(floats.windows(2)) {
                prop_assert_eq!(pair[0].cmp(&pair[1]), values[0].total_cmp(&values[1]));
            }
            let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
            round_trip(&(Arc::new(BinaryArray::from(slices)) as ArrayRef), ColumnType::Binary);
        }
    }
}
