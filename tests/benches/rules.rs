//! The rules of the `orders` pipeline, in the sandbox and natively in this process, over the same columns.
//!
//! `cargo bench -p sluice --bench rules`. For each step it prints processor time a record: natively (the
//! rule alone, on columns that are there already) and in the sandbox (everything between Arrow and Arrow: lowering, the
//! call, lifting, checking the answer). Rounds alternate between the two, so that a busy machine slows both alike; the
//! figures are medians.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use rustix::time::{ClockId, clock_gettime};
use sluice_batch::Field;
use sluice_formats::{Decoder, Framer, Limits};
use sluice_manifest::{Plan, RuleUse, StepWhat};
use sluice_ports::{RulePlan, Step};
use sluice_sandbox::{Sandbox, SandboxConfig, StepConfig};
use sluice_sdk::{Batch, Column, ColumnType, Rejections, Rule, Transformer, Validator, Values, native};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 400;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let checked = sluice_manifest::load(&root.join("pipelines/orders")).unwrap_or_else(|error| panic!("{error}"));
    let input = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).map(PathBuf::from);
    let input = input.unwrap_or_else(|| root.join("pipelines/orders/sample/orders.ndjson"));
    let (fields, columns) = decode(&checked.plan, &std::fs::read(&input).expect("the input can be read"));
    let rows = columns[0].len();
    println!("{rows} records a batch, {ROUNDS} rounds, ns of processor time a record, medians\n");
    println!("{:<10} {:>8} {:>8} {:>7}", "rule", "native", "sandbox", "ratio");
    let sandbox = Sandbox::new(SandboxConfig::default()).expect("the sandbox starts");
    let (mut all_native, mut all_wasm) = (0.0, 0.0);
    for step in &checked.plan.steps {
        let StepWhat::Rule(rule) = &step.what else { continue };
        let plan = open(&sandbox, &root, rule, &fields);
        let read: Vec<ArrayRef> =
            plan.signature().reads.iter().map(|name| columns[place(&fields, name)].clone()).collect();
        let mut wasm = plan.step().expect("the rule starts");
        let mut native = native_rule(rule, &fields, &read, rows);
        let (mut of_native, mut of_wasm) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            of_native.push(native());
            of_wasm.push(timed(|| call(wasm.as_mut(), rows, &read)));
        }
        let (native, wasm) = (median(&mut of_native) / rows as f64, median(&mut of_wasm) / rows as f64);
        println!("{:<10} {native:>8.1} {wasm:>8.1} {:>6.2}x", rule.name, wasm / native);
        all_native += native;
        all_wasm += wasm;
    }
    println!("{:<10} {all_native:>8.1} {all_wasm:>8.1} {:>6.2}x", "all", all_wasm / all_native);
}

/// A batch of 4,096 records of the input, which is repeated if it is shorter.
fn decode(plan: &Plan, input: &[u8]) -> (Vec<Field>, Vec<ArrayRef>) {
    let limits = Limits { rows: 4096, bytes: 16 << 20, max_record_bytes: plan.max_record_bytes };
    let mut framer = Framer::new(&plan.format, limits, 0, None);
    let mut decoder = Decoder::new(&plan.format, &plan.schema, plan.unknown_fields);
    loop {
        framer.push(input.to_vec().into());
        if let Some(raw) = framer.next(false).expect("the input is framed") {
            return (decoder.fields(), decoder.decode(&raw).columns);
        }
    }
}

fn open(sandbox: &Sandbox, root: &Path, rule: &RuleUse, fields: &[Field]) -> Arc<dyn RulePlan> {
    let file = std::env::temp_dir().join(format!("sluice-bench-{}-{}.wasm", rule.name, std::process::id()));
    let built = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["plugin", "build"])
        .arg(root.join("plugins").join(&rule.name))
        .arg("--out")
        .arg(&file)
        .output()
        .expect("the command starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let component = sandbox.load(&std::fs::read(&file).expect("it was just built")).expect("it is a rule");
    std::fs::remove_file(&file).expect("it is there");
    let config = StepConfig {
        label: rule.name.clone(),
        dataset: "orders".into(),
        config: rule.config.clone(),
        inputs: fields.to_vec(),
        reads: rule.reads.clone(),
        writes: rule.writes.clone(),
        grants: rule.grants.iter().map(|grant| grant.parse().expect("the manifest is checked")).collect(),
        limits: sluice_sandbox::Limits::default(),
        token_key: None,
        lookups: Vec::new(),
    };
    component.open(config).unwrap_or_else(|error| panic!("{error}"))
}

fn place(fields: &[Field], name: &str) -> usize {
    fields.iter().position(|field| field.name == name).expect("the manifest is checked")
}

fn call(step: &mut dyn Step, rows: usize, columns: &[ArrayRef]) {
    black_box(step.call(rows, columns).expect("the rule answers"));
}

/// One round of the rule natively: nanoseconds.
fn native_rule(rule: &RuleUse, fields: &[Field], read: &[ArrayRef], rows: usize) -> Box<dyn FnMut() -> f64> {
    let columns: Vec<Column> = read.iter().map(column).collect();
    let batch = move || Batch::new(rows, columns.clone()).expect("the columns are whole");
    match rule.name.as_str() {
        "checks" => validator::<checks::Checks>(&rule.config, fields, batch),
        "types" => transformer::<types::Types>(&rule.config, fields, batch),
        "pii" => transformer::<pii::Pii>(&rule.config, fields, batch),
        other => panic!("no rule `{other}` is linked into this benchmark"),
    }
}

fn inputs(fields: &[Field]) -> Vec<sluice_sdk::Field> {
    let field = |f: &Field| sluice_sdk::Field { name: f.name.clone(), ty: ColumnType::Text, nullable: f.nullable };
    fields.iter().map(field).collect()
}

fn validator<R: Rule + Validator + 'static>(
    config: &str,
    fields: &[Field],
    batch: impl Fn() -> Batch + 'static,
) -> Box<dyn FnMut() -> f64> {
    let mut opened = native::open::<R>(config, &inputs(fields)).unwrap_or_else(|findings| panic!("{findings:?}"));
    Box::new(move || {
        let batch = batch();
        timed(|| {
            let mut rejections = Rejections::new();
            opened.rule.check(&batch, &mut rejections);
            black_box(rejections);
        })
    })
}

fn transformer<R: Rule + Transformer + 'static>(
    config: &str,
    fields: &[Field],
    batch: impl Fn() -> Batch + 'static,
) -> Box<dyn FnMut() -> f64> {
    let mut opened = native::open::<R>(config, &inputs(fields)).unwrap_or_else(|findings| panic!("{findings:?}"));
    Box::new(move || {
        let batch = batch();
        timed(|| {
            let mut rejections = Rejections::new();
            black_box(opened.rule.apply(batch, &mut rejections));
        })
    })
}

/// A text column as rules see it.
fn column(array: &ArrayRef) -> Column {
    let texts = array.as_string::<i32>();
    let offsets = texts.value_offsets().iter().map(|offset| *offset as u32).collect();
    let text = sluice_sdk::VarBytes { offsets, bytes: texts.value_data().to_vec() };
    let bits = |nulls: &arrow_buffer::NullBuffer| nulls.inner().sliced().as_slice()[..nulls.len().div_ceil(8)].to_vec();
    Column::new(Values::Text(text)).with_validity(texts.nulls().map(bits).unwrap_or_default())
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

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
