//! `sluice plugin`: the standard rules as components.

use crate::support::root;
use crate::support::sluice::Sluice;
use serde_json::Value;

/// What a simple rule may weigh.
const MAX_BYTES: u64 = 150_000;

#[test]
fn the_standard_rules_build_to_small_components_that_import_what_they_need_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for (name, kind, imports) in [
        ("checks", "validate", &[][..]),
        ("types", "coerce", &[]),
        ("pii", "redact", &[]),
        ("pseudonyms", "redact", &["sluice:rules/token@0.1.0"]),
        ("lookups", "coerce", &["sluice:rules/lookup@0.1.0"]),
        ("sums", "aggregate", &[]),
    ] {
        let file = folder.path().join(format!("{name}.wasm"));
        let package = root().join("plugins").join(name);
        let built = Sluice::new("plugin").arg("build").arg(package).arg("--out").arg(&file).output().ok();
        assert!(built.stdout.contains(&format!("{name}@")), "{}", built.stdout);
        let inspected = Sluice::new("plugin").args(["inspect", "--json"]).arg(&file).output().ok();
        let rule: Value = serde_json::from_str(&inspected.stdout).unwrap();
        let bytes = file.metadata().unwrap().len();
        assert_eq!(rule["bytes"], bytes);
        assert!(bytes < MAX_BYTES, "{name} has {bytes} bytes");
        assert_eq!(rule["description"]["name"], *name);
        assert_eq!(rule["description"]["kind"], *kind);
        assert_eq!(rule["refusal"], Value::Null);
        let of_world =
            |import: &&str| !import.starts_with("sluice:rules/types@") && !import.starts_with("sluice:rules/verdicts@");
        let found: Vec<&str> = rule["imports"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(found.into_iter().filter(of_world).collect::<Vec<_>>(), imports, "{name}");
    }
}

#[test]
fn inspecting_tells_people_what_a_rule_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checks.wasm");
    Sluice::new("plugin").arg("build").arg(root().join("plugins/checks")).arg("--out").arg(&file).output().ok();
    let text = Sluice::new("plugin").arg("inspect").arg(&file).output().ok().stdout;
    for part in ["rule     checks@", "(validate)", "size     ", "digest   ", "imports  ", "exports  sluice:rules/"] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn a_file_that_is_no_rule_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.wasm");
    std::fs::write(&file, "no WebAssembly").unwrap();
    let inspected = Sluice::new("plugin").arg("inspect").arg(&file).output().exits(3);
    assert!(inspected.stdout.contains("refused"), "{}", inspected.printed());
}

#[test]
fn a_folder_without_a_package_is_said_to_have_none() {
    let folder = tempfile::tempdir().unwrap();
    Sluice::new("plugin").arg("build").arg(folder.path()).output().exits(1).says(&["Cargo.toml"]);
}
