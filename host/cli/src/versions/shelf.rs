//! Versions that ran, kept whole in the lake.

use super::{get_json, now, put_json};
use crate::bind::{Bound, Rules, Unbound, Used, Workshop};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sluice_batch::digest_hex;
use sluice_flow::{History, Pipeline};
use sluice_ports::ObjectStore;
use sluice_registry::{Artefact, Signature};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// Folder of versions: `KEY.json`.
const VERSIONS: &str = "_sluice/versions/kept/";
/// Folder of components: `DIGEST.wasm`.
const COMPONENTS: &str = "_sluice/rules/";
/// Versions that are bound again at most to look for what an open window needs.
const LOOK_BACK: usize = 200;

/// A version as it lies on the shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Key of its identity.
    pub(crate) key: String,
    /// When it was put there, RFC 3339.
    pub(crate) at: String,
    /// Its manifest's text.
    pub(crate) manifest: String,
    /// Its rules: of the steps in order, then of the golds.
    pub(crate) rules: Vec<KeptRule>,
}

/// A rule of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptRule {
    /// Label of the step, or `gold NAME`.
    pub(crate) label: String,
    /// Name.
    pub(crate) name: String,
    /// Range, as the manifest writes it.
    pub(crate) range: String,
    /// Version.
    pub(crate) version: String,
    /// SHA-256 of the component.
    pub(crate) digest: String,
    /// Who vouched for it.
    #[serde(default)]
    pub(crate) signatures: Vec<Signature>,
}

/// The shelf of one lake.
pub(crate) struct Shelf {
    store: Arc<dyn ObjectStore>,
    workshop: Arc<Workshop>,
    bound: Mutex<BTreeMap<String, Arc<Pipeline>>>,
    runtime: Handle,
}

/// Rules of a kept version.
struct KeptRules(BTreeMap<(String, String), Artefact>);

impl Rules for KeptRules {
    fn find(&self, name: &str, range: &str) -> Result<Artefact> {
        let found = self.0.get(&(name.to_owned(), range.to_owned())).cloned();
        found.with_context(|| format!("the kept version has no rule `{name}@{range}`"))
    }
}

impl Shelf {
    /// The shelf in a lake. Must be made within a runtime.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, workshop: Arc<Workshop>) -> Self {
        Self { store, workshop, bound: Mutex::default(), runtime: Handle::current() }
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    pub(crate) fn workshop(&self) -> &Arc<Workshop> {
        &self.workshop
    }

    /// Puts a version on the shelf, if it is not there yet.
    pub(crate) async fn keep(&self, bound: &Bound) -> Result<()> {
        let key = bound.pipeline.key();
        self.bound.lock().expect("no holder panics").insert(key.clone(), bound.pipeline.clone());
        let there = self.store.list(VERSIONS).await?;
        if there.iter().any(|object| object.name == name_of(&key)) {
            return Ok(());
        }
        let components = self.store.list(COMPONENTS).await?;
        for Used { artefact, .. } in &bound.rules {
            let name = component_of(&artefact.digest);
            if components.iter().all(|object| object.name != name) {
                self.store.put(&name, artefact.bytes.clone()).await?;
            }
        }
        // durable before the version that names them
        self.store.sync().await?;
        let rule = |used: &Used| KeptRule {
            label: used.label.clone(),
            name: used.artefact.name.to_string(),
            range: used.range.clone(),
            version: used.artefact.version.to_string(),
            digest: used.artefact.digest.clone(),
            signatures: used.artefact.signatures.clone(),
        };
        let kept = Kept {
            at: now(),
            manifest: bound.checked.text.clone(),
            rules: bound.rules.iter().map(rule).collect(),
            key: key.clone(),
        };
        put_json(self.store.as_ref(), &name_of(&key), &kept).await
    }

    /// A version, as it lies there.
    pub(crate) async fn find(&self, key: &str) -> Result<Option<Kept>> {
        get_json(self.store.as_ref(), &name_of(key)).await
    }

    /// All versions, newest first.
    pub(crate) async fn all(&self) -> Result<Vec<Kept>> {
        let mut all = Vec::new();
        for object in self.store.list(VERSIONS).await? {
            // what cannot be read is of no use, and no reason to stop
            if let Ok(Some(kept)) = get_json::<Kept>(self.store.as_ref(), &object.name).await {
                all.push(kept);
            }
        }
        all.sort_by(|a, b| b.at.cmp(&a.at));
        Ok(all)
    }

    /// Binds a version again.
    ///
    /// # Errors
    /// It is not there, or this host cannot bind it any more.
    pub(crate) async fn bind(&self, key: &str) -> Result<Bound> {
        let Some(kept) = self.find(key).await? else { bail!("version {key} is not kept in this lake") };
        let mut rules = BTreeMap::new();
        for rule in &kept.rules {
            let bytes = self.store.get(&component_of(&rule.digest)).await?;
            let digest = digest_hex(&bytes);
            if digest != rule.digest {
                bail!("`{}` in the lake is not what was put there", component_of(&rule.digest));
            }
            let artefact = Artefact {
                name: rule.name.parse()?,
                version: rule.version.parse().with_context(|| format!("version `{}`", rule.version))?,
                digest,
                bytes,
                record: None,
                signatures: rule.signatures.clone(),
                cases: Vec::new(),
            };
            rules.insert((rule.name.clone(), rule.range.clone()), artefact);
        }
        let current = self.workshop.file();
        let mut checked = sluice_manifest::check_text(&kept.manifest, &current)
            .map_err(|findings| anyhow::anyhow!("the manifest of version {key}: {findings}"))?;
        // whom one trusts is said by the manifest as it is now, not by whoever can write in the lake
        checked.plan.trust = self.workshop.load().map_err(|unbound| anyhow::anyhow!(unbound.text()))?.plan.trust;
        let workshop = self.workshop.clone();
        let bind = move || workshop.bind(checked, &KeptRules(rules)).map_err(|unbound| unbound.text());
        let bound = tokio::task::spawn_blocking(bind).await.context("binding")?;
        bound.map_err(|text| anyhow::anyhow!("version {key} cannot be bound any more: {text}"))
    }
}

impl History for Shelf {
    fn versions(&self) -> Vec<Arc<Pipeline>> {
        let work = async {
            let mut found: Vec<Arc<Pipeline>> = Vec::new();
            for kept in self.all().await?.into_iter().take(LOOK_BACK) {
                let there = self.bound.lock().expect("no holder panics").get(&kept.key).cloned();
                let pipeline = match there {
                    Some(pipeline) => Ok(pipeline),
                    None => self.bind(&kept.key).await.map(|bound| bound.pipeline),
                };
                match pipeline {
                    Ok(pipeline) => found.push(pipeline),
                    Err(error) => tracing::warn!("{}", crate::exit::chain(&error)),
                }
            }
            anyhow::Ok(found)
        };
        // asked from within a runtime, which cannot wait on itself
        let found = std::thread::scope(|scope| scope.spawn(|| self.runtime.block_on(work)).join());
        found.unwrap_or_else(|_| anyhow::bail!("binding them panicked")).unwrap_or_else(|error| {
            tracing::warn!("versions of before: {}", crate::exit::chain(&error));
            Vec::new()
        })
    }
}

fn name_of(key: &str) -> String {
    format!("{VERSIONS}{key}.json")
}

fn component_of(digest: &str) -> String {
    format!("{COMPONENTS}{digest}.wasm")
}

/// Why a version could not be bound, as lines.
pub(crate) fn lines_of(unbound: &Unbound) -> Vec<String> {
    unbound.text().lines().map(str::to_owned).collect()
}
