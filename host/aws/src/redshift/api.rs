//! The Data API: statements are handed in, go on whoever lives, and are asked after.
//!
//! A submission carries a token: handed in again with the same one it is the same statement, for eight hours. So a lost
//! reply, and a death, are settled by handing in again.

use super::rows::{Rows, Value};
use super::target::Target;
use super::work::{Failed, Failure, Finished, MAX_WAIT_SECONDS, Session, Submitted, TOKEN_BYTES, Work, within_limits};
use crate::client::{Aws, Class, retry};
use aws_sdk_redshiftdata::operation::describe_statement::DescribeStatementOutput;
use aws_sdk_redshiftdata::types::{StatementData, StatementStatusString, StatusString};
use sluice_ports::{Kind, PortError, failpoint};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// A client of the Data API for one database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DataApi {
    aws: Aws,
    target: Target,
    wait_seconds: i32,
    patience: Duration,
}

impl DataApi {
    /// A client. A statement is waited for up to an hour.
    pub fn new(aws: Aws, target: Target) -> Self {
        Self { aws, target, wait_seconds: 20, patience: Duration::from_secs(3600) }
    }

    /// With other waits: seconds of one question (0 to 30; below the client's time-out for an attempt), and how long a
    /// statement is waited for before the caller is told that it still runs.
    #[must_use]
    pub fn with_waits(mut self, wait_seconds: i32, patience: Duration) -> Self {
        self.wait_seconds = wait_seconds.clamp(0, MAX_WAIT_SECONDS);
        self.patience = patience;
        self
    }

    /// Where statements run.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How long to wait before the next attempt, from 1.
    pub(super) fn backoff(&self, attempt: u32) -> Duration {
        self.aws.retry().wait(attempt, Class::Transient)
    }

    /// Hands statements in. Handing in again with the same token does nothing but give the same id.
    ///
    /// # Errors
    /// [`Failure::SessionLost`] where the session is gone, [`Failure::Port`] as the service fails or a limit is passed.
    pub async fn submit(&self, work: Work<'_>) -> Result<Submitted, Failure> {
        within_limits(work)?;
        let submitted = match work.statements {
            [one] => self.execute(one, work).await,
            _ => self.execute_batch(work).await,
        };
        let submitted = submitted.map_err(|error| session_or_port(error, &self.what(work.name), work.session))?;
        failpoint::hit("after-submit");
        Ok(submitted)
    }

    async fn execute(&self, sql: &str, work: Work<'_>) -> sluice_ports::Result<Submitted> {
        let (keep, session) = session(work.session);
        let at = session.is_none().then_some(&self.target);
        let call = || {
            let call = self.aws.redshift_data().execute_statement().sql(sql);
            call.client_token(work.token)
                .statement_name(work.name)
                .set_session_keep_alive_seconds(keep)
                .set_session_id(session.clone())
                .set_database(at.map(|target| target.database().to_owned()))
                .set_cluster_identifier(at.and_then(Target::cluster))
                .set_workgroup_name(at.and_then(Target::workgroup))
                .set_db_user(at.and_then(Target::user))
                .set_secret_arn(at.and_then(Target::secret))
                .send()
        };
        let output = retry(self.aws.retry(), "ExecuteStatement", &self.what(work.name), call).await?;
        submitted("ExecuteStatement", output.id, output.session_id)
    }

    async fn execute_batch(&self, work: Work<'_>) -> sluice_ports::Result<Submitted> {
        let (keep, session) = session(work.session);
        let at = session.is_none().then_some(&self.target);
        let call = || {
            let call = self.aws.redshift_data().batch_execute_statement().set_sqls(Some(work.statements.to_vec()));
            call.client_token(work.token)
                .statement_name(work.name)
                .set_session_keep_alive_seconds(keep)
                .set_session_id(session.clone())
                .set_database(at.map(|target| target.database().to_owned()))
                .set_cluster_identifier(at.and_then(Target::cluster))
                .set_workgroup_name(at.and_then(Target::workgroup))
                .set_db_user(at.and_then(Target::user))
                .set_secret_arn(at.and_then(Target::secret))
                .send()
        };
        let output = retry(self.aws.retry(), "BatchExecuteStatement", &self.what(work.name), call).await?;
        submitted("BatchExecuteStatement", output.id, output.session_id)
    }

    /// Waits for the end of what was handed in.
    ///
    /// # Errors
    /// [`Failure::Port`] of kind `Retry` where it still runs when patience ends, of kind `NotFound` where it is no
    /// longer remembered; the other failures are those of the statements.
    pub async fn wait(&self, id: &str) -> Result<Finished, Failure> {
        let begun = Instant::now();
        let (mut round, mut seconds) = (0, self.wait_seconds);
        loop {
            let asked = Instant::now();
            let output = match self.describe(id, seconds).await {
                Err(error) if seconds > 0 && error.message.contains("ActiveWaitingRequestsExceeded") => {
                    // too many wait at once: ask without waiting from now on
                    seconds = 0;
                    continue;
                }
                output => output?,
            };
            if let Some(end) = end_of(&output) {
                failpoint::hit("after-finish");
                return end;
            }
            if begun.elapsed() > self.patience {
                return Err(self.still_running(id).into());
            }
            round += 1;
            if asked.elapsed() < Duration::from_secs(seconds.unsigned_abs().into()) / 2 || seconds == 0 {
                tokio::time::sleep(pause(round)).await;
            }
        }
    }

    fn still_running(&self, id: &str) -> PortError {
        let message = format!(
            "statement `{id}` on {} still runs after {} s; it goes on by itself, and the next load takes up its end",
            self.target,
            self.patience.as_secs()
        );
        PortError::new(Kind::Retry, message)
    }

    async fn describe(&self, id: &str, seconds: i32) -> sluice_ports::Result<DescribeStatementOutput> {
        let wait = (seconds > 0).then_some(seconds);
        let call = || self.aws.redshift_data().describe_statement().id(id).set_wait_time_seconds(wait).send();
        retry(self.aws.retry(), "DescribeStatement", &format!("statement `{id}` on {}", self.target), call).await
    }

    /// The result of a statement, all pages of it.
    ///
    /// # Errors
    /// As the service fails; kind `NotFound` where the result is no longer remembered.
    pub async fn results(&self, id: &str) -> sluice_ports::Result<Rows> {
        let mut rows = Rows::default();
        let mut token = None;
        loop {
            let next: Option<String> = token.clone();
            let call = || self.aws.redshift_data().get_statement_result().id(id).set_next_token(next.clone()).send();
            let what = format!("statement `{id}` on {}", self.target);
            let output = retry(self.aws.retry(), "GetStatementResult", &what, call).await?;
            rows.page(output.column_metadata.unwrap_or_default(), output.records);
            token = output.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(rows);
            }
        }
    }

    /// The newest statement of exactly this name, whatever became of it, of the last 24 hours.
    ///
    /// # Errors
    /// As the service fails.
    pub async fn find(&self, name: &str) -> sluice_ports::Result<Option<Submitted>> {
        let mut newest: Option<StatementData> = None;
        let mut token = None;
        loop {
            let next: Option<String> = token.clone();
            let call = || {
                let call = self.aws.redshift_data().list_statements().statement_name(name).status(StatusString::All);
                call.max_results(100)
                    .set_database(Some(self.target.database().to_owned()))
                    .set_cluster_identifier(self.target.cluster())
                    .set_workgroup_name(self.target.workgroup())
                    .set_next_token(next.clone())
                    .send()
            };
            let output = retry(self.aws.retry(), "ListStatements", &self.what(name), call).await?;
            let named = output.statements.into_iter().filter(|found| found.statement_name.as_deref() == Some(name));
            newest = newest.into_iter().chain(named).max_by_key(|found| found.created_at.map(|at| at.as_nanos()));
            token = output.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(newest.map(|found| Submitted { id: found.id, session: found.session_id }));
            }
        }
    }

    /// Cancels a statement. One that has ended is no error.
    ///
    /// # Errors
    /// As the service fails.
    pub async fn cancel(&self, id: &str) -> sluice_ports::Result<()> {
        let call = || self.aws.redshift_data().cancel_statement().id(id).send();
        let what = format!("statement `{id}` on {}", self.target);
        match retry(self.aws.retry(), "CancelStatement", &what, call).await {
            Err(error) if error.kind != Kind::NotFound && !error.message.contains("ValidationException") => Err(error),
            _ => Ok(()),
        }
    }

    /// Runs one statement in a session of its own and gives its result, without rows where it has none.
    ///
    /// # Errors
    /// As the statement or the service fails.
    pub async fn run(&self, name: &str, sql: &str) -> Result<Rows, Failure> {
        let finished = self.finish(name, &[sql.to_owned()]).await?;
        match (finished.ids.first(), finished.rows.first()) {
            (Some(id), Some(_)) if gives_rows(sql) => Ok(self.results(id).await?),
            _ => Ok(Rows::default()),
        }
    }

    /// Runs statements in a session of their own, several as one transaction.
    ///
    /// # Errors
    /// As a statement or the service fails.
    pub async fn finish(&self, name: &str, statements: &[String]) -> Result<Finished, Failure> {
        let token = format!("{name}-{}", chance());
        let work =
            Work { statements, token: &token[token.len().saturating_sub(TOKEN_BYTES)..], name, session: Session::Own };
        let submitted = self.submit(work).await?;
        self.wait(&submitted.id).await
    }

    /// A single value: the first row's first column.
    ///
    /// # Errors
    /// As the statement or the service fails.
    pub async fn value(&self, name: &str, sql: &str) -> Result<Option<Value>, Failure> {
        Ok(self.run(name, sql).await?.rows.into_iter().next().and_then(|row| row.into_iter().next()))
    }

    fn what(&self, name: &str) -> String {
        format!("`{name}` on {}", self.target)
    }
}

/// 32 hexadecimal digits that nobody else draws.
pub(super) fn chance() -> String {
    format!("{:016x}{:016x}", RandomState::new().hash_one(1_u8), RandomState::new().hash_one(2_u8))
}

fn gives_rows(sql: &str) -> bool {
    let first = sql.trim_start().split(|at: char| !at.is_ascii_alphabetic()).next().unwrap_or_default();
    ["select", "with", "show", "explain"].iter().any(|word| first.eq_ignore_ascii_case(word))
}

/// Between questions that did not wait: short at first, for most statements are.
fn pause(round: u32) -> Duration {
    Duration::from_millis(50).saturating_mul(1 << round.min(6)).min(Duration::from_secs(2))
}

fn session(session: Session<'_>) -> (Option<i32>, Option<String>) {
    match session {
        Session::Own => (None, None),
        Session::Keep(seconds) => (Some(seconds), None),
        Session::In(id) => (None, Some(id.to_owned())),
    }
}

fn submitted(operation: &str, id: Option<String>, session: Option<String>) -> sluice_ports::Result<Submitted> {
    let id = id.ok_or_else(|| PortError::new(Kind::Fatal, format!("{operation} answered without an id")))?;
    Ok(Submitted { id, session })
}

/// A session that is gone is refused as a request that is not valid; the text alone tells it from others. `what` is left
/// out of it: a dataset may be named after sessions.
fn session_or_port(error: PortError, what: &str, session: Session<'_>) -> Failure {
    let about_session = error.message.replace(what, "").to_ascii_lowercase().contains("session");
    match session {
        Session::In(_) if about_session && error.kind != Kind::Retry => Failure::SessionLost(error.message),
        _ => Failure::Port(error),
    }
}

/// What became of it, once it has ended.
fn end_of(output: &DescribeStatementOutput) -> Option<Result<Finished, Failure>> {
    match output.status.as_ref()? {
        StatusString::Finished => Some(Ok(finished(output))),
        StatusString::Failed | StatusString::Aborted => Some(Err(failed(output))),
        _ => None,
    }
}

fn finished(output: &DescribeStatementOutput) -> Finished {
    let count = |rows: i64| u64::try_from(rows).unwrap_or(0);
    let (ids, rows) = match output.sub_statements() {
        [] => (vec![output.id.clone()], vec![count(output.result_rows)]),
        all => all.iter().map(|one| (one.id.clone(), count(one.result_rows))).unzip(),
    };
    Finished { ids, rows, session: output.session_id.clone() }
}

fn failed(output: &DescribeStatementOutput) -> Failure {
    let failed_one = output.sub_statements().iter().find(|one| {
        matches!(one.status, Some(StatementStatusString::Failed)) || one.error.as_ref().is_some_and(|e| !e.is_empty())
    });
    let own = output.error.as_deref().filter(|text| !text.is_empty());
    let text = own.or_else(|| failed_one?.error.as_deref()).unwrap_or("it was cancelled");
    let known = |id: i64| (id > 0).then_some(id);
    let query = failed_one.and_then(|one| known(one.redshift_query_id)).or_else(|| known(output.redshift_query_id));
    super::blame::failure(Failed { text: text.to_owned(), query, process: known(output.redshift_pid) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_give_rows_are_told_by_their_first_word() {
        for sql in ["SELECT 1", " with a as (select 1) select * from a", "show x", "explain select 1"] {
            assert!(gives_rows(sql), "{sql}");
        }
        for sql in ["INSERT INTO t SELECT 1", "CREATE TABLE x (a BIGINT)", ""] {
            assert!(!gives_rows(sql), "{sql}");
        }
    }

    #[test]
    fn a_lost_session_is_told_from_other_refusals() {
        let error = |text: &str| PortError::new(Kind::Fatal, text);
        let lost = session_or_port(error("ValidationException: Session abc is not available"), "x", Session::In("abc"));
        assert!(matches!(lost, Failure::SessionLost(_)));
        let other = session_or_port(error("`my-session`: ValidationException: name"), "`my-session`", Session::In("a"));
        assert!(matches!(other, Failure::Port(_)));
        let own = session_or_port(error("ValidationException: Session limit"), "x", Session::Own);
        assert!(matches!(own, Failure::Port(_)));
    }

    #[test]
    fn drawn_numbers_differ() {
        assert_ne!(chance(), chance());
        assert_eq!(chance().len(), 32);
    }
}
