//! Opens the rules of one manifest, collecting all that is wrong with them.

use super::{Rules, Used, Workshop};
use crate::key;
use crate::lookups::{self, Tables};
use anyhow::Result;
use sluice_batch::Field;
use sluice_flow::{BoundStep, arriving};
use sluice_manifest::{Checked, Findings, Owner, Place, RuleUse, StepWhat};
use sluice_ports::{RulePlan, Signature};
use sluice_registry::{Artefact, Trusted};
use sluice_sandbox::{Component, Limits, LoadLimits, OpenError, StepConfig, TokenKey};
use sluice_sql::SqlCheck;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Binds the steps and golds of a manifest, one after the other.
pub(super) struct Binder<'a> {
    workshop: &'a Workshop,
    checked: &'a Checked,
    rules: &'a dyn Rules,
    trusted: Trusted,
    token: Option<TokenKey>,
    tables: Tables,
    findings: Findings,
    found: BTreeMap<(String, String), Arc<Artefact>>,
    used: Vec<Used>,
    /// Columns where the next step stands.
    fields: Vec<Field>,
    /// Columns of which nothing is known, since the step that writes them could not be opened.
    unknown: BTreeSet<String>,
}

impl<'a> Binder<'a> {
    pub(super) fn new(workshop: &'a Workshop, checked: &'a Checked, rules: &'a dyn Rules) -> Result<Self> {
        let mut findings = checked.findings();
        let tables = lookups::load(checked, &mut findings);
        Ok(Self {
            workshop,
            checked,
            rules,
            trusted: Trusted::parse(&checked.plan.trust)?,
            token: key::load(checked)?.map(|key| TokenKey::new(&key)).transpose()?,
            tables,
            findings,
            found: BTreeMap::new(),
            used: Vec::new(),
            fields: arriving(&checked.plan),
            unknown: BTreeSet::new(),
        })
    }

    /// What was found wrong, the rules used, the id of the key of pseudonyms, and the digests of reference tables.
    pub(super) fn finish(self) -> (Findings, Vec<Used>, Option<String>, BTreeMap<String, String>) {
        (self.findings, self.used, self.token.map(|token| token.id()), lookups::digests(&self.tables))
    }

    pub(super) fn steps(&mut self) -> Vec<BoundStep> {
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
                    steps.push(BoundStep {
                        label: step.label.clone(),
                        otherwise: step.otherwise,
                        on_failure: step.on_failure,
                        rule,
                    });
                }
                (None, StepWhat::Rule(rule)) => self.unknown.extend(rule.writes.iter().cloned()),
                (None, StepWhat::Check { .. }) => {}
            }
        }
        steps
    }

    pub(super) fn golds(&mut self) -> Vec<Arc<dyn RulePlan>> {
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
        // a table that could not be read was reported as such
        if rule.lookups.iter().any(|table| !self.tables.contains_key(table)) {
            return None;
        }
        let component = match self.component(label, rule) {
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

    fn component(&mut self, label: &str, rule: &RuleUse) -> Result<Component> {
        let name = (rule.name.clone(), rule.version.clone());
        let artefact = match self.found.get(&name) {
            Some(artefact) => artefact.clone(),
            None => {
                let artefact = Arc::new(self.rules.find(&rule.name, &rule.version)?);
                self.trusted.check(&artefact)?;
                self.found.insert(name, artefact.clone());
                artefact
            }
        };
        let component = self.workshop.component(&artefact, &load_limits(rule))?;
        self.used.push(Used { label: label.to_owned(), range: rule.version.clone(), artefact });
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
                table_elements: rule.limits.table_elements,
                deadline: rule.limits.deadline,
                output_bytes: rule.limits.output_bytes,
                output_ratio: rule.limits.output_ratio,
                log_lines: rule.limits.log_lines,
                log_bytes: rule.limits.log_bytes,
                load: load_limits(rule),
                ..Limits::default()
            },
            token_key: self.token.clone(),
            lookups: rule.lookups.iter().filter_map(|name| self.tables.get(name).cloned()).collect(),
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

/// What loading a rule may take, as its step says.
pub(crate) fn load_limits(rule: &RuleUse) -> LoadLimits {
    LoadLimits {
        component_bytes: rule.limits.component_bytes,
        compile_time: rule.limits.compile_time,
        compile_memory_bytes: rule.limits.compile_memory_bytes,
    }
}
