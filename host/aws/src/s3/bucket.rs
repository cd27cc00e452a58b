//! Calls on the objects of one lake.

use crate::client::{Aws, Retry, retry, retry_while};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use bytes::Bytes;
use sluice_ports::{Kind, PortError, Result};
use std::ops::Range;

/// Where a lake lies and how its objects are kept.
#[derive(Debug, Clone)]
pub struct S3Lake {
    /// Bucket.
    pub bucket: String,
    /// Before every name, ending with `/`, or empty.
    pub prefix: String,
    /// Key of KMS, by id, ARN or alias; without one the bucket's default encryption holds.
    pub kms_key: Option<String>,
    /// Storage class of the lake's objects, such as `STANDARD_IA`. The log and the lease are always `STANDARD`.
    pub storage_class: Option<String>,
    /// Tags of the lake's objects.
    pub tags: Vec<(String, String)>,
    /// Size of the parts of an object that is uploaded in parts; from 5 MiB, and more where it would take above 10,000.
    pub part_bytes: usize,
}

impl S3Lake {
    /// The default size of parts.
    pub const PART_BYTES: usize = 8 << 20;

    /// A lake with the bucket's own defaults.
    pub fn new(bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: prefix.into(),
            kms_key: None,
            storage_class: None,
            tags: vec![],
            part_bytes: Self::PART_BYTES,
        }
    }

    /// The address of an object by its name in the lake, as COPY takes it.
    pub fn url(&self, name: &str) -> String {
        format!("s3://{}/{}{name}", self.bucket, self.prefix)
    }

    pub(super) fn encryption(&self) -> Option<ServerSideEncryption> {
        self.kms_key.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }

    pub(super) fn class(&self) -> Option<StorageClass> {
        self.storage_class.as_deref().map(StorageClass::from)
    }

    /// Tags as the header takes them.
    pub(super) fn tagging(&self) -> Option<String> {
        let one = |(key, value): &(String, String)| format!("{}={}", percent(key), percent(value));
        (!self.tags.is_empty()).then(|| self.tags.iter().map(one).collect::<Vec<_>>().join("&"))
    }
}

/// Encodes a part of a query.
fn percent(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Bytes.
    pub size: u64,
    /// Changes with the content.
    pub etag: String,
    /// Where the bucket keeps versions.
    pub version: Option<String>,
}

/// What must hold for an object to be put.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'a> {
    /// There is none of this name.
    Absent,
    /// The one there has this ETag.
    Is(&'a str),
}

/// An object of the log's or the lease's, with its ETag.
pub(super) struct Content {
    pub(super) data: Bytes,
    pub(super) etag: String,
}

/// The lake's bucket, by names within the lake. Clones share connections.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) aws: Aws,
    pub(super) lake: S3Lake,
}

impl Bucket {
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.lake.prefix)
    }

    /// The object as messages name it.
    pub(super) fn what(&self, name: &str) -> String {
        format!("`{}`", self.lake.url(name))
    }

    /// Puts an object in one call.
    pub(super) async fn put(&self, name: &str, data: &Bytes) -> Result<()> {
        let (lake, key) = (&self.lake, self.key(name));
        let call = || {
            let request = self.aws.s3().put_object().bucket(&lake.bucket).key(&key);
            request
                .set_server_side_encryption(lake.encryption())
                .set_ssekms_key_id(lake.kms_key.clone())
                .set_storage_class(lake.class())
                .set_tagging(lake.tagging())
                .body(ByteStream::from(data.clone()))
                .send()
        };
        retry(self.aws.retry(), "PutObject", &self.what(name), call).await.map(|_| ())
    }

    /// Puts an object if a condition holds; its ETag, or `None` where it does not hold. That can be one's own success
    /// of an attempt whose answer was lost: the caller reads back. `allowed` is asked before each attempt.
    pub(super) async fn put_if(
        &self,
        policy: &Retry,
        name: &str,
        data: &Bytes,
        condition: Condition<'_>,
        allowed: impl Fn() -> Result<()>,
    ) -> Result<Option<String>> {
        let (lake, key) = (&self.lake, self.key(name));
        let (none, is) = match condition {
            Condition::Absent => (Some("*".to_owned()), None),
            Condition::Is(etag) => (None, Some(etag.to_owned())),
        };
        let call = || {
            let request = self.aws.s3().put_object().bucket(&lake.bucket).key(&key);
            request
                .set_server_side_encryption(lake.encryption())
                .set_ssekms_key_id(lake.kms_key.clone())
                .set_tagging(lake.tagging())
                .set_if_none_match(none.clone())
                .set_if_match(is.clone())
                .body(ByteStream::from(data.clone()))
                .send()
        };
        let result = retry_while(policy, "PutObject", &self.what(name), allowed, call).await;
        match result {
            Ok(output) => Ok(Some(output.e_tag.unwrap_or_default())),
            // NoSuchKey answers a condition on an object that is gone
            Err(error) if matches!(error.kind, Kind::Fenced | Kind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A whole object; [`Kind::NotFound`] where there is none.
    pub(super) async fn get(&self, name: &str) -> Result<Content> {
        self.read(name, None, None).await
    }

    /// A whole object, if there is one.
    pub(super) async fn find(&self, name: &str) -> Result<Option<Content>> {
        match self.get(name).await {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An object, or a range of it, with the condition that it still has an ETag.
    pub(super) async fn read(&self, name: &str, range: Option<Range<u64>>, etag: Option<&str>) -> Result<Content> {
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let key = self.key(name);
        let call = || async {
            let request = self.aws.s3().get_object().bucket(&self.lake.bucket).key(&key);
            let request = request.set_range(range.clone()).set_if_match(etag.map(str::to_owned));
            let output = request.send().await?;
            let etag = output.e_tag.unwrap_or_default();
            // a body that breaks off is a failed call like another
            let broken = |error| SdkError::dispatch_failure(ConnectorError::io(Box::new(error)));
            let data = output.body.collect().await.map_err(broken)?.into_bytes();
            Ok(Content { data, etag })
        };
        let result = retry(self.aws.retry(), "GetObject", &self.what(name), call).await;
        result.map_err(|error| match (error.kind, etag) {
            (Kind::Fenced, Some(etag)) => changed(&self.what(name), etag),
            _ => error,
        })
    }

    /// What is known of an object without reading it.
    pub(super) async fn head(&self, name: &str) -> Result<Head> {
        let key = self.key(name);
        let call = || self.aws.s3().head_object().bucket(&self.lake.bucket).key(&key).send();
        let output = retry(self.aws.retry(), "HeadObject", &self.what(name), call).await?;
        Ok(Head {
            size: output.content_length.unwrap_or_default().unsigned_abs(),
            etag: output.e_tag.unwrap_or_default(),
            version: output.version_id,
        })
    }

    /// Names and sizes below a prefix, in the order of names.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>> {
        let key = self.key(prefix);
        let mut objects = vec![];
        let mut next: Option<String> = None;
        loop {
            let call = || {
                let request = self.aws.s3().list_objects_v2().bucket(&self.lake.bucket).prefix(&key);
                request.set_continuation_token(next.clone()).send()
            };
            let page = retry(self.aws.retry(), "ListObjectsV2", &self.what(prefix), call).await?;
            for object in page.contents.unwrap_or_default() {
                let size = object.size.unwrap_or_default().unsigned_abs();
                let name = object.key.as_deref().and_then(|key| key.strip_prefix(&self.lake.prefix));
                objects.extend(name.map(|name| (name.to_owned(), size)));
            }
            match page.next_continuation_token {
                Some(token) if page.is_truncated == Some(true) => next = Some(token),
                _ => break,
            }
        }
        // buckets of the directory type do not list in order
        objects.sort_unstable();
        Ok(objects)
    }
}

fn changed(what: &str, etag: &str) -> PortError {
    PortError::new(Kind::Changed, format!("{what} is no longer the object of ETag `{etag}`: it was written again"))
}
