//! What holds for any manifest.

use proptest::prelude::*;
use sluice_manifest::{LoadError, Owner, Place, check_text, load};
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Two manifests that between them have every key of JSON sources and of environments.
fn every_key() -> [String; 2] {
    let good = repository().join("tests/manifests/good");
    ["every-key", "every-aws-key"].map(|name| fs::read_to_string(good.join(name).join("pipeline.yaml")).unwrap())
}

/// Words that make or break manifests.
const WORDS: [&str; 34] = [
    "",
    "\n",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "~",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    ".inf",
    "5s",
    "64MiB",
    "text",
    "json",
    "csv",
    "$",
    "a.b",
    "checks@^1",
    "validate",
    "check",
    "gold",
    "\"",
    "'",
    "day(ts)",
    "🦀",
];

proptest! {
    #[test]
    fn any_text_gives_a_plan_or_findings(text in "\\PC{0,300}") {
        let _ = check_text(&text, Path::new("m"));
    }

    #[test]
    fn a_manifest_with_holes_and_patches_gives_a_plan_or_findings(
        which in 0..2usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12usize, 0..WORDS.len()), 1..6)
    ) {
        let mut text: Vec<char> = every_key()[which].chars().collect();
        for (at, cut, word) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, WORDS[word].chars());
        }
        if let Err(findings) = check_text(&text.into_iter().collect::<String>(), Path::new("m")) {
            prop_assert!(!findings.is_empty());
        }
    }

    #[test]
    fn lines_taken_out_or_doubled_give_a_plan_or_findings(
        which in 0..2usize,
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..5)
    ) {
        let text = every_key()[which].clone();
        let mut lines: Vec<&str> = text.lines().collect();
        for (pick, double) in picks {
            let at = pick.index(lines.len());
            if double {
                lines.insert(at, lines[at]);
            } else {
                lines.remove(at);
            }
        }
        let _ = check_text(&lines.join("\n"), Path::new("m"));
    }
}

#[test]
fn comments_and_order_of_keys_do_not_change_the_digest() {
    let one = "dataset: a\nsource: { format: json }\nschema: { x: text, y: int64 }\n";
    let other = "# the same\nschema:\n  x:   { type: text }\n  y: int64\nsource:\n  format: json\ndataset: a\n";
    let third = one.replace("x: text, y: int64", "y: int64, x: text");
    let digest = |text: &str| check_text(text, Path::new("m")).unwrap().plan.digest();
    assert_eq!(digest(one), digest(other));
    assert_ne!(digest(one), digest(&third), "the order of columns is that of silver");
    assert_eq!(digest(one).len(), 64);
}

#[test]
fn a_folder_stands_for_the_manifest_in_it() {
    let folder = repository().join("pipelines/orders");
    assert_eq!(load(&folder).unwrap().plan, load(&folder.join("pipeline.yaml")).unwrap().plan);
}

#[test]
fn a_missing_manifest_names_the_way_out() {
    let error = load(&repository().join("pipelines")).unwrap_err();
    assert!(matches!(&error, LoadError::Read { .. }));
    assert!(error.to_string().contains("a pipeline is a folder with a `pipeline.yaml`, or that file"), "{error}");
}

#[test]
fn a_byte_that_is_not_utf8_is_placed() {
    let file = std::env::temp_dir().join(format!("sluice-manifest-{}.yaml", std::process::id()));
    fs::write(&file, b"dataset: a\nsource: caf\xe9\n").unwrap();
    let error = load(&file).unwrap_err().to_string();
    fs::remove_file(&file).unwrap();
    assert!(error.ends_with(":2:12: this byte is not UTF-8; save the manifest as UTF-8"), "{error}");
}

#[test]
fn findings_that_appear_later_are_placed() {
    let checked = load(&repository().join("pipelines/orders")).unwrap();
    let text = fs::read_to_string(&checked.file).unwrap();
    let line = |place: &Place<'_>| text.lines().nth(checked.spans.locate(place).line - 1).unwrap().trim().to_owned();
    assert!(line(&Place::With(Owner::Step(1), "/columns/amount/to")).starts_with("amount:"));
    assert!(line(&Place::Reads(Owner::Step(2), "phone")).starts_with("reads: [email, phone"));
    assert!(line(&Place::WindowOn(0)).starts_with("on: ts"));
    assert!(line(&Place::Rule(Owner::Gold(0))).starts_with("aggregate: sums"));
    assert!(line(&Place::Column("note")).starts_with("note:"));
}

#[test]
fn labels_are_unique_whatever_the_rules_are_called() {
    let text = concat!(
        "dataset: a\n",
        "source: { format: json }\n",
        "schema: { x: text, ts: timestamp }\n",
        "steps:\n",
        "  - { validate: a-2@1, reads: [x] }\n",
        "  - { validate: a@1, reads: [x] }\n",
        "  - { validate: a@1, reads: [x] }\n",
        "  - { validate: b@1, reads: [x], name: a-3 }\n",
        "  - { validate: a@1, reads: [x] }\n",
        "  - check: { sql: x = '', reason: r }\n",
        "  - check: { sql: x = '', reason: r }\n",
        "  - { validate: totals@1, reads: [x] }\n",
        "gold:\n",
        "  - { name: totals, aggregate: sums@1, window: { tumbling: 1m, on: ts } }\n",
    );
    let plan = check_text(text, Path::new("m")).unwrap().plan;
    let labels: Vec<&str> = plan.steps.iter().map(|step| step.label.as_str()).collect();
    assert_eq!(labels, ["a-2", "a", "a-4", "a-3", "a-5", "check", "check-2", "totals-2"]);
}

#[test]
fn too_many_steps_are_refused_at_once() {
    let step = "  - { validate: a@1, reads: [nothing] }\n";
    let head = "dataset: a\nsource: { format: json }\nschema: { x: text }\nsteps:\n";
    let findings = check_text(&format!("{head}{}", step.repeat(257)), Path::new("m")).unwrap_err();
    assert_eq!(findings.to_string(), "m:5:3: `steps`: the list has 257 entries; the limit is 256");
}
