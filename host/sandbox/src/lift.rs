//! The contract to Arrow: what a rule returned, checked.
//!
//! Everything in an answer is a stranger's. What a well-behaved rule cannot get wrong by accident is refused; only NaNs
//! are put right, since no guest language lets its author choose their bits. Values under nulls are refused and not
//! cleared: whoever leaves bytes there may be hiding them.
//!
//! Errors are the second half of a sentence that names step, rule and batch. They never hold a value of a record.

use crate::bits;
use crate::lower::CANONICAL_NAN;
use crate::wire::{ColumnOut, RejectionsOut, ValuesOut, VarBytesOut};
use arrow_array::types::{BinaryType, ByteArrayType, Utf8Type};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, GenericByteArray, Int64Array,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use sluice_batch::ColumnType;
use sluice_ports::{Rejection, Signature};
use std::sync::Arc;

/// What a returned column has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// Its name, for error text.
    pub(crate) name: &'a str,
    pub(crate) ty: ColumnType,
    pub(crate) nullable: bool,
}

/// Checks a list of columns against what they have to be, each with `rows` rows.
///
/// # Errors
/// Which column, and what is wrong with it.
pub(crate) fn columns<'a>(
    columns: Vec<ColumnOut>,
    expected: impl ExactSizeIterator<Item = Expected<'a>>,
    rows: usize,
) -> Result<Vec<ArrayRef>, String> {
    if columns.len() != expected.len() {
        return Err(format!("{} columns came back; its signature says {}", columns.len(), expected.len()));
    }
    let lift = |(out, expected): (ColumnOut, Expected<'a>)| {
        column(out, expected, rows).map_err(|wrong| format!("column `{}`: {wrong}", expected.name))
    };
    columns.into_iter().zip(expected).map(lift).collect()
}

/// Checks the three lists of rejections.
///
/// # Errors
/// What is wrong, and at which place of the lists.
pub(crate) fn rejections(out: &RejectionsOut, signature: &Signature, rows: usize) -> Result<Vec<Rejection>, String> {
    let RejectionsOut { rows: row_list, codes, columns } = out;
    let (reasons, reads) = (signature.reasons.len(), signature.reads.len());
    if codes.len() != row_list.len() || columns.len() != row_list.len() {
        return Err(format!(
            "rejections hold {} rows, {} codes and {} columns; the lists must be equally long",
            row_list.len(),
            codes.len(),
            columns.len()
        ));
    }
    let mut checked = Vec::with_capacity(row_list.len());
    let mut before = 0;
    for (at, ((&row, &code), &column)) in row_list.iter().zip(codes).zip(columns).enumerate() {
        if row as usize >= rows {
            return Err(format!("rejection {at} is of row {row}; the batch has {rows} rows"));
        }
        if row < before {
            return Err(format!("rejection {at} is of row {row} and stands after row {before}; rows must not fall"));
        }
        if code as usize >= reasons {
            return Err(format!("rejection {at} has code {code}; its signature has {reasons} reasons"));
        }
        if column as usize >= reads && column != Rejection::NO_COLUMN {
            return Err(format!("rejection {at} blames column {column}; its signature reads {reads} columns"));
        }
        before = row;
        checked.push(Rejection { row, code, column });
    }
    Ok(checked)
}

fn column(out: ColumnOut, expected: Expected<'_>, rows: usize) -> Result<ArrayRef, String> {
    let returned = out.values.name();
    let validity = validity(out.validity, rows)?;
    let nulls = match &validity {
        Some(_) if !expected.nullable => return Err(not_nullable(validity.as_deref(), rows)),
        Some(bits) => Nulls { bits, rows },
        None => Nulls { bits: &[], rows: 0 },
    };
    let checked = match (out.values, expected.ty) {
        (ValuesOut::Boolean(bits), ColumnType::Boolean) => Checked::Boolean(boolean(bits, nulls, rows)?),
        (ValuesOut::Int64(values), ColumnType::Int64) => Checked::Int64(fixed(values, nulls, rows)?),
        (ValuesOut::Timestamp(values), ColumnType::Timestamp) => Checked::Timestamp(fixed(values, nulls, rows)?),
        (ValuesOut::Date(values), ColumnType::Date) => Checked::Date(fixed(values, nulls, rows)?),
        (ValuesOut::Float64(values), ColumnType::Float64) => Checked::Float64(floats(values, nulls, rows)?),
        (ValuesOut::Decimal(words), ColumnType::Decimal { precision, scale }) => {
            Checked::Decimal(decimals(&words, precision, nulls, rows)?, precision, scale)
        }
        (ValuesOut::Text(var), ColumnType::Text) => Checked::Text(text(var, nulls, rows)?),
        (ValuesOut::Binary(var), ColumnType::Binary) => Checked::Binary(var_bytes(var, nulls, rows)?),
        (_, ty) => return Err(format!("came back as {returned}; its signature says {ty}")),
    };
    Ok(checked.build(validity.map(|bits| NullBuffer::new(bit_buffer(bits, rows)))))
}

/// Values that passed every check but are no array yet.
enum Checked {
    Boolean(BooleanBuffer),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Decimal(Vec<i128>, u8, u8),
    Timestamp(Vec<i64>),
    Date(Vec<i32>),
    Text(VarBytesOut),
    Binary(VarBytesOut),
}

impl Checked {
    fn build(self, nulls: Option<NullBuffer>) -> ArrayRef {
        match self {
            Self::Boolean(values) => Arc::new(BooleanArray::new(values, nulls)),
            Self::Int64(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Self::Float64(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Self::Timestamp(values) => {
                let array = TimestampMicrosecondArray::new(values.into(), nulls);
                Arc::new(array.with_data_type(ColumnType::Timestamp.arrow()))
            }
            Self::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
            Self::Decimal(values, precision, scale) => {
                let ty = ColumnType::Decimal { precision, scale }.arrow();
                Arc::new(Decimal128Array::new(values.into(), nulls).with_data_type(ty))
            }
            // SAFETY: `text` made sure that the bytes are UTF-8 and that every offset lies between characters.
            Self::Text(var) => Arc::new(unsafe { byte_array::<Utf8Type>(var, nulls) }),
            // SAFETY: any bytes are binary.
            Self::Binary(var) => Arc::new(unsafe { byte_array::<BinaryType>(var, nulls) }),
        }
    }
}

/// Arrow's own constructors would go over all offsets and all text a second time.
///
/// # Safety
/// `var` passed [`var_bytes`], and for text [`text`].
unsafe fn byte_array<T: ByteArrayType<Offset = i32>>(
    var: VarBytesOut,
    nulls: Option<NullBuffer>,
) -> GenericByteArray<T> {
    let entries = var.offsets.len();
    let offsets = ScalarBuffer::<i32>::new(Buffer::from_vec(var.offsets), 0, entries);
    // SAFETY: `var_bytes` made sure that there is at least one offset, that they never fall, that the last is the
    // length of the bytes and that it is within i32.
    unsafe { GenericByteArray::new_unchecked(OffsetBuffer::new_unchecked(offsets), Buffer::from_vec(var.bytes), nulls) }
}

fn bit_buffer(bits: Vec<u8>, rows: usize) -> BooleanBuffer {
    BooleanBuffer::new(Buffer::from_vec(bits), 0, rows)
}

/// The rows of a returned column that hold no value.
#[derive(Clone, Copy)]
struct Nulls<'v> {
    bits: &'v [u8],
    rows: usize,
}

impl<'v> Nulls<'v> {
    fn rows(self) -> impl Iterator<Item = usize> + 'v {
        bits::zeros(self.bits, self.rows)
    }

    /// The first null row for which `is_zero` does not hold is an error.
    fn check(self, is_zero: impl Fn(usize) -> bool) -> Result<(), String> {
        match self.rows().find(|row| !is_zero(*row)) {
            None => Ok(()),
            Some(row) => Err(format!("row {row} is null and holds a value; under a null it must be zero or empty")),
        }
    }
}

/// The validity list, `None` where no row is null.
fn validity(bits: Vec<u8>, rows: usize) -> Result<Option<Vec<u8>>, String> {
    if bits.is_empty() {
        return Ok(None);
    }
    check_bits(&bits, rows, "validity")?;
    let nulls = bits::zeros(&bits, rows).next();
    Ok(nulls.map(|_| bits))
}

fn not_nullable(validity: Option<&[u8]>, rows: usize) -> String {
    let row = validity.and_then(|bits| bits::zeros(bits, rows).next()).unwrap_or_default();
    format!("row {row} is null; its signature says that there are no nulls")
}

fn check_bits(bits: &[u8], rows: usize, what: &str) -> Result<(), String> {
    let needed = bits::bytes_for(rows);
    if bits.len() != needed {
        return Err(format!("{what} has {} bytes; {rows} rows take {needed}", bits.len()));
    }
    if !bits::spare_is_zero(bits, rows) {
        return Err(format!("{what} has bits after row {rows}, the last; spare bits must be 0"));
    }
    Ok(())
}

fn check_rows(have: usize, rows: usize) -> Result<(), String> {
    if have == rows { Ok(()) } else { Err(format!("has {have} rows; the answer must have {rows}")) }
}

fn boolean(values: Vec<u8>, nulls: Nulls<'_>, rows: usize) -> Result<BooleanBuffer, String> {
    check_bits(&values, rows, "its bit list")?;
    nulls.check(|row| values[row / 8] >> (row % 8) & 1 == 0)?;
    Ok(bit_buffer(values, rows))
}

fn fixed<T: Default + PartialEq>(values: Vec<T>, nulls: Nulls<'_>, rows: usize) -> Result<Vec<T>, String> {
    check_rows(values.len(), rows)?;
    let zero = T::default();
    nulls.check(|row| values[row] == zero)?;
    Ok(values)
}

fn floats(values: Vec<f64>, nulls: Nulls<'_>, rows: usize) -> Result<Vec<f64>, String> {
    check_rows(values.len(), rows)?;
    // by bits: minus zero is a value
    nulls.check(|row| values[row].to_bits() == 0)?;
    let canonical = |value: f64| if value.is_nan() { f64::from_bits(CANONICAL_NAN) } else { value };
    // collects in place
    Ok(values.into_iter().map(canonical).collect())
}

fn decimals(words: &[u64], precision: u8, nulls: Nulls<'_>, rows: usize) -> Result<Vec<i128>, String> {
    let (pairs, odd) = words.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(format!("has {} words; a decimal takes two", words.len()));
    }
    check_rows(pairs.len(), rows)?;
    let values: Vec<i128> =
        pairs.iter().map(|[low, high]| i128::from(*low) | (i128::from(*high as i64) << 64)).collect();
    let bound = 10i128.pow(u32::from(precision));
    if let Some(row) = values.iter().position(|value| *value <= -bound || *value >= bound) {
        return Err(format!("row {row} has more than {precision} digits"));
    }
    nulls.check(|row| values[row] == 0)?;
    Ok(values)
}

fn var_bytes(var: VarBytesOut, nulls: Nulls<'_>, rows: usize) -> Result<VarBytesOut, String> {
    let VarBytesOut { offsets, bytes } = &var;
    if offsets.len() != rows + 1 {
        return Err(format!("has {} offsets; {rows} rows take {}", offsets.len(), rows + 1));
    }
    if offsets[0] != 0 {
        return Err(format!("its first offset is {}; it must be 0", offsets[0]));
    }
    // `&` and no early exit, so that it is a vector loop
    if !offsets.windows(2).fold(true, |rising, pair| rising & (pair[0] <= pair[1])) {
        let row = offsets.windows(2).position(|pair| pair[0] > pair[1]).unwrap_or_default();
        return Err(format!("offsets fall at row {row}, from {} to {}", offsets[row], offsets[row + 1]));
    }
    if offsets[rows] as usize != bytes.len() || i32::try_from(bytes.len()).is_err() {
        return Err(format!(
            "its last offset is {}; there are {} bytes, and at most 2147483647 may be",
            offsets[rows],
            bytes.len()
        ));
    }
    nulls.check(|row| offsets[row] == offsets[row + 1])?;
    Ok(var)
}

fn text(var: VarBytesOut, nulls: Nulls<'_>, rows: usize) -> Result<VarBytesOut, String> {
    let var = var_bytes(var, nulls, rows)?;
    let VarBytesOut { offsets, bytes } = &var;
    if bytes.is_ascii() {
        return Ok(var);
    }
    // Rows are valid one by one exactly where the whole is valid and no offset lies within a character.
    let whole = simdutf8::basic::from_utf8(bytes);
    if whole.is_ok_and(|text| offsets.iter().all(|offset| text.is_char_boundary(*offset as usize))) {
        return Ok(var);
    }
    let invalid = |pair: &[u32]| std::str::from_utf8(&bytes[pair[0] as usize..pair[1] as usize]).is_err();
    let row = offsets.windows(2).position(invalid).unwrap_or_default();
    Err(format!("row {row} is not valid UTF-8"))
}

#[cfg(test)]
#[path = "lift_tests.rs"]
mod tests;
