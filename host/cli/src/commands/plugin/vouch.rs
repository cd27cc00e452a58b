//! `sluice plugin keygen`, `sign` and `verify`: who vouches for a rule.

use crate::exit::FINDINGS;
use crate::registry::{self, wait};
use anyhow::{Context, Result};
use serde::Serialize;
use sluice_registry::{Artefact, KeyPair, Record, Registry, RegistryError, RuleVersion, Trusted};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn keygen(file: &Path) -> Result<ExitCode> {
    let pair = KeyPair::generate()?;
    pair.create_file(file)?;
    println!("{}", pair.public());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn sign(rule: &str, key: &Path, folder: &Path) -> Result<ExitCode> {
    let rule: RuleVersion = rule.parse()?;
    let pair = KeyPair::read_file(key)?;
    let registry = registry::open(folder)?;
    let digest = wait(async {
        let digest = registry.artefact(&rule).await?.digest;
        registry.add_signature(&rule, &pair.sign(&rule, &digest)).await?;
        Ok::<_, RegistryError>(digest)
    })?;
    println!("{rule}: signed by key {}: digest {digest}", pair.public().id());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn verify(rule: &str, folder: &Path, trust: &[String], json: bool) -> Result<ExitCode> {
    let rule: RuleVersion = rule.parse()?;
    let trusted = Trusted::parse(trust)?;
    let registry = registry::open(folder)?;
    let report = match wait(async {
        match registry.artefact(&rule).await {
            Err(RegistryError::Damaged(problem) | RegistryError::Refused(problem)) => Ok(Err(problem)),
            other => other.map(Ok),
        }
    })? {
        Ok(artefact) => Report::of(artefact, &trusted),
        Err(problem) => Report::broken(&rule, problem),
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&report).context("the report")?);
    } else {
        print!("{}", report.text());
    }
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// What was found of a version.
#[derive(Serialize)]
struct Report {
    rule: String,
    digest: Option<String>,
    record: Option<Record>,
    cases: Vec<String>,
    signatures: Vec<Signed>,
    problems: Vec<String>,
}

/// A signature as it was found.
#[derive(Serialize)]
struct Signed {
    key: String,
    key_id: String,
    verifies: bool,
    /// None where no keys were given.
    trusted: Option<bool>,
}

impl Report {
    fn broken(rule: &RuleVersion, problem: String) -> Self {
        let rule = rule.to_string();
        Self { rule, digest: None, record: None, cases: vec![], signatures: vec![], problems: vec![problem] }
    }

    fn of(artefact: Artefact, trusted: &Trusted) -> Self {
        let rule = artefact.id();
        let mut problems = Vec::new();
        if artefact.record.is_none() {
            problems
                .push(format!("rule `{rule}` has no record: it was not published; `sluice plugin publish` does that"));
        }
        let signed = |signature: &sluice_registry::Signature| Signed {
            key: signature.key.to_string(),
            key_id: signature.key.id(),
            verifies: signature.verifies(&rule, &artefact.digest),
            trusted: (!trusted.is_empty()).then(|| trusted.contains(&signature.key)),
        };
        let signatures: Vec<Signed> = artefact.signatures.iter().map(signed).collect();
        let untrue = signatures.iter().filter(|signed| !signed.verifies);
        problems.extend(untrue.map(|signed| {
            format!("the signature by key {} is not over this name, version and component", signed.key_id)
        }));
        problems.extend(trusted.check(&artefact).err().map(|error| error.to_string()));
        let cases = artefact.cases.into_iter().map(|case| case.name).collect();
        Self {
            rule: rule.to_string(),
            digest: Some(artefact.digest),
            record: artefact.record,
            cases,
            signatures,
            problems,
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![("rule", self.rule.clone())];
        lines.extend(self.digest.clone().map(|digest| ("digest", digest)));
        lines.extend(self.record.as_ref().map(|record| {
            let by = record.publisher.as_ref().map_or(String::new(), |publisher| format!(" by {publisher}"));
            ("record", format!("published {}{by}, {} files of cases", record.published_at, self.cases.len()))
        }));
        lines.extend(self.signatures.iter().map(|signed| {
            let state = match (signed.verifies, signed.trusted) {
                (false, _) => "does not verify",
                (true, Some(true)) => "verifies, trusted",
                (true, Some(false)) => "verifies, not trusted",
                (true, None) => "verifies",
            };
            ("signed", format!("{} (key {}): {state}", signed.key, signed.key_id))
        }));
        if self.signatures.is_empty() && self.digest.is_some() {
            lines.push(("signed", "by nobody".to_owned()));
        }
        lines.extend(self.problems.iter().map(|problem| ("refused", problem.clone())));
        lines.iter().map(|(name, value)| format!("{name:<8} {value}\n")).collect()
    }
}
