//! The tables of a warehouse, from what a pipeline makes.

use crate::bind::Bound;
use anyhow::Result;
use arrow_schema::SchemaRef;
use sluice_manifest::{Plan, StepWhat};
use sluice_ports::{Column, Table, TableKind};

/// The table of silver.
pub(crate) const SILVER: &str = "silver";
/// The table of rejected records.
pub(crate) const QUARANTINE: &str = "quarantine";

/// Silver, quarantine and each gold.
pub(crate) fn tables(bound: &Bound) -> Result<Vec<Table>> {
    let plan = &bound.checked.plan;
    let of = |(name, schema): (String, SchemaRef)| Table {
        columns: columns(bound, &name, &schema),
        kind: kind(plan, &name),
        comment: Some(comment(bound, &name)),
        name,
    };
    Ok(bound.pipeline.tables()?.into_iter().map(of).collect())
}

fn kind(plan: &Plan, table: &str) -> TableKind {
    match plan.gold.iter().find(|gold| gold.name == table) {
        Some(gold) => TableKind::Keyed(gold.keys.iter().cloned().chain(["window_start".to_owned()]).collect()),
        None => TableKind::Records,
    }
}

fn columns(bound: &Bound, table: &str, schema: &SchemaRef) -> Vec<Column> {
    let json = if table == SILVER { json_columns(&bound.checked.plan) } else { Vec::new() };
    let column = |field: &arrow_schema::FieldRef| Column {
        name: field.name().clone(),
        ty: field.data_type().clone(),
        nullable: field.is_nullable(),
        json: json.contains(field.name()),
        comment: (table == SILVER).then(|| bound.checked.descriptions.get(field.name()).cloned()).flatten(),
    };
    schema.fields().iter().map(column).collect()
}

/// Columns of silver whose texts are any JSON value: those that arrive so and no step writes.
pub(crate) fn json_columns(plan: &Plan) -> Vec<String> {
    let written = |name: &str| {
        let writes = |what: &StepWhat| match what {
            StepWhat::Rule(rule) => rule.writes.iter().any(|column| column == name),
            StepWhat::Check { .. } => false,
        };
        plan.steps.iter().any(|step| writes(&step.what))
    };
    let json = plan.schema.iter().filter(|column| column.json && !written(&column.name));
    json.map(|column| column.name.clone()).collect()
}

fn comment(bound: &Bound, table: &str) -> String {
    let dataset = &bound.checked.plan.dataset;
    match (table, &bound.checked.description) {
        (SILVER, Some(description)) => format!("{dataset}: {description}"),
        (SILVER, None) => format!("{dataset}: what came through the steps"),
        (QUARANTINE, _) => format!("{dataset}: rejected records with their reasons"),
        _ => format!("{dataset}: {table}, one row for each group and window"),
    }
}
