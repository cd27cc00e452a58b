//! `kinesis-local` from npm: slow (0.4 MB/s), but exact where shards split and merge.

use super::client;
use crate::fetch::{Daemon, free_port, node_command, npm_package};
use crate::s3::REGION;
use aws_sdk_kinesis::Client;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The version that the tests were written against.
const VERSION: &str = "0.6.2";

/// How long the server takes for whatever changes a stream.
const CHANGE: &str = "20ms";

/// How long it may take to listen; 5 s on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Loaded before the server: it would listen on all interfaces, and it would outlive a test that is killed.
const PRELOAD: &str = "
const net = require('net');
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  if (typeof args[0] === 'object' && args[0] !== null && args[0].port !== undefined) {
    args[0] = { ...args[0], host: '127.0.0.1' };
  } else if (typeof args[1] === 'string') {
    args[1] = '127.0.0.1';
  } else {
    args.splice(1, 0, '127.0.0.1');
  }
  return listen.apply(this, args);
};
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
";

/// A Kinesis server on loopback that answers ChildShards and ShardFilter; dropping it stops it.
#[derive(Debug)]
pub struct KinesisLocal {
    port: u16,
    _daemon: Daemon,
    _folder: TempDir,
}

impl KinesisLocal {
    /// Fetches the package, and node where there is none, and starts it without streams.
    pub async fn start() -> io::Result<Self> {
        let (package, node) = tokio::task::spawn_blocking(fetch).await.map_err(io::Error::other)??;
        let folder = tempfile::tempdir()?;
        let preload = folder.path().join("preload.cjs");
        fs::write(&preload, PRELOAD)?;
        let (port, tls) = (free_port()?, free_port()?);
        let mut command = configured(node, port, tls);
        command.current_dir(package).arg("-r").arg(preload).arg("main.js");
        let daemon = Daemon::start("kinesis-local", &mut command, port, TIMEOUT).await?;
        Ok(Self { port, _daemon: daemon, _folder: folder })
    }

    /// The address, as `AWS_ENDPOINT_URL_KINESIS` takes it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A client of this server.
    pub fn client(&self) -> Client {
        client(&self.endpoint())
    }

    /// Makes a stream and waits until it is active.
    pub async fn create_stream(&self, name: &str, shards: i32) -> io::Result<()> {
        super::create_stream(&self.client(), name, shards).await
    }
}

fn fetch() -> io::Result<(PathBuf, Command)> {
    Ok((npm_package("kinesis-local", VERSION)?, node_command("node")?))
}

fn configured(mut node: Command, port: u16, tls: u16) -> Command {
    node.env("KINESIS_MOCK_PLAIN_PORT", port.to_string()).env("KINESIS_MOCK_TLS_PORT", tls.to_string());
    node.env("AWS_REGION", REGION).env("AWS_ACCOUNT_ID", "000000000000").env("LOG_LEVEL", "ERROR");
    node.env("SHARD_LIMIT", "1000");
    for change in [
        "CREATE_STREAM",
        "DELETE_STREAM",
        "SPLIT_SHARD",
        "MERGE_SHARDS",
        "UPDATE_SHARD_COUNT",
        "REGISTER_STREAM_CONSUMER",
        "DEREGISTER_STREAM_CONSUMER",
    ] {
        node.env(format!("{change}_DURATION"), CHANGE);
    }
    node
}
