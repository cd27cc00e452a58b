//! Where the configuration of an account comes from.

use super::credentials::Renewable;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use sluice_ports::{Kind, PortError, Result};
use std::path::PathBuf;
use std::time::Duration;

/// What a pipeline may say of its account. What it leaves out comes from the environment and the profile.
#[derive(Debug, Clone)]
pub struct AwsOptions {
    /// Region, such as `eu-west-1`.
    pub region: Option<String>,
    /// Profile in `~/.aws/config`.
    pub profile: Option<String>,
    /// Read instead of `~/.aws/config` and `~/.aws/credentials`.
    pub config_file: Option<PathBuf>,
    /// Endpoints with FIPS 140 cryptography.
    pub fips: Option<bool>,
    /// Endpoints that are reached by IPv6 too.
    pub dual_stack: Option<bool>,
    /// Buckets in the path instead of the host name; by default where S3 has an endpoint that is not AWS's own.
    pub path_style: Option<bool>,
    /// Attempts at a call, the first included. Default 8.
    pub attempts: u32,
    /// Time for all attempts at a call. Default 2 minutes.
    pub budget: Duration,
    /// Time to reach a server. Default 3 s.
    pub connect_timeout: Duration,
    /// Time for one attempt, until its answer begins. Default 60 s: a long poll of the Data API takes 30 s.
    pub attempt_timeout: Duration,
}

impl Default for AwsOptions {
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            config_file: None,
            fips: None,
            dual_stack: None,
            path_style: None,
            attempts: 8,
            budget: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(3),
            attempt_timeout: Duration::from_secs(60),
        }
    }
}

/// One pool of connections for all services, with TLS by rustls and ring.
pub(super) fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// Reads environment and profile.
pub(super) async fn load(options: &AwsOptions, http: &SharedHttpClient) -> Result<SdkConfig> {
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone()).timeout_config(timeouts(options));
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(file) = &options.config_file {
        loader = loader.profile_files(EnvConfigFiles::builder().with_file(EnvConfigFileKind::Config, file).build());
    }
    if let Some(fips) = options.fips {
        loader = loader.use_fips(fips);
    }
    if let Some(dual_stack) = options.dual_stack {
        loader = loader.use_dual_stack(dual_stack);
    }
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(no_region(options));
    }
    Ok(config)
}

fn no_region(options: &AwsOptions) -> PortError {
    let profile = options.profile.as_deref().map(|name| format!(" and profile `{name}` has none"));
    let message = format!(
        "no AWS region is configured{}; set `region` in the environment of the manifest, or AWS_REGION",
        profile.unwrap_or_default()
    );
    PortError::new(Kind::Fatal, message)
}

pub(super) fn timeouts(options: &AwsOptions) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.attempt_timeout)
        .operation_attempt_timeout(options.attempt_timeout)
        .build()
}

/// The same configuration for clients: each call is made once (retries are ours, those of the credentials' own calls
/// stay), and credentials are kept where an answer that says they expired can throw them away. The SDK's cache cannot be
/// told.
pub(super) fn calls_once(config: SdkConfig, renewable: Option<Renewable>) -> SdkConfig {
    let mut builder = config.into_builder().retry_config(RetryConfig::disabled());
    if let Some(renewable) = renewable {
        builder = builder
            .credentials_provider(SharedCredentialsProvider::new(renewable))
            .identity_cache(IdentityCache::no_cache());
    }
    builder.build()
}

/// The endpoint of S3, where environment or profile name one (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`).
pub(super) fn s3_endpoint(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = key.ok().and_then(|key| config.service_config()?.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}
