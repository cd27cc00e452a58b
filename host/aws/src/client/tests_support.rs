//! Accounts on servers that stand in for AWS, for tests and development.

use super::{Aws, AwsOptions, config};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::sync::Arc;
use std::time::Duration;

/// A server for each service that is used.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// Kinesis Data Streams.
    pub kinesis: Option<String>,
    /// Firehose.
    pub firehose: Option<String>,
    /// S3.
    pub s3: Option<String>,
    /// The Redshift Data API.
    pub redshift_data: Option<String>,
    /// DynamoDB.
    pub dynamodb: Option<String>,
    /// SQS.
    pub sqs: Option<String>,
}

impl Endpoints {
    /// One server for all.
    pub fn all(url: &str) -> Self {
        let url = || Some(url.to_owned());
        Self { kinesis: url(), firehose: url(), s3: url(), redshift_data: url(), dynamodb: url(), sqs: url() }
    }
}

/// Options that suit servers on the same machine: nothing is waited for long.
pub fn options() -> AwsOptions {
    AwsOptions {
        attempts: 12,
        budget: Duration::from_secs(60),
        attempt_timeout: Duration::from_secs(10),
        ..AwsOptions::default()
    }
}

impl Aws {
    /// One server for all services; key `test`, secret `test`, region `eu-west-1`. A call is made again after a few
    /// milliseconds.
    pub fn for_endpoint(url: &str) -> Self {
        Self::for_endpoints(Endpoints::all(url))
    }

    /// As [`Aws::for_endpoint`], with a server for each service.
    pub fn for_endpoints(endpoints: Endpoints) -> Self {
        Self::for_endpoints_with(endpoints, &options())
    }

    /// As [`Aws::for_endpoints`], with options of the test's own.
    pub fn for_endpoints_with(endpoints: Endpoints, options: &AwsOptions) -> Self {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(options.region.clone().unwrap_or_else(|| "eu-west-1".to_owned())))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys("test", "test", None)))
            .http_client(config::http_client())
            .timeout_config(config::timeouts(options))
            .build();
        let mut aws = Self::from_config(config, None, options, endpoints);
        if let Some(shared) = Arc::get_mut(&mut aws.0) {
            shared.retry = shared.retry.clone().with_backoff(Duration::from_millis(5), Duration::from_millis(200));
        }
        aws
    }
}
