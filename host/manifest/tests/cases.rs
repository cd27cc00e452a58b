//! Manifests as cases: folders under `tests/manifests` of the repository.
//!
//! `broken/NAME` holds a `pipeline.yaml` and, in `expected.txt`, what is said about it. `SLUICE_BLESS=1` writes the
//! latter anew. `good/NAME` holds a `pipeline.yaml` about which nothing is said.

use sluice_manifest::{BreakerPlan, Checked, GoldPlan, Limits, Plan, RolloutPlan, StepWhat, check_text};
use std::fs;
use std::path::{Path, PathBuf};

fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/manifests").join(kind);
    let mut cases: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn text(case: &Path) -> String {
    fs::read_to_string(case.join("pipeline.yaml")).unwrap()
}

fn good(name: &str) -> Checked {
    let case = cases("good").into_iter().find(|case| case.ends_with(name)).unwrap();
    check_text(&text(&case), Path::new("dir/pipeline.yaml")).unwrap_or_else(|findings| panic!("{name}: {findings}"))
}

#[test]
fn every_broken_manifest_gets_the_findings_expected() {
    let bless = std::env::var_os("SLUICE_BLESS").is_some();
    let mut wrong = Vec::new();
    for case in cases("broken") {
        let said = match check_text(&text(&case), Path::new("pipeline.yaml")) {
            Ok(_) => "nothing is wrong\n".to_owned(),
            Err(findings) => format!("{findings}\n"),
        };
        let expected = case.join("expected.txt");
        if bless {
            fs::write(&expected, &said).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != said || said.starts_with("nothing is wrong") {
            wrong.push(format!("{}:\n{said}", case.file_name().unwrap().display()));
        }
    }
    assert!(wrong.is_empty(), "other findings than expected (SLUICE_BLESS=1 takes them over):\n{}", wrong.join("\n"));
}

#[test]
fn at_least_a_hundred_broken_manifests_are_tried() {
    assert!(cases("broken").len() >= 100);
}

#[test]
fn good_manifests_have_no_findings() {
    for case in cases("good") {
        good(case.file_name().unwrap().to_str().unwrap());
    }
}

#[test]
fn a_default_written_out_changes_nothing() {
    let (least, full) = (good("least"), good("defaults-written-out"));
    assert_eq!(least.plan, full.plan);
    assert_eq!(least.plan.digest(), full.plan.digest());
    assert_ne!(least.plan.digest(), good("every-key").plan.digest());
}

#[test]
fn defaults_of_the_types_are_those_of_the_keys() {
    let plan = good("least").plan;
    assert_eq!((plan.breaker, plan.rollout), (BreakerPlan::default(), RolloutPlan::default()));
    let steps = good("every-key").plan.steps;
    let limits = steps.iter().filter_map(|step| match &step.what {
        StepWhat::Rule(rule) => Some(rule.limits),
        StepWhat::Check { .. } => None,
    });
    assert_eq!(limits.collect::<Vec<_>>().pop(), Some(Limits::default()));
}

#[test]
fn every_plan_reads_back_from_its_json() {
    for case in cases("good") {
        let plan = good(case.file_name().unwrap().to_str().unwrap()).plan;
        let back: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        let without = Plan { rollout: RolloutPlan::default(), trust: Vec::new(), ..plan.clone() };
        assert_eq!(back, without, "{}", case.display());
        assert_eq!(back.digest(), plan.digest());
        for gold in &plan.gold {
            assert_eq!(serde_json::from_str::<GoldPlan>(&serde_json::to_string(gold).unwrap()).unwrap(), *gold);
        }
        let rollout = serde_json::to_string(&plan.rollout).unwrap();
        assert_eq!(serde_json::from_str::<RolloutPlan>(&rollout).unwrap(), plan.rollout);
    }
}

#[test]
fn a_manifest_kept_as_text_checks_out_again() {
    for case in cases("good") {
        let checked = good(case.file_name().unwrap().to_str().unwrap());
        assert_eq!(checked.text, text(&case));
        assert_eq!(check_text(&checked.text, &checked.file).unwrap(), checked);
    }
}

#[test]
fn whom_to_trust_and_how_to_roll_out_do_not_enter_the_digest() {
    let text = text(&cases("good").into_iter().find(|case| case.ends_with("least")).unwrap());
    let key = "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let more = format!("{text}trust: {{ keys: [\"{key}\"] }}\nrollout: {{ shadow: 5 }}\n");
    let plan = |text: &str| check_text(text, Path::new("m")).unwrap().plan;
    assert_ne!(plan(&text), plan(&more));
    assert_eq!(plan(&text).digest(), plan(&more).digest());
}

#[test]
fn environments_do_not_enter_the_digest() {
    let case = cases("good").into_iter().find(|case| case.ends_with("every-aws-key")).unwrap();
    let text = text(&case);
    let (without, _) = text.split_once("environments:").unwrap();
    let digest = |text: &str| check_text(text, Path::new("m")).unwrap().plan.digest();
    assert_eq!(digest(&text), digest(without));
}

#[test]
fn every_key_gets_into_the_plan() {
    for name in ["every-key", "every-csv-key", "every-aws-key"] {
        let checked = good(name);
        let said = serde_json::json!({
            "plan": checked.plan,
            "description": checked.description,
            "environments": checked.environments,
            "rules_path": checked.rules_path,
            "key_file": checked.key_file(),
            "bronze_key_file": checked.bronze_key_file(),
            "lookup_files": checked.plan.lookups.iter().map(|table| checked.lookup_file(table)).collect::<Vec<_>>(),
            "rollout": checked.plan.rollout,
            "trust": checked.plan.trust,
        });
        let said = serde_json::to_string_pretty(&said).unwrap() + "\n";
        let expected = cases("good").into_iter().find(|case| case.ends_with(name)).unwrap().join("plan.json");
        if std::env::var_os("SLUICE_BLESS").is_some() {
            fs::write(&expected, &said).unwrap();
        }
        assert_eq!(fs::read_to_string(expected).unwrap_or_default(), said, "{name}");
    }
}
