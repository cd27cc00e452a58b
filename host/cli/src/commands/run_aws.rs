//! `sluice run` in an environment on AWS.

use super::run::{Done, LogAlerts, begin, stop_signal, threads};
use crate::args::RunArgs;
use crate::aws::warehouse::{Pass, Warehouse};
use crate::aws::{Account, Input};
use crate::bind::Bound;
use crate::progress::Display;
use crate::versions::start::Start;
use anyhow::{Context, Result, bail};
use sluice_flow::{FlowError, Options, Ports, Progress};
use sluice_ports::{Alert, Alerts, Delivery, SystemClock};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often a run that ends looks for rows that were delivered and have not arrived.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

pub(super) async fn flow(args: &RunArgs, bound: Bound) -> Result<Done> {
    refuse_local_arguments(args)?;
    let account = Arc::new(Account::connect(&bound).await?);
    let alerts: Arc<dyn Alerts> = Arc::new(LogAlerts);
    let is_stream = matches!(account.spec.source, sluice_manifest::AwsSource::Kinesis(_));
    let follow = args.follow || (is_stream && !args.until_caught_up);
    let delivery = account.delivery(&bound);
    if let Some(delivery) = &delivery {
        delivery.check().await?;
    }
    let warehouse = Warehouse::of(&bound, &account)?.map(Arc::new);
    let input = account.source(args.until_caught_up, follow, alerts.clone()).await?;
    let ports = Ports {
        source: input.source(),
        store: account.store.clone(),
        log: Arc::new(account.log.clone()),
        clock: Arc::new(SystemClock::default()),
        delivery: delivery.map(|delivery| delivery as Arc<dyn Delivery>),
        alerts: alerts.clone(),
    };
    let options = Options {
        threads: threads(args),
        follow,
        keep_open: args.keep_open,
        standby: !args.no_standby,
        audit_ppm: args.audit,
    };
    let start = begin(bound, account.store.clone(), Arc::new(account.log.clone()), follow).await?;
    let Start { pipeline, control, steward, .. } = start;
    let (progress, stop) = (Arc::new(Progress::default()), stop_signal()?);
    let display = Display::start(progress.clone());
    let loading = warehouse.clone().map(|warehouse| Loading::start(account.clone(), warehouse, alerts.clone()));
    let lags = tokio::spawn(tell_lags(input.clone()));
    let done = sluice_flow::run_steered(pipeline, ports, options, progress, stop.clone(), control).await;
    steward.stop().await;
    lags.abort();
    let loaded = match loading {
        Some(loading) => loading.stop().await,
        None => Pass::default(),
    };
    display.stop().await;
    let summary = done.map_err(FlowError::into);
    account.log.settled().await;
    let summary: sluice_flow::Summary = summary.map_err(|error: anyhow::Error| error)?;
    let warehouse = match warehouse {
        // whoever comes next loads the rest
        Some(_) if summary.stopped => Some(loaded),
        Some(warehouse) => Some(finish(&account, &warehouse, loaded, alerts.as_ref(), stop).await?),
        None => None,
    };
    Ok(Done { summary, warehouse, lag_ms: input.lag() })
}

/// How often the log hears how far behind the shards are.
const LAGS_EVERY: Duration = Duration::from_secs(30);

/// Tells for each shard how far its newest record that was read lies behind.
async fn tell_lags(input: Input) {
    loop {
        tokio::time::sleep(LAGS_EVERY).await;
        for (shard, behind_ms) in input.lag() {
            tracing::info!(target: "sluice::lag", shard, behind_ms, "{shard} is {behind_ms} ms behind");
        }
    }
}

fn refuse_local_arguments(args: &RunArgs) -> Result<()> {
    let name = &args.pipeline.env;
    if !args.input.is_empty() || !args.reread.is_empty() {
        bail!("`--input` and `--reread` are for files of this machine; environment `{name}` names its own source");
    }
    if args.data_dir.is_some() {
        bail!("`--data-dir` is for a lake on this machine; environment `{name}` names its own lake");
    }
    Ok(())
}

/// Loads in the background while the run goes on.
struct Loading {
    stop: watch::Sender<bool>,
    task: JoinHandle<Pass>,
}

impl Loading {
    fn start(account: Arc<Account>, warehouse: Arc<Warehouse>, alerts: Arc<dyn Alerts>) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let (mut total, mut prepared, mut watch) = (Pass::default(), false, Watch::default());
            loop {
                tokio::select! {
                    () = tokio::time::sleep(warehouse.every()) => {}
                    _ = stopped.wait_for(|stop| *stop) => return total,
                }
                // a host that stands by, or slept past its lease, loads nothing
                if !account.log.holds() {
                    continue;
                }
                match one(&account, &warehouse, &mut prepared).await {
                    Ok(pass) => {
                        watch.look(&account, &warehouse, &pass, alerts.as_ref());
                        total.add(pass);
                    }
                    // the lake has everything; the next pass goes on from there
                    Err(error) => tracing::warn!("loading: {}", crate::exit::chain(&error)),
                }
            }
        });
        Self { stop, task }
    }

    /// Lets the pass that is under way end.
    async fn stop(self) -> Pass {
        let _ = self.stop.send(true);
        self.task.await.unwrap_or_default()
    }
}

async fn one(account: &Account, warehouse: &Warehouse, prepared: &mut bool) -> Result<Pass> {
    if !*prepared {
        for line in warehouse.prepare().await? {
            tracing::info!("{line}");
        }
        *prepared = true;
    }
    warehouse.pass(account).await
}

/// Raises an alarm for a gap that is older than what a delivery may take, once for each.
#[derive(Default)]
struct Watch {
    since: std::collections::BTreeMap<u64, Instant>,
    told: std::collections::BTreeSet<String>,
}

impl Watch {
    fn look(&mut self, account: &Account, warehouse: &Warehouse, pass: &Pass, alerts: &dyn Alerts) {
        self.since.retain(|commit, _| pass.gaps.iter().any(|gap| gap.commit == *commit));
        for gap in &pass.gaps {
            let waited = self.since.entry(gap.commit).or_insert_with(Instant::now).elapsed();
            if waited > warehouse.grace() {
                let commit = gap.commit;
                let message = format!(
                    "commit {commit}: {} of {} silver rows are in the warehouse after {} s; deliver them again with `sluice \
                     replay --commit {commit}`",
                    gap.loaded,
                    gap.committed,
                    waited.as_secs()
                );
                self.tell(account, alerts, "delivery_gap", message, &format!("gap {commit}"));
            }
        }
        for key in &pass.failed {
            let message =
                format!("`{key}` holds what the delivery stream could not deliver; see it, then `sluice replay`");
            self.tell(account, alerts, "delivery_failed", message, key);
        }
    }

    fn tell(&mut self, account: &Account, alerts: &dyn Alerts, code: &'static str, message: String, what: &str) {
        if self.told.insert(what.to_owned()) {
            alerts.raise(Alert { dataset: account.dataset.clone(), code, message });
        }
    }
}

/// The last passes of a run: what is committed is loaded. Of a delivery stream rows arrive later; they are waited for, as
/// long as they may take.
async fn finish(
    account: &Account,
    warehouse: &Warehouse,
    mut total: Pass,
    alerts: &dyn Alerts,
    stop: watch::Receiver<bool>,
) -> Result<Pass> {
    let (begun, mut prepared) = (Instant::now(), false);
    loop {
        let pass = one(account, warehouse, &mut prepared).await.context("loading")?;
        let waiting = warehouse.is_delivered() && !pass.gaps.is_empty();
        total.add(pass);
        if waiting && begun.elapsed() > warehouse.grace() {
            let message =
                "rows that were delivered did not arrive in time; see the gaps, then `sluice replay`".to_owned();
            alerts.raise(Alert { dataset: account.dataset.clone(), code: "delivery_gap", message });
            return Ok(total);
        }
        if !waiting || *stop.borrow() {
            return Ok(total);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
