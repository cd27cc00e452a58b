//! The contract of the registry over stores of several kinds, and what somebody may do to its objects behind its back.

use bytes::Bytes;
use sluice_local::DirStore;
use sluice_ports::ObjectStore;
use sluice_ports::memory::{Fate, LossyStore, MemoryStore};
use sluice_registry::suite::publication;
use sluice_registry::{
    KeyPair, Lock, Published, ReadLimits, Registry, RegistryError, RuleName, RuleVersion, StoreRegistry, Trusted, find,
    suite,
};
use std::sync::Arc;

fn over(store: impl ObjectStore + 'static) -> StoreRegistry {
    StoreRegistry::new(Arc::new(store), "the test's store", ReadLimits::default())
}

fn rule(text: &str) -> RuleVersion {
    text.parse().unwrap()
}

fn name(text: &str) -> RuleName {
    text.parse().unwrap()
}

#[tokio::test]
async fn registries_in_memory_keep_the_contract() {
    let plain: sluice_ports::suite::Places<MemoryStore> = Default::default();
    suite::registry(async |place: &str| over(plain.at(place))).await;
    let lossy: sluice_ports::suite::Places<LossyStore> = Default::default();
    suite::registry(async |place: &str| over(lossy.at(place))).await;
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    suite::registry(async |place: &str| over(DirStore::create(folder.path().join(place)).unwrap())).await;
}

/// A registry with a signed rule in it, and its store.
async fn published() -> (MemoryStore, StoreRegistry, KeyPair) {
    let store = MemoryStore::default();
    let registry = over(store.clone());
    let pair = KeyPair::generate().unwrap();
    for (version, component) in [("pii@1.0.0", &b"component one"[..]), ("pii@1.1.0", b"component two")] {
        registry.publish(&publication(version, component)).await.unwrap();
        let digest = registry.artefact(&rule(version)).await.unwrap().digest;
        registry.add_signature(&rule(version), &pair.sign(&rule(version), &digest)).await.unwrap();
    }
    (store, registry, pair)
}

async fn flip(store: &MemoryStore, object: &str, byte: usize) {
    let mut bytes = store.get(object).await.unwrap().to_vec();
    bytes[byte] ^= 1;
    store.put(object, bytes.into()).await.unwrap();
}

async fn refused(registry: &StoreRegistry, version: &str) -> RegistryError {
    registry.artefact(&rule(version)).await.map(|artefact| artefact.digest).unwrap_err()
}

#[tokio::test]
async fn a_component_that_was_changed_is_never_handed_out() {
    let (store, registry, _) = published().await;
    let there = store.get("pii/1.0.0.wasm").await.unwrap();
    for byte in 0..there.len() {
        flip(&store, "pii/1.0.0.wasm", byte).await;
        let error = refused(&registry, "pii@1.0.0").await;
        assert!(matches!(error, RegistryError::Damaged(_)), "{error}");
        let told = error.to_string();
        assert!(told.starts_with("`pii/1.0.0.wasm` in the test's store: its digest is "), "{told}");
        assert!(told.contains("was changed after it was published; put back what was published"), "{told}");
        store.put("pii/1.0.0.wasm", there.clone()).await.unwrap();
    }
    registry.artefact(&rule("pii@1.0.0")).await.unwrap();
    registry.artefact(&rule("pii@1.1.0")).await.unwrap();
}

#[tokio::test]
async fn a_record_that_was_changed_is_told_to_be() {
    let (store, registry, _) = published().await;
    let record = store.get("pii/1.0.0.json").await.unwrap();
    let text = String::from_utf8(record.to_vec()).unwrap();
    let digest = registry.artefact(&rule("pii@1.0.0")).await.unwrap().digest;
    for (from, to, part) in [
        (digest.as_str(), &*"0".repeat(64), "its record says 0000"),
        ("1.0.0", "1.1.0", "it is the record of `pii@1.1.0`, not of `pii@1.0.0`"),
        ("\"pii\"", "\"checks\"", "it is the record of `checks@1.0.0`"),
        ("\"pii\"", "\"../pii\"", "is no name of a rule"),
        ("sluice:rules@0.1.0", "sluice:rules@0.2.0", "is written to the contract `sluice:rules@0.2.0`"),
        ("{", "", "`pii/1.0.0.json` in the test's store: "),
    ] {
        store.put("pii/1.0.0.json", text.replacen(from, to, 1).into()).await.unwrap();
        let error = refused(&registry, "pii@1.0.0").await.to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn cases_that_were_changed_or_taken_away_are_told_to_be() {
    let (store, registry, _) = published().await;
    store.put("pii/1.0.0.cases/more.json", Bytes::from_static(b"[]")).await.unwrap();
    let cases = registry.artefact(&rule("pii@1.0.0")).await.unwrap().cases;
    assert_eq!(cases.len(), 1, "a case that was not published is none of the version's");
    flip(&store, "pii/1.0.0.cases/nothing.json", 5).await;
    assert!(refused(&registry, "pii@1.0.0").await.to_string().contains("it was changed after it was published"));
    store.delete(&["pii/1.0.0.cases/nothing.json".to_owned()]).await.unwrap();
    assert!(refused(&registry, "pii@1.0.0").await.to_string().contains("the record names it and it is not there"));
}

#[tokio::test]
async fn trust_holds_only_with_a_true_signature_of_a_trusted_key() {
    let (store, registry, pair) = published().await;
    let trusted = Trusted::parse(&[pair.public().to_string()]).unwrap();
    let artefact = registry.artefact(&rule("pii@1.0.0")).await.unwrap();
    assert_eq!(trusted.check(&artefact).unwrap(), Some(pair.public()));

    let stranger = KeyPair::generate().unwrap();
    let of_stranger = Trusted::parse(&[stranger.public().to_string()]).unwrap();
    let error = of_stranger.check(&artefact).unwrap_err().to_string();
    assert!(error.contains(&format!("key {} is not trusted", pair.public().id())), "{error}");
    assert!(error.contains("or name the key that signed it under `trust:`"), "{error}");

    // another version's signature beside this one
    let signatures = store.get("pii/1.0.0.sig").await.unwrap();
    store.put("pii/1.0.0.sig", store.get("pii/1.1.0.sig").await.unwrap()).await.unwrap();
    let reused = registry.artefact(&rule("pii@1.0.0")).await.unwrap();
    let error = trusted.check(&reused).unwrap_err().to_string();
    assert!(error.contains("is trusted, but its signature is not over this name, version and component"), "{error}");

    // the whole version under another name: its record gives it away, and without a record its signature does
    for (from, to) in [("pii/1.0.0.wasm", "checks/1.0.0.wasm"), ("pii/1.0.0.json", "checks/1.0.0.json")] {
        store.put(to, store.get(from).await.unwrap()).await.unwrap();
    }
    store.put("checks/1.0.0.sig", signatures.clone()).await.unwrap();
    assert!(refused(&registry, "checks@1.0.0").await.to_string().contains("not of `checks@1.0.0`"));
    store.delete(&["checks/1.0.0.json".to_owned()]).await.unwrap();
    let bare = registry.artefact(&rule("checks@1.0.0")).await.unwrap();
    assert!(trusted.check(&bare).unwrap_err().to_string().contains("is not over this name"));

    // component and record changed together: only the signature is left to tell
    store.put("pii/1.0.0.wasm", Bytes::from_static(b"hostile")).await.unwrap();
    let hostile = publication("pii@1.0.0", b"hostile").record();
    store.put("pii/1.0.0.json", serde_json::to_vec(&hostile).unwrap().into()).await.unwrap();
    store.put("pii/1.0.0.sig", signatures).await.unwrap();
    let hostile = registry.artefact(&rule("pii@1.0.0")).await.unwrap();
    assert!(trusted.check(&hostile).unwrap_err().to_string().contains("is not over this name, version and component"));
}

#[tokio::test]
async fn no_flipped_byte_of_a_signature_file_makes_it_true() {
    let (store, registry, pair) = published().await;
    let trusted = Trusted::parse(&[pair.public().to_string()]).unwrap();
    let there = store.get("pii/1.0.0.sig").await.unwrap();
    let text = std::str::from_utf8(&there).unwrap();
    let from = text.find("\"key\"").unwrap();
    let mut seen = 0;
    for byte in (from..there.len()).filter(|byte| there[*byte].is_ascii_alphanumeric()) {
        flip(&store, "pii/1.0.0.sig", byte).await;
        let outcome = registry.artefact(&rule("pii@1.0.0")).await.and_then(|artefact| trusted.check(&artefact));
        assert!(outcome.is_err(), "byte {byte}");
        seen += 1;
        store.put("pii/1.0.0.sig", there.clone()).await.unwrap();
    }
    assert!(seen > 120, "{seen}");
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let store = MemoryStore::default();
    over(store.clone()).publish(&publication("pii@1.0.0", b"0123456789")).await.unwrap();
    let narrow = |limits| StoreRegistry::new(Arc::new(store.clone()), "the test's store", limits);
    let components = narrow(ReadLimits { component_bytes: 9, ..ReadLimits::default() });
    let error = refused(&components, "pii@1.0.0").await;
    assert!(matches!(error, RegistryError::Refused(_)));
    assert_eq!(error.to_string(), "`pii/1.0.0.wasm` in the test's store has 10 bytes; the limit is 9 bytes");
    let error = components.publish(&publication("pii@2.0.0", b"0123456789")).await.unwrap_err().to_string();
    assert!(error.contains("the limit is 9 bytes"), "{error}");
    let files = narrow(ReadLimits { file_bytes: 50, ..ReadLimits::default() });
    assert!(refused(&files, "pii@1.0.0").await.to_string().contains("`pii/1.0.0.json`"));
    let cases = narrow(ReadLimits { cases: 0, ..ReadLimits::default() });
    assert!(refused(&cases, "pii@1.0.0").await.to_string().contains("has 1 files of cases; the limit is 0"));
}

#[tokio::test]
async fn stray_files_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let registry = over(DirStore::create(folder.path()).unwrap());
    registry.publish(&publication("pii@1.0.0", b"component")).await.unwrap();
    for stray in [
        "README.md",
        "1.0.0.wasm",
        "PII/1.0.0.wasm",
        "pii/.1.0.0.wasm.swp",
        "pii/latest.wasm",
        "pii/1.0.wasm",
        "pii/2.0.0.json",
        "pii/2.0.0.sig",
        "pii/old/0.9.0.wasm",
        "pii/1.0.0.notes",
        "pii/1.0.0.cases/.DS_Store",
        "checks/.gitkeep",
    ] {
        let file = folder.path().join(stray);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "stray").unwrap();
    }
    assert_eq!(registry.names().await.unwrap(), [name("pii")]);
    assert_eq!(registry.versions(&name("pii")).await.unwrap().len(), 1);
    assert_eq!(registry.artefact(&rule("pii@1.0.0")).await.unwrap().cases.len(), 1);
}

#[tokio::test]
async fn a_component_put_there_by_hand_is_a_version_and_its_publication_must_be_the_same() {
    let store = MemoryStore::default();
    store.put("pii/1.0.0.wasm", Bytes::from_static(b"by hand")).await.unwrap();
    let registry = over(store);
    let artefact = registry.artefact(&rule("pii@1.0.0")).await.unwrap();
    assert!(artefact.record.is_none() && artefact.cases.is_empty());
    let error = registry.publish(&publication("pii@1.0.0", b"another")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Taken(_)), "{error}");
    assert_eq!(registry.publish(&publication("pii@1.0.0", b"by hand")).await.unwrap(), Published::New);
    assert!(registry.artefact(&rule("pii@1.0.0")).await.unwrap().record.is_some());
}

/// Loses power right after the n-th put.
struct PowerGoes {
    store: LossyStore,
    left: std::sync::atomic::AtomicUsize,
    fate: Fate,
}

#[async_trait::async_trait]
impl ObjectStore for PowerGoes {
    async fn put(&self, name: &str, data: Bytes) -> sluice_ports::Result<()> {
        self.store.put(name, data).await?;
        if self.left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 1 {
            self.store.crash_with(|_| self.fate);
            return Err(sluice_ports::PortError::new(sluice_ports::Kind::Fatal, "the power went"));
        }
        Ok(())
    }

    async fn get(&self, name: &str) -> sluice_ports::Result<Bytes> {
        self.store.get(name).await
    }

    async fn list(&self, prefix: &str) -> sluice_ports::Result<Vec<sluice_ports::ObjectMeta>> {
        self.store.list(prefix).await
    }

    async fn delete(&self, names: &[String]) -> sluice_ports::Result<()> {
        self.store.delete(names).await
    }

    async fn sync(&self) -> sluice_ports::Result<()> {
        self.store.sync().await
    }
}

#[tokio::test]
async fn a_publication_cut_short_at_any_put_is_whole_or_not_there_and_can_be_done_again() {
    let wanted = publication("pii@1.0.0", b"component");
    for fate in [Fate::Lost, Fate::Kept, Fate::Torn] {
        for puts in 1..=3 {
            let store = LossyStore::default();
            let dying = PowerGoes { store: store.clone(), left: puts.into(), fate };
            over(dying).publish(&wanted).await.unwrap_err();
            let registry = over(store);
            match registry.artefact(&wanted.rule).await {
                Ok(artefact) => assert_eq!(artefact.record, Some(wanted.record()), "{fate:?} after {puts} puts"),
                // a torn component is never handed out
                Err(RegistryError::Missing(_) | RegistryError::Damaged(_)) => {}
                Err(error) => panic!("{fate:?} after {puts} puts: {error}"),
            }
            registry.publish(&wanted).await.unwrap_or_else(|error| panic!("{fate:?} after {puts} puts: {error}"));
            assert_eq!(
                registry.artefact(&wanted.rule).await.unwrap().bytes,
                wanted.bytes,
                "{fate:?} after {puts} puts"
            );
        }
    }
}

#[tokio::test]
async fn ranges_are_resolved_to_the_newest_and_a_lock_file_holds_them_where_they_were() {
    let (_, registry, _) = published().await;
    let none = |_: &semver::Version| false;
    let pii = name("pii");
    let artefact = find(&registry, None, &pii, "^1", &none).await.unwrap();
    assert_eq!(artefact.version.to_string(), "1.1.0");
    let out = |version: &semver::Version| version.to_string() == "1.1.0";
    let older = find(&registry, None, &pii, "^1", &out).await.unwrap();
    assert_eq!(older.version.to_string(), "1.0.0");

    let mut lock = Lock::default();
    lock.pin_artefact("^1", &older);
    let pinned = find(&registry, Some(&lock), &pii, "^1", &none).await.unwrap();
    assert_eq!(pinned.version.to_string(), "1.0.0");
    let free = find(&registry, Some(&lock), &pii, "*", &none).await.unwrap();
    assert_eq!(free.version.to_string(), "1.1.0", "a range that is not pinned is free");
}

#[tokio::test]
async fn what_the_lock_file_and_the_registry_do_not_agree_on_is_told_with_the_way_out() {
    let (store, registry, _) = published().await;
    let none = |_: &semver::Version| false;
    let pii = name("pii");
    let mut lock = Lock::default();
    let artefact = registry.artefact(&rule("pii@1.0.0")).await.unwrap();
    lock.pin_artefact("^1", &artefact);
    lock.pin_artefact("^2", &artefact);
    let told = async |lock: &Lock, range| {
        let error = find(&registry, Some(lock), &pii, range, &none).await.map(|found| found.digest).unwrap_err();
        assert!(matches!(error, RegistryError::Locked(_)), "{error}");
        error.to_string()
    };
    assert_eq!(
        told(&lock, "^2").await,
        "sluice.lock pins rule `pii` at 1.0.0, which is not within `^2`; take the entry of `pii@^2` out of sluice.lock to \
         pin it anew"
    );
    // component and record are replaced together
    store.put("pii/1.0.0.wasm", Bytes::from_static(b"other")).await.unwrap();
    let record = publication("pii@1.0.0", b"other").record();
    store.put("pii/1.0.0.json", serde_json::to_vec(&record).unwrap().into()).await.unwrap();
    let error = told(&lock, "^1").await;
    assert!(error.contains(&record.digest) && error.contains(&artefact.digest), "{error}");
    assert!(
        error.contains("it was changed after it was pinned; if that was meant, take the entry of `pii@^1`"),
        "{error}"
    );
    store.delete(&["pii/1.0.0.wasm".to_owned()]).await.unwrap();
    let error = told(&lock, "^1").await;
    assert!(
        error.starts_with("no version 1.0.0 of rule `pii` in the test's store, which sluice.lock names"),
        "{error}"
    );
}

#[tokio::test]
async fn what_no_version_satisfies_is_told_with_what_is_there() {
    let (_, registry, _) = published().await;
    let none = |_: &semver::Version| false;
    let told = async |rule: &str, range| {
        let found = find(&registry, None, &name(rule), range, &none).await;
        found.map(|found| found.digest).unwrap_err().to_string()
    };
    assert_eq!(told("pii", "^2").await, "no version of rule `pii` is within `^2`; versions there: 1.0.0, 1.1.0");
    assert_eq!(told("pie", "^2").await, "no rule `pie` in the test's store; rules there: pii");
    assert!(told("pii", "two").await.starts_with("`two` is no range of versions"));
    let all = find(&registry, None, &name("pii"), "*", &|_| true).await.map(|found| found.digest).unwrap_err();
    assert!(all.to_string().ends_with("versions there: 1.0.0 (left out), 1.1.0 (left out)"), "{all}");
}
