//! Giving a case to an opened rule.

use super::{Case, Rejected};
use arrow_array::{ArrayRef, new_null_array};
use sluice_ports::{Cause, Rejection, RuleKind, RulePlan, Signature, StepFailure};
use std::time::Duration;

/// What came of a case.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The rule answered.
    Answer {
        /// Columns that it wrote, by name.
        columns: Vec<(String, ArrayRef)>,
        /// Rows that it rejected, in order.
        rejections: Vec<Rejected>,
    },
    /// The rule refused its configuration.
    Findings(Vec<String>),
}

impl Case {
    /// Gives the case's columns to a rule that was opened with its configuration, its columns and its grants.
    ///
    /// # Errors
    /// The rule fails on them, or reads a column that the case does not have.
    pub fn run(&self, plan: &dyn RulePlan) -> Result<Outcome, StepFailure> {
        let signature = plan.signature();
        let columns = self.columns(plan)?;
        if plan.kind() == RuleKind::Aggregate {
            return self.fold(plan, &columns);
        }
        let output = plan.step()?.call(self.rows, &columns)?;
        let rejections = output.rejections.iter().map(|rejection| rejected(signature, rejection)).collect();
        Ok(Outcome::Answer { columns: named(signature, output.columns), rejections })
    }

    fn fold(&self, plan: &dyn RulePlan, columns: &[ArrayRef]) -> Result<Outcome, StepFailure> {
        let signature = plan.signature();
        let Some(groups) = &self.groups else {
            return Err(failure(
                plan,
                format_args!("case `{}` has no `aggregate`, and the rule aggregates", self.name),
            ));
        };
        let count = groups.count as usize;
        let partials: Vec<ArrayRef> = signature.partials.iter().map(|ty| new_null_array(&ty.arrow(), count)).collect();
        let mut fold = plan.fold()?;
        let partials = fold.fold(&partials, columns, &groups.groups, groups.count)?;
        Ok(Outcome::Answer { columns: named(signature, fold.finish(&partials)?), rejections: vec![] })
    }

    /// The columns that a rule reads, in its order.
    fn columns(&self, plan: &dyn RulePlan) -> Result<Vec<ArrayRef>, StepFailure> {
        let column = |name: &String| {
            let at = self.fields.iter().position(|field| field.name == *name);
            at.map(|at| self.arrays[at].clone()).ok_or_else(|| {
                failure(plan, format_args!("case `{}` has no column `{name}`, which the rule reads", self.name))
            })
        };
        plan.signature().reads.iter().map(column).collect()
    }
}

fn failure(plan: &dyn RulePlan, detail: std::fmt::Arguments<'_>) -> StepFailure {
    StepFailure { cause: Cause::Start, detail: format!("rule `{}`: {detail}", plan.id()), spent: Duration::ZERO }
}

fn named(signature: &Signature, columns: Vec<ArrayRef>) -> Vec<(String, ArrayRef)> {
    signature.outputs.iter().map(|output| output.name.clone()).zip(columns).collect()
}

/// The ports promise that codes and columns are within the signature.
fn rejected(signature: &Signature, rejection: &Rejection) -> Rejected {
    let reason = signature.reasons[rejection.code as usize].code.clone();
    Rejected { row: rejection.row, reason, column: signature.reads.get(rejection.column as usize).cloned() }
}
