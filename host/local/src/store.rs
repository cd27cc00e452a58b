//! A folder as the lake.

use crate::blocking::blocking;
use crate::disk;
use crate::layout::{SYSTEM, TMP, is_reserved, temp_name};
use async_trait::async_trait;
use bytes::Bytes;
use sluice_ports::{Kind, ObjectMeta, ObjectStore, PortError, Result};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Objects as files in a folder, written beside it (`_sluice/tmp`) and renamed into place. Clones share what is still
/// to be made durable.
#[derive(Debug, Clone)]
pub struct DirStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    /// The root, kept open so that a sync hears of every write that failed since.
    folder: File,
    pending: Mutex<Pending>,
    /// Held while something is being made durable: a second sync must not return before the first, which may have taken
    /// what it was called for.
    syncing: Mutex<()>,
}

/// What changed since the last sync.
#[derive(Debug, Default)]
struct Pending {
    files: Vec<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

impl DirStore {
    /// The lake in a folder that is there, to read it.
    ///
    /// # Errors
    /// [`Kind::NotFound`] where there is no such folder, [`Kind::Fatal`] where it is none.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        match fs::metadata(&root) {
            Ok(found) if found.is_dir() => Self::at(root),
            Ok(_) => Err(not_a_folder(&root)),
            Err(error) => Err(PortError::io(format_args!("cannot open the data folder `{}`", root.display()), error)),
        }
    }

    /// The lake in a folder, made where it is not there, to write it.
    ///
    /// # Errors
    /// [`Kind::Fatal`] where it is a file, [`Kind::Denied`] where nothing can be written in it.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        if root.exists() && !root.is_dir() {
            return Err(not_a_folder(&root));
        }
        disk::create_durable_folder(&root.join(TMP)).map_err(|error| {
            let hint = "name a folder that can be written";
            PortError { message: format!("data folder `{}`: {}; {hint}", root.display(), error.message), ..error }
        })?;
        Self::at(root)
    }

    fn at(root: PathBuf) -> Result<Self> {
        let folder = File::open(&root)
            .map_err(|error| PortError::io(format_args!("cannot open the data folder `{}`", root.display()), error))?;
        Ok(Self(Arc::new(Shared { root, folder, pending: Mutex::default(), syncing: Mutex::default() })))
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.0.root
    }
}

fn not_a_folder(root: &Path) -> PortError {
    let message = format!("data folder `{}` is a file; name a folder, or one that is not there yet", root.display());
    PortError::new(Kind::Fatal, message)
}

/// Whether no name of an object can have this part.
fn bad_part(part: &str) -> bool {
    part.is_empty() || part == "." || part == ".." || part.contains('\0')
}

/// Refuses names that would leave the folder or meet what is not an object.
fn check_name(name: &str) -> Result<()> {
    let message = match name {
        _ if name.split('/').any(bad_part) => {
            format!("`{name}` is no object name: its parts may not be empty, `.` or `..`")
        }
        _ if is_reserved(name) => format!("`{name}` is no object name: it is kept for the commit log"),
        _ => return Ok(()),
    };
    Err(PortError::new(Kind::Fatal, message))
}

impl Shared {
    fn put(&self, name: &str, data: &[u8]) -> Result<()> {
        let (temp, path) = (self.root.join(TMP).join(temp_name()), self.root.join(name));
        let failed = |error| PortError::io(format_args!("cannot write `{}`", path.display()), error);
        // an object that is put again is replaced whole or not at all, also where the power goes before the next sync
        let durable = path.exists();
        match disk::write_file(&temp, data, durable) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.create_folder(&self.root.join(TMP))?;
                disk::write_file(&temp, data, durable).map_err(failed)?;
            }
            written => written.map_err(failed)?,
        }
        self.rename(&temp, &path).inspect_err(|_| drop(fs::remove_file(&temp)))?;
        let mut pending = self.pending.lock().unwrap();
        pending.folders.extend(path.parent().map(Path::to_owned));
        pending.files.push(path);
        Ok(())
    }

    /// Renames, creating the folders. A delete may take an empty folder away in between, hence the attempts.
    fn rename(&self, temp: &Path, path: &Path) -> Result<()> {
        const ATTEMPTS: usize = 20;
        let parent = path.parent().expect("an object lies in a folder");
        let mut result = fs::rename(temp, path);
        for _ in 0..ATTEMPTS {
            match &result {
                Err(error) if error.kind() == ErrorKind::NotFound => self.create_folder(parent)?,
                _ => break,
            }
            result = fs::rename(temp, path);
        }
        result.map_err(|error| PortError::io(format_args!("cannot write `{}`", path.display()), error))
    }

    /// Creates folders under the lock: no other put may return before the new folders are known to the next sync.
    fn create_folder(&self, folder: &Path) -> Result<()> {
        let mut pending = self.pending.lock().unwrap();
        disk::create_folder(folder, &mut |parent| pending.folders.extend([parent.to_owned()]))
    }

    fn get(&self, name: &str) -> Result<Bytes> {
        let path = self.root.join(name);
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::IsADirectory | ErrorKind::NotADirectory => {
                PortError::new(Kind::NotFound, format!("there is no object `{}`", path.display()))
            }
            _ => PortError::io(format_args!("cannot read the object `{}`", path.display()), error),
        };
        fs::read(&path).map(Bytes::from).map_err(failed)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut objects = vec![];
        if !folder.is_empty() && folder.split('/').any(bad_part) {
            return Ok(objects); // no object has such a name, and the walk stays within the folder
        }
        self.walk(folder, prefix, &mut objects)?;
        objects.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(objects)
    }

    /// Adds the objects below `folder`. What goes away meanwhile is not listed.
    fn walk(&self, folder: &str, prefix: &str, objects: &mut Vec<ObjectMeta>) -> Result<()> {
        let path = self.root.join(folder);
        let failed = |error| PortError::io(format_args!("cannot list `{}`", path.display()), error);
        let entries = match fs::read_dir(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            // objects have names in UTF-8; anything else here is not one of them
            let Ok(last) = entry.file_name().into_string() else { continue };
            let name = if folder.is_empty() { last } else { format!("{folder}/{last}") };
            if name != SYSTEM && is_reserved(&name) {
                continue;
            }
            let found = match fs::metadata(entry.path()) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                found => found.map_err(failed)?,
            };
            let leads_on = name.starts_with(prefix) || prefix.starts_with(&format!("{name}/"));
            if found.is_dir() && leads_on {
                self.walk(&name, prefix, objects)?;
            } else if found.is_file() && name.starts_with(prefix) {
                objects.push(ObjectMeta { name, size: found.len() });
            }
        }
        Ok(())
    }

    fn delete(&self, names: &[String]) -> Result<()> {
        for name in names {
            let path = self.root.join(name);
            match fs::remove_file(&path) {
                Ok(()) => self.deleted(&path),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => return Err(PortError::io(format_args!("cannot delete `{}`", path.display()), error)),
            }
        }
        Ok(())
    }

    /// Takes away the folders of partitions (`country=France`) that a delete left empty, and notes what changed.
    fn deleted(&self, path: &Path) {
        let partition = |folder: &&Path| folder.file_name().is_some_and(|name| name.to_string_lossy().contains('='));
        let mut changed = path.parent();
        while let Some(folder) = changed.filter(partition).filter(|folder| *folder != self.root) {
            if fs::remove_dir(folder).is_err() {
                break; // it is not empty, or somebody else took it away
            }
            changed = folder.parent();
        }
        self.pending.lock().unwrap().folders.extend(changed.map(Path::to_owned));
    }

    fn sync(&self) -> Result<()> {
        let _one = self.syncing.lock().unwrap();
        let pending = std::mem::take(&mut *self.pending.lock().unwrap());
        let folders: Vec<PathBuf> = pending.folders.iter().cloned().collect();
        disk::sync_all(&self.folder, &pending.files, &folders).inspect_err(|_| {
            let mut again = self.pending.lock().unwrap();
            again.files.extend(pending.files);
            again.folders.extend(pending.folders);
        })
    }

    fn clean(&self) -> Result<()> {
        let folder = self.root.join(TMP);
        let failed = |error| PortError::io(format_args!("cannot clean `{}`", folder.display()), error);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            match fs::remove_file(entry.map_err(failed)?.path()) {
                // what another process was putting has taken its place meanwhile
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.map_err(failed)?,
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for DirStore {
    async fn put(&self, name: &str, data: Bytes) -> Result<()> {
        check_name(name)?;
        let (shared, name) = (self.0.clone(), name.to_owned());
        blocking(move || shared.put(&name, &data)).await
    }

    async fn get(&self, name: &str) -> Result<Bytes> {
        check_name(name)?;
        let (shared, name) = (self.0.clone(), name.to_owned());
        blocking(move || shared.get(&name)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let (shared, prefix) = (self.0.clone(), prefix.to_owned());
        blocking(move || shared.list(&prefix)).await
    }

    async fn delete(&self, names: &[String]) -> Result<()> {
        names.iter().try_for_each(|name| check_name(name))?;
        let (shared, names) = (self.0.clone(), names.to_vec());
        blocking(move || shared.delete(&names)).await
    }

    async fn sync(&self) -> Result<()> {
        let shared = self.0.clone();
        blocking(move || shared.sync()).await
    }

    async fn clean(&self) -> Result<()> {
        let shared = self.0.clone();
        blocking(move || shared.clean()).await
    }
}
