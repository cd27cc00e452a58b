//! Hot swaps under full load: the pipeline `orders` over many records, with all of its rules exchanged again and again.
//!
//! `cargo bench -p sluice --bench load [-- ROWS SWAPS]`, by default 10,000,000 records and 300 swaps. It runs without swaps
//! and then with them, checks that every record was processed once and that every segment and object is of one version,
//! and prints how long batches took, from when they were given to the workers until they stood in a segment.

use sluice_batch::{Commit, Cut, Field};
use sluice_flow::{
    Board, BoundStep, Control, History, Latency, Options, Pipeline, Ports, Progress, Rollout, Stage, Summary, Watcher,
    arriving,
};
use sluice_local::{DirLog, DirStore, FileSource, FileSourceConfig};
use sluice_manifest::plan::{ProbationPlan, RolloutPlan};
use sluice_manifest::{Checked, RuleUse, StepWhat};
use sluice_ports::{Alert, Alerts, CommitLog, Entry, EntryKind, RulePlan, SystemClock};
use sluice_sandbox::{Component, Sandbox, SandboxConfig, StepConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records of one generated file, which is read under several names.
const FILE_ROWS: u64 = 1_000_000;
/// Rows of a segment, in both runs.
const SEGMENT_ROWS: u64 = 100_000;
/// Versions that take turns.
const VERSIONS: usize = 6;
/// Of this many swaps one is on probation for a segment.
const PROBATION_EVERY: usize = 30;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let numbers: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let rows = numbers.first().copied().unwrap_or(10_000_000);
    let swaps = numbers.get(1).copied().unwrap_or(300) as usize;
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("load");
    let input = input(&root, &work, rows);
    let mut checked = sluice_manifest::load(&root.join("pipelines/orders")).unwrap_or_else(|error| panic!("{error}"));
    // a segment on probation ends when it is full, and the next swap waits for its verdict
    checked.plan.segment.rows = SEGMENT_ROWS;
    let versions = versions(&root, &checked);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let plain = runtime.block_on(run(&versions, &input, &work.join("plain"), 0));
    let swapped = runtime.block_on(run(&versions, &input, &work.join("swapped"), swaps));
    println!(
        "{:<14} {:>10} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "records", "seconds", "segments", "swaps", "p50 ms", "p99 ms", "max ms"
    );
    for (name, (summary, took)) in [("without swaps", &plain), ("with swaps", &swapped)] {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let latency = &summary.latency;
        println!(
            "{name:<14} {:>10} {:>8.1} {:>9} {:>9} {:>9.1} {:>9.1} {:>9.1}",
            summary.account.total().read,
            took.as_secs_f64(),
            summary.segments,
            summary.turns,
            ms(latency.quantile(0.5)),
            ms(latency.quantile(0.99)),
            ms(latency.max()),
        );
    }
    let beyond = |latency: &Latency| latency.max().saturating_sub(plain.0.latency.quantile(0.99)).as_secs_f64() * 1e3;
    println!(
        "longest batch beyond the 99th percentile without swaps: {:.1} ms (without swaps: {:.1} ms)",
        beyond(&swapped.0.latency),
        beyond(&plain.0.latency)
    );
    println!("instances of a rule: an open takes what `cargo bench -p sluice --bench swaps` prints");
}

/// A generated file under as many names as it takes.
fn input(root: &Path, work: &Path, rows: u64) -> Vec<PathBuf> {
    std::fs::create_dir_all(work).expect("a folder can be made");
    let of = rows.min(FILE_ROWS);
    let first = work.join(format!("orders-{of}.ndjson"));
    if !first.exists() {
        let draft = first.with_extension("part");
        let script = root.join("tests/orders/generate.py");
        let mut generate = Command::new("python3");
        generate.arg(script).args(["--rows", &of.to_string(), "--seed", "1"]).arg(&draft);
        assert!(generate.status().expect("python3 starts").success());
        std::fs::rename(&draft, &first).expect("it takes its place");
    }
    let name = |n: u64| {
        let file = work.join(format!("orders-{of}-{n:03}.ndjson"));
        if !file.exists() {
            std::fs::hard_link(&first, &file).expect("a file can have two names");
        }
        file
    };
    (0..rows.div_ceil(FILE_ROWS)).map(name).collect()
}

/// The pipeline in versions: each has components of its own, told apart by their digests.
fn versions(root: &Path, checked: &Checked) -> Vec<Arc<Pipeline>> {
    let config = SandboxConfig { workers: 4, steps: 8 * VERSIONS, ..SandboxConfig::default() };
    let sandbox = Sandbox::new(config).expect("the sandbox starts");
    let mut built: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    (0..VERSIONS as u8)
        .map(|version| {
            let mut fields = arriving(&checked.plan);
            let mut steps = Vec::new();
            for step in &checked.plan.steps {
                let StepWhat::Rule(rule) = &step.what else { continue };
                let opened = open(&sandbox, root, rule, &step.label, &fields, &mut built, version);
                for output in &opened.signature().outputs {
                    let field = Field { name: output.name.clone(), ty: output.ty, nullable: output.nullable };
                    match fields.iter_mut().find(|there| there.name == field.name) {
                        Some(there) => *there = field,
                        None => fields.push(field),
                    }
                }
                let (label, otherwise, on_failure) = (step.label.clone(), step.otherwise, step.on_failure);
                steps.push(BoundStep { label, otherwise, on_failure, rule: opened });
            }
            let golds = checked.plan.gold.iter();
            let golds =
                golds.map(|gold| open(&sandbox, root, &gold.rule, "gold", &fields, &mut built, version)).collect();
            let pipeline = Pipeline::new(checked.plan.clone(), steps, golds, "bench".into(), None);
            Arc::new(pipeline.unwrap_or_else(|error| panic!("{error}")))
        })
        .collect()
}

fn open(
    sandbox: &Sandbox,
    root: &Path,
    rule: &RuleUse,
    label: &str,
    fields: &[Field],
    built: &mut BTreeMap<String, Vec<u8>>,
    version: u8,
) -> Arc<dyn RulePlan> {
    let component = built.entry(rule.name.clone()).or_insert_with(|| build(root, &rule.name));
    // a section without meaning: the same code under another digest
    let variant = [component.as_slice(), &[0, 9, 7], b"variant", &[version]].concat();
    let component: Component = sandbox.load(&variant).unwrap_or_else(|error| panic!("{error}"));
    let config = StepConfig {
        label: label.to_owned(),
        dataset: "orders".into(),
        config: rule.config.clone(),
        inputs: fields.to_vec(),
        reads: rule.reads.clone(),
        writes: rule.writes.clone(),
        grants: BTreeSet::new(),
        limits: sluice_sandbox::Limits::default(),
        token_key: None,
        lookups: Vec::new(),
    };
    component.open(config).unwrap_or_else(|error| panic!("{error}"))
}

fn build(root: &Path, name: &str) -> Vec<u8> {
    let file = std::env::temp_dir().join(format!("sluice-load-{name}-{}.wasm", std::process::id()));
    let mut build = Command::new(env!("CARGO_BIN_EXE_sluice"));
    build.args(["plugin", "build"]).arg(root.join("plugins").join(name)).arg("--out").arg(&file);
    let built = build.output().expect("the command starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let bytes = std::fs::read(&file).expect("it was just built");
    std::fs::remove_file(&file).expect("it is there");
    bytes
}

struct Quiet;

impl Alerts for Quiet {
    fn raise(&self, alert: Alert) {
        panic!("{}: {}", alert.code, alert.message);
    }
}

impl History for Quiet {
    fn versions(&self) -> Vec<Arc<Pipeline>> {
        Vec::new()
    }
}

/// Sends the next version as soon as the one before it is live.
struct Next {
    versions: Vec<Arc<Pipeline>>,
    send: mpsc::UnboundedSender<usize>,
}

impl Watcher for Next {
    fn stage(&self, version: &str, stage: &Stage) {
        if let Stage::Live = stage {
            let place = self.versions.iter().position(|pipeline| pipeline.key() == version);
            let _ = self.send.send(place.expect("it is one of them"));
        }
    }
}

async fn run(versions: &[Arc<Pipeline>], input: &[PathBuf], lake: &Path, swaps: usize) -> (Summary, Duration) {
    if lake.exists() {
        std::fs::remove_dir_all(lake).expect("the lake of before can go");
    }
    let log = Arc::new(DirLog::new(lake));
    let source = FileSource::new(FileSourceConfig {
        paths: input.to_vec(),
        compression: sluice_local::Compression::Auto,
        follow: false,
        accept_changed: Vec::new(),
    });
    let ports = Ports {
        source: Arc::new(source),
        store: Arc::new(DirStore::create(lake).expect("a lake can be made")),
        log: log.clone(),
        clock: Arc::new(SystemClock::default()),
        alerts: Arc::new(Quiet),
        delivery: None,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options { threads, ..Options::default() };
    let (send, rollouts) = mpsc::unbounded_channel();
    let (live, mut lives) = mpsc::unbounded_channel();
    let watcher = Arc::new(Next { versions: versions.to_vec(), send: live });
    let board = Arc::new(Board::default());
    let at = board.clone();
    let control = Control { rollouts, watcher, board, history: Arc::new(Quiet) };
    let progress = Arc::new(Progress::default());
    let all = versions.to_vec();
    let counter = progress.clone();
    let total: u64 = input.iter().map(|file| file.metadata().map_or(0, |meta| meta.len())).sum();
    let driver = tokio::spawn(async move {
        for swap in 1..=swaps {
            // spread over its first half; each waits for the one before it, so the last ones come near the end
            while counter.snapshot().bytes < total / 2 * swap as u64 / swaps as u64 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let segments = u32::from(swap % PROBATION_EVERY == 0);
            // on a busy machine processor times of single segments vary
            let probation = ProbationPlan { segments, latency: 1000.0, ..ProbationPlan::default() };
            let plan = RolloutPlan { probation, ..RolloutPlan::default() };
            let _ = send.send(Rollout { pipeline: all[swap % all.len()].clone(), plan, at_once: false });
            if lives.recv().await.is_none() {
                return;
            }
            // it took over: a worker has made a batch by it
            let key = all[swap % all.len()].key();
            while !at.standing().is_some_and(|standing| standing.workers.contains(&key)) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let (_tell, stop) = watch::channel(false);
    let begun = Instant::now();
    let done = sluice_flow::run_steered(versions[0].clone(), ports, options, progress, stop, control).await;
    let took = begun.elapsed();
    driver.abort();
    let summary = done.unwrap_or_else(|error| panic!("{error}"));
    check(versions, &log, &summary).await;
    (summary, took)
}

/// Every record in one segment, every segment of one version, the books balanced.
async fn check(versions: &[Arc<Pipeline>], log: &DirLog, summary: &Summary) {
    let keys: BTreeSet<String> = versions.iter().map(|pipeline| pipeline.key()).collect();
    let mut read = 0;
    for entry in log.entries().await.expect("the log can be read") {
        if entry.kind != EntryKind::Commit {
            continue;
        }
        let bytes = log.get(entry).await.expect("it is there");
        let commit: Commit = serde_json::from_slice(&bytes).expect("a commit is JSON");
        let cut = log.get(Entry { number: entry.number, kind: EntryKind::Cut }).await.expect("it has a cut");
        let cut: Cut = serde_json::from_slice(&cut).expect("a cut is JSON");
        assert!(keys.contains(&cut.identity.key()), "segment {} is of no version", cut.number);
        assert_eq!(commit.account.check(), Ok(()));
        assert_eq!(commit.account.total().read, cut.batches.iter().map(|batch| batch.records).sum::<u64>());
        read += commit.account.total().read;
    }
    assert_eq!(read, summary.account.total().read);
    assert_eq!(summary.account.check(), Ok(()));
}
