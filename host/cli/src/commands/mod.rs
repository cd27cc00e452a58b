//! One file for each subcommand.

mod aws;
mod check;
pub(crate) mod compile_rule;
mod ddl;
mod load;
mod plugin;
mod put;
mod query;
mod replay;
mod rules;
mod run;
mod run_aws;
mod unseal;

use crate::args::Command;
use anyhow::{Context, Result};
use std::process::ExitCode;

/// Does what was asked. Findings are printed; other failures are returned.
pub(crate) fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Check(args) => check::check(&args),
        Command::Run(args) => run::run(&args),
        Command::Query(args) => query::query(&args),
        Command::Put(args) => put::put(&args),
        Command::Load(args) => load::load(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Ddl(args) => ddl::ddl(&args),
        Command::Aws(command) => aws::aws(&command),
        Command::Unseal(args) => unseal::unseal(&args),
        Command::Rules(command) => rules::rules(&command),
        Command::Plugin(command) => plugin::plugin(&command),
        Command::Schema => {
            println!("{}", sluice_manifest::json_schema());
            Ok(ExitCode::SUCCESS)
        }
        Command::CompileRule => compile_rule::compile_rule(),
    }
}

/// The runtime of a command.
fn runtime() -> Result<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.context("the runtime could not be started")
}
