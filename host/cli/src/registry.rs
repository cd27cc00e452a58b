//! Finding rules by name and range of versions.
//!
//! A folder of rules holds packages (`NAME/Cargo.toml`), components (`registry/NAME/VERSION.wasm`), or both; or it is a
//! registry itself. Where a package is at hand, its component is built when it is missing or was made of other sources
//! (`sources`, `built`); so a clone runs with one command, and a host without sources runs from components alone. What
//! is published is never built over.

pub(crate) mod built;
mod sources;

use crate::bind::Rules;
use crate::guest_build;
use anyhow::{Context, Result, bail};
use built::{Built, Put};
use semver::Version;
use sluice_local::DirStore;
use sluice_ports::Kind;
use sluice_registry::{Artefact, Lock, ReadLimits, Registry as _, RuleName, RuleVersion, StoreRegistry};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder of rules, and what is pinned of them.
pub(crate) struct Registry {
    root: PathBuf,
    lock: Option<Lock>,
    /// Versions that are not taken unless they are pinned.
    passed_over: BTreeSet<RuleVersion>,
}

impl Rules for Registry {
    fn find(&self, name: &str, range: &str) -> Result<Artefact> {
        Self::find(self, name, range)
    }
}

impl Registry {
    pub(crate) fn new(root: PathBuf, lock: Option<Lock>, passed_over: BTreeSet<RuleVersion>) -> Self {
        Self { root, lock, passed_over }
    }

    /// The same folder, with nothing pinned.
    pub(crate) fn unpinned(self) -> Self {
        Self { lock: None, ..self }
    }

    /// Builds the components of these rules where they are missing or out of date.
    pub(crate) fn prepare(&self, names: &BTreeSet<&str>) -> Result<()> {
        let packages: Vec<&&str> = names.iter().filter(|name| is_package(&self.root.join(name))).collect();
        if packages.is_empty() {
            return Ok(());
        }
        // taken before the compiler reads them: what is saved meanwhile makes another digest, and the next run builds it
        let sources = sources::digest(&self.root)?;
        let components = components(&self.root);
        let outdated = |name: &&&str| !Built::new(&components, name).is_of(&sources);
        let outdated: Vec<&str> = packages.into_iter().filter(outdated).copied().collect();
        if outdated.is_empty() {
            return Ok(());
        }
        eprintln!("building rules: {}", outdated.join(", "));
        let folders: Vec<PathBuf> = outdated.iter().map(|name| self.root.join(name)).collect();
        for ((package, module), folder) in guest_build::build(&folders)?.into_iter().zip(&folders) {
            let component = sluice_sandbox::Sandbox::componentize(&module)?;
            let built = Built::new(&components, &package.name);
            if let Put::Published = built.put(&package.version, &component, folder, Some(&sources))? {
                let rule = format!("{}@{}", package.name, package.version);
                eprintln!(
                    "note: the sources of rule `{rule}` are not those that were published, which are what runs; raise the \
                     version in {} to run them",
                    folder.join("Cargo.toml").display()
                );
            }
        }
        Ok(())
    }

    /// What a rule and a range stand for: by the lock file, else the newest version.
    pub(crate) fn find(&self, name: &str, range: &str) -> Result<Artefact> {
        let rule: RuleName = name.parse()?;
        let Some(registry) = self.open()? else { bail!(self.no_rule(name)) };
        wait(async {
            if registry.versions(&rule).await?.is_empty() {
                bail!(self.no_rule(name));
            }
            let passed_over =
                |version: &Version| self.passed_over.iter().any(|over| over.name == rule && over.version == *version);
            Ok(sluice_registry::find(&registry, self.lock.as_ref(), &rule, range, &passed_over).await?)
        })
    }

    /// The registry of components; none where there is no folder of them yet.
    pub(crate) fn open(&self) -> Result<Option<StoreRegistry>> {
        let folder = components(&self.root);
        match DirStore::open(&folder) {
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            store => Ok(Some(over(store?, &folder))),
        }
    }

    fn no_rule(&self, name: &str) -> String {
        let there = self.names().into_iter().collect::<Vec<_>>().join(", ");
        format!("no rule `{name}` in {}; rules there: {there}", self.root.display())
    }

    /// Rules that are built, and packages.
    fn names(&self) -> BTreeSet<String> {
        let registry = self.open().ok().flatten();
        let built = registry.map(|registry| wait(async move { registry.names().await }).unwrap_or_default());
        let built = built.unwrap_or_default().into_iter().map(String::from);
        built.chain(packages(&self.root)).collect()
    }
}

/// A registry in a folder that is there.
pub(crate) fn open(folder: &Path) -> Result<StoreRegistry> {
    let store = DirStore::open(folder).with_context(|| format!("no registry at {}", folder.display()))?;
    Ok(over(store, folder))
}

/// A registry in a folder, made where it is not there.
pub(crate) fn create(folder: &Path) -> Result<StoreRegistry> {
    Ok(over(DirStore::create(folder)?, folder))
}

fn over(store: DirStore, folder: &Path) -> StoreRegistry {
    StoreRegistry::new(Arc::new(store), folder.display().to_string(), ReadLimits::default())
}

/// Waits for work that a registry does, whether or not a runtime is under way on this thread.
pub(crate) fn wait<T: Send>(
    work: impl Future<Output = Result<T, impl Into<anyhow::Error> + Send>> + Send,
) -> Result<T> {
    let run = || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().build().context("the runtime could not be started")?;
        runtime.block_on(work).map_err(Into::into)
    };
    std::thread::scope(|scope| scope.spawn(run).join().expect("the work of a registry does not panic"))
}

/// The folder of components of a folder of rules: `registry` in it, beside packages; else the folder itself.
pub(crate) fn components(root: &Path) -> PathBuf {
    let within = root.join("registry");
    if within.is_dir() || packages(root).next().is_some() { within } else { root.to_owned() }
}

/// Names of the folders that hold packages of rules.
fn packages(root: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let is_rule = |folder: &PathBuf| {
        is_package(folder) && std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default().contains("cdylib")
    };
    let folders = entries.map(|entry| entry.path()).filter(is_rule);
    folders.filter_map(|folder| Some(folder.file_name()?.to_str()?.to_owned()))
}

fn is_package(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_rules_is_a_registry_or_holds_one() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(components(root.path()), root.path());
        std::fs::create_dir(root.path().join("pii")).unwrap();
        assert_eq!(components(root.path()), root.path(), "a folder without a package may be that of a rule's versions");
        std::fs::write(root.path().join("pii/Cargo.toml"), "crate-type = [\"cdylib\"]").unwrap();
        assert_eq!(components(root.path()), root.path().join("registry"));
        std::fs::remove_file(root.path().join("pii/Cargo.toml")).unwrap();
        std::fs::create_dir(root.path().join("registry")).unwrap();
        assert_eq!(components(root.path()), root.path().join("registry"));
    }

    #[test]
    fn a_rule_that_is_not_there_is_told_with_those_that_are() {
        let root = tempfile::tempdir().unwrap();
        let registry = Registry::new(root.path().to_owned(), None, BTreeSet::new());
        let told = |registry: &Registry| registry.find("pie", "^1").unwrap_err().to_string();
        assert_eq!(told(&registry), format!("no rule `pie` in {}; rules there: ", root.path().display()));
        let version = root.path().join("registry/pii/1.0.0.wasm");
        std::fs::create_dir_all(version.parent().unwrap()).unwrap();
        std::fs::write(version, "component").unwrap();
        assert_eq!(told(&registry), format!("no rule `pie` in {}; rules there: pii", root.path().display()));
        assert_eq!(registry.find("pii", "^1").unwrap().version.to_string(), "1.0.0");
    }
}
