//! Which version a run begins with, and which is rolled out on it.

use super::admission::{self, Lake};
use super::{Record, Shelf, Steward};
use crate::bind::Bound;
use anyhow::{Context, Result};
use sluice_flow::{Board, Control, Pipeline, Rollout, Stage, Watcher};
use sluice_ports::CommitLog;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A run's versions, ready.
pub(crate) struct Start {
    /// The version that it begins with.
    pub(crate) pipeline: Arc<Pipeline>,
    /// How it is steered.
    pub(crate) control: Control,
    pub(crate) steward: Stewarding,
    /// What people should know.
    pub(crate) notes: Vec<String>,
}

/// The steward at work.
pub(crate) struct Stewarding {
    task: JoinHandle<()>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Stewarding {
    /// Lets it write down where things stand at the end.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        if self.task.await.is_err() {
            tracing::warn!("what keeps the versions of the pipeline stopped unexpectedly");
        }
    }
}

/// Hands stages over to the steward.
struct Messenger(mpsc::UnboundedSender<(String, Stage)>);

impl Watcher for Messenger {
    fn stage(&self, version: &str, stage: &Stage) {
        // nobody listens where the steward has stopped
        let _ = self.0.send((version.to_owned(), stage.clone()));
    }
}

/// Everything for which a version may not run that is to take over from another.
async fn admit(bound: &Bound, shelf: &Shelf, log: &dyn CommitLog, live: &Bound) -> Result<Vec<String>> {
    let registry = bound.workshop.registry(&bound.checked, BTreeSet::new())?.open()?;
    let registry = registry.as_ref().map(|registry| registry as &dyn sluice_registry::Registry);
    let lake = Lake { store: shelf.store(), log, live: Some(live.pipeline.clone()) };
    Ok(admission::admit(bound, registry, lake).await?.refusals())
}

/// Decides what a run begins with. A bounded run begins with what the manifest says, since whoever starts it looks at what
/// comes of it; a run that goes on by itself, and one that takes up where a trial was broken off, begins with the version
/// that is in use, and the new one has to prove itself.
///
/// # Errors
/// The lake cannot be read.
pub(crate) async fn start(bound: Bound, shelf: Arc<Shelf>, log: Arc<dyn CommitLog>, follow: bool) -> Result<Start> {
    let record = Record::read(shelf.store()).await?;
    let wanted = bound.pipeline.key();
    if record.live.as_ref() == Some(&wanted) && record.held.contains_key(&wanted) {
        tracing::warn!("version {wanted} is in use and was held before");
    }
    let (mut notes, mut rollouts) = (Vec::new(), Vec::new());
    let proves_itself = follow || record.trial.as_deref() == Some(&wanted) || record.held.contains_key(&wanted);
    let before = match &record.live {
        Some(live) if *live != wanted && proves_itself => match shelf.bind(live).await {
            // by another build or for another place it may have become the same
            Ok(live) if live.pipeline.key() != wanted => Some(live),
            Ok(_) => None,
            Err(error) if record.held.contains_key(&wanted) => {
                return Err(error.context(format!(
                    "version {wanted} is held, and the version that is in use instead cannot be had; `sluice rules apply` \
                     admits the manifest as it is"
                )));
            }
            Err(error) => {
                notes.push(format!("{}; the run begins with the manifest as it is", crate::exit::chain(&error)));
                None
            }
        },
        _ => None,
    };
    let mut refusals = Vec::new();
    if let (Some(live), false) = (&before, record.held.contains_key(&wanted)) {
        refusals = admit(&bound, &shelf, log.as_ref(), live).await?;
    }
    let live = match &before {
        None => bound.pipeline.clone(),
        Some(live) => {
            // by other tables it may have become another
            shelf.keep(live).await.context("keeping the version in use")?;
            match record.held.get(&wanted) {
                None if !refusals.is_empty() => {
                    notes.push(format!("version {wanted} is not taken up: {}", refusals.join("; ")));
                }
                Some(held) => notes.push(format!(
                    "version {wanted} is held since {} ({}); the run goes on by version {}; `sluice rules apply` tries again",
                    held.at,
                    held.reasons.join("; "),
                    live.pipeline.key()
                )),
                None => {
                    shelf.keep(&bound).await.context("keeping the new version")?;
                    let plan = bound.checked.plan.rollout.clone();
                    rollouts.push(Rollout { pipeline: bound.pipeline.clone(), plan, at_once: false });
                }
            }
            live.pipeline.clone()
        }
    };
    let (send, queue) = mpsc::unbounded_channel();
    let (tell, stages) = mpsc::unbounded_channel();
    let board = Arc::new(Board::default());
    let sent = rollouts.first().map(|rollout| rollout.pipeline.key());
    let mut steward = Steward::new(&bound, shelf.clone(), log, board.clone(), record, send.clone(), stages, follow);
    steward.begin(before.as_ref(), sent, (!refusals.is_empty()).then_some((wanted, refusals)));
    rollouts.into_iter().for_each(|rollout| drop(send.send(rollout)));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let task = tokio::spawn(steward.run(stopped));
    let control = Control { rollouts: queue, watcher: Arc::new(Messenger(tell)), board, history: shelf };
    Ok(Start { pipeline: live, control, steward: Stewarding { task, stop }, notes })
}
