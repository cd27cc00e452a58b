//! Components that were built of packages and are not published: they follow their sources.
//!
//! Beside `VERSION.wasm` a file `VERSION.sources` says of which sources it was made. A version with a record
//! (`VERSION.json`) is published, and building leaves it as it is.

use anyhow::{Context, Result};
use sluice_batch::digest_hex;
use sluice_registry::CaseFile;
use std::fs;
use std::path::{Path, PathBuf};

/// The components of one rule.
pub(crate) struct Built {
    folder: PathBuf,
}

/// What became of a component that was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is there.
    There,
    /// The version is published with another component, which stays.
    Published,
}

impl Built {
    /// The components of a rule in a registry's folder.
    pub(crate) fn new(registry: &Path, rule: &str) -> Self {
        Self { folder: registry.join(rule) }
    }

    /// Where the component of a version is.
    pub(crate) fn component(&self, version: &str) -> PathBuf {
        self.file(version, "wasm")
    }

    fn file(&self, version: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{version}.{extension}"))
    }

    /// Whether a version is there that was made of these sources, and has not been changed since.
    pub(crate) fn is_of(&self, sources: &str) -> bool {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let versions =
            entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".sources")?.to_owned()));
        let made_of = |version: String| {
            let note = fs::read_to_string(self.file(&version, "sources")).ok()?;
            let component = fs::read(self.component(&version)).ok()?;
            Some(note == self::note(sources, &component))
        };
        versions.filter_map(made_of).any(|is| is)
    }

    /// Puts a component there with the test cases of its package, in place of the one that was built before. Where it is
    /// not said of which sources it was made, the next run makes it again.
    pub(crate) fn put(&self, version: &str, component: &[u8], package: &Path, sources: Option<&str>) -> Result<Put> {
        if self.file(version, "json").exists() {
            if fs::read(self.component(version)).ok().as_deref() != Some(component) {
                return Ok(Put::Published);
            }
        } else {
            write(&self.component(version), component)?;
            self.put_cases(version, package)?;
        }
        // the note comes last: whoever dies before it builds again
        if let Some(sources) = sources {
            write(&self.file(version, "sources"), note(sources, component).as_bytes())?;
        }
        Ok(Put::There)
    }

    /// File by file, since another process may do the same at the same time.
    fn put_cases(&self, version: &str, package: &Path) -> Result<()> {
        let (folder, cases) = (self.file(version, "cases"), cases(&package.join("cases"))?);
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if !cases.iter().any(|case| entry.file_name() == case.name.as_str()) {
                // it may be gone already; one that stays is found by whoever reads the cases
                let _ = fs::remove_file(entry.path());
            }
        }
        cases.iter().try_for_each(|case| write(&folder.join(&case.name), &case.bytes))
    }
}

/// What is said of a component: its sources and its own digest, in case another build comes between it and this.
fn note(sources: &str, component: &[u8]) -> String {
    format!("{sources} {}\n", digest_hex(component))
}

/// The test cases in a folder, in the order of their names; none where there is no folder.
pub(crate) fn cases(folder: &Path) -> Result<Vec<CaseFile>> {
    if !folder.is_dir() {
        return Ok(vec![]);
    }
    let failed = || format!("{}", folder.display());
    let entries = fs::read_dir(folder).with_context(failed)?.collect::<Result<Vec<_>, _>>().with_context(failed)?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = fs::read(file).with_context(|| format!("{}", file.display()))?;
        Ok(CaseFile::new(name, bytes)?)
    };
    files.iter().map(read).collect()
}

/// Puts a file into place whole.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let draft = folder.join(format!(".{}.{}", std::process::id(), file.file_name().unwrap_or_default().display()));
    fs::write(&draft, bytes).with_context(|| format!("{}", draft.display()))?;
    fs::rename(&draft, file).with_context(|| format!("{}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_current_while_neither_its_sources_nor_itself_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (built, package) = (Built::new(folder.path(), "pii"), folder.path().join("package"));
        assert!(!built.is_of("a"), "nothing is there");
        assert_eq!(built.put("1.0.0", b"one", &package, Some("a")).unwrap(), Put::There);
        assert!(built.is_of("a") && !built.is_of("b"));
        built.put("1.0.0", b"two", &package, Some("b")).unwrap();
        assert!(built.is_of("b") && !built.is_of("a"));
        built.put("1.0.0", b"three", &package, None).unwrap();
        assert!(!built.is_of("b"), "of another component it is not known");
        fs::remove_file(built.component("1.0.0")).unwrap();
        assert!(!built.is_of("b"));
    }

    #[test]
    fn what_is_published_is_not_built_over() {
        let folder = tempfile::tempdir().unwrap();
        let (built, package) = (Built::new(folder.path(), "pii"), folder.path().join("package"));
        built.put("1.0.0", b"one", &package, Some("a")).unwrap();
        fs::write(folder.path().join("pii/1.0.0.json"), "{}").unwrap();
        assert_eq!(built.put("1.0.0", b"two", &package, Some("b")).unwrap(), Put::Published);
        assert_eq!(fs::read(built.component("1.0.0")).unwrap(), b"one");
        assert!(!built.is_of("b"));
        assert_eq!(
            built.put("1.0.0", b"one", &package, Some("c")).unwrap(),
            Put::There,
            "the same component of other sources"
        );
        assert!(built.is_of("c"));
    }

    #[test]
    fn the_cases_of_a_package_lie_beside_its_component_and_follow_it() {
        let folder = tempfile::tempdir().unwrap();
        let (built, package) = (Built::new(folder.path(), "pii"), folder.path().join("package"));
        fs::create_dir_all(package.join("cases")).unwrap();
        for name in ["b.json", "a.json", "notes.md"] {
            fs::write(package.join("cases").join(name), name).unwrap();
        }
        let names = || {
            let there = cases(&folder.path().join("pii/1.0.0.cases")).unwrap();
            there.into_iter().map(|case| case.name).collect::<Vec<_>>()
        };
        built.put("1.0.0", b"one", &package, Some("a")).unwrap();
        assert_eq!(names(), ["a.json", "b.json"]);
        fs::remove_file(package.join("cases/a.json")).unwrap();
        built.put("1.0.0", b"one", &package, Some("b")).unwrap();
        assert_eq!(names(), ["b.json"]);
    }
}
