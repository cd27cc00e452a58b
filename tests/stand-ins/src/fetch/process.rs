//! Servers that are programs of their own.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// How much of what a program said is shown when it fails.
const SHOWN_BYTES: usize = 2000;

/// A program that runs as long as this value.
///
/// Its standard input is a pipe that closes when this process dies, however it dies: the programs watch it and end.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    said: File,
}

impl Daemon {
    /// Starts the program and waits until something listens on its port.
    pub(crate) async fn start(
        name: &'static str,
        command: &mut Command,
        port: u16,
        timeout: Duration,
    ) -> io::Result<Self> {
        let said = tempfile::tempfile()?;
        command.stdin(Stdio::piped()).stdout(said.try_clone()?).stderr(said.try_clone()?);
        let child = command.spawn().map_err(|error| io::Error::new(error.kind(), format!("`{name}`: {error}")))?;
        let mut daemon = Self { name, child, said };
        let deadline = Instant::now() + timeout;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            if let Some(status) = daemon.child.try_wait()? {
                return Err(daemon.failure(&format!("ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(daemon.failure(&format!("does not listen after {} s", timeout.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(daemon)
    }

    fn failure(&mut self, what: &str) -> io::Error {
        let mut said = Vec::new();
        let _unread = self.said.rewind().and_then(|()| self.said.read_to_end(&mut said));
        let last = said.len().saturating_sub(SHOWN_BYTES);
        io::Error::other(format!("`{}` {what}: {}", self.name, String::from_utf8_lossy(&said[last..]).trim()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A port of loopback that was free a moment ago.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
