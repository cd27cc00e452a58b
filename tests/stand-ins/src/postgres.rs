//! A PostgreSQL of the tests' own: on loopback, in a folder of its own, gone with the value that started it.

mod programs;

use programs::Programs;
use rustix::process::geteuid;
use std::io::{self, Error, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_postgres::{Config, NoTls};

/// The role that owns everything.
pub(crate) const OWNER: &str = "postgres";

/// How long a server may take to answer its first connection.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// Another process can take the free port between our finding it and the server's binding it.
const PORT_ATTEMPTS: u32 = 5;

/// Runs the server until standard input ends. It ends when this process drops it, and also when this process dies of
/// whatever cause, so that no server and no folder outlives its tests.
const SUPERVISOR: &str = r#"
"$1" -D "$2/data" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off \
  -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB \
  -c max_wal_size=2GB -c timezone=UTC -c log_min_messages=warning -c deadlock_timeout=200ms -c enable_nestloop=off \
  </dev/null >"$2/log" 2>&1 &
server=$!
read -r _
kill -INT "$server"
wait "$server"
rm -rf "$2"
"#;

/// One in this process at a time is enough: every server stand-in takes a database of its own in it.
static SHARED: Mutex<Weak<Postgres>> = Mutex::const_new(Weak::new());

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    process: Child,
    lifeline: Option<ChildStdin>,
    /// The supervisor removes the data inside, its owner; this removes the rest.
    folder: TempDir,
}

impl Postgres {
    /// Starts a server in a new folder, which takes about a second.
    ///
    /// # Errors
    /// Where no PostgreSQL is installed and none can be fetched, or it does not start; says what it said.
    pub async fn start() -> io::Result<Self> {
        for _ in 1..PORT_ATTEMPTS {
            match Self::attempt().await {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                outcome => return outcome,
            }
        }
        Self::attempt().await
    }

    /// The server that this process shares, started where there is none.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn shared() -> io::Result<Arc<Self>> {
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let running = Arc::new(Self::start().await?);
        *shared = Arc::downgrade(&running);
        Ok(running)
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How to connect to a database as the owner of everything.
    #[must_use]
    pub fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user(OWNER).dbname(database);
        config
    }

    async fn attempt() -> io::Result<Self> {
        let (programs, folder, user) = tokio::task::spawn_blocking(prepare).await??;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = as_user(user.as_ref(), "sh");
        command.args(["-c", SUPERVISOR, "sluice-postgres"]).arg(programs.postgres()).arg(folder.path());
        command.arg(port.to_string()).current_dir("/").process_group(0); // a Ctrl-C is for us to pass on
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let lifeline = process.stdin.take();
        let server = Self { port, process, lifeline, folder };
        server.wait_until_up().await?;
        Ok(server)
    }

    async fn wait_until_up(&self) -> io::Result<()> {
        let (started, log) = (Instant::now(), self.folder.path().join("log"));
        loop {
            if self.config(OWNER).connect(NoTls).await.is_ok() {
                return Ok(());
            }
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            if said.contains("could not bind") || said.contains("could not create any TCP/IP sockets") {
                return Err(Error::new(ErrorKind::AddrInUse, said));
            }
            if started.elapsed() > START_DEADLINE {
                let port = self.port;
                let message = format!("postgres did not answer on port {port} within {START_DEADLINE:?}: {said}");
                return Err(Error::new(ErrorKind::TimedOut, message));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.lifeline = None;
        let _status = self.process.wait(); // nothing to be done about a supervisor that is gone already
    }
}

/// The account that runs the server where we are root, which PostgreSQL refuses to run as.
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

impl User {
    /// `postgres` where it exists, else `nobody`; none where we are not root.
    fn needed() -> io::Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let accounts = std::fs::read_to_string("/etc/passwd")?;
        let user = [OWNER, "nobody"].iter().find_map(|name| Self::find(&accounts, name));
        user.map(Some).ok_or_else(|| {
            Error::other("postgres refuses to run as root and there is no user `postgres` or `nobody` to run it as")
        })
    }

    fn find(accounts: &str, name: &str) -> Option<Self> {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some(Self { name: name.to_owned(), uid: ids.next()?.ok()?, gid: ids.next()?.ok()? })
    }
}

/// `program`, as the account that can run PostgreSQL.
fn as_user(user: Option<&User>, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={}", user.uid), &format!("--regid={}", user.gid), "--clear-groups"]).arg(program);
    command
}

/// Finds the programs and makes a folder with an empty cluster in it.
fn prepare() -> io::Result<(Programs, TempDir, Option<User>)> {
    let programs = Programs::find()?;
    let user = User::needed()?;
    let folder = tempfile::Builder::new().prefix("sluice-postgres-").tempdir()?;
    if let Some(user) = &user {
        chown(folder.path(), Some(user.uid), Some(user.gid))?;
    }
    let mut command = as_user(user.as_ref(), programs.initdb());
    command.arg("-D").arg(folder.path().join("data")).args(["-U", OWNER, "-A", "trust", "--no-sync", "-E", "UTF8"]);
    let output = command.arg("--no-locale").current_dir("/").output()?;
    if output.status.success() {
        return Ok((programs, folder, user));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let account = user.map_or_else(|| "this user".to_owned(), |user| format!("user `{}`", user.name));
    Err(Error::other(format!("{} as {account}: {}", programs.initdb().display(), said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_their_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:7::/:/bin/sh\npostgres:x:101:104:a,,,:/:/bin/bash\n";
        let user = User::find(accounts, "postgres").expect("the account is there");
        assert_eq!((user.uid, user.gid), (101, 104));
        assert!(User::find(accounts, "nobody").is_none());
    }

    #[tokio::test]
    async fn a_server_starts_answers_and_takes_its_folder_with_it() {
        let server = Postgres::start().await.expect("postgres starts");
        let (client, connection) = server.config(OWNER).connect(NoTls).await.expect("it answers");
        let driving = tokio::spawn(connection);
        let row = client.query_one("SELECT current_setting('server_version_num')::int", &[]).await.expect("a row");
        assert!(row.get::<_, i32>(0) >= 150_000, "MERGE is needed, which came with 15");
        drop(client);
        driving.await.expect("the task ends").expect("the connection ends in peace");
        let folder = server.folder.path().to_owned();
        drop(server);
        assert!(!folder.exists());
    }
}
