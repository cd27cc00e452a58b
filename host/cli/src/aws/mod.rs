//! A pipeline on AWS: what the manifest binds, as the configurations that `sluice_aws` takes.
//!
//! - [`Account`]: the connection, the lake and its log, for one environment.
//! - [`tables`]: the tables of a warehouse, from what the pipeline makes.
//! - [`warehouse`]: what is committed, brought into them; what is delivered, held against what is committed.
//! - [`needs`]: what `sluice aws plan` and `doctor` are about.

pub(crate) mod needs;
pub(crate) mod tables;
pub(crate) mod warehouse;

use crate::bind::Bound;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use sluice_aws::client::{Aws, AwsOptions};
use sluice_aws::firehose::{Arrivals, ArrivalsConfig, FirehoseConfig, FirehoseDelivery};
use sluice_aws::kinesis::{KinesisConfig, KinesisSource, KplOutOfRange, Mode, RetentionLoss, Start, UntilCaughtUp};
use sluice_aws::redshift::{DataApi, RedshiftConfig, RedshiftLoader, TableOptions, Target};
use sluice_aws::s3::source::{S3Source, S3SourceConfig};
use sluice_aws::s3::{LeaseOptions, S3Lake, S3Log, S3Store};
use sluice_flow::Room;
use sluice_manifest::{
    AwsEnvironment, AwsSource, Expired, FirehoseSpec, KinesisSpec, Plan, RedshiftSpec, S3SourceSpec, S3Spec, StartSpec,
    StepWhat,
};
use sluice_ports::{Alerts, Clock, Kind, ObjectStore, Source, SystemClock};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of the wide columns of quarantine: the most that a VARCHAR and a VARBYTE of Redshift take.
/// <https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html>
const QUARANTINE_BYTES: [(&str, u32); 3] = [("raw", 65_535), ("reasons", 65_535), ("raw_bytes", 1_024_000)];

/// Bytes of columns that are the host's own: the source of an object is its key, of up to 1,024 bytes.
const HOST_BYTES: u32 = 2_048;

/// Name of the object that remembers when a stream was first begun at its end.
const STARTED: &str = "_sluice/started";

/// A version as it runs on AWS: its objects are cut and its texts bounded for the environment's warehouse.
pub(crate) fn fitted(plan: &Plan, spec: &AwsEnvironment, pipeline: sluice_flow::Pipeline) -> sluice_flow::Pipeline {
    let pipeline = pipeline.with_target_bytes(spec.lake.target_bytes as usize);
    match &spec.warehouse {
        Some(warehouse) => pipeline.with_room(room(plan, warehouse)),
        None => pipeline,
    }
}

/// An environment on AWS, connected.
pub(crate) struct Account {
    pub(crate) aws: Aws,
    pub(crate) spec: AwsEnvironment,
    pub(crate) dataset: String,
    pub(crate) store: Arc<S3Store>,
    pub(crate) log: S3Log,
}

/// Where records come from.
#[derive(Clone)]
pub(crate) enum Input {
    /// A data stream.
    Stream(Arc<KinesisSource>),
    /// Objects under a prefix.
    Files(Arc<S3Source>),
}

impl Input {
    /// As the flow takes it.
    pub(crate) fn source(&self) -> Arc<dyn Source> {
        match self {
            Self::Stream(source) => source.clone(),
            Self::Files(source) => source.clone(),
        }
    }

    /// How far behind each shard of a stream is, milliseconds.
    pub(crate) fn lag(&self) -> BTreeMap<String, i64> {
        match self {
            Self::Stream(source) => {
                let each = source.lag().into_iter();
                each.map(|lag| (lag.shard.to_string(), lag.behind_ms)).collect()
            }
            Self::Files(_) => BTreeMap::new(),
        }
    }
}

impl Account {
    /// Connects. Nothing is asked of the account yet.
    pub(crate) async fn connect(bound: &Bound) -> Result<Self> {
        let name = &bound.environment.name;
        let Some(spec) = bound.environment.aws.clone() else {
            bail!("environment `{name}` is not on AWS; name one that is with `--env`");
        };
        let aws = Aws::load(AwsOptions {
            region: spec.region.clone(),
            profile: spec.profile.clone(),
            fips: spec.fips,
            dual_stack: spec.dual_stack,
            path_style: spec.path_style,
            ..AwsOptions::default()
        })
        .await?;
        let lake = lake(&spec.lake);
        let lease = LeaseOptions { ttl: spec.lease.ttl, table: spec.lease.table.clone() };
        Ok(Self {
            store: Arc::new(S3Store::new(aws.clone(), lake.clone())),
            log: S3Log::new(aws.clone(), lake, &lease),
            dataset: bound.checked.plan.dataset.clone(),
            aws,
            spec,
        })
    }

    /// Where records come from. `until`: only up to where the stream stands now.
    pub(crate) async fn source(&self, until: bool, follow: bool, alerts: Arc<dyn Alerts>) -> Result<Input> {
        match &self.spec.source {
            AwsSource::Kinesis(spec) => Ok(Input::Stream(Arc::new(self.kinesis(spec, until, alerts).await?))),
            AwsSource::S3(spec) => {
                Ok(Input::Files(Arc::new(S3Source::new(self.aws.clone(), self.files(spec, follow)))))
            }
        }
    }

    async fn kinesis(&self, spec: &KinesisSpec, until: bool, alerts: Arc<dyn Alerts>) -> Result<KinesisSource> {
        let now = SystemClock::default().wall_ms();
        let start = match spec.start {
            StartSpec::TrimHorizon => Start::TrimHorizon,
            StartSpec::At(ms) => Start::At(ms),
            StartSpec::Latest => Start::At(self.started(now).await?),
        };
        let config = KinesisConfig {
            start,
            mode: spec.fan_out.clone().map_or(Mode::Polling, |consumer| Mode::FanOut { consumer }),
            kpl_out_of_range: match spec.kpl_out_of_range {
                sluice_manifest::KplOutOfRange::Quarantine => KplOutOfRange::Quarantine,
                sluice_manifest::KplOutOfRange::Deliver => KplOutOfRange::Deliver,
                sluice_manifest::KplOutOfRange::Drop => KplOutOfRange::Drop,
            },
            retention_loss: match spec.expired {
                Expired::Stop => RetentionLoss::Stop,
                Expired::TrimHorizon => RetentionLoss::SkipToHorizon,
            },
            poll_interval: spec.poll,
            until: until.then_some(UntilCaughtUp { started_at_ms: now }),
            ..KinesisConfig::new(spec.stream.parse().expect("every text names a stream"))
        };
        Ok(KinesisSource::new(self.aws.clone(), config).with_alerts(&self.dataset, alerts))
    }

    /// When this pipeline was first started. Written down before anything is read, so that a start that dies before its
    /// first commit leaves no gap.
    async fn started(&self, now: i64) -> Result<i64> {
        let read = |bytes: Bytes| -> Result<i64> {
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            text.parse().with_context(|| format!("`{}` holds `{text}`, not a time", self.store.url(STARTED)))
        };
        match self.store.get(STARTED).await {
            Ok(bytes) => return read(bytes),
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        self.store.put(STARTED, Bytes::from(now.to_string())).await?;
        // of two hosts that start at once, both go by what stands there in the end
        read(self.store.get(STARTED).await?)
    }

    fn files(&self, spec: &S3SourceSpec, follow: bool) -> S3SourceConfig {
        let own = |bucket: &str, prefix: &str| (bucket == spec.bucket).then(|| prefix.to_owned());
        let mut exclude: Vec<String> = own(&self.spec.lake.bucket, &self.spec.lake.prefix).into_iter().collect();
        if let Some(delivery) = &self.spec.delivery {
            exclude.extend(own(&delivery.bucket, &delivery.prefix));
            exclude.extend(own(&delivery.bucket, &delivery.error_prefix));
        }
        S3SourceConfig {
            queue_url: spec.queue.clone(),
            exclude,
            follow,
            ..S3SourceConfig::new(&spec.bucket, &spec.prefix)
        }
    }

    /// Delivery through Firehose, where the manifest has one.
    pub(crate) fn delivery(&self, bound: &Bound) -> Option<Arc<FirehoseDelivery>> {
        let spec = self.spec.delivery.as_ref()?;
        let direct = S3Store::new(self.aws.clone(), S3Lake { prefix: spec.prefix.clone(), ..self.beside(spec) });
        let config = FirehoseConfig {
            error_prefix: spec.error_prefix.clone(),
            order_by: spec.order_by.clone(),
            json_columns: tables::json_columns(&bound.checked.plan),
            mib_per_second: spec.mib_per_second.map_or(5.0, f64::from),
            ..FirehoseConfig::new(&spec.stream, &spec.bucket, &spec.prefix)
        };
        Some(Arc::new(FirehoseDelivery::new(self.aws.clone(), Arc::new(direct), config)))
    }

    /// A place in the bucket of the delivery, kept as the lake is.
    fn beside(&self, spec: &FirehoseSpec) -> S3Lake {
        S3Lake { bucket: spec.bucket.clone(), ..lake(&self.spec.lake) }
    }

    /// What the delivery stream wrote.
    pub(crate) fn arrivals(&self) -> Option<Arrivals> {
        let spec = self.spec.delivery.as_ref()?;
        let config = ArrivalsConfig {
            bucket: spec.bucket.clone(),
            prefix: spec.prefix.clone(),
            error_prefix: spec.error_prefix.clone(),
        };
        Some(Arrivals::new(self.aws.clone(), config))
    }

    /// The warehouse, where the manifest has one.
    pub(crate) fn loader(&self) -> Result<Option<RedshiftLoader>> {
        let Some(spec) = &self.spec.warehouse else { return Ok(None) };
        let api = DataApi::new(self.aws.clone(), target(spec)?);
        let state: Arc<dyn ObjectStore> = self.store.clone();
        Ok(Some(RedshiftLoader::new(api, self.redshift(spec), state)?))
    }

    /// Settings of the warehouse.
    pub(crate) fn redshift(&self, spec: &RedshiftSpec) -> RedshiftConfig {
        redshift(&self.dataset, &self.spec, spec)
    }
}

/// Settings of a warehouse; asks nothing of the account.
pub(crate) fn redshift(dataset: &str, environment: &AwsEnvironment, spec: &RedshiftSpec) -> RedshiftConfig {
    let tables = spec.tables.iter().map(|table| {
        let options = TableOptions {
            name: table.table.clone(),
            dist_key: table.dist_key.clone(),
            sort_key: table.sort_key.clone(),
            lengths: table.varchar.iter().cloned().collect(),
            ..TableOptions::default()
        };
        (table.name.clone(), options)
    });
    let mut tables: BTreeMap<String, TableOptions> = tables.collect();
    let quarantine = tables.entry(tables::QUARANTINE.to_owned()).or_default();
    for (column, bytes) in QUARANTINE_BYTES {
        quarantine.lengths.entry(column.to_owned()).or_insert(bytes);
    }
    // an id has an ARN, a shard and a number of 56 digits, whatever a text column of the dataset may hold
    for column in ["_sluice_id", "source", "shard", "position"] {
        quarantine.lengths.entry(column.to_owned()).or_insert(HOST_BYTES);
    }
    tables.entry(tables::SILVER.to_owned()).or_default().lengths.entry("_sluice_id".to_owned()).or_insert(HOST_BYTES);
    let lake = &environment.lake;
    let url = format!("s3://{}/{}", lake.bucket, lake.prefix);
    RedshiftConfig {
        tables,
        varchar: spec.varchar,
        grants: spec.grants.clone(),
        ..RedshiftConfig::new(dataset, &spec.schema, &spec.copy_role, &lake.bucket, &url)
    }
}

/// What the warehouse has room for. A JSON text is staged as the widest VARCHAR that there is.
pub(crate) fn room(plan: &Plan, spec: &RedshiftSpec) -> Room {
    let json = tables::json_columns(plan);
    let widths = spec.table(tables::SILVER).map_or(&[][..], |table| &table.varchar);
    let width = |column: &str| {
        let own = widths.iter().find(|(name, _)| name == column).map(|(_, bytes)| *bytes);
        if json.iter().any(|name| name == column) { 65_535 } else { own.unwrap_or(spec.varchar) }
    };
    let written = plan.steps.iter().flat_map(|step| match &step.what {
        StepWhat::Rule(rule) => rule.writes.as_slice(),
        StepWhat::Check { .. } => &[],
    });
    let names = plan.schema.iter().map(|column| &column.name).chain(written);
    Room {
        texts: names.map(|name| (name.clone(), width(name) as usize)).collect(),
        raw_text: 65_535,
        raw_bytes: 1_024_000,
    }
}

fn lake(spec: &S3Spec) -> S3Lake {
    S3Lake {
        kms_key: spec.kms_key.clone(),
        storage_class: spec.storage_class.clone(),
        tags: spec.tags.clone(),
        ..S3Lake::new(&spec.bucket, &spec.prefix)
    }
}

fn target(spec: &RedshiftSpec) -> Result<Target> {
    let (database, secret) = (spec.database.clone(), spec.secret.clone());
    match (&spec.cluster, &spec.workgroup) {
        (Some(id), None) => Ok(Target::Cluster { id: id.clone(), database, user: spec.user.clone(), secret }),
        (None, Some(name)) => Ok(Target::Workgroup { name: name.clone(), database, secret }),
        _ => bail!("`redshift` names one of `cluster` and `workgroup`"),
    }
}
