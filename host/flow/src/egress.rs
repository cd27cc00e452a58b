//! The gate that everything passes on its way out: personal data is found and masked, whatever the rules did.
//!
//! A hit is counted against the redactor that should have caught it: the last one that writes the column, else the last one
//! that reads it, else the last one there is; where a pipeline has none, against the host.

use crate::error::{FlowError, Result, internal};
use crate::layout::{BoundStep, Layout};
use crate::quarantine::Cause;
use crate::rows::{Books, WorkingSet};
use crate::work::HOST;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::DataType;
use sluice_batch::Reject;
use sluice_guard::{ColumnHits, Counts, Detector, Kind};
use sluice_manifest::plan::{GuardLayer, GuardPlan, OnHit, PiiKind};
use sluice_ports::RuleKind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Columns of quarantine that hold something of a record.
const OF_QUARANTINE: [&str; 4] = ["field", "reasons", "raw", "raw_bytes"];

/// Columns of a gold that are the host's own.
const OF_GOLD: [&str; 4] = ["window_start", "window_end", "_sluice_commit", "_sluice_fence"];

/// The gate of one pipeline.
pub(crate) struct Egress {
    detector: Detector,
    plan: GuardPlan,
    /// Columns of silver that are looked at: place, and whom a hit is counted against.
    silver: Vec<(usize, Cause)>,
}

impl Egress {
    /// # Errors
    /// A reason code of a rule, which is a label of metrics, holds personal data itself.
    pub(crate) fn new(plan: &GuardPlan, layout: &Layout, steps: &[BoundStep]) -> Result<Self> {
        let kinds: Vec<Kind> = plan.kinds.iter().map(|kind| kind_of(*kind)).collect();
        let detector = Detector::new(&kinds);
        if plan.layers.contains(&GuardLayer::Metrics) {
            steps.iter().try_for_each(|step| check_codes(&detector, step))?;
        }
        let looked_at = layout.fields.iter().enumerate().filter(|(_, field)| !plan.allow.contains(&field.name));
        let silver = looked_at.map(|(place, field)| (place, responsible(place, &field.name, layout, steps))).collect();
        Ok(Self { detector, plan: plan.clone(), silver })
    }

    fn guards(&self, layer: GuardLayer) -> bool {
        self.plan.layers.contains(&layer)
    }

    /// Looks at the rows that are to become silver.
    pub(crate) fn silver(&self, set: &mut WorkingSet, books: &mut Books<'_>) {
        if !self.guards(GuardLayer::Silver) {
            return;
        }
        for (place, cause) in &self.silver {
            let column = set.column(*place);
            let Some(hits) = scan(&self.detector, &column) else { continue };
            match self.plan.on_hit {
                OnHit::Mask => {
                    set.put(*place, mask(&self.detector, &column, &hits));
                    count(&mut books.account.masked, &cause.rule, &hits.counts);
                }
                OnHit::Quarantine => books.set_aside(set, &hits.rows, cause),
            }
        }
    }

    /// Looks at rejected records. What is found is masked: there is no further place to set them aside to.
    pub(crate) fn quarantine(&self, batch: RecordBatch, masked: &mut BTreeMap<Reject, u64>) -> Result<RecordBatch> {
        if !self.guards(GuardLayer::Quarantine) {
            return Ok(batch);
        }
        self.masked(batch, &|name| OF_QUARANTINE.contains(&name), |counts| count(masked, HOST, counts))
    }

    /// Looks at rows of a gold. Returns what was masked.
    pub(crate) fn gold(&self, batch: RecordBatch) -> Result<(RecordBatch, u64)> {
        if !self.guards(GuardLayer::Gold) {
            return Ok((batch, 0));
        }
        let mut masked = 0;
        let is_ours = |name: &str| OF_GOLD.contains(&name);
        let looked_at = |name: &str| !is_ours(name) && self.plan.allow.iter().all(|allowed| allowed != name);
        let batch = self.masked(batch, &looked_at, |counts| masked += counts.total())?;
        Ok((batch, masked))
    }

    fn masked(
        &self,
        batch: RecordBatch,
        looked_at: &dyn Fn(&str) -> bool,
        mut found: impl FnMut(&Counts),
    ) -> Result<RecordBatch> {
        let schema = batch.schema();
        let mut columns = batch.columns().to_vec();
        let mut changed = false;
        for (column, _) in columns.iter_mut().zip(schema.fields()).filter(|(_, field)| looked_at(field.name())) {
            let Some(hits) = scan(&self.detector, column) else { continue };
            *column = mask(&self.detector, column, &hits);
            found(&hits.counts);
            changed = true;
        }
        if !changed {
            return Ok(batch);
        }
        RecordBatch::try_new(schema, columns).map_err(|error| internal("masked columns", error))
    }
}

fn kind_of(kind: PiiKind) -> Kind {
    match kind {
        PiiKind::Email => Kind::Email,
        PiiKind::Card => Kind::Card,
        PiiKind::Iban => Kind::Iban,
        PiiKind::Ssn => Kind::Ssn,
        PiiKind::Phone => Kind::Phone,
        PiiKind::Ip => Kind::Ip,
    }
}

fn check_codes(detector: &Detector, step: &BoundStep) -> Result<()> {
    let mut hits = Vec::new();
    for reason in &step.rule.signature().reasons {
        detector.find(&reason.code, &mut hits);
        if let Some(hit) = hits.first() {
            let (label, id, kind) = (&step.label, step.rule.id(), hit.kind);
            return Err(FlowError::Plan(format!(
                "step `{label}` (rule `{id}`): one of its reason codes holds personal data ({kind}), and reason codes are \
                 labels of metrics; name reasons by what is wrong, not by a value"
            )));
        }
    }
    Ok(())
}

fn responsible(place: usize, name: &str, layout: &Layout, steps: &[BoundStep]) -> Cause {
    let text = "the host found personal data that may not leave in the clear";
    let redactors = || steps.iter().zip(&layout.steps).rev().filter(|(step, _)| step.rule.kind() == RuleKind::Redact);
    let writes = redactors().find(|(_, touched)| touched.writes.contains(&place));
    let reads = || redactors().find(|(_, touched)| touched.reads.contains(&place));
    match writes.or_else(reads).or_else(|| redactors().next()) {
        Some((step, _)) => Cause::rule(step, "pii_leaked", Some(name), text),
        None => Cause::host("pii_leaked", Some(name), text),
    }
}

fn scan(detector: &Detector, column: &ArrayRef) -> Option<ColumnHits> {
    match column.data_type() {
        DataType::Utf8 => detector.scan(column.as_string::<i32>()),
        DataType::Binary => detector.scan(column.as_binary::<i32>()),
        DataType::Int64 => detector.scan_int64(column.as_primitive::<Int64Type>()),
        DataType::Float64 => detector.scan_float64(column.as_primitive::<Float64Type>()),
        DataType::Decimal128(..) => detector.scan_decimal128(column.as_primitive::<Decimal128Type>()),
        _ => None,
    }
}

/// Masks stand in texts and bytes; a number that is a card becomes null.
fn mask(detector: &Detector, column: &ArrayRef, hits: &ColumnHits) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8 => Arc::new(detector.mask(column.as_string::<i32>(), hits)),
        DataType::Binary => Arc::new(detector.mask(column.as_binary::<i32>(), hits)),
        _ => {
            let mut gone = hits.rows.iter().copied().peekable();
            let is_gone = (0..column.len() as u32).map(|row| Some(gone.next_if_eq(&row).is_some()));
            let is_gone: BooleanArray = is_gone.collect();
            arrow_select::nullif::nullif(column, &is_gone).expect("mask and column are equally long")
        }
    }
}

fn count(into: &mut BTreeMap<Reject, u64>, rule: &str, counts: &Counts) {
    for (kind, hits) in counts.iter() {
        *into.entry(Reject::new(rule, kind.name())).or_default() += hits;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray};

    #[test]
    fn numbers_that_are_cards_become_null_and_texts_are_masked() {
        let detector = Detector::new(&[Kind::Card, Kind::Email]);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(4_111_111_111_111_111), Some(7), None]));
        let hits = scan(&detector, &numbers).unwrap();
        assert_eq!(
            mask(&detector, &numbers, &hits).as_primitive::<Int64Type>(),
            &Int64Array::from(vec![None, Some(7), None])
        );
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["to jo@example.com", "none"]));
        let hits = scan(&detector, &texts).unwrap();
        assert_eq!(mask(&detector, &texts, &hits).as_string::<i32>().value(0), "to [email]");
    }
}
