//! Columns of numbers. Cards alone are looked for: an issued prefix and length and a check digit are some evidence. Nine
//! digits are none for a social security number, nor ten for a telephone number.

use crate::column::ColumnHits;
use crate::detect::issued_number;
use crate::detector::Detector;
use crate::kind::{Counts, Kind};
use arrow_array::types::{ArrowPrimitiveType, Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, Decimal128Array, Float64Array, Int64Array, PrimitiveArray};

/// The smallest number of 13 digits.
const SMALLEST: u64 = 1_000_000_000_000;

/// The largest number up to which a double holds every whole one.
const WHOLE_DOUBLES: f64 = 9_007_199_254_740_992.0;

impl Detector {
    /// Rows of a column of whole numbers that are issued cards with the right check digit. Stricter than with texts.
    #[must_use]
    pub fn scan_int64(&self, column: &Int64Array) -> Option<ColumnHits> {
        self.cards::<Int64Type>(column, |value| u64::try_from(value).unwrap_or(0))
    }

    /// As [`scan_int64`](Self::scan_int64), for decimals without a fraction.
    #[must_use]
    pub fn scan_decimal128(&self, column: &Decimal128Array) -> Option<ColumnHits> {
        let one = 10i128.checked_pow(u32::try_from(column.scale()).ok()?)?;
        self.cards::<Decimal128Type>(
            column,
            |value| {
                if value % one == 0 { u64::try_from(value / one).unwrap_or(0) } else { 0 }
            },
        )
    }

    /// As [`scan_int64`](Self::scan_int64), for doubles without a fraction that are exact (up to 2^53).
    #[must_use]
    pub fn scan_float64(&self, column: &Float64Array) -> Option<ColumnHits> {
        let whole = |value: f64| (0.0..=WHOLE_DOUBLES).contains(&value) && value.fract() == 0.0;
        self.cards::<Float64Type>(column, |value| if whole(value) { value as u64 } else { 0 })
    }

    fn cards<T: ArrowPrimitiveType>(
        &self,
        column: &PrimitiveArray<T>,
        whole: impl Fn(T::Native) -> u64,
    ) -> Option<ColumnHits> {
        if !self.kinds.has(Kind::Card) {
            return None;
        }
        let is_card = |value: T::Native| {
            let number = whole(value);
            number >= SMALLEST && issued_number(number)
        };
        let rows = column.values().iter().enumerate().filter(|&(row, &value)| is_card(value) && column.is_valid(row));
        let rows: Vec<u32> = rows.map(|(row, _)| row as u32).collect();
        let mut counts = Counts::default();
        counts.add(Kind::Card, rows.len() as u64);
        (!rows.is_empty()).then_some(ColumnHits { rows, counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: i64 = 4_111_111_111_111_111;

    #[test]
    fn cards_among_numbers_are_named() {
        let detector = Detector::new(&Kind::ALL);
        let column =
            Int64Array::from(vec![Some(7), Some(CARD), None, Some(CARD + 1), Some(-CARD), Some(1_748_503_543_012)]);
        let hits = detector.scan_int64(&column).expect("one card");
        assert_eq!((hits.rows, hits.counts.get(Kind::Card)), (vec![1], 1));
        assert_eq!(detector.scan_int64(&column.slice(1, 1)).expect("one card").rows, [0]);
        assert_eq!(Detector::new(&[Kind::Ssn]).scan_int64(&column), None);
    }

    #[test]
    fn decimals_and_doubles_are_read_where_they_are_whole() {
        let detector = Detector::new(&[Kind::Card]);
        let cents = Decimal128Array::from(vec![i128::from(CARD) * 100, i128::from(CARD) * 100 + 1, i128::from(CARD)]);
        let cents = cents.with_precision_and_scale(38, 2).expect("it fits");
        assert_eq!(detector.scan_decimal128(&cents).expect("one card").rows, [0]);
        let doubles = Float64Array::from(vec![CARD as f64, 0.5, f64::NAN, f64::INFINITY, -1.0]);
        assert_eq!(detector.scan_float64(&doubles).expect("one card").rows, [0]);
    }
}
