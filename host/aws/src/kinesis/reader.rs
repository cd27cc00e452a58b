//! Reads one shard: fetches ahead, makes payloads, says where the shard stands.

use super::decode::{Decoded, Decoder, RawRecord};
use super::fetch::{Fetched, Fetcher};
use super::lag::Lags;
use async_trait::async_trait;
use sluice_ports::{Kind, Payloads, PortError, Read, Result, ShardReader};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, spawn_blocking};

/// Answers in a row that said "nothing more" before the shard counts as caught up for a run that ends there. One is not
/// enough: the figure in it may be older than the answer.
const QUIET_ANSWERS: u32 = 2;

/// What a step gave.
enum Step {
    Payloads(Payloads),
    Quiet,
    Over(Over),
}

/// Why nothing follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// For this run.
    Run,
    /// The shard is closed.
    Closed,
    /// Records were lost in this process: what follows must not be given.
    Poisoned,
}

/// Fetches and decodes one shard.
pub(super) struct Pump {
    pub(super) fetcher: Fetcher,
    pub(super) decoder: Decoder,
    /// Whether the run ends where the shard is caught up.
    pub(super) until_caught_up: bool,
    pub(super) shard: String,
    pub(super) lags: Arc<Lags>,
    state: PumpState,
}

#[derive(Debug, Default)]
struct PumpState {
    /// Records that were fetched and not yet given.
    queue: VecDeque<RawRecord>,
    behind: Option<i64>,
    closed: bool,
    quiet_answers: u32,
    over: Option<Over>,
}

impl Pump {
    pub(super) fn new(
        fetcher: Fetcher,
        decoder: Decoder,
        until_caught_up: bool,
        shard: String,
        lags: Arc<Lags>,
    ) -> Self {
        Self { fetcher, decoder, until_caught_up, shard, lags, state: PumpState::default() }
    }

    async fn step(&mut self) -> Result<Step> {
        loop {
            if !self.state.queue.is_empty() {
                let decoded = self.decode().await?;
                if decoded.reached_until {
                    self.state.over = Some(Over::Run);
                }
                if !decoded.payloads.data.is_empty() {
                    return Ok(Step::Payloads(Payloads { millis_behind: self.state.behind, ..decoded.payloads }));
                }
            } else if let Some(over) = self.state.over {
                return Ok(Step::Over(over));
            } else if self.state.closed {
                self.state.over = Some(Over::Closed);
            } else if self.fetch().await? {
                return Ok(Step::Quiet);
            }
        }
    }

    /// Fetches; true where there is nothing more now.
    async fn fetch(&mut self) -> Result<bool> {
        let Fetched::Answer { records, behind, closed } = self.fetcher.fetch().await? else { return Ok(true) };
        let state = &mut self.state;
        (state.behind, state.closed) = (behind, closed);
        let quiet = records.is_empty() && !closed && behind.unwrap_or_default() == 0;
        state.quiet_answers = if quiet { state.quiet_answers + 1 } else { 0 };
        state.queue = records.into();
        if quiet && self.until_caught_up && state.quiet_answers >= QUIET_ANSWERS {
            state.over = Some(Over::Run);
            return Ok(false);
        }
        if quiet {
            self.lags.quiet(&self.shard, behind);
        }
        Ok(quiet)
    }

    /// Takes the next payloads from the queue, on a thread for such work if it is any.
    async fn decode(&mut self) -> Result<Decoded> {
        if !Decoder::is_work(&self.state.queue) {
            return Ok(self.decoder.decode(&mut self.state.queue));
        }
        let (mut decoder, mut queue) = (self.decoder.clone(), std::mem::take(&mut self.state.queue));
        // should the work die, the records are gone: nothing may be given as if they had been
        self.state.over = self.state.over.or(Some(Over::Poisoned));
        let done = spawn_blocking(move || (decoder.decode(&mut queue), decoder, queue)).await;
        let (decoded, decoder, queue) = done.map_err(|_| self.died())?;
        (self.decoder, self.state.queue) = (decoder, queue);
        self.state.over = self.state.over.filter(|over| *over != Over::Poisoned);
        Ok(decoded)
    }

    fn died(&self) -> PortError {
        let message = format!("the decoding of records of shard `{}` died; start the host again", self.shard);
        PortError::new(Kind::Fatal, message)
    }
}

/// What one step ended with. It comes back with the pump, so that the next one can begin.
type Done = (Box<Pump>, Result<Step>);

/// A step under way. Forgotten, it is stopped.
struct Running {
    task: JoinHandle<Done>,
    /// Held while an answer is fetched ahead of its caller.
    _ahead: Option<OwnedSemaphorePermit>,
}

impl Running {
    fn start(mut pump: Box<Pump>, ahead: Option<OwnedSemaphorePermit>) -> Self {
        let task = tokio::spawn(async move {
            let step = pump.step().await;
            (pump, step)
        });
        Self { task, _ahead: ahead }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

enum State {
    Idle(Box<Pump>),
    Running(Running),
    /// Nothing follows, or the step died.
    Over(Over),
}

/// A reader of one shard.
pub(super) struct KinesisReader {
    state: State,
    /// Answers that may still be fetched ahead, over all readers.
    ahead: Arc<Semaphore>,
    consumed: u64,
}

impl KinesisReader {
    pub(super) fn new(pump: Pump, ahead: Arc<Semaphore>) -> Self {
        Self { state: State::Idle(Box::new(pump)), ahead, consumed: 0 }
    }

    /// A reader of a shard of which nothing is left.
    pub(super) fn closed() -> Self {
        Self { state: State::Over(Over::Closed), ahead: Arc::new(Semaphore::new(0)), consumed: 0 }
    }

    /// Waits for the step under way, after starting one if there is none. May be dropped and called again.
    async fn done(&mut self) -> Result<Option<Done>> {
        if let State::Idle(_) = self.state
            && let State::Idle(pump) = std::mem::replace(&mut self.state, State::Over(Over::Poisoned))
        {
            self.state = State::Running(Running::start(pump, None));
        }
        let State::Running(running) = &mut self.state else { return Ok(None) };
        let done = (&mut running.task).await;
        self.state = State::Over(Over::Poisoned);
        done.map(Some).map_err(|_| PortError::new(Kind::Fatal, "the reading of a shard died; start the host again"))
    }

    fn give(&mut self, pump: Box<Pump>, payloads: Payloads) -> Read {
        let arrival = payloads.arrived_at.last().copied().unwrap_or_default();
        pump.lags.gave(&pump.shard, arrival, payloads.millis_behind);
        self.consumed += payloads.data.iter().map(|data| data.len() as u64).sum::<u64>();
        self.state = match self.ahead.clone().try_acquire_owned() {
            Ok(permit) => State::Running(Running::start(pump, Some(permit))),
            Err(_) => State::Idle(pump),
        };
        Read::Payloads(payloads)
    }
}

#[async_trait]
impl ShardReader for KinesisReader {
    async fn next(&mut self) -> Result<Read> {
        if let Some((pump, step)) = self.done().await? {
            match step {
                Ok(Step::Payloads(payloads)) => return Ok(self.give(pump, payloads)),
                Ok(Step::Over(over)) => {
                    pump.lags.ended(&pump.shard);
                    self.state = State::Over(over);
                }
                Ok(Step::Quiet) => {
                    self.state = State::Idle(pump);
                    return Ok(Read::CaughtUp);
                }
                Err(error) => {
                    self.state = State::Idle(pump);
                    return Err(error);
                }
            }
        }
        match self.state {
            State::Over(Over::Run) => Ok(Read::End),
            State::Over(Over::Closed) => Ok(Read::Closed),
            _ => Err(PortError::new(Kind::Fatal, "the reading of a shard died before; start the host again")),
        }
    }

    fn consumed(&self) -> u64 {
        self.consumed
    }
}
