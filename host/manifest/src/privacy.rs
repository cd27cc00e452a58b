//! Personal data: what a plan may not do with columns that are declared `pii`.
//!
//! A column of a path (`customer.email`) and the object that it lies in (`customer`) are independent: redacting the one
//! leaves the value in the other. So an object with personal data inside never goes through whole, and no rule carries
//! both.

use crate::finding::Findings;
use crate::plan::{Format, Plan, RuleUse, SchemaColumn, StepWhat, UnknownFields};
use crate::spans::{Owner, Place, Spans};
use sluice_ports::RuleKind;

/// Reports every way in which personal data would get where it must not be.
pub(crate) fn check(plan: &Plan, spans: &Spans, out: &mut Findings) {
    check_partitions(plan, spans, out);
    check_keys(plan, spans, out);
    check_rules(plan, spans, out);
    check_objects(plan, spans, out);
    check_extra(plan, spans, out);
}

/// Whether the column holds personal data that no step redacts. All steps come before silver.
pub(crate) fn in_the_clear<'p>(plan: &'p Plan, column: &str) -> Option<&'p str> {
    let pii = plan.schema.iter().find(|known| known.name == column)?.pii.as_deref()?;
    (!is_redacted(plan, column)).then_some(pii)
}

fn is_redacted(plan: &Plan, column: &str) -> bool {
    rules(plan).any(|(_, rule)| rule.kind == RuleKind::Redact && rule.writes.iter().any(|name| name == column))
}

fn rules(plan: &Plan) -> impl Iterator<Item = (Owner, &RuleUse)> {
    let steps = plan.steps.iter().enumerate().filter_map(|(n, step)| match &step.what {
        StepWhat::Rule(rule) => Some((Owner::Step(n), rule)),
        StepWhat::Check { .. } => None,
    });
    steps.chain(plan.gold.iter().enumerate().map(|(n, gold)| (Owner::Gold(n), &gold.rule)))
}

const REDACT_FIRST: &str = "choose another, or let a `redact` step write it first";

fn check_partitions(plan: &Plan, spans: &Spans, out: &mut Findings) {
    for (n, partition) in plan.silver.partition_by.iter().enumerate() {
        let column = &partition.column;
        if let Some(pii) = in_the_clear(plan, column) {
            let message =
                format!("column `{column}` holds personal data (`{pii}`) and would stand in names of folders");
            out.push(spans.locate(&Place::Partition(n)), format!("{message}; {REDACT_FIRST}"));
        }
    }
}

fn check_keys(plan: &Plan, spans: &Spans, out: &mut Findings) {
    for (n, gold) in plan.gold.iter().enumerate() {
        for key in &gold.keys {
            if let Some(pii) = in_the_clear(plan, key) {
                let message = format!("column `{key}` holds personal data (`{pii}`) and would stand in gold as a key");
                out.push(spans.locate(&Place::Key(n, key)), format!("{message}; {REDACT_FIRST}"));
            }
        }
    }
}

/// Two columns of which the first holds the second, one of them personal. Only JSON has fields within fields; a csv
/// field's name may hold points.
fn overlaps(plan: &Plan) -> Vec<(&SchemaColumn, &SchemaColumn)> {
    if !matches!(plan.format, Format::Json { .. }) || plan.schema.iter().all(|column| column.pii.is_none()) {
        return Vec::new();
    }
    let pairs = plan.schema.iter().flat_map(|whole| plan.schema.iter().map(move |part| (whole, part)));
    let personal = |whole: &SchemaColumn, part: &SchemaColumn| whole.pii.is_some() || part.pii.is_some();
    pairs.filter(|(whole, part)| personal(whole, part) && holds(&whole.from, &part.from)).collect()
}

/// Whether the field `part` lies inside the field `whole`.
fn holds(whole: &str, part: &str) -> bool {
    let inside = part.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.'));
    inside || (whole == "$" && part != "$")
}

fn check_rules(plan: &Plan, spans: &Spans, out: &mut Findings) {
    let overlaps = overlaps(plan);
    for (owner, rule) in rules(plan) {
        let carries = |name: &String| rule.reads.contains(name) || rule.writes.contains(name);
        for (whole, part) in overlaps.iter().filter(|(whole, part)| carries(&whole.name) && carries(&part.name)) {
            let (column, place) = (&part.name, Place::Reads(owner, &part.name));
            let personal = if part.pii.is_some() { column } else { &whole.name };
            let message = format!(
                "`{column}` (field `{}`) lies inside `{}` (field `{}`), and `{personal}` holds personal data; one \
                rule may not carry both, use two steps",
                part.from, whole.name, whole.from
            );
            out.push(spans.locate(&place), message);
        }
    }
}

/// A column that lets an object through with personal data inside, or the same field once more. What a redactor writes
/// is not let through as it came.
fn check_objects(plan: &Plan, spans: &Spans, out: &mut Findings) {
    for personal in plan.schema.iter().filter(|column| column.pii.is_some()) {
        for other in plan.schema.iter().filter(|other| other.name != personal.name) {
            let nested = matches!(plan.format, Format::Json { .. }) && holds(&other.from, &personal.from);
            let same = other.from == personal.from && other.pii.is_none();
            let how = if same { "is the same field as" } else { "is an object that holds" };
            if (nested || same) && !(other.pii.is_some() && is_redacted(plan, &other.name)) {
                let message = format!(
                    "column `{}` {how} the personal `{}` (field `{}`) and would let it through; leave it out, or \
                    declare it `pii` and let a `redact` step write it",
                    other.name, personal.name, personal.from
                );
                out.push(spans.locate(&Place::Column(&other.name)), message);
            }
        }
    }
}

/// `_extra` takes whole every object that no column names, whatever columns name inside it.
fn check_extra(plan: &Plan, spans: &Spans, out: &mut Findings) {
    if plan.unknown_fields != UnknownFields::Extra || !matches!(plan.format, Format::Json { .. }) {
        return;
    }
    let inside = |column: &&SchemaColumn| column.pii.is_some() && column.from.contains('.');
    if let Some(column) = plan.schema.iter().find(inside) {
        let object = column.from.split('.').next().unwrap_or_default();
        let message = format!(
            "`extra` would let the object `{object}` through with the personal `{}` (field `{}`) inside; use `drop` \
            or `reject`",
            column.name, column.from
        );
        out.push(spans.locate(&Place::Pointer("/source/unknown_fields")), message);
    }
}
