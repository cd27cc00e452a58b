//! A rule's answer for a whole batch, put together from stretches where it failed on some rows.

use crate::isolate::{Isolated, isolate};
use arrow_array::{Array, ArrayRef, new_empty_array};
use arrow_schema::DataType;
use sluice_ports::{Rejection, RulePlan, Step, StepFailure, StepOutput};
use std::ops::Range;

/// What a rule said of a batch.
pub(crate) struct Answer {
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) columns: Vec<ArrayRef>,
    /// Stretches that it failed on; their rows are null in `columns`.
    pub(crate) failures: Vec<(Range<usize>, StepFailure)>,
    /// Whether looking for those rows took all of its budget.
    pub(crate) exhausted: bool,
}

impl Answer {
    /// Calls a rule on `rows` rows. `slot` holds the worker's instance of it, if there is one already.
    pub(crate) fn of(rule: &dyn RulePlan, slot: &mut Option<Box<dyn Step>>, rows: usize, columns: &[ArrayRef]) -> Self {
        if rows == 0 {
            return Self::nothing(rule);
        }
        let done = isolate(rows, rule.deadline(), |stretch, deadline| {
            let step = match slot {
                Some(step) => step,
                None => slot.insert(rule.step()?),
            };
            let part: Vec<ArrayRef> = columns.iter().map(|c| c.slice(stretch.start, stretch.len())).collect();
            match deadline {
                None => step.call(stretch.len(), &part),
                Some(deadline) => step.call_within(stretch.len(), &part, deadline),
            }
        });
        Self::join(done, rows, rule.signature().outputs.iter().map(|output| output.ty.arrow()))
    }

    /// The answer about no rows.
    pub(crate) fn nothing(rule: &dyn RulePlan) -> Self {
        let outputs = &rule.signature().outputs;
        let columns = outputs.iter().map(|output| new_empty_array(&output.ty.arrow())).collect();
        Self { rejections: Vec::new(), columns, failures: Vec::new(), exhausted: false }
    }

    fn join(done: Isolated<StepOutput>, rows: usize, types: impl Iterator<Item = DataType>) -> Self {
        let Isolated { answered, failed: failures, exhausted } = done;
        if failures.is_empty() && answered.len() == 1 {
            let output = answered.into_iter().next().expect("there is one").1;
            return Self { rejections: output.rejections, columns: output.columns, failures, exhausted };
        }
        let mut rejections = Vec::new();
        for (stretch, output) in &answered {
            let start = stretch.start as u32;
            rejections.extend(output.rejections.iter().map(|r| Rejection { row: r.row + start, ..*r }));
        }
        let columns = types.enumerate().map(|(column, ty)| fill(&answered, column, rows, &ty)).collect();
        Self { rejections, columns, failures, exhausted }
    }

    /// Whether a fresh instance says the same of the same rows.
    pub(crate) fn is_said_again(&self, rule: &dyn RulePlan, rows: usize, columns: &[ArrayRef]) -> bool {
        let again = rule.step().and_then(|mut step| step.call(rows, columns));
        let same = |a: &ArrayRef, b: &ArrayRef| a.to_data() == b.to_data();
        again.is_ok_and(|again| {
            again.rejections == self.rejections && again.columns.iter().zip(&self.columns).all(|(a, b)| same(a, b))
        })
    }
}

/// One output column over all rows; null where the rule failed (those rows are dropped next).
fn fill(answered: &[(Range<usize>, StepOutput)], column: usize, rows: usize, ty: &DataType) -> ArrayRef {
    let (mut parts, mut at): (Vec<ArrayRef>, usize) = (Vec::new(), 0);
    for (stretch, output) in answered {
        if at < stretch.start {
            parts.push(arrow_array::new_null_array(ty, stretch.start - at));
        }
        parts.push(output.columns[column].clone());
        at = stretch.end;
    }
    if at < rows {
        parts.push(arrow_array::new_null_array(ty, rows - at));
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    arrow_select::concat::concat(&parts).expect("parts have one type")
}
