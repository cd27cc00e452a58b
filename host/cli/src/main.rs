//! The `sluice` command: composition root of the host.
//!
//! Everything that knows both sides of a port is here: `bind` turns a manifest and a folder of rules into a pipeline,
//! `commands` hold one file for each subcommand, `registry` finds and builds rules, `versions` brings new ones into use, `progress` and `report` talk to
//! people, `aws` binds what a manifest says of an account. `exit` says what exit codes mean.

mod args;
mod aws;
mod bind;
mod commands;
mod exit;
mod guest_build;
mod key;
mod lake;
mod lookups;
mod mask;
mod progress;
mod registry;
mod report;
mod versions;

use clap::Parser;
use std::process::ExitCode;

// Batches are allocated by one thread and freed by another; the system's allocator keeps such memory for long.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    start_log(args.verbose);
    match commands::dispatch(args.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", mask::text(&exit::chain(&error)));
            exit::code_of(&error)
        }
    }
}

/// The log goes to standard error, without colours or times: whoever keeps it adds times.
fn start_log(verbose: bool) {
    let level = if verbose { tracing::Level::DEBUG } else { tracing::Level::WARN };
    tracing_subscriber::fmt().with_max_level(level).with_writer(mask::Stderr).with_ansi(false).without_time().init();
}
