//! Looking at columns: by row with nulls, or as flat slices.

use crate::batch::wrong;
use crate::{Column, Values};
use sluice_kernels::Text;
use sluice_kernels::bits;

/// A text or binary column of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    /// Invariant: when it comes from a text column, every row of it is valid UTF-8.
    text: Text<'a>,
    validity: &'a [u8],
    is_text: bool,
}

impl<'a> Texts<'a> {
    /// # Safety
    /// With `is_text` every row must be valid UTF-8.
    pub(crate) unsafe fn new(offsets: &'a [u32], bytes: &'a [u8], validity: &'a [u8], is_text: bool) -> Self {
        Self { text: Text::new(offsets, bytes), validity, is_text }
    }

    /// Number of rows.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> usize {
        self.text.rows()
    }

    /// The text of a row, none under a null.
    ///
    /// # Panics
    /// The column is of bytes, not text.
    #[inline(always)]
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        self.is_valid(row).then(|| self.str(row))
    }

    /// The text of a row, empty under a null.
    ///
    /// # Panics
    /// The column is of bytes, not text.
    #[inline(always)]
    #[must_use]
    pub fn str(&self, row: usize) -> &'a str {
        assert!(self.is_text, "a column of bytes was read as text; read it with `bytes`");
        // SAFETY: every row of a text column is valid UTF-8, by the invariant of `text`; a row out of range is empty.
        unsafe { std::str::from_utf8_unchecked(self.text.row(row)) }
    }

    /// The bytes of a row, empty under a null.
    #[inline(always)]
    #[must_use]
    pub fn bytes(&self, row: usize) -> &'a [u8] {
        self.text.row(row)
    }

    /// Whether the row holds a value.
    #[inline(always)]
    #[must_use]
    pub fn is_valid(&self, row: usize) -> bool {
        bits::is_valid(self.validity, row)
    }

    /// Validity bits; empty where no row is null.
    #[inline]
    #[must_use]
    pub fn validity(&self) -> &'a [u8] {
        self.validity
    }

    /// All rows as kernels take them.
    #[inline]
    #[must_use]
    pub fn flat(&self) -> Text<'a> {
        self.text
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a str>> + use<'a> {
        let this = *self;
        (0..self.rows()).map(move |row| this.get(row))
    }
}

/// A column of int64, float64, timestamps (microseconds) or dates (days).
#[derive(Debug, Clone, Copy)]
pub struct Numbers<'a, T> {
    values: &'a [T],
    validity: &'a [u8],
}

impl<'a, T: Copy> Numbers<'a, T> {
    pub(crate) fn new(values: &'a [T], validity: &'a [u8]) -> Self {
        Self { values, validity }
    }

    /// Number of rows.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len()
    }

    /// The value of a row, none under a null and past the end.
    #[inline(always)]
    #[must_use]
    pub fn get(&self, row: usize) -> Option<T> {
        if self.is_valid(row) { self.values.get(row).copied() } else { None }
    }

    /// One value a row, zero under a null.
    #[inline]
    #[must_use]
    pub fn values(&self) -> &'a [T] {
        self.values
    }

    /// Whether the row holds a value.
    #[inline(always)]
    #[must_use]
    pub fn is_valid(&self, row: usize) -> bool {
        bits::is_valid(self.validity, row)
    }

    /// Validity bits; empty where no row is null.
    #[inline]
    #[must_use]
    pub fn validity(&self) -> &'a [u8] {
        self.validity
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<T>> + use<'a, T> {
        let this = *self;
        (0..self.rows()).map(move |row| this.get(row))
    }
}

impl<'a> Numbers<'a, i64> {
    /// An int64 or timestamp column that is at hand, such as a partial.
    ///
    /// # Panics
    /// The column is of another type.
    #[must_use]
    pub fn of(column: &'a Column) -> Self {
        match &column.values {
            Values::Int64(values) | Values::Timestamp(values) => Self::new(values, &column.validity),
            _ => wrong(column, "int64 or timestamp"),
        }
    }
}

impl<'a> Numbers<'a, f64> {
    /// A float64 column that is at hand, such as a partial.
    ///
    /// # Panics
    /// The column is of another type.
    #[must_use]
    pub fn of(column: &'a Column) -> Self {
        match &column.values {
            Values::Float64(values) => Self::new(values, &column.validity),
            _ => wrong(column, "float64"),
        }
    }
}

/// A column of decimals, as the whole number value * 10^scale.
#[derive(Debug, Clone, Copy)]
pub struct Decimals<'a> {
    words: &'a [[u64; 2]],
    validity: &'a [u8],
}

impl<'a> Decimals<'a> {
    pub(crate) fn new(words: &'a [u64], validity: &'a [u8]) -> Self {
        Self { words: words.as_chunks().0, validity }
    }

    /// A decimal column that is at hand, such as a partial.
    ///
    /// # Panics
    /// The column is of another type.
    #[must_use]
    pub fn of(column: &'a Column) -> Self {
        match &column.values {
            Values::Decimal(words) => Self::new(words, &column.validity),
            _ => wrong(column, "decimal"),
        }
    }

    /// Number of rows.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> usize {
        self.words.len()
    }

    /// The value of a row times 10^scale, none under a null and past the end.
    #[inline(always)]
    #[must_use]
    pub fn get(&self, row: usize) -> Option<i128> {
        if self.is_valid(row) { self.words.get(row).map(|&words| from_words(words)) } else { None }
    }

    /// The value of a row times 10^scale, zero under a null.
    ///
    /// # Panics
    /// There is no such row.
    #[inline(always)]
    #[must_use]
    pub fn value(&self, row: usize) -> i128 {
        from_words(self.words[row])
    }

    /// One pair of words a row, the low one first.
    #[inline]
    #[must_use]
    pub fn words(&self) -> &'a [[u64; 2]] {
        self.words
    }

    /// Whether the row holds a value.
    #[inline(always)]
    #[must_use]
    pub fn is_valid(&self, row: usize) -> bool {
        bits::is_valid(self.validity, row)
    }

    /// Validity bits; empty where no row is null.
    #[inline]
    #[must_use]
    pub fn validity(&self) -> &'a [u8] {
        self.validity
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<i128>> + use<'a> {
        let this = *self;
        (0..self.rows()).map(move |row| this.get(row))
    }
}

/// The number of a pair of words, the low one first.
#[inline(always)]
pub(crate) fn from_words([low, high]: [u64; 2]) -> i128 {
    (u128::from(high) << 64 | u128::from(low)) as i128
}

/// A number as a pair of words, the low one first.
#[inline(always)]
pub(crate) fn to_words(value: i128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

/// A column of booleans.
#[derive(Debug, Clone, Copy)]
pub struct Booleans<'a> {
    bits: &'a [u8],
    validity: &'a [u8],
    rows: usize,
}

impl<'a> Booleans<'a> {
    pub(crate) fn new(bits: &'a [u8], validity: &'a [u8], rows: usize) -> Self {
        Self { bits, validity, rows }
    }

    /// Number of rows.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The value of a row, none under a null.
    #[inline(always)]
    #[must_use]
    pub fn get(&self, row: usize) -> Option<bool> {
        self.is_valid(row).then(|| bits::get(self.bits, row))
    }

    /// The values as bits, least significant first; 0 under a null.
    #[inline]
    #[must_use]
    pub fn bits(&self) -> &'a [u8] {
        self.bits
    }

    /// Whether the row holds a value.
    #[inline(always)]
    #[must_use]
    pub fn is_valid(&self, row: usize) -> bool {
        bits::is_valid(self.validity, row)
    }

    /// Validity bits; empty where no row is null.
    #[inline]
    #[must_use]
    pub fn validity(&self) -> &'a [u8] {
        self.validity
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<bool>> + use<'a> {
        let this = *self;
        (0..self.rows()).map(move |row| this.get(row))
    }
}
