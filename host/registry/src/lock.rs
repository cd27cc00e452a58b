//! The lock file: which version each range of a manifest stands for.

use crate::artefact::Artefact;
use crate::error::{RegistryError, Result};
use crate::name::RuleName;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use sluice_ports::{Kind, PortError};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

const HEAD: &str = "# made by sluice; it pins the rules of the manifest beside it. Keep it under version control.\n";
/// Longest lock file that is read, in bytes: some ten thousand rules.
const MAX_BYTES: u64 = 4 << 20;

/// What is pinned. As a file it is TOML, sorted by rule and range, so that a change of one rule is a change of two lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    rules: Vec<Locked>,
}

/// What a rule and a range of it stand for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Rule.
    pub name: RuleName,
    /// Range as the manifest writes it.
    pub range: String,
    /// Version.
    pub version: Version,
    /// SHA-256 of the component, hexadecimal.
    pub digest: String,
}

impl Locked {
    /// # Errors
    /// [`RegistryError::Locked`] where the version is not within the range.
    pub(crate) fn check_range(&self, range: &VersionReq) -> Result<()> {
        if range.matches(&self.version) {
            return Ok(());
        }
        Err(RegistryError::Locked(format!(
            "sluice.lock pins rule `{}` at {}, which is not within `{}`; {}",
            self.name,
            self.version,
            self.range,
            self.way_out()
        )))
    }

    /// # Errors
    /// [`RegistryError::Locked`] where the component is not the one that was pinned.
    pub(crate) fn check_digest(&self, artefact: &Artefact) -> Result<()> {
        if self.digest == artefact.digest {
            return Ok(());
        }
        Err(RegistryError::Locked(format!(
            "rule `{}` has the digest {}, sluice.lock pins {}: it was changed after it was pinned; if that was meant, {}",
            artefact.id(),
            artefact.digest,
            self.digest,
            self.way_out()
        )))
    }

    pub(crate) fn way_out(&self) -> String {
        format!("take the entry of `{}@{}` out of sluice.lock to pin it anew", self.name, self.range)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "rule")]
    rules: Vec<Locked>,
}

impl Lock {
    /// Name of the file.
    pub const FILE: &str = "sluice.lock";

    /// The lock file beside a manifest.
    pub fn beside(manifest: &Path) -> PathBuf {
        manifest.with_file_name(Self::FILE)
    }

    /// Reads a lock file; none where there is none.
    ///
    /// # Errors
    /// [`RegistryError::Store`] where it cannot be read, [`RegistryError::Damaged`] where it is no lock file, with the
    /// place.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let failed = |error| PortError::io(format_args!("cannot read `{}`", path.display()), error);
        let size = match path.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(failed)?.len(),
        };
        if size > MAX_BYTES {
            let (path, size) = (path.display(), size);
            let message = format!("`{path}` has {size} bytes; a lock file has at most {MAX_BYTES}");
            return Err(RegistryError::Damaged(message));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Self::parse(&text).map(Some).map_err(|error| {
            let message = format!("`{}`: {error}; mend it, or delete it to pin all rules anew", path.display());
            RegistryError::Damaged(message)
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let document: Document = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let mut lock = Self::default();
        for locked in document.rules {
            if locked.digest.len() != 64 || !locked.digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(format!("`{}@{}`: the digest is not 64 hexadecimal digits", locked.name, locked.range));
            }
            if lock.resolve(&locked.name, &locked.range).is_some() {
                return Err(format!("`{}@{}` stands there twice", locked.name, locked.range));
            }
            lock.rules.push(locked);
        }
        lock.rules.sort();
        Ok(lock)
    }

    /// What a rule and a range, written as in the manifest, stand for.
    pub fn resolve(&self, name: &RuleName, range: &str) -> Option<&Locked> {
        self.rules.iter().find(|locked| locked.name == *name && locked.range == range)
    }

    /// Pins a version, in place of what was pinned for the same rule and range.
    pub fn pin(&mut self, locked: Locked) {
        self.rules.retain(|other| (&other.name, &other.range) != (&locked.name, &locked.range));
        self.rules.push(locked);
        self.rules.sort();
    }

    /// Pins an artefact for a range.
    pub fn pin_artefact(&mut self, range: &str, artefact: &Artefact) {
        self.pin(Locked {
            name: artefact.name.clone(),
            range: range.to_owned(),
            version: artefact.version.clone(),
            digest: artefact.digest.clone(),
        });
    }

    /// Keeps only what a manifest asks for.
    pub fn retain(&mut self, mut wanted: impl FnMut(&Locked) -> bool) {
        self.rules.retain(|locked| wanted(locked));
    }

    /// What is pinned, in order.
    pub fn rules(&self) -> &[Locked] {
        &self.rules
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let document = Document { rules: self.rules.clone() };
        let body = toml::to_string(&document).expect("names, versions and digests are plain data");
        format!("{HEAD}\n{body}")
    }

    /// Writes the file whole and durable, in place of the one that is there. Where nothing changed nothing is written, so
    /// that whoever watches the folder is not told for nothing.
    ///
    /// # Errors
    /// [`RegistryError::Store`]; the file is as it was then.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = self.text();
        if std::fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
            return Ok(());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| PortError::new(Kind::Fatal, format!("`{}` is no name of a lock file", path.display())))?;
        let draft = folder.join(format!(".{name}.{}", std::process::id()));
        let write = || {
            let mut file = File::create(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&draft, path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|error| {
            // it may not be there; the cause is told either way
            let _ = std::fs::remove_file(&draft);
            PortError::io(format_args!("cannot write `{}`", path.display()), error).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn locked(name: &str, range: &str, version: &str) -> Locked {
        let (name, version) = (name.parse().unwrap(), version.parse().unwrap());
        Locked { name, range: range.to_owned(), version, digest: "0123456789abcdef".repeat(4) }
    }

    #[test]
    fn the_file_is_sorted_and_says_who_made_it() {
        let mut lock = Lock::default();
        for (name, range) in [("pii", "^1"), ("checks", "^1"), ("checks", "=1.0.0"), ("pii", "^1")] {
            lock.pin(locked(name, range, "1.0.0"));
        }
        let digest = "0123456789abcdef".repeat(4);
        let entry = |name: &str, range: &str| {
            format!("[[rule]]\nname = \"{name}\"\nrange = \"{range}\"\nversion = \"1.0.0\"\ndigest = \"{digest}\"\n")
        };
        let all = [entry("checks", "=1.0.0"), entry("checks", "^1"), entry("pii", "^1")].join("\n");
        assert_eq!(lock.text(), format!("{HEAD}\n{all}"));
    }

    #[test]
    fn a_lock_file_is_read_back_and_one_that_is_not_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = Lock::beside(&folder.path().join("pipeline.yaml"));
        assert_eq!(Lock::read(&file).unwrap(), None);
        let mut lock = Lock::default();
        lock.write(&file).unwrap();
        assert_eq!(Lock::read(&file).unwrap(), Some(lock.clone()));
        lock.pin(locked("pii", "^1", "1.2.3"));
        lock.write(&file).unwrap();
        assert_eq!(Lock::read(&file).unwrap(), Some(lock));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn what_is_no_lock_file_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(Lock::FILE);
        let good = {
            let mut lock = Lock::default();
            lock.pin(locked("pii", "^1", "1.2.3"));
            lock.text()
        };
        for (text, part) in [
            ("<<<<<<< HEAD\n".to_owned() + &good, "line 1"),
            (good.replace("1.2.3", "1.2"), "unexpected end of input"),
            (good.replace("\"pii\"", "\"../pii\""), "is no name of a rule"),
            (good.replace("digest", "sha"), "unknown field `sha`"),
            (good.replace("89abcdef", "89ABCDEF"), "the digest is not 64 hexadecimal digits"),
            (good.clone() + &good, "stands there twice"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = Lock::read(&file).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("delete it to pin all rules anew"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_lock_is_read_back_as_it_was_written(
            rules in proptest::collection::vec(("[a-z][a-z0-9-]{0,9}", "\\PC{0,12}", 0u64..9, 0u64..9, "[0-9a-f]{64}"), 0..8),
        ) {
            let mut lock = Lock::default();
            for (name, range, major, minor, digest) in rules {
                lock.pin(Locked { name: name.parse().unwrap(), range, version: Version::new(major, minor, 0), digest });
            }
            prop_assert_eq!(Lock::parse(&lock.text()), Ok(lock));
        }
    }
}
