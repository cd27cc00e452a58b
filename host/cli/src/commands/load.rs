//! `sluice load`.

use super::run::stop_signal;
use crate::args::LoadArgs;
use crate::aws::Account;
use crate::aws::warehouse::{self, Warehouse};
use crate::bind;
use crate::exit::INPUT;
use anyhow::{Context, Result};
use sluice_ports::{Kind, PortError};
use std::process::ExitCode;

pub(crate) fn load(args: &LoadArgs) -> Result<ExitCode> {
    let bound = bind::bind(&args.pipeline, None, bind::Purpose::Check, false)?;
    super::runtime()?.block_on(async {
        let account = Account::connect(&bound).await?;
        let name = &bound.environment.name;
        let warehouse = Warehouse::of(&bound, &account)?;
        let warehouse = warehouse.with_context(|| {
            format!("environment `{name}` has no warehouse; name one under `environments.{name}.warehouse`")
        })?;
        for line in warehouse.prepare().await? {
            eprintln!("{line}");
        }
        let mut stop = stop_signal()?;
        let mut clean = true;
        loop {
            match warehouse.pass(&account).await {
                Ok(pass) => {
                    clean &= !pass.has_set_aside();
                    match args.json {
                        true => println!("{}", serde_json::to_string(&pass).expect("a report is plain data")),
                        false => print!("{}", warehouse::text(&pass)),
                    }
                }
                // the next pass goes on from there
                Err(error) if args.follow && is_passing(&error) => eprintln!("{}", crate::exit::chain(&error)),
                Err(error) => return Err(error),
            }
            let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
            let over = !args.follow || tokio::time::timeout(warehouse.every(), stopped).await.is_ok();
            if over {
                return Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(INPUT) });
            }
        }
    })
}

/// Whether trying again later may help.
fn is_passing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<PortError>().is_some_and(|port| port.kind == Kind::Retry))
}
