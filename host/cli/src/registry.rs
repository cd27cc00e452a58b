//! Finding rules by name and range of versions.
//!
//! A folder of rules holds packages (`NAME/Cargo.toml`), built components (`registry/NAME/VERSION.wasm`), or both. Where a
//! package is at hand, its component is built when it is missing or older than any source of the folder; so a clone
//! runs with one command, and a host without sources runs from components alone.

use crate::guest_build;
use anyhow::{Context, Result, bail};
use semver::{Version, VersionReq};
use sluice_sandbox::Sandbox;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A folder of rules.
pub(crate) struct Registry {
    root: PathBuf,
}

impl Registry {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Builds the components of these rules where they are missing or out of date.
    pub(crate) fn prepare(&self, names: &BTreeSet<&str>) -> Result<()> {
        let changed = newest_source(&self.root);
        let outdated = |name: &str| {
            let built = self.versions(name).into_iter().filter_map(|(_, file)| modified(&file)).max();
            built.is_none_or(|built| changed.is_some_and(|changed| changed > built))
        };
        let folders: Vec<PathBuf> = names
            .iter()
            .map(|name| (name, self.root.join(name)))
            .filter(|(name, folder)| folder.join("Cargo.toml").is_file() && outdated(name))
            .map(|(_, folder)| folder)
            .collect();
        if folders.is_empty() {
            return Ok(());
        }
        let which: Vec<_> = folders.iter().filter_map(|folder| folder.file_name()?.to_str()).collect();
        eprintln!("building rules: {}", which.join(", "));
        for (package, module) in guest_build::build(&folders)? {
            let file = self.folder(&package.name).join(format!("{}.wasm", package.version));
            publish(&module, &file)?;
        }
        Ok(())
    }

    /// The newest version of a rule within a range: version and component.
    pub(crate) fn find(&self, name: &str, range: &str) -> Result<(Version, Vec<u8>)> {
        let wanted = VersionReq::parse(range).with_context(|| format!("`{range}` is no range of versions"))?;
        let mut versions = self.versions(name);
        versions.sort();
        let there: Vec<String> = versions.iter().map(|(version, _)| version.to_string()).collect();
        match versions.into_iter().rev().find(|(version, _)| wanted.matches(version)) {
            Some((version, file)) => {
                let bytes = std::fs::read(&file).with_context(|| format!("{}", file.display()))?;
                Ok((version, bytes))
            }
            None if there.is_empty() => bail!(
                "no rule `{name}` in {}; rules there: {}",
                self.root.display(),
                self.names().into_iter().collect::<Vec<_>>().join(", ")
            ),
            None => bail!("no version of rule `{name}` is within `{range}`; versions there: {}", there.join(", ")),
        }
    }

    fn names(&self) -> BTreeSet<String> {
        let folders = |folder: &Path| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter(|e| e.path().is_dir()).map(|e| e.file_name().to_string_lossy().into_owned()).collect()
        };
        let built: Vec<String> = folders(&self.root.join("registry"));
        let packages: Vec<String> = folders(&self.root);
        let is_rule = |name: &String| {
            let text = std::fs::read_to_string(self.root.join(name).join("Cargo.toml")).unwrap_or_default();
            text.contains("cdylib")
        };
        built.into_iter().chain(packages.into_iter().filter(is_rule)).collect()
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join("registry").join(name)
    }

    fn versions(&self, name: &str) -> Vec<(Version, PathBuf)> {
        let entries = std::fs::read_dir(self.folder(name)).into_iter().flatten().flatten();
        let version = |path: &Path| Version::parse(path.file_name()?.to_str()?.strip_suffix(".wasm")?).ok();
        entries.filter_map(|entry| Some((version(&entry.path())?, entry.path()))).collect()
    }
}

/// Makes a module a component and puts it into place whole.
pub(crate) fn publish(module: &[u8], file: &Path) -> Result<()> {
    let component = Sandbox::componentize(module)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let draft = folder.join(format!(".{}.{}", std::process::id(), file.file_name().unwrap_or_default().display()));
    std::fs::write(&draft, component).with_context(|| format!("{}", draft.display()))?;
    std::fs::rename(&draft, file).with_context(|| format!("{}", file.display()))
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// Time of the latest change of any source below a folder of rules, the contract's included.
fn newest_source(root: &Path) -> Option<SystemTime> {
    fn newest(folder: &Path, depth: u8) -> Option<SystemTime> {
        let entries = std::fs::read_dir(folder).ok()?.flatten();
        let of = |path: PathBuf| {
            let name = path.file_name()?.to_str()?;
            if path.is_dir() {
                let skipped = name.starts_with('.') || matches!(name, "target" | "registry");
                return if skipped || depth == 0 { None } else { newest(&path, depth - 1) };
            }
            matches!(path.extension()?.to_str()?, "rs" | "toml" | "wit").then(|| modified(&path)).flatten()
        };
        entries.filter_map(|entry| of(entry.path())).max()
    }
    newest(root, 6).max(newest(&root.join("../wit"), 1))
}
