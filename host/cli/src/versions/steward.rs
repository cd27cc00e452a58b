//! Watches for new versions, and keeps the books about them, while a run goes on.

use super::admission::{self, Lake};
use super::now;
use super::record::{Answer, Came, Record, Request, RuleOf, Status, Wants};
use super::shelf::{Shelf, lines_of};
use crate::bind::{Bound, Unbound};
use crate::registry::Registry;
use anyhow::{Context, Result};
use sluice_batch::digest_hex;
use sluice_flow::{Board, Pipeline, Rollout, Stage, Standing};
use sluice_manifest::{ProbationPlan, RolloutPlan};
use sluice_ports::CommitLog;
use sluice_registry::{Decision, Evidence, RuleVersion, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// How often the steward looks around.
const LOOK: Duration = Duration::from_millis(100);
/// How often it looks whether manifest or rules changed.
const LOOK_AT_FILES: Duration = Duration::from_millis(500);
/// How often a host says that it still runs.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After which a host that said nothing is gone.
const STALE_AFTER_S: u64 = 60;

/// What is known of a version of this run.
struct Known {
    pipeline: Arc<Pipeline>,
    rules: BTreeMap<String, RuleOf>,
    artefacts: Vec<(RuleVersion, String)>,
}

/// The host's hand in what versions run.
pub(crate) struct Steward {
    shelf: Arc<Shelf>,
    log: Arc<dyn CommitLog>,
    board: Arc<Board>,
    record: Record,
    send: mpsc::UnboundedSender<Rollout>,
    stages: mpsc::UnboundedReceiver<(String, Stage)>,
    /// Whether changes of manifest and rules are taken up unasked.
    watches: bool,
    known: BTreeMap<String, Known>,
    last: Option<Came>,
    answer: Option<Answer>,
    seen: Option<String>,
    told: Option<Standing>,
    beat: Instant,
    /// The version that was handed to the run last and has not come to an end.
    sent: Option<String>,
    /// Whether the record was read again since the run has the lake.
    took_over: bool,
}

impl Steward {
    // what a run's versions are made of; they meet nowhere else
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        bound: &Bound,
        shelf: Arc<Shelf>,
        log: Arc<dyn CommitLog>,
        board: Arc<Board>,
        record: Record,
        send: mpsc::UnboundedSender<Rollout>,
        stages: mpsc::UnboundedReceiver<(String, Stage)>,
        follow: bool,
    ) -> Self {
        let watches = follow && bound.checked.plan.rollout.watch;
        let mut steward = Self {
            shelf,
            log,
            board,
            record,
            send,
            stages,
            watches,
            known: BTreeMap::new(),
            last: None,
            answer: None,
            seen: None,
            told: None,
            beat: Instant::now(),
            sent: None,
            took_over: false,
        };
        steward.know(bound);
        steward
    }

    /// What the run begins with: the version in use where it is not the manifest's, the one that was handed to the run, and
    /// one that was refused.
    pub(crate) fn begin(&mut self, live: Option<&Bound>, sent: Option<String>, refused: Option<(String, Vec<String>)>) {
        if let Some(live) = live {
            self.know(live);
        }
        self.sent = sent;
        if let Some((key, reasons)) = refused {
            self.record.hold(&key, reasons);
        }
    }

    /// The lake is this host's now. One that stood by looks at what the host before it left.
    async fn take_over(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.took_over, true) {
            return Ok(());
        }
        let fresh = Record::read(self.shelf.store()).await?;
        let held = std::mem::take(&mut self.record.held);
        let before = std::mem::replace(&mut self.record, fresh);
        self.record.held.extend(held);
        // what was asked of another host is not this one's to do
        self.record.answered = Request::read(self.shelf.store()).await?.map(|request| request.id);
        let now = self.board.standing().map(|standing| standing.version);
        let another = |live: &String| before.live.as_ref() != Some(live) && now.as_ref() != Some(live);
        let Some(live) = self.record.live.clone().filter(another) else { return Ok(()) };
        if let Err(reasons) = self.go_back(&live, false).await {
            tracing::warn!("the version that was in use cannot be had: {}", reasons.join("; "));
        }
        Ok(())
    }

    /// Works until the run ends.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut looked = Instant::now();
        loop {
            let stopped = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            // before the run has the lease, the lake is another host's
            if self.board.standing().is_none() {
                if stopped {
                    return;
                }
                continue;
            }
            let look = looked.elapsed() >= LOOK_AT_FILES;
            if look {
                looked = Instant::now();
            }
            if let Err(error) = self.work(look && !stopped).await {
                tracing::warn!("versions: {}", crate::exit::chain(&error));
            }
            if stopped {
                // nobody is to wait for this host any more
                if let Err(error) = Status::remove(self.shelf.store()).await {
                    tracing::warn!("versions: {}", crate::exit::chain(&error));
                }
                return;
            }
        }
    }

    async fn work(&mut self, look_at_files: bool) -> Result<()> {
        self.take_over().await?;
        // before the stages are heard: what is steered to later may be on trial
        let standing = self.board.standing();
        while let Ok((version, stage)) = self.stages.try_recv() {
            self.came_to(&version, &stage).await?;
        }
        self.settle(standing).await?;
        if look_at_files {
            self.requested().await?;
            self.look_at_files().await?;
        }
        self.tell().await
    }

    /// Writes down what runs where that is not written yet: the first version of a lake, or that of a bounded run.
    async fn settle(&mut self, standing: Option<Standing>) -> Result<()> {
        let Some(standing) = standing else { return Ok(()) };
        if self.record.live.is_some() && (self.record.live.as_ref() == Some(&standing.version) || self.last.is_some()) {
            return Ok(());
        }
        if self.record.trial.as_ref() == Some(&standing.version) {
            return Ok(());
        }
        self.record.goes_live(&standing.version);
        self.record.write(self.shelf.store()).await
    }

    fn know(&mut self, bound: &Bound) {
        let rule = |used: &crate::bind::Used| {
            let rule = RuleOf { rule: used.artefact.id().to_string(), digest: used.artefact.digest.clone() };
            (used.label.clone(), rule)
        };
        let known = Known {
            pipeline: bound.pipeline.clone(),
            rules: bound.rules.iter().map(rule).collect(),
            artefacts: bound.rules.iter().map(|u| (u.artefact.id(), u.artefact.digest.clone())).collect(),
        };
        self.known.insert(bound.pipeline.key(), known);
    }

    async fn came_to(&mut self, version: &str, stage: &Stage) -> Result<()> {
        let value = serde_json::to_value(stage).context("a stage")?;
        let came = Came { version: version.to_owned(), at: now(), stage: value };
        tracing::info!(target: "sluice::versions", version, stage = came.name(), "version {version}: {}", came.name());
        let ended = matches!(stage, Stage::Live | Stage::Refused { .. } | Stage::RolledBack { .. });
        if ended && self.sent.as_deref() == Some(version) {
            self.sent = None;
        }
        match stage {
            Stage::Live => self.record.goes_live(version),
            Stage::Probation { .. } | Stage::Canary { .. } => self.record.trial = Some(version.to_owned()),
            Stage::Shadow { .. } | Stage::Shadowed { .. } => {}
            Stage::Refused { reasons, .. } => self.record.hold(version, reasons.clone()),
            Stage::RolledBack { reasons, .. } => {
                self.record.hold(version, reasons.clone());
                let live = self.record.live.clone();
                self.take_back(version, live.as_deref(), reasons).await;
            }
        }
        self.last = Some(came);
        self.told = None;
        self.record.write(self.shelf.store()).await
    }

    /// Says beside the rules that a version brought that they were taken back, so that they are not taken for the newest
    /// that may run.
    async fn take_back(&self, version: &str, instead: Option<&str>, reasons: &[String]) {
        let instead = instead.and_then(|instead| self.known.get(instead));
        // which rules are to blame can be said only against the version that is in use instead
        let Some((known, instead)) = self.known.get(version).zip(instead) else { return };
        let before: BTreeSet<&String> = instead.artefacts.iter().map(|(_, digest)| digest).collect();
        let Ok(Some(registry)) = self.registry(BTreeSet::new()).and_then(|registry| registry.open()) else { return };
        for (rule, digest) in known.artefacts.iter().filter(|(_, digest)| !before.contains(digest)) {
            let verdict = Verdict {
                name: rule.name.clone(),
                version: rule.version.clone(),
                digest: digest.clone(),
                dataset: known.pipeline.dataset().to_owned(),
                key: version.to_owned(),
                decision: Decision::RolledBack,
                at: now(),
                by: format!("sluice {}", env!("CARGO_PKG_VERSION")),
                evidence: reasons
                    .iter()
                    .map(|reason| Evidence { check: "probation".into(), passed: false, detail: reason.clone() })
                    .collect(),
            };
            admission::store(&registry, &verdict).await;
        }
    }

    fn registry(&self, passed_over: BTreeSet<RuleVersion>) -> Result<Registry> {
        let checked = self.shelf.workshop().load().map_err(|unbound| anyhow::anyhow!(unbound.text()))?;
        self.shelf.workshop().registry(&checked, passed_over)
    }

    /// Does what `sluice rules` asks for.
    async fn requested(&mut self) -> Result<()> {
        let Some(request) = Request::read(self.shelf.store()).await? else { return Ok(()) };
        if self.record.answered.as_ref() == Some(&request.id) {
            return Ok(());
        }
        let answer = match &request.wants {
            Wants::Apply => self.propose(true).await,
            Wants::Version(key) => self.go_back(key, true).await,
        };
        let (version, refused) = match answer {
            Ok(version) => (version, Vec::new()),
            Err(reasons) => (None, reasons),
        };
        // what came of it before is not what comes of it now
        self.last = self.last.take().filter(|last| Some(&last.version) != version.as_ref());
        self.answer = Some(Answer { id: request.id.clone(), version, refused });
        self.record.answered = Some(request.id);
        self.told = None;
        self.record.write(self.shelf.store()).await
    }

    async fn look_at_files(&mut self) -> Result<()> {
        if !self.watches {
            return Ok(());
        }
        let workshop = self.shelf.workshop().clone();
        let seen = tokio::task::spawn_blocking(move || fingerprint(&workshop)).await.context("looking at files")?;
        match self.seen.replace(seen.clone()) {
            Some(before) if before == seen => Ok(()),
            // at the first look too: something may have changed since the run began with what it found
            _ => {
                if let Err(reasons) = self.propose(false).await {
                    let text = reasons.join("; ");
                    tracing::warn!("the change of manifest or rules is not taken up: {text}");
                    let version = self.board.standing().map(|standing| standing.version).unwrap_or_default();
                    let stage = serde_json::json!({ "stage": "refused", "reasons": reasons });
                    self.last = Some(Came { version, at: now(), stage });
                    self.told = None;
                }
                Ok(())
            }
        }
    }

    /// Binds manifest and rules as they stand, admits what came of it, and hands it to the run. Returns its key.
    async fn propose(&mut self, asked: bool) -> std::result::Result<Option<String>, Vec<String>> {
        let failed = |error: anyhow::Error| vec![crate::exit::chain(&error)];
        let passed_over = if asked { BTreeSet::new() } else { self.rolled_back().await };
        let workshop = self.shelf.workshop().clone();
        let bind = move || {
            let checked = workshop.load()?;
            let registry = workshop.registry(&checked, passed_over)?;
            // who asks wants the newest; what is pinned is what ran until now
            let registry = if asked { registry.unpinned() } else { registry };
            let bound = workshop.bind(checked, &registry)?;
            Ok::<_, Unbound>((bound, registry.open()?))
        };
        let bound = tokio::task::spawn_blocking(bind).await.context("binding").map_err(failed)?;
        let (bound, registry) = bound.map_err(|unbound| lines_of(&unbound))?;
        let key = bound.pipeline.key();
        let runs = self.board.standing().is_some_and(|standing| standing.version == key);
        if runs || self.sent.as_ref() == Some(&key) {
            self.know(&bound);
            return Ok(Some(key));
        }
        if !asked && self.record.held.contains_key(&key) {
            return Ok(None);
        }
        let live = self.board.standing().and_then(|standing| self.known.get(&standing.version));
        let live = live.map(|known| known.pipeline.clone());
        let lake = Lake { store: self.shelf.store(), log: self.log.as_ref(), live };
        let registry = registry.as_ref().map(|registry| registry as &dyn sluice_registry::Registry);
        let admission = admission::admit(&bound, registry, lake).await.map_err(failed)?;
        let refusals = admission.refusals();
        if !refusals.is_empty() {
            self.record.hold(&key, refusals.clone());
            self.record.write(self.shelf.store()).await.map_err(failed)?;
            return Err(refusals);
        }
        self.record.held.remove(&key);
        self.shelf.keep(&bound).await.map_err(failed)?;
        self.know(&bound);
        let plan = bound.checked.plan.rollout.clone();
        let rollout = Rollout { pipeline: bound.pipeline.clone(), plan, at_once: false };
        self.sent = Some(key.clone());
        // where the run is ending there is nothing to roll out on
        let _ = self.send.send(rollout);
        Ok(Some(key))
    }

    /// Versions of rules that were taken back on this dataset.
    async fn rolled_back(&self) -> BTreeSet<RuleVersion> {
        let mut found = BTreeSet::new();
        let Ok(registry) = self.registry(BTreeSet::new()) else { return found };
        let Ok(Some(open)) = registry.open() else { return found };
        let known = self.known.values().flat_map(|known| known.artefacts.iter().map(|(rule, _)| rule.name.clone()));
        for name in known.collect::<BTreeSet<_>>() {
            use sluice_registry::Registry as _;
            for version in open.versions(&name).await.unwrap_or_default() {
                let rule = RuleVersion { name: name.clone(), version };
                let dataset = self.known.values().next().map(|known| known.pipeline.dataset().to_owned());
                let verdict = open.verdict(&rule, &dataset.unwrap_or_default()).await.ok().flatten();
                if verdict.is_some_and(|verdict| verdict.decision == Decision::RolledBack) {
                    found.insert(rule);
                }
            }
        }
        found
    }

    /// Hands a version of before to the run, at once.
    async fn go_back(&mut self, key: &str, hold: bool) -> std::result::Result<Option<String>, Vec<String>> {
        let failed = |error: anyhow::Error| vec![crate::exit::chain(&error)];
        let bound = self.shelf.bind(key).await.map_err(failed)?;
        self.know(&bound);
        self.shelf.keep(&bound).await.map_err(failed)?;
        let target = bound.pipeline.key();
        if let Some(live) = self.record.live.clone().filter(|live| hold && *live != target) {
            let reasons = vec!["taken back by hand".to_owned()];
            self.take_back(&live, Some(&target), &reasons).await;
            self.record.hold(&live, reasons);
        }
        // it ran before: it need not prove itself
        let probation = ProbationPlan { segments: 0, ..ProbationPlan::default() };
        let plan = RolloutPlan { shadow: 0, canary: None, probation, ..RolloutPlan::default() };
        let _ = self.send.send(Rollout { pipeline: bound.pipeline.clone(), plan, at_once: true });
        Ok(Some(target))
    }

    /// Says where things stand, where that changed or it is time to.
    async fn tell(&mut self) -> Result<()> {
        let Some(standing) = self.board.standing() else { return Ok(()) };
        if self.told.as_ref() == Some(&standing) && self.beat.elapsed() < HEARTBEAT {
            return Ok(());
        }
        let rules = self.known.get(&standing.version).map(|known| known.rules.clone()).unwrap_or_default();
        let status = Status {
            pid: std::process::id(),
            at: now(),
            stale_after_s: STALE_AFTER_S,
            standing: standing.clone(),
            rules,
            last: self.last.clone(),
            answer: self.answer.clone(),
        };
        status.write(self.shelf.store()).await?;
        (self.told, self.beat) = (Some(standing), Instant::now());
        Ok(())
    }
}

/// A digest of everything that makes another version when it changes: manifest, lock file, versions of rules, reference
/// tables. What cannot be read counts as what it is: not there.
fn fingerprint(workshop: &crate::bind::Workshop) -> String {
    let file = workshop.file();
    let mut text = std::fs::read(&file).unwrap_or_default();
    text.extend(std::fs::read(sluice_registry::Lock::beside(&file)).unwrap_or_default());
    let Ok(checked) = workshop.load() else { return digest_hex(&text) };
    if let Some(root) = workshop.rules_folder(&checked) {
        for name in crate::bind::rule_names(&checked.plan) {
            let folder = crate::registry::components(&root).join(name);
            let mut files: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
            files.retain(|entry| entry.path().extension().is_some_and(|ext| ext == "wasm"));
            files.sort_by_key(std::fs::DirEntry::file_name);
            for entry in files {
                text.extend(format!("{} {}\n", entry.path().display(), stamp(&entry.path())).bytes());
            }
        }
    }
    for lookup in &checked.plan.lookups {
        text.extend(stamp(&checked.lookup_file(lookup)).bytes());
    }
    digest_hex(&text)
}

/// Size and time of change of a file.
fn stamp(file: &std::path::Path) -> String {
    file.metadata().map_or_else(|_| "none".to_owned(), |meta| format!("{} {:?}", meta.len(), meta.modified().ok()))
}
