//! What goes through the pipes between the host and the process that compiles: a request with the file, a reply with
//! code or a refusal. Numbers are little-endian.

use super::{Bounds, Code};
use crate::limits::LoadLimits;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};
use std::time::Duration;

/// First bytes of both; the number is that of the layout.
const MAGIC: &[u8; 16] = b"sluice-compile-1";

/// Longest refusal, and longest part of standard error that is looked at.
pub(super) const TEXT_BYTES: usize = 64 << 10;

pub(super) const DIGEST: usize = 32;

/// What is to be compiled, and within which limits.
pub(super) struct Request<B> {
    pub(super) bounds: Bounds,
    pub(super) limits: LoadLimits,
    pub(super) file: B,
}

impl Request<&[u8]> {
    pub(super) fn write(&self, mut to: impl Write) -> io::Result<()> {
        to.write_all(MAGIC)?;
        to.write_all(&[u8::from(self.bounds == Bounds::Checked)])?;
        let LoadLimits { compile_time, compile_memory_bytes, .. } = self.limits;
        for number in [compile_time.as_secs(), u64::from(compile_time.subsec_nanos()), compile_memory_bytes as u64] {
            to.write_all(&number.to_le_bytes())?;
        }
        write_bytes(&mut to, self.file)?;
        to.flush()
    }
}

impl Request<Vec<u8>> {
    pub(super) fn read(mut from: impl Read) -> io::Result<Self> {
        read_magic(&mut from)?;
        let [checked] = read_array(&mut from)?;
        let mut number = || read_array(&mut from).map(u64::from_le_bytes);
        let (seconds, nanos, memory) = (number()?, number()?, number()?);
        let compile_time = Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        let compile_memory_bytes = usize::try_from(memory).unwrap_or(usize::MAX);
        let file = read_bytes(&mut from, usize::MAX)?;
        let bounds = if checked == 1 { Bounds::Checked } else { Bounds::Reserved };
        let limits = LoadLimits { component_bytes: file.len(), compile_time, compile_memory_bytes };
        Ok(Self { bounds, limits, file })
    }
}

/// What came of it: code, with the digest of what it was compiled for, or why the file is refused.
pub(super) type Reply = Result<(Code, [u8; DIGEST]), String>;

pub(super) fn write_reply(mut to: impl Write, reply: &Reply) -> io::Result<()> {
    to.write_all(MAGIC)?;
    match reply {
        Ok((code, environment)) => {
            to.write_all(&[1])?;
            to.write_all(environment)?;
            to.write_all(&Sha256::digest(code.bytes()))?;
            write_bytes(&mut to, code.bytes())?;
        }
        Err(refusal) => {
            to.write_all(&[0])?;
            write_bytes(&mut to, &refusal.as_bytes()[..refusal.floor_char_boundary(TEXT_BYTES)])?;
        }
    }
    to.flush()
}

/// # Errors
/// It breaks off, is none, or holds more than `max_code` bytes.
pub(super) fn read_reply(mut from: impl Read, max_code: usize) -> io::Result<Reply> {
    read_magic(&mut from)?;
    let [verdict] = read_array(&mut from)?;
    if verdict == 0 {
        let text = read_bytes(&mut from, TEXT_BYTES)?;
        return Ok(Err(String::from_utf8_lossy(&text).into_owned()));
    }
    let (environment, digest): ([u8; DIGEST], [u8; DIGEST]) = (read_array(&mut from)?, read_array(&mut from)?);
    let code = read_bytes(&mut from, max_code)?;
    if digest != Sha256::digest(&code).as_slice() {
        return Err(io::Error::other("the code does not have the digest that was sent with it"));
    }
    Ok(Ok((Code(code), environment)))
}

fn read_magic(from: impl Read) -> io::Result<()> {
    match read_array(from)? {
        magic if magic == *MAGIC => Ok(()),
        _ => Err(io::Error::other("what came is of another layout")),
    }
}

fn read_array<const N: usize>(mut from: impl Read) -> io::Result<[u8; N]> {
    let mut array = [0; N];
    from.read_exact(&mut array)?;
    Ok(array)
}

fn write_bytes(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(bytes)
}

fn read_bytes(mut from: impl Read, max: usize) -> io::Result<Vec<u8>> {
    let length = u64::from_le_bytes(read_array(&mut from)?);
    if length > max as u64 {
        let kind = io::ErrorKind::FileTooLarge;
        return Err(io::Error::new(kind, format!("{length} bytes were to come; at most {max} may")));
    }
    // grows with what comes, not with what was announced
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_reply(&mut bytes, reply).unwrap();
        bytes
    }

    #[test]
    fn a_request_reads_back() {
        let limits =
            LoadLimits { component_bytes: 3, compile_time: Duration::from_millis(1500), compile_memory_bytes: 5 << 30 };
        let mut bytes = Vec::new();
        Request { bounds: Bounds::Checked, limits, file: b"abc".as_slice() }.write(&mut bytes).unwrap();
        let back = Request::read(&bytes[..]).unwrap();
        assert_eq!((back.bounds, back.limits, back.file.as_slice()), (Bounds::Checked, limits, b"abc".as_slice()));
        assert!(Request::read(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn code_that_was_touched_or_broken_off_is_noticed() {
        let whole = written(&Ok((Code(b"code".to_vec()), [7; DIGEST])));
        let (code, environment) = read_reply(&whole[..], 4).unwrap().unwrap();
        assert_eq!((code.bytes(), environment), (b"code".as_slice(), [7; DIGEST]));
        for at in [0, whole.len() - 1, whole.len() - 20] {
            let mut broken = whole.clone();
            broken[at] ^= 1;
            assert!(read_reply(&broken[..], 4).is_err(), "byte {at}");
        }
        assert!(read_reply(&whole[..whole.len() - 1], 4).is_err());
        assert_eq!(read_reply(&whole[..], 3).map(drop).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_refusal_reads_back_and_is_never_long() {
        let refusal = read_reply(&written(&Err("no rule".into()))[..], 0).unwrap();
        assert_eq!(refusal.map(drop), Err("no rule".into()));
        let long = read_reply(&written(&Err("ä".repeat(TEXT_BYTES)))[..], 0).unwrap();
        assert_eq!(long.map(drop).unwrap_err().len(), TEXT_BYTES);
    }
}
