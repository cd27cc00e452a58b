//! A compressed file, read to the end that it had when it was opened.

use super::BLOCK;
use super::decode::{Decoder, Packing};
use super::identity::{changed, read_at};
use super::reader::{FileStream, Piece};
use bytes::Bytes;
use sluice_ports::{Kind, PortError, Result};
use std::fs::File;
use std::path::PathBuf;

/// Stored bytes read at once.
const INPUT: usize = 256 << 10;

/// Reads and decompresses.
pub(super) struct PackedFile {
    file: File,
    path: PathBuf,
    packing: Packing,
    decoder: Decoder,
    /// Stored bytes that are read and not yet decoded: `input[used..]`.
    input: Vec<u8>,
    used: usize,
    /// Stored bytes read so far, and in all.
    stored: u64,
    stored_end: u64,
    /// Decompressed bytes given so far.
    offset: u64,
    /// Why nothing more can be decoded.
    broken: Option<String>,
}

impl PackedFile {
    /// Decompresses up to `from`.
    pub(super) fn open(file: File, path: PathBuf, packing: Packing, from: u64) -> Result<Self> {
        let failed = |error| PortError::io(format_args!("cannot open `{}`", path.display()), error);
        let stored_end = file.metadata().map_err(failed)?.len();
        let decoder = Decoder::new(packing).map_err(failed)?;
        let input = Vec::with_capacity(INPUT);
        let mut packed =
            Self { file, path, packing, decoder, input, used: 0, stored: 0, stored_end, offset: 0, broken: None };
        packed.skip(from)?;
        Ok(packed)
    }

    fn skip(&mut self, from: u64) -> Result<()> {
        while self.offset < from {
            let left = usize::try_from(from - self.offset).unwrap_or(BLOCK).min(BLOCK);
            if self.decode(left)?.is_empty() {
                let what = match &self.broken {
                    Some(broken) => format!("it breaks at {} ({broken}) but was read up to {from}", self.offset),
                    None => format!("it has {} bytes decompressed but was read up to {from}", self.offset),
                };
                return Err(changed(self.path.display(), what));
            }
        }
        Ok(())
    }

    /// Up to `limit` decompressed bytes: fewer only at the end or at a break.
    fn decode(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut output = Vec::with_capacity(limit);
        while output.len() < output.capacity() && self.broken.is_none() {
            if self.used == self.input.len() && self.stored < self.stored_end {
                self.refill()?;
            }
            let before = output.len();
            let step = self.decoder.step(&self.input[self.used..], &mut output);
            self.used += step.consumed;
            let idle = step.consumed == 0 && output.len() == before;
            self.broken = step.broken;
            if idle && self.broken.is_none() {
                if !self.decoder.may_end() {
                    self.broken = Some("it ends within its compressed data".into());
                }
                break;
            }
        }
        self.offset += output.len() as u64;
        Ok(output)
    }

    fn refill(&mut self) -> Result<()> {
        self.input.clear();
        self.used = 0;
        read_at(&self.file, &mut self.input, self.stored)
            .map_err(|error| PortError::io(format_args!("cannot read `{}`", self.path.display()), error))?;
        self.input.truncate((self.stored_end - self.stored).min(INPUT as u64) as usize);
        self.stored += self.input.len() as u64;
        if self.input.is_empty() {
            self.stored_end = self.stored; // it was cut short while it was read; the decoder says whether it may be
        }
        Ok(())
    }

    fn consumed(&self) -> u64 {
        self.stored - (self.input.len() - self.used) as u64
    }

    fn break_error(&self, what: &str) -> PortError {
        let message = format!(
            "`{}` breaks at byte {} of the {} file, offset {} decompressed: {what}; what comes before is good; put a \
             whole copy in its place to read on",
            self.path.display(),
            self.consumed(),
            self.packing,
            self.offset
        );
        PortError::new(Kind::Broken, message)
    }
}

impl FileStream for PackedFile {
    fn piece(&mut self) -> Result<Piece> {
        let offset = self.offset;
        let data = self.decode(BLOCK)?;
        match &self.broken {
            _ if !data.is_empty() => Ok(Piece::Bytes { offset, data: Bytes::from(data), more: true }),
            Some(broken) => Err(self.break_error(broken)),
            None => Ok(Piece::End),
        }
    }

    fn consumed(&self) -> u64 {
        self.consumed()
    }
}
