//! Finds and reads the objects of a COPY.

use super::statement::{CopyStatement, Format, Options};
use crate::s3::{ACCESS_KEY, REGION};
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use std::io::Read;

/// An object to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    bucket: String,
    key: String,
    /// Bytes.
    pub(super) size: u64,
}

impl Object {
    /// As `s3://bucket/key`.
    pub(super) fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    /// As errors of columnar files have it.
    pub(super) fn https_url(&self) -> String {
        format!("https://s3.{}.amazonaws.com/{}/{}", REGION, self.bucket, self.key)
    }
}

/// A manifest, <https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html>.
#[derive(Debug, Deserialize)]
struct Manifest {
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    url: String,
    #[serde(default)]
    mandatory: bool,
    meta: Option<Meta>,
}

#[derive(Debug, Deserialize)]
struct Meta {
    content_length: Option<u64>,
}

/// A client of the S3 stand-in.
pub(crate) fn client(endpoint: &str) -> Client {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::from_keys(ACCESS_KEY, ACCESS_KEY, None))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

/// The objects that a COPY names, in order.
pub(super) async fn objects(client: &Client, copy: &CopyStatement) -> Result<Vec<Object>, String> {
    if !copy.options.manifest {
        return below_prefix(client, copy).await;
    }
    let failed = |why: String| format!("Problem reading manifest file - {why}");
    let bytes = get(client, &copy.bucket, &copy.key).await.map_err(failed)?;
    let bytes = bytes.ok_or_else(|| failed(not_found(&copy.url())))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
    let mut objects = vec![];
    for entry in manifest.entries {
        objects.extend(listed(client, copy, &entry).await?);
    }
    Ok(objects)
}

/// The object of an entry; none where it is missing and need not be there.
async fn listed(client: &Client, copy: &CopyStatement, entry: &Entry) -> Result<Option<Object>, String> {
    let path = entry.url.strip_prefix("s3://").and_then(|path| path.split_once('/'));
    let (bucket, key) = path.ok_or_else(|| format!("Problem reading manifest file - invalid url '{}'", entry.url))?;
    let wanted = entry.meta.as_ref().and_then(|meta| meta.content_length);
    if copy.format == Format::Parquet && wanted.is_none() {
        let what = format!("manifest entry '{}' has no meta.content_length", entry.url);
        return Err(format!("{what}, which files in columnar formats need"));
    }
    let head = client.head_object().bucket(bucket).key(key).send().await;
    let size = match head {
        Ok(head) => u64::try_from(head.content_length().unwrap_or(0)).unwrap_or(0),
        Err(SdkError::ServiceError(error)) if error.err().is_not_found() && !entry.mandatory => return Ok(None),
        Err(SdkError::ServiceError(error)) if error.err().is_not_found() => {
            return Err(format!("Problem reading manifest file - mandatory {}", not_found(&entry.url)));
        }
        Err(error) => return Err(service_error(&error)),
    };
    if let Some(wanted) = wanted.filter(|wanted| *wanted != size) {
        let what =
            format!("File '{}' has {size} bytes, but its manifest entry says content_length {wanted}", entry.url);
        return Err(what);
    }
    Ok(Some(Object { bucket: bucket.to_owned(), key: key.to_owned(), size }))
}

async fn below_prefix(client: &Client, copy: &CopyStatement) -> Result<Vec<Object>, String> {
    let mut pages = client.list_objects_v2().bucket(&copy.bucket).prefix(&copy.key).into_paginator().send();
    let mut objects = vec![];
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| service_error(&error))?;
        for object in page.contents() {
            let size = u64::try_from(object.size().unwrap_or(0)).unwrap_or(0);
            let key = object.key().unwrap_or_default().to_owned();
            objects.push(Object { bucket: copy.bucket.clone(), key, size });
        }
    }
    if objects.is_empty() {
        return Err(format!("The specified S3 prefix '{}' does not exist", copy.key));
    }
    Ok(objects)
}

/// The bytes of an object.
pub(super) async fn read(client: &Client, object: &Object) -> Result<Bytes, String> {
    get(client, &object.bucket, &object.key).await?.ok_or_else(|| not_found(&object.url()))
}

async fn get(client: &Client, bucket: &str, key: &str) -> Result<Option<Bytes>, String> {
    match client.get_object().bucket(bucket).key(key).send().await {
        Ok(object) => {
            let body = object.body.collect().await.map_err(|error| format!("S3ServiceException:{error}"))?;
            Ok(Some(body.into_bytes()))
        }
        Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => Ok(None),
        Err(error) => Err(service_error(&error)),
    }
}

fn not_found(url: &str) -> String {
    format!("S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,File '{url}'")
}

fn service_error<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    let code = error.code().unwrap_or("ConnectionFailure");
    format!("S3ServiceException:{},Error {code}", error.message().unwrap_or("the request failed"))
}

/// Unpacks what is packed.
pub(super) fn unpack(options: &Options, object: &Object, bytes: Bytes) -> Result<Bytes, String> {
    if !options.gzip {
        return Ok(bytes);
    }
    let mut text = vec![];
    let failed = |error| format!("File '{}' cannot be unpacked as gzip: {error}", object.url());
    MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text).map_err(failed)?;
    Ok(text.into())
}

#[cfg(test)]
pub(super) fn object(key: &str) -> Object {
    Object { bucket: "bucket".to_owned(), key: key.to_owned(), size: 0 }
}
