//! Which file is which.

use rustix::buffer::spare_capacity;
use rustix::io::{pread, retry_on_intr};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sluice_batch::{ShardRef, digest_hex};
use sluice_ports::{Kind, PortError, Result};
use std::fs::File;
use std::io;
use std::path::Path;

/// First bytes that tell files apart, at most.
pub(super) const HEAD_BYTES: usize = 4096;

/// What is remembered of a file: its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Canonical path.
    pub path: String,
    /// Number of first bytes digested, up to [`HEAD_BYTES`].
    pub head_len: u64,
    /// SHA-256 of them, hexadecimal.
    pub head: String,
    /// How often a person has had this path read anew.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it by reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Note {
    /// Reads back what [`Note::to_text`] wrote.
    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            let message =
                format!("`{text}` is no note of a file: {error}; the commit log was written by another source");
            PortError::new(Kind::Fatal, message)
        })
    }

    /// The text kept in commits.
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a note is plain data")
    }

    /// The identity of a file seen for the first time, and its reference.
    pub(super) fn of(path: &Path, head: &[u8], generation: u64) -> Result<(Self, ShardRef)> {
        let Some(text) = path.to_str() else {
            let message = format!("the path `{}` is not UTF-8; rename the file", path.display());
            return Err(PortError::new(Kind::Fatal, message));
        };
        let note = Self { path: text.to_owned(), head_len: head.len() as u64, head: digest_hex(head), generation };
        let name = path.file_name().map_or(text, |name| name.to_str().unwrap_or(text));
        let shard = ShardRef::new(note.source_id(head), name);
        Ok((note, shard))
    }

    /// `file:` and 16 digits of SHA-256 over path, length and first bytes (and generation, where a file is read anew).
    fn source_id(&self, head: &[u8]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.path.as_bytes());
        hash.update([0]);
        hash.update(self.head_len.to_le_bytes());
        hash.update(head);
        if self.generation > 0 {
            hash.update(self.generation.to_le_bytes());
        }
        let digits: String = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("file:{digits}")
    }

    /// Whether first bytes are those that were remembered, as far as they were.
    pub(super) fn matches(&self, head: &[u8]) -> bool {
        head.get(..self.head_len as usize).is_some_and(|known| digest_hex(known) == self.head)
    }

    /// Reads the first bytes again and compares.
    pub(super) fn verify(&self, file: &File, when: &str) -> Result<()> {
        let head = read_head(file)
            .map_err(|error| PortError::io(format_args!("cannot read the first bytes of `{}`", self.path), error))?;
        if self.matches(&head) {
            return Ok(());
        }
        Err(self.changed(format_args!("its first {} bytes changed {when}", self.head_len)))
    }

    /// The error that says how this file is not what was recorded.
    pub(super) fn changed(&self, what: impl std::fmt::Display) -> PortError {
        changed(&self.path, what)
    }
}

/// The error that says how a file is not what was recorded, and the ways out.
pub(super) fn changed(path: impl std::fmt::Display, what: impl std::fmt::Display) -> PortError {
    let message = format!(
        "`{path}` is not the file that was read before: {what}; put the earlier file back, or accept this one as a new \
         file, to be read from its beginning, with `--reread {path}`"
    );
    PortError::new(Kind::Changed, message)
}

/// The first bytes of a file, up to [`HEAD_BYTES`].
pub(super) fn read_head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    read_at(file, &mut head, 0)?;
    head.truncate(HEAD_BYTES);
    Ok(head)
}

/// Reads from an offset until the buffer's capacity is full or the file ends.
pub(super) fn read_at(file: &File, buffer: &mut Vec<u8>, offset: u64) -> io::Result<()> {
    let before = buffer.len();
    while buffer.len() < buffer.capacity() {
        let at = offset + (buffer.len() - before) as u64;
        if retry_on_intr(|| pread(file, spare_capacity(buffer), at))? == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_grows_keeps_its_identity_and_another_has_another() {
        let (note, shard) = Note::of(Path::new("/d/x.csv"), b"abc", 0).unwrap();
        assert!(note.matches(b"abc") && note.matches(b"abcdef"));
        assert!(!note.matches(b"ab") && !note.matches(b"abd"));
        assert_eq!(Note::parse(&note.to_text()).unwrap(), note);
        assert_eq!((&shard.source[..5], shard.source.len(), &*shard.shard), ("file:", 21, "x.csv"));
        let others =
            [("/d/y.csv", &b"abc"[..], 0), ("/d/x.csv", b"abcd", 0), ("/d/x.csv", b"abc", 1), ("/d/x.csv", b"", 0)];
        for (path, head, generation) in others {
            let (_, other) = Note::of(Path::new(path), head, generation).unwrap();
            assert_ne!(other.source, shard.source, "{path} {head:?} {generation}");
        }
    }

    #[test]
    fn the_reference_of_a_file_never_changes_between_versions() {
        let (_, shard) = Note::of(Path::new("/data/orders.json"), b"{\"id\":1}\n", 0).unwrap();
        assert_eq!(shard.to_string(), "file:1a8fa1a1a4c89342/orders.json");
    }
}
