//! The right to write in a folder.

use super::read_text;
use crate::disk;
use crate::layout::{FENCE, LOCK, LOG, TEMP_PREFIX, temp_name};
use sluice_ports::{Kind, Lease, PortError, Result};
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

/// Holds the lock until it is dropped, or until the process ends in whatever way.
pub(super) struct DirLease {
    /// The lock goes with the file.
    _lock: File,
    fence: u64,
}

impl DirLease {
    pub(super) fn new(lock: File, fence: u64) -> Self {
        Self { _lock: lock, fence }
    }
}

impl Lease for DirLease {
    fn fence(&self) -> u64 {
        self.fence
    }
}

/// Locks the folder for this process. The lock's file is never removed: a lock on a removed file keeps nobody out.
pub(super) fn lock(root: &Path) -> Result<File> {
    let path = root.join(LOCK);
    let failed = |error| PortError::io(format_args!("cannot lock `{}`", path.display()), error);
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(held(root, &mut file)),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // for people only: on a full disk the id is left out
    let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    Ok(file)
}

fn held(root: &Path, file: &mut File) -> PortError {
    let mut holder = String::new();
    let holder = match file.read_to_string(&mut holder) {
        Ok(1..) => format!("process {}", holder.trim()),
        _ => "another process".to_owned(),
    };
    let message = format!(
        "data folder `{}` is being written by {holder}; wait for it, stop it, or name another folder",
        root.display()
    );
    PortError::new(Kind::Fenced, message)
}

/// Counts this lease, durably.
pub(super) fn raise_fence(root: &Path) -> Result<u64> {
    let path = root.join(FENCE);
    let last = match read_text(&path)? {
        Some(text) => text.trim().parse::<u64>().map_err(|_| no_fence(&path, "holds no number"))?,
        None if has_entries(root)? => return Err(no_fence(&path, "is missing although the log has entries")),
        None => 0,
    };
    let fence = last + 1;
    disk::replace_file(&root.join(LOG).join(temp_name()), &path, fence.to_string().as_bytes())?;
    Ok(fence)
}

fn no_fence(path: &Path, what: &str) -> PortError {
    let hint = "restore it, or write into it a number above every `fence` in the log's entries";
    PortError::new(Kind::Fatal, format!("`{}` {what}; {hint}", path.display()))
}

fn has_entries(root: &Path) -> Result<bool> {
    Ok(!super::DirLog::new(root).entries_now()?.is_empty())
}

/// Removes what processes that died while putting an entry left behind. Only under the lock.
pub(super) fn remove_temps(root: &Path) -> Result<()> {
    let folder = root.join(LOG);
    let failed = |error| PortError::io(format_args!("cannot clean the log `{}`", folder.display()), error);
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with(TEMP_PREFIX) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}
