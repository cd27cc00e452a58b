//! What a schema asks of a JSON record: which names, at which depth, for which columns.

use super::fast::Fast;
use super::steps::{Steps, Target};
use hashbrown::HashMap;
use sluice_batch::ColumnType;
use sluice_manifest::plan::{SchemaColumn, UnknownFields};

/// The path that stands for the whole record.
pub(crate) const WHOLE: &str = "$";

/// What is asked of the names of one object.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) names: HashMap<Box<[u8]>, Entry>,
}

/// What is asked of one name.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// Columns that take the value as it is.
    pub(crate) columns: Vec<usize>,
    /// Where the value is an object: what is asked inside it.
    pub(crate) inside: Option<Node>,
}

impl Node {
    /// Columns read from names: exact names of the top level, and the same texts as paths.
    pub(crate) fn of(schema: &[SchemaColumn]) -> Self {
        let mut top = Self::default();
        for (index, column) in schema.iter().enumerate().filter(|(_, column)| column.from != WHOLE) {
            top.entry(&column.from).columns.push(index);
            if let Some((first, rest)) = column.from.split_once('.') {
                top.entry(first).add_path(rest, index);
            }
        }
        top
    }

    fn entry(&mut self, name: &str) -> &mut Entry {
        self.names.entry(name.as_bytes().into()).or_default()
    }
}

impl Entry {
    fn add_path(&mut self, path: &str, column: usize) {
        let mut entry = self;
        for name in path.split('.') {
            entry = entry.inside.get_or_insert_default().entry(name);
        }
        entry.columns.push(column);
    }
}

/// The fast parser for a schema, where there is one.
pub(crate) fn fast(schema: &[SchemaColumn], top: &Node, unknown: UnknownFields) -> Option<Fast> {
    let whole = |column: &SchemaColumn| column.from == WHOLE;
    let typed_whole = schema.iter().any(|column| whole(column) && column.ty != ColumnType::Text);
    if typed_whole || schema.iter().all(whole) {
        return None;
    }
    let mut steps = Steps::new(match unknown {
        UnknownFields::Drop => Target::Drop,
        UnknownFields::Extra => Target::Extra,
        UnknownFields::Reject => Target::Strict,
    });
    // what is left of an object for `_extra` is for the strict parser to put together
    add_names(&mut steps, Steps::TOP, top, unknown != UnknownFields::Extra);
    let extra = (unknown == UnknownFields::Extra).then_some(schema.len());
    let wholes: Vec<usize> = (0..schema.len()).filter(|index| whole(&schema[*index])).collect();
    Some(Fast::new(steps, schema.len() - wholes.len(), wholes, extra))
}

/// Adds the names of a node, and with `inside` those of the nodes within. Where several columns take a field, the strict
/// parser sees to it.
fn add_names(steps: &mut Steps, node: u32, names: &Node, inside: bool) {
    for (name, entry) in &names.names {
        let exact_path = node == Steps::TOP && name.contains(&b'.');
        match (entry.columns.as_slice(), &entry.inside) {
            ([column], None) if !exact_path => {
                steps.add(node, name, Target::Column(*column as u32));
            }
            ([], Some(within)) if inside => {
                let inner = steps.add_node();
                steps.add(node, name, Target::Inside(inner));
                add_names(steps, inner, within, inside);
            }
            _ => {
                steps.add(node, name, Target::Strict);
            }
        }
    }
}
