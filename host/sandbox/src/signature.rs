//! A rule's signature against what it was granted.

use crate::open::StepConfig;
use crate::text::{clean_line, is_name};
use crate::wire::{OutputOut, SignatureOut, WireEffect, WireType};
use sluice_batch::ColumnType;
use sluice_ports::{Output, Reason, RuleKind, Signature};
use std::collections::HashSet;

/// Longest column name that a rule may bring up, in bytes.
const NAME_BYTES: usize = 256;

/// Names that begin so are the host's own (`_sluice_id` and the like).
const RESERVED: &str = "_sluice";

/// Checks a signature.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn check(out: &SignatureOut, kind: RuleKind, config: &StepConfig) -> Result<Signature, Vec<String>> {
    let mut checker = Checker { kind, config, wrong: Vec::new() };
    let signature = Signature {
        reads: checker.reads(&out.reads),
        outputs: checker.outputs(&out.outputs),
        reasons: checker.reasons(out),
        partials: checker.partials(&out.partials),
    };
    if checker.wrong.is_empty() { Ok(signature) } else { Err(checker.wrong) }
}

struct Checker<'a> {
    kind: RuleKind,
    config: &'a StepConfig,
    wrong: Vec<String>,
}

impl Checker<'_> {
    fn reads(&mut self, reads: &[String]) -> Vec<String> {
        self.no_twins("reads column", reads.iter());
        for name in reads {
            let shown = clean_line(name, 80);
            if !self.exists(name) {
                self.wrong.push(format!("it reads column `{shown}`, which does not exist where the step stands"));
            } else if !self.config.reads.contains(name) {
                self.wrong
                    .push(format!("it reads column `{shown}`, which the manifest does not grant; add it to `reads`"));
            }
        }
        reads.to_vec()
    }

    fn outputs(&mut self, outputs: &[OutputOut]) -> Vec<Output> {
        if self.kind == RuleKind::Validate && !outputs.is_empty() {
            self.wrong.push("it is a validator and says that it writes columns; a validator only judges".into());
        }
        self.no_twins("writes column", outputs.iter().map(|output| &output.name));
        outputs.iter().filter_map(|output| self.output(output)).collect()
    }

    fn output(&mut self, output: &OutputOut) -> Option<Output> {
        let OutputOut { name, ty, nullable, effect } = output;
        let shown = clean_line(name, 80);
        let adds = *effect == WireEffect::Adds;
        if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
            self.wrong.push(format!(
                "`{shown}` is no name of a column; names have 1 to {NAME_BYTES} bytes and no control characters"
            ));
        }
        if name.starts_with(RESERVED) {
            self.wrong.push(format!("it writes column `{shown}`; names that begin with `{RESERVED}` are the host's"));
        }
        if self.kind == RuleKind::Aggregate {
            if !adds {
                self.wrong
                    .push(format!("it says that it replaces column `{shown}`; an aggregator's columns are all new"));
            }
        } else {
            self.grant(name, &shown, adds);
        }
        let ty = self.ty(*ty, &format!("column `{shown}`"))?;
        Some(Output { name: name.clone(), ty, nullable: *nullable, adds })
    }

    fn grant(&mut self, name: &str, shown: &str, adds: bool) {
        if !self.config.writes.iter().any(|granted| granted == name) {
            self.wrong
                .push(format!("it writes column `{shown}`, which the manifest does not grant; add it to `writes`"));
        }
        let wrong = match (adds, self.exists(name)) {
            (true, true) => format!("it says that it adds column `{shown}`, which is there already"),
            (false, false) => format!("it says that it replaces column `{shown}`, which does not exist"),
            _ => return,
        };
        self.wrong.push(wrong);
    }

    fn reasons(&mut self, out: &SignatureOut) -> Vec<Reason> {
        if self.kind == RuleKind::Aggregate && !out.reasons.is_empty() {
            self.wrong.push("it is an aggregator and names reasons; an aggregator rejects nothing".into());
        }
        self.no_twins("has reason", out.reasons.iter().map(|reason| &reason.code));
        for reason in &out.reasons {
            if !is_name(&reason.code, b'_', 64) {
                let shown = clean_line(&reason.code, 80);
                self.wrong
                    .push(format!("`{shown}` is no reason code; codes are 1 to 64 lower-case letters, digits and `_`"));
            }
        }
        out.reasons.iter().map(|r| Reason { code: r.code.clone(), text: clean_line(&r.text, 500) }).collect()
    }

    fn partials(&mut self, partials: &[WireType]) -> Vec<ColumnType> {
        match (self.kind, partials.is_empty()) {
            (RuleKind::Aggregate, true) => {
                self.wrong.push("it is an aggregator without partial columns; it would remember nothing".into());
            }
            (RuleKind::Aggregate, false) | (_, true) => {}
            (_, false) => self.wrong.push("it has partial columns and is no aggregator".into()),
        }
        let typed = |(i, ty): (usize, &WireType)| self.ty(*ty, &format!("partial column {i}"));
        partials.iter().enumerate().filter_map(typed).collect()
    }

    fn ty(&mut self, ty: WireType, of: &str) -> Option<ColumnType> {
        ty.check().map_err(|wrong| self.wrong.push(format!("{of}: {wrong}"))).ok()
    }

    fn exists(&self, name: &str) -> bool {
        self.config.inputs.iter().any(|field| field.name == name)
    }

    fn no_twins<'n>(&mut self, what: &str, names: impl Iterator<Item = &'n String>) {
        let mut seen = HashSet::new();
        for name in names {
            if !seen.insert(name) {
                self.wrong.push(format!("it {what} `{}` twice", clean_line(name, 80)));
            }
        }
    }
}
