//! `sluice-stand-ins`: the servers that stand in for AWS, from one command.

use clap::{Args, Parser, Subcommand};
use rustix::process::{Pid, Signal, kill_process};
use sluice_stand_ins::account::{Account, AccountOptions};
use sluice_stand_ins::proxy::Rule;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use tokio::signal::unix::{SignalKind, signal};

/// Servers that stand in for Kinesis, Firehose, S3, the Redshift Data API and, if asked, DynamoDB and SQS.
#[derive(Parser)]
#[command(name = "sluice-stand-ins", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Start the servers, print the environment that leads to them, and run until SIGINT or SIGTERM.
    Up {
        /// Write the environment to this file too, when all servers answer.
        #[arg(long, value_name = "FILE")]
        port_file: Option<PathBuf>,
        #[command(flatten)]
        servers: Servers,
    },
    /// Start the servers, run a command with the environment that leads to them, stop them, exit as the command did.
    Run {
        #[command(flatten)]
        servers: Servers,
        /// The command and its arguments, after `--`.
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<String>,
    },
}

#[derive(Args)]
struct Servers {
    /// Keep the objects of S3 in this folder.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Deliver a Firehose buffer after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = AccountOptions::default().firehose_interval)]
    firehose_interval: u64,
    /// Start DynamoDB and SQS too, fetched from PyPI into `target/stand-ins`.
    #[arg(long)]
    dynamodb: bool,
    /// Make calls fail by the rules in this JSON file.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
}

impl Servers {
    async fn start(self) -> io::Result<Account> {
        let faults = self.faults.as_deref().map_or(Ok(Vec::new()), Rule::read)?;
        let options = AccountOptions { faults, ..AccountOptions::default() };
        let (folder, firehose_interval, dynamodb) = (self.dir, self.firehose_interval, self.dynamodb);
        Account::start(AccountOptions { folder, firehose_interval, dynamodb, ..options }).await
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Subcommands::Up { port_file, servers } => up(servers, port_file.as_deref()).await,
        Subcommands::Run { servers, command } => run(servers, &command).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

async fn up(servers: Servers, port_file: Option<&Path>) -> io::Result<ExitCode> {
    let account = servers.start().await?;
    let lines: String = account.variables().iter().map(|(name, value)| format!("export {name}={value}\n")).collect();
    print!("{lines}");
    if let Some(file) = port_file {
        let whole = file.with_extension("new"); // whoever waits for the file must not read half of it
        fs::write(&whole, &lines)
            .and_then(|()| fs::rename(&whole, file))
            .map_err(|error| io::Error::new(error.kind(), format!("port file `{}`: {error}", file.display())))?;
    }
    stopped().await?;
    account.firehose.flush().await?; // what was acknowledged must not go with the server
    report(&account)?;
    Ok(ExitCode::SUCCESS)
}

async fn run(servers: Servers, command: &[String]) -> io::Result<ExitCode> {
    let account = servers.start().await?;
    let mut child = Command::new(&command[0]);
    child.args(&command[1..]).env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN").envs(account.variables());
    let child = child.spawn().map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", command[0])))?;
    let code = wait(child).await?;
    account.firehose.flush().await?;
    report(&account)?;
    Ok(code)
}

/// Waits for a command, which gets the SIGTERM that this process gets; SIGINT reaches both by the terminal.
async fn wait(mut child: Child) -> io::Result<ExitCode> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let mut ended = tokio::task::spawn_blocking(move || child.wait());
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    loop {
        tokio::select! {
            status = &mut ended => {
                let code = status.map_err(io::Error::other)??.code();
                return Ok(code.map_or(ExitCode::FAILURE, |code| ExitCode::from(code as u8)));
            }
            _ = terminate.recv() => {
                let _ended_already = pid.map(|pid| kill_process(pid, Signal::TERM));
            }
            _ = interrupt.recv() => {}
        }
    }
}

async fn stopped() -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// One line of JSON on standard error per call that was made to fail.
fn report(account: &Account) -> io::Result<()> {
    for injected in account.injected() {
        eprintln!("injected {}", serde_json::to_string(&injected).map_err(io::Error::other)?);
    }
    Ok(())
}
