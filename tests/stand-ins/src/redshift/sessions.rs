//! Sessions: connections that outlive a statement, with their temporary tables.

use super::RedshiftOptions;
use super::connection::Connection;
use super::protocol::{ApiError, List, Submit, put, seconds};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

#[derive(Debug)]
struct Session {
    id: String,
    submit: Submit,
    keep_alive: Duration,
    connection: Option<Arc<Connection>>,
    /// The statement that it runs.
    current: Option<String>,
    /// When it ends, if nothing runs in it until then.
    deadline: Option<Instant>,
    closed: bool,
    created: SystemTime,
    updated: SystemTime,
}

/// All sessions of a server.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    list: Mutex<Vec<Session>>,
}

impl Sessions {
    /// Opens a session for a statement.
    pub(crate) fn open(
        &self,
        submit: &Submit,
        statement: &str,
        keep_alive: Duration,
        options: &RedshiftOptions,
    ) -> Result<String, ApiError> {
        let mut list = self.lock();
        if list.iter().filter(|session| !session.closed).count() >= options.active_sessions {
            let message = format!("Active sessions exceeded the allowed quota ({}).", options.active_sessions);
            return Err(ApiError::new("ActiveSessionsExceededException", message));
        }
        let (id, now) = (uuid::Uuid::new_v4().to_string(), SystemTime::now());
        list.push(Session {
            id: id.clone(),
            submit: submit.clone(),
            keep_alive,
            connection: None,
            current: Some(statement.to_owned()),
            deadline: None,
            closed: false,
            created: now,
            updated: now,
        });
        Ok(id)
    }

    /// Takes a session for a statement. One that is at work is no more available than one that is gone.
    pub(crate) fn acquire(&self, id: &str, statement: &str, keep_alive: Option<Duration>) -> Result<(), ApiError> {
        let mut list = self.lock();
        let session = list.iter_mut().find(|session| session.id == id);
        let session = session.ok_or_else(|| ApiError::validation(format!("Session with Id: {id} is invalid")))?;
        if session.closed || session.current.is_some() {
            return Err(ApiError::validation("Session is not available"));
        }
        session.current = Some(statement.to_owned());
        session.deadline = None;
        session.keep_alive = keep_alive.unwrap_or(session.keep_alive);
        session.updated = SystemTime::now();
        Ok(())
    }

    /// The database that a session is connected to, as its first statement named it.
    pub(crate) fn database(&self, id: &str) -> Option<String> {
        self.lock().iter().find(|session| session.id == id).and_then(|session| session.submit.database.clone())
    }

    /// The session's connection, where it has one yet.
    pub(crate) fn connection(&self, id: &str) -> Option<Arc<Connection>> {
        self.lock().iter().find(|session| session.id == id).and_then(|session| session.connection.clone())
    }

    /// Gives a session its connection.
    pub(crate) fn connect(&self, id: &str, connection: &Arc<Connection>) {
        if let Some(session) = self.lock().iter_mut().find(|session| session.id == id && !session.closed) {
            session.connection = Some(connection.clone());
        }
    }

    /// A session's statement is at its end; says how long the session lives from now on.
    pub(crate) fn release(&self, id: &str) -> Duration {
        let mut list = self.lock();
        let Some(session) = list.iter_mut().find(|session| session.id == id) else { return Duration::ZERO };
        session.current = None;
        session.deadline = Some(Instant::now() + session.keep_alive);
        session.updated = SystemTime::now();
        session.keep_alive
    }

    /// Ends a session whose time is over, unless it is at work again.
    pub(crate) fn expire(&self, id: &str) {
        let mut list = self.lock();
        let over = |session: &&mut Session| session.deadline.is_some_and(|deadline| deadline <= Instant::now());
        if let Some(session) = list.iter_mut().find(|session| session.id == id).filter(over) {
            session.close();
        }
    }

    /// Ends a session at once; says which process is its other end.
    pub(crate) fn close(&self, id: &str) -> Option<i64> {
        self.lock().iter_mut().find(|session| session.id == id)?.close()
    }

    /// Ends all sessions; says which processes are their other ends.
    pub(crate) fn close_all(&self) -> Vec<i64> {
        self.lock().iter_mut().filter_map(Session::close).collect()
    }

    /// Sessions that a list asks for: the open ones, where it does not say.
    pub(crate) fn select(&self, list: &List) -> Result<Vec<Value>, ApiError> {
        let sessions = self.lock();
        if let Some(id) = &list.session_id {
            let session = sessions.iter().find(|session| session.id == *id);
            let missing = || ApiError::not_found(format!("Session with Id: {id} does not exist"), id);
            return Ok(vec![session.ok_or_else(missing)?.describe()]);
        }
        let is_asked = |session: &&Session| match list.status.as_deref() {
            Some(status) => status == session.status(),
            None => !session.closed,
        };
        Ok(sessions.iter().rev().filter(is_asked).map(Session::describe).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Session>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn close(&mut self) -> Option<i64> {
        self.closed = true;
        self.deadline = None;
        self.updated = SystemTime::now();
        self.connection.take().map(|connection| connection.pid)
    }

    fn status(&self) -> &'static str {
        match (self.closed, &self.current) {
            (true, _) => "CLOSED",
            (false, Some(_)) => "BUSY",
            (false, None) => "AVAILABLE",
        }
    }

    fn describe(&self) -> Value {
        let mut value = json!({
            "SessionId": self.id, "Status": self.status(), "CreatedAt": seconds(self.created), "UpdatedAt": seconds(self.updated),
            "SessionAliveSeconds": self.keep_alive.as_secs(),
        });
        put(&mut value, "Database", self.submit.database.clone());
        put(&mut value, "DbUser", self.submit.db_user.clone());
        put(&mut value, "ClusterIdentifier", self.submit.cluster_identifier.clone());
        put(&mut value, "WorkgroupName", self.submit.workgroup_name.clone());
        put(&mut value, "CurrentStatementId", self.current.clone().filter(|_| !self.closed));
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            value["SessionTtl"] = json!(seconds(SystemTime::now() + left));
        }
        value
    }
}
