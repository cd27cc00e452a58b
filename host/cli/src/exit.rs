//! What exit codes mean. `README.md` lists them.

use sluice_flow::FlowError;
use sluice_ports::{Kind, PortError};
use std::process::ExitCode;

/// Anything that has no code of its own. Wrong arguments end with 2, as clap has it.
const FAILED: u8 = 1;
/// The manifest has findings.
pub(crate) const FINDINGS: u8 = 3;
/// The account does not balance.
const IMBALANCE: u8 = 4;
/// No room on the disk.
const STORAGE_FULL: u8 = 5;
/// Another process has the data folder.
const FENCED: u8 = 6;
/// Input changed or broke, or the data folder belongs to another dataset.
pub(crate) const INPUT: u8 = 7;

/// A version of the rules was refused or rolled back, or a rule does not say the same twice.
pub(crate) const VERSION: u8 = 8;

/// Findings were printed already; only the code is left to be said.
#[derive(Debug, thiserror::Error)]
#[error("{0} findings")]
pub(crate) struct Found(pub(crate) usize);

/// The code for an error.
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(error.chain().find_map(code_of_cause).unwrap_or(FAILED))
}

fn code_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if cause.is::<Found>() {
        return Some(FINDINGS);
    }
    if let Some(port) = cause.downcast_ref::<PortError>() {
        return Some(code_of_kind(port.kind));
    }
    match cause.downcast_ref::<FlowError>()? {
        FlowError::Imbalance(_) => Some(IMBALANCE),
        FlowError::Input { .. } => Some(INPUT),
        other => Some(code_of_kind(other.kind())),
    }
}

fn code_of_kind(kind: Kind) -> u8 {
    match kind {
        Kind::StorageFull => STORAGE_FULL,
        Kind::Fenced => FENCED,
        Kind::Changed | Kind::Broken => INPUT,
        Kind::Retry | Kind::NotFound | Kind::Denied | Kind::Fatal => FAILED,
    }
}

/// An error with its causes, each said once.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_keeps_its_code_under_context() {
        let full = FlowError::from(PortError::new(Kind::StorageFull, "no room"));
        let error = anyhow::Error::from(full).context("orders");
        assert_eq!(format!("{:?}", code_of(&error)), format!("{:?}", ExitCode::from(STORAGE_FULL)));
        assert_eq!(chain(&error), "orders: no room");
    }
}
