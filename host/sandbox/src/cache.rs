//! Compiled code on disk.
//!
//! Loading compiled code is running it, outside any sandbox. So a file is used only where it lies in a folder that no
//! other user can write, belongs to this user, was made for this component and engine, and its content has the digest
//! that it was written with. Anything else is no error: the code is compiled again and the file replaced.

use crate::encode::CONTRACT;
use rustix::process::geteuid;
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::warn;
use wasmtime::Engine;
use wasmtime::component::Component;

/// First bytes of a file; the number is that of the layout: magic, key, digest of the code, code.
const MAGIC: &[u8; 16] = b"sluice-code-0001";

const DIGEST: usize = 32;

/// A folder of compiled components.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
}

/// What compiled code depends on: the bytes of the file, the contract by which a module is made a component, and the
/// [`environment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; DIGEST]);

impl Key {
    pub(crate) fn new(file: &[u8], engine: &Engine) -> Self {
        let parts = [Sha256::digest(file).into(), Sha256::digest(CONTRACT).into(), environment(engine)];
        Self(Sha256::digest(parts.concat()).into())
    }

    fn file_name(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).chain([".cwasm".to_owned()]).collect()
    }
}

/// Digest of what code is compiled for: the engine's version, its configuration and the processor.
pub(crate) fn environment(engine: &Engine) -> [u8; DIGEST] {
    let mut hasher = KeyHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// Gives what is hashed to SHA-256: 64 bits would be too few to tell strangers' code apart.
struct KeyHasher(Sha256);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        u64::from_le_bytes(std::array::from_fn(|i| digest[i]))
    }
}

impl CodeCache {
    /// The cache in a folder, which is made where it is not there. `None`, with a warning, where somebody else could
    /// write to it or it cannot be made: the sandbox then compiles every time.
    pub(crate) fn open(folder: PathBuf) -> Option<Self> {
        match prepare(&folder) {
            Ok(()) => Some(Self { folder }),
            Err(error) => {
                warn!("compiled code is not cached: folder `{}`: {error}", folder.display());
                None
            }
        }
    }

    /// A component compiled before.
    pub(crate) fn load(&self, key: Key, engine: &Engine) -> Option<Component> {
        let path = self.folder.join(key.file_name());
        let code = match read_verified(&path, key) {
            Ok(code) => code?,
            Err(error) => {
                warn!("compiled code in `{}` is not used and made anew: {error}", path.display());
                return None;
            }
        };
        // SAFETY: `read_verified` made sure that the bytes are those that this user wrote after compiling this very
        // component with an engine of this version and configuration; nobody else can write in the folder.
        match unsafe { Component::deserialize(engine, code) } {
            Ok(component) => Some(component),
            Err(error) => {
                warn!("compiled code in `{}` is not used and made anew: {error}", path.display());
                None
            }
        }
    }

    /// Keeps compiled code. A failure is only a warning: the next start compiles again.
    pub(crate) fn store(&self, key: Key, code: &[u8]) {
        let path = self.folder.join(key.file_name());
        if let Err(error) = self.write(&path, key, code) {
            warn!("compiled code could not be kept in `{}`: {error}", path.display());
        }
    }

    fn write(&self, path: &Path, key: Key, code: &[u8]) -> io::Result<()> {
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = self.folder.join(format!(".draft-{}-{number}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let parts = [MAGIC.as_slice(), &key.0, &Sha256::digest(code), code];
        let written =
            parts.iter().try_for_each(|part| file.write_all(part)).and_then(|()| std::fs::rename(&draft, path));
        if written.is_err() {
            // the error that matters is the first
            let _ = std::fs::remove_file(&draft);
        }
        written
    }
}

fn prepare(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check_ours(&folder.metadata()?)
}

fn check_ours(metadata: &Metadata) -> io::Result<()> {
    let us = geteuid().as_raw();
    if metadata.uid() != us {
        return Err(io::Error::other(format!("it belongs to user {} and this is user {us}", metadata.uid())));
    }
    if metadata.mode() & 0o022 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(io::Error::other(format!("its mode {mode:o} lets others write; `chmod go-w` it")));
    }
    Ok(())
}

/// The code, `None` where there is no file.
fn read_verified(path: &Path, key: Key) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    check_ours(&file.metadata()?)?;
    let mut head = [0; MAGIC.len() + 2 * DIGEST];
    file.read_exact(&mut head)?;
    let mut code = Vec::new();
    file.read_to_end(&mut code)?;
    let (magic, digests) = head.split_at(MAGIC.len());
    let (of, digest) = digests.split_at(DIGEST);
    if magic != MAGIC || of != key.0 {
        return Err(io::Error::other("it was made for something else"));
    }
    if digest != Sha256::digest(&code).as_slice() {
        return Err(io::Error::other("its content does not have the digest that it was written with"));
    }
    Ok(Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const KEY: Key = Key([7; DIGEST]);

    fn cache() -> (tempfile::TempDir, CodeCache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(dir.path().join("code")).unwrap();
        (dir, cache)
    }

    fn file(cache: &CodeCache) -> PathBuf {
        cache.folder.join(KEY.file_name())
    }

    #[test]
    fn what_was_stored_reads_back_and_leaves_no_draft() {
        let (_dir, cache) = cache();
        assert!(matches!(read_verified(&file(&cache), KEY), Ok(None)));
        cache.store(KEY, b"code");
        cache.store(KEY, b"newer code");
        assert_eq!(read_verified(&file(&cache), KEY).unwrap().unwrap(), b"newer code");
        assert_eq!(std::fs::read_dir(&cache.folder).unwrap().count(), 1);
    }

    #[test]
    fn one_flipped_bit_anywhere_is_noticed() {
        let (_dir, cache) = cache();
        cache.store(KEY, b"code");
        let whole = std::fs::read(file(&cache)).unwrap();
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 1;
            std::fs::write(file(&cache), broken).unwrap();
            assert!(read_verified(&file(&cache), KEY).is_err(), "byte {at}");
        }
        std::fs::write(file(&cache), &whole[..20]).unwrap();
        assert!(read_verified(&file(&cache), KEY).is_err());
    }

    #[test]
    fn a_file_of_another_key_is_not_used() {
        let (_dir, cache) = cache();
        cache.store(Key([8; DIGEST]), b"code");
        std::fs::rename(cache.folder.join(Key([8; DIGEST]).file_name()), file(&cache)).unwrap();
        assert!(read_verified(&file(&cache), KEY).is_err());
    }

    #[test]
    fn a_new_folder_is_only_ours_and_one_that_others_can_write_is_refused() {
        let (_dir, cache) = cache();
        assert_eq!(cache.folder.metadata().unwrap().mode() & 0o777, 0o700);
        std::fs::set_permissions(&cache.folder, PermissionsExt::from_mode(0o770)).unwrap();
        assert!(CodeCache::open(cache.folder.clone()).is_none());
        std::fs::set_permissions(&cache.folder, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(CodeCache::open(cache.folder.clone()).is_some());
    }

    #[test]
    fn a_file_that_others_can_write_is_not_used() {
        let (_dir, cache) = cache();
        cache.store(KEY, b"code");
        std::fs::set_permissions(file(&cache), PermissionsExt::from_mode(0o666)).unwrap();
        assert!(read_verified(&file(&cache), KEY).is_err());
    }
}
