//! The rows of a batch under way, and how some of them leave it.

use crate::layout::{BoundStep, Layout};
use crate::quarantine::{Cause, QuarantineBuilder};
use arrow_array::ArrayRef;
use sluice_batch::{OriginAccount, Reject, Selection};
use sluice_manifest::plan::Otherwise;
use sluice_ports::Rejection;
use std::collections::BTreeMap;

/// Rows under way: each column as of the selection that it was last narrowed to.
pub(crate) struct WorkingSet {
    columns: Vec<(ArrayRef, usize)>,
    selections: Vec<Selection>,
}

impl WorkingSet {
    /// Decoded columns, with all their rows.
    pub(crate) fn new(columns: &[ArrayRef], rows: usize) -> Self {
        let columns = columns.iter().map(|column| (column.clone(), 0)).collect();
        Self { columns, selections: vec![Selection::all(rows)] }
    }

    pub(crate) fn now(&self) -> &Selection {
        self.selections.last().expect("there is a first selection")
    }

    pub(crate) fn column(&mut self, index: usize) -> ArrayRef {
        let now = self.selections.len() - 1;
        let (array, then) = &mut self.columns[index];
        if *then < now {
            *array = self.selections[*then].narrow(array, &self.selections[now]);
            *then = now;
        }
        array.clone()
    }

    pub(crate) fn put(&mut self, index: usize, array: ArrayRef) {
        let entry = (array, self.selections.len() - 1);
        match self.columns.get_mut(index) {
            Some(column) => *column = entry,
            None => self.columns.push(entry),
        }
    }

    /// Takes rows away; `gone` are indexes into the current selection, ascending.
    pub(crate) fn drop_rows(&mut self, gone: &[u32]) {
        if !gone.is_empty() {
            let next = self.now().without(gone);
            self.selections.push(next);
        }
    }

    /// All columns, and the decoded row of each of their rows.
    pub(crate) fn finish(mut self) -> (Vec<ArrayRef>, Selection) {
        let columns = (0..self.columns.len()).map(|index| self.column(index)).collect();
        (columns, self.selections.pop().expect("there is a last selection"))
    }
}

/// Where rows go that do not go on: the account and quarantine.
pub(crate) struct Books<'a> {
    pub(crate) account: OriginAccount,
    pub(crate) quarantine: QuarantineBuilder<'a>,
}

impl Books<'_> {
    /// Records a step's rejections; returns the rows rejected (indexes into the current selection, ascending).
    pub(crate) fn reject(
        &mut self,
        set: &WorkingSet,
        step: &BoundStep,
        layout: &Layout,
        index: usize,
        rejections: &[Rejection],
    ) -> Vec<u32> {
        let signature = step.rule.signature();
        let mut gone = Vec::new();
        for of_row in rejections.chunk_by(|a, b| a.row == b.row) {
            let cause = |r: &Rejection| {
                let reason = &signature.reasons[r.code as usize];
                let field = layout.steps[index].reads.get(r.column as usize).map(|c| layout.fields[*c].name.as_str());
                Cause::rule(step, &reason.code, field, &reason.text)
            };
            let first = &signature.reasons[of_row[0].code as usize].code;
            let row = of_row[0].row;
            gone.push(row);
            match step.otherwise {
                Otherwise::Filter => count(&mut self.account.filtered, &step.rule.id().name, first),
                Otherwise::Quarantine => {
                    count(&mut self.account.quarantined, &step.rule.id().name, first);
                    let causes: Vec<Cause> = of_row.iter().map(cause).collect();
                    self.quarantine.reject(set.now().rows()[row as usize], &causes);
                }
            }
        }
        gone
    }

    /// Sets rows aside for one cause, without dropping them from the set.
    pub(crate) fn quarantine(&mut self, set: &WorkingSet, gone: &[u32], cause: &Cause) {
        for row in gone {
            count(&mut self.account.quarantined, &cause.rule, &cause.code);
            self.quarantine.reject(set.now().rows()[*row as usize], std::slice::from_ref(cause));
        }
    }

    /// Sets rows aside for one cause and drops them from the set.
    pub(crate) fn set_aside(&mut self, set: &mut WorkingSet, gone: &[u32], cause: &Cause) {
        self.quarantine(set, gone, cause);
        set.drop_rows(gone);
    }
}

pub(crate) fn count(counts: &mut BTreeMap<Reject, u64>, rule: &str, reason: &str) {
    *counts.entry(Reject::new(rule, reason)).or_default() += 1;
}

/// Where decoded rows stand in a selection; those that are not in it any more are passed over.
pub(crate) fn indexes_of(selection: &Selection, rows: &[u32]) -> Vec<u32> {
    let mut wanted = rows.iter().copied().peekable();
    let mut found = Vec::with_capacity(rows.len());
    for (index, row) in (0u32..).zip(selection.rows()) {
        while wanted.next_if(|w| w < row).is_some() {}
        if wanted.next_if_eq(row).is_some() {
            found.push(index);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_again_in_a_later_selection() {
        let selection = Selection::all(10).without(&[2, 3, 9]);
        assert_eq!(indexes_of(&selection, &[0, 2, 4, 9]), [0, 2]);
    }
}
