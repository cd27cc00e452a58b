//! The architecture as cargo sees it: which crate may import which. Moving an edge is a decision, not an accident; it is
//! written down here and in `host/docs/architecture.md`.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// What each crate of the host may import of ours. `sluice` is the composition root and may import everything.
const EDGES: [(&str, &[&str]); 14] = [
    ("sluice-batch", &[]),
    ("sluice-ports", &["sluice-batch"]),
    ("sluice-manifest", &["sluice-batch", "sluice-ports"]),
    ("sluice-formats", &["sluice-batch", "sluice-manifest"]),
    ("sluice-sandbox", &["sluice-batch", "sluice-ports"]),
    ("sluice-local", &["sluice-batch", "sluice-ports"]),
    ("sluice-registry", &["sluice-batch", "sluice-ports"]),
    ("sluice-lookups", &["sluice-batch", "sluice-manifest", "sluice-formats"]),
    ("sluice-sql", &["sluice-batch", "sluice-ports"]),
    ("sluice-aws", &["sluice-batch", "sluice-ports"]),
    ("sluice-guard", &[]),
    ("sluice-features", &[]),
    ("sluice-flow", &["sluice-batch", "sluice-ports", "sluice-manifest", "sluice-formats", "sluice-guard"]),
    (
        "sluice",
        &[
            "sluice-batch",
            "sluice-ports",
            "sluice-manifest",
            "sluice-formats",
            "sluice-sandbox",
            "sluice-local",
            "sluice-registry",
            "sluice-lookups",
            "sluice-sql",
            "sluice-aws",
            "sluice-guard",
            "sluice-features",
            "sluice-flow",
        ],
    ),
];

/// What is heavy or of one purpose, and the crates that may import it.
const ONLY: [(&str, &[&str]); 6] = [
    ("aws", &["sluice-aws"]),
    ("datafusion", &["sluice-sql"]),
    ("wasmtime", &["sluice-sandbox"]),
    ("anyhow", &["sluice"]),
    ("clap", &["sluice"]),
    ("indicatif", &["sluice"]),
];

struct Metadata(Value);

impl Metadata {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs this test");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(serde_json::from_slice(&output.stdout).expect("metadata is JSON"))
    }

    fn packages(&self) -> impl Iterator<Item = &Value> {
        self.0["packages"].as_array().expect("a list").iter()
    }

    /// Packages of the workspace under a folder, with the names of what they import directly outside their tests.
    fn imports(&self, folder: &str) -> BTreeMap<&str, BTreeSet<&str>> {
        let members: BTreeSet<&str> =
            self.0["workspace_members"].as_array().expect("a list").iter().map(text).collect();
        let root = format!("{}/{folder}/", text(&self.0["workspace_root"]));
        let ours = self.packages().filter(|package| {
            members.contains(text(&package["id"])) && text(&package["manifest_path"]).starts_with(&root)
        });
        let direct = |package: &'_ Value| -> BTreeSet<String> {
            let all = package["dependencies"].as_array().expect("a list").iter();
            all.filter(|dependency| dependency["kind"] != "dev").map(|d| text(&d["name"]).to_owned()).collect()
        };
        ours.map(|package| {
            let wanted = direct(package);
            let names = self.packages().map(|p| text(&p["name"])).filter(|name| wanted.contains(*name));
            (text(&package["name"]), names.collect())
        })
        .collect()
    }

    /// Names of everything that a package needs to be built, its tests excepted.
    fn tree(&self, package: &str) -> BTreeSet<&str> {
        let names: BTreeMap<&str, &str> = self.packages().map(|p| (text(&p["id"]), text(&p["name"]))).collect();
        let nodes: BTreeMap<&str, &Value> =
            self.0["resolve"]["nodes"].as_array().expect("a list").iter().map(|n| (text(&n["id"]), n)).collect();
        let first = names.iter().find(|(_, name)| **name == package).expect("the package is there").0;
        let (mut seen, mut open) = (BTreeSet::new(), vec![*first]);
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                let all = nodes[id]["deps"].as_array().expect("a list").iter();
                let needed = |kind: &Value| kind["kind"] != "dev";
                let built = all.filter(|dep| dep["dep_kinds"].as_array().expect("a list").iter().any(needed));
                open.extend(built.map(|dep| text(&dep["pkg"])));
            }
        }
        seen.into_iter().map(|id| names[id]).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn every_crate_of_the_host_imports_only_what_the_architecture_allows() {
    let metadata = Metadata::read();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(name, imports)| (*name, imports.iter().copied().collect())).collect();
    let found = metadata.imports("host");
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        allowed.keys().collect::<Vec<_>>(),
        "a crate came or went: write down its edges here"
    );
    for (name, imports) in found {
        let ours: BTreeSet<&str> = imports.into_iter().filter(|import| import.starts_with("sluice")).collect();
        let more: Vec<&&str> = ours.difference(&allowed[name]).collect();
        assert!(more.is_empty(), "`{name}` imports {more:?}; it may import {:?}", allowed[name]);
    }
}

#[test]
fn rules_and_their_sdk_import_nothing_of_the_host() {
    let metadata = Metadata::read();
    let host: BTreeSet<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    let plugins = metadata.imports("plugins");
    assert!(plugins.len() >= 8, "{:?}", plugins.keys());
    for name in plugins.keys() {
        let of_host: Vec<&str> = metadata.tree(name).intersection(&host).copied().collect();
        assert!(of_host.is_empty(), "`{name}` needs {of_host:?} of the host");
    }
}

#[test]
fn what_is_heavy_or_of_one_purpose_stands_behind_one_crate() {
    let metadata = Metadata::read();
    let direct = metadata.imports("host");
    for (what, crates) in ONLY {
        let of = |import: &str| import == what || import.starts_with(&format!("{what}-"));
        let importers: Vec<&str> =
            direct.iter().filter(|(_, imports)| imports.iter().any(|i| of(i))).map(|(name, _)| *name).collect();
        // it names features of what others import, and imports nothing for itself
        let importers: Vec<&str> = importers.into_iter().filter(|name| *name != "sluice-features").collect();
        assert_eq!(importers, crates, "`{what}`");
    }
    for (what, crates) in ONLY.iter().filter(|(what, _)| matches!(*what, "aws" | "datafusion" | "wasmtime")) {
        for (name, _) in EDGES.iter().filter(|(name, _)| *name != "sluice" && !crates.contains(name)) {
            let tree = metadata.tree(name);
            let found = tree.iter().find(|package| package.starts_with(&format!("{what}-")) || **package == *what);
            assert_eq!(found, None, "`{name}` is built with `{what}`");
        }
    }
}

#[test]
fn there_is_one_arrow_and_one_parquet_in_the_tree() {
    let metadata = Metadata::read();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in metadata.packages() {
        let name = text(&package["name"]);
        if name == "arrow" || name.starts_with("arrow-") || name == "parquet" {
            versions.entry(name).or_default().insert(text(&package["version"]));
        }
    }
    assert!(versions.contains_key("arrow-array") && versions.contains_key("parquet"));
    let all: BTreeSet<&str> = versions.values().flatten().copied().collect();
    assert_eq!(all.len(), 1, "{versions:?}");
}
