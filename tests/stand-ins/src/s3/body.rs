//! Bodies: digests, checksums and the parts of an upload.

use super::objects::Upload;
use bytes::Bytes;
use futures_util::StreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum, Crc32, Md5};
use s3s::dto::{CompletedPart, StreamingBlob};
use s3s::{S3Result, TrailingHeaders, s3_error};

/// The smallest part of an upload that is not its last
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const MIN_PART_BYTES: usize = 5 << 20;

/// A body that arrived whole and as it was sent.
pub(super) struct Received {
    pub(super) chunks: Vec<Bytes>,
    pub(super) crc32: String,
    pub(super) md5: [u8; 16],
}

impl Received {
    /// Reads a body to its end and checks it against the checksum in the header or, for a stream, the trailer.
    pub(super) async fn read(
        body: Option<StreamingBlob>,
        header: Option<&str>,
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<Self> {
        let chunks = collect(body).await?;
        let trailers = trailers.and_then(|trailers| trailers.take());
        let trailer = trailers.as_ref().and_then(|all| all.get("x-amz-checksum-crc32"));
        let crc32 = crc32(&chunks);
        if header.or(trailer.and_then(|crc| crc.to_str().ok())).is_some_and(|sent| sent != crc32) {
            return Err(s3_error!(BadDigest));
        }
        let md5 = md5(&chunks);
        Ok(Self { chunks, crc32, md5 })
    }
}

/// Checks the named parts as S3 does and puts them together, with the ETag of a multipart object.
pub(super) fn assemble(upload: &Upload, named: &[CompletedPart]) -> S3Result<(Vec<Bytes>, String)> {
    let mut chunks = Vec::new();
    let mut digests = Vec::new();
    let mut last = 0;
    for (at, part) in named.iter().enumerate() {
        let number = part.part_number.ok_or_else(|| s3_error!(InvalidPart))?;
        if number <= last {
            return Err(s3_error!(InvalidPartOrder));
        }
        last = number;
        let known = upload.parts.get(&number).ok_or_else(|| s3_error!(InvalidPart))?;
        let same = part.e_tag.as_ref().is_some_and(|etag| etag.value() == hex(&known.md5));
        if !same {
            return Err(s3_error!(InvalidPart));
        }
        if known.data.len() < MIN_PART_BYTES && at + 1 < named.len() {
            return Err(s3_error!(EntityTooSmall));
        }
        chunks.push(known.data.clone());
        digests.push(Bytes::copy_from_slice(&known.md5));
    }
    if chunks.is_empty() {
        return Err(s3_error!(MalformedXML, "an upload has at least one part"));
    }
    let etag = format!("{}-{}", hex(&md5(&digests)), digests.len());
    Ok((chunks, etag))
}

async fn collect(body: Option<StreamingBlob>) -> S3Result<Vec<Bytes>> {
    let mut chunks = Vec::new();
    let Some(mut body) = body else { return Ok(chunks) };
    while let Some(chunk) = body.next().await {
        chunks.push(chunk.map_err(|_| s3_error!(IncompleteBody))?);
    }
    Ok(chunks)
}

fn crc32(chunks: &[Bytes]) -> String {
    let mut hasher = ChecksumHasher { crc32: Some(Crc32::default()), ..ChecksumHasher::default() };
    chunks.iter().for_each(|chunk| hasher.update(chunk));
    hasher.finalize().checksum_crc32.unwrap_or_default()
}

fn md5(chunks: &[Bytes]) -> [u8; 16] {
    let mut hasher = Md5::new();
    chunks.iter().for_each(|chunk| hasher.update(chunk));
    hasher.finalize()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The tags of a header like `team=data&stage=test`; without percent escapes, which Sluice's tags do not need.
pub(super) fn tags(header: Option<&str>) -> S3Result<Vec<(String, String)>> {
    let pairs = header.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let tag = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    pairs.map(|pair| tag(pair).ok_or_else(|| s3_error!(InvalidTag))).collect()
}
