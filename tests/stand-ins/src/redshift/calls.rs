//! The operations.

use super::connection::Database;
use super::faults::Faults;
use super::http::CallLog;
use super::protocol::{ApiError, Ask, List, Submit, put, read};
use super::sessions::Sessions;
use super::statements::{Statement, Statements, Submitted};
use super::{RedshiftOptions, run, sql};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Most statements of a batch, <https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html>.
const MAX_BATCH: usize = 40;
/// Most bytes of a statement, same page.
const MAX_SQL: usize = 100_000;
/// Longest name of a statement,
/// <https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_ExecuteStatement.html>.
const MAX_NAME: usize = 500;
/// Longest client token, same page.
const MAX_TOKEN: usize = 64;
/// Longest life of an idle session in seconds, same page.
const MAX_KEEP_ALIVE: i64 = 86_400;
/// Longest wait for an answer in seconds, same page.
const MAX_WAIT: i64 = 30;
/// Entries of a page of a list.
const MAX_LISTED: usize = 100;

/// A server's state.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) options: RedshiftOptions,
    pub(crate) database: Database,
    pub(crate) faults: Faults,
    pub(crate) log: CallLog,
    pub(crate) statements: Statements,
    pub(crate) sessions: Sessions,
}

impl Service {
    pub(crate) fn new(options: RedshiftOptions, database: Database) -> Self {
        Self {
            options,
            database,
            faults: Faults::default(),
            log: CallLog::default(),
            statements: Statements::default(),
            sessions: Sessions::default(),
        }
    }

    /// Does an operation.
    pub(crate) async fn call(self: &Arc<Self>, operation: &str, request: Value) -> Result<Value, ApiError> {
        match operation {
            "ExecuteStatement" | "BatchExecuteStatement" => self.submit(operation, read(request)?).await,
            "DescribeStatement" => self.describe(&read(request)?).await,
            "GetStatementResult" => self.result(&read(request)?).await,
            "CancelStatement" => self.cancel(&read(request)?).await,
            "ListStatements" => {
                let list: List = read(request)?;
                let found = self.statements.select(&list, &self.options);
                page("Statements", found, &list)
            }
            "ListSessions" => {
                let list: List = read(request)?;
                page("Sessions", self.sessions.select(&list)?, &list)
            }
            _ => Err(ApiError::new("UnknownOperationException", format!("{operation} is not imitated by this server"))),
        }
    }

    /// Loses all sessions.
    pub(crate) async fn lose_sessions(&self) -> Result<(), String> {
        for pid in self.sessions.close_all() {
            self.database.terminate(pid).await?;
        }
        Ok(())
    }

    async fn submit(self: &Arc<Self>, operation: &str, mut submit: Submit) -> Result<Value, ApiError> {
        let sqls = sqls(operation, &submit)?;
        check(&submit, &sqls)?;
        let keep_alive = keep_alive(&submit)?;
        let wait = wait(submit.wait_time_seconds.take())?;
        if let Some(session) = &submit.session_id {
            submit.database = submit.database.take().or_else(|| self.sessions.database(session));
        }
        let named = submit.clone();
        let session = |statement: &str| match (&named.session_id, keep_alive) {
            (Some(id), _) => self.sessions.acquire(id, statement, keep_alive).map(|()| Some(id.clone())),
            (None, Some(time)) => self.sessions.open(&named, statement, time, &self.options).map(Some),
            (None, None) => Ok(None),
        };
        let id = match self.statements.submit(submit, sqls, &self.options, session)? {
            Submitted::New(id) => {
                tokio::spawn(run::run(self.clone(), id.clone())); // it runs on when the client goes away
                id
            }
            Submitted::Known(id) => id,
        };
        self.statements.wait(&id, wait).await;
        self.statement(&id).map(|statement| statement.submitted())
    }

    async fn describe(&self, ask: &Ask) -> Result<Value, ApiError> {
        let (id, piece) = self.asked(ask)?;
        self.statements.wait(&id, wait(ask.wait_time_seconds)?).await;
        let missing = || ApiError::not_found("Query does not exist.", &id);
        self.statement(&id)?.describe(piece).ok_or_else(missing)
    }

    async fn result(&self, ask: &Ask) -> Result<Value, ApiError> {
        let (id, piece) = self.asked(ask)?;
        self.statements.wait(&id, wait(ask.wait_time_seconds)?).await;
        let statement = self.statement(&id)?;
        let at = match piece {
            Some(number) => number.checked_sub(1),
            None => (!statement.is_batch).then_some(0),
        };
        let result = at.and_then(|at| statement.pieces.get(at)).and_then(|piece| piece.result.clone());
        let result = result.filter(|_| statement.state.is_final());
        let missing = "Query does not have result. Please check query status with DescribeStatement.";
        let result = result.ok_or_else(|| ApiError::not_found(missing, &id))?;
        result.page(ask.next_token.as_deref(), self.options.page_rows)
    }

    async fn cancel(&self, ask: &Ask) -> Result<Value, ApiError> {
        let (id, _) = self.asked(ask)?;
        let statement = self.statement(&id)?;
        if statement.state.is_final() {
            let state = statement.state.name();
            return Err(ApiError::validation(format!(
                "Could not cancel a query that is already in {state} state with ID: {id}"
            )));
        }
        statement.cancelled.send_replace(true);
        self.database.cancel(statement.pid).await.map_err(|_| ApiError::internal())?;
        Ok(json!({"Status": true}))
    }

    /// The statement that is asked after, and which of a batch.
    fn asked(&self, ask: &Ask) -> Result<(String, Option<usize>), ApiError> {
        let id = ask.id.as_deref().ok_or_else(|| ApiError::validation("Id is required"))?;
        let (statement, piece) = match id.split_once(':') {
            Some((statement, number)) => {
                let number = number.parse().map_err(|_| ApiError::validation(format!("Invalid Id: {id}")))?;
                (statement, Some(number))
            }
            None => (id, None),
        };
        self.statement(statement).map(|statement| (statement.id, piece))
    }

    fn statement(&self, id: &str) -> Result<Statement, ApiError> {
        self.statements.get(id, &self.options).ok_or_else(|| ApiError::not_found("Query does not exist.", id))
    }
}

fn sqls(operation: &str, submit: &Submit) -> Result<Vec<String>, ApiError> {
    match (operation, &submit.sql, &submit.sqls) {
        ("ExecuteStatement", Some(sql), None) => Ok(vec![sql.clone()]),
        ("BatchExecuteStatement", None, Some(sqls)) if sqls.is_empty() => Err(ApiError::validation("Sqls is empty")),
        ("BatchExecuteStatement", None, Some(sqls)) => Ok(sqls.clone()),
        _ => Err(ApiError::validation("Sql or Sqls is required")),
    }
}

/// What the service checks before it takes a statement in.
fn check(submit: &Submit, sqls: &[String]) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::validation(message));
    if sqls.len() > MAX_BATCH {
        return invalid(format!("a batch can have at most {MAX_BATCH} statements, this one has {}", sqls.len()));
    }
    if let Some(sql) = sqls.iter().find(|sql| sql.trim().is_empty() || sql.len() > MAX_SQL) {
        return invalid(format!("a statement can have 1 to {MAX_SQL} bytes, this one has {}", sql.len()));
    }
    if submit.statement_name.as_ref().is_some_and(|name| name.is_empty() || name.len() > MAX_NAME) {
        return invalid(format!("StatementName can have 1 to {MAX_NAME} characters"));
    }
    if submit.client_token.as_ref().is_some_and(|token| token.is_empty() || token.len() > MAX_TOKEN) {
        return invalid(format!("ClientToken can have 1 to {MAX_TOKEN} characters"));
    }
    if !matches!(submit.execution_mode.as_deref(), None | Some("TRANSACTION" | "AUTO_COMMIT")) {
        return invalid("ExecutionMode is TRANSACTION or AUTO_COMMIT".to_owned());
    }
    if submit.result_format.as_deref().is_some_and(|format| format != "JSON") {
        return invalid("results in CSV are not imitated by this server".to_owned());
    }
    check_place(submit)?;
    check_parameters(submit, sqls)
}

/// A statement runs in one place: a cluster, a workgroup or a session.
fn check_place(submit: &Submit) -> Result<(), ApiError> {
    let places = [&submit.cluster_identifier, &submit.workgroup_name, &submit.session_id];
    if places.iter().filter(|place| place.is_some()).count() != 1 {
        return Err(ApiError::validation("Exactly one of ClusterIdentifier, WorkgroupName and SessionId is required"));
    }
    if submit.session_id.is_none() && submit.database.is_none() {
        return Err(ApiError::validation("Database is required"));
    }
    if submit.session_id.is_some() && (submit.db_user.is_some() || submit.secret_arn.is_some()) {
        return Err(ApiError::validation("DbUser and SecretArn cannot be given with SessionId"));
    }
    Ok(())
}

fn check_parameters(submit: &Submit, sqls: &[String]) -> Result<(), ApiError> {
    let used: Vec<String> = sqls.iter().flat_map(|sql| sql::parameters(sql)).collect();
    let unused = submit.parameters.iter().flatten().find(|parameter| !used.contains(&parameter.name));
    match unused {
        Some(parameter) => {
            let message =
                format!("Parameters list contains unused parameters. Unused parameters: [{}]", parameter.name);
            Err(ApiError::validation(message))
        }
        None => Ok(()),
    }
}

fn keep_alive(submit: &Submit) -> Result<Option<Duration>, ApiError> {
    match submit.session_keep_alive_seconds {
        None => Ok(None),
        Some(seconds) if (0..=MAX_KEEP_ALIVE).contains(&seconds) => {
            Ok(Some(Duration::from_secs(seconds.cast_unsigned())))
        }
        Some(_) => Err(ApiError::validation(format!("SessionKeepAliveSeconds is 0 to {MAX_KEEP_ALIVE}"))),
    }
}

fn wait(seconds: Option<i64>) -> Result<Duration, ApiError> {
    match seconds.unwrap_or(0) {
        seconds if (0..=MAX_WAIT).contains(&seconds) => Ok(Duration::from_secs(seconds.cast_unsigned())),
        _ => Err(ApiError::validation(format!("WaitTimeSeconds is 0 to {MAX_WAIT}"))),
    }
}

/// A page of a list; tokens are places in it.
fn page(key: &str, found: Vec<Value>, list: &List) -> Result<Value, ApiError> {
    let most = match list.max_results {
        None => MAX_LISTED,
        Some(most) if (1..=MAX_LISTED as i64).contains(&most) => most as usize,
        Some(_) => return Err(ApiError::validation(format!("MaxResults is 1 to {MAX_LISTED}"))),
    };
    let start = match &list.next_token {
        None => 0,
        Some(token) => token.parse().map_err(|_| ApiError::validation("Invalid NextToken"))?,
    };
    let total = found.len();
    let entries: Vec<Value> = found.into_iter().skip(start).take(most).collect();
    let end = start + entries.len();
    let mut value = json!({key: entries});
    put(&mut value, "NextToken", (end < total).then(|| end.to_string()));
    Ok(value)
}
