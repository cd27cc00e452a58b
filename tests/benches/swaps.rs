//! What it costs to bring a rule in: compiling it, starting it, and the way over the boundary of the sandbox.
//!
//! `cargo bench -p sluice --bench swaps`. Compiling is measured by the clock, since it happens in another process as
//! well; the rest is processor time of the calling thread. Figures are medians. It takes less than a minute.

use arrow_array::{ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray};
use rustix::time::{ClockId, clock_gettime};
use sluice_batch::{ColumnType, Field};
use sluice_ports::RulePlan;
use sluice_sandbox::{Capability, Compiler, Component, Limits, Sandbox, SandboxConfig, StepConfig, TokenKey};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rules of the repository that are brought in.
const RULES: [&str; 3] = ["plugins/checks", "plugins/types", "plugins/pii"];

/// Returns the columns that it is given.
const ECHO: &str = "tests/guests/transformer";

const COMPILES: usize = 7;
const STARTS: usize = 200;
const SIZES: [usize; 6] = [64, 256, 1024, 4096, 16_384, 65_536];

/// Records of each size that go over the boundary, about.
const RECORDS: usize = 4_000_000;

fn main() {
    let folder = tempfile::tempdir().expect("there is room for files");
    compiling(folder.path());
    let component = here(None).load(&build(folder.path(), ECHO)).expect("it is a rule");
    starting(&component);
    boundary(&component);
}

/// Time of loading each rule: compiled by this process, by one of its own, and found in the cache.
fn compiling(folder: &Path) {
    println!("loading a rule, ms by the clock, medians of {COMPILES}\n");
    println!("{:<22} {:>8} {:>10} {:>10} {:>8}", "rule", "file kB", "in process", "in a child", "cached");
    for package in RULES.into_iter().chain([ECHO]) {
        let file = build(folder, package);
        let here = median_of(COMPILES, || load(&here(None), &file));
        let there = median_of(COMPILES, || load(&apart(), &file));
        let cache = self::here(Some(folder.join("cache")));
        load(&cache, &file);
        let cached = median_of(COMPILES, || load(&cache, &file));
        let kb = file.len().div_ceil(1000);
        println!("{package:<22} {kb:>8} {:>10.1} {:>10.1} {:>8.2}", here / 1e6, there / 1e6, cached / 1e6);
    }
}

/// Nanoseconds by the clock.
fn load(sandbox: &Sandbox, file: &[u8]) -> f64 {
    let start = Instant::now();
    black_box(sandbox.load(file).expect("it is a rule"));
    start.elapsed().as_nanos() as f64
}

/// Time until a rule that is compiled already can take its first batch.
fn starting(component: &Component) {
    let plan = open(component);
    let start = median_of(STARTS, || timed(|| drop(black_box(plan.step().expect("it starts")))));
    let swap = median_of(STARTS, || {
        timed(|| {
            let plan = open(component);
            drop(black_box(plan.step().expect("it starts")));
        })
    });
    println!("\nstarting a rule, us of processor time, medians of {STARTS}\n");
    println!("instance started and opened              {:>8.1}", start / 1e3);
    println!("swap: opened for a step, first instance  {:>8.1}", swap / 1e3);
}

/// Time of a record's way to a rule that returns its columns, and back.
fn boundary(component: &Component) {
    let plan = open(component);
    println!("\nboundary, ns of processor time a record of 7 columns that comes back as it went, medians\n");
    println!("{:>8} {:>8} {:>10}", "rows", "ns", "us a call");
    for rows in SIZES {
        let columns = columns(rows);
        let mut step = plan.step().expect("it starts");
        let mut call = || timed(|| drop(black_box(step.call(rows, &columns).expect("it answers"))));
        (0..3).for_each(|_| _ = call());
        let nanos = median_of((RECORDS / rows).clamp(20, 5_000), call);
        println!("{rows:>8} {:>8.1} {:>10.1}", nanos / rows as f64, nanos / 1e3);
    }
}

fn here(cache_dir: Option<PathBuf>) -> Sandbox {
    Sandbox::new(SandboxConfig { cache_dir, ..SandboxConfig::default() }).expect("the sandbox starts")
}

fn apart() -> Sandbox {
    let compiler = Compiler::Process {
        program: env!("CARGO_BIN_EXE_sluice").into(),
        args: vec!["compile-rule".into()],
        env: vec![("MIMALLOC_ARENA_RESERVE".into(), "0".into())],
    };
    Sandbox::new(SandboxConfig { compiler, ..SandboxConfig::default() }).expect("the sandbox starts")
}

/// A rule's file, built from its package.
fn build(folder: &Path, package: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = folder.join("rule.wasm");
    let mut build = Command::new(env!("CARGO_BIN_EXE_sluice"));
    let built = build.args(["plugin", "build"]).arg(root.join(package)).arg("--out").arg(&file).output();
    let built = built.expect("the command starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    std::fs::read(&file).expect("it was just built")
}

fn open(component: &Component) -> Arc<dyn RulePlan> {
    let fields: Vec<Field> = [
        ("a", ColumnType::Text),
        ("b", ColumnType::Text),
        ("c", ColumnType::Text),
        ("number", ColumnType::Int64),
        ("float", ColumnType::Float64),
        ("money", ColumnType::Decimal { precision: 12, scale: 2 }),
        ("flag", ColumnType::Boolean),
    ]
    .into_iter()
    .map(|(name, ty)| Field::new(name, ty))
    .collect();
    let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    let config = StepConfig {
        label: "echo".into(),
        dataset: "bench".into(),
        config: "{\"attack\": \"echo\"}".into(),
        inputs: fields,
        reads: names.clone(),
        writes: names,
        grants: Capability::ALL.into(),
        limits: Limits::default(),
        token_key: Some(TokenKey::new(b"a key for benchmarks, 32 bytes..").expect("it is long enough")),
        lookups: Vec::new(),
    };
    component.open(config).unwrap_or_else(|error| panic!("{error}"))
}

/// About 85 bytes a record.
fn columns(rows: usize) -> Vec<ArrayRef> {
    let texts = |tag: &str| -> ArrayRef {
        Arc::new((0..rows).map(|row| Some(format!("{tag} {row:011}"))).collect::<StringArray>())
    };
    let money = Decimal128Array::from_iter_values((0..rows).map(|row| row as i128 * 7));
    vec![
        texts("customer"),
        texts("order"),
        texts("item"),
        Arc::new(Int64Array::from_iter_values(0..rows as i64)),
        Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64 / 3.0))),
        Arc::new(money.with_precision_and_scale(12, 2).expect("they are short enough")),
        Arc::new((0..rows).map(|row| Some(row % 3 == 0)).collect::<BooleanArray>()),
    ]
}

/// Nanoseconds of processor time.
fn timed(work: impl FnOnce()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
    };
    let begun = now();
    work();
    now() - begun
}

fn median_of(rounds: usize, mut round: impl FnMut() -> f64) -> f64 {
    let mut times: Vec<f64> = (0..rounds).map(|_| round()).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
