//! A run in memory: what a version makes of some records, without anything leaving.

use anyhow::Result;
use sluice_flow::{Options, Pipeline, Ports, Progress, Summary};
use sluice_ports::memory::{LossyStore, MemoryAlerts, MemoryLog, MemorySource};
use sluice_ports::{Alerts, SystemClock};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    pub(crate) summary: Summary,
    /// Rows that rules failed on, or that came to a parked rule.
    pub(crate) failed: u64,
}

impl Rehearsal {
    /// Processor time of the rules for each record.
    pub(crate) fn per_record(&self) -> Duration {
        let records = self.summary.account.total().read.max(1);
        Duration::from_nanos((self.summary.split.rules.as_nanos() / u128::from(records)) as u64)
    }
}

/// Runs a version over records in its format.
pub(crate) async fn rehearse(pipeline: &Arc<Pipeline>, records: &[u8]) -> Result<Rehearsal> {
    let source = MemorySource::new("rehearsal", 1 << 20);
    source.bytes("records", records);
    let alerts: Arc<dyn Alerts> = Arc::new(MemoryAlerts::default());
    let ports = Ports {
        source: Arc::new(source),
        store: Arc::new(LossyStore::default()),
        log: Arc::new(MemoryLog::default()),
        clock: Arc::new(SystemClock::default()),
        alerts,
        delivery: None,
    };
    let options = Options { threads: 1, ..Options::default() };
    let (_tell, stop) = watch::channel(false);
    let summary = sluice_flow::run(pipeline.clone(), ports, options, Arc::new(Progress::default()), stop).await?;
    let total = summary.account.total();
    let is_failure = |reason: &str| matches!(reason, "rule_failed" | "rule_parked");
    let failed =
        total.quarantined.iter().filter(|(reject, _)| is_failure(&reject.reason)).map(|(_, count)| count).sum();
    Ok(Rehearsal { summary, failed })
}
