//! One file for each subcommand.

mod check;
mod plugin;
mod query;
mod run;

use crate::args::Command;
use anyhow::Result;
use std::process::ExitCode;

/// Does what was asked. Findings are printed; other failures are returned.
pub(crate) fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Check(args) => check::check(&args),
        Command::Run(args) => run::run(&args),
        Command::Query(args) => query::query(&args),
        Command::Plugin(command) => plugin::plugin(&command),
        Command::Schema => {
            println!("{}", sluice_manifest::json_schema());
            Ok(ExitCode::SUCCESS)
        }
    }
}
