//! The ports: a rule as one worker calls it.

use crate::failure::Wrong;
use crate::guard::Budget;
use crate::instance::Instance;
use crate::lift::{self, Expected};
use crate::lower::Lowered;
use crate::plan::Plan;
use crate::wire::{BatchIn, ColumnIn, ColumnOut};
use arrow_array::{Array, ArrayRef, new_empty_array};
use sluice_batch::ColumnType;
use sluice_ports::{Fold, Output, Step, StepFailure, StepOutput};
use std::sync::Arc;
use std::time::Duration;

/// What comes out of a call into an instance: the answer or what went wrong, and the processor time that it took.
type Outcome<R> = (Result<R, Wrong>, Duration);

/// An instance that is made again after every failure.
struct Renewed {
    plan: Arc<Plan>,
    instance: Option<Instance>,
}

impl Renewed {
    fn new(plan: Arc<Plan>) -> Result<Self, StepFailure> {
        let instance = Some(plan.start()?);
        Ok(Self { plan, instance })
    }

    /// Calls the instance and checks its answer. Where either fails the instance is gone.
    fn call<A, R>(
        &mut self,
        occasion: &dyn Fn() -> String,
        call: impl FnOnce(&mut Instance) -> Outcome<A>,
        check: impl FnOnce(&Plan, A) -> Result<R, String>,
    ) -> Result<R, StepFailure> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.plan.start()?,
        };
        let (answer, spent) = call(&mut instance);
        let checked = answer.and_then(|answer| check(&self.plan, answer).map_err(Wrong::Answer));
        match checked {
            Ok(result) => {
                self.instance = Some(instance);
                Ok(result)
            }
            Err(wrong) => Err(self.plan.failure(&wrong, &occasion(), spent)),
        }
    }

    /// Columns in the contract's form.
    fn lower<'a>(
        &self,
        columns: &'a [ArrayRef],
        types: &[ColumnType],
        rows: usize,
        occasion: &dyn Fn() -> String,
    ) -> Result<Vec<Lowered<'a>>, StepFailure> {
        let mistake = |text| self.plan.failure(&Wrong::Start(text), &occasion(), Duration::ZERO);
        if columns.len() != types.len() || columns.iter().any(|column| column.len() != rows) {
            let lengths: Vec<_> = columns.iter().map(|column| column.len()).collect();
            return Err(mistake(format!(
                "the host handed over columns of {lengths:?} rows; {} columns of {rows} rows were to come",
                types.len()
            )));
        }
        columns.iter().zip(types).map(|(column, ty)| Lowered::new(column, *ty).map_err(mistake)).collect()
    }

    fn budget(&self, input_bytes: usize, deadline: Duration) -> Budget {
        Budget { deadline, output: self.plan.limits().output_for(input_bytes) }
    }
}

fn wire<'a>(lowered: &'a [Lowered<'_>]) -> Vec<ColumnIn<'a>> {
    lowered.iter().map(Lowered::wire).collect()
}

fn bytes(lowered: &[Lowered<'_>]) -> usize {
    lowered.iter().map(Lowered::bytes).sum()
}

fn outputs(outputs: &[Output]) -> impl ExactSizeIterator<Item = Expected<'_>> {
    outputs.iter().map(|output| Expected { name: &output.name, ty: output.ty, nullable: output.nullable })
}

/// A validator, redactor or coercer.
pub(crate) struct WasmStep(Renewed);

impl WasmStep {
    pub(crate) fn new(plan: Arc<Plan>) -> Result<Self, StepFailure> {
        Renewed::new(plan).map(Self)
    }
}

impl Step for WasmStep {
    fn call(&mut self, rows: usize, columns: &[ArrayRef]) -> Result<StepOutput, StepFailure> {
        let deadline = self.0.plan.limits().deadline;
        self.call_within(rows, columns, deadline)
    }

    fn call_within(
        &mut self,
        rows: usize,
        columns: &[ArrayRef],
        deadline: Duration,
    ) -> Result<StepOutput, StepFailure> {
        let occasion = || format!("on a batch of {rows} rows");
        if rows == 0 {
            let empty = |output: &Output| new_empty_array(&output.ty.arrow());
            let columns = self.0.plan.signature.outputs.iter().map(empty).collect();
            return Ok(StepOutput { rejections: Vec::new(), columns });
        }
        let lowered = self.0.lower(columns, &self.0.plan.read_types, rows, &occasion)?;
        let columns = wire(&lowered);
        let budget = self.0.budget(bytes(&lowered), deadline);
        self.0.call(
            &occasion,
            |instance| instance.batch(rows as u32, &columns, budget),
            |Plan { signature, .. }, (rejections, columns)| {
                Ok(StepOutput {
                    rejections: lift::rejections(&rejections, signature, rows)?,
                    columns: lift::columns(columns, outputs(&signature.outputs), rows)?,
                })
            },
        )
    }
}

/// An aggregator.
pub(crate) struct WasmFold(Renewed);

impl WasmFold {
    pub(crate) fn new(plan: Arc<Plan>) -> Result<Self, StepFailure> {
        Renewed::new(plan).map(Self)
    }
}

/// Partial columns have no names; errors number them.
fn partials(plan: &Plan, columns: Vec<ColumnOut>, count: u32) -> Result<Vec<ArrayRef>, String> {
    let types = &plan.signature.partials;
    let names: Vec<String> = (0..types.len()).map(|i| format!("partial {i}")).collect();
    let expected = types.iter().zip(&names).map(|(ty, name)| Expected { name, ty: *ty, nullable: true });
    lift::columns(columns, expected, count as usize)
}

impl Fold for WasmFold {
    fn fold(
        &mut self,
        partials: &[ArrayRef],
        columns: &[ArrayRef],
        groups: &[u32],
        count: u32,
    ) -> Result<Vec<ArrayRef>, StepFailure> {
        let rows = groups.len();
        let occasion = || format!("on a batch of {rows} rows in {count} groups");
        let lowered = self.0.lower(columns, &self.0.plan.read_types, rows, &occasion)?;
        let state = self.0.lower(partials, &self.0.plan.signature.partials, count as usize, &occasion)?;
        let (columns, state_columns) = (wire(&lowered), wire(&state));
        let batch = BatchIn { rows: rows as u32, columns: &columns };
        let budget = self.0.budget(bytes(&lowered) + bytes(&state), self.0.plan.limits().deadline);
        self.0.call(
            &occasion,
            |instance| instance.fold(&state_columns, batch, (groups, count), budget),
            |plan, columns| self::partials(plan, columns, count),
        )
    }

    fn merge(&mut self, partials: &[ArrayRef], groups: &[u32], count: u32) -> Result<Vec<ArrayRef>, StepFailure> {
        let rows = groups.len();
        let occasion = || format!("on a merge of {rows} partial rows into {count}");
        let state = self.0.lower(partials, &self.0.plan.signature.partials, rows, &occasion)?;
        let columns = wire(&state);
        let budget = self.0.budget(bytes(&state), self.0.plan.limits().deadline);
        self.0.call(
            &occasion,
            |instance| instance.merge(&columns, (groups, count), budget),
            |plan, columns| self::partials(plan, columns, count),
        )
    }

    fn finish(&mut self, partials: &[ArrayRef]) -> Result<Vec<ArrayRef>, StepFailure> {
        let rows = partials.first().map_or(0, |column| column.len());
        let occasion = || format!("on finishing {rows} groups");
        let state = self.0.lower(partials, &self.0.plan.signature.partials, rows, &occasion)?;
        let columns = wire(&state);
        let budget = self.0.budget(bytes(&state), self.0.plan.limits().deadline);
        self.0.call(
            &occasion,
            |instance| instance.finish(&columns, budget),
            |plan, columns| lift::columns(columns, outputs(&plan.signature.outputs), rows),
        )
    }
}
