//! Building columns without knowing how they cross the boundary.

use crate::views::to_words;
use crate::{Column, Values, VarBytes};
use sluice_kernels::TextBuilder;

/// Validity bits as they come to be: nothing is kept until the first null.
#[derive(Debug, Default, Clone)]
struct Nulls {
    bits: Vec<u8>,
}

impl Nulls {
    #[inline(always)]
    fn valid(&mut self, row: usize) {
        if !self.bits.is_empty() {
            self.set(row, true);
        }
    }

    #[inline]
    fn null(&mut self, row: usize) {
        if self.bits.is_empty() {
            self.bits = sluice_kernels::bits::filled(row, true);
        }
        self.set(row, false);
    }

    #[inline]
    fn set(&mut self, row: usize, valid: bool) {
        if row / 8 == self.bits.len() {
            self.bits.push(0);
        }
        self.bits[row / 8] |= u8::from(valid) << (row % 8);
    }
}

/// Builds a text column, row by row.
#[derive(Debug, Clone)]
pub struct TextOut {
    text: TextBuilder,
    nulls: Nulls,
}

impl TextOut {
    /// Room for `rows` rows of `bytes` bytes in all; more is found when it is needed.
    #[must_use]
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self { text: TextBuilder::with_capacity(rows, bytes), nulls: Nulls::default() }
    }

    /// Number of rows so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.text.rows()
    }

    /// A row.
    #[inline]
    pub fn push(&mut self, text: &str) {
        self.push_bytes(text.as_bytes());
    }

    /// A row as bytes; the host refuses the batch when they are not UTF-8.
    #[inline]
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.push_with(|text| text.append(bytes));
    }

    /// A row that `write` puts together of parts ([`TextBuilder::append`] and its siblings). It must not end the row.
    #[inline]
    pub fn push_with(&mut self, write: impl FnOnce(&mut TextBuilder)) {
        self.nulls.valid(self.rows());
        write(&mut self.text);
        self.text.end_row();
    }

    /// A null.
    #[inline]
    pub fn push_null(&mut self) {
        self.nulls.null(self.rows());
        self.text.push_empty(1);
    }

    /// A row that may be null.
    #[inline]
    pub fn push_option(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.push(text),
            None => self.push_null(),
        }
    }

    /// The column, as text.
    #[must_use]
    pub fn finish(self) -> Column {
        let (offsets, bytes) = self.text.finish();
        Column::text(offsets, bytes).with_validity(self.nulls.bits)
    }

    /// The column, as bytes.
    #[must_use]
    pub fn finish_binary(self) -> Column {
        let (offsets, bytes) = self.text.finish();
        Column::new(Values::Binary(VarBytes { offsets, bytes })).with_validity(self.nulls.bits)
    }
}

/// Builds a column of int64, float64, timestamps or dates, row by row.
#[derive(Debug, Clone)]
pub struct NumberOut<T> {
    values: Vec<T>,
    nulls: Nulls,
}

impl<T: Copy + Default> NumberOut<T> {
    /// Room for `rows` rows; more is found when it is needed.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows), nulls: Nulls::default() }
    }

    /// A row.
    #[inline]
    pub fn push(&mut self, value: T) {
        self.nulls.valid(self.values.len());
        self.values.push(value);
    }

    /// A null.
    #[inline]
    pub fn push_null(&mut self) {
        self.nulls.null(self.values.len());
        self.values.push(T::default());
    }

    /// A row that may be null.
    #[inline]
    pub fn push_option(&mut self, value: Option<T>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }
}

impl NumberOut<i64> {
    /// The column, as int64.
    #[must_use]
    pub fn finish(self) -> Column {
        Column::new(Values::Int64(self.values)).with_validity(self.nulls.bits)
    }

    /// The column, as timestamps: microseconds since the epoch, UTC.
    #[must_use]
    pub fn finish_timestamp(self) -> Column {
        Column::new(Values::Timestamp(self.values)).with_validity(self.nulls.bits)
    }
}

impl NumberOut<f64> {
    /// The column, as float64.
    #[must_use]
    pub fn finish(self) -> Column {
        Column::new(Values::Float64(self.values)).with_validity(self.nulls.bits)
    }
}

impl NumberOut<i32> {
    /// The column, as dates: days since the epoch.
    #[must_use]
    pub fn finish_date(self) -> Column {
        Column::new(Values::Date(self.values)).with_validity(self.nulls.bits)
    }
}

/// Builds a column of decimals, row by row, from the whole numbers value * 10^scale.
#[derive(Debug, Clone)]
pub struct DecimalOut {
    words: Vec<u64>,
    nulls: Nulls,
}

impl DecimalOut {
    /// Room for `rows` rows; more is found when it is needed.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self { words: Vec::with_capacity(rows * 2), nulls: Nulls::default() }
    }

    /// A row. The host refuses the batch when the value has more digits than the output's precision.
    #[inline]
    pub fn push(&mut self, value: i128) {
        self.nulls.valid(self.words.len() / 2);
        self.words.extend_from_slice(&to_words(value));
    }

    /// A null.
    #[inline]
    pub fn push_null(&mut self) {
        self.nulls.null(self.words.len() / 2);
        self.words.extend_from_slice(&[0, 0]);
    }

    /// A row that may be null.
    #[inline]
    pub fn push_option(&mut self, value: Option<i128>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }

    /// The column.
    #[must_use]
    pub fn finish(self) -> Column {
        Column::new(Values::Decimal(self.words)).with_validity(self.nulls.bits)
    }
}

/// Builds a column of booleans, row by row.
#[derive(Debug, Clone)]
pub struct BooleanOut {
    bits: Vec<u8>,
    rows: usize,
    nulls: Nulls,
}

impl BooleanOut {
    /// Room for `rows` rows; more is found when it is needed.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self { bits: Vec::with_capacity(rows.div_ceil(8)), rows: 0, nulls: Nulls::default() }
    }

    /// A row.
    #[inline]
    pub fn push(&mut self, value: bool) {
        self.nulls.valid(self.rows);
        self.push_bit(value);
    }

    /// A null.
    #[inline]
    pub fn push_null(&mut self) {
        self.nulls.null(self.rows);
        self.push_bit(false);
    }

    /// A row that may be null.
    #[inline]
    pub fn push_option(&mut self, value: Option<bool>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }

    #[inline]
    fn push_bit(&mut self, bit: bool) {
        if self.rows.is_multiple_of(8) {
            self.bits.push(0);
        }
        if let Some(last) = self.bits.last_mut() {
            *last |= u8::from(bit) << (self.rows % 8);
        }
        self.rows += 1;
    }

    /// The column.
    #[must_use]
    pub fn finish(self) -> Column {
        Column::new(Values::Boolean(self.bits)).with_validity(self.nulls.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, ColumnId};
    use proptest::collection::vec;
    use proptest::option::of;
    use proptest::prelude::*;

    fn batch(rows: usize, column: Column) -> Batch {
        Batch::new(rows, vec![column]).unwrap()
    }

    const ID: ColumnId = ColumnId(0);

    proptest! {
        #[test]
        fn what_is_pushed_is_what_is_read(
            texts in vec(of("\\PC{0,5}"), 0..40),
            numbers in vec(of(any::<i64>()), 0..40),
            decimals in vec(of(any::<i128>()), 0..40),
            booleans in vec(of(any::<bool>()), 0..40),
        ) {
            let mut out = TextOut::with_capacity(0, 0);
            texts.iter().for_each(|text| out.push_option(text.as_deref()));
            prop_assert!(batch(texts.len(), out.finish()).texts(ID).iter().eq(texts.iter().map(Option::as_deref)));

            let mut out = NumberOut::with_capacity(0);
            numbers.iter().for_each(|&number| out.push_option(number));
            prop_assert!(batch(numbers.len(), out.finish()).int64s(ID).iter().eq(numbers.iter().copied()));

            let mut out = DecimalOut::with_capacity(0);
            decimals.iter().for_each(|&decimal| out.push_option(decimal));
            prop_assert!(batch(decimals.len(), out.finish()).decimals(ID).iter().eq(decimals.iter().copied()));

            let mut out = BooleanOut::with_capacity(0);
            booleans.iter().for_each(|&boolean| out.push_option(boolean));
            prop_assert!(batch(booleans.len(), out.finish()).booleans(ID).iter().eq(booleans.iter().copied()));
        }
    }

    #[test]
    fn a_column_without_nulls_has_no_validity() {
        let mut out = NumberOut::with_capacity(2);
        out.push(1.5);
        assert_eq!(out.finish(), Column::new(Values::Float64(vec![1.5])));
    }
}
