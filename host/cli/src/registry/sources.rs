//! What components are made of, as one digest.
//!
//! Times of files would not do: a source that is saved while it compiles is older than the component made without it, and
//! a setting of the build has no time at all.

use crate::guest_build;
use anyhow::{Context, Result};
use sluice_batch::digest_hex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How deep folders of sources lie.
const DEPTH: u8 = 6;

/// Folders that components are not made of.
const SKIPPED: [&str; 3] = ["target", "registry", "tests"];

/// Digest of every source below a folder of rules and of the contract, of what stands beside the folder for its workspace,
/// and of the settings of the build. A few hundred small files: some milliseconds.
pub(crate) fn digest(root: &Path) -> Result<String> {
    let mut files = BTreeMap::new();
    walk(root, "rules", DEPTH, &mut files)?;
    walk(&root.join("../wit"), "wit", 1, &mut files)?;
    for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "rust-toolchain", ".cargo/config.toml"] {
        let file = root.join("..").join(name);
        if file.is_file() {
            files.insert(format!("workspace/{name}"), file);
        }
    }
    let mut list = format!("{}\n", guest_build::settings());
    for (name, file) in files {
        let bytes = std::fs::read(&file).with_context(|| format!("{}", file.display()))?;
        list.push_str(&format!("{} {name}\n", digest_hex(&bytes)));
    }
    Ok(digest_hex(list.as_bytes()))
}

/// Adds the sources below a folder, each by a name that is the same wherever the folder lies.
fn walk(folder: &Path, name: &str, depth: u8, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    for entry in entries.flatten() {
        let (path, last) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let name = format!("{name}/{last}");
        if path.is_dir() {
            if depth > 0 && !last.starts_with('.') && !SKIPPED.contains(&last.as_str()) {
                walk(&path, &name, depth - 1, files)?;
            }
        } else if matches!(path.extension().and_then(|e| e.to_str()), Some("rs" | "toml" | "wit" | "json" | "lock")) {
            files.insert(name, path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_digest_changes_with_every_source_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("rules");
        for name in ["rules/a/src", "rules/a/tests", "rules/registry/a", "rules/target", "rules/.git", "wit"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(root.join("a/src/lib.rs"), "one").unwrap();
        let mut last = digest(&root).unwrap();
        for (file, text, changes) in [
            ("rules/a/src/lib.rs", "one", false),
            ("rules/a/src/lib.rs", "two", true),
            ("rules/a/src/more.rs", "", true),
            ("rules/a/Cargo.toml", "version", true),
            ("rules/a/schema.json", "{}", true),
            ("rules/a/README.md", "words", false),
            ("rules/a/tests/rules.rs", "test", false),
            ("rules/registry/a/1.0.0.json", "{}", false),
            ("rules/target/x.rs", "made", false),
            ("rules/.git/x.rs", "kept", false),
            ("wit/rules.wit", "contract", true),
            ("Cargo.lock", "lock", true),
            ("rust-toolchain.toml", "channel", true),
            ("pipeline.json", "{}", false),
        ] {
            fs::write(folder.path().join(file), text).unwrap();
            let now = digest(&root).unwrap();
            assert_eq!(now != last, changes, "{file}");
            last = now;
        }
        let moved = folder.path().join("moved");
        fs::create_dir(&moved).unwrap();
        for name in ["rules", "wit", "Cargo.lock", "rust-toolchain.toml"] {
            fs::rename(folder.path().join(name), moved.join(name)).unwrap();
        }
        assert_eq!(digest(&moved.join("rules")).unwrap(), last, "the place does not matter");
    }
}
