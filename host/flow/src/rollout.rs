//! How a new version comes into use on a running pipeline, or does not.
//!
//! 1. *Shadow*: for some batches it is run beside the old one, and what it would have done is compared field by field.
//! 2. *Canary*: it gets a share of the segments.
//! 3. *Probation*: it gets all of them, and the old version is run beside it. The commit of each segment waits for the
//!    verdict over all that was compared so far.
//! 4. It is live.
//!
//! A breach in the shadow refuses it. A breach later throws the open segment away, of which nothing is written yet, and the
//! run goes on from the last commit by the old version. So nothing that a verdict has not passed leaves the process.

use crate::board::{Beside, Board, Course};
use crate::compare::Comparison;
use crate::pipeline::Pipeline;
use crate::segment::Segments;
use crate::version::Version;
use serde::Serialize;
use sluice_manifest::plan::RolloutPlan;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A new version that is to come into use.
#[derive(Clone)]
pub struct Rollout {
    /// The version, bound.
    pub pipeline: Arc<Pipeline>,
    /// By which steps, and its bounds.
    pub plan: RolloutPlan,
    /// Whether it goes before whatever is on its way: that is taken back, and what waits is forgotten.
    pub at_once: bool,
}

/// How far a new version has come.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// It is run beside the old one for so many batches.
    Shadow {
        /// Batches.
        batches: u64,
    },
    /// Its shadow is over, and this is how it differs.
    Shadowed {
        /// Field by field.
        comparison: Box<Comparison>,
    },
    /// It gets a share of the segments.
    Canary {
        /// Its segments so far.
        done: u32,
        /// Of how many.
        of: u32,
    },
    /// It gets all segments, and each waits for its verdict.
    Probation {
        /// Its segments so far.
        done: u32,
        /// Of how many.
        of: u32,
    },
    /// It is in use, and nothing waits any more.
    Live,
    /// It did not come into use: nothing that it did left the process.
    Refused {
        /// Why.
        reasons: Vec<String>,
        /// How it differs, where it was run.
        comparison: Box<Comparison>,
    },
    /// It was in use on trial and broke its bounds: the open segment was thrown away and is run by the old version.
    RolledBack {
        /// Why.
        reasons: Vec<String>,
        /// How it differs.
        comparison: Box<Comparison>,
    },
}

/// Hears how far new versions have come. Called by the run itself: it must not take long.
pub trait Watcher: Send + Sync {
    /// The version of this key has come to this stage.
    fn stage(&self, version: &str, stage: &Stage);
}

/// What a host hands a run to steer it by.
pub struct Control {
    /// New versions, one after the other. One waits until the one before it is live or gone.
    pub rollouts: mpsc::UnboundedReceiver<Rollout>,
    /// Hears of them.
    pub watcher: Arc<dyn Watcher>,
    /// Says where things stand.
    pub board: Arc<Board>,
    /// Knows versions that were in use before.
    pub history: Arc<dyn History>,
}

/// Versions that were in use before, for what they left behind: a cut without its commit, windows that are open.
pub trait History: Send + Sync {
    /// As many of them as can still be had, newest first. Asked only where something was left behind.
    fn versions(&self) -> Vec<Arc<Pipeline>>;
}

struct Nobody;

impl Watcher for Nobody {
    fn stage(&self, _: &str, _: &Stage) {}
}

impl History for Nobody {
    fn versions(&self) -> Vec<Arc<Pipeline>> {
        Vec::new()
    }
}

impl Default for Control {
    /// Nobody steers, and nothing is known of before.
    fn default() -> Self {
        let (_, rollouts) = mpsc::unbounded_channel();
        Self { rollouts, watcher: Arc::new(Nobody), board: Arc::default(), history: Arc::new(Nobody) }
    }
}

#[derive(Clone, Copy)]
enum Phase {
    Shadow { left: u64 },
    Canary { done: u32, credit: f64, on: bool },
    Probation { done: u32 },
}

/// A new version on its way.
struct Trial {
    version: Arc<Version>,
    plan: RolloutPlan,
    phase: Phase,
    compared: Comparison,
}

/// What the run has to do next.
pub(crate) enum Next {
    /// Go on.
    On,
    /// Close the open segment, and begin anew from its commit by the version that is steered to: records are told apart in
    /// another way from now on.
    BeginAnew,
    /// Throw the open segment away: the version on trial is taken back, for these reasons.
    RollBack(Vec<String>),
}

/// New versions of a run: the one in use, the one on its way, and those that wait.
pub(crate) struct Rollouts {
    live: Arc<Version>,
    trial: Option<Trial>,
    queue: mpsc::UnboundedReceiver<Rollout>,
    waiting: VecDeque<Rollout>,
    watcher: Arc<dyn Watcher>,
    board: Arc<Board>,
}

impl Rollouts {
    pub(crate) fn new(
        live: Arc<Version>,
        queue: mpsc::UnboundedReceiver<Rollout>,
        watcher: Arc<dyn Watcher>,
        board: Arc<Board>,
    ) -> Self {
        board.steer(live.clone(), Beside::Nothing);
        Self { live, trial: None, queue, waiting: VecDeque::new(), watcher, board }
    }

    /// The version in use.
    pub(crate) fn live(&self) -> &Arc<Version> {
        &self.live
    }

    /// The key of the version that is on its way, if there is one.
    pub(crate) fn pending(&self) -> Option<&str> {
        self.trial.as_ref().map(|trial| trial.version.key())
    }

    /// Takes up the next version, if one waits and none is on its way.
    pub(crate) fn poll(&mut self, segments: &Segments, course: &Course) -> Next {
        while let Ok(rollout) = self.queue.try_recv() {
            if rollout.at_once {
                self.waiting.clear();
            }
            self.waiting.push_back(rollout);
        }
        if self.trial.is_some() {
            let at_once = self.waiting.front().is_some_and(|next| next.at_once);
            return if at_once { self.take_back(course) } else { Next::On };
        }
        let Some(Rollout { pipeline, plan, .. }) = self.waiting.pop_front() else { return Next::On };
        let version = Version::new(pipeline);
        if version.key() == self.live.key() {
            self.watcher.stage(version.key(), &Stage::Live);
            return Next::On;
        }
        if let Err(error) = segments.could_adopt(&version.pipeline) {
            let (reasons, comparison) = (vec![error.to_string()], Box::default());
            self.watcher.stage(version.key(), &Stage::Refused { reasons, comparison });
            return Next::On;
        }
        let anew = !version.pipeline.frames_as(&self.live.pipeline);
        let phase = match (&plan.canary, plan.shadow) {
            // versions that cut records otherwise cannot be given the same batches
            _ if anew => Phase::Probation { done: 0 },
            (_, left @ 1..) => Phase::Shadow { left },
            (Some(_), 0) => Phase::Canary { done: 0, credit: 0.0, on: false },
            (None, 0) => Phase::Probation { done: 0 },
        };
        self.trial = Some(Trial { version, plan, phase, compared: Comparison::default() });
        self.enter(phase);
        if anew { Next::BeginAnew } else { Next::On }
    }

    /// Takes the version back that is on its way.
    fn take_back(&mut self, course: &Course) -> Next {
        let reasons = vec!["it was taken back by hand".to_owned()];
        let begun = self.trial.as_ref().is_some_and(|trial| {
            let steered = self.board.course();
            [course, &steered].into_iter().any(|course| Arc::ptr_eq(&trial.version, &course.main))
        });
        if begun {
            return Next::RollBack(reasons);
        }
        let Some(trial) = self.trial.take() else { return Next::On };
        self.board.steer(self.live.clone(), Beside::Nothing);
        let comparison = Box::new(trial.compared);
        self.watcher.stage(trial.version.key(), &Stage::Refused { reasons, comparison });
        Next::On
    }

    /// Forgets what waits and is of this version: it had its trial.
    fn forget(&mut self, key: &str) {
        self.waiting.retain(|waiting| waiting.at_once || waiting.pipeline.key() != key);
    }

    /// Steers into a phase, and says so.
    fn enter(&mut self, phase: Phase) {
        let Some(trial) = &mut self.trial else { return };
        trial.phase = phase;
        let (version, plan) = (trial.version.clone(), trial.plan.clone());
        let comparable = version.pipeline.reads_as(&self.live.pipeline);
        let old = if comparable { Beside::Old(self.live.clone()) } else { Beside::Nothing };
        match phase {
            Phase::Shadow { left } => {
                self.board.steer(self.live.clone(), Beside::New(version.clone()));
                self.watcher.stage(version.key(), &Stage::Shadow { batches: left });
            }
            Phase::Canary { done, on, .. } => {
                match on {
                    true => self.board.steer(version.clone(), old),
                    false => self.board.steer(self.live.clone(), Beside::Nothing),
                };
                let of = plan.canary.map_or(0, |canary| canary.segments);
                self.watcher.stage(version.key(), &Stage::Canary { done, of });
            }
            Phase::Probation { done } if done < plan.probation.segments => {
                if done == 0 {
                    self.board.steer(version.clone(), old);
                }
                self.watcher.stage(version.key(), &Stage::Probation { done, of: plan.probation.segments });
            }
            Phase::Probation { .. } => {
                self.live = version.clone();
                self.trial = None;
                self.board.steer(version.clone(), Beside::Nothing);
                self.watcher.stage(version.key(), &Stage::Live);
            }
        }
    }

    /// Whether a segment made on this course waits for a verdict.
    pub(crate) fn is_on_trial(&self, course: &Course) -> bool {
        self.trial.as_ref().is_some_and(|trial| Arc::ptr_eq(&trial.version, &course.main))
    }

    /// Takes what a batch was compared to. Returns why the version on trial has to go, if it has to at once.
    pub(crate) fn compared(&mut self, course: &Course, comparison: &Comparison) -> Option<Vec<String>> {
        // a batch under way when its trial ended says nothing of the next one
        let trial =
            self.trial.as_mut().filter(|t| course.versions().any(|version| Arc::ptr_eq(version, &t.version)))?;
        trial.compared.add(comparison);
        let bounds = &trial.plan.probation;
        match &mut trial.phase {
            Phase::Shadow { left } => {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.end_shadow();
                }
                None
            }
            // what fails keeps failing: there is no use in waiting for the segment's end
            _ => {
                let failed = trial.compared.new.failed.saturating_sub(trial.compared.old.failed);
                (failed > bounds.failed_rows).then(|| trial.compared.breaches(bounds))
            }
        }
    }

    fn end_shadow(&mut self) {
        let Some(trial) = &mut self.trial else { return };
        let comparison = Box::new(std::mem::take(&mut trial.compared));
        let reasons = comparison.breaches(&trial.plan.probation);
        let (version, canary) = (trial.version.clone(), trial.plan.canary);
        if !reasons.is_empty() {
            self.trial = None;
            self.forget(version.key());
            self.board.steer(self.live.clone(), Beside::Nothing);
            self.watcher.stage(version.key(), &Stage::Refused { reasons, comparison });
            return;
        }
        self.watcher.stage(version.key(), &Stage::Shadowed { comparison });
        self.enter(match canary {
            Some(_) => Phase::Canary { done: 0, credit: 0.0, on: false },
            None => Phase::Probation { done: 0 },
        });
    }

    /// The shadow could not be run: the new version itself stops runs.
    pub(crate) fn shadow_failed(&mut self, reason: String) {
        if let Some(trial) = self.trial.take() {
            self.board.steer(self.live.clone(), Beside::Nothing);
            let comparison = Box::new(trial.compared);
            self.watcher.stage(trial.version.key(), &Stage::Refused { reasons: vec![reason], comparison });
        }
    }

    /// The verdict on the version that made the open segment: which bounds it breaks.
    pub(crate) fn verdict(&self) -> Vec<String> {
        self.trial.as_ref().map(|trial| trial.compared.breaches(&trial.plan.probation)).unwrap_or_default()
    }

    /// A segment made on this course is committed.
    pub(crate) fn committed(&mut self, course: &Course) {
        let on_trial = self.is_on_trial(course);
        let Some(trial) = &self.trial else { return };
        let next = match trial.phase {
            Phase::Shadow { .. } => return,
            Phase::Probation { done } if on_trial => Phase::Probation { done: done + 1 },
            Phase::Probation { .. } => return,
            Phase::Canary { done, credit, .. } => {
                let Some(plan) = trial.plan.canary else { return };
                // each segment earns the new version a share of one, and one of its own costs it one
                let (done, credit) = (done + u32::from(on_trial), credit + plan.share - f64::from(u8::from(on_trial)));
                match done >= plan.segments {
                    true => Phase::Probation { done: 0 },
                    false => Phase::Canary { done, credit, on: credit >= 1.0 - f64::EPSILON },
                }
            }
        };
        // where the next segment is again of the same version there is nothing to steer
        let stays = |a, b| matches!((a, b), (Phase::Canary { on: a, .. }, Phase::Canary { on: b, .. }) if a == b);
        if let Some(trial) = self.trial.as_mut().filter(|trial| stays(trial.phase, next)) {
            trial.phase = next;
            return;
        }
        self.enter(next);
    }

    /// The version on trial is gone, and the old one steers again.
    pub(crate) fn roll_back(&mut self, reasons: Vec<String>) {
        let Some(trial) = self.trial.take() else { return };
        self.board.steer(self.live.clone(), Beside::Nothing);
        self.forget(trial.version.key());
        let comparison = Box::new(trial.compared);
        self.watcher.stage(trial.version.key(), &Stage::RolledBack { reasons, comparison });
    }
}
