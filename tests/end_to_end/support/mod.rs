//! What all tests here stand on: the program, its lake, and inputs with their expected results.

pub(crate) mod changing;
pub(crate) mod csv;
pub(crate) mod files;
pub(crate) mod lake;
pub(crate) mod oracle;
pub(crate) mod orders;
pub(crate) mod random;
pub(crate) mod retail;
pub(crate) mod sluice;
pub(crate) mod table;
pub(crate) mod world;

use std::io::Write;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// A pipeline of the repository.
pub(crate) fn pipeline(name: &str) -> PathBuf {
    root().join("pipelines").join(name)
}

/// A file of the data folder that may stand beside the repository.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let file = root().join("../shared").join(path);
    file.exists().then_some(file)
}

/// Whether the long versions are asked for.
pub(crate) fn long() -> bool {
    std::env::var_os("SLUICE_LONG").is_some_and(|value| value != "0")
}

/// Says that something is not tested here, and why; past the test harness, which keeps what passing tests print.
pub(crate) fn skipped(what: &str, why: &str) {
    // nobody to tell is no reason to fail
    let _ = writeln!(std::io::stderr(), "\nSKIPPED: {what}: {why}");
}
