//! `sluice aws`.

use crate::args::{AwsCommand, PipelineArgs};
use crate::aws::{Account, needs, tables};
use crate::bind::{self, Bound};
use anyhow::{Context, Result};
use sluice_aws::{doctor, plan};
use std::process::ExitCode;

pub(crate) fn aws(command: &AwsCommand) -> Result<ExitCode> {
    match command {
        AwsCommand::Plan { pipeline, terraform } => plan_of(pipeline, *terraform),
        AwsCommand::Doctor { pipeline, json } => doctor(pipeline, *json),
    }
}

fn needs_of(bound: &Bound) -> Result<plan::Needs> {
    let name = &bound.environment.name;
    let environment = bound.environment.aws.as_ref();
    let environment =
        environment.with_context(|| format!("environment `{name}` is not on AWS; name one with `--env`"))?;
    Ok(needs::needs(&bound.checked.plan.dataset, environment))
}

fn plan_of(args: &PipelineArgs, terraform: bool) -> Result<ExitCode> {
    let needs = needs_of(&bind::bind(args, None, bind::Purpose::Check, false)?)?;
    print!("{}", if terraform { plan::terraform(&needs) } else { plan::json(&needs) });
    Ok(ExitCode::SUCCESS)
}

fn doctor(args: &PipelineArgs, json: bool) -> Result<ExitCode> {
    let bound = bind::bind(args, None, bind::Purpose::Check, false)?;
    let needs = needs_of(&bound)?;
    let checks = super::runtime()?.block_on(async {
        let account = Account::connect(&bound).await?;
        let others = match account.loader()? {
            Some(loader) => loader.check(&tables::tables(&bound)?).await.into_iter().map(Into::into).collect(),
            None => Vec::new(),
        };
        let max_record_bytes = Some(bound.checked.plan.max_record_bytes as u64);
        anyhow::Ok(doctor::run(&account.aws, &needs, doctor::Options { max_record_bytes, others }).await)
    })?;
    print!("{}", if json { doctor::json(&checks) } else { doctor::text(&checks) });
    Ok(if doctor::worst(&checks) == doctor::Status::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
