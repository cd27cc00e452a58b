//! From a manifest and a folder of rules to a pipeline.
//!
//! What can be found without running is found here, all of it at once: the manifest's own findings first; if there are
//! none, rules that are missing, do not fit their columns, refuse their configuration, or want what is not granted.

use crate::args::PipelineArgs;
use crate::exit::Found;
use crate::key;
use crate::registry::Registry;
use anyhow::{Context, Result, bail};
use sluice_batch::Field;
use sluice_flow::{BoundStep, Pipeline, arriving};
use sluice_manifest::{Checked, Environment, Findings, LoadError, Owner, Place, Plan, RuleUse, StepWhat};
use sluice_ports::{RulePlan, Signature};
use sluice_registry::Lock;
use sluice_sandbox::{Component, Limits, OpenError, Sandbox, SandboxConfig, StepConfig, TokenKey};
use sluice_sql::SqlCheck;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What a pipeline is bound for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To look at it.
    Check,
    /// To run it with so many workers.
    Run { threads: usize },
}

/// A manifest with its rules opened.
pub(crate) struct Bound {
    pub(crate) checked: Checked,
    pub(crate) environment: Environment,
    pub(crate) pipeline: Arc<Pipeline>,
}

/// Reads and binds a pipeline. Findings are printed (as JSON on standard output if `json`, else as lines on standard
/// error).
///
/// # Errors
/// [`Found`] where there are findings.
pub(crate) fn bind(args: &PipelineArgs, batch_rows: Option<u32>, purpose: Purpose, json: bool) -> Result<Bound> {
    let mut checked = match sluice_manifest::load(&args.pipeline) {
        Ok(checked) => checked,
        Err(LoadError::Findings(findings)) => return Err(show(&findings, json).into()),
        Err(error) => return Err(error.into()),
    };
    if let Some(rows) = batch_rows {
        checked.plan.batch.rows = rows as usize;
    }
    let known: Vec<&str> = checked.environments.iter().map(|environment| environment.name.as_str()).collect();
    let environment = checked.environment(&args.env).cloned();
    let environment = environment.with_context(|| {
        format!("{}: no environment `{}`; known: {}", checked.file.display(), args.env, known.join(", "))
    })?;
    let token = key::load(&checked)?.map(|key| TokenKey::new(&key)).transpose()?;
    let rules = args.rules.clone().or_else(|| checked.rules_path.clone());
    let mut binder = Binder::new(&checked, rules, token.clone(), purpose)?;
    let steps = binder.steps();
    let golds = binder.golds();
    let findings = binder.findings;
    if !findings.is_empty() {
        return Err(show(&findings, json).into());
    }
    let plan = checked.plan.clone();
    let pipeline = Pipeline::new(plan, steps, golds, build_digest()?, token.map(|token| token.id()))?;
    Ok(Bound { checked, environment, pipeline: Arc::new(pipeline) })
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

struct Binder<'a> {
    checked: &'a Checked,
    sandbox: Sandbox,
    registry: Registry,
    token: Option<TokenKey>,
    findings: Findings,
    components: BTreeMap<(String, String), Component>,
    /// Columns where the next step stands.
    fields: Vec<Field>,
    /// Columns of which nothing is known, since the step that writes them could not be opened.
    unknown: BTreeSet<String>,
}

impl<'a> Binder<'a> {
    fn new(checked: &'a Checked, rules: Option<PathBuf>, token: Option<TokenKey>, purpose: Purpose) -> Result<Self> {
        let plan = &checked.plan;
        let names = |what: &'a StepWhat| match what {
            StepWhat::Rule(rule) => Some(rule.name.as_str()),
            StepWhat::Check { .. } => None,
        };
        let of_steps = plan.steps.iter().filter_map(|step| names(&step.what));
        let all: BTreeSet<&str> = of_steps.chain(plan.gold.iter().map(|gold| gold.rule.name.as_str())).collect();
        let registry = match rules {
            Some(root) => Registry::new(root, Lock::read(&Lock::beside(&checked.file))?),
            None if all.is_empty() => Registry::new(PathBuf::from("."), None),
            None => bail!("{}: no folder of rules; name one under `rules:`", checked.file.display()),
        };
        registry.prepare(&all)?;
        let workers = match purpose {
            Purpose::Check => 1,
            Purpose::Run { threads } => threads,
        };
        check_memory(plan, workers)?;
        let sandbox = Sandbox::new(SandboxConfig {
            cache_dir: cache_dir(),
            workers,
            steps: plan.steps.len() + plan.gold.len(),
            ..SandboxConfig::default()
        })?;
        Ok(Self {
            checked,
            sandbox,
            registry,
            token,
            findings: checked.findings(),
            components: BTreeMap::new(),
            fields: arriving(plan),
            unknown: BTreeSet::new(),
        })
    }

    fn steps(&mut self) -> Vec<BoundStep> {
        let checked = self.checked;
        let mut steps = Vec::new();
        for (index, step) in checked.plan.steps.iter().enumerate() {
            let rule = match &step.what {
                StepWhat::Rule(rule) => self.rule(Owner::Step(index), &step.label, rule),
                StepWhat::Check { sql, reason } => self.check(index, &step.label, sql, reason),
            };
            match (rule, &step.what) {
                (Some(rule), _) => {
                    self.follow(rule.signature());
                    steps.push(BoundStep { label: step.label.clone(), otherwise: step.otherwise, rule });
                }
                (None, StepWhat::Rule(rule)) => self.unknown.extend(rule.writes.iter().cloned()),
                (None, StepWhat::Check { .. }) => {}
            }
        }
        steps
    }

    fn golds(&mut self) -> Vec<Arc<dyn RulePlan>> {
        let checked = self.checked;
        let golds = checked.plan.gold.iter().enumerate();
        golds
            .filter_map(|(index, gold)| self.rule(Owner::Gold(index), &format!("gold {}", gold.name), &gold.rule))
            .collect()
    }

    fn rule(&mut self, owner: Owner, label: &str, rule: &RuleUse) -> Option<Arc<dyn RulePlan>> {
        if rule.reads.iter().any(|column| self.unknown.contains(column)) {
            return None;
        }
        let component = match self.component(rule) {
            Ok(component) => component,
            Err(error) => {
                self.push(&Place::Rule(owner), crate::exit::chain(&error));
                return None;
            }
        };
        let description = component.description();
        if description.kind != rule.kind {
            let (is, wanted) = (description.kind, rule.kind);
            self.push(&Place::Rule(owner), format!("rule `{}` is there to {is}, not to {wanted}", rule.name));
            return None;
        }
        let opened = match self.step_config(label, rule) {
            Ok(config) => component.open(config),
            Err(error) => {
                self.push(&Place::Rule(owner), error.to_string());
                return None;
            }
        };
        match opened {
            Ok(plan) => return Some(plan),
            Err(OpenError::Findings { findings, .. }) => {
                for finding in findings {
                    self.push(&Place::With(owner, &finding.path), finding.message);
                }
            }
            Err(OpenError::Refused { problems, .. }) => {
                for problem in problems {
                    self.push(&Place::Rule(owner), problem);
                }
            }
        }
        None
    }

    fn component(&mut self, rule: &RuleUse) -> Result<Component> {
        let key = (rule.name.clone(), rule.version.clone());
        if let Some(component) = self.components.get(&key) {
            return Ok(component.clone());
        }
        let artefact = self.registry.find(&rule.name, &rule.version)?;
        let component = self.sandbox.load(&artefact.bytes)?;
        self.components.insert(key, component.clone());
        Ok(component)
    }

    fn step_config(&self, label: &str, rule: &RuleUse) -> Result<StepConfig> {
        let grants = rule.grants.iter().map(|name| name.parse().map_err(anyhow::Error::msg)).collect::<Result<_>>()?;
        Ok(StepConfig {
            label: label.to_owned(),
            dataset: self.checked.plan.dataset.clone(),
            config: rule.config.clone(),
            inputs: self.fields.clone(),
            reads: rule.reads.clone(),
            writes: rule.writes.clone(),
            grants,
            limits: Limits {
                memory_bytes: rule.limits.memory_bytes,
                deadline: rule.limits.deadline,
                output_bytes: Some(rule.limits.output_bytes),
                ..Limits::default()
            },
            token_key: self.token.clone(),
        })
    }

    fn check(&mut self, index: usize, label: &str, sql: &str, reason: &str) -> Option<Arc<dyn RulePlan>> {
        match SqlCheck::compile(label, sql, reason, &self.fields) {
            Ok(plan) => Some(plan),
            Err(_) if self.unknown.iter().any(|column| sql.contains(column.as_str())) => None,
            Err(finding) => {
                self.push(&Place::Check(index), finding.message);
                None
            }
        }
    }

    /// Brings the columns to where they stand after a step.
    fn follow(&mut self, signature: &Signature) {
        for output in &signature.outputs {
            let field = Field { name: output.name.clone(), ty: output.ty, nullable: output.nullable };
            match self.fields.iter_mut().find(|field| field.name == output.name) {
                Some(there) => *there = field,
                None => self.fields.push(field),
            }
        }
    }

    fn push(&mut self, place: &Place<'_>, message: impl Into<String>) {
        self.findings.push(self.checked.spans.locate(place), message);
    }
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
