//! One load: an attempt written down, two calls in one session, and what came of them.

use super::api::{DataApi, chance};
use super::attempt::{Attempt, Attempts, StageColumn, Step, load_id};
use super::ddl::TableDef;
use super::ledger::Ledger;
use super::stage::{Plan, Staged, first_call, second_call};
use super::work::{Failed, Failure, Finished, Session, Submitted, TOKEN_LIFE, Work};
use sluice_ports::{Clock, Kind, Object, ObjectFormat, PortError, Result, Settled, TableKind};
use std::time::Duration;

/// A token is not relied on until the last moment of its life.
const TOKEN_MARGIN: Duration = Duration::from_secs(600);

/// What came of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The objects are in the table and in the ledger.
    Loaded(Loaded),
    /// The database refused something of these objects; nothing is in the table.
    Refused(Failed),
    /// Some of their rows belong to a segment that is not decided yet; nothing is in the table.
    Undecided,
}

/// What a load that succeeded did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// Objects that this load wrote into the ledger; the others another load had written meanwhile.
    pub objects: u64,
    /// Rows staged.
    pub staged: u64,
    /// Rows inserted.
    pub rows: u64,
}

/// What came of one attempt.
enum End {
    Loaded(Loaded),
    Refused(Failed),
    Undecided,
    /// Nothing is in the table; another attempt may bring it in.
    Again(String),
}

/// Everything that loads of one table need.
pub(super) struct Loads<'a> {
    pub api: &'a DataApi,
    pub attempts: &'a Attempts,
    pub ledger: &'a Ledger,
    pub def: &'a TableDef,
    pub kind: &'a TableKind,
    pub clock: &'a dyn Clock,
    /// Role for COPY, as SQL.
    pub role: &'a str,
    pub keep_alive_seconds: i32,
    pub most_attempts: u32,
    pub dataset: &'a str,
    /// Name of the table in the dataset.
    pub table: &'a str,
    /// Which segments are decided, where objects may hold rows of others.
    pub settled: Option<&'a Settled>,
}

impl Loads<'_> {
    /// Loads objects of one kind, in as many attempts as it takes.
    ///
    /// # Errors
    /// As the service and the store fail. What was written down stays so, and the next load begins with it.
    pub(super) async fn load(
        &self,
        format: ObjectFormat,
        columns: &[StageColumn],
        objects: &[Object],
    ) -> Result<Outcome> {
        let load_id = load_id(self.dataset, self.table, objects);
        let mut why = String::new();
        for number in 1..=self.most_attempts {
            if number > 1 {
                tokio::time::sleep(self.api.backoff(number - 1)).await;
            }
            let attempt = self.attempt(&load_id, number, format, columns, objects);
            self.attempts.write(&attempt).await?;
            let end = self.drive(&attempt).await?;
            self.attempts.forget(&attempt).await?;
            match end {
                End::Loaded(loaded) => return Ok(Outcome::Loaded(loaded)),
                End::Refused(failed) => return Ok(Outcome::Refused(failed)),
                End::Undecided => return Ok(Outcome::Undecided),
                End::Again(text) => {
                    tracing::warn!(table = self.table, number, "load begun again: {text}");
                    why = text;
                }
            }
        }
        let message = format!(
            "table `{}`: gave up on a load of {} objects after {} attempts; the last: {why}; the next load tries again",
            self.table,
            objects.len(),
            self.most_attempts
        );
        Err(PortError::new(Kind::Retry, message))
    }

    fn attempt(
        &self,
        load_id: &str,
        number: u32,
        format: ObjectFormat,
        columns: &[StageColumn],
        objects: &[Object],
    ) -> Attempt {
        Attempt {
            load_id: load_id.to_owned(),
            dataset: self.dataset.to_owned(),
            table: self.table.to_owned(),
            number,
            nonce: chance()[..16].to_owned(),
            begun_ms: self.clock.wall_ms(),
            format,
            columns: columns.to_vec(),
            objects: objects.to_vec(),
            settled: self.settled.cloned(),
        }
    }

    /// Brings an attempt that somebody left behind to its end; tells what it loaded, if it did.
    ///
    /// # Errors
    /// As the service and the store fail.
    pub(super) async fn settle(&self, attempt: &Attempt) -> Result<Option<Loaded>> {
        let age = self.clock.wall_ms().saturating_sub(attempt.begun_ms);
        let alive = age >= 0 && u128::from(age.unsigned_abs()) < (TOKEN_LIFE - TOKEN_MARGIN).as_millis();
        let end =
            if alive { self.drive(attempt).await } else { Err(PortError::new(Kind::Fatal, "its tokens are old")) };
        let loaded = match end {
            Ok(End::Loaded(loaded)) => Some(loaded),
            Ok(End::Refused(_) | End::Undecided | End::Again(_)) => None,
            Err(error) if error.kind == Kind::Retry || error.kind == Kind::Denied => return Err(error),
            Err(error) => {
                tracing::info!(table = self.table, "an attempt is settled by its name: {error}");
                self.settle_by_name(attempt).await?
            }
        };
        self.attempts.forget(attempt).await?;
        Ok(loaded)
    }

    /// Where the tokens are forgotten, or mean other statements to this build: waits until nothing of the attempt runs,
    /// and reads the ledger.
    async fn settle_by_name(&self, attempt: &Attempt) -> Result<Option<Loaded>> {
        for step in [Step::Stage, Step::Apply] {
            if let Some(found) = self.api.find(&attempt.name(step)).await? {
                match self.api.wait(&found.id).await {
                    Err(Failure::Port(error)) if error.kind != Kind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        self.in_ledger(attempt).await
    }

    async fn in_ledger(&self, attempt: &Attempt) -> Result<Option<Loaded>> {
        let has = self.ledger.has(self.api, &attempt.load_id, &attempt.label()).await;
        let has = has.map_err(|error| error.into_port(&self.what("reading the ledger")))?;
        Ok(has.then(|| Loaded { objects: attempt.objects.len() as u64, ..Loaded::default() }))
    }

    /// Both calls. Driven again, after whatever death, it does nothing twice: each call is handed in with its own token.
    async fn drive(&self, attempt: &Attempt) -> Result<End> {
        let plan = Plan { def: self.def, kind: self.kind, attempt, ledger: self.ledger };
        let (session, staged) = match self.stage(plan).await {
            Ok(staged) => staged,
            Err(Failure::Statement(failed)) => return Ok(End::Refused(failed)),
            Err(Failure::Conflict(text) | Failure::SessionLost(text)) => return Ok(End::Again(text)),
            // the stage was finished so long ago that nothing is known of it: it is gone as well
            Err(Failure::Port(error)) if error.kind == Kind::NotFound => return Ok(End::Again(error.message)),
            Err(Failure::Port(error)) => return Err(error),
        };
        let through = attempt.settled.as_ref().map(|settled| settled.through);
        if through.zip(staged.last_commit).is_some_and(|(through, last)| last > through) {
            return Ok(End::Undecided);
        }
        self.apply(plan, &session, &staged).await
    }

    async fn stage(&self, plan: Plan<'_>) -> std::result::Result<(String, Staged), Failure> {
        let manifest = self.attempts.manifest_url(plan.attempt);
        let statements = first_call(plan, &manifest, self.role)?;
        let session = Session::Keep(self.keep_alive_seconds);
        let submitted = self.hand_in(plan.attempt, Step::Stage, &statements, session).await?;
        let finished = self.api.wait(&submitted.id).await?;
        let survey = finished.ids.last().map_or(submitted.id.as_str(), String::as_str);
        let staged = Staged::read(&self.api.results(survey).await?);
        let session = submitted.session.or(finished.session).ok_or_else(|| {
            PortError::new(
                Kind::Fatal,
                self.what("the Data API kept no session for the stage, so it cannot be loaded from"),
            )
        })?;
        Ok((session, staged))
    }

    async fn apply(&self, plan: Plan<'_>, session: &str, staged: &Staged) -> Result<End> {
        let call = second_call(plan, staged);
        let handed_in = self.hand_in(plan.attempt, Step::Apply, &call.statements, Session::In(session)).await;
        let id = match handed_in {
            Ok(submitted) => submitted.id,
            // the session is gone: was the call handed in before it went?
            Err(Failure::SessionLost(text)) => match self.api.find(&plan.attempt.name(Step::Apply)).await? {
                Some(found) => found.id,
                None => return Ok(End::Again(text)),
            },
            Err(Failure::Port(error)) => return Err(error),
            Err(failure) => return self.after_failure(plan.attempt, failure).await,
        };
        match self.api.wait(&id).await {
            Ok(finished) => {
                let rows = |at: usize| finished.rows.get(at).copied().unwrap_or(0);
                let inserted = call.insert.map_or(0, rows);
                let objects = objects(&finished, call.ledger);
                Ok(End::Loaded(Loaded { objects, staged: staged.rows, rows: inserted }))
            }
            Err(failure) => self.after_failure(plan.attempt, failure).await,
        }
    }

    /// The second call ended otherwise than well. Only now, when nothing of it runs, the ledger tells.
    async fn after_failure(&self, attempt: &Attempt, failure: Failure) -> Result<End> {
        if let Failure::Port(error) = failure {
            if error.kind != Kind::NotFound {
                return Err(error);
            }
            let loaded = self.settle_by_name(attempt).await?;
            return Ok(loaded.map_or(End::Again(error.message), End::Loaded));
        }
        if let Some(loaded) = self.in_ledger(attempt).await? {
            return Ok(End::Loaded(loaded));
        }
        Ok(match failure {
            Failure::Statement(failed) => End::Refused(failed),
            Failure::Conflict(text) | Failure::SessionLost(text) => End::Again(text),
            Failure::Port(error) => return Err(error),
        })
    }

    async fn hand_in(
        &self,
        attempt: &Attempt,
        step: Step,
        statements: &[String],
        session: Session<'_>,
    ) -> std::result::Result<Submitted, Failure> {
        let (token, name) = (attempt.token(step), attempt.name(step));
        self.api.submit(Work { statements, token: &token, name: &name, session }).await
    }

    fn what(&self, doing: &str) -> String {
        format!("table `{}`: {doing}", self.table)
    }
}

/// Objects that the load wrote into the ledger.
fn objects(finished: &Finished, ledger: usize) -> u64 {
    finished.rows.get(ledger).copied().unwrap_or(0)
}
