//! Steps and their labels.

use crate::build::unique;
use crate::finding::{Findings, Pos};
use crate::json::to_json;
use crate::keys;
use crate::names::parse_rule;
use crate::number::Plain;
use crate::plan::{Limits, OnFailure, Otherwise, RuleUse, StepPlan, StepWhat};
use crate::shape::{Shape, Value};
use crate::view::{Placed, View};
use crate::yaml::Node;
use sluice_ports::RuleKind;
use std::collections::{BTreeMap, BTreeSet};

const VERBS: [(&str, RuleKind); 3] =
    [("validate", RuleKind::Validate), ("redact", RuleKind::Redact), ("coerce", RuleKind::Coerce)];

/// Builds all steps. `gold` is looked at because steps and aggregates share one space of labels: rules are told apart
/// by them in the log.
pub(crate) fn build_steps(steps: Option<&Node>, gold: Option<&Node>, out: &mut Findings) -> Vec<StepPlan> {
    let nodes = steps.map_or(&[][..], Node::items);
    let mut built: Vec<StepPlan> = nodes.iter().map(|node| build_step(node, out)).collect();
    label(&mut built, nodes, gold.map_or(&[][..], Node::items), out);
    built
}

fn build_step(node: &Node, out: &mut Findings) -> StepPlan {
    let view = View::new(Some(node), step_shape(node));
    let what = match VERBS.iter().find(|(verb, _)| node.get(verb).is_some()) {
        Some((verb, kind)) => StepWhat::Rule(build_rule(view, verb, *kind, out)),
        None => {
            let check = node.get("check");
            let text = |key: &str| check.and_then(|check| check.get(key)).and_then(Node::text).unwrap_or_default();
            StepWhat::Check { sql: text("sql").to_owned(), reason: text("reason").to_owned() }
        }
    };
    let otherwise = if view.choice("otherwise") == "filter" { Otherwise::Filter } else { Otherwise::Quarantine };
    let on_failure = build_on_failure(view, node.get("redact").is_some(), out);
    StepPlan { label: String::new(), what, otherwise, on_failure }
}

/// Rows that a redactor did not see never go on, and never hold up the others.
fn build_on_failure(step: View<'_>, is_redactor: bool, out: &mut Findings) -> OnFailure {
    if step.choice("on_failure") != "stop" {
        return OnFailure::Quarantine;
    }
    if is_redactor {
        let message = "a redactor that fails lets nothing through: its rows are set aside; leave `on_failure` out";
        out.push(step.pos("on_failure"), message);
    }
    OnFailure::Stop
}

/// The shape that `check_shape` used for the same node.
fn step_shape(node: &Node) -> &'static Shape {
    match keys::MANIFEST.key("steps").map(|key| &key.value) {
        Some(Value::List { of: Value::Variants { pick, shapes }, .. }) => shapes[pick(node)],
        _ => unreachable!("steps are a list of rules and checks in the table of keys"),
    }
}

/// Builds the use of a rule by a step or an aggregate.
pub(crate) fn build_rule(view: View<'_>, verb: &str, kind: RuleKind, out: &mut Findings) -> RuleUse {
    let (name, version) = view.text(verb).and_then(|text| parse_rule(text).ok()).unwrap_or_default();
    let writes = if kind == RuleKind::Aggregate { Vec::new() } else { view.texts("writes") };
    if let (RuleKind::Validate, [_, ..]) = (kind, writes.as_slice()) {
        let message = "a validator judges and changes nothing; leave `writes` out, or use `redact` or `coerce`";
        out.push(view.key_pos("writes"), message);
    }
    RuleUse {
        kind,
        name: name.to_owned(),
        version: version.to_owned(),
        reads: taken(&view.texts("reads"), "column", out),
        writes: taken(&writes, "column", out),
        grants: taken(&view.texts("grants"), "capability", out),
        lookups: if kind == RuleKind::Aggregate { Vec::new() } else { taken(&view.texts("lookups"), "table", out) },
        config: build_config(view.node("with"), out),
        limits: build_limits(view.child("limits")),
    }
}

/// A configuration that is left out, or left empty, is the empty one.
fn build_config(with: Option<&Node>, out: &mut Findings) -> String {
    match with.filter(|with| with.plain() != Some(Plain::Null)) {
        Some(with) => to_json(with, out),
        None => "{}".to_owned(),
    }
}

fn taken(entries: &[Placed<'_>], what: &str, out: &mut Findings) -> Vec<String> {
    unique(entries, what, out);
    entries.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn build_limits(limits: View<'_>) -> Limits {
    Limits {
        memory_bytes: limits.size("memory") as usize,
        deadline: limits.time("deadline"),
        output_bytes: limits.size("output") as usize,
        output_ratio: limits.count("output_ratio") as u32,
        table_elements: limits.count("table_elements") as usize,
        log_lines: limits.count("log_lines") as usize,
        log_bytes: limits.size("log_bytes") as usize,
        component_bytes: limits.size("component") as usize,
        compile_time: limits.time("compile_time"),
        compile_memory_bytes: limits.size("compile_memory") as usize,
    }
}

/// Gives every step its label: names given first, then rules' names with the next number that is free.
fn label(steps: &mut [StepPlan], nodes: &[Node], gold: &[Node], out: &mut Findings) {
    let mut given = BTreeMap::new();
    take_names(gold, "aggregate", &mut given, out);
    take_names(nodes, "step", &mut given, out);
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    // A rule may have a name that looks like a numbered label.
    let mut taken = BTreeSet::new();
    for (StepPlan { label, what, .. }, node) in steps.iter_mut().zip(nodes) {
        if let Some(name) = node.get("name").and_then(Node::text) {
            *label = name.to_owned();
            continue;
        }
        let name = match what {
            StepWhat::Rule(rule) => rule.name.as_str(),
            StepWhat::Check { .. } => "check",
        };
        let count = next.entry(name).or_insert(0);
        *label = loop {
            *count += 1;
            let label = if *count == 1 { name.to_owned() } else { format!("{name}-{count}") };
            if !given.contains_key(label.as_str()) && taken.insert(label.clone()) {
                break label;
            }
        };
    }
}

/// Takes the names that are given; a name that is taken already is reported.
fn take_names<'a>(nodes: &'a [Node], what: &str, given: &mut BTreeMap<&'a str, Pos>, out: &mut Findings) {
    for node in nodes.iter().filter_map(|node| node.get("name")) {
        let Some(name) = node.text() else { continue };
        match given.get(name) {
            Some(first) => {
                out.push(node.pos, format!("{what} name `{name}` is taken at line {}; choose another", first.line));
            }
            None => drop(given.insert(name, node.pos)),
        }
    }
}
