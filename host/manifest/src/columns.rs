//! Columns: whether those that a plan names exist where it names them, and can be what it takes them for.

use crate::finding::{Findings, Pos};
use crate::names::check_added_column;
use crate::plan::{GoldPlan, Partition, PartitionOf, Plan, RuleUse, StepWhat, UnknownFields};
use crate::spans::{Owner, Place, Spans};
use crate::suggest::way_out;
use sluice_batch::ColumnType;
use sluice_ports::RuleKind;
use std::collections::BTreeMap;

/// Reports every column that is named and does not exist, or that has a type it cannot have there.
pub(crate) fn check(plan: &Plan, spans: &Spans, out: &mut Findings) {
    let mut columns = Columns::arriving(plan);
    for (n, step) in plan.steps.iter().enumerate() {
        if let StepWhat::Rule(rule) = &step.what {
            columns.check_reads(rule, Owner::Step(n), spans, out);
            columns.grant_writes(rule, Owner::Step(n), spans, out);
        }
    }
    for (n, partition) in plan.silver.partition_by.iter().enumerate() {
        columns.check_partition(partition, spans.locate(&Place::Partition(n)), out);
    }
    for (n, column) in plan.dedup.iter().flat_map(|dedup| &dedup.columns).enumerate() {
        columns.exists(column, || spans.locate(&Place::Pointer(&format!("/dedup/columns/{n}"))), out);
    }
    for (n, gold) in plan.gold.iter().enumerate() {
        columns.check_reads(&gold.rule, Owner::Gold(n), spans, out);
        columns.check_gold(n, gold, spans, out);
    }
}

/// The columns at one place of the pipeline.
pub(crate) struct Columns<'p> {
    plan: &'p Plan,
    /// Types; none where a step wrote the column, since only the rule knows what it makes of it.
    types: BTreeMap<&'p str, Option<Type>>,
}

/// A type as it arrives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) ty: ColumnType,
    pub(crate) json: bool,
}

impl Type {
    pub(crate) fn shown(self) -> String {
        if self.json { "json".to_owned() } else { self.ty.to_string() }
    }
}

impl<'p> Columns<'p> {
    fn arriving(plan: &'p Plan) -> Self {
        let arriving = plan.schema.iter().map(|c| (c.name.as_str(), Some(Type { ty: c.ty, json: c.json })));
        let mut types: BTreeMap<_, _> = arriving.collect();
        if plan.unknown_fields == UnknownFields::Extra {
            types.insert("_extra", Some(Type { ty: ColumnType::Text, json: true }));
        }
        Self { plan, types }
    }

    /// Those of silver, where nothing is wrong with the steps.
    pub(crate) fn of_silver(plan: &'p Plan) -> Self {
        let mut columns = Self::arriving(plan);
        let written = plan.steps.iter().flat_map(|step| writes(&step.what));
        columns.types.extend(written.map(|column| (column.as_str(), None)));
        columns
    }

    fn check_reads(&self, rule: &RuleUse, owner: Owner, spans: &Spans, out: &mut Findings) {
        for column in &rule.reads {
            self.exists(column, || spans.locate(&Place::Reads(owner, column)), out);
        }
    }

    /// Whether the column exists; reports it where it does not.
    pub(crate) fn exists(&self, column: &str, pos: impl Fn() -> Pos, out: &mut Findings) -> bool {
        let known = self.types.contains_key(column);
        if !known {
            out.push(pos(), format!("there is no column `{column}` here{}", self.way_out(column)));
        }
        known
    }

    fn way_out(&self, column: &str) -> String {
        if let Some(step) = self.plan.steps.iter().find(|step| writes(&step.what).iter().any(|name| name == column)) {
            return format!("; step `{}` adds it, which stands later", step.label);
        }
        if let Some(known) = self.plan.schema.iter().find(|known| known.from == column) {
            return format!("; the field `{column}` is the column `{}`", known.name);
        }
        if column == "_extra" {
            return "; it is there with `unknown_fields: extra`".to_owned();
        }
        way_out(column, self.types.keys().copied(), "columns")
    }

    fn grant_writes(&mut self, rule: &'p RuleUse, owner: Owner, spans: &Spans, out: &mut Findings) {
        if rule.kind == RuleKind::Validate {
            return;
        }
        for column in &rule.writes {
            let is_new = !self.types.contains_key(column.as_str());
            if let (true, Err(message)) = (is_new, check_added_column(column)) {
                out.push(spans.locate(&Place::Writes(owner, column)), message);
            }
            self.types.insert(column, None);
        }
    }

    /// The type, where it is sure.
    pub(crate) fn type_of(&self, column: &str) -> Option<Type> {
        self.types.get(column).copied().flatten()
    }

    fn check_partition(&self, partition: &Partition, pos: Pos, out: &mut Findings) {
        let column = &partition.column;
        // One that could not be read was reported as such.
        if column.is_empty() || !self.exists(column, || pos, out) {
            return;
        }
        let Some(ty) = self.type_of(column) else { return };
        let time = matches!(ty.ty, ColumnType::Timestamp | ColumnType::Date);
        let wrong = match partition.of {
            PartitionOf::Value if ty.json || matches!(ty.ty, ColumnType::Binary | ColumnType::Float64) => {
                "a column that is boolean, int64, decimal, timestamp, date or text"
            }
            PartitionOf::Value => return,
            PartitionOf::Hour if ty.ty == ColumnType::Timestamp => return,
            PartitionOf::Hour => "a timestamp",
            _ if time => return,
            _ => "a timestamp or date",
        };
        let way_out = "choose another, or let a `coerce` step write it";
        out.push(
            pos,
            format!(
                "column `{column}` is {} here and cannot make this partition, which takes {wrong}; {way_out}",
                ty.shown()
            ),
        );
    }

    fn check_gold(&self, n: usize, gold: &GoldPlan, spans: &Spans, out: &mut Findings) {
        for key in &gold.keys {
            self.exists(key, || spans.locate(&Place::Key(n, key)), out);
        }
        let (on, pos) = (&gold.window.on, spans.locate(&Place::WindowOn(n)));
        // A window without `on` was reported as such.
        if on.is_empty() || !self.exists(on, || pos, out) {
            return;
        }
        if let Some(ty) = self.type_of(on).filter(|t| !matches!(t.ty, ColumnType::Timestamp | ColumnType::Date)) {
            let way_out = "let a `coerce` step write it as a timestamp";
            out.push(
                pos,
                format!("event time `{on}` is {} here and must be a timestamp or date; {way_out}", ty.shown()),
            );
        }
    }
}

fn writes(what: &StepWhat) -> &[String] {
    match what {
        StepWhat::Rule(rule) if rule.kind != RuleKind::Validate => &rule.writes,
        _ => &[],
    }
}
