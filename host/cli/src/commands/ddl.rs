//! `sluice ddl`.

use crate::args::PipelineArgs;
use crate::{aws, bind};
use anyhow::{Context, Result};
use std::process::ExitCode;

pub(crate) fn ddl(args: &PipelineArgs) -> Result<ExitCode> {
    let bound = bind::bind(args, None, bind::Purpose::Check, false)?;
    let name = &bound.environment.name;
    let environment = bound.environment.aws.as_ref();
    let environment = environment.with_context(|| format!("environment `{name}` is not on AWS"))?;
    let spec = environment.warehouse.as_ref().with_context(|| format!("environment `{name}` has no warehouse"))?;
    let config = aws::redshift(&bound.checked.plan.dataset, environment, spec);
    print!("{}", sluice_aws::redshift::ddl(&config, &aws::tables::tables(&bound)?)?);
    Ok(ExitCode::SUCCESS)
}
