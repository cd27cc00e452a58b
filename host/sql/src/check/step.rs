//! A condition as the flow sees it.

use super::condition::Condition;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use datafusion::arrow::array::{Array, BooleanArray};
use datafusion::common::Result as DataFusionResult;
use rustix::time::{ClockId, clock_gettime};
use sluice_ports::{Cause, Fold, Rejection, RuleId, RuleKind, RulePlan, Signature, Step, StepFailure, StepOutput};
use std::sync::Arc;
use std::time::Duration;

/// Processor time that one call may take. Nothing enforces it, since a condition has no loops; it tells the flow how long
/// to look for rows that fail.
const DEADLINE: Duration = Duration::from_millis(250);

/// A condition, compiled.
pub(super) struct SqlPlan {
    label: Arc<str>,
    id: RuleId,
    signature: Signature,
    condition: Arc<Condition>,
}

impl SqlPlan {
    pub(super) fn new(label: &str, id: RuleId, signature: Signature, condition: Condition) -> Self {
        Self { label: label.into(), id, signature, condition: Arc::new(condition) }
    }
}

impl RulePlan for SqlPlan {
    fn id(&self) -> &RuleId {
        &self.id
    }

    fn kind(&self) -> RuleKind {
        RuleKind::Validate
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn deadline(&self) -> Duration {
        DEADLINE
    }

    fn step(&self) -> Result<Box<dyn Step>, StepFailure> {
        Ok(Box::new(SqlStep {
            place: format!("step `{}` (rule `{}`)", self.label, self.id),
            reads: self.signature.reads.clone(),
            condition: self.condition.clone(),
        }))
    }

    fn fold(&self) -> Result<Box<dyn Fold>, StepFailure> {
        let detail = format!("step `{}` (rule `{}`): a condition judges rows and sums nothing up", self.label, self.id);
        Err(StepFailure { cause: Cause::Start, detail, spent: Duration::ZERO })
    }
}

struct SqlStep {
    place: String,
    reads: Vec<String>,
    condition: Arc<Condition>,
}

impl SqlStep {
    fn verdicts(&self, rows: usize, columns: &[ArrayRef]) -> DataFusionResult<BooleanArray> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema(columns), columns.to_vec(), &options)?;
        self.condition.evaluate(&batch)
    }

    fn schema(&self, columns: &[ArrayRef]) -> SchemaRef {
        let fields = self.reads.iter().zip(columns);
        let fields: Vec<Field> =
            fields.map(|(name, column)| Field::new(name, column.data_type().clone(), true)).collect();
        Arc::new(Schema::new(fields))
    }
}

impl Step for SqlStep {
    fn call(&mut self, rows: usize, columns: &[ArrayRef]) -> Result<StepOutput, StepFailure> {
        let begun = processor_time();
        match self.verdicts(rows, columns) {
            Ok(verdicts) => Ok(StepOutput { rejections: rejections(&verdicts, columns.len()), columns: vec![] }),
            Err(error) => {
                // the message can hold a value of the row, which may be personal: only its kind is told
                let detail = format!("{}: {} on a batch of {rows} rows", self.place, what_failed(&error));
                Err(StepFailure { cause: Cause::Trap, detail, spent: processor_time().saturating_sub(begun) })
            }
        }
    }
}

/// The rows for which the condition is false, ascending. One column is at fault where only one is read.
fn rejections(verdicts: &BooleanArray, columns: usize) -> Vec<Rejection> {
    let column = if columns == 1 { 0 } else { Rejection::NO_COLUMN };
    let rejected = (0..verdicts.len()).filter(|row| verdicts.is_valid(*row) && !verdicts.value(*row));
    rejected.map(|row| Rejection { row: row as u32, code: 0, column }).collect()
}

fn what_failed(error: &datafusion::common::DataFusionError) -> &'static str {
    use datafusion::arrow::error::ArrowError;
    use datafusion::common::DataFusionError;
    match error.find_root() {
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::DivideByZero => "division by zero",
            ArrowError::ArithmeticOverflow(_) => "arithmetic overflow",
            ArrowError::CastError(_) | ArrowError::ParseError(_) => "a cast failed",
            _ => "the condition failed",
        },
        _ => "the condition failed",
    }
}

/// Processor time of this thread.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
