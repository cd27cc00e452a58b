//! The Redshift Data API, in front of a PostgreSQL.
//!
//! [`RedshiftServer`] speaks the protocol: statements are submitted, run in the background whether or not their client
//! lives, and are asked after. [`sql`] turns Redshift's SQL into PostgreSQL's and refuses what Redshift refuses;
//! [`copy`] does COPY, with objects from an S3 server. [`Faults`] makes calls, statements and sessions fail.
//!
//! A statement's life: [`calls`] takes it in, [`statements`] knows its state, [`run`] gives it a connection (its
//! session's, or one of its own) and executes it, [`results`] keeps its rows.

mod calls;
mod connection;
mod copy;
mod errors;
mod faults;
mod http;
mod protocol;
mod results;
mod run;
mod sessions;
mod sql;
mod statements;

pub use faults::Faults;
pub use http::Call;

use crate::http::Loopback;
use crate::postgres::Postgres;
use calls::Service;
use connection::Database;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::SimpleQueryMessage;

/// How transactions that overlap are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Redshift's default: a transaction sees what was committed when it began to read.
    #[default]
    Snapshot,
    /// Transactions have an order, or fail with error 1023.
    Serializable,
}

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct RedshiftOptions {
    /// Where COPY reads objects.
    pub s3_endpoint: String,
    /// The port; 0 is any free one.
    pub port: u16,
    /// The database that clients name.
    pub database: String,
    /// How transactions are kept apart.
    pub isolation: Isolation,
    /// How long statements stay submitted, and then picked, and then started before they run.
    pub delay: Duration,
    /// How long statements and their results can be asked after.
    pub retention: Duration,
    /// How long a client token stands for the statement it came with.
    pub token_life: Duration,
    /// Most statements at work at once.
    pub active_statements: usize,
    /// Most sessions at once.
    pub active_sessions: usize,
    /// Most bytes of a result.
    pub result_bytes: usize,
    /// Most bytes of a row of it.
    pub row_bytes: usize,
    /// Most rows that an answer carries.
    pub page_rows: usize,
}

impl Default for RedshiftOptions {
    /// The service's own limits, <https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html>, with short delays.
    fn default() -> Self {
        Self {
            s3_endpoint: String::new(),
            port: 0,
            database: "dev".to_owned(),
            isolation: Isolation::Snapshot,
            delay: Duration::from_millis(2),
            retention: Duration::from_secs(24 * 60 * 60),
            token_life: Duration::from_secs(8 * 60 * 60),
            active_statements: 500,
            active_sessions: 500,
            result_bytes: 500 * 1024 * 1024,
            row_bytes: 64 * 1024,
            page_rows: 1000,
        }
    }
}

/// A running server; dropping it stops it and what it runs.
#[derive(Debug)]
pub struct RedshiftServer {
    listener: Loopback,
    service: Arc<Service>,
    /// Last, so that nothing runs any more when it stops.
    _postgres: Arc<Postgres>,
}

impl RedshiftServer {
    /// Starts a server with a database of its own in this process's PostgreSQL.
    ///
    /// # Errors
    /// Where PostgreSQL does not start or the port is taken.
    pub async fn start(options: RedshiftOptions) -> io::Result<Self> {
        let postgres = Postgres::shared().await?;
        let database = Database::create(&postgres, &options).await?;
        let port = options.port;
        let service = Arc::new(Service::new(options, database));
        let answering = service.clone();
        let listener = Loopback::start("redshift", port, |listener| http::serve(listener, answering))?;
        Ok(Self { listener, service, _postgres: postgres })
    }

    /// The address, as `AWS_ENDPOINT_URL_REDSHIFT_DATA` takes it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.listener.endpoint()
    }

    /// Makes things go wrong.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.service.faults.clone()
    }

    /// All calls so far, those that failed included.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.service.log.calls()
    }

    /// Loses all sessions now: what they run fails, and they are gone.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn lose_sessions(&self) -> io::Result<()> {
        self.service.lose_sessions().await.map_err(io::Error::other)
    }

    /// Runs PostgreSQL's own SQL on the database, past everything that imitates Redshift; for what a test asserts.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn sql(&self, text: &str) -> io::Result<Vec<Vec<Option<String>>>> {
        let connection = self.service.database.connect().await.map_err(io::Error::other)?;
        let messages = connection.client.simple_query(text).await;
        let messages = messages.map_err(|error| io::Error::other(format!("{}: {text}", errors::message_of(&error))))?;
        let row = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
            _ => None,
        };
        Ok(messages.iter().filter_map(row).collect())
    }
}
