//! Aggregates.

use crate::build::unique;
use crate::finding::Findings;
use crate::keys;
use crate::plan::{GoldPlan, Late, WindowPlan};
use crate::shape::{Shape, Value};
use crate::steps::build_rule;
use crate::view::View;
use crate::yaml::Node;
use sluice_ports::RuleKind;

/// Builds all aggregates.
pub(crate) fn build_gold(gold: Option<&Node>, out: &mut Findings) -> Vec<GoldPlan> {
    let nodes = gold.map_or(&[][..], Node::items);
    nodes.iter().map(|node| build_one(View::new(Some(node), gold_shape()), out)).collect()
}

fn gold_shape() -> &'static Shape {
    match keys::MANIFEST.key("gold").map(|key| &key.value) {
        Some(Value::List { of: Value::Object(shape), .. }) => shape,
        _ => unreachable!("gold is a list of mappings in the table of keys"),
    }
}

fn build_one(view: View<'_>, out: &mut Findings) -> GoldPlan {
    let keys = view.texts("keys");
    unique(&keys, "key", out);
    GoldPlan {
        name: view.text("name").unwrap_or_default().to_owned(),
        rule: build_rule(view, "aggregate", RuleKind::Aggregate, out),
        keys: keys.iter().map(|(name, _)| (*name).to_owned()).collect(),
        window: build_window(view.child("window")),
    }
}

fn build_window(window: View<'_>) -> WindowPlan {
    WindowPlan {
        width: window.time("tumbling"),
        on: window.text("on").unwrap_or_default().to_owned(),
        lateness: window.time("lateness"),
        late: if window.choice("late") == "output" { Late::Output } else { Late::Drop },
        idle: window.time("idle"),
    }
}
