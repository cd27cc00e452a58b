//! Arrow to the contract: what a rule is shown.
//!
//! Buffers are borrowed; the one copy is wasmtime's into the rule's memory. A column is copied here first only where
//! the array does not already have the contract's form: a slice that does not begin at a whole byte or at offset 0, a
//! value under a null that is not zero or empty, a NaN that is not the canonical one.

use crate::bits;
use crate::wire::{ColumnIn, ValuesIn, VarBytesIn};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, BinaryType, ByteArrayType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType, Utf8Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType;
use sluice_batch::ColumnType;
use std::borrow::Cow;

#[cfg(target_endian = "big")]
compile_error!("lists are lowered as they lie in memory; on a big-endian host the words of a decimal would be swapped");

/// One column in the contract's form.
pub(crate) struct Lowered<'a> {
    validity: Cow<'a, [u8]>,
    values: Values<'a>,
}

enum Values<'a> {
    Boolean(Cow<'a, [u8]>),
    Int64(Cow<'a, [i64]>),
    Float64(Cow<'a, [f64]>),
    Decimal(Cow<'a, [i128]>),
    Timestamp(Cow<'a, [i64]>),
    Date(Cow<'a, [i32]>),
    Text(VarBytes<'a>),
    Binary(VarBytes<'a>),
}

struct VarBytes<'a> {
    offsets: Cow<'a, [u32]>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Lowered<'a> {
    /// A column of the type that the rule was told.
    ///
    /// # Errors
    /// The array has another type: a mistake of the host, not of the rule.
    pub(crate) fn new(array: &'a ArrayRef, ty: ColumnType) -> Result<Self, String> {
        check_type(array, ty)?;
        let rows = array.len();
        let validity = match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            Some(nulls) => bit_list(nulls.inner()),
            None => Cow::default(),
        };
        let nulls = Nulls { validity: &validity, rows };
        let values = match ty {
            ColumnType::Boolean => Values::Boolean(nulls.clear_bits(bit_list(array.as_boolean().values()))),
            ColumnType::Int64 => Values::Int64(nulls.clear(primitive::<Int64Type>(array))),
            ColumnType::Timestamp => Values::Timestamp(nulls.clear(primitive::<TimestampMicrosecondType>(array))),
            ColumnType::Date => Values::Date(nulls.clear(primitive::<Date32Type>(array))),
            ColumnType::Decimal { .. } => Values::Decimal(nulls.clear(primitive::<Decimal128Type>(array))),
            ColumnType::Float64 => Values::Float64(canonical_nans(nulls.clear(primitive::<Float64Type>(array)))),
            ColumnType::Text => Values::Text(nulls.clear_bytes(var_bytes::<Utf8Type>(array))),
            ColumnType::Binary => Values::Binary(nulls.clear_bytes(var_bytes::<BinaryType>(array))),
        };
        Ok(Self { validity, values })
    }

    /// The same as wasmtime takes it.
    pub(crate) fn wire(&self) -> ColumnIn<'_> {
        let values = match &self.values {
            Values::Boolean(bits) => ValuesIn::Boolean(bits),
            Values::Int64(values) => ValuesIn::Int64(values),
            Values::Float64(values) => ValuesIn::Float64(values),
            Values::Decimal(values) => ValuesIn::Decimal(bytemuck::cast_slice(values)),
            Values::Timestamp(values) => ValuesIn::Timestamp(values),
            Values::Date(values) => ValuesIn::Date(values),
            Values::Text(text) => ValuesIn::Text(text.wire()),
            Values::Binary(binary) => ValuesIn::Binary(binary.wire()),
        };
        ColumnIn { validity: &self.validity, values }
    }

    /// Bytes that the lists take.
    pub(crate) fn bytes(&self) -> usize {
        let values = match &self.values {
            Values::Boolean(bits) => bits.len(),
            Values::Int64(values) | Values::Timestamp(values) => size_of_val(&**values),
            Values::Float64(values) => size_of_val(&**values),
            Values::Decimal(values) => size_of_val(&**values),
            Values::Date(values) => size_of_val(&**values),
            Values::Text(var) | Values::Binary(var) => size_of_val(&*var.offsets) + var.bytes.len(),
        };
        self.validity.len() + values
    }
}

impl VarBytes<'_> {
    fn wire(&self) -> VarBytesIn<'_> {
        VarBytesIn { offsets: &self.offsets, bytes: &self.bytes }
    }
}

/// The rows of a column that hold no value.
#[derive(Clone, Copy)]
struct Nulls<'v> {
    validity: &'v [u8],
    rows: usize,
}

impl<'v> Nulls<'v> {
    fn rows(self) -> impl Iterator<Item = usize> + 'v {
        // an empty list means that there are none
        let rows = if self.validity.is_empty() { 0 } else { self.rows };
        bits::zeros(self.validity, rows)
    }

    /// Zero under nulls.
    fn clear<'a, T: Copy + Default + PartialEq>(self, values: &'a [T]) -> Cow<'a, [T]> {
        let zero = T::default();
        if self.rows().all(|row| values[row] == zero) {
            return Cow::Borrowed(values);
        }
        let mut values = values.to_vec();
        self.rows().for_each(|row| values[row] = zero);
        Cow::Owned(values)
    }

    fn clear_bits<'a>(self, values: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        if self.validity.is_empty() || values.iter().zip(self.validity).all(|(value, valid)| value & !valid == 0) {
            return values;
        }
        Cow::Owned(values.iter().zip(self.validity).map(|(value, valid)| value & valid).collect())
    }

    /// Empty under nulls.
    fn clear_bytes<'a>(self, values: VarBytes<'a>) -> VarBytes<'a> {
        let offsets = &values.offsets;
        if self.rows().all(|row| offsets[row] == offsets[row + 1]) {
            return values;
        }
        let (mut new_offsets, mut bytes) = (Vec::with_capacity(offsets.len()), Vec::new());
        let mut nulls = self.rows().peekable();
        new_offsets.push(0);
        for (row, range) in offsets.windows(2).enumerate() {
            if nulls.next_if_eq(&row).is_none() {
                bytes.extend_from_slice(&values.bytes[range[0] as usize..range[1] as usize]);
            }
            new_offsets.push(bytes.len() as u32);
        }
        VarBytes { offsets: Cow::Owned(new_offsets), bytes: Cow::Owned(bytes) }
    }
}

fn check_type(array: &ArrayRef, ty: ColumnType) -> Result<(), String> {
    let (have, want) = (array.data_type(), ty.arrow());
    // how a time zone is written is no difference
    let same_timestamp =
        matches!((have, &want), (DataType::Timestamp(a, Some(_)), DataType::Timestamp(b, Some(_))) if a == b);
    if *have == want || same_timestamp {
        return Ok(());
    }
    Err(format!("the host handed over a column of Arrow type `{have}` where the rule was opened for `{ty}`"))
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

/// Bits from bit 0 on, spare bits zero.
fn bit_list(bits: &BooleanBuffer) -> Cow<'_, [u8]> {
    let (rows, start) = (bits.len(), bits.offset());
    let needed = bits::bytes_for(rows);
    if start % 8 == 0 {
        let aligned = &bits.values()[start / 8..][..needed];
        if bits::spare_is_zero(aligned, rows) {
            return Cow::Borrowed(aligned);
        }
    }
    let mut copy = bits.sliced().as_slice()[..needed].to_vec();
    bits::clear_spare(&mut copy, rows);
    Cow::Owned(copy)
}

/// Offsets from 0 on, and the bytes that they cover.
fn var_bytes<T: ByteArrayType<Offset = i32>>(array: &ArrayRef) -> VarBytes<'_> {
    let array = array.as_bytes::<T>();
    let offsets: &[u32] = bytemuck::cast_slice(array.value_offsets());
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let bytes = Cow::Borrowed(&array.value_data()[first as usize..last as usize]);
    let offsets = match first {
        0 => Cow::Borrowed(offsets),
        _ => offsets.iter().map(|offset| offset - first).collect(),
    };
    VarBytes { offsets, bytes }
}

/// The one NaN of the contract: quiet, positive, no payload; the one that wasmtime's canonicalisation gives.
pub(crate) const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// A NaN with other bits than the canonical one.
pub(crate) fn is_strange_nan(value: f64) -> bool {
    value.is_nan() && value.to_bits() != CANONICAL_NAN
}

fn canonical_nans(values: Cow<'_, [f64]>) -> Cow<'_, [f64]> {
    // `|` and no early exit, so that it is a vector loop
    if !values.iter().fold(false, |strange, value| strange | is_strange_nan(*value)) {
        return values;
    }
    let canonical = |value: &f64| if value.is_nan() { f64::from_bits(CANONICAL_NAN) } else { *value };
    Cow::Owned(values.iter().map(canonical).collect())
}
