//! The one place of the crate that reads a disk.

use crate::checked::{Checked, check_text};
use crate::finding::{Findings, Pos};
use crate::yaml::MAX_TEXT;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Why a manifest gave no plan.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The manifest could not be read.
    #[error(
        "{} could not be read: {source}; a pipeline is a folder with a `pipeline.yaml`, or that file",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It was read, and it is not as it should be.
    #[error(transparent)]
    Findings(#[from] Findings),
}

/// The manifest of a pipeline: `pipeline.yaml` in a folder, else the path itself.
pub fn manifest_file(pipeline: &Path) -> PathBuf {
    if pipeline.is_dir() { pipeline.join("pipeline.yaml") } else { pipeline.to_owned() }
}

/// Reads and checks the manifest of a pipeline: a folder that holds a `pipeline.yaml`, or the manifest file.
///
/// # Errors
/// The file cannot be read, or there are findings.
pub fn load(pipeline: &Path) -> Result<Checked, LoadError> {
    let file = manifest_file(pipeline);
    let bytes = read(&file).map_err(|source| LoadError::Read { path: file.clone(), source })?;
    if bytes.len() > MAX_TEXT {
        let mut findings = Findings::new(&file);
        findings.push(Pos::START, format!("the file has more than {MAX_TEXT} bytes; is it a manifest?"));
        return Err(findings.into());
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| not_utf8(&file, &bytes[..error.valid_up_to()]))?;
    Ok(check_text(text, &file)?)
}

/// A file named by mistake may be huge: one byte over the limit is read and no more.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_TEXT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_utf8(file: &Path, valid: &[u8]) -> Findings {
    let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
    let rest = valid.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let column = String::from_utf8_lossy(rest).chars().count() + 1;
    let mut findings = Findings::new(file);
    findings.push(Pos { line, column }, "this byte is not UTF-8; save the manifest as UTF-8");
    findings
}
