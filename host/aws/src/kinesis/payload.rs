//! Payloads that a producer compressed.

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use std::io::{self, Read};

/// Bytes that one payload may have once it is decompressed: 64 MiB. A record has at most 10 MiB, and what grows more than
/// this is made to fill memory.
pub const MAX_DECOMPRESSED_BYTES: usize = 64 << 20;

const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether a payload begins as a compressed one does.
pub(super) fn is_packed(data: &[u8]) -> bool {
    data.starts_with(&GZIP) || data.starts_with(&ZSTD)
}

/// The content of a payload: decompressed where its first bytes are those of gzip (several members too) or zstd.
///
/// # Errors
/// What is wrong with it, for people; it holds nothing of the payload.
pub fn unpack(data: &Bytes) -> Result<Bytes, String> {
    unpack_within(data, MAX_DECOMPRESSED_BYTES)
}

fn unpack_within(data: &Bytes, limit: usize) -> Result<Bytes, String> {
    if data.starts_with(&GZIP) {
        read_within("gzip", MultiGzDecoder::new(&data[..]), limit)
    } else if data.starts_with(&ZSTD) {
        let decoder = zstd::stream::read::Decoder::with_buffer(&data[..]);
        read_within("zstd", decoder.map_err(|error| broken("zstd", &error))?, limit)
    } else {
        Ok(data.clone())
    }
}

fn read_within(format: &str, decoder: impl Read, limit: usize) -> Result<Bytes, String> {
    let mut content = vec![];
    decoder.take(limit as u64 + 1).read_to_end(&mut content).map_err(|error| broken(format, &error))?;
    if content.len() > limit {
        return Err(format!("{format} of more than {limit} bytes decompressed"));
    }
    Ok(content.into())
}

fn broken(format: &str, error: &io::Error) -> String {
    format!("broken {format}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(data, 1).unwrap()
    }

    #[test]
    fn members_and_frames_follow_each_other() {
        for pack in [gzip, zstd] {
            let packed = [pack(b"{\"a\":1}\n"), pack(b"{\"a\":2}")].concat();
            assert_eq!(unpack(&packed.into()).unwrap(), &b"{\"a\":1}\n{\"a\":2}"[..]);
        }
    }

    #[test]
    fn a_payload_as_big_as_the_limit_passes_and_a_byte_more_does_not() {
        for pack in [gzip, zstd] {
            assert_eq!(unpack_within(&pack(&[7; 1000]).into(), 1000).unwrap().len(), 1000);
            assert!(unpack_within(&pack(&[7; 1001]).into(), 1000).unwrap_err().contains("more than 1000 bytes"));
        }
    }

    #[test]
    fn a_cut_or_followed_payload_is_broken() {
        for pack in [gzip, zstd] {
            let whole = pack(b"some content of some length");
            let cut = Bytes::copy_from_slice(&whole[..whole.len() - 3]);
            assert!(unpack(&cut).unwrap_err().starts_with("broken"), "{:?}", unpack(&cut));
            let followed = [whole, b"junk".to_vec()].concat().into();
            assert!(unpack(&followed).unwrap_err().starts_with("broken"), "{:?}", unpack(&followed));
        }
    }

    proptest! {
        #[test]
        fn whatever_was_packed_comes_out(data in prop::collection::vec(any::<u8>(), 0..500)) {
            for packed in [gzip(&data), zstd(&data)] {
                prop_assert_eq!(unpack(&packed.into()).unwrap(), &data[..]);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(data in prop::collection::vec(any::<u8>(), 0..100)) {
            for magic in [&GZIP[..], &ZSTD[..], &[]] {
                let _ = unpack(&[magic, &data].concat().into());
            }
        }
    }
}
