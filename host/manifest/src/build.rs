//! A tree to a plan, with every default filled in. What cannot be said by a shape is checked on the way.

mod aws;
mod guard;
mod lookup;
mod rollout;

use crate::checked::Checked;
use crate::finding::Findings;
use crate::gold::build_gold;
use crate::keys;
use crate::names::{parse_partition, parse_type};
use crate::plan::{
    BatchPlan, Compression, CsvHeader, DedupPlan, Environment, Format, JsonRecords, Partition, PartitionOf, Plan,
    SchemaColumn, SegmentPlan, SilverPlan, UnknownFields,
};
use crate::shape::{Shape, Value};
use crate::spans::Spans;
use crate::steps::build_steps;
use crate::suggest::way_out;
use crate::view::{Placed, View};
use crate::yaml::{Entry, Node};
use sluice_batch::ColumnType;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The environment that is there in any case.
const LOCAL: &str = "local";

/// Builds what can be built. Where something is wrong, a stand-in takes its place, so that steps and aggregates keep
/// their numbers and later phases can go on; the findings see to it that such a plan is never used.
pub(crate) fn build(root: &Node, file: &Path, dir: PathBuf, out: &mut Findings) -> Checked {
    let top = View::new(Some(root), &keys::MANIFEST);
    let source = View::new(top.node("source"), source_shape(top.node("source")));
    let (steps, gold) = (build_steps(top.node("steps"), top.node("gold"), out), build_gold(top.node("gold"), out));
    let format = build_format(source, out);
    let schema = build_schema(top.node("schema"), &format, out);
    let bronze = guard::build_bronze(top, &schema, out);
    let plan = Plan {
        dataset: top.text("dataset").unwrap_or_default().to_owned(),
        schema,
        format,
        max_record_bytes: source.size("max_record_bytes") as usize,
        unknown_fields: match source.choice("unknown_fields") {
            "extra" => UnknownFields::Extra,
            "reject" => UnknownFields::Reject,
            _ => UnknownFields::Drop,
        },
        steps,
        silver: build_silver(top.child("silver"), out),
        bronze,
        dedup: build_dedup(top),
        gold,
        max_ahead: top.time("max_ahead"),
        segment: build_segment(top.child("segment")),
        batch: build_batch(top.child("batch")),
        token: guard::build_key_source(top, "token"),
        lookups: lookup::build_lookups(top.node("lookups"), out),
        guard: guard::build_guard(top, out),
        breaker: rollout::build_breaker(top.child("breaker"), out),
        rollout: rollout::build_rollout(top.child("rollout")),
        trust: guard::build_trust(top, out),
    };
    check_token(&plan, root, out);
    lookup::check_lookups(root, out);
    Checked {
        plan,
        description: top.text("description").map(str::to_owned),
        descriptions: descriptions(top.node("schema")),
        environments: build_environments(top, source, &dir),
        rules_path: top.text("rules").map(|path| dir.join(path)),
        file: file.to_owned(),
        dir,
        text: String::new(),
        spans: Spans::default(),
    }
}

/// The shape that `check_shape` used for the same node.
fn source_shape(node: Option<&Node>) -> &'static Shape {
    match keys::MANIFEST.key("source").map(|key| &key.value) {
        Some(Value::Variants { pick, shapes }) => shapes[node.map_or(0, pick)],
        _ => unreachable!("a source is json or csv in the table of keys"),
    }
}

fn build_format(source: View<'_>, out: &mut Findings) -> Format {
    if source.choice("format") != "csv" {
        let records = match source.choice("records") {
            "array" => JsonRecords::Array,
            "file" => JsonRecords::File,
            _ => JsonRecords::Lines,
        };
        return Format::Json { records };
    }
    let byte = |key: &str| source.choice(key).bytes().next().unwrap_or_default();
    let (delimiter, quote) = (byte("delimiter"), byte("quote"));
    if delimiter == quote {
        out.push(source.pos("delimiter"), "`delimiter` and `quote` are the same character; choose two");
    }
    let names = source.texts("header");
    unique(&names, "field", out);
    let header = match names.as_slice() {
        [] => CsvHeader::FirstLine,
        names => CsvHeader::Names(names.iter().map(|(name, _)| (*name).to_owned()).collect()),
    };
    Format::Csv { delimiter, quote, header, empty_is_null: source.choice("empty") == "null" }
}

fn build_schema(schema: Option<&Node>, format: &Format, out: &mut Findings) -> Vec<SchemaColumn> {
    let entries = schema.map_or(&[][..], Node::entries);
    entries.iter().map(|entry| build_column(entry, format, out)).collect()
}

fn descriptions(schema: Option<&Node>) -> BTreeMap<String, String> {
    let entries = schema.map_or(&[][..], Node::entries);
    let described = |entry: &Entry| Some((entry.key.clone(), entry.value.get("description")?.text()?.to_owned()));
    entries.iter().filter_map(described).collect()
}

fn build_column(entry: &Entry, format: &Format, out: &mut Findings) -> SchemaColumn {
    let node = &entry.value;
    let ty = node.text().or_else(|| node.get("type").and_then(Node::text)).unwrap_or("text");
    let (ty, json) = parse_type(ty).unwrap_or((ColumnType::Text, false));
    let from = node.get("from").and_then(Node::text).unwrap_or(&entry.key);
    let at = node.get("from").map_or(entry.key_pos, |from| from.pos);
    if let Err(message) = check_from(from, format) {
        out.push(at, message);
    }
    if json && matches!(format, Format::Csv { .. }) {
        out.push(
            node.get("type").unwrap_or(node).pos,
            "type `json` is for a json source; use `text` for a field of csv",
        );
    }
    SchemaColumn {
        name: entry.key.clone(),
        from: from.to_owned(),
        ty,
        json,
        pii: node.get("pii").and_then(Node::text).map(str::to_owned),
    }
}

/// Whether a source of this format can have such a field.
fn check_from(from: &str, format: &Format) -> Result<(), String> {
    match format {
        // An empty one was reported as such.
        _ if from.is_empty() => Ok(()),
        Format::Json { .. } if from == "$" => Ok(()),
        Format::Json { .. } if from.starts_with("$.") => {
            Err(format!("`{from}`: a path begins with the first name; write `{}`", &from[2..]))
        }
        Format::Json { .. } if from.split('.').any(str::is_empty) => {
            Err(format!("`{from}`: a name of the path is empty; write names joined by points (`customer.email`)"))
        }
        Format::Csv { .. } if from == "$" => {
            Err("`$` is the whole record of a json source; a csv source has fields only".to_owned())
        }
        Format::Csv { header: CsvHeader::Names(names), .. } if !names.iter().any(|name| name == from) => {
            let way_out = way_out(from, names.iter().map(String::as_str), "fields");
            Err(format!("`header` names no field `{from}`{way_out}"))
        }
        _ => Ok(()),
    }
}

fn build_silver(silver: View<'_>, out: &mut Findings) -> SilverPlan {
    let mut folders = BTreeSet::new();
    let mut build_one = |(text, pos): Placed<'_>| {
        let stand_in = Partition { column: String::new(), of: PartitionOf::Value };
        let partition = parse_partition(text).unwrap_or(stand_in);
        let folder = partition.key().to_owned();
        if !folder.is_empty() && !folders.insert(folder.clone()) {
            out.push(pos, format!("`{text}`: a second partition with the folder name `{folder}`; leave one out"));
        }
        partition
    };
    SilverPlan { partition_by: silver.texts("partition_by").into_iter().map(&mut build_one).collect() }
}

fn build_dedup(top: View<'_>) -> Option<DedupPlan> {
    top.node("dedup")?;
    let dedup = top.child("dedup");
    Some(DedupPlan {
        columns: dedup.texts("columns").into_iter().map(|(name, _)| name.to_owned()).collect(),
        window: dedup.time("window"),
        keys: dedup.count("keys") as usize,
    })
}

fn build_segment(segment: View<'_>) -> SegmentPlan {
    SegmentPlan { bytes: segment.size("bytes"), rows: segment.count("rows"), age: segment.time("age") }
}

fn build_batch(batch: View<'_>) -> BatchPlan {
    BatchPlan { rows: batch.count("rows") as usize, bytes: batch.size("bytes") as usize, age: batch.time("age") }
}

/// A rule that makes pseudonyms needs a key to make them with.
fn check_token(plan: &Plan, root: &Node, out: &mut Findings) {
    let steps = root.get("steps").map_or(&[][..], Node::items);
    let grants = steps.iter().filter_map(|step| step.get("grants")).flat_map(Node::items);
    let granted = grants.filter(|grant| grant.text() == Some("token"));
    if plan.token.is_none() {
        for grant in granted {
            out.push(grant.pos, "`token` is granted and no key is named; add `token: { key_env: SLUICE_TOKEN_KEY }`");
        }
    }
}

/// `local` first, whether it stands there or not; then the others in the manifest's order.
fn build_environments(top: View<'_>, source: View<'_>, dir: &Path) -> Vec<Environment> {
    let compression = match source.choice("compression") {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "zstd" => Compression::Zstd,
        _ => Compression::Auto,
    };
    let given = top.node("environments").map_or(&[][..], Node::entries);
    let others = given.iter().filter(|entry| entry.key != LOCAL).map(|entry| Environment {
        name: entry.key.clone(),
        compression,
        aws: Some(aws::build(&entry.value)),
        ..Environment::default()
    });
    let local = given.iter().find(|entry| entry.key == LOCAL).map(|entry| &entry.value);
    std::iter::once(build_local(local, compression, dir)).chain(others).collect()
}

fn build_local(local: Option<&Node>, compression: Compression, dir: &Path) -> Environment {
    let path = |key: &str| local.and_then(|node| node.get(key)).and_then(Node::text).map(|path| dir.join(path));
    Environment { name: LOCAL.to_owned(), input: path("input"), compression, data_dir: path("data_dir"), aws: None }
}

/// Reports entries of a list that stand twice.
pub(crate) fn unique(entries: &[Placed<'_>], what: &str, out: &mut Findings) {
    let mut known = BTreeSet::new();
    for (name, pos) in entries {
        if !known.insert(name) {
            out.push(*pos, format!("{what} `{name}` stands twice in this list; leave one out"));
        }
    }
}
