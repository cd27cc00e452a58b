//! Making columns and asking what they are.

use crate::{Column, ColumnType, DecimalType, Values, VarBytes};

impl Column {
    /// A column without nulls.
    #[must_use]
    pub fn new(values: Values) -> Self {
        Self { validity: Vec::new(), values }
    }

    /// The same with validity: bits, least significant first, 1 where a row holds a value; empty where none is null.
    #[must_use]
    pub fn with_validity(self, validity: Vec<u8>) -> Self {
        Self { validity, ..self }
    }

    /// Text from offsets (one more than rows) and bytes.
    #[must_use]
    pub fn text(offsets: Vec<u32>, bytes: Vec<u8>) -> Self {
        Self::new(Values::Text(VarBytes { offsets, bytes }))
    }

    /// Number of rows; for booleans, whose last byte may be partly used, rounded up to 8.
    #[must_use]
    pub fn rows_at_most(&self) -> usize {
        match &self.values {
            Values::Boolean(bits) => bits.len() * 8,
            Values::Int64(v) | Values::Timestamp(v) => v.len(),
            Values::Float64(v) => v.len(),
            Values::Decimal(words) => words.len() / 2,
            Values::Date(v) => v.len(),
            Values::Text(v) | Values::Binary(v) => v.offsets.len().saturating_sub(1),
        }
    }

    /// Whether the column has exactly `rows` rows, validity included.
    #[must_use]
    pub fn has_rows(&self, rows: usize) -> bool {
        let bits = rows.div_ceil(8);
        let values = match &self.values {
            Values::Boolean(v) => v.len() == bits,
            Values::Decimal(words) => words.len() == rows * 2,
            Values::Text(v) | Values::Binary(v) => v.offsets.len() == rows + 1,
            _ => self.rows_at_most() == rows,
        };
        values && (self.validity.is_empty() || self.validity.len() == bits)
    }

    /// Whether values of this shape belong to `ty`. Precision and scale of decimals do not show in values.
    #[must_use]
    pub fn fits(&self, ty: ColumnType) -> bool {
        matches!(
            (&self.values, ty),
            (Values::Boolean(_), ColumnType::Boolean)
                | (Values::Int64(_), ColumnType::Int64)
                | (Values::Float64(_), ColumnType::Float64)
                | (Values::Decimal(_), ColumnType::Decimal(_))
                | (Values::Timestamp(_), ColumnType::Timestamp)
                | (Values::Date(_), ColumnType::Date)
                | (Values::Text(_), ColumnType::Text)
                | (Values::Binary(_), ColumnType::Binary)
        )
    }

    /// `rows` nulls of type `ty`.
    #[must_use]
    pub fn nulls(ty: ColumnType, rows: usize) -> Self {
        let empty = || VarBytes { offsets: vec![0; rows + 1], bytes: Vec::new() };
        let values = match ty {
            ColumnType::Boolean => Values::Boolean(vec![0; rows.div_ceil(8)]),
            ColumnType::Int64 => Values::Int64(vec![0; rows]),
            ColumnType::Float64 => Values::Float64(vec![0.0; rows]),
            ColumnType::Decimal(DecimalType { .. }) => Values::Decimal(vec![0; rows * 2]),
            ColumnType::Timestamp => Values::Timestamp(vec![0; rows]),
            ColumnType::Date => Values::Date(vec![0; rows]),
            ColumnType::Text => Values::Text(empty()),
            ColumnType::Binary => Values::Binary(empty()),
        };
        Self { validity: vec![0; rows.div_ceil(8)], values }
    }
}
