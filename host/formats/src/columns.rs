//! Columns as they are being filled.
//!
//! A row is written column by column and then holds in all of them, or it is taken back from all of them: every column
//! knows how many rows it holds and can be cut back to fewer.

use crate::block::{BLOCK, Block};
use crate::json::{Kind, Value, decode_text};
use crate::{convert, time};
use arrow_array::types::{BinaryType, Utf8Type};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, GenericByteArray, Int64Array,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use sluice_batch::ColumnType;
use std::sync::Arc;

/// Bytes of all texts of one column and batch, at most: Arrow counts them in 31 bits.
const MOST_BYTES: usize = i32::MAX as usize;

/// Texts or bytes, back to back.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// Written up to `end`; what lies behind is room that whole blocks may spill into.
    bytes: Vec<u8>,
    end: usize,
    /// Where each row ends, after a leading 0.
    ends: Vec<i32>,
    nulls: Vec<u32>,
}

impl Texts {
    fn start(&mut self, rows: usize) {
        self.ends = Vec::with_capacity(rows + 1);
        self.ends.push(0);
        // as much as the last batch took and an eighth: batches are alike
        self.bytes = vec![0; (self.end + self.end / 8 + BLOCK).min(MOST_BYTES)];
        self.end = 0;
        self.nulls.clear();
    }

    #[inline(always)]
    pub(crate) fn rows(&self) -> usize {
        self.ends.len() - 1
    }

    fn cut_back(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        self.end = self.ends[rows] as usize;
        cut_nulls(&mut self.nulls, rows);
    }

    /// Writes a block, of which the first `len` bytes count.
    #[inline(always)]
    pub(crate) fn put_block(&mut self, block: Block, len: usize) {
        if self.bytes.len() - self.end < BLOCK {
            self.grow(BLOCK);
        }
        block.store(&mut self.bytes, self.end);
        self.end += len;
    }

    /// Writes `len` bytes from `at` on, in whole blocks: so many must be readable behind them.
    #[inline(always)]
    pub(crate) fn put_blocks(&mut self, bytes: &[u8], at: usize, len: usize) {
        let mut done = 0;
        while len - done > BLOCK {
            self.put_block(Block::load(bytes, at + done), BLOCK);
            done += BLOCK;
        }
        self.put_block(Block::load(bytes, at + done), len - done);
    }

    /// Writes bytes of the row that is under way.
    pub(crate) fn put(&mut self, text: &[u8]) {
        if self.end + text.len() > self.bytes.len() {
            self.grow(text.len());
        }
        self.bytes[self.end..self.end + text.len()].copy_from_slice(text);
        self.end += text.len();
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let needed = self.end + more;
        assert!(needed <= MOST_BYTES, "the texts of one column and batch are longer than {MOST_BYTES} bytes");
        self.bytes.resize(needed.max(self.bytes.len() * 2).clamp(1024, MOST_BYTES), 0);
    }

    /// Ends the row that is under way.
    #[inline(always)]
    pub(crate) fn close(&mut self) {
        self.ends.push(self.end as i32);
    }

    #[inline]
    pub(crate) fn null(&mut self) {
        self.nulls.push(self.rows() as u32);
        self.end = *self.ends.last().expect("begins with 0") as usize;
        self.close();
    }

    fn finish<T>(&mut self) -> ArrayRef
    where
        T: arrow_array::types::ByteArrayType<Offset = i32>,
    {
        let nulls = validity(&self.nulls, self.rows());
        let ends = std::mem::take(&mut self.ends);
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.truncate(self.end);
        // SAFETY: `ends` begins with 0, never falls (each row ends at or after the one before) and its last is the
        // length of the bytes, of which there are never more than an i32 counts (`grow`).
        let ends = unsafe { OffsetBuffer::new_unchecked(ScalarBuffer::from(ends)) };
        // SAFETY: the offsets are those of these bytes. For text every row is UTF-8: it is a piece of a record found to
        // be UTF-8, cut at ASCII characters, or characters that were decoded from escapes.
        Arc::new(unsafe { GenericByteArray::<T>::new_unchecked(ends, Buffer::from_vec(bytes), nulls) })
    }
}

/// Values of fixed width.
#[derive(Debug)]
pub(crate) struct Fixed<T> {
    values: Vec<T>,
    nulls: Vec<u32>,
}

impl<T> Default for Fixed<T> {
    fn default() -> Self {
        Self { values: Vec::new(), nulls: Vec::new() }
    }
}

impl<T: Default> Fixed<T> {
    fn start(&mut self, rows: usize) {
        self.values = Vec::with_capacity(rows);
        self.nulls.clear();
    }

    fn cut_back(&mut self, rows: usize) {
        self.values.truncate(rows);
        cut_nulls(&mut self.nulls, rows);
    }

    fn put(&mut self, value: Option<T>) -> Option<()> {
        self.values.push(value?);
        Some(())
    }

    fn null(&mut self) {
        self.nulls.push(self.values.len() as u32);
        self.values.push(T::default());
    }

    fn take(&mut self) -> (Vec<T>, Option<NullBuffer>) {
        let nulls = validity(&self.nulls, self.values.len());
        (std::mem::take(&mut self.values), nulls)
    }
}

fn cut_nulls(nulls: &mut Vec<u32>, rows: usize) {
    while nulls.last().is_some_and(|row| *row as usize >= rows) {
        nulls.pop();
    }
}

fn validity(nulls: &[u32], rows: usize) -> Option<NullBuffer> {
    if nulls.is_empty() {
        return None;
    }
    let mut bits = BooleanBufferBuilder::new(rows);
    bits.append_n(rows, true);
    nulls.iter().for_each(|row| bits.set_bit(*row as usize, false));
    Some(NullBuffer::new(bits.finish()))
}

/// A value cannot be had as the column's type. Holds nothing of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) expected: ColumnType,
    pub(crate) found: &'static str,
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Text { .. } => "a string",
        Kind::Number => "a number",
        Kind::True | Kind::False => "a boolean",
        Kind::Null => "null",
        Kind::Nested => "a list or an object",
    }
}

/// A column that is being filled.
#[derive(Debug)]
pub(crate) struct Column {
    ty: ColumnType,
    store: Store,
}

/// What it holds so far.
#[derive(Debug)]
enum Store {
    Text(Texts),
    /// Source texts of JSON values, strings with their quotation marks.
    Source(Texts),
    Binary(Texts),
    Boolean(Fixed<bool>),
    Int64(Fixed<i64>),
    Float64(Fixed<f64>),
    Decimal {
        values: Fixed<i128>,
        precision: u8,
        scale: u8,
    },
    Timestamp(Fixed<i64>),
    Date(Fixed<i32>),
}

/// Does the same to whatever a column holds.
macro_rules! each_store {
    ($store:expr, $values:ident => $do:expr) => {
        match $store {
            Store::Text($values) | Store::Source($values) | Store::Binary($values) => $do,
            Store::Boolean($values) => $do,
            Store::Int64($values) | Store::Timestamp($values) => $do,
            Store::Float64($values) => $do,
            Store::Decimal { values: $values, .. } => $do,
            Store::Date($values) => $do,
        }
    };
}

impl Column {
    pub(crate) fn new(ty: ColumnType, json: bool) -> Self {
        let store = match ty {
            ColumnType::Text if json => Store::Source(Texts::default()),
            ColumnType::Text => Store::Text(Texts::default()),
            ColumnType::Binary => Store::Binary(Texts::default()),
            ColumnType::Boolean => Store::Boolean(Fixed::default()),
            ColumnType::Int64 => Store::Int64(Fixed::default()),
            ColumnType::Float64 => Store::Float64(Fixed::default()),
            ColumnType::Decimal { precision, scale } => Store::Decimal { values: Fixed::default(), precision, scale },
            ColumnType::Timestamp => Store::Timestamp(Fixed::default()),
            ColumnType::Date => Store::Date(Fixed::default()),
        };
        Self { ty, store }
    }

    /// Begins a batch of up to `rows` rows.
    pub(crate) fn start(&mut self, rows: usize) {
        each_store!(&mut self.store, values => values.start(rows));
    }

    /// Number of complete rows.
    pub(crate) fn rows(&self) -> usize {
        match &self.store {
            Store::Text(texts) | Store::Source(texts) | Store::Binary(texts) => texts.rows(),
            Store::Boolean(fixed) => fixed.values.len(),
            Store::Int64(fixed) | Store::Timestamp(fixed) => fixed.values.len(),
            Store::Float64(fixed) => fixed.values.len(),
            Store::Decimal { values, .. } => values.values.len(),
            Store::Date(fixed) => fixed.values.len(),
        }
    }

    /// Takes back every row from `rows` on, and what was written of one under way.
    pub(crate) fn cut_back(&mut self, rows: usize) {
        each_store!(&mut self.store, values => values.cut_back(rows));
    }

    pub(crate) fn null(&mut self) {
        each_store!(&mut self.store, values => values.null());
    }

    /// Its texts, where JSON strings go into it decoded and all else as its source text.
    #[inline(always)]
    pub(crate) fn plain_text(&mut self) -> Option<&mut Texts> {
        match &mut self.store {
            Store::Text(texts) => Some(texts),
            _ => None,
        }
    }

    /// Whether texts must be JSON to go into it.
    pub(crate) fn wants_json(&self) -> bool {
        matches!(self.store, Store::Source(_))
    }

    /// Whether it takes any text as it is.
    pub(crate) fn takes_any_text(&self) -> bool {
        matches!(self.store, Store::Text(_) | Store::Source(_) | Store::Binary(_))
    }

    /// Ends a row with a checked JSON value.
    pub(crate) fn put_json(&mut self, value: Value<'_>) -> Result<(), Mismatch> {
        let is_text = matches!(value.kind, Kind::Text { .. });
        let put = match &mut self.store {
            _ if value.kind == Kind::Null => {
                self.null();
                return Ok(());
            }
            Store::Text(texts) | Store::Binary(texts) if is_text => {
                decode_text(value, |run| texts.put(run));
                texts.close();
                return Ok(());
            }
            Store::Boolean(_) | Store::Int64(_) | Store::Float64(_) if is_text => None,
            Store::Decimal { .. } | Store::Timestamp(_) | Store::Date(_) if is_text => {
                let mut text = Vec::new();
                decode_text(value, |run| text.extend_from_slice(run));
                self.put_text(&text).ok()
            }
            Store::Timestamp(_) | Store::Date(_) => None,
            _ => self.put_text(value.source).ok(),
        };
        put.ok_or(Mismatch { expected: self.ty, found: name_of(value.kind) })
    }

    /// Ends a row with what a text says.
    pub(crate) fn put_text(&mut self, text: &[u8]) -> Result<(), Mismatch> {
        let put = match &mut self.store {
            Store::Text(texts) | Store::Source(texts) | Store::Binary(texts) => {
                texts.put(text);
                texts.close();
                Some(())
            }
            Store::Boolean(fixed) => fixed.put(convert::boolean(text)),
            Store::Int64(fixed) => fixed.put(convert::int64(text)),
            Store::Float64(fixed) => fixed.put(convert::float64(text)),
            Store::Decimal { values, precision, scale } => values.put(convert::decimal(text, *precision, *scale)),
            Store::Timestamp(fixed) => fixed.put(time::timestamp(text)),
            Store::Date(fixed) => fixed.put(time::date(text)),
        };
        put.ok_or(Mismatch { expected: self.ty, found: "text" })
    }

    /// What is said of a text that must be JSON and is not.
    pub(crate) fn no_json(&self) -> Mismatch {
        Mismatch { expected: self.ty, found: "text that is no JSON" }
    }

    /// Ends the batch.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match &mut self.store {
            Store::Text(texts) | Store::Source(texts) => texts.finish::<Utf8Type>(),
            Store::Binary(texts) => texts.finish::<BinaryType>(),
            Store::Boolean(fixed) => {
                let (values, nulls) = fixed.take();
                Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
            }
            Store::Int64(fixed) => {
                let (values, nulls) = fixed.take();
                Arc::new(Int64Array::new(values.into(), nulls))
            }
            Store::Float64(fixed) => {
                let (values, nulls) = fixed.take();
                Arc::new(Float64Array::new(values.into(), nulls))
            }
            Store::Decimal { values, .. } => {
                let (values, nulls) = values.take();
                Arc::new(Decimal128Array::new(values.into(), nulls).with_data_type(self.ty.arrow()))
            }
            Store::Timestamp(fixed) => {
                let (values, nulls) = fixed.take();
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_data_type(self.ty.arrow()))
            }
            Store::Date(fixed) => {
                let (values, nulls) = fixed.take();
                Arc::new(Date32Array::new(values.into(), nulls))
            }
        }
    }
}
