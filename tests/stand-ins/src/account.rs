//! All servers together, with what the retail pipeline needs in them.

use crate::fetch::Ministack;
use crate::firehose::{FirehoseOptions, FirehoseServer, StreamSpec};
use crate::kinesis::KinesisServer;
use crate::proxy::{FaultProxy, Injected, Rule};
use crate::redshift::{RedshiftOptions, RedshiftServer};
use crate::s3::{ACCESS_KEY, REGION, S3Server};
use std::io;
use std::path::PathBuf;

/// The bucket of the lake.
pub const BUCKET: &str = "sluice-lake";
/// The Kinesis stream that the pipeline reads.
pub const STREAM: &str = "online-retail";
/// How many shards it has.
pub const SHARDS: i32 = 4;
/// The delivery stream that the pipeline's rows go out through.
pub const DELIVERY_STREAM: &str = "online-retail-silver";
/// Where in the bucket the delivery stream writes.
pub const DELIVERY_PREFIX: &str = "firehose/online-retail/";
/// Where in the bucket it puts what failed.
pub const ERROR_PREFIX: &str = "firehose-errors/online-retail/!{firehose:error-output-type}/";

/// What can be set about the servers.
#[derive(Debug, Clone)]
pub struct AccountOptions {
    /// The folder that keeps the objects of S3. Default: a temporary one.
    pub folder: Option<PathBuf>,
    /// The age at which a Firehose buffer becomes an object, in seconds. Default: 5.
    pub firehose_interval: u64,
    /// Whether DynamoDB and SQS run too, fetched from PyPI. Default: no.
    pub dynamodb: bool,
    /// Which calls fail; with any, a proxy stands before every server. Default: none.
    pub faults: Vec<Rule>,
}

impl Default for AccountOptions {
    fn default() -> Self {
        Self { folder: None, firehose_interval: 5, dynamodb: false, faults: Vec::new() }
    }
}

/// The servers; dropping this stops them.
#[derive(Debug)]
pub struct Account {
    /// S3, with the bucket [`BUCKET`].
    pub s3: S3Server,
    /// Kinesis, with the stream [`STREAM`].
    pub kinesis: KinesisServer,
    /// Firehose, with the delivery stream [`DELIVERY_STREAM`].
    pub firehose: FirehoseServer,
    /// Redshift, without tables.
    pub redshift: RedshiftServer,
    ministack: Option<Ministack>,
    proxies: Vec<FaultProxy>,
    endpoints: Vec<(&'static str, String)>,
}

impl Account {
    /// Starts the servers and makes bucket, stream and delivery stream.
    pub async fn start(options: AccountOptions) -> io::Result<Self> {
        let s3 = match &options.folder {
            Some(folder) => S3Server::start_at(folder).await?,
            None => S3Server::start().await?,
        };
        s3.create_bucket(BUCKET).await?;
        let kinesis = KinesisServer::start().await?;
        kinesis.create_stream(STREAM, SHARDS).await?;
        let s3_endpoint = s3.endpoint();
        let firehose = FirehoseOptions { s3_endpoint: s3_endpoint.clone(), ..FirehoseOptions::default() };
        let firehose = FirehoseServer::start(firehose).await?;
        firehose.create_stream(&delivery(options.firehose_interval))?;
        let redshift = RedshiftServer::start(RedshiftOptions { s3_endpoint, ..RedshiftOptions::default() }).await?;
        let ministack = if options.dynamodb { Some(Ministack::start().await?) } else { None };
        let (proxies, endpoints) = (Vec::new(), Vec::new());
        let mut account = Self { s3, kinesis, firehose, redshift, ministack, proxies, endpoints };
        account.open(&options.faults).await?;
        Ok(account)
    }

    /// The environment that leads the AWS SDKs, and so `sluice`, to these servers.
    pub fn variables(&self) -> Vec<(String, String)> {
        let fixed = [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
            ("AWS_REGION", REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        let fixed = fixed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let endpoints = self.endpoints.iter();
        let endpoints = endpoints.map(|(service, endpoint)| (format!("AWS_ENDPOINT_URL_{service}"), endpoint.clone()));
        endpoints.chain(fixed).collect()
    }

    /// The calls that were made to fail so far.
    pub fn injected(&self) -> Vec<Injected> {
        self.proxies.iter().flat_map(FaultProxy::injected).collect()
    }

    /// Puts other rules in place of the present ones, where proxies stand.
    pub fn set_rules(&self, rules: &[Rule]) {
        self.proxies.iter().for_each(|proxy| proxy.set_rules(rules.to_vec()));
    }

    async fn open(&mut self, faults: &[Rule]) -> io::Result<()> {
        let mut servers = vec![
            ("KINESIS", self.kinesis.endpoint()),
            ("FIREHOSE", self.firehose.endpoint()),
            ("S3", self.s3.endpoint()),
            ("REDSHIFT_DATA", self.redshift.endpoint()),
        ];
        if let Some(ministack) = &self.ministack {
            servers.extend(["DYNAMODB", "SQS"].map(|service| (service, ministack.endpoint())));
        }
        for (service, endpoint) in servers {
            if faults.is_empty() {
                self.endpoints.push((service, endpoint));
                continue;
            }
            let proxy = FaultProxy::start(&endpoint, faults.to_vec()).await?;
            self.endpoints.push((service, proxy.endpoint()));
            self.proxies.push(proxy);
        }
        Ok(())
    }
}

fn delivery(interval_seconds: u64) -> StreamSpec {
    StreamSpec {
        name: DELIVERY_STREAM.to_owned(),
        bucket: BUCKET.to_owned(),
        prefix: Some(DELIVERY_PREFIX.to_owned()),
        error_prefix: Some(ERROR_PREFIX.to_owned()),
        size_mib: None,
        interval_seconds: Some(interval_seconds),
        gzip: true,
    }
}
