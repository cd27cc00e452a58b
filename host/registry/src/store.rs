//! A registry as objects of a store.
//!
//! ```text
//! NAME/VERSION.wasm               the component; the last to be written
//! NAME/VERSION.json               its record
//! NAME/VERSION.sig                who vouches for it: a JSON list
//! NAME/VERSION.cases/CASE.json    its own test cases
//! NAME/VERSION.verdicts/DATASET.json
//! ```

use crate::artefact::{Artefact, CONTRACT, CaseFile, Publication, Record, is_case_name};
use crate::error::{RegistryError, Result};
use crate::name::{RuleName, RuleVersion, parse_version};
use crate::registry::{Published, Registry};
use crate::signature::{self, Signature};
use crate::verdict::Verdict;
use async_trait::async_trait;
use bytes::Bytes;
use semver::Version;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_batch::digest_hex;
use sluice_ports::{Kind, ObjectStore};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most signatures of one version.
const MAX_SIGNATURES: usize = 100;

/// What is read at most; more is refused by its size, before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes of a component.
    pub component_bytes: u64,
    /// Bytes of a record, of the signatures, of a verdict, of one file of cases.
    pub file_bytes: u64,
    /// Files of cases of one version.
    pub cases: usize,
}

impl Default for ReadLimits {
    /// Components of 64 MiB, which is the most that any manifest can allow; other files of 1 MiB; 200 files of cases.
    fn default() -> Self {
        Self { component_bytes: 64 << 20, file_bytes: 1 << 20, cases: 200 }
    }
}

/// A registry in a store of objects: a folder, or a prefix in S3.
#[derive(Clone)]
pub struct StoreRegistry {
    store: Arc<dyn ObjectStore>,
    place: String,
    limits: ReadLimits,
}

impl StoreRegistry {
    /// A registry over a store. `place` says where that is, for messages.
    pub fn new(store: Arc<dyn ObjectStore>, place: impl Into<String>, limits: ReadLimits) -> Self {
        Self { store, place: place.into(), limits }
    }

    /// Sizes of everything of a version, by what comes after `NAME/VERSION.`.
    async fn files(&self, rule: &RuleVersion) -> Result<BTreeMap<String, u64>> {
        let prefix = file(rule, "");
        let listed = self.store.list(&prefix).await?.into_iter();
        Ok(listed.filter_map(|object| Some((object.name.strip_prefix(&prefix)?.to_owned(), object.size))).collect())
    }

    /// A file of a version, none where there is none.
    async fn read(
        &self,
        rule: &RuleVersion,
        files: &BTreeMap<String, u64>,
        name: &str,
        limit: u64,
    ) -> Result<Option<Bytes>> {
        let Some(size) = files.get(name) else { return Ok(None) };
        self.check_size(rule, name, *size, limit)?;
        let bytes = match self.store.get(&file(rule, name)).await {
            Err(error) if error.kind == Kind::NotFound => return Ok(None),
            got => got?,
        };
        // it may have grown since it was listed
        self.check_size(rule, name, bytes.len() as u64, limit)?;
        Ok(Some(bytes))
    }

    fn check_size(&self, rule: &RuleVersion, name: &str, size: u64, limit: u64) -> Result<()> {
        if size <= limit {
            return Ok(());
        }
        let file = file(rule, name);
        Err(RegistryError::Refused(format!("`{file}` in {} has {size} bytes; the limit is {limit} bytes", self.place)))
    }

    async fn component(&self, rule: &RuleVersion, files: &BTreeMap<String, u64>) -> Result<Option<Bytes>> {
        self.read(rule, files, "wasm", self.limits.component_bytes).await
    }

    async fn json<T: DeserializeOwned>(
        &self,
        rule: &RuleVersion,
        files: &BTreeMap<String, u64>,
        name: &str,
    ) -> Result<Option<T>> {
        let Some(bytes) = self.read(rule, files, name, self.limits.file_bytes).await? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.damaged(rule, name, &error.to_string())),
        }
    }

    fn damaged(&self, rule: &RuleVersion, name: &str, what: &str) -> RegistryError {
        RegistryError::Damaged(format!("`{}` in {}: {what}", file(rule, name), self.place))
    }

    fn missing(&self, rule: &RuleVersion) -> RegistryError {
        let (name, version) = (&rule.name, &rule.version);
        RegistryError::Missing(format!("no version {version} of rule `{name}` in {}", self.place))
    }

    /// The record, which must be one of this version.
    async fn record(&self, rule: &RuleVersion, files: &BTreeMap<String, u64>) -> Result<Option<Record>> {
        let Some(record) = self.json::<Record>(rule, files, "json").await? else { return Ok(None) };
        if (&record.name, &record.version) != (&rule.name, &rule.version) {
            let what = format!("it is the record of `{}@{}`, not of `{rule}`", record.name, record.version);
            return Err(self.damaged(rule, "json", &what));
        }
        if record.contract != CONTRACT {
            return Err(RegistryError::Refused(format!(
                "rule `{rule}` is written to the contract `{}`; this host knows `{CONTRACT}`: build it anew, or use a host \
                 that knows its contract",
                record.contract
            )));
        }
        Ok(Some(record))
    }

    async fn signatures(&self, rule: &RuleVersion, files: &BTreeMap<String, u64>) -> Result<Vec<Signature>> {
        let limit = self.limits.file_bytes;
        let Some(bytes) = self.read(rule, files, "sig", limit).await? else { return Ok(vec![]) };
        signature::parse(&bytes).map_err(|error| {
            let what = format!("it holds no list of signatures: {error}; delete it and sign again");
            self.damaged(rule, "sig", &what)
        })
    }

    /// The cases that the record names, as it names them; all there are where there is no record.
    async fn cases(
        &self,
        rule: &RuleVersion,
        files: &BTreeMap<String, u64>,
        record: Option<&Record>,
    ) -> Result<Vec<CaseFile>> {
        let there = files.keys().filter_map(|name| name.strip_prefix("cases/")).filter(|name| is_case_name(name));
        let names: Vec<&str> = match record {
            Some(record) => record.cases.keys().map(String::as_str).filter(|name| is_case_name(name)).collect(),
            None => there.collect(),
        };
        self.check_count(rule, names.len())?;
        let mut cases = Vec::new();
        for name in names {
            let path = format!("cases/{name}");
            let bytes = self.read(rule, files, &path, self.limits.file_bytes).await?;
            let bytes = bytes.ok_or_else(|| self.damaged(rule, &path, "the record names it and it is not there"))?;
            let recorded = record.and_then(|record| record.cases.get(name));
            if recorded.is_some_and(|digest| *digest != digest_hex(&bytes)) {
                return Err(self.damaged(rule, &path, "it was changed after it was published"));
            }
            cases.push(CaseFile { name: name.to_owned(), bytes });
        }
        Ok(cases)
    }

    fn check_count(&self, rule: &RuleVersion, cases: usize) -> Result<()> {
        let limit = self.limits.cases;
        if cases <= limit {
            return Ok(());
        }
        Err(RegistryError::Refused(format!("rule `{rule}` has {cases} files of cases; the limit is {limit}")))
    }

    async fn put(&self, rule: &RuleVersion, name: &str, bytes: impl Into<Bytes> + Send) -> Result<()> {
        Ok(self.store.put(&file(rule, name), bytes.into()).await?)
    }

    fn check_publication(&self, publication: &Publication) -> Result<()> {
        let rule = &publication.rule;
        self.check_size(rule, "wasm", publication.bytes.len() as u64, self.limits.component_bytes)?;
        self.check_count(rule, publication.cases.len())?;
        let mut names = BTreeSet::new();
        for case in &publication.cases {
            self.check_size(rule, &case.name, case.bytes.len() as u64, self.limits.file_bytes)?;
            case.parse()?;
            if !names.insert(&case.name) {
                return Err(RegistryError::Refused(format!("case `{}` is there twice; rename one", case.name)));
            }
        }
        Ok(())
    }
}

/// Name of an object of a version.
fn file(rule: &RuleVersion, rest: &str) -> String {
    format!("{}/{}.{rest}", rule.name, rule.version)
}

/// Rule and version of an object, where it is a component.
fn component_of(object: &str) -> Option<(RuleName, Version)> {
    let (name, file) = object.split_once('/')?;
    Some((name.parse().ok()?, parse_version(file.strip_suffix(".wasm")?)?))
}

fn verdict_file(dataset: &str) -> Result<String> {
    // datasets and rules are named alike
    match dataset.parse::<RuleName>() {
        Ok(_) => Ok(format!("verdicts/{dataset}.json")),
        Err(_) => Err(RegistryError::Refused(format!("`{}` is no name of a dataset", dataset.escape_debug()))),
    }
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("records and verdicts are plain data");
    text.push(b'\n');
    text
}

fn taken(rule: &RuleVersion, what: &str, there: &str, new: &str) -> RegistryError {
    RegistryError::Taken(format!(
        "`{rule}` is published with {what} {there}, and this is {new}; a version never changes: raise the version of the rule"
    ))
}

#[async_trait]
impl Registry for StoreRegistry {
    fn place(&self) -> &str {
        &self.place
    }

    async fn names(&self) -> Result<Vec<RuleName>> {
        let objects = self.store.list("").await?;
        let names: BTreeSet<RuleName> =
            objects.iter().filter_map(|object| Some(component_of(&object.name)?.0)).collect();
        Ok(names.into_iter().collect())
    }

    async fn versions(&self, name: &RuleName) -> Result<Vec<Version>> {
        let objects = self.store.list(&format!("{name}/")).await?;
        let versions: BTreeSet<Version> =
            objects.iter().filter_map(|object| Some(component_of(&object.name)?.1)).collect();
        Ok(versions.into_iter().collect())
    }

    async fn artefact(&self, rule: &RuleVersion) -> Result<Artefact> {
        let files = self.files(rule).await?;
        let bytes = self.component(rule, &files).await?.ok_or_else(|| self.missing(rule))?;
        let digest = digest_hex(&bytes);
        let record = self.record(rule, &files).await?;
        if let Some(record) = record.as_ref().filter(|record| record.digest != digest) {
            let what = format!(
                "its digest is {digest}, its record says {}: one of them was changed after it was published; put back \
                 what was published, or publish another version",
                record.digest
            );
            return Err(self.damaged(rule, "wasm", &what));
        }
        let signatures = self.signatures(rule, &files).await?;
        let cases = self.cases(rule, &files, record.as_ref()).await?;
        let RuleVersion { name, version } = rule.clone();
        Ok(Artefact { name, version, digest, bytes, record, signatures, cases })
    }

    async fn publish(&self, publication: &Publication) -> Result<Published> {
        self.check_publication(publication)?;
        let (rule, new) = (&publication.rule, publication.record());
        let files = self.files(rule).await?;
        let there = self.component(rule, &files).await?.map(|bytes| digest_hex(&bytes));
        // without a component nothing was published yet: what lies there was left, maybe torn, by one that died before
        let record = if there.is_some() { self.record(rule, &files).await? } else { None };
        match (&there, record) {
            (None, _) => {}
            (Some(digest), None) if *digest == new.digest => {}
            (Some(digest), None) => return Err(taken(rule, "the component", digest, &new.digest)),
            (Some(_), Some(record)) if record.digest != new.digest => {
                return Err(taken(rule, "the component", &record.digest, &new.digest));
            }
            (Some(_), Some(record)) if record.cases != new.cases => {
                let list = |record: &Record| format!("{:?}", record.cases);
                let digest = |record: &Record| digest_hex(list(record).as_bytes());
                return Err(taken(rule, "test cases of digest", &digest(&record), &digest(&new)));
            }
            (Some(digest), Some(_)) if *digest == new.digest => return Ok(Published::Already),
            // the component was lost or changed after it was published, and here it is again
            (Some(_), Some(_)) => {}
        }
        for case in &publication.cases {
            self.put(rule, &format!("cases/{}", case.name), case.bytes.clone()).await?;
        }
        self.put(rule, "json", pretty(&new)).await?;
        // the component comes last, also where the power goes: then a version that is listed is whole
        self.store.sync().await?;
        self.put(rule, "wasm", publication.bytes.clone()).await?;
        self.store.sync().await?;
        Ok(Published::New)
    }

    async fn add_signature(&self, rule: &RuleVersion, signature: &Signature) -> Result<()> {
        let artefact = self.artefact(rule).await?;
        if !signature.verifies(rule, &artefact.digest) {
            let (key, digest) = (&signature.key_id, &artefact.digest);
            let message =
                format!("the signature by key {key} is not over `{rule}` with the digest {digest}; sign it again");
            return Err(RegistryError::Refused(message));
        }
        let mut all = artefact.signatures;
        if all.contains(signature) {
            return Ok(());
        }
        if all.len() >= MAX_SIGNATURES {
            let message = format!("`{rule}` has {} signatures already; the limit is {MAX_SIGNATURES}", all.len());
            return Err(RegistryError::Refused(message));
        }
        all.push(signature.clone());
        self.put(rule, "sig", signature::write(&all)).await?;
        Ok(self.store.sync().await?)
    }

    async fn verdict(&self, rule: &RuleVersion, dataset: &str) -> Result<Option<Verdict>> {
        let name = verdict_file(dataset)?;
        let files = self.files(rule).await?;
        let Some(verdict) = self.json::<Verdict>(rule, &files, &name).await? else { return Ok(None) };
        if verdict.rule() != *rule || verdict.dataset != dataset {
            let (of, dataset) = (verdict.rule(), &verdict.dataset);
            let what =
                format!("it is the verdict on `{of}` for dataset `{dataset}`; delete it to have this one looked at");
            return Err(self.damaged(rule, &name, &what));
        }
        Ok(Some(verdict))
    }

    async fn put_verdict(&self, verdict: &Verdict) -> Result<()> {
        let (rule, name) = (verdict.rule(), verdict_file(&verdict.dataset)?);
        if !self.files(&rule).await?.contains_key("wasm") {
            return Err(self.missing(&rule));
        }
        self.put(&rule, &name, pretty(verdict)).await?;
        Ok(self.store.sync().await?)
    }
}
