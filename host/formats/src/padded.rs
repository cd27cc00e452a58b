//! A record behind which some bytes more may be read.

use crate::block::{Block, SLACK};

/// A record, followed by at least [`SLACK`] readable bytes of anything.
#[derive(Clone, Copy)]
pub(crate) struct Padded<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Padded<'a> {
    /// The record of `len` bytes at `start`, or at the end of the data a copy of it.
    #[inline(always)]
    pub(crate) fn new(data: &'a [u8], start: usize, len: usize, copy: &'a mut Vec<u8>) -> Self {
        match data.get(start..start + len + SLACK) {
            Some(bytes) => Self { bytes, len },
            None => Self::copied(&data[start..start + len], copy),
        }
    }

    #[cold]
    fn copied(record: &[u8], copy: &'a mut Vec<u8>) -> Self {
        copy.clear();
        copy.extend_from_slice(record);
        copy.resize(record.len() + SLACK, 0);
        Self { bytes: copy, len: record.len() }
    }

    /// The record.
    #[inline(always)]
    pub(crate) fn record(self) -> &'a [u8] {
        &self.bytes[..self.len]
    }

    /// The record and what is readable behind it.
    #[inline(always)]
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// The byte at `at`, which may lie a little behind the record.
    #[inline(always)]
    pub(crate) fn byte(self, at: usize) -> u8 {
        self.bytes[at]
    }

    /// The block at `at`, which may lie a block behind the record.
    #[inline(always)]
    pub(crate) fn block(self, at: usize) -> Block {
        Block::load(self.bytes, at)
    }
}
