//! `sluice unseal`: an object of sealed bronze, opened.

use crate::args::UnsealArgs;
use crate::key;
use anyhow::{Context, Result};
use std::process::ExitCode;

pub(crate) fn unseal(args: &UnsealArgs) -> Result<ExitCode> {
    let checked = sluice_manifest::load(&args.pipeline)?;
    let key = key::bronze(&checked)?.with_context(|| {
        format!("{}: bronze is not encrypted; name a key under `bronze.encrypt`", checked.file.display())
    })?;
    let sealed = std::fs::read(&args.file).with_context(|| format!("{}", args.file.display()))?;
    let opened = key.open(&sealed).with_context(|| format!("{}", args.file.display()))?;
    std::fs::write(&args.out, opened).with_context(|| format!("{}", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}
