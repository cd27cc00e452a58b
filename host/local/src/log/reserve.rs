//! Room for the last entries on a full disk.

use crate::disk;
use crate::layout::{LOG, RESERVE, temp_name};
use sluice_ports::{Kind, PortError, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Bytes kept. A cut takes about 300 bytes a batch and a commit about 300 an object and 400 a shard, so this holds those
/// of a segment of 5,000 each.
const RESERVE_BYTES: usize = 4 << 20;

/// A file that takes up room.
pub(super) struct Reserve {
    path: PathBuf,
    temp: PathBuf,
}

impl Reserve {
    pub(super) fn of(root: &Path) -> Self {
        Self { path: root.join(RESERVE), temp: root.join(LOG).join(temp_name()) }
    }

    /// Takes up the room where it is not taken up already.
    pub(super) fn make(&self) -> Result<()> {
        if fs::metadata(&self.path).is_ok_and(|found| found.len() == RESERVE_BYTES as u64) {
            return Ok(());
        }
        disk::replace_file(&self.temp, &self.path, &filling()).map_err(|error| match error.kind {
            Kind::StorageFull => {
                let message = format!(
                    "{}: {RESERVE_BYTES} bytes are kept in reserve for the commit log; free some space",
                    error.message
                );
                PortError { message, ..error }
            }
            _ => error,
        })
    }

    /// Gives the room back; says whether there was any.
    pub(super) fn give_up(&self) -> Result<bool> {
        match fs::remove_file(&self.path) {
            // until the folder is durable some file systems do not use the room again
            Ok(()) => self.path.parent().map_or(Ok(()), disk::sync_folder).map(|()| true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(PortError::io(format_args!("cannot give up `{}`", self.path.display()), error)),
        }
    }
}

/// Bytes that no file system compresses or leaves out (xorshift64).
fn filling() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..RESERVE_BYTES / 8).flat_map(|_| next()).collect()
}
