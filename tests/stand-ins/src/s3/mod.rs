//! S3: the protocol by `s3s`, the objects kept here.
//!
//! `s3s-fs` was the first choice and is still the second opinion of the tests, but three things that Sluice stands on
//! are missing there: a conditional write that two writers cannot both win, ETags in listings, and keys past 120 bytes
//! for multipart uploads. So [`objects`] keeps what was stored and [`service`] answers the operations.

mod body;
mod listing;
mod objects;
mod service;

use crate::http::{self, Loopback};
use aws_credential_types::Credentials;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use objects::Objects;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use service::Operations;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// The access key, and the secret of it, that every stand-in takes.
pub const ACCESS_KEY: &str = "test";

/// The region that every stand-in is in.
pub const REGION: &str = "eu-west-1";

/// An S3 server on loopback; dropping it stops it.
#[derive(Debug)]
pub struct S3Server {
    server: Loopback,
    _folder: Option<TempDir>,
}

impl S3Server {
    /// Starts an empty server whose objects go with it.
    pub async fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let server = listen(folder.path(), 0)?;
        Ok(Self { server, _folder: Some(folder) })
    }

    /// Starts a server on a folder that keeps the objects, those of an earlier server included.
    pub async fn start_at(folder: &Path) -> io::Result<Self> {
        Ok(Self { server: listen(folder, 0)?, _folder: None })
    }

    /// The address, as `AWS_ENDPOINT_URL_S3` takes it.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// A client of this server.
    pub fn client(&self) -> aws_sdk_s3::Client {
        client(&self.endpoint())
    }

    /// Makes a bucket; one that is there already stays as it is.
    pub async fn create_bucket(&self, name: &str) -> io::Result<()> {
        create_bucket(&self.client(), name).await
    }
}

/// Makes a bucket through a client; one that is there already stays as it is.
pub async fn create_bucket(client: &aws_sdk_s3::Client, name: &str) -> io::Result<()> {
    let region = BucketLocationConstraint::from(REGION);
    let configuration = CreateBucketConfiguration::builder().location_constraint(region).build();
    let Err(error) = client.create_bucket().bucket(name).create_bucket_configuration(configuration).send().await else {
        return Ok(());
    };
    let error = error.into_service_error();
    if error.is_bucket_already_owned_by_you() {
        return Ok(());
    }
    Err(io::Error::other(format!("bucket `{name}`: {error:?}")))
}

/// A client of the S3 server at an address: path style, the stand-ins' credentials, one attempt a call.
pub fn client(endpoint: &str) -> aws_sdk_s3::Client {
    let https =
        aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(https)
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "stand-ins"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

fn listen(folder: &Path, port: u16) -> io::Result<Loopback> {
    let objects = Arc::new(Objects::open(folder)?);
    let mut service = S3ServiceBuilder::new(Operations::new(objects));
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, ACCESS_KEY));
    let service = service.build();
    Loopback::start("s3", port, |listener| http::serve(listener, service))
}
