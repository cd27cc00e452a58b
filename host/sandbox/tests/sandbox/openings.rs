//! Rules that want more than they were granted, or break while they are opened.

use crate::guests::{config, open, transformer, validator};
use sluice_ports::RuleKind;
use sluice_sandbox::{Capability, Finding, OpenError};
use std::time::Duration;

/// Attack, and what the error says of it.
pub(crate) const TESTED: &[(&str, &str)] = &[
    ("open_loop", "deadline of 100 ms passed while it was opened"),
    ("open_trap", "trapped while it was opened: wasm `unreachable` instruction executed"),
    ("open_allocate", "of memory while it was opened; its cap is 64 MiB"),
    ("open_huge", "its answer while it was opened is over its limit of 1 MiB"),
    ("findings", "/columns/a\u{fffd}[31m: is not there; and more"),
    ("findings_none", "it refused its configuration and did not say why"),
    ("reads_ungranted", "it reads column `secret`, which the manifest does not grant; add it to `reads`"),
    ("reads_unknown", "it reads column `nowhere`, which does not exist where the step stands"),
    ("reads_twice", "it reads column `text` twice"),
    ("writes_ungranted", "it writes column `secret`, which the manifest does not grant; add it to `writes`"),
    ("writes_twice", "it writes column `text` twice"),
    ("writes_reserved", "names that begin with `_sluice` are the host's"),
    ("writes_nameless", "`` is no name of a column"),
    ("adds_existing", "it says that it adds column `text`, which is there already"),
    ("replaces_missing", "it says that it replaces column `new`, which does not exist"),
    ("type_impossible", "column `text`: `decimal(39,2)` is no type"),
    ("reason_malformed", "`Not Good` is no reason code"),
    ("reason_twice", "it has reason `bad` twice"),
    ("partials_of_a_transformer", "it has partial columns and is no aggregator"),
];

#[test]
fn every_bad_opening_is_refused_by_name() {
    for (attack, says) in TESTED {
        let mut config = config(attack);
        config.limits.open_deadline = Duration::from_millis(100);
        let text = transformer().open(config).map(drop).expect_err(attack).to_string();
        assert!(text.starts_with("step `mask` (rule `hostile-transformer@0.1.0`): "), "{attack}: {text}");
        assert!(text.contains(says), "{attack}: {text}");
    }
}

#[test]
fn findings_are_all_handed_on() {
    let Err(OpenError::Findings { step, rule, findings }) = transformer().open(config("findings")) else {
        panic!("findings were to come");
    };
    assert_eq!((step.as_str(), rule.as_str()), ("mask", "hostile-transformer@0.1.0"));
    assert_eq!(findings[1], Finding { path: String::new(), message: "and more".into() });
}

#[test]
fn all_that_is_not_granted_is_said_at_once() {
    let mut config = config("honest");
    config.reads.clear();
    config.writes.clear();
    let Err(OpenError::Refused { problems, .. }) = transformer().open(config) else { panic!("was to be refused") };
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn a_capability_that_is_not_granted_is_refused() {
    let mut config = config("honest");
    config.grants = [Capability::Log].into();
    let text = transformer().open(config).map(drop).unwrap_err().to_string();
    let says = "(`sluice:rules/token@0.1.0`), which the manifest does not grant; add it to `grants`";
    assert!(text.contains("): it uses capability `token` "), "{text}");
    assert!(text.ends_with(says), "{text}");
}

#[test]
fn pseudonyms_need_a_key() {
    let mut config = config("honest");
    config.token_key = None;
    let text = transformer().open(config).map(drop).unwrap_err().to_string();
    assert!(text.ends_with("there is no key; name one under `token`"), "{text}");
}

#[test]
fn a_validator_changes_nothing() {
    let text = validator().open(config("writes")).map(drop).unwrap_err().to_string();
    assert!(text.contains("it is a validator and says that it writes columns"), "{text}");
}

#[test]
fn a_plan_says_what_the_rule_does() {
    let mut config = config("honest");
    config.grants = Default::default();
    let plan = open(validator(), config);
    assert_eq!(plan.kind(), RuleKind::Validate);
    assert_eq!(plan.id().to_string(), "hostile-validator@0.1.0");
    assert_eq!(plan.id().digest.len(), 64);
    assert_eq!(plan.signature().reads, ["number"]);
    assert_eq!(plan.signature().reasons[0].code, "negative");
    assert_eq!(plan.deadline(), Duration::from_millis(50));
}
