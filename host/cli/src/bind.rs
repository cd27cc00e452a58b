//! From a manifest and a folder of rules to a pipeline.
//!
//! What can be found without running is found here, all of it at once: the manifest's own findings first; if there are
//! none, rules that are missing, do not fit their columns, refuse their configuration, or want what is not granted.
//!
//! A [`Workshop`] lives as long as the process and binds one version of a pipeline after the other; [`Bound`] is one of
//! them.

mod binder;

use crate::args::PipelineArgs;
use crate::commands::compile_rule::compiler;
use crate::exit::Found;
use crate::registry::Registry;
use anyhow::{Context, Result, bail};
use binder::Binder;
pub(crate) use binder::load_limits;
use sluice_flow::Pipeline;
use sluice_manifest::{Checked, Environment, Findings, LoadError, Plan, StepWhat};
use sluice_ports::RulePlan;
use sluice_registry::{Artefact, Lock, RuleVersion};
use sluice_sandbox::{Component, LoadLimits, Sandbox, SandboxConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Steps that a pipeline may have more than its first version had, while it runs.
const SPARE_STEPS: usize = 8;

/// What a pipeline is bound for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To look at it.
    Check,
    /// To run it with so many workers.
    Run { threads: usize },
}

/// Where rules are found by what a manifest says of them.
pub(crate) trait Rules {
    /// What a name and a range of versions stand for.
    fn find(&self, name: &str, range: &str) -> Result<Artefact>;
}

/// A rule as a step uses it.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    /// Label of the step, or `gold NAME`.
    pub(crate) label: String,
    /// Range of versions, as the manifest writes it.
    pub(crate) range: String,
    pub(crate) artefact: Arc<Artefact>,
}

/// A manifest with its rules opened.
pub(crate) struct Bound {
    pub(crate) checked: Checked,
    pub(crate) environment: Environment,
    pub(crate) pipeline: Arc<Pipeline>,
    /// Its rules: of the steps in order, then of the golds.
    pub(crate) rules: Vec<Used>,
    pub(crate) workshop: Arc<Workshop>,
}

/// Binds versions of one pipeline.
pub(crate) struct Workshop {
    args: PipelineArgs,
    batch_rows: Option<u32>,
    sandbox: Sandbox,
    workers: usize,
    build: String,
    /// Rules that were loaded, by digest.
    components: Mutex<BTreeMap<String, Component>>,
}

/// Why a manifest could not be bound.
pub(crate) enum Unbound {
    Findings(Box<Findings>),
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Unbound {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Unbound {
    /// As one text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Findings(findings) => findings.to_string(),
            Self::Failed(error) => crate::exit::chain(error),
        }
    }

    /// Shows findings, and gives what the process ends with.
    pub(crate) fn shown(self, json: bool) -> anyhow::Error {
        match self {
            Self::Findings(findings) => show(&findings, json).into(),
            Self::Failed(error) => error,
        }
    }
}

/// Reads and binds a pipeline. Findings are printed (as JSON on standard output if `json`, else as lines on standard
/// error).
///
/// # Errors
/// [`Found`] where there are findings.
pub(crate) fn bind(args: &PipelineArgs, batch_rows: Option<u32>, purpose: Purpose, json: bool) -> Result<Bound> {
    let shown = |unbound: Unbound| unbound.shown(json);
    let checked = load(args).map_err(shown)?;
    let workshop = Arc::new(Workshop::new(args, batch_rows, purpose, &checked.plan)?);
    let rules = workshop.registry(&checked, BTreeSet::new())?;
    workshop.bind(checked, &rules).map_err(shown)
}

/// The same with the newest rules within the manifest's ranges, whatever the lock file says.
///
/// # Errors
/// As [`bind`].
pub(crate) fn bind_newest(args: &PipelineArgs, json: bool) -> Result<Bound> {
    let shown = |unbound: Unbound| unbound.shown(json);
    let checked = load(args).map_err(shown)?;
    let workshop = Arc::new(Workshop::new(args, None, Purpose::Check, &checked.plan)?);
    let rules = workshop.registry(&checked, BTreeSet::new())?.unpinned();
    workshop.bind(checked, &rules).map_err(shown)
}

fn load(args: &PipelineArgs) -> Result<Checked, Unbound> {
    sluice_manifest::load(&args.pipeline).map_err(|error| match error {
        LoadError::Findings(findings) => Unbound::Findings(Box::new(findings)),
        error => error.into(),
    })
}

impl Workshop {
    fn new(args: &PipelineArgs, batch_rows: Option<u32>, purpose: Purpose, plan: &Plan) -> Result<Self> {
        let workers = match purpose {
            Purpose::Check => 1,
            Purpose::Run { threads } => threads,
        };
        let sandbox = Sandbox::new(SandboxConfig {
            cache_dir: cache_dir(),
            workers,
            steps: plan.steps.len() + plan.gold.len() + SPARE_STEPS,
            compiler: compiler()?,
            ..SandboxConfig::default()
        })?;
        Ok(Self {
            args: args.clone(),
            batch_rows,
            sandbox,
            workers,
            build: build_digest()?,
            components: Mutex::default(),
        })
    }

    /// The manifest's file.
    pub(crate) fn file(&self) -> PathBuf {
        sluice_manifest::manifest_file(&self.args.pipeline)
    }

    /// The manifest as it stands now.
    pub(crate) fn load(&self) -> Result<Checked, Unbound> {
        load(&self.args)
    }

    /// The folder of rules of a manifest, with the lock file beside it. Packages are built. Of versions that are not pinned,
    /// those in `passed_over` are.
    pub(crate) fn registry(&self, checked: &Checked, passed_over: BTreeSet<RuleVersion>) -> Result<Registry> {
        let names = rule_names(&checked.plan);
        let lock = Lock::read(&Lock::beside(&checked.file))?;
        let registry = match self.rules_folder(checked) {
            Some(root) => Registry::new(root, lock, passed_over),
            None if names.is_empty() => Registry::new(PathBuf::from("."), None, passed_over),
            None => bail!("{}: no folder of rules; name one under `rules:`", checked.file.display()),
        };
        registry.prepare(&names)?;
        Ok(registry)
    }

    /// The folder of rules of a manifest: as given to the command, else as the manifest has it.
    pub(crate) fn rules_folder(&self, checked: &Checked) -> Option<PathBuf> {
        self.args.rules.clone().or_else(|| checked.rules_path.clone())
    }

    /// A rule, loaded; the same component is loaded once.
    pub(crate) fn component(&self, artefact: &Artefact, limits: &LoadLimits) -> Result<Component> {
        let there = self.components.lock().expect("no holder panics").get(&artefact.digest).cloned();
        if let Some(component) = there.filter(|_| artefact.bytes.len() <= limits.component_bytes) {
            return Ok(component);
        }
        let component = self.sandbox.load_within(&artefact.bytes, limits)?;
        self.components.lock().expect("no holder panics").insert(artefact.digest.clone(), component.clone());
        Ok(component)
    }

    /// Binds a version: a manifest with these rules.
    pub(crate) fn bind(self: &Arc<Self>, mut checked: Checked, rules: &dyn Rules) -> Result<Bound, Unbound> {
        if let Some(rows) = self.batch_rows {
            checked.plan.batch.rows = rows as usize;
        }
        let known: Vec<&str> = checked.environments.iter().map(|environment| environment.name.as_str()).collect();
        let environment = checked.environment(&self.args.env).cloned();
        let environment = environment.with_context(|| {
            format!("{}: no environment `{}`; known: {}", checked.file.display(), self.args.env, known.join(", "))
        })?;
        crate::mask::guard(checked.plan.guard.as_ref());
        check_memory(&checked.plan, self.workers)?;
        let mut binder = Binder::new(self, &checked, rules)?;
        let (steps, golds) = (binder.steps(), binder.golds());
        let (findings, used, token, tables) = binder.finish();
        if !findings.is_empty() {
            return Err(Unbound::Findings(Box::new(findings)));
        }
        let plan = checked.plan.clone();
        let pipeline = Pipeline::new(plan, steps, golds, self.build.clone(), token)?.with_lookups(tables);
        let pipeline = match crate::key::bronze(&checked)? {
            Some(key) => pipeline.with_bronze_key(key),
            None => pipeline,
        };
        let pipeline = match &environment.aws {
            Some(aws) => crate::aws::fitted(&checked.plan, aws, pipeline),
            None => pipeline,
        };
        Ok(Bound { environment, pipeline: Arc::new(pipeline), rules: used, workshop: self.clone(), checked })
    }
}

/// Names of the rules that a plan uses.
pub(crate) fn rule_names(plan: &Plan) -> BTreeSet<&str> {
    let of_steps = plan.steps.iter().filter_map(|step| match &step.what {
        StepWhat::Rule(rule) => Some(rule.name.as_str()),
        StepWhat::Check { .. } => None,
    });
    of_steps.chain(plan.gold.iter().map(|gold| gold.rule.name.as_str())).collect()
}

/// A line for each rule of a pipeline: where it stands and which it is.
pub(crate) fn rules_of(pipeline: &Pipeline) -> Vec<String> {
    let rules: Vec<(&str, &dyn RulePlan)> = pipeline.rules().collect();
    let width = rules.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let line = |(label, rule): &(&str, &dyn RulePlan)| {
        let id = rule.id();
        format!("{label:<width$}  {} {id}  {}", rule.kind(), &id.digest[..12])
    };
    rules.iter().map(line).collect()
}

fn show(findings: &Findings, json: bool) -> Found {
    if json {
        println!("{}", serde_json::to_string_pretty(findings).expect("findings are plain data"));
    } else {
        eprintln!("{findings}");
    }
    Found(findings.len())
}

/// Digest of the running program: another build may do otherwise with the same input.
fn build_digest() -> Result<String> {
    let program = std::env::current_exe().context("the path of this program")?;
    let bytes = std::fs::read(&program).with_context(|| format!("{}", program.display()))?;
    Ok(format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes)))
}

/// Holds what the rules of all workers may take against what this machine has.
fn check_memory(plan: &Plan, workers: usize) -> Result<()> {
    let of_steps = plan.steps.iter().filter_map(|step| match &step.what {
        StepWhat::Rule(rule) => Some(rule.limits.memory_bytes),
        StepWhat::Check { .. } => None,
    });
    let of_golds = plan.gold.iter().map(|gold| gold.rule.limits.memory_bytes);
    match sluice_sandbox::host_memory_bytes() {
        Some(host) => Ok(sluice_sandbox::check_memory(workers, of_steps.chain(of_golds), host)?),
        None => Ok(()),
    }
}

/// Folder for compiled code, or none where the user has no place of their own.
fn cache_dir() -> Option<PathBuf> {
    let given = std::env::var_os("SLUICE_CACHE_DIR").map(PathBuf::from);
    let of_user = || std::env::var_os("XDG_CACHE_HOME").map(|dir| PathBuf::from(dir).join("sluice"));
    given.or_else(of_user).or_else(|| Some(std::env::home_dir()?.join(".cache/sluice")))
}
