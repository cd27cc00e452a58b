//! Compiling a rule's package to WebAssembly with cargo.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// Settings that decide how fast a rule is (host/docs/decisions/0002-rules-see-columns.md has the measurements); given on
/// the command line, so that a rule's own workspace need not repeat them.
const SETTINGS: [&str; 6] = [
    "profile.release.opt-level=3",
    "profile.release.lto=\"fat\"",
    "profile.release.codegen-units=1",
    "profile.release.panic=\"abort\"",
    "profile.release.strip=true",
    "profile.release.debug=false",
];

/// A rule's package as cargo sees it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Debug, Clone, Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

/// Compiles the packages in `folders` (all of one workspace) and gives each package and its core module.
pub(crate) fn build(folders: &[PathBuf]) -> Result<Vec<(Package, Vec<u8>)>> {
    ensure_target()?;
    let Some(first) = folders.first() else { return Ok(Vec::new()) };
    let metadata = metadata(first)?;
    let wanted = folders.iter().map(|folder| find(&metadata, folder)).collect::<Result<Vec<_>>>()?;
    compile(first, &metadata, &wanted)?;
    let release = metadata.target_directory.join("rules").join(TARGET).join("release");
    wanted
        .into_iter()
        .map(|package| {
            let library = library(package)?;
            let file = release.join(format!("{}.wasm", library.replace('-', "_")));
            let bytes = std::fs::read(&file).with_context(|| format!("{}", file.display()))?;
            Ok((package.clone(), bytes))
        })
        .collect()
}

fn metadata(folder: &Path) -> Result<Metadata> {
    let output = cargo(folder)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cargo could not be started; rules are built with a Rust toolchain: install rustup")?;
    if !output.status.success() {
        bail!("{}: cargo metadata failed: {}", folder.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("the answer of cargo metadata")
}

fn find<'a>(metadata: &'a Metadata, folder: &Path) -> Result<&'a Package> {
    let manifest = folder.join("Cargo.toml");
    let manifest = manifest.canonicalize().with_context(|| format!("{}", manifest.display()))?;
    let found = metadata.packages.iter().find(|package| package.manifest_path == manifest);
    found.with_context(|| format!("{}: not a package of its workspace", folder.display()))
}

fn library(package: &Package) -> Result<&str> {
    let is_library = |target: &&Target| target.crate_types.iter().any(|ty| ty == "cdylib");
    let found = package.targets.iter().find(is_library).map(|target| target.name.as_str());
    found.with_context(|| {
        format!("package `{}` has no cdylib; add `crate-type = [\"cdylib\", \"rlib\"]` under [lib]", package.name)
    })
}

fn compile(folder: &Path, metadata: &Metadata, packages: &[&Package]) -> Result<()> {
    let mut command = cargo(folder);
    command.args(["build", "--release", "--target", TARGET]);
    command.arg("--target-dir").arg(metadata.target_directory.join("rules"));
    for setting in configuration() {
        command.args(["--config", &setting]);
    }
    for package in packages {
        command.args(["-p", &package.name]);
    }
    // what stands in the environment is meant for the host's own build
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_TARGET_DIR");
    if !command.status().context("cargo could not be started")?.success() {
        bail!("{}: the rule does not compile (see above)", folder.display());
    }
    Ok(())
}

/// Everything that is given to cargo besides what the packages say.
fn configuration() -> impl Iterator<Item = String> {
    SETTINGS.into_iter().map(str::to_owned).chain([format!("target.{TARGET}.rustflags={}", flags())])
}

/// The settings of a build as one text: components that were built with others are built again.
pub(crate) fn settings() -> String {
    configuration().collect::<Vec<_>>().join("\n")
}

/// SIMD on; no folder of this machine in the component, so that its digest is the same on every machine.
fn flags() -> String {
    let mut flags = vec!["-Ctarget-feature=+simd128".to_owned()];
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
    }
    serde_json::to_string(&flags).expect("a list of texts is plain data")
}

/// Adds the compilation target through rustup where it is missing.
fn ensure_target() -> Result<()> {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let output = output.context("rustc could not be started; rules are built with a Rust toolchain: install rustup")?;
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && folder.is_dir() {
        return Ok(());
    }
    eprintln!("adding the target {TARGET} through rustup");
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    match added {
        Ok(status) if status.success() => Ok(()),
        _ => bail!("the target {TARGET} is missing and could not be added; run `rustup target add {TARGET}`"),
    }
}

fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    command
}
