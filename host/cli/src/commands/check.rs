//! `sluice check`: everything that can be found without running.

use crate::args::CheckArgs;
use crate::bind;
use crate::exit::{FINDINGS, Found};
use anyhow::Result;
use std::process::ExitCode;

pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode> {
    match bind::bind(&args.pipeline, None, bind::Purpose::Check, args.json) {
        Ok(bound) => {
            if args.json {
                println!("[]");
            } else {
                let plan = &bound.checked.plan;
                let (columns, steps, golds) = (plan.schema.len(), plan.steps.len(), plan.gold.len());
                println!("{}: {columns} columns, {steps} steps, {golds} gold: no findings", plan.dataset);
                for line in bind::rules_of(&bound.pipeline) {
                    println!("  {line}");
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.is::<Found>() => Ok(ExitCode::from(FINDINGS)),
        Err(error) => Err(error),
    }
}
