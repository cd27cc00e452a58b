//! Statements: what was submitted, how far it is, what came of it.

use super::RedshiftOptions;
use super::protocol::{ApiError, List, Submit, put, seconds};
use super::results::ResultSet;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// How far a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It was taken in.
    Submitted,
    /// It was chosen to run.
    Picked,
    /// It runs.
    Started,
    /// It succeeded.
    Finished,
    /// It failed.
    Failed,
    /// It was cancelled, or stood behind one that failed.
    Aborted,
}

impl State {
    /// Its name in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Picked => "PICKED",
            Self::Started => "STARTED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Aborted => "ABORTED",
        }
    }

    /// Whether it is the last one.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Aborted)
    }
}

/// One SQL statement of those that were submitted together.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// Its text.
    pub(crate) sql: String,
    /// How far it is.
    pub(crate) state: State,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// Number of its query.
    pub(crate) query_id: i64,
    /// Rows returned or changed.
    pub(crate) rows: i64,
    /// Its rows, where it returns some.
    pub(crate) result: Option<Arc<ResultSet>>,
    updated: SystemTime,
    begun: Option<Instant>,
    took: Duration,
}

/// What was submitted at once.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// Its id.
    pub(crate) id: String,
    /// How it was submitted.
    pub(crate) submit: Submit,
    /// Whether several statements can be in it.
    pub(crate) is_batch: bool,
    /// The session it runs in.
    pub(crate) session: Option<String>,
    /// How far it is.
    pub(crate) state: State,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// The process that runs it.
    pub(crate) pid: i64,
    /// Its statements.
    pub(crate) pieces: Vec<Piece>,
    /// Turns true when it is cancelled.
    pub(crate) cancelled: watch::Sender<bool>,
    created: SystemTime,
    updated: SystemTime,
    begun: Option<Instant>,
    took: Duration,
}

/// A client token and the statement that it stands for.
#[derive(Debug)]
struct Token {
    text: String,
    id: String,
    since: Instant,
}

#[derive(Debug)]
struct Inner {
    list: Vec<Statement>,
    tokens: Vec<Token>,
    next_query: i64,
}

/// All statements of a server.
#[derive(Debug)]
pub(crate) struct Statements {
    inner: Mutex<Inner>,
    /// Counts changes, for those who wait for one.
    changes: watch::Sender<u64>,
}

/// Whether a submission is new.
#[derive(Debug)]
pub(crate) enum Submitted {
    /// It is to be run.
    New(String),
    /// Its client token came before.
    Known(String),
}

impl Default for Statements {
    fn default() -> Self {
        let inner = Inner { list: vec![], tokens: vec![], next_query: 1_001 };
        Self { inner: Mutex::new(inner), changes: watch::Sender::new(0) }
    }
}

impl Statements {
    /// Takes statements in, once for each client token. `session` finds or opens the session for a new one.
    pub(crate) fn submit<F>(
        &self,
        submit: Submit,
        sqls: Vec<String>,
        options: &RedshiftOptions,
        session: F,
    ) -> Result<Submitted, ApiError>
    where
        F: FnOnce(&str) -> Result<Option<String>, ApiError>,
    {
        let mut inner = self.lock();
        inner.forget(options);
        if let Some(known) = inner.known(&submit)? {
            return Ok(Submitted::Known(known));
        }
        if inner.list.iter().filter(|statement| !statement.state.is_final()).count() >= options.active_statements {
            let message = format!("Active statements exceeded the allowed quota ({}).", options.active_statements);
            return Err(ApiError::new("ActiveStatementsExceededException", message));
        }
        let id = uuid::Uuid::new_v4().to_string();
        let session = session(&id)?;
        if let Some(token) = &submit.client_token {
            inner.tokens.push(Token { text: token.clone(), id: id.clone(), since: Instant::now() });
        }
        let statement = inner.statement(id.clone(), submit, sqls, session);
        inner.list.push(statement);
        Ok(Submitted::New(id))
    }

    /// Looks at a statement.
    pub(crate) fn get(&self, id: &str, options: &RedshiftOptions) -> Option<Statement> {
        let mut inner = self.lock();
        inner.forget(options);
        inner.list.iter().find(|statement| statement.id == id).cloned()
    }

    /// Changes a statement and tells those who wait.
    pub(crate) fn update(&self, id: &str, change: impl FnOnce(&mut Statement)) {
        if let Some(statement) = self.lock().list.iter_mut().find(|statement| statement.id == id) {
            change(statement);
            statement.updated = SystemTime::now();
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Waits until a statement is at its end, but not longer than this.
    pub(crate) async fn wait(&self, id: &str, most: Duration) {
        let mut changes = self.changes.subscribe();
        let at_end = changes.wait_for(|_| {
            let inner = self.lock();
            inner.list.iter().find(|statement| statement.id == id).is_none_or(|statement| statement.state.is_final())
        });
        let _in_time = tokio::time::timeout(most, at_end).await;
    }

    /// Statements that a list asks for, latest first.
    pub(crate) fn select(&self, list: &List, options: &RedshiftOptions) -> Vec<Value> {
        let mut inner = self.lock();
        inner.forget(options);
        inner.list.iter().rev().filter(|statement| statement.is_asked(list)).map(Statement::listed).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Drops what is older than it is kept.
    fn forget(&mut self, options: &RedshiftOptions) {
        let now = SystemTime::now();
        let is_kept = |time: SystemTime| now.duration_since(time).is_ok_and(|age| age < options.retention);
        self.list.retain(|statement| !statement.state.is_final() || is_kept(statement.created));
        self.tokens.retain(|token| token.since.elapsed() < options.token_life);
    }

    /// The statement that the submission's token stands for; the same token must come with the same submission.
    fn known(&self, submit: &Submit) -> Result<Option<String>, ApiError> {
        let Some(token) = self.tokens.iter().find(|token| Some(&token.text) == submit.client_token.as_ref()) else {
            return Ok(None);
        };
        let same =
            self.list.iter().find(|statement| statement.id == token.id).is_none_or(|known| known.submit == *submit);
        if same {
            return Ok(Some(token.id.clone()));
        }
        Err(ApiError::validation("ClientToken was used before with other parameters"))
    }

    fn statement(&mut self, id: String, submit: Submit, sqls: Vec<String>, session: Option<String>) -> Statement {
        let now = SystemTime::now();
        let is_batch = submit.sqls.is_some();
        let mut piece = |sql: String| {
            self.next_query += 1;
            Piece {
                sql,
                state: State::Submitted,
                error: None,
                query_id: self.next_query,
                rows: 0,
                result: None,
                updated: now,
                begun: None,
                took: Duration::ZERO,
            }
        };
        Statement {
            id,
            submit,
            is_batch,
            session,
            state: State::Submitted,
            error: None,
            pid: 0,
            pieces: sqls.into_iter().map(&mut piece).collect(),
            cancelled: watch::Sender::new(false),
            created: now,
            updated: now,
            begun: None,
            took: Duration::ZERO,
        }
    }
}

impl Piece {
    /// Goes on to a state.
    pub(crate) fn go(&mut self, state: State) {
        self.state = state;
        self.updated = SystemTime::now();
        match state {
            State::Started => self.begun = Some(Instant::now()),
            state if state.is_final() => self.took = self.begun.map_or(Duration::ZERO, |begun| begun.elapsed()),
            _ => {}
        }
    }

    fn describe(&self) -> Value {
        let mut value = json!({
            "Status": self.state.name(), "Duration": nanoseconds(self.took), "RedshiftQueryId": self.query_id,
            "QueryString": self.sql, "UpdatedAt": seconds(self.updated), "HasResultSet": self.result.is_some(),
            "ResultRows": if self.state == State::Finished { self.rows } else { -1 },
            "ResultSize": self.result.as_ref().map_or(0, |result| result.bytes),
        });
        put(&mut value, "Error", self.error.clone());
        value
    }
}

impl Statement {
    /// Goes on to a state.
    pub(crate) fn go(&mut self, state: State) {
        self.state = state;
        match state {
            State::Started => self.begun = Some(Instant::now()),
            state if state.is_final() => self.took = self.begun.map_or(Duration::ZERO, |begun| begun.elapsed()),
            _ => {}
        }
    }

    /// The answer to its submission.
    pub(crate) fn submitted(&self) -> Value {
        let mut value = json!({"Id": self.id, "CreatedAt": seconds(self.created), "Status": self.state.name()});
        self.put_place(&mut value);
        if self.state.is_final() {
            value["HasResultSet"] = json!(self.has_result());
            value["RedshiftPid"] = json!(self.pid);
        }
        value
    }

    /// The answer to DescribeStatement, for all of it or for one of its statements (from 1).
    pub(crate) fn describe(&self, piece: Option<usize>) -> Option<Value> {
        let mut value = match piece {
            Some(number) => self.pieces.get(number.checked_sub(1)?)?.describe(),
            None if self.is_batch => self.describe_batch(),
            None => self.pieces.first()?.describe(),
        };
        value["Id"] = json!(piece.map_or_else(|| self.id.clone(), |number| self.piece_id(number)));
        value["CreatedAt"] = json!(seconds(self.created));
        value["RedshiftPid"] = json!(self.pid);
        if piece.is_none() {
            value["Status"] = json!(self.state.name());
            value["UpdatedAt"] = json!(seconds(self.updated));
            value["ResultFormat"] = json!(self.submit.result_format.as_deref().unwrap_or("JSON"));
            value["Duration"] = json!(nanoseconds(self.took));
            put(&mut value, "Error", self.error.clone());
            self.put_place(&mut value);
            self.put_parameters(&mut value);
        }
        Some(value)
    }

    fn describe_batch(&self) -> Value {
        let sub = |(at, piece): (usize, &Piece)| {
            let mut value = piece.describe();
            value["Id"] = json!(self.piece_id(at + 1));
            value["CreatedAt"] = json!(seconds(self.created));
            value
        };
        let subs: Vec<Value> = self.pieces.iter().enumerate().map(sub).collect();
        let query = self.pieces.first().map_or(0, |piece| piece.query_id);
        json!({
            "SubStatements": subs, "HasResultSet": self.has_result(), "ResultRows": -1, "ResultSize": -1,
            "RedshiftQueryId": query, "ExecutionMode": self.submit.execution_mode.as_deref().unwrap_or("TRANSACTION"),
        })
    }

    fn listed(&self) -> Value {
        let mut value = json!({
            "Id": self.id, "Status": self.state.name(), "CreatedAt": seconds(self.created), "UpdatedAt": seconds(self.updated),
            "IsBatchStatement": self.is_batch, "ResultFormat": self.submit.result_format.as_deref().unwrap_or("JSON"),
        });
        if self.is_batch {
            value["QueryStrings"] = self.pieces.iter().map(|piece| piece.sql.clone()).collect();
        } else {
            put(&mut value, "QueryString", self.pieces.first().map(|piece| piece.sql.clone()));
        }
        put(&mut value, "StatementName", self.submit.statement_name.clone());
        put(&mut value, "SecretArn", self.submit.secret_arn.clone());
        put(&mut value, "SessionId", self.session.clone());
        self.put_parameters(&mut value);
        value
    }

    /// Without a status only finished statements are asked for, as the service has it.
    fn is_asked(&self, list: &List) -> bool {
        let status = list.status.as_deref().unwrap_or("FINISHED");
        let named = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let name = self.submit.statement_name.as_deref().unwrap_or_default();
        (status == "ALL" || status == self.state.name())
            && list.statement_name.as_deref().is_none_or(|prefix| name.starts_with(prefix))
            && named(&list.cluster_identifier, &self.submit.cluster_identifier)
            && named(&list.workgroup_name, &self.submit.workgroup_name)
            && named(&list.database, &self.submit.database)
    }

    fn has_result(&self) -> bool {
        self.pieces.iter().any(|piece| piece.result.is_some())
    }

    fn piece_id(&self, number: usize) -> String {
        format!("{}:{number}", self.id)
    }

    fn put_place(&self, value: &mut Value) {
        put(value, "ClusterIdentifier", self.submit.cluster_identifier.clone());
        put(value, "WorkgroupName", self.submit.workgroup_name.clone());
        put(value, "Database", self.submit.database.clone());
        put(value, "DbUser", self.submit.db_user.clone());
        put(value, "SecretArn", self.submit.secret_arn.clone());
        put(value, "SessionId", self.session.clone());
    }

    fn put_parameters(&self, value: &mut Value) {
        let Some(parameters) = &self.submit.parameters else { return };
        let pairs: Vec<Value> =
            parameters.iter().map(|parameter| json!({"name": parameter.name, "value": parameter.value})).collect();
        value["QueryParameters"] = json!(pairs);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
