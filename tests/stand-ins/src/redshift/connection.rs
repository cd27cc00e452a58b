//! Connections to the database behind a server.

use super::copy::{Journal, s3_client};
use super::errors::message_of;
use super::{Isolation, RedshiftOptions};
use crate::postgres::{OWNER, Postgres};
use std::io;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls};

/// A database that has Redshift's catalogue and nothing else; databases of servers are copies of it.
const TEMPLATE: &str = "redshift_template";

/// Two servers of one process must not both make the template.
static TEMPLATE_LOCK: Mutex<()> = Mutex::const_new(());

/// The database of a server.
#[derive(Debug)]
pub(crate) struct Database {
    config: Config,
    /// Where objects are read.
    pub(crate) s3: aws_sdk_s3::Client,
    /// Where loads are written down.
    pub(crate) journal: Arc<Journal>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Runs SQL.
    pub(crate) client: Client,
    /// The process at the other end.
    pub(crate) pid: i64,
}

impl Database {
    /// Makes a new one.
    pub(crate) async fn create(postgres: &Postgres, options: &RedshiftOptions) -> io::Result<Self> {
        let name = format!("redshift_{}", uuid::Uuid::new_v4().simple());
        {
            let _alone = TEMPLATE_LOCK.lock().await;
            create_template(postgres).await?;
            let (client, _driver) = connect(&postgres.config(OWNER)).await.map_err(io::Error::other)?;
            run(&client, &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await?;
        }
        let mut config = postgres.config(&name);
        config.options(settings(options));
        let journal = Arc::new(Journal::new(config.clone()));
        Ok(Self { config, s3: s3_client(&options.s3_endpoint), journal })
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Result<Connection, String> {
        let (client, _driver) = connect(&self.config).await?;
        let row = client.query_typed("SELECT pg_backend_pid()", &[]).await.map_err(|error| message_of(&error))?;
        let pid = row.first().map_or(0, |row| i64::from(row.get::<_, i32>(0)));
        Ok(Connection { client, pid })
    }

    /// Cancels what a connection is doing.
    pub(crate) async fn cancel(&self, pid: i64) -> Result<(), String> {
        let (client, _driver) = connect(&self.config).await?;
        let sql = format!("SELECT pg_cancel_backend({pid}) WHERE {pid} > 0");
        client.batch_execute(&sql).await.map_err(|error| message_of(&error))
    }

    /// Ends a connection from outside, whatever it is doing.
    pub(crate) async fn terminate(&self, pid: i64) -> Result<(), String> {
        let (client, _driver) = connect(&self.config).await?;
        let sql = format!("SELECT pg_terminate_backend({pid})");
        client.batch_execute(&sql).await.map_err(|error| message_of(&error))
    }
}

/// What every session is set to. Text is read with backslashes as escapes, as Redshift reads it.
fn settings(options: &RedshiftOptions) -> String {
    let (level, name) = match options.isolation {
        Isolation::Snapshot => ("repeatable\\ read", "Snapshot\\ Isolation"),
        Isolation::Serializable => ("serializable", "Serializable"),
    };
    format!(
        "-c standard_conforming_strings=off -c escape_string_warning=off -c backslash_quote=on \
         -c default_transaction_isolation={level} -c redshift.isolation={name} -c redshift.database={}",
        options.database
    )
}

async fn create_template(postgres: &Postgres) -> io::Result<()> {
    let (client, _driver) = connect(&postgres.config(OWNER)).await.map_err(io::Error::other)?;
    let found = client.query_typed("SELECT 1 FROM pg_database WHERE datname = 'redshift_template'", &[]).await;
    if !found.map_err(io::Error::other)?.is_empty() {
        return Ok(());
    }
    run(&client, "DROP DATABASE IF EXISTS redshift_partial").await?;
    run(&client, "CREATE DATABASE redshift_partial").await?;
    let (inside, driver) = connect(&postgres.config("redshift_partial")).await.map_err(io::Error::other)?;
    run(&inside, include_str!("system.sql")).await?;
    drop(inside);
    let _closed = driver.await; // a database with a connection cannot be renamed
    run(&client, &format!("ALTER DATABASE redshift_partial RENAME TO {TEMPLATE}")).await
}

async fn run(client: &Client, sql: &str) -> io::Result<()> {
    client.batch_execute(sql).await.map_err(|error| io::Error::other(message_of(&error)))
}

async fn connect(config: &Config) -> Result<(Client, tokio::task::JoinHandle<()>), String> {
    let (client, connection) = config.connect(NoTls).await.map_err(|error| message_of(&error))?;
    let driver = tokio::spawn(async move {
        let _closed = connection.await; // its errors reach the client's calls
    });
    Ok((client, driver))
}
