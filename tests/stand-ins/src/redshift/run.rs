//! Runs a statement: gives it a connection, takes it through its states, keeps what comes of it.

use super::calls::Service;
use super::connection::Connection;
use super::copy;
use super::errors::{CANCELLED, message_of, serialization_conflict};
use super::faults::StatementFault;
use super::results::{self, ResultSet};
use super::sql::tokens::quote_name;
use super::sql::{self, BYTES_CHECK, Parameters, Plan, Within};
use super::statements::{State, Statement};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::{Client, SimpleQueryMessage};

/// Why a statement did not finish.
enum Failure {
    /// It was cancelled.
    Cancelled,
    /// It failed, with this.
    Error(String),
}

/// What came of one statement.
#[derive(Default)]
struct Done {
    rows: i64,
    result: Option<Arc<ResultSet>>,
}

/// A statement on its connection.
struct Runner {
    service: Arc<Service>,
    statement: Statement,
    parameters: Parameters,
    connection: Arc<Connection>,
    /// Whether the session is to be lost when all is done.
    lose_session: bool,
}

/// Runs a statement to its end.
pub(crate) async fn run(service: Arc<Service>, id: String) {
    let Some(statement) = service.statements.get(&id, &service.options) else { return };
    let session = statement.session.clone();
    let outcome = perform(&service, statement).await;
    service.statements.update(&id, |statement| end(statement, outcome));
    let Some(session) = session else { return };
    let left = service.sessions.release(&session);
    tokio::time::sleep(left).await;
    service.sessions.expire(&session);
}

fn end(statement: &mut Statement, outcome: Result<(), Failure>) {
    let (state, error) = match outcome {
        Ok(()) => (State::Finished, None),
        Err(Failure::Cancelled) => (State::Aborted, Some(CANCELLED.to_owned())),
        Err(Failure::Error(message)) => (State::Failed, Some(message)),
    };
    for piece in statement.pieces.iter_mut().filter(|piece| !piece.state.is_final()) {
        piece.go(if statement.is_batch { State::Aborted } else { state });
    }
    statement.error = error;
    statement.go(state);
}

async fn perform(service: &Arc<Service>, statement: Statement) -> Result<(), Failure> {
    let id = statement.id.clone();
    pause(&statement, service.options.delay).await?;
    service.statements.update(&id, |statement| statement.go(State::Picked));
    pause(&statement, service.options.delay).await?;
    let database = statement.submit.database.as_deref().unwrap_or_default();
    if database != service.options.database {
        return Err(Failure::Error(format!("FATAL: database \"{database}\" does not exist")));
    }
    let connection =
        connect(service, &statement).await.map_err(|message| Failure::Error(format!("ERROR: {message}")))?;
    service.statements.update(&id, |statement| {
        statement.pid = connection.pid;
        statement.go(State::Started);
    });
    pause(&statement, service.options.delay).await?;
    let parameters = statement.submit.parameters.iter().flatten();
    let parameters = parameters.map(|parameter| (parameter.name.clone(), parameter.value.clone())).collect();
    let mut runner = Runner { service: service.clone(), statement, parameters, connection, lose_session: false };
    let outcome = runner.execute().await;
    if runner.lose_session {
        runner.lose_session().await.map_err(Failure::Error)?;
    }
    outcome
}

/// The session's connection, or a new one.
async fn connect(service: &Service, statement: &Statement) -> Result<Arc<Connection>, String> {
    let known = statement.session.as_ref().and_then(|session| service.sessions.connection(session));
    if let Some(connection) = known {
        return Ok(connection);
    }
    let connection = Arc::new(service.database.connect().await?);
    if let Some(session) = &statement.session {
        service.sessions.connect(session, &connection);
    }
    Ok(connection)
}

/// Waits, unless the statement is cancelled.
async fn pause(statement: &Statement, time: Duration) -> Result<(), Failure> {
    let mut cancelled = statement.cancelled.subscribe();
    match tokio::time::timeout(time, cancelled.wait_for(|cancelled| *cancelled)).await {
        Ok(_) => Err(Failure::Cancelled),
        Err(_) => Ok(()),
    }
}

impl Runner {
    async fn execute(&mut self) -> Result<(), Failure> {
        if !self.statement.is_batch {
            return self.piece(0, Within::Nothing).await;
        }
        if self.statement.submit.execution_mode.as_deref() == Some("AUTO_COMMIT") {
            return self.each().await;
        }
        self.command("BEGIN").await?;
        for at in 0..self.statement.pieces.len() {
            if let Err(failure) = self.piece(at, Within::Batch).await {
                let _lost = self.command("ROLLBACK").await; // a lost connection has rolled back by itself
                return Err(numbered(at, failure));
            }
        }
        self.command("COMMIT").await
    }

    /// Statements that commit one by one: those behind a failure run all the same.
    async fn each(&mut self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for at in 0..self.statement.pieces.len() {
            match self.piece(at, Within::Nothing).await {
                Err(Failure::Cancelled) => return Err(Failure::Cancelled),
                Err(failure) if outcome.is_ok() => outcome = Err(numbered(at, failure)),
                _ => {}
            }
        }
        outcome
    }

    /// Runs one of the statements and notes what comes of it.
    async fn piece(&mut self, at: usize, within: Within) -> Result<(), Failure> {
        self.update(|statement| statement.pieces[at].go(State::Started));
        let outcome = self.attempt(at, within).await;
        let outcome = outcome.map_err(|failure| self.judge(failure));
        self.update(|statement| {
            let piece = &mut statement.pieces[at];
            match &outcome {
                Ok(done) => {
                    piece.rows = done.rows;
                    piece.result.clone_from(&done.result);
                    piece.go(State::Finished);
                }
                Err(Failure::Cancelled) => piece.go(State::Aborted),
                Err(Failure::Error(message)) => {
                    piece.error = Some(message.clone());
                    piece.go(State::Failed);
                }
            }
        });
        outcome.map(|_| ())
    }

    /// An error of a statement that was cancelled is that it was cancelled.
    fn judge(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Error(_) if *self.statement.cancelled.borrow() => Failure::Cancelled,
            Failure::Error(message) => Failure::Error(format!("ERROR: {message}")),
            Failure::Cancelled => Failure::Cancelled,
        }
    }

    async fn attempt(&mut self, at: usize, within: Within) -> Result<Done, Failure> {
        let sql = self.statement.pieces[at].sql.clone();
        match self.service.faults.strike_statement(&sql) {
            Some(StatementFault::Slow(time)) => pause(&self.statement, time).await?,
            Some(StatementFault::Fail(message)) => return Err(Failure::Error(message)),
            Some(StatementFault::Conflict) => {
                return Err(Failure::Error(serialization_conflict("109844", self.connection.pid)));
            }
            Some(StatementFault::LoseSessionBefore) => self.lose_session().await.map_err(Failure::Error)?,
            Some(StatementFault::LoseSessionAfter) => self.lose_session = true,
            None => pause(&self.statement, Duration::ZERO).await?,
        }
        let plan = sql::plan(&sql, &self.parameters, within).map_err(Failure::Error)?;
        self.act(plan, at, within).await.map_err(Failure::Error)
    }

    async fn act(&self, plan: Plan, at: usize, within: Within) -> Result<Done, String> {
        let client = &self.connection.client;
        match plan {
            Plan::Query(sql) => {
                let result = results::query(client, &sql, &self.service.options).await?;
                Ok(Done { rows: result.len() as i64, result: Some(Arc::new(result)) })
            }
            Plan::Command(sql) => affected(client, &sql).await,
            Plan::Truncate(sql) if within == Within::Batch => {
                affected(client, &sql).await?;
                affected(client, "COMMIT; BEGIN").await // Redshift commits with it what came before
            }
            Plan::Truncate(sql) => affected(client, &sql).await,
            Plan::Widen { table, column, bytes } => widen(client, &table, &column, bytes).await,
            Plan::Copy(copy) => {
                let context = copy::Context {
                    s3: self.service.database.s3.clone(),
                    journal: self.service.database.journal.clone(),
                    query_id: self.statement.pieces[at].query_id,
                    pid: self.connection.pid,
                };
                let rows = copy::run(&context, client, &copy).await?;
                Ok(Done { rows: rows.cast_signed(), result: None })
            }
            Plan::Nothing => Ok(Done::default()),
        }
    }

    /// Begins or ends the transaction.
    async fn command(&self, sql: &str) -> Result<(), Failure> {
        let outcome = self.connection.client.batch_execute(sql).await;
        outcome.map_err(|error| self.judge(Failure::Error(message_of(&error))))
    }

    async fn lose_session(&self) -> Result<(), String> {
        if let Some(session) = &self.statement.session {
            self.service.sessions.close(session);
        }
        self.service.database.terminate(self.connection.pid).await
    }

    fn update(&self, change: impl FnOnce(&mut Statement)) {
        self.service.statements.update(&self.statement.id, change);
    }
}

/// A failure of a batch says which statement failed.
fn numbered(at: usize, failure: Failure) -> Failure {
    match failure {
        Failure::Error(message) => Failure::Error(format!("Query #{} failed with {message}", at + 1)),
        Failure::Cancelled => Failure::Cancelled,
    }
}

/// Runs SQL that returns no rows; says how many it changed.
async fn affected(client: &Client, sql: &str) -> Result<Done, String> {
    let messages = client.simple_query(sql).await.map_err(|error| message_of(&error))?;
    let count = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
        _ => None,
    };
    let rows = messages.iter().rev().find_map(count).unwrap_or(0);
    Ok(Done { rows: rows.cast_signed(), result: None })
}

/// Length and checks of a column.
const WIDTH: &str = "SELECT a.atttypid = 'varchar'::regtype, a.atttypmod - 4, \
        (SELECT c.conname::text FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.conkey = ARRAY[a.attnum] \
            AND c.conname LIKE $3 LIMIT 1) \
    FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attname = $2::text AND NOT a.attisdropped";

/// Makes a VARCHAR column longer.
async fn widen(client: &Client, table: &str, column: &str, bytes: u32) -> Result<Done, String> {
    use tokio_postgres::types::Type;
    let prefix = format!("{BYTES_CHECK}%");
    let rows = client.query_typed(WIDTH, &[(&table, Type::TEXT), (&column, Type::TEXT), (&prefix, Type::TEXT)]).await;
    let rows = rows.map_err(|error| message_of(&error))?;
    let row = rows.first().ok_or_else(|| format!("column \"{column}\" of relation {table} does not exist"))?;
    let (is_varchar, length, label): (bool, i32, Option<String>) = (row.get(0), row.get(1), row.get(2));
    if !is_varchar {
        return Err(format!("cannot alter type of column \"{column}\": it is not VARCHAR"));
    }
    if i64::from(length) > i64::from(bytes) {
        return Err(format!(
            "cannot alter column \"{column}\" of relation {table}, target column size should not be smaller"
        ));
    }
    let drop =
        label.map_or_else(String::new, |label| format!("ALTER TABLE {table} DROP CONSTRAINT {};", quote_name(&label)));
    let check = sql::bytes_check(column, &sql::types::varchar(bytes));
    let name = quote_name(column);
    let sql = format!("{drop} ALTER TABLE {table} ALTER COLUMN {name} TYPE varchar({bytes}), ADD {check}");
    affected(client, &sql).await
}
