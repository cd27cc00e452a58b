//! The contract of [`Registry`], to be run on every implementation.

use crate::{
    CaseFile, Decision, Evidence, KeyPair, Publication, Published, Registry, RegistryError, RuleVersion, Verdict,
};
use bytes::Bytes;
use sluice_batch::digest_hex;

const CASE: &[u8] = br#"{"name": "nothing", "columns": [], "expect": {"findings": ["there is nothing to do"]}}"#;

/// Runs the contract on registries made at places: two made at one place share what they hold, and each place starts
/// empty.
///
/// # Panics
/// Where the contract is broken.
pub async fn registry<R: Registry>(make: impl AsyncFn(&str) -> R) {
    an_empty_registry_has_nothing(&make("empty").await).await;
    what_is_published_is_read_back(&make("read").await, &make("read").await).await;
    versions_are_in_the_order_of_semver(&make("order").await).await;
    a_version_never_changes(&make("immutable").await).await;
    what_cannot_be_read_back_is_not_published(&make("refused").await).await;
    signatures_are_added_and_only_true_ones(&make("signed").await).await;
    a_verdict_is_kept_for_each_dataset_and_replaced(&make("verdicts").await).await;
}

/// A publication for tests: `component` stands for the component.
pub fn publication(rule: &str, component: &'static [u8]) -> Publication {
    Publication {
        rule: rule.parse().expect("a rule and version"),
        bytes: Bytes::from_static(component),
        cases: vec![CaseFile::new("nothing.json", CASE).expect("a name of a case")],
        published_at: "2026-01-01T00:00:00Z".to_owned(),
        publisher: Some("the suite".to_owned()),
    }
}

fn rule(text: &str) -> RuleVersion {
    text.parse().unwrap()
}

async fn an_empty_registry_has_nothing<R: Registry>(registry: &R) {
    let absent = rule("absent@1.0.0");
    assert!(registry.names().await.unwrap().is_empty());
    assert!(registry.versions(&absent.name).await.unwrap().is_empty(), "an absent rule has no versions, and no error");
    let error = registry.artefact(&absent).await.unwrap_err();
    assert!(matches!(error, RegistryError::Missing(_)), "{error}");
    assert!(error.to_string().contains("1.0.0") && error.to_string().contains("`absent`"), "{error}");
    assert_eq!(registry.verdict(&absent, "orders").await.unwrap(), None);
}

async fn what_is_published_is_read_back<R: Registry>(one: &R, other: &R) {
    let publication = publication("pii@1.2.0", b"component");
    assert_eq!(one.publish(&publication).await.unwrap(), Published::New);
    let artefact = other.artefact(&publication.rule).await.unwrap();
    assert_eq!(artefact.id(), publication.rule);
    assert_eq!(artefact.digest, digest_hex(b"component"));
    assert_eq!(artefact.bytes, publication.bytes);
    assert_eq!(artefact.record, Some(publication.record()));
    assert_eq!(artefact.cases, publication.cases);
    assert!(artefact.signatures.is_empty());
    assert_eq!(other.names().await.unwrap(), std::slice::from_ref(&publication.rule.name));
}

async fn versions_are_in_the_order_of_semver<R: Registry>(registry: &R) {
    for version in ["1.10.0", "1.9.0", "1.10.0-rc.1", "0.1.0", "1.10.0+build.2"] {
        registry.publish(&publication(&format!("pii@{version}"), b"component")).await.unwrap();
    }
    registry.publish(&publication("pii-more@3.0.0", b"component")).await.unwrap();
    let versions = registry.versions(&"pii".parse().unwrap()).await.unwrap();
    let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
    assert_eq!(versions, ["0.1.0", "1.9.0", "1.10.0-rc.1", "1.10.0", "1.10.0+build.2"]);
    let names: Vec<String> = registry.names().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["pii", "pii-more"]);
}

async fn a_version_never_changes<R: Registry>(registry: &R) {
    let first = publication("pii@1.0.0", b"one");
    registry.publish(&first).await.unwrap();
    let again = Publication { published_at: "2027-01-01T00:00:00Z".to_owned(), publisher: None, ..first.clone() };
    assert_eq!(registry.publish(&again).await.unwrap(), Published::Already, "the same again is no error");
    let error = registry.publish(&publication("pii@1.0.0", b"two")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Taken(_)), "{error}");
    for part in [digest_hex(b"one"), digest_hex(b"two"), "raise the version".to_owned()] {
        assert!(error.to_string().contains(&part), "{error}");
    }
    let error = registry.publish(&Publication { cases: vec![], ..first.clone() }).await.unwrap_err();
    assert!(matches!(error, RegistryError::Taken(_)), "its cases are part of it: {error}");
    let artefact = registry.artefact(&first.rule).await.unwrap();
    assert_eq!((artefact.bytes, artefact.record), (first.bytes.clone(), Some(first.record())), "nothing has changed");
}

async fn what_cannot_be_read_back_is_not_published<R: Registry>(registry: &R) {
    let good = publication("pii@1.0.0", b"one");
    let broken = CaseFile::new("broken.json", &b"{}"[..]).unwrap();
    let twice = [good.cases.clone(), good.cases.clone()].concat();
    for cases in [vec![broken], twice] {
        let error = registry.publish(&Publication { cases, ..good.clone() }).await.unwrap_err();
        assert!(matches!(error, RegistryError::Refused(_)), "{error}");
    }
    assert!(registry.names().await.unwrap().is_empty(), "a refused version is not listed");
}

async fn signatures_are_added_and_only_true_ones<R: Registry>(registry: &R) {
    let (one, two) = (publication("pii@1.0.0", b"one"), publication("pii@2.0.0", b"two"));
    registry.publish(&one).await.unwrap();
    registry.publish(&two).await.unwrap();
    let (mine, theirs) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let signatures = [&mine, &theirs].map(|pair| pair.sign(&one.rule, &digest_hex(&one.bytes)));
    for signature in signatures.iter().chain(&signatures) {
        registry.add_signature(&one.rule, signature).await.unwrap();
    }
    assert_eq!(registry.artefact(&one.rule).await.unwrap().signatures, signatures, "each once, in the order added");
    let error = registry.add_signature(&two.rule, &signatures[0]).await.unwrap_err();
    assert!(matches!(error, RegistryError::Refused(_)), "a signature of another version: {error}");
    assert!(registry.artefact(&two.rule).await.unwrap().signatures.is_empty());
    let error = registry.add_signature(&rule("pii@3.0.0"), &signatures[0]).await.unwrap_err();
    assert!(matches!(error, RegistryError::Missing(_)), "{error}");
}

async fn a_verdict_is_kept_for_each_dataset_and_replaced<R: Registry>(registry: &R) {
    let it = publication("pii@1.0.0", b"one");
    registry.publish(&it).await.unwrap();
    let verdict = |dataset: &str, decision| Verdict {
        name: it.rule.name.clone(),
        version: it.rule.version.clone(),
        digest: digest_hex(&it.bytes),
        dataset: dataset.to_owned(),
        key: "key".to_owned(),
        decision,
        at: "2026-01-01T00:00:00Z".to_owned(),
        by: "the suite".to_owned(),
        evidence: vec![Evidence { check: "cases".into(), passed: true, detail: "3 cases passed".into() }],
    };
    let (orders, people) = (verdict("orders", Decision::Admitted), verdict("people", Decision::Refused));
    registry.put_verdict(&orders).await.unwrap();
    registry.put_verdict(&people).await.unwrap();
    assert_eq!(registry.verdict(&it.rule, "orders").await.unwrap(), Some(orders));
    let back = verdict("orders", Decision::RolledBack);
    registry.put_verdict(&back).await.unwrap();
    assert_eq!(registry.verdict(&it.rule, "orders").await.unwrap(), Some(back));
    assert_eq!(registry.verdict(&it.rule, "people").await.unwrap(), Some(people));
    assert_eq!(registry.verdict(&it.rule, "events").await.unwrap(), None);
    for dataset in ["", "..", "a/b", "../x"] {
        let error = registry.put_verdict(&verdict(dataset, Decision::Admitted)).await.unwrap_err();
        assert!(matches!(error, RegistryError::Refused(_)), "`{dataset}`: {error}");
    }
    let absent = Verdict { version: "9.0.0".parse().unwrap(), ..verdict("orders", Decision::Admitted) };
    assert!(matches!(registry.put_verdict(&absent).await.unwrap_err(), RegistryError::Missing(_)));
    let artefact = registry.artefact(&it.rule).await.unwrap();
    assert_eq!(artefact.record, Some(it.record()), "verdicts do not change the version");
}
