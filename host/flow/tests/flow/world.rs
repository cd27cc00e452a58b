//! A dataset with everything around it in memory.

use crate::rules::{Numbers, Sum};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice_batch::{Commit, Cut, Layer};
use sluice_flow::{BoundStep, FlowError, Options, Pipeline, Ports, Progress, Summary};
use sluice_manifest::plan::{StepPlan, StepWhat};
use sluice_ports::memory::{Faulty, LossyStore, ManualClock, MemoryAlerts, MemoryLog, MemorySource};
use sluice_ports::{CommitLog, Entry, EntryKind, ObjectStore, RulePlan};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// 2026-03-01T12:00:00Z.
pub(crate) const NOON_MS: i64 = 1_772_366_400_000;

pub(crate) const MANIFEST: &str = "
dataset: test
source: { format: json }
schema: { k: text, v: text, t: timestamp }
rules: rules
steps:
  - coerce: numbers@^1
    reads: [v]
    writes: [v]
gold:
  - name: per_minute
    aggregate: sum@^1
    keys: [k]
    reads: [v]
    window: { tumbling: 1m, on: t, lateness: 30s, late: output }
batch: { rows: 7 }
segment: { rows: 20 }
";

/// A dataset. Clones share source, store and log.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) manifest: String,
    pub(crate) build: String,
    pub(crate) source: MemorySource,
    pub(crate) store: Arc<Faulty<LossyStore>>,
    pub(crate) log: Arc<Faulty<MemoryLog>>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) alerts: Arc<MemoryAlerts>,
}

pub(crate) const ONE: Options = Options { threads: 1, follow: false, keep_open: false, standby: false, audit_ppm: 0 };

impl World {
    pub(crate) fn new() -> Self {
        Self {
            manifest: MANIFEST.to_owned(),
            build: "this build".to_owned(),
            source: MemorySource::new("memory", 100),
            store: Arc::new(Faulty::new(LossyStore::default())),
            log: Arc::new(Faulty::new(MemoryLog::default())),
            clock: Arc::new(ManualClock::new(NOON_MS)),
            alerts: Arc::default(),
        }
    }

    pub(crate) fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.manifest.contains(from), "{from}");
        self.manifest = self.manifest.replace(from, to);
        self
    }

    /// The same input and manifest over an empty store and log.
    pub(crate) fn fresh(&self) -> Self {
        Self { source: self.source.clone(), manifest: self.manifest.clone(), ..Self::new() }
    }

    pub(crate) fn pipeline(&self) -> Result<Pipeline, FlowError> {
        self.version(&Numbers::plan(), &Sum::plan())
    }

    /// The pipeline with these rules.
    pub(crate) fn version(&self, step: &Arc<dyn RulePlan>, gold: &Arc<dyn RulePlan>) -> Result<Pipeline, FlowError> {
        let checked =
            sluice_manifest::check_text(&self.manifest, Path::new("test.yaml")).unwrap_or_else(|f| panic!("{f}"));
        let steps = checked.plan.steps.iter().filter(|step| matches!(step.what, StepWhat::Rule(_)));
        let bound = |plan: &StepPlan| BoundStep {
            label: plan.label.clone(),
            otherwise: plan.otherwise,
            on_failure: plan.on_failure,
            rule: step.clone(),
        };
        let steps = steps.map(bound).collect();
        let golds = checked.plan.gold.iter().map(|_| gold.clone()).collect();
        Pipeline::new(checked.plan, steps, golds, self.build.clone(), None)
    }

    pub(crate) fn ports(&self) -> Ports {
        Ports {
            source: Arc::new(self.source.clone()),
            store: self.store.clone(),
            log: self.log.clone(),
            clock: self.clock.clone(),
            alerts: self.alerts.clone(),
            delivery: None,
        }
    }

    pub(crate) async fn run(&self, options: Options) -> Result<Summary, FlowError> {
        let (_tell, told) = watch::channel(false);
        self.run_until(options, told).await
    }

    pub(crate) async fn run_until(&self, options: Options, stop: watch::Receiver<bool>) -> Result<Summary, FlowError> {
        let pipeline = Arc::new(self.pipeline()?);
        sluice_flow::run(pipeline, self.ports(), options, Arc::new(Progress::default()), stop).await
    }

    pub(crate) async fn commits(&self) -> Vec<Commit> {
        let log = self.log.inner();
        let mut commits = Vec::new();
        for entry in log.entries().await.unwrap().into_iter().filter(|entry| entry.kind == EntryKind::Commit) {
            commits.push(serde_json::from_slice(&log.get(entry).await.unwrap()).unwrap());
        }
        commits
    }

    pub(crate) async fn cut(&self, number: u64) -> Cut {
        let entry = Entry { number, kind: EntryKind::Cut };
        serde_json::from_slice(&self.log.inner().get(entry).await.unwrap()).unwrap()
    }

    /// Rows of all committed objects of a layer, as sorted lines, without the columns named.
    pub(crate) async fn rows(&self, layer: &Layer, without: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        for commit in self.commits().await {
            for object in commit.objects.iter().filter(|object| object.layer == *layer) {
                let bytes = self.store.inner().get(&object.name).await.unwrap();
                assert_eq!(bytes.len() as u64, object.size);
                lines.extend(read(bytes).iter().flat_map(|batch| lines_of(batch, without)));
            }
        }
        lines.sort();
        lines
    }

    /// Rows of a commit's objects of a layer.
    pub(crate) async fn rows_of(&self, commit: &Commit, layer: &Layer) -> Vec<String> {
        let mut lines = Vec::new();
        for object in commit.objects.iter().filter(|object| object.layer == *layer) {
            let bytes = self.store.inner().get(&object.name).await.unwrap();
            lines.extend(read(bytes).iter().flat_map(|batch| lines_of(batch, &[])));
        }
        lines
    }

    /// What the dataset holds, as pairs.
    pub(crate) async fn content_but_rules(&self) -> Vec<(&'static str, Vec<String>)> {
        self.content().await.into_iter().collect()
    }

    pub(crate) async fn gold(&self) -> Vec<String> {
        let layer = Layer::Gold("per_minute".into());
        self.rows(&layer, &["_sluice_commit", "_sluice_fence"]).await
    }

    /// Everything that the dataset holds, whatever segments it was written in.
    pub(crate) async fn content(&self) -> BTreeMap<&'static str, Vec<String>> {
        BTreeMap::from([
            ("silver", self.rows(&Layer::Silver, &["_sluice_commit"]).await),
            ("quarantine", self.rows(&Layer::Quarantine, &["_sluice_commit"]).await),
            ("gold", self.gold().await),
            ("late", self.rows(&Layer::Late("per_minute".into()), &["_sluice_commit"]).await),
        ])
    }

    /// Names of objects that no commit names.
    pub(crate) async fn strays(&self) -> Vec<String> {
        let commits = self.commits().await;
        let last = commits.last().into_iter().flat_map(|commit| &commit.state);
        let named: Vec<&String> =
            commits.iter().flat_map(|commit| &commit.objects).chain(last).map(|object| &object.name).collect();
        let all = self.store.inner().list("").await.unwrap();
        all.into_iter().map(|meta| meta.name).filter(|name| !named.contains(&name)).collect()
    }
}

fn read(bytes: Bytes) -> Vec<RecordBatch> {
    ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap().map(Result::unwrap).collect()
}

fn lines_of(batch: &RecordBatch, without: &[&str]) -> Vec<String> {
    let schema = batch.schema();
    let columns: Vec<usize> =
        (0..batch.num_columns()).filter(|i| !without.contains(&schema.field(*i).name().as_str())).collect();
    let value = |row: usize, column: usize| match batch.column(column).as_primitive_opt::<TimestampMicrosecondType>() {
        Some(times) => {
            if times.is_null(row) {
                String::new()
            } else {
                times.value(row).to_string()
            }
        }
        None => arrow_cast::display::array_value_to_string(batch.column(column), row).unwrap(),
    };
    (0..batch.num_rows()).map(|row| columns.iter().map(|c| value(row, *c)).collect::<Vec<_>>().join("|")).collect()
}

/// A record of `k`, `v`, and a time so many seconds after noon.
pub(crate) fn record(k: &str, v: &str, second: i64) -> String {
    let (minute, second) = (second.div_euclid(60), second.rem_euclid(60));
    let (hour, minute) = (12 + minute.div_euclid(60), minute.rem_euclid(60));
    format!("{{\"k\":\"{k}\",\"v\":\"{v}\",\"t\":\"2026-03-01T{hour:02}:{minute:02}:{second:02}Z\"}}\n")
}

/// `count` records, a second apart, some of them unusable, for shard number `shard`.
pub(crate) fn records(shard: i64, count: i64) -> String {
    (0..count)
        .map(|n| match n % 11 {
            3 => record("a", "no number", n),
            7 => "{broken\n".to_owned(),
            _ => record(["a", "b", "c"][(n % 3) as usize], &(n + shard * 1000).to_string(), n * 3 - n % 5),
        })
        .collect()
}
