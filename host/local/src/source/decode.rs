//! Decompression, step by step, such that everything before a break is given.

use super::Compression;
use super::identity::read_at;
use flate2::{Decompress, FlushDecompress, Status};
use std::fmt;
use std::fs::File;
use std::io;
use zstd::stream::raw::{Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// How a file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    Packed(Packing),
}

impl Format {
    /// Of a file.
    pub(super) fn of(file: &File, compression: Compression) -> io::Result<Self> {
        let mut head = Vec::with_capacity(4);
        read_at(file, &mut head, 0)?;
        Ok(Self::of_head(&head, compression))
    }

    /// Of a file with these first bytes.
    pub(super) fn of_head(head: &[u8], compression: Compression) -> Self {
        match compression {
            Compression::None => Self::Plain,
            Compression::Gzip => Self::Packed(Packing::Gzip),
            Compression::Zstd => Self::Packed(Packing::Zstd),
            Compression::Auto => match head {
                // RFC 1952: magic, and deflate as the method
                [0x1f, 0x8b, 8, ..] => Self::Packed(Packing::Gzip),
                // RFC 8878: magic of a frame
                [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Packed(Packing::Zstd),
                // RFC 8878: magic of a skippable frame, with which pzstd begins
                [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Packed(Packing::Zstd),
                _ => Self::Plain,
            },
        }
    }
}

/// What one step did. Bytes produced count also where it broke.
pub(super) struct Step {
    pub consumed: usize,
    pub broken: Option<String>,
}

/// Decompresses one file.
pub(super) enum Decoder {
    Gzip(Gzip),
    Zstd(Zstd),
}

impl Decoder {
    pub(super) fn new(packing: Packing) -> io::Result<Self> {
        Ok(match packing {
            Packing::Gzip => Self::Gzip(Gzip::default()),
            Packing::Zstd => Self::Zstd(Zstd { raw: ZstdDecoder::new()?, next: FRAME_START, within: false }),
        })
    }

    /// Appends to the spare capacity of `output`; does something unless input or capacity has run out.
    pub(super) fn step(&mut self, input: &[u8], output: &mut Vec<u8>) -> Step {
        match self {
            Self::Gzip(gzip) => gzip.step(input, output),
            Self::Zstd(zstd) => zstd.step(input, output),
        }
    }

    /// Whether the file may end here.
    pub(super) fn may_end(&self) -> bool {
        match self {
            Self::Gzip(gzip) => !matches!(gzip, Gzip::Within(_)),
            Self::Zstd(zstd) => !zstd.within,
        }
    }
}

/// Members of gzip, one after another. Zero bytes may follow the last one (tape blocks).
#[derive(Default)]
pub(super) enum Gzip {
    #[default]
    First,
    Within(Box<Decompress>),
    Between,
    Padding,
}

impl Gzip {
    fn step(&mut self, input: &[u8], output: &mut Vec<u8>) -> Step {
        match (&mut *self, input.first()) {
            (Self::Within(_), _) => {}
            (_, None) => return Step { consumed: 0, broken: None },
            (Self::Between | Self::Padding, Some(0)) => {
                *self = Self::Padding;
                let consumed = input.iter().take_while(|byte| **byte == 0).count();
                return Step { consumed, broken: None };
            }
            (Self::Padding, Some(_)) => return Step { consumed: 0, broken: Some("bytes follow its end".into()) },
            // 15: the largest window there is
            (Self::First | Self::Between, Some(_)) => *self = Self::Within(Box::new(Decompress::new_gzip(15))),
        }
        let Self::Within(member) = self else { unreachable!("a member was begun") };
        let before = member.total_in();
        let result = member.decompress_vec(input, output, FlushDecompress::None);
        let consumed = (member.total_in() - before) as usize;
        match result {
            Ok(Status::StreamEnd) => *self = Self::Between,
            Ok(_) => {}
            Err(error) => return Step { consumed, broken: Some(error.to_string()) },
        }
        Step { consumed, broken: None }
    }
}

/// Bytes that say how a frame goes on: magic and descriptor (`ZSTD_startingInputLength`).
const FRAME_START: usize = 5;

/// Frames of Zstandard, one after another. The decoder is given exactly what it asks for next, so that a step decodes
/// one block (up to 128 KiB): what a step gave before it broke would be lost.
pub(super) struct Zstd {
    raw: ZstdDecoder<'static>,
    next: usize,
    within: bool,
}

impl Zstd {
    fn step(&mut self, input: &[u8], output: &mut Vec<u8>) -> Step {
        let piece = &input[..input.len().min(self.next)];
        let before = output.len();
        let mut from = InBuffer::around(piece);
        let result = {
            let mut into = OutBuffer::around_pos(output, before);
            self.raw.run(&mut from, &mut into)
        };
        let consumed = from.pos();
        match result {
            Ok(0) => (self.next, self.within) = (FRAME_START, false),
            Ok(hint) => (self.next, self.within) = (hint, self.within || consumed > 0),
            Err(error) => return Step { consumed, broken: Some(error.to_string()) },
        }
        Step { consumed, broken: None }
    }
}
