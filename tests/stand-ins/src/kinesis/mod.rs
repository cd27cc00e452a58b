//! Kinesis Data Streams: `ferrokinesis` in this process for volume, throttling and fan-out, [`KinesisLocal`] beside
//! it for splits and merges as AWS answers them.

mod local;

use crate::http::Loopback;
use crate::s3::{ACCESS_KEY, REGION};
use aws_credential_types::Credentials;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Region};
use aws_sdk_kinesis::types::StreamStatus;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use axum::extract::DefaultBodyLimit;
use ferrokinesis::store::StoreOptions;
pub use local::KinesisLocal;
use std::fmt::Debug;
use std::io;
use std::time::{Duration, Instant};

/// A call takes 10 MiB of records, a third more as base64, and their keys; the library's own limit is 2 MB.
const MAX_BODY_BYTES: usize = 32 << 20;

/// How long a stream may take to become active.
const ACTIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// What can be set about a Kinesis server.
#[derive(Debug, Clone)]
pub struct KinesisOptions {
    /// How long CreateStream and DeleteStream take, in milliseconds. Default: 5.
    pub create_stream_ms: u64,
    /// How long splits, merges and other updates take, in milliseconds. Default: 5.
    pub update_stream_ms: u64,
    /// Whether a shard takes only 1 MiB and 1,000 records a second. Default: no.
    pub enforce_limits: bool,
    /// How long an iterator can be used, in seconds. Default: 300, as with AWS.
    pub iterator_ttl_seconds: u64,
    /// How long one SubscribeToShard goes on, in milliseconds. Default: 300,000, as with AWS.
    pub subscription_ms: u64,
    /// How many shards may be open at a time. Default: 5,000.
    pub shard_limit: u32,
}

impl Default for KinesisOptions {
    fn default() -> Self {
        Self {
            create_stream_ms: 5,
            update_stream_ms: 5,
            enforce_limits: false,
            iterator_ttl_seconds: 300,
            subscription_ms: 300_000,
            shard_limit: 5_000,
        }
    }
}

impl KinesisOptions {
    fn store(&self) -> StoreOptions {
        StoreOptions {
            create_stream_ms: self.create_stream_ms,
            delete_stream_ms: self.create_stream_ms,
            update_stream_ms: self.update_stream_ms,
            enforce_limits: self.enforce_limits,
            iterator_ttl_seconds: self.iterator_ttl_seconds,
            subscribe_to_shard_session_ms: self.subscription_ms,
            shard_limit: self.shard_limit,
            aws_region: REGION.to_owned(),
            ..StoreOptions::default()
        }
    }
}

/// A Kinesis server on loopback; dropping it stops it.
#[derive(Debug)]
pub struct KinesisServer {
    server: Loopback,
}

impl KinesisServer {
    /// Starts a server without streams.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(KinesisOptions::default()).await
    }

    /// Starts a server with options of its own.
    pub async fn start_with(options: KinesisOptions) -> io::Result<Self> {
        let options = options.store();
        let server = Loopback::start("kinesis", 0, |listener| {
            let (app, store) = ferrokinesis::create_app(options);
            let app = app.layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
            async move {
                let _store = store; // as long as it is served
                let _ended = ferrokinesis::serve_plain_http(listener, app, std::future::pending()).await;
            }
        })?;
        Ok(Self { server })
    }

    /// The address, as `AWS_ENDPOINT_URL_KINESIS` takes it.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// A client of this server.
    pub fn client(&self) -> Client {
        client(&self.endpoint())
    }

    /// Makes a stream and waits until it is active.
    pub async fn create_stream(&self, name: &str, shards: i32) -> io::Result<()> {
        create_stream(&self.client(), name, shards).await
    }
}

/// A client of the Kinesis server at an address: the stand-ins' credentials, one attempt a call.
pub fn client(endpoint: &str) -> Client {
    let https =
        aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(https)
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "stand-ins"))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// Makes a stream through a client and waits until it is active.
pub async fn create_stream(client: &Client, name: &str, shards: i32) -> io::Result<()> {
    let failed = |error: &dyn Debug| io::Error::other(format!("stream `{name}`: {error:?}"));
    let made = client.create_stream().stream_name(name).shard_count(shards).send().await;
    made.map_err(|error| failed(&error.into_service_error()))?;
    wait_until_active(client, name).await
}

/// Waits until a stream is active, after it was made, split or merged.
pub async fn wait_until_active(client: &Client, name: &str) -> io::Result<()> {
    let deadline = Instant::now() + ACTIVE_TIMEOUT;
    loop {
        let described = client.describe_stream_summary().stream_name(name).send().await;
        let described = described.map_err(|error| io::Error::other(format!("stream `{name}`: {error:?}")))?;
        let status = described.stream_description_summary().map(|summary| summary.stream_status().clone());
        if status == Some(StreamStatus::Active) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let message = format!("stream `{name}` is `{status:?}` after {} s", ACTIVE_TIMEOUT.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}
