//! Reference tables of a manifest, read and indexed for its steps.

use sluice_lookups::{Column, TableLimits};
use sluice_manifest::{Checked, Findings, LookupPlan, Place, StepWhat};
use sluice_sandbox::{LookupColumn, LookupTable};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Tables by name.
pub(crate) type Tables = BTreeMap<String, Arc<LookupTable>>;

/// Reads the tables that some step names. What is wrong with one is a finding at its file.
pub(crate) fn load(checked: &Checked, findings: &mut Findings) -> Tables {
    let named: BTreeSet<&str> = checked.plan.steps.iter().flat_map(|step| names(&step.what)).collect();
    let wanted = checked.plan.lookups.iter().filter(|lookup| named.contains(lookup.name.as_str()));
    let mut tables = Tables::new();
    for lookup in wanted {
        match read(checked, lookup) {
            Ok(table) => drop(tables.insert(lookup.name.clone(), Arc::new(table))),
            Err(what) => {
                let pos = checked.spans.locate(&Place::Pointer(&format!("/lookups/{}/file", lookup.name)));
                let file = checked.lookup_file(lookup);
                findings.push(pos, format!("reference table `{}` ({}): {what}", lookup.name, file.display()));
            }
        }
    }
    tables
}

/// Digests of tables, as a cut names them.
pub(crate) fn digests(tables: &Tables) -> BTreeMap<String, String> {
    tables.iter().map(|(name, table)| (name.clone(), table.digest().to_owned())).collect()
}

fn names(what: &StepWhat) -> impl Iterator<Item = &str> {
    let rule = if let StepWhat::Rule(rule) = what { Some(rule) } else { None };
    rule.into_iter().flat_map(|rule| rule.lookups.iter().map(String::as_str))
}

fn read(checked: &Checked, lookup: &LookupPlan) -> Result<LookupTable, String> {
    let table = sluice_lookups::read(&checked.lookup_file(lookup), lookup, TableLimits::default())
        .map_err(|error| error.to_string())?;
    let columns = |columns: &[Column]| columns.iter().map(column).collect();
    LookupTable::new(&lookup.name, &table.digest, columns(&table.key), columns(&table.columns)).map_err(|error| {
        let places: Vec<String> = error.rows().into_iter().map(|row| table.place(row)).collect();
        if places.is_empty() { error.to_string() } else { format!("{}: {error}", places.join(" and ")) }
    })
}

fn column(column: &Column) -> LookupColumn {
    LookupColumn { field: column.field.clone(), values: column.values.clone() }
}
