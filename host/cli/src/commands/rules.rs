//! `sluice rules`: which rules a pipeline runs by, and how others come into use.

use crate::args::{RollbackArgs, RulesApplyArgs, RulesCommand, RulesShowArgs};
use crate::bind::{self, Bound, Purpose};
use crate::exit::VERSION;
use crate::lake::{self, Lake};
use crate::versions::admission;
use crate::versions::record::{Came, Request, RuleOf, Wants};
use crate::versions::{Record, Shelf, Status};
use anyhow::{Result, bail};
use serde_json::json;
use sluice_registry::{Lock, Registry as _, Verdict};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often a waiting command looks at where things stand.
const LOOK: Duration = Duration::from_millis(100);

pub(crate) fn rules(command: &RulesCommand) -> Result<ExitCode> {
    let runtime = super::runtime()?;
    match command {
        RulesCommand::Show(args) => {
            let bound = bind::bind(&args.pipeline, None, Purpose::Check, args.json)?;
            runtime.block_on(show(args, bound))
        }
        RulesCommand::Apply(args) => {
            // the newest within the ranges, whatever is pinned
            let bound = bind::bind_newest(&args.pipeline, args.json)?;
            runtime.block_on(apply(args, bound))
        }
        RulesCommand::Rollback(args) => {
            let bound = bind::bind(&args.pipeline, None, Purpose::Check, args.json)?;
            runtime.block_on(roll_back(args, bound))
        }
    }
}

async fn show(args: &RulesShowArgs, bound: Bound) -> Result<ExitCode> {
    let lake = lake::open(args.data_dir.as_deref(), &bound).await?;
    let record = Record::read(lake.store.as_ref()).await?;
    let status = Status::read(lake.store.as_ref()).await?.filter(Status::is_fresh);
    let verdicts = verdicts(&bound).await?;
    if args.json {
        let rules: Vec<_> = bound
            .rules
            .iter()
            .zip(&verdicts)
            .map(|(used, verdict)| {
                json!({
                    "label": used.label, "range": used.range, "rule": used.artefact.id().to_string(),
                    "digest": used.artefact.digest, "verdict": verdict,
                })
            })
            .collect();
        let out = json!({ "version": bound.pipeline.key(), "rules": rules, "record": record, "running": status });
        println!("{}", serde_json::to_string_pretty(&out)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("manifest and rules as they stand: version {}", bound.pipeline.key());
    let labels = bound.rules.iter().map(|used| used.label.len()).max().unwrap_or(0);
    let names = bound.rules.iter().map(|used| used.artefact.id().to_string().len()).max().unwrap_or(0);
    for (used, verdict) in bound.rules.iter().zip(&verdicts) {
        let (id, digest) = (used.artefact.id().to_string(), &used.artefact.digest[..12]);
        let said = verdict
            .as_ref()
            .map_or_else(|| "not looked at yet".to_owned(), |v| format!("{} {} by {}", v.decision, v.at, v.by));
        println!("  {:<labels$}  {id:<names$}  {digest}  {said}", used.label);
        for evidence in verdict.iter().flat_map(|verdict| &verdict.evidence) {
            let mark = if evidence.passed { "ok    " } else { "FAILED" };
            println!("  {:<labels$}    {mark}  {:<10}  {}", "", evidence.check, evidence.detail);
        }
    }
    match &status {
        Some(status) => {
            let standing = &status.standing;
            println!("running: version {}, process {}", standing.version, status.pid);
            for (label, RuleOf { rule, digest }) in &status.rules {
                println!("  {label:<labels$}  {rule:<names$}  {}", &digest[..12]);
            }
            let all = standing.workers.iter().filter(|key| **key == standing.version).count();
            println!("  workers by it: {all} of {}", standing.workers.len());
            if let Some(last) = &status.last {
                println!("  last: {}", line_of(last));
            }
        }
        None => println!("no host runs it"),
    }
    for (key, held) in &record.held {
        println!("held: version {key} since {}: {}", held.at, held.reasons.join("; "));
    }
    Ok(ExitCode::SUCCESS)
}

/// The verdict on each rule of a pipeline, as it lies beside the component.
async fn verdicts(bound: &Bound) -> Result<Vec<Option<Verdict>>> {
    let registry = registry(bound)?;
    let mut all = Vec::new();
    for used in &bound.rules {
        let verdict = match &registry {
            Some(registry) => registry.verdict(&used.artefact.id(), &bound.checked.plan.dataset).await?,
            None => None,
        };
        all.push(verdict.filter(|verdict| verdict.digest == used.artefact.digest));
    }
    Ok(all)
}

fn registry(bound: &Bound) -> Result<Option<sluice_registry::StoreRegistry>> {
    bound.workshop.registry(&bound.checked, std::collections::BTreeSet::new())?.open()
}

async fn apply(args: &RulesApplyArgs, bound: Bound) -> Result<ExitCode> {
    let lake = lake::open(args.data_dir.as_deref(), &bound).await?;
    let registry = registry(&bound)?;
    let registry = registry.as_ref().map(|registry| registry as &dyn sluice_registry::Registry);
    let shelf = Shelf::new(lake.store.clone(), bound.workshop.clone());
    let live = match Record::read(lake.store.as_ref()).await?.live {
        // what cannot be bound any more cannot be compared with either
        Some(live) => shelf.bind(&live).await.ok().map(|live| live.pipeline),
        None => None,
    };
    let evidence = admission::Lake { store: lake.store.as_ref(), log: lake.log.as_ref(), live };
    let admission = admission::admit(&bound, registry, evidence).await?;
    let refusals = admission.refusals();
    if !refusals.is_empty() {
        return Ok(say(args.json, &json!({ "stage": "refused", "reasons": refusals }), &refused(&refusals)));
    }
    let key = bound.pipeline.key();
    if Status::read(lake.store.as_ref()).await?.filter(Status::is_fresh).is_none() {
        write_lock(&bound)?;
        let mut record = Record::read(lake.store.as_ref()).await?;
        if record.held.remove(&key).is_some() {
            record.write(lake.store.as_ref()).await?;
        }
        let text =
            format!("version {key} is admitted and pinned; no host runs the pipeline, the next run begins with it");
        println!("{}", if args.json { json!({ "stage": "pinned", "version": key }).to_string() } else { text });
        return Ok(ExitCode::SUCCESS);
    }
    let done = ask(&lake, Wants::Apply, Some(&key), args.timeout, args.json).await?;
    // pinned is what runs: a version that was rolled back is not what the next run should begin with
    if done == ExitCode::SUCCESS {
        write_lock(&bound)?;
    }
    Ok(done)
}

/// Pins every rule of a version beside its manifest.
fn write_lock(bound: &Bound) -> Result<()> {
    let path = Lock::beside(&bound.checked.file);
    let mut lock = Lock::read(&path)?.unwrap_or_default();
    for used in &bound.rules {
        lock.pin_artefact(&used.range, &used.artefact);
    }
    lock.retain(|locked| {
        bound.rules.iter().any(|used| used.artefact.name == locked.name && used.range == locked.range)
    });
    Ok(lock.write(&path)?)
}

async fn roll_back(args: &RollbackArgs, bound: Bound) -> Result<ExitCode> {
    let lake = lake::open(args.data_dir.as_deref(), &bound).await?;
    let mut record = Record::read(lake.store.as_ref()).await?;
    let shelf = Shelf::new(lake.store.clone(), bound.workshop.clone());
    // a version that is on its way is taken back before it is in use
    let before = if record.trial.is_some() { record.live.clone() } else { record.before.clone() };
    let Some(to) = args.to.clone().or(before) else {
        bail!("no version was in use before; `sluice rules show` tells what there is")
    };
    if shelf.find(&to).await?.is_none() {
        let all: Vec<String> = shelf.all().await?.into_iter().map(|kept| kept.key).collect();
        bail!("version {to} is not kept in this lake; those that are: {}", all.join(", "))
    }
    if Status::read(lake.store.as_ref()).await?.filter(Status::is_fresh).is_some() {
        return ask(&lake, Wants::Version(to), None, args.timeout, args.json).await;
    }
    if let Some(live) = record.live.clone().filter(|live| *live != to) {
        record.hold(&live, vec!["taken back by hand".into()]);
    }
    let wanted = bound.pipeline.key();
    if wanted != to {
        record.hold(&wanted, vec!["taken back by hand".into()]);
    }
    record.goes_live(&to);
    record.write(lake.store.as_ref()).await?;
    let text = format!("version {to} is in use again; no host runs the pipeline, the next run begins with it");
    println!("{}", if args.json { json!({ "stage": "live", "version": to }).to_string() } else { text });
    Ok(ExitCode::SUCCESS)
}

/// Asks the running host, and waits until every worker works by what came of it, or until it says why not.
async fn ask(lake: &Lake, wants: Wants, expected: Option<&str>, timeout: u64, json: bool) -> Result<ExitCode> {
    let id = format!("{}-{}", std::process::id(), crate::versions::now());
    Request { id: id.clone(), wants }.write(lake.store.as_ref()).await?;
    let (begun, mut told) = (Instant::now(), String::new());
    let mut version: Option<String> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        if begun.elapsed() > Duration::from_secs(timeout) {
            let at = if told.is_empty() { "the host did not answer".to_owned() } else { told };
            bail!("after {timeout} s: {at}; the host goes on with it, `sluice rules show` tells how far it is");
        }
        let Some(status) = Status::read(lake.store.as_ref()).await?.filter(Status::is_fresh) else {
            bail!("the host has stopped; the next run begins with what is pinned")
        };
        let Some(answer) = status.answer.as_ref().filter(|answer| answer.id == id) else { continue };
        if !answer.refused.is_empty() {
            let refusals = &answer.refused;
            return Ok(say(json, &json!({ "stage": "refused", "reasons": refusals }), &refused(refusals)));
        }
        if version.is_none() {
            version.clone_from(&answer.version);
        }
        if let Some((is, expected)) = version.as_deref().zip(expected).filter(|(is, expected)| is != expected) {
            bail!(
                "the host has another manifest or other rules at hand than this machine: it takes up version {is}, and here it \
                 is {expected}"
            );
        }
        let Some(version) = &version else {
            println!("nothing is to be changed");
            return Ok(ExitCode::SUCCESS);
        };
        let came = status.last.as_ref().filter(|came| came.version == *version);
        if let Some(came) = came.filter(|came| line_of(came) != told) {
            told = line_of(came);
            if !json {
                println!("{told}");
            }
        }
        let standing = &status.standing;
        let runs = standing.version == *version && standing.workers.iter().all(|worker| worker == version);
        let on_its_way = came.is_some_and(|came| !matches!(came.name(), "live" | "refused" | "rolled_back"));
        if let Some(came) = came.filter(|came| matches!(came.name(), "refused" | "rolled_back")) {
            return Ok(say(json, &came.stage, &refused(&came.reasons())));
        }
        if runs && standing.beside.is_none() && !on_its_way {
            let workers = standing.workers.len();
            let rules: BTreeMap<&String, &RuleOf> = status.rules.iter().collect();
            if json {
                println!("{}", json!({ "stage": "live", "version": version, "workers": workers, "rules": rules }));
            } else {
                println!("all {workers} workers run version {version}");
                for (label, RuleOf { rule, digest }) in rules {
                    println!("  {label}  {rule}  {}", &digest[..12]);
                }
            }
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn refused(reasons: &[String]) -> String {
    format!("not taken up:\n  {}", reasons.join("\n  "))
}

fn say(json: bool, value: &serde_json::Value, text: &str) -> ExitCode {
    if json {
        println!("{value}");
    } else {
        eprintln!("{text}");
    }
    ExitCode::from(VERSION)
}

/// How far a version came, in a line.
fn line_of(came: &Came) -> String {
    let stage = &came.stage;
    let of = |what: &str| stage[what].as_u64().map(|number| number.to_string()).unwrap_or_default();
    let more = match came.name() {
        "shadow" => format!(", {} batches", of("batches")),
        "shadowed" => format!(", {} of its rows differ", differing(stage)),
        "canary" | "probation" => format!(", {} of {} segments", of("done"), of("of")),
        "refused" | "rolled_back" => format!(": {}", came.reasons().join("; ")),
        _ => String::new(),
    };
    format!("version {}: {}{more}", came.version, came.name().replace('_', " "))
}

/// Greatest number of changed values of any column, and rows that only one version has.
fn differing(stage: &serde_json::Value) -> u64 {
    let comparison = &stage["comparison"];
    let columns = comparison["columns"].as_object();
    let changed =
        columns.into_iter().flat_map(|all| all.values()).filter_map(|column| column["changed"].as_u64()).max();
    let only = |side: &str| comparison[side].as_u64().unwrap_or(0);
    changed.unwrap_or(0) + only("only_new") + only("only_old")
}
