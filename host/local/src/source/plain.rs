//! A file as it is, read to the end that it had when it was opened, or followed.

use super::BLOCK;
use super::identity::{Note, read_at};
use super::reader::{FileStream, Piece};
use bytes::Bytes;
use sluice_ports::{PortError, Result};
use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

/// Reads without change.
pub(super) struct PlainFile {
    file: File,
    note: Note,
    offset: u64,
    /// Where the file ends as far as this reader is concerned; none where it is followed.
    end: Option<u64>,
    /// Whether the last call found nothing more.
    waiting: bool,
}

impl PlainFile {
    pub(super) fn open(file: File, note: Note, from: u64, follow: bool) -> Result<Self> {
        let plain = Self { file, note, offset: from, end: None, waiting: false };
        let size = plain.metadata()?.len();
        if size < from {
            return Err(plain.note.changed(format_args!("it has {size} bytes but was read up to {from}")));
        }
        Ok(Self { end: (!follow).then_some(size), ..plain })
    }

    fn metadata(&self) -> Result<Metadata> {
        self.file.metadata().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: std::io::Error) -> PortError {
        PortError::io(format_args!("cannot read `{}`", self.note.path), error)
    }

    /// The next bytes that there are, none at the end.
    fn read(&mut self) -> Result<Vec<u8>> {
        let left = self.end.map_or(BLOCK as u64, |end| (end - self.offset).min(BLOCK as u64)) as usize;
        let mut data = Vec::with_capacity(left);
        read_at(&self.file, &mut data, self.offset).map_err(|error| self.failed(error))?;
        data.truncate(left);
        Ok(data)
    }

    /// At the end of what there is: whether it is still the file that was opened, as far as can be told.
    fn check_followed(&self) -> Result<()> {
        let size = self.metadata()?.len();
        if size < self.offset {
            return Err(self.note.changed(format_args!("it was cut to {size} bytes after {} were read", self.offset)));
        }
        let open = self.metadata()?;
        match fs::metadata(&self.note.path) {
            Ok(there) if (there.dev(), there.ino()) != (open.dev(), open.ino()) => {
                let what = format!("another file was put in its place after {} bytes were read", self.offset);
                Err(self.note.changed(what))
            }
            // moved away: what is still written to it is read on
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            there => there.map(drop).map_err(|error| self.failed(error)),
        }
    }
}

impl FileStream for PlainFile {
    fn piece(&mut self) -> Result<Piece> {
        if self.waiting {
            // it may have been emptied and filled again since
            self.check_followed()?;
            self.note.verify(&self.file, "while it was followed")?;
        }
        let data = self.read()?;
        let offset = self.offset;
        self.offset += data.len() as u64;
        self.waiting = false;
        match (data.is_empty(), self.end) {
            (false, end) => {
                let more = end.is_some() || data.len() == BLOCK;
                Ok(Piece::Bytes { offset, data: Bytes::from(data), more })
            }
            (true, Some(end)) if offset < end => {
                let what = format!("it was cut short while it was read: {end} bytes when opened, {offset} now");
                Err(self.note.changed(what))
            }
            (true, Some(_)) => Ok(Piece::End),
            (true, None) => {
                self.check_followed()?;
                self.waiting = true;
                Ok(Piece::CaughtUp)
            }
        }
    }

    fn consumed(&self) -> u64 {
        self.offset
    }
}
