//! Decompression in steps, so that every byte before a break is given.

use flate2::{Decompress, FlushDecompress, Status};
use sluice_ports::{Kind, PortError, Result};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// Decompressed bytes that one step gives at most.
pub(crate) const BLOCK: usize = 1 << 20;
/// What zstd wants to see of a frame first: magic and descriptor.
const FRAME_START: usize = 5;
/// The largest window of deflate.
const GZIP_WINDOW: u8 = 15;

/// How an object is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// As an object's first bytes tell.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head {
            // RFC 1952, with deflate as the method
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            // RFC 8878: a frame, or one that is skipped
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Where decompression stands.
pub(crate) enum Unpacker {
    Gzip(Gzip),
    Zstd(Zstd),
}

/// Members one after another; zeros may follow the last, as tapes leave them.
#[derive(Default)]
pub(crate) struct Gzip {
    member: Option<Box<Decompress>>,
    /// Whether a member has ended.
    some: bool,
    zeros: bool,
}

/// Frames one after another. The decoder is fed what it asks for and no more: a step that fails takes what it had decoded
/// with it, and so that is never more than the block that is broken.
pub(crate) struct Zstd {
    decoder: Decoder<'static>,
    wants: usize,
    within: bool,
}

impl Unpacker {
    pub(crate) fn new(packing: Packing) -> Result<Self> {
        Ok(match packing {
            Packing::Gzip => Self::Gzip(Gzip::default()),
            Packing::Zstd => {
                let decoder = Decoder::new()
                    .map_err(|error| PortError::new(Kind::Fatal, format!("cannot make a decoder for zstd: {error}")))?;
                Self::Zstd(Zstd { decoder, wants: FRAME_START, within: false })
            }
        })
    }

    /// Decompresses up to [`BLOCK`] bytes; fewer where the input is used up. Takes what it uses off the input.
    /// What was decompressed is good also where it fails.
    pub(crate) fn block(&mut self, input: &mut &[u8]) -> (Vec<u8>, std::result::Result<(), String>) {
        let mut out = Vec::with_capacity(BLOCK);
        while out.len() < out.capacity() {
            let before = (input.len(), out.len());
            let done = match self {
                Self::Gzip(gzip) => gzip.step(input, &mut out),
                Self::Zstd(zstd) => zstd.step(input, &mut out),
            };
            if done.is_err() || before == (input.len(), out.len()) {
                return (out, done);
            }
        }
        (out, Ok(()))
    }

    /// Whether the object may end here.
    pub(crate) fn may_end(&self) -> bool {
        match self {
            Self::Gzip(gzip) => gzip.member.is_none(),
            Self::Zstd(zstd) => !zstd.within,
        }
    }
}

impl Gzip {
    fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> std::result::Result<(), String> {
        if self.member.is_none() {
            self.begin(input)?;
        }
        let Some(member) = &mut self.member else { return Ok(()) };
        let before = member.total_in();
        let status = member.decompress_vec(input, out, FlushDecompress::None);
        *input = &input[(member.total_in() - before) as usize..];
        if status.map_err(|error| error.to_string())? == Status::StreamEnd {
            (self.member, self.some) = (None, true);
        }
        Ok(())
    }

    /// Begins a member where there is one.
    fn begin(&mut self, input: &mut &[u8]) -> std::result::Result<(), String> {
        let zeros = if self.some { input.iter().take_while(|byte| **byte == 0).count() } else { 0 };
        *input = &input[zeros..];
        self.zeros |= zeros > 0;
        match input.first() {
            None => {}
            Some(_) if self.zeros => return Err("bytes follow its end".to_owned()),
            Some(_) => self.member = Some(Box::new(Decompress::new_gzip(GZIP_WINDOW))),
        }
        Ok(())
    }
}

impl Zstd {
    fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> std::result::Result<(), String> {
        let filled = out.len();
        let mut from = InBuffer::around(&input[..input.len().min(self.wants)]);
        let wants = self.decoder.run(&mut from, &mut OutBuffer::around_pos(out, filled));
        let used = from.pos();
        *input = &input[used..];
        match wants.map_err(|error| error.to_string())? {
            0 => (self.wants, self.within) = (FRAME_START, false),
            wants => (self.wants, self.within) = (wants, self.within || used > 0),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// Decompresses input that comes in pieces.
    fn unpack(packed: &[u8], piece: usize) -> (Vec<u8>, std::result::Result<(), String>) {
        let mut unpacker = Unpacker::new(Packing::of(packed).unwrap()).unwrap();
        let mut all = vec![];
        for mut input in packed.chunks(piece) {
            loop {
                let (out, done) = unpacker.block(&mut input);
                all.extend_from_slice(&out);
                if done.is_err() {
                    return (all, done);
                }
                if out.len() < BLOCK && input.is_empty() {
                    break;
                }
            }
        }
        (all, if unpacker.may_end() { Ok(()) } else { Err("cut".into()) })
    }

    /// Five bits of chance in each byte.
    fn noise(bytes: u32) -> Vec<u8> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as u8 & 31
        };
        (0..bytes).map(|_| next()).collect()
    }

    #[test]
    fn members_and_frames_follow_each_other_in_pieces_of_any_size() {
        let (one, two) = (noise(3_000_000), noise(100));
        let whole = [one.as_slice(), &two].concat();
        for packed in [[gzip(&one), gzip(&two)].concat(), [zstd(&one), zstd(&two)].concat()] {
            for piece in [1 << 14, 1 << 20, usize::MAX] {
                let (all, done) = unpack(&packed, piece);
                assert!(all == whole && done == Ok(()), "{} of {} bytes, {done:?}", all.len(), whole.len());
            }
        }
        let (small, done) = unpack(&[gzip(&two), gzip(b""), zeros(100)].concat(), 1);
        assert_eq!((small, done), (two, Ok(())));
    }

    fn zeros(n: usize) -> Vec<u8> {
        vec![0; n]
    }

    #[test]
    fn everything_before_a_break_is_given() {
        let data = noise(3_000_000);
        for packed in [gzip(&data), zstd(&data)] {
            let (cut, done) = unpack(&packed[..packed.len() - 10], 1 << 16);
            assert!(data.starts_with(&cut) && cut.len() > 2_500_000 && done.is_err(), "{} {done:?}", cut.len());
            let mut torn = packed.clone();
            let middle = torn.len() / 2;
            torn[middle..middle + 64].fill(0xff);
            let (given, done) = unpack(&torn, 1 << 16);
            // noise may pass for data, and be noticed by the sum at the end only
            assert!(given.len() > 1_000_000 && given.len() <= data.len(), "{}", given.len());
            assert!(data.starts_with(&given[..1_000_000]), "what comes before the break is right");
            assert!(done.is_err());
        }
        let (given, done) = unpack(&[gzip(b"x"), zeros(3), gzip(b"y")].concat(), 10);
        assert_eq!((given.as_slice(), done.unwrap_err().as_str()), (&b"x"[..], "bytes follow its end"));
    }

    #[test]
    fn first_bytes_tell_the_packing() {
        assert_eq!(Packing::of(&gzip(b"x")), Some(Packing::Gzip));
        assert_eq!(Packing::of(&zstd(b"x")), Some(Packing::Zstd));
        for plain in [&b""[..], b"{}", &[0x1f, 0x8b]] {
            assert_eq!(Packing::of(plain), None);
        }
    }
}
