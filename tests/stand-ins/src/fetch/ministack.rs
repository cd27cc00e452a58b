//! `ministack` from PyPI, for DynamoDB, SQS and SNS.

use super::{Daemon, free_port, python_package};
use crate::s3::REGION;
use std::io;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The version that the tests were written against.
const PACKAGE: &str = "ministack==1.5.33";

/// Runs the server and ends with the pipe that it is started with.
const PROGRAM: &str = "
import os, sys, threading
def watch():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
from ministack.app import main
sys.argv = ['ministack']
main()
";

/// How long it may take to listen; 0.6 s on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// DynamoDB, SQS and SNS on loopback; dropping it stops them.
#[derive(Debug)]
pub struct Ministack {
    port: u16,
    _daemon: Daemon,
    _folder: TempDir,
}

impl Ministack {
    /// Fetches the package when it is not there yet, and starts it empty.
    pub async fn start() -> io::Result<Self> {
        let fetched = tokio::task::spawn_blocking(|| python_package(PACKAGE)).await;
        let python = fetched.map_err(io::Error::other)??.join("bin/python");
        let (port, folder) = (free_port()?, tempfile::tempdir()?);
        let mut command = Command::new(python);
        command.args(["-c", PROGRAM]).current_dir(folder.path()).env("BIND_HOST", "127.0.0.1");
        command.env("GATEWAY_PORT", port.to_string()).env("LOG_LEVEL", "WARNING").env("AWS_DEFAULT_REGION", REGION);
        let daemon = Daemon::start("ministack", &mut command, port, TIMEOUT).await?;
        Ok(Self { port, _daemon: daemon, _folder: folder })
    }

    /// The address, as `AWS_ENDPOINT_URL_DYNAMODB` and `AWS_ENDPOINT_URL_SQS` take it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
