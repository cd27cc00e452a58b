//! The hostile guests of `tests/guests`, built once, and what it takes to call them.

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use sluice_batch::{ColumnType, Field};
use sluice_ports::{RulePlan, Step, StepFailure, StepOutput};
use sluice_sandbox::{Capability, Component, Limits, Sandbox, SandboxConfig, StepConfig, TokenKey};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const TARGET: &str = "wasm32-unknown-unknown";

/// Rows of [`column`]: two bytes of validity, six bits of them spare.
pub(crate) const ROWS: usize = 10;

/// Bytes of a guest's core module: `transformer`, `validator`, `aggregator` or `lookups`.
pub(crate) fn module(kind: &str) -> Vec<u8> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let file = BUILT.get_or_init(build).join(format!("hostile_{kind}.wasm"));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Builds the guests. Cargo's own lock keeps test processes apart.
fn build() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests");
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../guests");
    if !has_target() {
        run(Command::new("rustup").args(["target", "add", TARGET]));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo)
        .current_dir(&folder)
        .args(["build", "--release", "--locked", "--quiet", "--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS"));
    target_dir.join(TARGET).join("release")
}

fn has_target() -> bool {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::new(SandboxConfig { workers: 8, steps: 4, ..SandboxConfig::default() }).unwrap())
}

fn loaded(kind: &str) -> Component {
    sandbox().load(&module(kind)).unwrap_or_else(|error| panic!("{kind}: {error}"))
}

pub(crate) fn transformer() -> &'static Component {
    static LOADED: OnceLock<Component> = OnceLock::new();
    LOADED.get_or_init(|| loaded("transformer"))
}

pub(crate) fn validator() -> &'static Component {
    static LOADED: OnceLock<Component> = OnceLock::new();
    LOADED.get_or_init(|| loaded("validator"))
}

pub(crate) fn aggregator() -> &'static Component {
    static LOADED: OnceLock<Component> = OnceLock::new();
    LOADED.get_or_init(|| loaded("aggregator"))
}

/// The columns that exist; `secret` is not granted.
pub(crate) fn fields() -> Vec<Field> {
    [
        ("text", ColumnType::Text),
        ("number", ColumnType::Int64),
        ("flag", ColumnType::Boolean),
        ("money", ColumnType::Decimal { precision: 5, scale: 2 }),
        ("float", ColumnType::Float64),
        ("day", ColumnType::Date),
        ("at", ColumnType::Timestamp),
        ("raw", ColumnType::Binary),
        ("secret", ColumnType::Text),
    ]
    .into_iter()
    .map(|(name, ty)| Field::new(name, ty))
    .collect()
}

/// All columns but `secret` granted, all capabilities too; a deadline of 50 ms.
pub(crate) fn config(attack: &str) -> StepConfig {
    let granted: Vec<String> = fields().into_iter().map(|field| field.name).filter(|name| name != "secret").collect();
    let mut writes = granted.clone();
    writes.extend(["new".into(), "_sluice_id".into(), String::new()]);
    StepConfig {
        label: "mask".into(),
        dataset: "tests".into(),
        config: format!("{{\"attack\": \"{attack}\"}}"),
        inputs: fields(),
        reads: granted,
        writes,
        grants: Capability::ALL.into(),
        limits: Limits { deadline: Duration::from_millis(50), ..Limits::default() },
        token_key: Some(TokenKey::new(b"a key for tests only, 32 bytes..").unwrap()),
        lookups: Vec::new(),
    }
}

pub(crate) fn open(component: &Component, config: StepConfig) -> Arc<dyn RulePlan> {
    component.open(config).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<StringArray>())
}

/// Ten rows of text.
pub(crate) fn text() -> ArrayRef {
    texts(&[Some("a"), Some("b"), None, Some("d"), Some("e"), Some(""), Some("g"), Some("h"), Some("i"), Some("j")])
}

/// Ten rows of each of [`fields`] without `secret`, one of them null.
pub(crate) fn columns() -> Vec<ArrayRef> {
    let numbers = || (0..ROWS as i64).map(|row| (row != 2).then_some(row * 11 - 30));
    let money = Decimal128Array::from_iter(numbers().map(|n| n.map(i128::from)));
    let at = TimestampMicrosecondArray::from_iter(numbers());
    vec![
        text(),
        Arc::new(Int64Array::from_iter(numbers())),
        Arc::new((0..ROWS).map(|row| (row != 2).then_some(row % 3 == 0)).collect::<BooleanArray>()),
        Arc::new(money.with_precision_and_scale(5, 2).unwrap()),
        Arc::new(Float64Array::from_iter(numbers().map(|n| n.map(|n| n as f64 / 4.0)))),
        Arc::new(Date32Array::from_iter(numbers().map(|n| n.map(|n| n as i32)))),
        Arc::new(at.with_timezone("UTC")),
        Arc::new(numbers().map(|n| n.map(i64::to_le_bytes)).collect::<BinaryArray>()),
    ]
}

/// Calls a step on [`text`].
pub(crate) fn call(step: &mut dyn Step) -> Result<StepOutput, StepFailure> {
    step.call(ROWS, &[text()])
}

/// The names in the list of attacks that a guest's configuration schema holds.
pub(crate) fn attacks(component: &Component) -> Vec<String> {
    let schema: serde_json::Value = serde_json::from_str(&component.description().config_schema).unwrap();
    let names = schema["properties"]["attack"]["enum"].as_array().unwrap();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}
