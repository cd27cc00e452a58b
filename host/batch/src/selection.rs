//! Which rows of a batch are still on their way.

use arrow_array::{ArrayRef, BooleanArray};
use arrow_buffer::BooleanBuffer;

/// Rows of a batch, ascending, numbered as they were decoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    rows: Vec<u32>,
}

impl Selection {
    /// All of `rows` rows.
    pub fn all(rows: usize) -> Self {
        Self { rows: (0..rows as u32).collect() }
    }

    /// Number of rows selected.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is selected.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows as they were decoded, ascending.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// This selection without those of its members that stand in `gone` (indexes into this selection, ascending,
    /// repeats allowed).
    #[must_use]
    pub fn without(&self, gone: &[u32]) -> Self {
        let mut gone = gone.iter().copied().peekable();
        let keep = |index: u32| {
            while gone.peek().is_some_and(|g| *g < index) {
                gone.next();
            }
            gone.peek() != Some(&index)
        };
        let mut keep = keep;
        let rows = self.rows.iter().zip(0u32..).filter(|(_, i)| keep(*i)).map(|(row, _)| *row).collect();
        Self { rows }
    }

    /// Brings an array that holds the rows of `self` down to the rows of `later`, a subset.
    pub fn narrow(&self, array: &ArrayRef, later: &Self) -> ArrayRef {
        debug_assert_eq!(array.len(), self.len());
        if later.len() == self.len() {
            return array.clone();
        }
        let mut wanted = later.rows.iter().copied().peekable();
        let mask = BooleanBuffer::collect_bool(self.len(), |i| wanted.next_if_eq(&self.rows[i]).is_some());
        arrow_select::filter::filter(array, &BooleanArray::new(mask, None)).expect("mask and array are equally long")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, cast::AsArray, types::Int64Type};
    use std::sync::Arc;

    #[test]
    fn narrowing_in_two_steps_is_narrowing_in_one() {
        let all = Selection::all(10);
        let array: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10));
        let some = all.without(&[0, 0, 3, 9]);
        let few = some.without(&[1, 5]);
        assert_eq!(some.rows(), [1, 2, 4, 5, 6, 7, 8]);
        assert_eq!(few.rows(), [1, 4, 5, 6, 8]);
        let direct = all.narrow(&array, &few);
        assert_eq!(some.narrow(&all.narrow(&array, &some), &few).as_ref(), direct.as_ref());
        assert_eq!(direct.as_primitive::<Int64Type>().values(), &[1, 4, 5, 6, 8]);
    }
}
