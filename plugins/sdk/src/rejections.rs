//! Verdicts on rows.

use crate::setup::{ColumnId, ReasonId};

/// The rows that a rule rejects, each with a reason.
///
/// They may be told in any order, column after column say: the host gets them by row. Of one row the reason told first
/// is the one counted; all are recorded.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rejections {
    rows: Vec<u32>,
    codes: Vec<u32>,
    columns: Vec<u32>,
    unordered: bool,
}

/// No one column is at fault, as the contract says it.
const NO_COLUMN: u32 = u32::MAX;

impl Rejections {
    /// Nothing rejected.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Rejects a row of the batch for what stands in `column`.
    #[inline]
    pub fn reject(&mut self, row: usize, reason: ReasonId, column: ColumnId) {
        self.push(row as u32, reason.0, column.0);
    }

    /// Rejects a row for which no one column is to blame.
    #[inline]
    pub fn reject_row(&mut self, row: usize, reason: ReasonId) {
        self.push(row as u32, reason.0, NO_COLUMN);
    }

    #[inline]
    fn push(&mut self, row: u32, code: u32, column: u32) {
        self.unordered |= self.rows.last().is_some_and(|&last| last > row);
        self.rows.push(row);
        self.codes.push(code);
        self.columns.push(column);
    }

    /// Number of rejections; a row counts once for each of its reasons.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing is rejected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rejections by row, as they go to the host: row, place in the signature's reasons, place in its reads (none
    /// where no one column is at fault).
    pub fn iter(&self) -> impl Iterator<Item = (usize, usize, Option<usize>)> + use<> {
        let sorted = self.clone().into_wire();
        (0..sorted.rows.len()).map(move |i| {
            let column = sorted.columns[i];
            (sorted.rows[i] as usize, sorted.codes[i] as usize, (column != NO_COLUMN).then_some(column as usize))
        })
    }

    /// The form of the contract: ordered by row, and within a row as told.
    pub(crate) fn into_wire(self) -> sluice_guest_types::Rejections {
        if !self.unordered {
            return sluice_guest_types::Rejections { rows: self.rows, codes: self.codes, columns: self.columns };
        }
        let order = self.order();
        let sorted = |values: &[u32]| order.iter().map(|&place| values[place as usize]).collect();
        sluice_guest_types::Rejections {
            rows: sorted(&self.rows),
            codes: sorted(&self.codes),
            columns: sorted(&self.columns),
        }
    }

    /// The places of the rejections by row, and within a row as told: a counting sort, for rows are numbered from 0 and
    /// as many as a batch has.
    fn order(&self) -> Vec<u32> {
        let rows = self.rows.iter().max().map_or(0, |&last| last as usize + 1);
        let mut starts = vec![0u32; rows + 1];
        for &row in &self.rows {
            starts[row as usize + 1] += 1;
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        let mut order = vec![0; self.rows.len()];
        for (place, &row) in self.rows.iter().enumerate() {
            let next = &mut starts[row as usize];
            order[*next as usize] = place as u32;
            *next += 1;
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rejections_come_by_row_and_within_a_row_as_told(
            told in proptest::collection::vec((0usize..9, 0u32..5, proptest::option::of(0u32..4)), 0..40),
        ) {
            let mut rejections = Rejections::new();
            for &(row, code, column) in &told {
                match column {
                    Some(column) => rejections.reject(row, ReasonId(code), ColumnId(column)),
                    None => rejections.reject_row(row, ReasonId(code)),
                }
            }
            prop_assert_eq!(rejections.len(), told.len());
            let mut expected = told;
            expected.sort_by_key(|&(row, ..)| row);
            let got: Vec<_> =
                rejections.iter().map(|(row, code, column)| (row, code as u32, column.map(|c| c as u32))).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
