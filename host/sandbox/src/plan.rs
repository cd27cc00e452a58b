//! A rule opened for one step.

use crate::component::Compiled;
use crate::describe::World;
use crate::failure::Wrong;
use crate::instance::{Instance, Setup};
use crate::log::Speaker;
use crate::lookup::Lookups;
use crate::open::{Capability, Finding, OpenError, StepConfig};
use crate::signature;
use crate::step::{WasmFold, WasmStep};
use crate::token::Pseudonyms;
use crate::wire::{FieldIn, SignatureOut};
use sluice_batch::ColumnType;
use sluice_ports::{Cause, Fold, RuleId, RuleKind, RulePlan, Signature, Step, StepFailure};
use std::sync::Arc;
use std::time::Duration;

const OPENING: &str = "while it was opened";

/// What all workers share.
pub(crate) struct Plan {
    compiled: Arc<Compiled>,
    setup: Setup,
    config: StepConfig,
    id: RuleId,
    kind: RuleKind,
    /// As the rule gave it, to compare with what later instances give.
    given: SignatureOut,
    pub(crate) signature: Signature,
    /// Types of [`Signature::reads`].
    pub(crate) read_types: Vec<ColumnType>,
}

/// Opens a rule for a step.
///
/// # Errors
/// Its findings, or what the host refuses.
pub(crate) fn open(
    compiled: &Arc<Compiled>,
    id: &RuleId,
    kind: RuleKind,
    config: StepConfig,
) -> Result<Arc<dyn RulePlan>, OpenError> {
    let refused = |problems| OpenError::Refused { step: config.label.clone(), rule: id.to_string(), problems };
    check_grants(compiled, &config).map_err(refused)?;
    let setup = setup(id, compiled, &config);
    let mut instance = Instance::start(compiled, &setup).map_err(|wrong| refused(vec![wrong.clause(OPENING)]))?;
    let opened = open_instance(&mut instance, &config).map_err(|wrong| refused(vec![wrong.clause(OPENING)]))?;
    let given = opened.map_err(|findings| match findings.is_empty() {
        true => refused(vec!["it refused its configuration and did not say why".into()]),
        false => OpenError::Findings { step: config.label.clone(), rule: id.to_string(), findings },
    })?;
    let signature = signature::check(&given, kind, &config).map_err(refused)?;
    let type_of = |name: &String| config.inputs.iter().find(|field| field.name == *name).map(|field| field.ty);
    let read_types = signature.reads.iter().filter_map(type_of).collect();
    let (compiled, id) = (compiled.clone(), id.clone());
    Ok(Arc::new(SharedPlan(Arc::new(Plan { compiled, setup, config, id, kind, given, signature, read_types }))))
}

fn check_grants(compiled: &Compiled, config: &StepConfig) -> Result<(), Vec<String>> {
    let mut problems = Vec::new();
    for capability in compiled.imports.difference(&config.grants) {
        problems.push(format!(
            "it uses capability `{capability}` (`{}`), which the manifest does not grant; add it to `grants`",
            capability.interface()
        ));
    }
    let uses_token = compiled.imports.contains(&Capability::Token);
    if uses_token && config.token_key.is_none() && problems.is_empty() {
        problems.push("it uses capability `token` and there is no key; name one under `token`".into());
    }
    let looks_up = compiled.imports.contains(&Capability::Lookup);
    if looks_up && config.lookups.is_empty() && problems.is_empty() {
        problems.push("it uses capability `lookup` and the step names no table; name them under `lookups`".into());
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn setup(id: &RuleId, compiled: &Compiled, config: &StepConfig) -> Setup {
    let speaker = Speaker {
        dataset: config.dataset.clone(),
        step: config.label.clone(),
        rule: id.to_string(),
        max_lines: config.limits.log_lines,
        max_bytes: config.limits.log_bytes,
    };
    let key = config.token_key.clone().filter(|_| compiled.imports.contains(&Capability::Token));
    let looks_up = compiled.imports.contains(&Capability::Lookup);
    let lookups = if looks_up { Lookups::new(&config.lookups) } else { Lookups::default() };
    Setup {
        limits: config.limits.clone(),
        log: Some(Arc::new(speaker)),
        token: key.map(|key| Arc::new(Pseudonyms::new(key))),
        lookups,
    }
}

fn open_instance(instance: &mut Instance, config: &StepConfig) -> Result<Result<SignatureOut, Vec<Finding>>, Wrong> {
    let inputs: Vec<FieldIn<'_>> = config.inputs.iter().map(FieldIn::from).collect();
    let opened = instance.open(&config.config, &inputs)?;
    Ok(opened.map_err(|findings| findings.into_iter().map(Finding::from).collect()))
}

impl Plan {
    /// An instance, opened as the first one was.
    ///
    /// # Errors
    /// [`Cause::Start`].
    pub(crate) fn start(&self) -> Result<Instance, StepFailure> {
        let mut instance = Instance::start(&self.compiled, &self.setup).map_err(|wrong| self.not_started(&wrong))?;
        match open_instance(&mut instance, &self.config).map_err(|wrong| self.not_started(&wrong))? {
            Ok(given) if given == self.given => Ok(instance),
            Ok(_) => Err(self.not_started(&Wrong::Start(
                "gave another signature than the first time; what it does must follow from its configuration".into(),
            ))),
            Err(findings) => {
                let first = findings.first().map(Finding::to_string).unwrap_or_default();
                Err(self.not_started(&Wrong::Start(format!("refused the configuration that it had taken: {first}"))))
            }
        }
    }

    /// Limits of the step.
    pub(crate) fn limits(&self) -> &crate::limits::Limits {
        &self.config.limits
    }

    /// The port's failure: names step, rule and limit. `occasion` is `on a batch of 8192 rows`, or the like.
    pub(crate) fn failure(&self, wrong: &Wrong, occasion: &str, spent: Duration) -> StepFailure {
        let detail = format!("step `{}` (rule `{}`): {}", self.config.label, self.id, wrong.clause(occasion));
        StepFailure { cause: wrong.cause(), detail, spent }
    }

    fn check_world(&self, fits: bool, what: &str) -> Result<(), StepFailure> {
        let wrong = || Wrong::Start(format!("is asked to be {what} and is of world `{}`", self.compiled.world));
        if fits { Ok(()) } else { Err(self.not_started(&wrong())) }
    }

    fn not_started(&self, wrong: &Wrong) -> StepFailure {
        StepFailure { cause: Cause::Start, ..self.failure(wrong, OPENING, Duration::ZERO) }
    }
}

/// The plan as the flow holds it.
struct SharedPlan(Arc<Plan>);

impl RulePlan for SharedPlan {
    fn id(&self) -> &RuleId {
        &self.0.id
    }

    fn kind(&self) -> RuleKind {
        self.0.kind
    }

    fn signature(&self) -> &Signature {
        &self.0.signature
    }

    fn deadline(&self) -> Duration {
        self.0.config.limits.deadline
    }

    fn step(&self) -> Result<Box<dyn Step>, StepFailure> {
        self.0.check_world(self.0.compiled.world != World::Aggregator, "a step")?;
        Ok(Box::new(WasmStep::new(self.0.clone())?))
    }

    fn fold(&self) -> Result<Box<dyn Fold>, StepFailure> {
        self.0.check_world(self.0.compiled.world == World::Aggregator, "an aggregator")?;
        Ok(Box::new(WasmFold::new(self.0.clone())?))
    }
}
