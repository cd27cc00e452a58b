//! What a version must show before it may run on a running pipeline.
//!
//! That it could be bound shows already that its rules keep to the contract, import what is granted, write what they may
//! and are vouched for where keys are trusted. Here they show that they pass their own cases in the sandbox, keep to
//! their limits on a sample of the dataset, and fail on none of the records that were set aside last. The verdict on each
//! rule is stored beside its component.

use super::now;
use super::rehearsal::rehearse;
use crate::bind::{Bound, Used, load_limits};
use anyhow::{Context, Result, bail};
use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice_batch::{Commit, Layer, digest_hex};
use sluice_flow::Pipeline;
use sluice_manifest::{CsvHeader, Format, JsonRecords, Plan, RuleUse, StepWhat};
use sluice_ports::{CommitLog, EntryKind, ObjectStore};
use sluice_registry::case::CASE_TOKEN_KEY;
use sluice_registry::{CONTRACT, Case, Decision, Evidence, Registry, Trusted, Verdict};
use sluice_sandbox::{Limits, OpenError, StepConfig, TokenKey};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Bytes of the sample that a version is run over.
const SAMPLE_BYTES: usize = 2 << 20;
/// Rejected records that a version is run over at most.
const QUARANTINED: usize = 5_000;
/// Segments that they are looked for in.
const SEGMENTS: usize = 20;

/// Where a dataset's last rejected records are.
pub(crate) struct Lake<'a> {
    pub(crate) store: &'a dyn ObjectStore,
    pub(crate) log: &'a dyn CommitLog,
    /// The version in use: what it fails on too is not held against a new one.
    pub(crate) live: Option<Arc<Pipeline>>,
}

/// What was found of the rules of a version.
pub(crate) struct Admission {
    /// One for each rule, in the order of the steps.
    pub(crate) verdicts: Vec<Verdict>,
}

impl Admission {
    /// Everything for which the version may not run.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let refused = |verdict: &Verdict| {
            let failed = verdict.evidence.iter().filter(|evidence| !evidence.passed);
            let rule = format!("{}@{}", verdict.name, verdict.version);
            failed.map(|e| format!("rule `{rule}`: {}: {}", e.check, e.detail)).collect::<Vec<_>>()
        };
        let mut all: Vec<String> = self.verdicts.iter().flat_map(refused).collect();
        all.dedup();
        all
    }
}

/// What evidence depends on besides the component: contract, program and everything the plan says.
pub(crate) fn key(bound: &Bound) -> String {
    let identity = bound.pipeline.identity();
    digest_hex(format!("{CONTRACT}\n{}\n{}", identity.build, identity.plan).as_bytes())[..16].to_owned()
}

/// Looks at all rules of a version. Those that were admitted under the same key are not looked at again.
///
/// # Errors
/// The registry or the lake cannot be read.
pub(crate) async fn admit(bound: &Bound, registry: Option<&dyn Registry>, lake: Lake<'_>) -> Result<Admission> {
    let (dataset, key) = (&bound.checked.plan.dataset, key(bound));
    let mut verdicts: BTreeMap<usize, Verdict> = BTreeMap::new();
    for (place, used) in bound.rules.iter().enumerate() {
        let Some(registry) = registry else { break };
        let verdict = registry.verdict(&used.artefact.id(), dataset).await?;
        if let Some(verdict) = verdict.filter(|verdict| verdict.admits(&used.artefact.digest, &key)) {
            verdicts.insert(place, verdict);
        }
    }
    if verdicts.len() < bound.rules.len() {
        let together = together(bound, &lake).await?;
        for (place, used) in bound.rules.iter().enumerate() {
            if verdicts.contains_key(&place) {
                continue;
            }
            let mut evidence = own(bound, place, used)?;
            evidence.extend(together.iter().cloned());
            let decision = if evidence.iter().all(|e| e.passed) { Decision::Admitted } else { Decision::Refused };
            let verdict = Verdict {
                name: used.artefact.name.clone(),
                version: used.artefact.version.clone(),
                digest: used.artefact.digest.clone(),
                dataset: dataset.clone(),
                key: key.clone(),
                decision,
                at: now(),
                by: format!("sluice {}", env!("CARGO_PKG_VERSION")),
                evidence,
            };
            if let Some(registry) = registry {
                store(registry, &verdict).await;
            }
            verdicts.insert(place, verdict);
        }
    }
    Ok(Admission { verdicts: verdicts.into_values().collect() })
}

/// Puts a verdict beside its component. A registry that cannot be written to is no reason not to run.
pub(crate) async fn store(registry: &dyn Registry, verdict: &Verdict) {
    if let Err(error) = registry.put_verdict(verdict).await {
        tracing::warn!("the verdict on `{}@{}` could not be kept: {error}", verdict.name, verdict.version);
    }
}

fn evidence(check: &str, passed: bool, detail: impl Into<String>) -> Evidence {
    Evidence { check: check.to_owned(), passed, detail: detail.into() }
}

/// What a rule shows by itself.
fn own(bound: &Bound, place: usize, used: &Used) -> Result<Vec<Evidence>> {
    let plan = &bound.checked.plan;
    let use_of = rule_use(plan, place).with_context(|| format!("no step for rule `{}`", used.artefact.name))?;
    let component = bound.workshop.component(&used.artefact, &load_limits(use_of))?;
    let list = |names: Vec<String>| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let imports = list(component.imports().iter().map(ToString::to_string).collect());
    let granted = list(use_of.grants.clone());
    let mut all = vec![
        evidence("contract", true, format!("{CONTRACT}, world `{}`", component.world())),
        evidence("imports", true, format!("{imports}; granted {granted}")),
        evidence("digest", true, used.artefact.digest.clone()),
    ];
    let trusted = Trusted::parse(&plan.trust)?;
    let signature = match trusted.check(&used.artefact) {
        Ok(Some(key)) => evidence("signature", true, format!("by key {}", key.id())),
        Ok(None) => evidence("signature", true, "no key is named under `trust`"),
        Err(error) => evidence("signature", false, error.to_string()),
    };
    all.push(signature);
    all.push(cases(bound, use_of, used)?);
    Ok(all)
}

/// The use of a rule in the order of [`Bound::rules`].
fn rule_use(plan: &Plan, place: usize) -> Option<&RuleUse> {
    let of_steps = plan.steps.iter().filter_map(|step| match &step.what {
        StepWhat::Rule(rule) => Some(rule),
        StepWhat::Check { .. } => None,
    });
    of_steps.chain(plan.gold.iter().map(|gold| &gold.rule)).nth(place)
}

/// Runs a rule's own cases in the sandbox, under the limits of its step.
fn cases(bound: &Bound, use_of: &RuleUse, used: &Used) -> Result<Evidence> {
    let (mut passed, mut failed) = (0, Vec::new());
    for file in &used.artefact.cases {
        let cases = match file.parse() {
            Ok(cases) => cases,
            Err(error) => {
                failed.push(error.to_string());
                continue;
            }
        };
        for case in cases {
            match case_fails(bound, use_of, used, &case)? {
                None => passed += 1,
                Some(why) => failed.push(format!("`{}`: {why}", case.name)),
            }
        }
    }
    Ok(match (failed.first(), passed) {
        (None, 0) => evidence("cases", true, "it brings none"),
        (None, passed) => evidence("cases", true, format!("{passed} passed")),
        (Some(first), _) => {
            evidence("cases", false, format!("{} of {} failed: {first}", failed.len(), failed.len() + passed))
        }
    })
}

/// Why a case fails, if it does.
fn case_fails(bound: &Bound, use_of: &RuleUse, used: &Used, case: &Case) -> Result<Option<String>> {
    let component = bound.workshop.component(&used.artefact, &load_limits(use_of))?;
    let grants = case.grants.iter().map(|name| name.parse().map_err(anyhow::Error::msg)).collect::<Result<_>>();
    let config = StepConfig {
        label: format!("case {}", case.name),
        dataset: bound.checked.plan.dataset.clone(),
        config: case.config.clone(),
        inputs: case.fields.clone(),
        reads: case.fields.iter().map(|field| field.name.clone()).collect(),
        writes: case.writes.clone(),
        grants: grants?,
        limits: Limits {
            memory_bytes: use_of.limits.memory_bytes,
            deadline: use_of.limits.deadline,
            output_bytes: use_of.limits.output_bytes,
            ..Limits::default()
        },
        token_key: Some(TokenKey::new(CASE_TOKEN_KEY)?),
        lookups: Vec::new(),
    };
    let outcome = match component.open(config) {
        Ok(plan) => match case.run(plan.as_ref()) {
            Ok(outcome) => outcome,
            Err(failure) => return Ok(Some(failure.to_string())),
        },
        Err(OpenError::Findings { findings, .. }) => {
            sluice_registry::case::Outcome::Findings(findings.iter().map(ToString::to_string).collect())
        }
        Err(refused @ OpenError::Refused { .. }) => return Ok(Some(refused.to_string())),
    };
    Ok(case.compare(&outcome).first().map(ToString::to_string))
}

/// What all rules of a version show together: on a sample of the dataset, and on what was set aside last.
async fn together(bound: &Bound, lake: &Lake<'_>) -> Result<Vec<Evidence>> {
    let mut all = Vec::new();
    let input = bound.checked.environment("local").and_then(|local| local.input.clone());
    all.push(match input.as_deref().and_then(|input| sample(&bound.checked.plan.format, input)) {
        Some(bytes) => on_records(bound, "sample", &bytes, lake).await?,
        None => evidence("sample", true, "not run: the manifest names no plain input under `environments.local`"),
    });
    all.push(match quarantined(&bound.checked.plan, lake).await? {
        Ok((0, _)) => evidence("quarantine", true, "nothing is set aside"),
        Ok((_, bytes)) => on_records(bound, "quarantine", &bytes, lake).await?,
        Err(why) => evidence("quarantine", true, format!("not run: {why}")),
    });
    Ok(all)
}

/// Limits are kept on some records where rules fail on none of them that the version in use takes.
async fn on_records(bound: &Bound, check: &str, records: &[u8], lake: &Lake<'_>) -> Result<Evidence> {
    let rehearsal = rehearse(&bound.pipeline, records).await.with_context(|| format!("the {check}"))?;
    let allowed = match &lake.live {
        Some(live) if rehearsal.failed > 0 => rehearse(live, records).await.map_or(0, |before| before.failed),
        _ => 0,
    };
    let total = rehearsal.summary.account.total();
    let detail = format!(
        "{} records: {} to silver, {} set aside, {} failed; {:.2} us a record",
        total.read,
        total.silver,
        total.quarantined_rows() - rehearsal.failed,
        rehearsal.failed,
        rehearsal.per_record().as_secs_f64() * 1e6
    );
    Ok(evidence(check, rehearsal.failed <= allowed, detail))
}

/// The first records of a plain file, or of the first file of a folder.
fn sample(format: &Format, input: &Path) -> Option<Vec<u8>> {
    let file = match input.is_dir() {
        true => {
            let mut files: Vec<_> = std::fs::read_dir(input).ok()?.flatten().map(|entry| entry.path()).collect();
            files.sort();
            files.into_iter().find(|file| file.is_file())?
        }
        false => input.to_owned(),
    };
    let is_packed = |bytes: &[u8]| bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let mut bytes = Vec::new();
    // what is no plain file may never end
    let file = std::fs::File::open(file).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
    file.take(SAMPLE_BYTES as u64 + 1).read_to_end(&mut bytes).ok().filter(|_| !is_packed(&bytes))?;
    if bytes.len() > SAMPLE_BYTES {
        if matches!(format, Format::Json { records: JsonRecords::Array | JsonRecords::File }) {
            return None;
        }
        bytes.truncate(SAMPLE_BYTES);
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n')? + 1);
    }
    Some(bytes)
}

/// Records that were set aside last and stand there in the clear, as they would be read: how many, and bytes. The inner
/// error says why they cannot be.
async fn quarantined(plan: &Plan, lake: &Lake<'_>) -> Result<std::result::Result<(usize, Vec<u8>), String>> {
    let lines = match &plan.format {
        Format::Json { records: JsonRecords::Lines } => true,
        Format::Csv { header: CsvHeader::Names(_), .. } => true,
        Format::Json { .. } | Format::Csv { .. } => false,
    };
    if !lines {
        return Ok(Err("records of this format cannot be put together again one by one".into()));
    }
    let entries = lake.log.entries().await?;
    let commits = entries.iter().rev().filter(|entry| entry.kind == EntryKind::Commit).take(SEGMENTS);
    let (mut records, mut bytes, mut hidden) = (0, Vec::new(), 0);
    for entry in commits {
        let commit: Commit = serde_json::from_slice(&lake.log.get(*entry).await?).with_context(|| entry.to_string())?;
        for object in commit.objects.iter().filter(|object| object.layer == Layer::Quarantine) {
            let reader = ParquetRecordBatchReaderBuilder::try_new(lake.store.get(&object.name).await?)?.build()?;
            for batch in reader {
                let batch = batch?;
                let Some((policy, raw)) = batch.column_by_name("raw_policy").zip(batch.column_by_name("raw")) else {
                    bail!("`{}` is no quarantine", object.name)
                };
                for (policy, raw) in policy.as_string::<i32>().iter().zip(raw.as_string::<i32>()) {
                    match raw.filter(|_| policy == Some("clear")) {
                        Some(raw) if records < QUARANTINED => {
                            records += 1;
                            bytes.extend_from_slice(raw.as_bytes());
                            bytes.push(b'\n');
                        }
                        Some(_) => {}
                        None => hidden += 1,
                    }
                }
            }
        }
        if records >= QUARANTINED {
            break;
        }
    }
    if records == 0 && hidden > 0 {
        return Ok(Err(format!("the {hidden} records set aside last are not kept in the clear")));
    }
    Ok(Ok((records, bytes)))
}
