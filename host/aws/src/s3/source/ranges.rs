//! Pieces of an object that must not change while it is read.

use crate::client::{Aws, retry};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::http::Response;
use bytes::Bytes;
use sluice_ports::{Kind, PortError, Result};
use std::ops::Range;

/// Stored bytes asked for at once.
pub(crate) const CHUNK: u64 = 8 << 20;

/// One object, as it was when its ETag was taken.
#[derive(Debug, Clone)]
pub(crate) struct Pinned {
    pub(crate) aws: Aws,
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// Without quotes.
    pub(crate) etag: String,
    /// Where its bucket keeps versions.
    pub(crate) version: Option<String>,
    pub(crate) size: u64,
}

impl Pinned {
    /// Bytes of the object; the range is not empty and lies within it.
    ///
    /// # Errors
    /// [`Kind::Changed`] where the object is another now, [`Kind::NotFound`] where it is gone.
    pub(crate) async fn get(&self, range: Range<u64>) -> Result<Bytes> {
        let what = self.to_string();
        let got = retry(self.aws.retry(), "GetObject", &what, || self.attempt(range.clone())).await;
        got.map_err(|error| match error.kind {
            // the answer to a condition that does not hold
            Kind::Fenced => {
                let message = format!("{what} was replaced while it was read: its ETag is no longer `{}`", self.etag);
                PortError { kind: Kind::Changed, message, ..error }
            }
            _ => error,
        })
    }

    /// Bytes from `at` on, as many as are asked for at once.
    pub(crate) async fn chunk(&self, at: u64) -> Result<Bytes> {
        self.get(at..self.size.min(at + CHUNK)).await
    }

    async fn attempt(&self, range: Range<u64>) -> std::result::Result<Bytes, SdkError<GetObjectError, Response>> {
        let call = self.aws.s3().get_object().bucket(&self.bucket).key(&self.key);
        let call = call.set_version_id(self.version.clone()).if_match(format!("\"{}\"", self.etag));
        let answer = call.range(format!("bytes={}-{}", range.start, range.end - 1)).send().await?;
        let partial = answer.content_range.is_some();
        let data = answer.body.collect().await.map_err(|error| broken_off(error.into()))?.into_bytes();
        let (came, wanted) = (data.len() as u64, range.end - range.start);
        match came == wanted {
            true => Ok(data),
            // a server may give the whole where a part was asked for
            false if !partial && came == self.size => Ok(data.slice(range.start as usize..range.end as usize)),
            false => Err(broken_off(format!("{came} bytes came of {wanted}").into())),
        }
    }
}

/// An answer that ends before it should is asked for again like one that did not come.
fn broken_off(error: Box<dyn std::error::Error + Send + Sync>) -> SdkError<GetObjectError, Response> {
    SdkError::dispatch_failure(ConnectorError::io(error))
}

impl std::fmt::Display for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`s3://{}/{}`", self.bucket, self.key)
    }
}
