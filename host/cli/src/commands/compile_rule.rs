//! `sluice compile-rule`: the process in which one rule is compiled. Not for people, and hidden from them.

use anyhow::{Context, Result};
use sluice_sandbox::Compiler;
use std::io::{stdin, stdout};
use std::process::ExitCode;

/// Has rules compiled by this program, in a process for each.
pub(crate) fn compiler() -> Result<Compiler> {
    // mimalloc reserves a GiB as soon as it is asked for anything, and a compile bomb could have that beyond its limit
    let env = [("MIMALLOC_ARENA_RESERVE", "0")];
    Compiler::this_program(&["compile-rule"], &env).context("which program this is")
}

pub(crate) fn compile_rule() -> Result<ExitCode> {
    sluice_sandbox::compile_rule(stdin().lock(), stdout().lock()).context("compiling a rule")?;
    Ok(ExitCode::SUCCESS)
}
