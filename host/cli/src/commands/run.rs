//! `sluice run`.

use super::run_aws;
use crate::args::RunArgs;
use crate::aws::warehouse::Pass;
use crate::bind::{self, Bound};
use crate::exit::{INPUT, VERSION};
use crate::progress::Display;
use crate::versions::Shelf;
use crate::versions::start::{self, Start};
use crate::{lake, report};
use anyhow::{Context, Result, bail};
use sluice_flow::{FlowError, Options, Ports, Progress, Summary};
use sluice_local::{DirLog, DirStore, FileSource, FileSourceConfig};
use sluice_ports::{Alert, Alerts, CommitLog, ObjectStore, SystemClock};
use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

pub(crate) fn run(args: &RunArgs) -> Result<ExitCode> {
    let bound = bind::bind(&args.pipeline, args.batch_rows, bind::Purpose::Run { threads: threads(args) }, false)?;
    let runtime = super::runtime()?;
    let dataset = bound.checked.plan.dataset.clone();
    let begun = Instant::now();
    let on_aws = bound.environment.aws.is_some();
    let done = runtime.block_on(async {
        match on_aws {
            true => run_aws::flow(args, bound).await,
            false => Ok(Done { summary: flow(args, bound).await?, warehouse: None, lag_ms: BTreeMap::new() }),
        }
    });
    let done = done.with_context(|| dataset.clone())?;
    let elapsed = begun.elapsed();
    let (summary, warehouse) = (&done.summary, done.warehouse.as_ref());
    if args.json {
        let mut account = report::json(&dataset, summary, warehouse, elapsed);
        if on_aws {
            account["lag_ms"] = serde_json::json!(done.lag_ms);
        }
        println!("{account}");
    } else {
        print!("{}", report::text(&dataset, summary, warehouse, elapsed));
    }
    let whole = |pass: &Pass| summary.stopped || (!pass.has_set_aside() && pass.gaps.is_empty());
    let not_finished = summary.account.gold.values().any(|gold| gold.finish_failed > 0);
    if not_finished || !summary.differed.is_empty() {
        return Ok(ExitCode::from(VERSION));
    }
    let clean = summary.broken.is_empty() && warehouse.is_none_or(whole);
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(INPUT) })
}

/// What a run did.
pub(super) struct Done {
    pub(super) summary: Summary,
    pub(super) warehouse: Option<Pass>,
    /// How far behind each shard of a stream was at the end, milliseconds.
    pub(super) lag_ms: BTreeMap<String, i64>,
}

pub(super) fn threads(args: &RunArgs) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, NonZero::get);
    args.threads.map_or_else(processors, usize::from)
}

/// The versions of a run, ready: the lake's record is read and the steward at work.
pub(super) async fn begin(
    bound: Bound,
    store: Arc<dyn ObjectStore>,
    log: Arc<dyn CommitLog>,
    follow: bool,
) -> Result<Start> {
    let shelf = Arc::new(Shelf::new(store, bound.workshop.clone()));
    // of a lake that is another dataset's nothing is touched: the run will refuse it
    if log.dataset().await?.is_none_or(|there| there == bound.checked.plan.dataset) {
        shelf.keep(&bound).await?;
    }
    let start = start::start(bound, shelf, log, follow).await?;
    for note in &start.notes {
        tracing::warn!("{note}");
    }
    Ok(start)
}

async fn flow(args: &RunArgs, bound: Bound) -> Result<Summary> {
    if args.until_caught_up {
        bail!("`--until-caught-up` is for streams; a run over files ends by itself");
    }
    let data_dir = lake::data_dir(args.data_dir.as_deref(), &bound.environment, &bound.checked.plan.dataset);
    let source = FileSource::new(FileSourceConfig {
        paths: inputs(args, &bound)?,
        compression: lake::compression(bound.environment.compression),
        follow: args.follow,
        accept_changed: args.reread.clone(),
    });
    let (store, log): (Arc<dyn ObjectStore>, Arc<dyn CommitLog>) =
        (Arc::new(DirStore::create(&data_dir)?), Arc::new(DirLog::new(&data_dir)));
    // of its own: what one of them makes durable is not the other's
    let versions: Arc<dyn ObjectStore> = Arc::new(DirStore::create(&data_dir)?);
    let ports = Ports {
        source: Arc::new(source),
        store,
        log: log.clone(),
        clock: Arc::new(SystemClock::default()),
        alerts: Arc::new(LogAlerts),
        delivery: None,
    };
    let options = Options {
        threads: threads(args),
        follow: args.follow,
        keep_open: args.keep_open,
        standby: false,
        audit_ppm: args.audit,
    };
    let progress = Arc::new(Progress::default());
    let display = Display::start(progress.clone());
    let Start { pipeline, control, steward, .. } = begin(bound, versions, log, args.follow).await?;
    let done = sluice_flow::run_steered(pipeline, ports, options, progress, stop_signal()?, control).await;
    steward.stop().await;
    display.stop().await;
    done.map_err(FlowError::into)
}

fn inputs(args: &RunArgs, bound: &Bound) -> Result<Vec<PathBuf>> {
    if !args.input.is_empty() {
        return Ok(args.input.clone());
    }
    let input = bound.environment.input.clone();
    let name = &bound.environment.name;
    input.map(|input| vec![input]).with_context(|| {
        format!("no input: give `--input PATH`, or name one in the manifest under `environments.{name}.input`")
    })
}

/// Turns true at the first SIGINT or SIGTERM: the run drains, commits and ends. A second signal ends it at once, which
/// loses nothing either.
pub(super) fn stop_signal() -> Result<watch::Receiver<bool>> {
    let (tell, told) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    tokio::spawn(async move {
        let first = tokio::select! { _ = interrupt.recv() => 130, _ = terminate.recv() => 143 };
        let _ = tell.send(true);
        eprintln!("stopping after what is under way; once more to stop at once");
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        std::process::exit(first);
    });
    Ok(told)
}

/// Alerts on the log, where there is nobody else to tell.
pub(super) struct LogAlerts;

impl Alerts for LogAlerts {
    fn raise(&self, alert: Alert) {
        tracing::warn!(dataset = alert.dataset, code = alert.code, "{}", alert.message);
    }
}
