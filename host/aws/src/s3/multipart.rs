//! Objects that are uploaded in parts.

use super::bucket::Bucket;
use crate::client::retry;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use sluice_ports::{Kind, PortError, Result};
use std::collections::VecDeque;
use tokio::task::{JoinError, JoinHandle};

/// Limits of parts (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const SMALLEST_PART: usize = 5 << 20;
const MOST_PARTS: usize = 10_000;
/// Parts under way at once: an upload takes this many parts of memory on the wire.
const IN_FLIGHT: usize = 4;

/// Puts an object in parts. Where that fails the upload is aborted, so that its parts are not kept and paid for.
pub(super) async fn put(bucket: &Bucket, name: &str, data: Bytes) -> Result<()> {
    let upload = Upload::create(bucket, name).await?;
    let result = match upload.send(&data).await {
        Ok(parts) => upload.complete(parts, &data).await,
        Err(error) => Err(error),
    };
    if result.is_err() {
        upload.abort().await;
    }
    result
}

/// Aborts every upload under the lake's prefix: only the holder of the lease uploads, and it has not begun to.
pub(super) async fn clean(bucket: &Bucket) -> Result<()> {
    let found = match list(bucket).await {
        // a role without the action still runs: the bucket's lifecycle rule does the same in a day
        Err(error) if error.kind == Kind::Denied => {
            tracing::warn!(%error, "uploads that an earlier run left behind are not aborted");
            return Ok(());
        }
        found => found?,
    };
    for (key, id) in found {
        Upload { bucket: bucket.clone(), what: format!("`s3://{}/{key}`", bucket.lake.bucket), key, id }.abort().await;
    }
    Ok(())
}

/// Keys and ids of the uploads under the lake's prefix.
async fn list(bucket: &Bucket) -> Result<Vec<(String, String)>> {
    let mut uploads = vec![];
    let (mut key, mut id) = (None, None);
    loop {
        let call = || {
            let request = bucket.aws.s3().list_multipart_uploads().bucket(&bucket.lake.bucket);
            let request = request.prefix(&bucket.lake.prefix);
            request.set_key_marker(key.clone()).set_upload_id_marker(id.clone()).send()
        };
        let page = retry(bucket.aws.retry(), "ListMultipartUploads", &bucket.what(""), call).await?;
        uploads.extend(page.uploads.unwrap_or_default().into_iter().filter_map(|found| found.key.zip(found.upload_id)));
        if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
            return Ok(uploads);
        }
        (key, id) = (page.next_key_marker, page.next_upload_id_marker);
    }
}

/// An upload under way.
#[derive(Clone)]
struct Upload {
    bucket: Bucket,
    key: String,
    what: String,
    id: String,
}

/// Parts that are being sent, in order. Those that are not waited for stop when it is dropped.
struct Parts(VecDeque<JoinHandle<Result<CompletedPart>>>);

impl Drop for Parts {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Upload {
    async fn create(bucket: &Bucket, name: &str) -> Result<Self> {
        let (lake, key, what) = (&bucket.lake, bucket.key(name), bucket.what(name));
        let call = || {
            let request = bucket.aws.s3().create_multipart_upload().bucket(&lake.bucket).key(&key);
            request
                .set_server_side_encryption(lake.encryption())
                .set_ssekms_key_id(lake.kms_key.clone())
                .set_storage_class(lake.class())
                .set_tagging(lake.tagging())
                .send()
        };
        let output = retry(bucket.aws.retry(), "CreateMultipartUpload", &what, call).await?;
        let missing =
            || PortError::new(Kind::Fatal, format!("CreateMultipartUpload of {what}: no upload id came back"));
        let id = output.upload_id.ok_or_else(missing)?;
        Ok(Self { bucket: bucket.clone(), key, what, id })
    }

    async fn send(&self, data: &Bytes) -> Result<Vec<CompletedPart>> {
        let size = part_size(self.bucket.lake.part_bytes, data.len());
        let (mut sending, mut sent) = (Parts(VecDeque::new()), vec![]);
        for (index, start) in (0..data.len()).step_by(size).enumerate() {
            if sending.0.len() == IN_FLIGHT {
                sent.extend(self.first_of(&mut sending).await?);
            }
            let (upload, part) = (self.clone(), data.slice(start..data.len().min(start + size)));
            sending.0.push_back(tokio::spawn(async move { upload.send_part(index as i32 + 1, part).await }));
        }
        while let Some(part) = self.first_of(&mut sending).await? {
            sent.push(part);
        }
        Ok(sent)
    }

    /// Waits for the first of the parts under way.
    async fn first_of(&self, sending: &mut Parts) -> Result<Option<CompletedPart>> {
        let died = |error: JoinError| PortError::new(Kind::Fatal, format!("UploadPart of {}: {error}", self.what));
        let Some(first) = sending.0.front_mut() else { return Ok(None) };
        let part = first.await.map_err(died)??;
        sending.0.pop_front();
        Ok(Some(part))
    }

    async fn send_part(&self, number: i32, data: Bytes) -> Result<CompletedPart> {
        let call = || {
            let request = self.bucket.aws.s3().upload_part().bucket(&self.bucket.lake.bucket).key(&self.key);
            request.upload_id(&self.id).part_number(number).body(ByteStream::from(data.clone())).send()
        };
        let output = retry(self.bucket.aws.retry(), "UploadPart", &self.what, call).await?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(output.e_tag)
            .set_checksum_crc32(output.checksum_crc32)
            .set_checksum_crc64_nvme(output.checksum_crc64_nvme)
            .build())
    }

    /// Makes the object of its parts. An answer that was lost leaves an upload that is no longer there: then the object
    /// is read back.
    async fn complete(&self, parts: Vec<CompletedPart>, data: &Bytes) -> Result<()> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let call = || {
            let request = self.bucket.aws.s3().complete_multipart_upload().bucket(&self.bucket.lake.bucket);
            request.key(&self.key).upload_id(&self.id).multipart_upload(parts.clone()).send()
        };
        match retry(self.bucket.aws.retry(), "CompleteMultipartUpload", &self.what, call).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Retry) => match self.is_there(data).await {
                Ok(true) => Ok(()),
                _ => Err(PortError { kind: Kind::Retry, ..error }),
            },
            Err(error) => Err(error),
        }
    }

    async fn is_there(&self, data: &Bytes) -> Result<bool> {
        let name = self.key.strip_prefix(&self.bucket.lake.prefix).unwrap_or(&self.key);
        if self.bucket.head(name).await?.size != data.len() as u64 {
            return Ok(false);
        }
        Ok(self.bucket.get(name).await?.data == *data)
    }

    /// Best effort: what stays the next run's [`clean`] or the bucket's lifecycle rule aborts.
    async fn abort(&self) {
        let call = || {
            let request = self.bucket.aws.s3().abort_multipart_upload().bucket(&self.bucket.lake.bucket);
            request.key(&self.key).upload_id(&self.id).send()
        };
        let result = retry(self.bucket.aws.retry(), "AbortMultipartUpload", &self.what, call).await;
        if let Err(error) = result.map(|_| ())
            && error.kind != Kind::NotFound
        {
            tracing::warn!(%error, "an upload was not aborted; the next run or the bucket's lifecycle rule does it");
        }
    }
}

/// The asked size of a part, within what S3 takes.
fn part_size(asked: usize, total: usize) -> usize {
    asked.max(SMALLEST_PART).max(total.div_ceil(MOST_PARTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_neither_too_small_nor_too_many() {
        assert_eq!(part_size(8 << 20, 100 << 20), 8 << 20);
        assert_eq!(part_size(0, 100 << 20), SMALLEST_PART);
        let huge = 200 << 30;
        assert!(huge / part_size(8 << 20, huge) <= MOST_PARTS);
    }
}
