//! Rules as the flow sees them: compiled, opened for one configuration, and called with whole columns.
//!
//! [`RulePlan`] is shared by all workers; a [`Step`] or [`Fold`] belongs to one worker. Whatever stands behind these
//! traits has checked what the rule returned: arrays have the signature's types and the batch's rows, rejections are in
//! range and in order. A failure therefore never means wrong data, only missing verdicts.

use arrow_array::ArrayRef;
use serde::{Deserialize, Serialize};
use sluice_batch::ColumnType;
use std::fmt;
use std::time::Duration;

/// What a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Judges rows.
    Validate,
    /// Hides what must not be seen further on.
    Redact,
    /// Changes types or forms.
    Coerce,
    /// Sums rows up by group.
    Aggregate,
}

impl fmt::Display for RuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Validate => "validate",
            Self::Redact => "redact",
            Self::Coerce => "coerce",
            Self::Aggregate => "aggregate",
        })
    }
}

/// Which rule, exactly. Shown as `name@version`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RuleId {
    /// Name.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// SHA-256 of the component or core module as it was found, hexadecimal; of the definition for a built-in step.
    pub digest: String,
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// A column that a rule writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Column name.
    pub name: String,
    /// Type.
    pub ty: ColumnType,
    /// Whether nulls may stand in it.
    pub nullable: bool,
    /// True where the column is new, false where it replaces the one of that name.
    pub adds: bool,
}

/// A cause of rejection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Code.
    pub code: String,
    /// For people.
    pub text: String,
}

/// What a rule does under its configuration. Checked against the manifest's grants when it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Columns read, in the order in which they are handed over.
    pub reads: Vec<String>,
    /// Columns written, in the order in which they come back.
    pub outputs: Vec<Output>,
    /// Table of reasons.
    pub reasons: Vec<Reason>,
    /// Aggregators: types of the partial columns.
    pub partials: Vec<ColumnType>,
}

/// A rejection of one row for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// Row of the batch handed over.
    pub row: u32,
    /// Index into [`Signature::reasons`].
    pub code: u32,
    /// Index into [`Signature::reads`], [`Rejection::NO_COLUMN`] where no one column is at fault.
    pub column: u32,
}

impl Rejection {
    /// No one column is at fault.
    pub const NO_COLUMN: u32 = u32::MAX;
}

/// What a step says of a batch.
#[derive(Debug, Clone, Default)]
pub struct StepOutput {
    /// Ordered by row; the first of a row is the one counted.
    pub rejections: Vec<Rejection>,
    /// One for each of [`Signature::outputs`], each with as many rows as the batch.
    pub columns: Vec<ArrayRef>,
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The rule trapped (panic, unreachable, division by zero, stack overflow, ...).
    Trap,
    /// It used more processor time than its deadline.
    Deadline,
    /// It asked for more memory than its cap.
    Memory,
    /// Its answer was malformed or over its size limit.
    Answer,
    /// It could not be started or opened again.
    Start,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Answer => "answer",
            Self::Start => "start",
        })
    }
}

/// A call that failed. The instance behind the [`Step`] is already thrown away; the next call gets a fresh one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct StepFailure {
    /// Why.
    pub cause: Cause,
    /// Names step, rule and limit, for people: ``step `mask` (rule `pii@1.2.0`): deadline of 250 ms passed on a batch
    /// of 8192 rows``.
    pub detail: String,
    /// Processor time that the call took.
    pub spent: Duration,
}

/// A rule, compiled and opened for one step of one dataset. Shared by all workers.
pub trait RulePlan: Send + Sync {
    /// Which rule.
    fn id(&self) -> &RuleId;

    /// What it is for.
    fn kind(&self) -> RuleKind;

    /// What it does.
    fn signature(&self) -> &Signature;

    /// Processor time that one call may take.
    fn deadline(&self) -> Duration;

    /// An instance for one worker: validators, redactors and coercers.
    ///
    /// # Errors
    /// [`Cause::Start`].
    fn step(&self) -> Result<Box<dyn Step>, StepFailure>;

    /// An instance for one worker: aggregators.
    ///
    /// # Errors
    /// [`Cause::Start`].
    fn fold(&self) -> Result<Box<dyn Fold>, StepFailure>;
}

/// A validator, redactor or coercer of one worker.
///
/// Contract: row-wise and deterministic; what is said of a row does not depend on the rows beside it.
pub trait Step: Send {
    /// Calls the rule. `columns`: one for each of [`Signature::reads`], each with `rows` rows.
    ///
    /// # Errors
    /// The rule failed on this batch as a whole; nothing of its answer is used.
    fn call(&mut self, rows: usize, columns: &[ArrayRef]) -> Result<StepOutput, StepFailure>;

    /// The same within less than the plan's deadline, while poison rows are being isolated. A step without a deadline
    /// takes no notice.
    ///
    /// # Errors
    /// As [`Step::call`].
    fn call_within(
        &mut self,
        rows: usize,
        columns: &[ArrayRef],
        deadline: Duration,
    ) -> Result<StepOutput, StepFailure> {
        let _ = deadline;
        self.call(rows, columns)
    }
}

/// An aggregator of one worker. Partials are columns of the types [`Signature::partials`], one row a group.
pub trait Fold: Send {
    /// Continues `partials` (`count` rows; all null where a group is new) with rows, whose groups are `groups`.
    ///
    /// # Errors
    /// The rule failed; `partials` stand as they were.
    fn fold(
        &mut self,
        partials: &[ArrayRef],
        columns: &[ArrayRef],
        groups: &[u32],
        count: u32,
    ) -> Result<Vec<ArrayRef>, StepFailure>;

    /// Adds up partial rows of the same group, in the order in which they stand.
    ///
    /// # Errors
    /// The rule failed.
    fn merge(&mut self, partials: &[ArrayRef], groups: &[u32], count: u32) -> Result<Vec<ArrayRef>, StepFailure>;

    /// The columns of [`Signature::outputs`], one row for each row of `partials`.
    ///
    /// # Errors
    /// The rule failed.
    fn finish(&mut self, partials: &[ArrayRef]) -> Result<Vec<ArrayRef>, StepFailure>;
}
