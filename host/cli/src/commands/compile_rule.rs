//! `sluice compile-rule`: the process in which one rule is compiled. Not for people, and hidden from them.

use anyhow::{Context, Result};
use sluice_sandbox::Compiler;
use std::io::{stdin, stdout};
use std::process::ExitCode;

/// Has rules compiled by this program, in a process for each.
pub(crate) fn compiler() -> Result<Compiler> {
    Compiler::this_program(["compile-rule"]).context("which program this is")
}

pub(crate) fn compile_rule() -> Result<ExitCode> {
    sluice_sandbox::compile_rule(stdin().lock(), stdout().lock()).context("compiling a rule")?;
    Ok(ExitCode::SUCCESS)
}
