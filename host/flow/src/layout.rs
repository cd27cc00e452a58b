//! Which columns exist where: from the schema as it arrives, through the steps, to silver.

use crate::error::{FlowError, Result};
use sluice_batch::Field;
use sluice_manifest::plan::{OnFailure, Otherwise};
use sluice_ports::RulePlan;
use std::sync::Arc;

/// A step of the plan with its rule.
#[derive(Clone)]
pub struct BoundStep {
    /// Label, unique among the steps.
    pub label: String,
    /// What becomes of rejected rows.
    pub otherwise: Otherwise,
    /// What becomes of rows when the breaker has parked the rule.
    pub on_failure: OnFailure,
    /// The rule, opened for this step.
    pub rule: Arc<dyn RulePlan>,
}

/// Where one step's columns stand in the working set.
#[derive(Debug, Clone)]
pub(crate) struct StepColumns {
    pub(crate) reads: Vec<usize>,
    pub(crate) writes: Vec<usize>,
}

/// The working set of columns, and what each step touches of it.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The columns after the last step. A column keeps its place when it is replaced; new ones come last.
    pub(crate) fields: Vec<Field>,
    /// One for each step.
    pub(crate) steps: Vec<StepColumns>,
}

impl Layout {
    /// Follows the steps from the columns as they arrive.
    pub(crate) fn new(arriving: &[Field], steps: &[BoundStep]) -> Result<Self> {
        let mut fields = arriving.to_vec();
        let steps = steps.iter().map(|step| follow(&mut fields, step)).collect::<Result<_>>()?;
        Ok(Self { fields, steps })
    }

    /// Place of a column of silver.
    pub(crate) fn index(&self, name: &str) -> Result<usize> {
        find(&self.fields, name).ok_or_else(|| unknown(&self.fields, "silver", name))
    }
}

fn follow(fields: &mut Vec<Field>, step: &BoundStep) -> Result<StepColumns> {
    let signature = step.rule.signature();
    let place = |name: &String| find(fields, name).ok_or_else(|| unknown(fields, &step.label, name));
    let reads = signature.reads.iter().map(place).collect::<Result<_>>()?;
    let mut writes = Vec::with_capacity(signature.outputs.len());
    for output in &signature.outputs {
        let field = Field { name: output.name.clone(), ty: output.ty, nullable: output.nullable };
        match find(fields, &output.name) {
            Some(index) if !output.adds => {
                fields[index] = field;
                writes.push(index);
            }
            None if output.adds => {
                writes.push(fields.len());
                fields.push(field);
            }
            _ => return Err(unknown(fields, &step.label, &output.name)),
        }
    }
    Ok(StepColumns { reads, writes })
}

fn find(fields: &[Field], name: &str) -> Option<usize> {
    fields.iter().position(|field| field.name == name)
}

fn unknown(fields: &[Field], place: &str, name: &str) -> FlowError {
    let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
    FlowError::Plan(format!("`{place}`: column `{name}` does not fit the columns there: {}", names.join(", ")))
}
