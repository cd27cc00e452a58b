//! `sluice plugin publish`, `keygen`, `sign`, `verify`: rules in a registry, and pipelines that run from one.

use crate::support::sluice::{Outcome, Sluice, build_rules, write_pipeline};
use crate::support::{files, root};
use serde_json::Value;
use sluice_local::DirStore;
use sluice_registry::case::{CASE_TOKEN_KEY, Outcome as CaseOutcome};
use sluice_registry::{Artefact, Case, Lock, Locked, ReadLimits, Registry, StoreRegistry};
use sluice_sandbox::{Component, Limits, OpenError, Sandbox, SandboxConfig, StepConfig, TokenKey};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

const STANDARD: [&str; 5] = ["checks", "pii", "pseudonyms", "sums", "types"];

fn plugin(command: &str) -> Sluice {
    Sluice::new("plugin").arg(command)
}

/// The standard rules, published once for all tests, as a folder that no test changes.
fn standard() -> &'static Path {
    static PUBLISHED: OnceLock<PathBuf> = OnceLock::new();
    PUBLISHED.get_or_init(|| {
        build_rules();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("published");
        // of an earlier run, whose rules may have been others
        let _ = std::fs::remove_dir_all(&folder);
        for name in STANDARD {
            let package = root().join("plugins").join(name);
            let published = plugin("publish").arg(package).arg("--to").arg(&folder).output().ok();
            assert!(published.stdout.contains(&format!("{name}@1.0.0: published in ")), "{}", published.stdout);
        }
        folder
    })
}

/// A copy of the standard rules, for a test of its own.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    files::copy_folder(standard(), folder.path());
    folder
}

fn keygen(folder: &Path, name: &str) -> (PathBuf, String) {
    let file = folder.join(name);
    let key = plugin("keygen").arg(&file).output().ok().stdout.trim().to_owned();
    assert!(key.starts_with("ed25519:"), "{key}");
    (file, key)
}

fn verify(registry: &Path, rule: &str, trust: &[&str]) -> Outcome {
    let trust = trust.iter().flat_map(|key| ["--trust", key]);
    plugin("verify").arg(rule).arg("--registry").arg(registry).args(trust).output()
}

fn artefact(registry: &Path, rule: &str) -> Artefact {
    let store = DirStore::open(registry).unwrap();
    let registry = StoreRegistry::new(Arc::new(store), registry.display().to_string(), ReadLimits::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(registry.artefact(&rule.parse().unwrap())).unwrap()
}

#[test]
fn a_rule_is_published_signed_and_verified_from_end_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let (file, key) = keygen(folder.path(), "key.pem");
    let registry = folder.path().join("rules");
    let publish = || {
        let package = root().join("plugins/pii");
        let publish =
            plugin("publish").arg(package).arg("--to").arg(&registry).args(["--publisher", "the privacy office"]);
        publish.arg("--key").arg(&file).output().ok().stdout
    };
    let published = publish();
    assert!(
        published.contains("pii@1.0.0: published in ") && published.contains("3 files of cases, signed by key "),
        "{published}"
    );
    assert!(publish().contains("pii@1.0.0: was published already in "), "the same again is no error");

    let verified = verify(&registry, "pii@1.0.0", &[&key]).ok().stdout;
    for part in ["rule     pii@1.0.0", "digest   ", " by the privacy office, 3 files of cases", "verifies, trusted"] {
        assert!(verified.contains(part), "`{part}` is not in:\n{verified}");
    }
    let json = plugin("verify").args(["pii@1.0.0", "--json", "--registry"]).arg(&registry).output().ok().stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["record"]["contract"], "sluice:rules@0.1.0");
    assert_eq!(json["record"]["digest"], json["digest"]);
    assert_eq!(json["signatures"][0]["verifies"], true);
    assert_eq!(json["problems"].as_array().unwrap().len(), 0);
}

#[test]
fn a_key_that_is_not_trusted_does_not_vouch_until_one_that_is_signs_as_well() {
    let registry = copy();
    let keys = tempfile::tempdir().unwrap();
    let (theirs, _) = keygen(keys.path(), "theirs.pem");
    let (mine, key) = keygen(keys.path(), "mine.pem");
    let sign =
        |file: &Path| plugin("sign").arg("checks@1.0.0").arg("--key").arg(file).arg("--registry").arg(registry.path());
    let unsigned = verify(registry.path(), "checks@1.0.0", &[&key]).exits(3).stdout;
    assert!(unsigned.contains("it is not signed; sign it"), "{unsigned}");
    sign(&theirs).output().ok();
    let refused = verify(registry.path(), "checks@1.0.0", &[&key]).exits(3).stdout;
    assert!(
        refused.contains("verifies, not trusted") && refused.contains("is not vouched for by any trusted key"),
        "{refused}"
    );
    sign(&mine).output().ok();
    verify(registry.path(), "checks@1.0.0", &[&key]).ok();
    let wrong = verify(registry.path(), "checks@1.0.0", &["ssh-ed25519 AAAA"]).exits(1);
    wrong.says(&["`ssh-ed25519 AAAA` is no public key: it begins with `ed25519:`"]);
}

#[test]
fn what_was_changed_behind_the_registrys_back_is_refused() {
    let registry = copy();
    let keys = tempfile::tempdir().unwrap();
    let (file, key) = keygen(keys.path(), "key.pem");
    for rule in ["pii@1.0.0", "types@1.0.0"] {
        plugin("sign").arg(rule).arg("--key").arg(&file).arg("--registry").arg(registry.path()).output().ok();
    }
    let at = |name: &str| registry.path().join(name);
    let flip = |name: &str| {
        let mut bytes = std::fs::read(at(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        files::write(&at(name), bytes);
    };
    let (pii, types) = (std::fs::read(at("pii/1.0.0.sig")).unwrap(), std::fs::read(at("types/1.0.0.sig")).unwrap());
    files::write(&at("pii/1.0.0.sig"), &types);
    let reused = verify(registry.path(), "pii@1.0.0", &[]).exits(3).stdout;
    assert!(
        reused.contains("does not verify") && reused.contains("is not over this name, version and component"),
        "{reused}"
    );
    files::write(&at("pii/1.0.0.sig"), &pii);
    verify(registry.path(), "pii@1.0.0", &[&key]).ok();
    flip("pii/1.0.0.wasm");
    let changed = verify(registry.path(), "pii@1.0.0", &[&key]).exits(3).stdout;
    assert!(changed.contains("refused  `pii/1.0.0.wasm` in ") && changed.contains("its record says "), "{changed}");
    // and a pipeline that would run it is told so, at the line that names it
    let pipeline = redacting(registry.path());
    let check = Sluice::new("check").arg(pipeline.path()).output().exits(3);
    check.says(&["pipeline.yaml:6", "was changed after it was published"]);
    // publishing the same again puts back what was changed
    plugin("publish").arg(root().join("plugins/pii")).arg("--to").arg(registry.path()).output().ok();
    verify(registry.path(), "pii@1.0.0", &[&key]).ok();
}

#[test]
fn a_version_never_changes_and_the_way_out_is_told() {
    let registry = tempfile::tempdir().unwrap();
    let version = registry.path().join("pii/1.0.0.wasm");
    std::fs::create_dir_all(version.parent().unwrap()).unwrap();
    files::write(&version, "another component");
    let publish = plugin("publish").arg(root().join("plugins/pii")).arg("--to").arg(registry.path()).output().exits(1);
    let digest = artefact(standard(), "pii@1.0.0").digest;
    publish.says(&["`pii@1.0.0` is published with the component ", &digest, "raise the version of the rule"]);
    assert_eq!(std::fs::read(&version).unwrap(), b"another component");
}

#[test]
fn a_component_is_published_without_its_sources() {
    let folder = tempfile::tempdir().unwrap();
    let component = standard().join("checks/1.0.0.wasm");
    plugin("publish").arg(&component).output().exits(1).says(&["a component is published with `--to DIR`"]);
    let cases = root().join("plugins/checks/cases");
    let publish = plugin("publish").arg(&component).arg("--to").arg(folder.path()).arg("--cases").arg(cases);
    assert!(publish.output().ok().stdout.contains("checks@1.0.0: published in "));
    let (one, other) = (artefact(folder.path(), "checks@1.0.0"), artefact(standard(), "checks@1.0.0"));
    assert_eq!((one.digest, one.cases), (other.digest, other.cases));
    let text = folder.path().join("text.wasm");
    files::write(&text, "no WebAssembly");
    plugin("publish").arg(&text).arg("--to").arg(folder.path()).output().exits(3).says(&["text.wasm: "]);
}

#[test]
fn a_key_file_is_never_written_over_and_a_key_that_is_none_publishes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = keygen(folder.path(), "key.pem");
    plugin("keygen").arg(&file).output().exits(1).says(&["key.pem` is there already and is not written over"]);
    let registry = folder.path().join("rules");
    files::write(&file, "no key");
    let publish = plugin("publish").arg(root().join("plugins/pii")).arg("--to").arg(&registry).arg("--key").arg(&file);
    publish.output().exits(1).says(&["holds no private ed25519 key"]);
    assert!(!registry.exists());
}

/// A pipeline that takes `pii` from a registry.
fn redacting(registry: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "dataset: people
source: {{ format: json }}
schema: {{ email: text }}
rules: {}
steps:
  - redact: pii@^1
    reads: [email]
    writes: [email]
    with: {{ columns: {{ email: {{ as: email }} }} }}
",
        registry.display()
    );
    write_pipeline(folder.path(), &manifest);
    folder
}

#[test]
fn a_pipeline_runs_from_a_registry_without_any_sources() {
    let pipeline = redacting(standard());
    let input = pipeline.path().join("people.ndjson");
    files::write(&input, "{\"email\": \"jo@x.de\"}\n");
    let data = pipeline.path().join("data");
    let run =
        Sluice::new("run").arg(pipeline.path()).arg("--json").arg("--data-dir").arg(&data).input(&input).output().ok();
    assert_eq!(run.account()["silver"], 1, "{}", run.stderr);
    assert!(!run.stderr.contains("building rules"), "{}", run.stderr);
}

#[test]
fn the_lock_file_beside_a_manifest_decides_and_what_it_does_not_agree_with_is_a_finding() {
    let registry = copy();
    let pipeline = redacting(registry.path());
    let there = artefact(registry.path(), "pii@1.0.0");
    let file = Lock::beside(&pipeline.path().join("pipeline.yaml"));
    let check = || Sluice::new("check").arg(pipeline.path()).output();
    let pin = |version: &str, digest: &str| {
        let mut lock = Lock::default();
        let (name, version) = (there.name.clone(), version.parse().unwrap());
        lock.pin(Locked { name, range: "^1".into(), version, digest: digest.into() });
        lock.write(&file).unwrap();
    };
    pin("1.0.0", &there.digest);
    check().ok();
    pin("1.0.0", &"0".repeat(64));
    check().exits(3).says(&["pipeline.yaml:6", "it was changed after it was pinned", &there.digest]);
    pin("2.0.0", &there.digest);
    check().exits(3).says(&["sluice.lock pins rule `pii` at 2.0.0, which is not within `^1`"]);
    pin("1.1.0", &there.digest);
    check().exits(3).says(&["no version 1.1.0 of rule `pii`", "which sluice.lock names"]);
    files::write(&file, "<<<<<<< HEAD\n");
    check().exits(1).says(&["sluice.lock`: ", "delete it to pin all rules anew"]);
}

#[test]
fn rules_whose_sources_have_not_changed_are_not_built_again() {
    build_rules();
    let file = root().join("plugins/checks/src/lib.rs");
    // its time changes, and nothing else: a clone or a switch of branches does the same
    let text = std::fs::read(&file).unwrap();
    let times = std::fs::FileTimes::new().set_modified(std::time::SystemTime::now());
    std::fs::File::options().append(true).open(&file).unwrap().set_times(times).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), text);
    let check = Sluice::new("check").arg(crate::support::pipeline("orders")).output().ok();
    assert!(!check.stderr.contains("building rules"), "{}", check.stderr);
}

#[test]
fn the_standard_rules_pass_their_own_cases_in_the_sandbox() {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    for name in STANDARD {
        let artefact = artefact(standard(), &format!("{name}@1.0.0"));
        let component = sandbox.load(&artefact.bytes).unwrap();
        let cases: Vec<Case> = artefact.cases.iter().flat_map(|file| file.parse().unwrap()).collect();
        assert!(cases.len() >= 3, "{name} has {} cases", cases.len());
        for case in cases {
            let outcome = outcome(&component, &case);
            let differences: Vec<String> = case.compare(&outcome).iter().map(ToString::to_string).collect();
            assert!(differences.is_empty(), "{name}: {}: {differences:#?}", case.name);
        }
    }
}

fn outcome(component: &Component, case: &Case) -> CaseOutcome {
    let config = StepConfig {
        label: case.name.clone(),
        dataset: "cases".to_owned(),
        config: case.config.clone(),
        inputs: case.fields.clone(),
        reads: case.fields.iter().map(|field| field.name.clone()).collect(),
        writes: case.writes.clone(),
        grants: case.grants.iter().map(|grant| grant.parse().unwrap()).collect(),
        limits: Limits::default(),
        token_key: Some(TokenKey::new(CASE_TOKEN_KEY).unwrap()),
        lookups: Vec::new(),
    };
    match component.open(config) {
        Ok(plan) => case.run(plan.as_ref()).unwrap_or_else(|failure| panic!("{}: {failure}", case.name)),
        Err(OpenError::Findings { findings, .. }) => {
            CaseOutcome::Findings(findings.iter().map(ToString::to_string).collect())
        }
        Err(error) => panic!("{}: {error}", case.name),
    }
}
