//! Connections to AWS, and what becomes of calls that fail.
//!
//! - [`Aws`]: the configuration of the account as every AWS tool finds it, and a client for each service.
//! - [`retry`]: the one place where calls are made again. The SDK makes each call once, so that every attempt that fails
//!   is seen here, leaves a fault event and counts against one budget.
//! - [`classify`]: what a failure that stays means to the caller. [`Class`]: what it means to the retries.
//! - [`actions`]: the IAM actions that each operation needs.
//! - [`tests_support`]: the same against servers that stand in for AWS.

mod actions;
mod classify;
mod config;
mod credentials;
mod faults;
mod retry;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;
pub mod tests_support;

pub use actions::{actions, operations};
pub use classify::{Answer, Class, class_of, classify, code_of, of_code};
pub use config::AwsOptions;
pub use faults::{FaultCount, Faults};
pub use retry::{Retry, retry, retry_while};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use credentials::Renewable;
use sluice_ports::Result;
use std::sync::{Arc, OnceLock};
use tests_support::Endpoints;

/// An account: configuration, credentials and one client a service, made when first asked for. Clones share all of it.
#[derive(Debug, Clone)]
pub struct Aws(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: SdkConfig,
    path_style: bool,
    endpoints: Endpoints,
    retry: Retry,
    kinesis: OnceLock<aws_sdk_kinesis::Client>,
    firehose: OnceLock<aws_sdk_firehose::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    redshift_data: OnceLock<aws_sdk_redshiftdata::Client>,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
}

/// A client with the account's configuration and, for tests, an endpoint of its own.
macro_rules! client {
    ($self:ident, $service:ident, $sdk:ident) => {
        $self.0.$service.get_or_init(|| {
            let mut config = $sdk::config::Builder::from(&$self.0.config);
            if let Some(endpoint) = &$self.0.endpoints.$service {
                config = config.endpoint_url(endpoint);
            }
            $sdk::Client::from_conf(config.build())
        })
    };
}

impl Aws {
    /// The account that the environment, the profile or the machine's role name.
    ///
    /// # Errors
    /// [`Kind::Fatal`](sluice_ports::Kind::Fatal) where no region is configured. Credentials are not asked for before
    /// the first call.
    pub async fn load(options: AwsOptions) -> Result<Self> {
        let http = config::http_client();
        let config = config::load(&options, &http).await?;
        let renewable = config.credentials_provider().map(|found| Renewable::new(options.clone(), http, found));
        Ok(Self::from_config(config, renewable, &options, Endpoints::default()))
    }

    fn from_config(
        config: SdkConfig,
        renewable: Option<Renewable>,
        options: &AwsOptions,
        endpoints: Endpoints,
    ) -> Self {
        let path_style = options.path_style.unwrap_or_else(|| config::s3_endpoint(&config).is_some());
        let config = config::calls_once(config, renewable.clone());
        Self(Arc::new(Shared {
            config,
            path_style,
            endpoints,
            retry: Retry::new(options, renewable),
            kinesis: OnceLock::new(),
            firehose: OnceLock::new(),
            s3: OnceLock::new(),
            redshift_data: OnceLock::new(),
            dynamodb: OnceLock::new(),
            sqs: OnceLock::new(),
        }))
    }

    /// Kinesis Data Streams.
    pub fn kinesis(&self) -> &aws_sdk_kinesis::Client {
        client!(self, kinesis, aws_sdk_kinesis)
    }

    /// Firehose.
    pub fn firehose(&self) -> &aws_sdk_firehose::Client {
        client!(self, firehose, aws_sdk_firehose)
    }

    /// S3.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.0.s3.get_or_init(|| {
            let mut config = aws_sdk_s3::config::Builder::from(&self.0.config);
            if let Some(endpoint) = &self.0.endpoints.s3 {
                config = config.endpoint_url(endpoint);
            }
            // a bucket's name becomes a host name only where AWS's own name servers know it
            config = config.force_path_style(self.0.path_style || self.0.endpoints.s3.is_some());
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }

    /// The Redshift Data API.
    pub fn redshift_data(&self) -> &aws_sdk_redshiftdata::Client {
        client!(self, redshift_data, aws_sdk_redshiftdata)
    }

    /// DynamoDB.
    pub fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        client!(self, dynamodb, aws_sdk_dynamodb)
    }

    /// SQS.
    pub fn sqs(&self) -> &aws_sdk_sqs::Client {
        client!(self, sqs, aws_sdk_sqs)
    }

    /// The region that calls go to.
    pub fn region(&self) -> &str {
        self.0.config.region().map_or("", |region| region.as_ref())
    }

    /// The policy for [`retry`]: it counts faults and renews credentials for this account.
    pub fn retry(&self) -> &Retry {
        &self.0.retry
    }

    /// The failed attempts so far.
    pub fn faults(&self) -> &Faults {
        self.0.retry.faults()
    }

    /// Notes a failure that does not go through [`retry`], such as one within a stream of events.
    pub fn fault<E, R>(&self, operation: &str, error: &SdkError<E, R>)
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: Answer + std::fmt::Debug + 'static,
    {
        self.0.retry.note(operation, 1, error);
    }
}
