//! The appender: takes batches in line order, closes segments, and holds new versions to their verdicts.

use crate::board::{Beside, Board, Course};
use crate::compare::Comparison;
use crate::cpu::cpu_time;
use crate::crew::{Finished, Slot};
use crate::error::{FlowError, Result};
use crate::progress::{Progress, Summary};
use crate::read::Event;
use crate::rollout::{Next, Rollouts};
use crate::run::{Options, Ports, ended};
use crate::segment::{Closing, Outcome, Segments};
use crate::window::Chain;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use sluice_batch::{Commit, OriginAccount, ShardRef};
use sluice_ports::Alert;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

/// How often the appender looks at the clock when no batch comes.
const TICK: Duration = Duration::from_millis(50);

/// What was counted of batches that stand in the open segment.
#[derive(Default)]
pub(crate) struct OpenProgress {
    account: OriginAccount,
    bytes: u64,
}

/// How a leg of a run ended.
pub(crate) struct Ended {
    pub(crate) summary: Summary,
    /// What steers the next leg, if there is one.
    pub(crate) again: Option<Rollouts>,
}

/// Why the version on trial has to go.
type Breach = Vec<String>;

pub(crate) struct Appender {
    pub(crate) ports: Ports,
    pub(crate) options: Options,
    pub(crate) progress: Arc<Progress>,
    pub(crate) segments: Segments,
    /// Shards that may still give rows, with the time they last did.
    pub(crate) live: BTreeMap<ShardRef, Duration>,
    pub(crate) notes: BTreeMap<ShardRef, String>,
    pub(crate) summary: Summary,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) rollouts: Rollouts,
    pub(crate) board: Arc<Board>,
    /// The course of the batch that comes next in line.
    pub(crate) course: Arc<Course>,
    /// To the dispatcher, which sleeps where nothing is read.
    pub(crate) wake: mpsc::WeakSender<Event>,
    pub(crate) open: OpenProgress,
}

impl Appender {
    pub(crate) fn run(mut self, order: &Receiver<Slot>, handle: &Handle) -> Result<Ended> {
        loop {
            let slot = order.recv_timeout(TICK);
            if let Err(RecvTimeoutError::Disconnected) = slot {
                break;
            }
            if let Some(breach) = self.slot(slot.ok(), handle)? {
                return Ok(self.roll_back(breach));
            }
            match self.steer() {
                Next::On => {}
                Next::RollBack(reasons) => return Ok(self.roll_back(reasons)),
                Next::BeginAnew => {
                    if let Some(breach) = handle.block_on(self.close(false))? {
                        return Ok(self.roll_back(breach));
                    }
                    self.undo_progress();
                    return Ok(Ended { summary: self.summary, again: Some(self.rollouts) });
                }
            }
        }
        self.summary.stopped = *self.stop.borrow();
        let ended = !self.summary.stopped && !self.options.follow && self.summary.broken.is_empty();
        if let Some(breach) = handle.block_on(self.close(ended && !self.options.keep_open))? {
            return Ok(self.roll_back(breach));
        }
        self.report_late();
        self.summary.version = self.rollouts.live().key().to_owned();
        self.summary.pending = self.rollouts.pending().map(str::to_owned);
        Ok(Ended { summary: self.summary, again: None })
    }

    /// Takes what stands next in line, and closes the segment where it is time to.
    fn slot(&mut self, slot: Option<Slot>, handle: &Handle) -> Result<Option<Breach>> {
        let breach = match slot {
            Some(Slot::Batch(place)) => {
                let answer = place.recv().unwrap_or(Err(FlowError::Died("a worker")));
                match answer {
                    Ok(finished) => self.append(*finished)?,
                    Err(error) if self.rollouts.is_on_trial(&self.course) => Some(vec![error.to_string()]),
                    Err(error) => return Err(error),
                }
            }
            Some(Slot::Turn(course)) => self.turn(course, handle)?,
            Some(Slot::Event(event)) => self.event(event).map(|()| None)?,
            None => None,
        };
        if breach.is_some() {
            return Ok(breach);
        }
        let now = self.ports.clock.monotonic();
        if self.segments.is_full(now) || (self.options.follow && self.windows_wait(now)) {
            return handle.block_on(self.close(false));
        }
        Ok(None)
    }

    /// Takes up a version that waits, and wakes the dispatcher where the course changed.
    fn steer(&mut self) -> Next {
        let turn = self.board.turn();
        let next = self.rollouts.poll(&self.segments, &self.course);
        if self.board.turn() != turn {
            self.wake();
        }
        next
    }

    fn wake(&self) {
        // where the channel is full, the dispatcher is awake
        let _ = self.wake.upgrade().map(|dispatcher| dispatcher.try_send(Event::Wake));
    }

    /// All that comes now is on another course. A segment is of one version: where that changes, it closes.
    fn turn(&mut self, course: Arc<Course>, handle: &Handle) -> Result<Option<Breach>> {
        if !Arc::ptr_eq(&course.main, &self.course.main) {
            if let Some(breach) = handle.block_on(self.close(false))? {
                return Ok(Some(breach));
            }
            if let Err(error) = self.segments.adopt(course.main.pipeline.clone()) {
                return match self.rollouts.is_on_trial(&course) {
                    true => Ok(Some(vec![error.to_string()])),
                    false => Err(error),
                };
            }
            self.summary.turns += 1;
        }
        self.course = course;
        Ok(None)
    }

    fn append(&mut self, finished: Finished) -> Result<Option<Breach>> {
        let begun = cpu_time();
        let Finished { mut processed, compared, since } = finished;
        let shard = &processed.tag.shard;
        let now = self.ports.clock.monotonic();
        self.live.insert(shard.clone(), now);
        let note = self.notes.get(shard).map_or("", String::as_str);
        self.segments.append(&mut processed, note, now, None)?;
        self.progress.add_batch(&processed.account, processed.bytes);
        self.open.account.add(&processed.account);
        self.open.bytes += processed.bytes;
        self.tell(&processed.news);
        let compared = match compared {
            Some(Ok(comparison)) => Some(comparison),
            Some(Err(reason)) if matches!(self.course.beside, Beside::New(_)) => {
                self.rollouts.shadow_failed(reason);
                None
            }
            // what the old version would have done cannot be had: the new one is judged by itself
            _ if self.rollouts.is_on_trial(&self.course) => Some(Comparison::alone(&processed)),
            _ => None,
        };
        let turn = self.board.turn();
        let breach = compared.and_then(|compared| self.rollouts.compared(&self.course, &compared));
        if self.board.turn() != turn {
            self.wake();
        }
        self.summary.append += cpu_time().saturating_sub(begun);
        self.summary.latency.add(since.elapsed());
        Ok(breach)
    }

    fn tell(&mut self, news: &crate::work::News) {
        for (at, why) in &news.parked {
            self.alert("rule_parked", &format!("`{at}`: its rule {why}"));
        }
        self.summary.audited += u64::from(news.audited);
        for rule in &news.differed {
            let count = self.summary.differed.entry(rule.clone()).or_default();
            *count += 1;
            if *count == 1 {
                let text = format!("rule `{rule}` said something else of the same batch when it was asked again");
                self.alert("rule_not_deterministic", &text);
            }
        }
    }

    fn event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Found(found) => {
                let now = self.ports.clock.monotonic();
                for found in found {
                    self.live.insert(found.shard.clone(), now);
                    self.segments.found(&found.shard, &found.parents);
                    self.notes.insert(found.shard, found.note);
                }
            }
            Event::Ended { tag, note, closed } => {
                // where windows are kept open for rows to come, an ended shard may be one that they come from; a shard of
                // a stream that is only caught up will give more in any case
                if closed || !(self.options.keep_open || self.ports.source.is_stream()) {
                    self.live.remove(&tag.shard);
                }
                // its children begin only now, so only now they can be idle
                let now = self.ports.clock.monotonic();
                for child in if closed { self.segments.children(&tag.shard) } else { Vec::new() } {
                    self.live.insert(child, now);
                }
                let shard_note = self.notes.get(&tag.shard).map_or("", String::as_str);
                self.segments.shard_ended(&tag.shard, closed, shard_note);
                // another leg may tell it again
                self.summary.notes.extend(note.filter(|note| !self.summary.notes.contains(note)));
            }
            Event::Broken { tag, message } => {
                self.live.remove(&tag.shard);
                self.alert("input_broken", &message);
                if !self.summary.broken.contains(&message) {
                    self.summary.broken.push(message);
                }
            }
            Event::Failed(error) => return Err(*error),
            Event::Batch(_) | Event::Wake => {}
        }
        Ok(())
    }

    fn windows_wait(&self, now: Duration) -> bool {
        self.segments.is_empty()
            && self.segments.could_close(&|gold| active(&self.live, self.options.follow, gold, now))
    }

    /// Closes the open segment. Where it is on trial, the verdict comes first.
    async fn close(&mut self, end_of_input: bool) -> Result<Option<Breach>> {
        let begun = cpu_time();
        let on_trial = self.rollouts.is_on_trial(&self.course);
        if on_trial {
            let breach = self.rollouts.verdict();
            if !breach.is_empty() {
                return Ok(Some(breach));
            }
        }
        let now = self.ports.clock.monotonic();
        let least = self.segments.pipeline().golds.iter().map(|gold| gold.plan.window.idle).min();
        let quiet = |last: &Duration| least.is_some_and(|idle| now.saturating_sub(*last) >= idle);
        let idle = self.live.iter().filter(|(_, last)| self.options.follow && quiet(last));
        let idle: Vec<ShardRef> = idle.map(|(shard, _)| shard.clone()).collect();
        let (live, follow) = (self.live.clone(), self.options.follow);
        let active = move |gold: &Chain| active(&live, follow, gold, now);
        let closing = Closing::Fresh { active: &active, idle, end_of_input };
        let has_rows = !self.segments.is_empty();
        match self.segments.close(closing, on_trial).await? {
            Outcome::Nothing => {}
            Outcome::Refused(reason) => return Ok(Some(vec![reason])),
            Outcome::Committed(commit) => {
                self.committed(&commit);
                self.ports.source.committed(&ended(commit.shards.iter())).await?;
                if has_rows {
                    let turn = self.board.turn();
                    self.rollouts.committed(&self.course);
                    if self.board.turn() != turn {
                        self.wake();
                    }
                }
            }
        }
        self.summary.commit += cpu_time().saturating_sub(begun);
        Ok(None)
    }

    fn committed(&mut self, commit: &Commit) {
        self.open = OpenProgress::default();
        self.summary.add(commit);
        self.progress.add_segment();
        let rows = commit.account.total();
        tracing::debug!(commit = commit.number, read = rows.read, silver = rows.silver, "committed");
        for (gold, account) in commit.account.gold.iter().filter(|(_, account)| account.finish_failed > 0) {
            let groups = account.finish_failed;
            let text = format!(
                "gold `{gold}`: its aggregator could not finish {groups} groups of commit {}; their rows are in silver and not \
                 in the gold",
                commit.number
            );
            self.alert("gold_not_finished", &text);
        }
    }

    /// Throws the open segment away, of which nothing is written yet.
    fn roll_back(mut self, breach: Breach) -> Ended {
        self.undo_progress();
        let version = self.rollouts.pending().unwrap_or_default().to_owned();
        let text = format!("version {version} is rolled back: {}", breach.join("; "));
        self.alert("version_rolled_back", &text);
        self.summary.notes.push(text);
        self.rollouts.roll_back(breach);
        Ended { summary: self.summary, again: Some(self.rollouts) }
    }

    fn undo_progress(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.progress.take_back(&open.account, open.bytes);
    }

    fn report_late(&mut self) {
        for (gold, account) in &self.summary.account.gold {
            if account.late > 0 {
                let text = format!("gold `{gold}`: {} rows came too late for their window", account.late);
                self.summary.notes.push(text);
            }
        }
    }

    fn alert(&self, code: &'static str, message: &str) {
        let dataset = self.segments.pipeline().dataset().to_owned();
        self.ports.alerts.raise(Alert { dataset, code, message: message.to_owned() });
    }
}

/// Shards whose rows are still to come. In a bounded run every shard that is not read to its end; when following, one that
/// has been quiet for long holds no window open.
fn active(live: &BTreeMap<ShardRef, Duration>, follow: bool, gold: &Chain, now: Duration) -> BTreeSet<ShardRef> {
    let idle = gold.idle();
    let quiet = |last: &Duration| follow && now.saturating_sub(*last) >= idle;
    live.iter().filter(|(_, last)| !quiet(last)).map(|(shard, _)| shard.clone()).collect()
}
