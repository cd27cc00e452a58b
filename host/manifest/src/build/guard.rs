//! What may leave, where keys come from, and whom to trust.

use super::unique;
use crate::finding::Findings;
use crate::plan::{BronzePlan, GuardLayer, GuardPlan, KeySource, OnHit, PiiKind, SchemaColumn};
use crate::view::View;
use std::path::PathBuf;

pub(super) fn build_guard(top: View<'_>, out: &mut Findings) -> Option<GuardPlan> {
    top.node("guard")?;
    let guard = top.child("guard");
    let (kinds, layers, allow) = (guard.texts("kinds"), guard.texts("layers"), guard.texts("allow"));
    unique(&kinds, "kind", out);
    unique(&layers, "layer", out);
    unique(&allow, "column", out);
    let layer = |name: &str| GuardLayer::ALL.into_iter().find(|layer| layer.name() == name);
    let kind = |name: &str| PiiKind::ALL.into_iter().find(|kind| kind.name() == name);
    Some(GuardPlan {
        kinds: kinds.iter().filter_map(|(name, _)| kind(name)).collect(),
        layers: match guard.node("layers") {
            Some(_) => layers.iter().filter_map(|(name, _)| layer(name)).collect(),
            None => GuardLayer::ALL.to_vec(),
        },
        on_hit: if guard.choice("on_hit") == "quarantine" { OnHit::Quarantine } else { OnHit::Mask },
        allow: allow.iter().map(|(name, _)| (*name).to_owned()).collect(),
    })
}

/// Bronze holds records as they arrived: what is personal in them lies there for as long as bronze does.
pub(super) fn build_bronze(top: View<'_>, schema: &[SchemaColumn], out: &mut Findings) -> BronzePlan {
    let bronze = top.child("bronze");
    let plan = BronzePlan { enabled: bronze.flag("enabled"), encrypt: build_key_source(bronze, "encrypt") };
    let personal = schema.iter().find(|column| column.pii.is_some());
    if let (true, None, Some(column)) = (plan.enabled, bronze.node("encrypt"), personal) {
        let message = format!("bronze would keep the personal `{}` in the clear", column.name);
        let way_out = "add `encrypt: { key_env: SLUICE_BRONZE_KEY }`, or leave bronze off";
        out.push(bronze.pos("enabled"), format!("{message}; {way_out}"));
    }
    plan
}

pub(super) fn build_key_source(of: View<'_>, key: &str) -> Option<KeySource> {
    of.node(key)?;
    let source = of.child(key);
    Some(KeySource {
        key_env: source.text("key_env").map(str::to_owned),
        key_file: source.text("key_file").map(PathBuf::from),
    })
}

pub(super) fn build_trust(top: View<'_>, out: &mut Findings) -> Vec<String> {
    let keys = top.child("trust").texts("keys");
    unique(&keys, "key", out);
    keys.into_iter().map(|(key, _)| key.to_owned()).collect()
}
