//! Reference tables, and who may look into them.

use super::unique;
use crate::finding::Findings;
use crate::plan::LookupPlan;
use crate::suggest::way_out;
use crate::yaml::{Entry, Node};
use std::path::PathBuf;

pub(super) fn build_lookups(lookups: Option<&Node>, out: &mut Findings) -> Vec<LookupPlan> {
    let entries = lookups.map_or(&[][..], Node::entries);
    entries.iter().map(|entry| build_one(entry, out)).collect()
}

fn build_one(entry: &Entry, out: &mut Findings) -> LookupPlan {
    let node = &entry.value;
    let list = |key: &str| node.get(key).map_or(&[][..], Node::items).iter();
    let texts = |key: &str| list(key).filter_map(|item| Some((item.text()?, item.pos)));
    let (key, columns): (Vec<_>, Vec<_>) = (texts("key").collect(), texts("columns").collect());
    unique(&key, "column", out);
    unique(&columns, "column", out);
    for (name, pos) in columns.iter().filter(|(name, _)| key.iter().any(|(key, _)| key == name)) {
        out.push(*pos, format!("column `{name}` is of the key, which whoever looks up has; leave it out"));
    }
    let names = |key: &str| texts(key).map(|(name, _)| name.to_owned()).collect();
    LookupPlan {
        name: entry.key.clone(),
        file: node.get("file").and_then(Node::text).map(PathBuf::from).unwrap_or_default(),
        key: names("key"),
        columns: names("columns"),
    }
}

/// Whether every step that looks into a table is granted to, and every table that a step names is there.
pub(super) fn check_lookups(root: &Node, out: &mut Findings) {
    let known: Vec<&str> =
        root.get("lookups").map_or(&[][..], Node::entries).iter().map(|entry| entry.key.as_str()).collect();
    for step in root.get("steps").map_or(&[][..], Node::items) {
        let named = step.entry("lookups");
        let granted =
            step.get("grants").map_or(&[][..], Node::items).iter().find(|grant| grant.text() == Some("lookup"));
        match (named, granted) {
            (Some(named), None) => {
                let message = "tables are named and `lookup` is not granted; add it to `grants`, or leave them out";
                out.push(named.key_pos, message);
            }
            (None, Some(granted)) => {
                let table = known.first().unwrap_or(&"NAME");
                let message = format!("`lookup` is granted and no table is named; add `lookups: [{table}]`");
                out.push(granted.pos, message);
            }
            _ => {}
        }
        for table in named.map_or(&[][..], |named| named.value.items()) {
            let Some(name) = table.text().filter(|name| !known.contains(name)) else { continue };
            let way_out = match known.as_slice() {
                [] => {
                    format!("; add it under `lookups:` of the manifest: `{name}: {{ file: {name}.csv, key: [...] }}`")
                }
                known => way_out(name, known.iter().copied(), "tables"),
            };
            out.push(table.pos, format!("there is no reference table `{name}`{way_out}"));
        }
    }
}
