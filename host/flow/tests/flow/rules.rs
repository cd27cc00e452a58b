//! Rules without a sandbox, whose every word a test knows.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use sluice_batch::ColumnType;
use sluice_ports::{
    Cause, Fold, Output, Reason, Rejection, RuleId, RuleKind, RulePlan, Signature, Step, StepFailure, StepOutput,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_millis(100);

fn id(name: &str, version: &str) -> RuleId {
    RuleId { name: name.into(), version: version.into(), digest: format!("digest of {name}@{version}") }
}

fn failure(cause: Cause) -> StepFailure {
    let detail = format!("a test rule met poison: {cause}");
    StepFailure { cause, detail, spent: if cause == Cause::Deadline { DEADLINE } else { Duration::ZERO } }
}

/// How a version of `numbers` behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// As it should.
    Well,
    /// As it should, and adds this much to every number.
    Add(i64),
    /// Gives nulls.
    Nulls,
    /// Rejects every row.
    RejectAll,
    /// Traps on this number.
    TrapOn(i64),
    /// Traps on every batch.
    Trap,
    /// Loops on batches whose first number is a multiple of this.
    LoopOn(i64),
    /// Takes long: this many microseconds a row.
    Slow(u64),
    /// Gives another answer from each instance.
    Differ,
}

/// Coerces the text column `v` to int64. What is no number is rejected; `trap` and `loop` fail the call.
pub(crate) struct Numbers(RuleId, Signature, Does);

impl Numbers {
    pub(crate) fn plan() -> Arc<dyn RulePlan> {
        Self::that("1.0.0", Does::Well)
    }

    pub(crate) fn that(version: &str, does: Does) -> Arc<dyn RulePlan> {
        let v = Output { name: "v".into(), ty: ColumnType::Int64, nullable: true, adds: false };
        let reasons = vec![Reason { code: "v_malformed".into(), text: "no number".into() }];
        let signature = Signature { reads: vec!["v".into()], outputs: vec![v], reasons, partials: vec![] };
        Arc::new(Self(id("numbers", version), signature, does))
    }
}

impl RulePlan for Numbers {
    fn id(&self) -> &RuleId {
        &self.0
    }

    fn kind(&self) -> RuleKind {
        RuleKind::Coerce
    }

    fn signature(&self) -> &Signature {
        &self.1
    }

    fn deadline(&self) -> Duration {
        DEADLINE
    }

    fn step(&self) -> Result<Box<dyn Step>, StepFailure> {
        static INSTANCES: AtomicI64 = AtomicI64::new(0);
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(NumbersStep { does: self.2, instance }))
    }

    fn fold(&self) -> Result<Box<dyn Fold>, StepFailure> {
        Err(failure(Cause::Start))
    }
}

struct NumbersStep {
    does: Does,
    instance: i64,
}

impl NumbersStep {
    /// What a version that is not as it should be makes of numbers.
    fn spoil(&self, out: &mut [Option<i64>], rejections: &mut Vec<Rejection>) -> Result<(), StepFailure> {
        match self.does {
            Does::Well => {}
            Does::Add(more) => out.iter_mut().flatten().for_each(|number| *number += more),
            Does::Nulls => out.fill(None),
            Does::RejectAll => {
                *rejections = (0..out.len() as u32).map(|row| Rejection { row, code: 0, column: 0 }).collect();
            }
            Does::TrapOn(poison) if out.contains(&Some(poison)) => return Err(failure(Cause::Trap)),
            Does::LoopOn(n) if out[0].is_some_and(|first| first % n == 0) => return Err(failure(Cause::Deadline)),
            Does::Trap => return Err(failure(Cause::Trap)),
            Does::TrapOn(_) | Does::LoopOn(_) => {}
            Does::Slow(micros) => {
                let begun = cpu_time();
                while cpu_time() - begun < Duration::from_micros(micros) * out.len() as u32 {}
            }
            Does::Differ => out.fill(Some(self.instance)),
        }
        Ok(())
    }
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

impl Step for NumbersStep {
    fn call(&mut self, rows: usize, columns: &[ArrayRef]) -> Result<StepOutput, StepFailure> {
        let texts = columns[0].as_string::<i32>();
        assert_eq!(texts.len(), rows);
        let (mut out, mut rejections) = (Vec::new(), Vec::new());
        for (row, text) in texts.iter().enumerate() {
            match text {
                Some("trap") => return Err(failure(Cause::Trap)),
                Some("loop") => return Err(failure(Cause::Deadline)),
                _ => {}
            }
            let number = text.map(str::parse::<i64>);
            if let Some(Err(_)) = number {
                rejections.push(Rejection { row: row as u32, code: 0, column: 0 });
            }
            out.push(number.and_then(Result::ok));
        }
        self.spoil(&mut out, &mut rejections)?;
        Ok(StepOutput { rejections, columns: vec![Arc::new(Int64Array::from(out))] })
    }

    fn call_within(
        &mut self,
        rows: usize,
        columns: &[ArrayRef],
        deadline: Duration,
    ) -> Result<StepOutput, StepFailure> {
        let within = |failure: StepFailure| StepFailure { spent: failure.spent.min(deadline), ..failure };
        self.call(rows, columns).map_err(within)
    }
}

/// Counts rows and sums `v`. A sum that meets 666 fails the call, and a total of 777 cannot be finished. Totals are
/// finished times a factor.
pub(crate) struct Sum(RuleId, Signature, i64);

impl Sum {
    pub(crate) fn plan() -> Arc<dyn RulePlan> {
        Self::times("1.0.0", 1)
    }

    pub(crate) fn times(version: &str, factor: i64) -> Arc<dyn RulePlan> {
        let output = |name: &str| Output { name: name.into(), ty: ColumnType::Int64, nullable: false, adds: true };
        let signature = Signature {
            reads: vec!["v".into()],
            outputs: vec![output("lines"), output("total")],
            reasons: vec![],
            partials: vec![ColumnType::Int64, ColumnType::Int64],
        };
        Arc::new(Self(id("sum", version), signature, factor))
    }
}

impl RulePlan for Sum {
    fn id(&self) -> &RuleId {
        &self.0
    }

    fn kind(&self) -> RuleKind {
        RuleKind::Aggregate
    }

    fn signature(&self) -> &Signature {
        &self.1
    }

    fn deadline(&self) -> Duration {
        DEADLINE
    }

    fn step(&self) -> Result<Box<dyn Step>, StepFailure> {
        Err(failure(Cause::Start))
    }

    fn fold(&self) -> Result<Box<dyn Fold>, StepFailure> {
        Ok(Box::new(SumFold(self.2)))
    }
}

struct SumFold(i64);

fn ints(array: &ArrayRef) -> Vec<i64> {
    array.as_primitive::<Int64Type>().iter().map(Option::unwrap_or_default).collect()
}

fn columns(all: Vec<Vec<i64>>) -> Vec<ArrayRef> {
    all.into_iter().map(|values| Arc::new(Int64Array::from(values)) as ArrayRef).collect()
}

impl Fold for SumFold {
    fn fold(
        &mut self,
        partials: &[ArrayRef],
        read: &[ArrayRef],
        groups: &[u32],
        count: u32,
    ) -> Result<Vec<ArrayRef>, StepFailure> {
        assert!(partials.iter().all(|partial| partial.len() == count as usize));
        let (mut lines, mut total) = (ints(&partials[0]), ints(&partials[1]));
        for (group, value) in groups.iter().zip(ints(&read[0])) {
            if value == 666 {
                return Err(failure(Cause::Trap));
            }
            lines[*group as usize] += 1;
            total[*group as usize] += value;
        }
        Ok(columns(vec![lines, total]))
    }

    fn merge(&mut self, partials: &[ArrayRef], groups: &[u32], count: u32) -> Result<Vec<ArrayRef>, StepFailure> {
        let add = |values: Vec<i64>| {
            let mut sums = vec![0; count as usize];
            groups.iter().zip(values).for_each(|(group, value)| sums[*group as usize] += value);
            sums
        };
        Ok(columns(partials.iter().map(|partial| add(ints(partial))).collect()))
    }

    fn finish(&mut self, partials: &[ArrayRef]) -> Result<Vec<ArrayRef>, StepFailure> {
        let totals: Vec<i64> = ints(&partials[1]).iter().map(|total| total * self.0).collect();
        if totals.contains(&777) {
            return Err(failure(Cause::Trap));
        }
        Ok(columns(vec![ints(&partials[0]), totals]))
    }
}
