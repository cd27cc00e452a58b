//! The right to write a lake.

use super::boot;
use super::holder;
use super::lease_cell::{Cell, Record, Seen};
use crate::client::Retry;
use sluice_ports::{Kind, Lease, PortError, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// How often an acquire that meets others who acquire looks again.
const LOOKS: u32 = 5;
/// A release that the service does not take in this time is left to expire.
const RELEASE_PATIENCE: Duration = Duration::from_secs(5);

/// How the lease is kept.
#[derive(Debug, Clone)]
pub struct LeaseOptions {
    /// How long a renewal lasts; default 30 s, at least 1 s. It is renewed three times as often, and another host takes
    /// over when it saw none for so long.
    pub ttl: Duration,
    /// DynamoDB table with the key `lease` (S); without one the lease is an object of the lake.
    pub table: Option<String>,
}

impl Default for LeaseOptions {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(30), table: None }
    }
}

/// What a process that wants the lease saw of it, kept between its attempts. No clocks of two machines are compared: a
/// holder is gone when nothing changed for its whole time by the clock of who looks.
#[derive(Debug, Default)]
pub(super) struct Observer {
    seen: Option<(Record, Duration)>,
}

impl Observer {
    /// How much longer a record must stay as it is before it is taken over; nothing left where it has expired.
    fn left(&mut self, record: &Record, ttl: Duration) -> Duration {
        let (now, ttl) = (boot::now(), ttl.max(record.ttl()));
        match &self.seen {
            Some((seen, since)) if seen == record => (*since + ttl).saturating_sub(now),
            _ => {
                self.seen = Some((record.clone(), now));
                ttl
            }
        }
    }
}

/// Whether nobody works under a record any more: it was let go, or its process is known to have ended.
fn is_free(record: &Record) -> bool {
    record.owner.is_empty() || holder::was_dropped(&record.owner) || holder::is_gone(&record.process)
}

/// Takes the lease, or says who has it. `floor` is a fence that the new one must exceed.
pub(super) async fn acquire<F: Future<Output = Result<u64>>>(
    cell: &Cell,
    policy: &Retry,
    ttl: Duration,
    observer: &mut Observer,
    floor: impl Fn() -> F,
) -> Result<(Arc<Held>, Seen)> {
    for _ in 0..LOOKS {
        let seen = cell.read(policy).await?;
        if let Some(Seen { record, .. }) = seen.as_ref().filter(|seen| !is_free(&seen.record)) {
            let left = observer.left(record, ttl);
            if !left.is_zero() {
                return Err(held_by(cell, record, left));
            }
            tracing::warn!(
                holder = record.holder,
                fence = record.fence,
                "the lease was not renewed for {:?}; it is taken over",
                ttl.max(record.ttl())
            );
        }
        let fence = match &seen {
            Some(seen) => seen.record.fence,
            // a lease that was deleted must not begin below what stands in the log
            None => floor().await?,
        };
        let begun = boot::now();
        let record = claim(fence + 1, seen.as_ref(), ttl);
        if let Some(seen) = cell.write(policy, seen.as_ref(), &record).await? {
            return Ok((Arc::new(Held::new(cell, &record, begun)), seen));
        }
    }
    let message = format!("{}: other processes keep taking this lease; try again", cell.what());
    Err(PortError::new(Kind::Fenced, message))
}

fn claim(fence: u64, over: Option<&Seen>, ttl: Duration) -> Record {
    Record {
        owner: Uuid::new_v4().simple().to_string(),
        fence,
        beat: over.map_or(0, |seen| seen.record.beat) + 1,
        ttl_ms: ttl.as_millis() as u64,
        holder: holder::name(),
        process: holder::process().to_owned(),
    }
}

fn held_by(cell: &Cell, record: &Record, left: Duration) -> PortError {
    let message = format!(
        "{}: this lake is being written by {} (fence {}); wait for it, stop it, or name another prefix; unless it is \
         renewed it can be taken over in {:.1} s",
        cell.what(),
        record.holder,
        record.fence,
        left.as_secs_f64()
    );
    PortError::new(Kind::Fenced, message)
}

/// What holder and renewals share.
#[derive(Debug)]
pub(super) struct Held {
    what: String,
    owner: String,
    fence: u64,
    ttl: Duration,
    /// When the last renewal that succeeded was begun, in milliseconds of [`boot::now`].
    renewed: AtomicU64,
    lost: OnceLock<String>,
}

impl Held {
    fn new(cell: &Cell, record: &Record, begun: Duration) -> Self {
        Self {
            what: cell.what(),
            owner: record.owner.clone(),
            fence: record.fence,
            ttl: record.ttl(),
            renewed: AtomicU64::new(begun.as_millis() as u64),
            lost: OnceLock::new(),
        }
    }

    /// How long a renewal is trusted: a little less than others wait.
    fn trusted(&self) -> Duration {
        self.ttl - self.ttl / 10
    }

    pub(super) fn check(&self) -> Result<()> {
        if let Some(reason) = self.lost.get() {
            return Err(PortError::new(Kind::Fenced, reason.clone()));
        }
        let since = boot::now().saturating_sub(Duration::from_millis(self.renewed.load(Ordering::SeqCst)));
        if since <= self.trusted() {
            return Ok(());
        }
        let message = format!(
            "{}: the lease (fence {}) was not renewed for {:.1} s of its {:.1} s, so another process may have it; \
             this one stops",
            self.what,
            self.fence,
            since.as_secs_f64(),
            self.ttl.as_secs_f64()
        );
        Err(PortError::new(Kind::Fenced, message))
    }

    fn renewed(&self, begun: Duration) {
        self.renewed.store(begun.as_millis() as u64, Ordering::SeqCst);
    }

    fn lose(&self, to: Option<&Record>) {
        let to = match to {
            Some(record) if !record.owner.is_empty() => format!("{} took it (fence {})", record.holder, record.fence),
            Some(record) => format!("another process had it meanwhile (fence {})", record.fence),
            None => "somebody deleted it".to_owned(),
        };
        let message = format!("{}: the lease (fence {}) was lost: {to}; this process stops", self.what, self.fence);
        tracing::error!("{message}");
        let _ = self.lost.set(message);
    }
}

/// The lease. Dropping it lets it go, in the background.
pub(super) struct S3Lease {
    held: Arc<Held>,
    /// Ends the renewals when it goes.
    _stop: oneshot::Sender<()>,
}

impl S3Lease {
    /// Renews what was acquired until it is dropped. `running` counts those that have not been let go.
    pub(super) fn keep(
        held: Arc<Held>,
        cell: Cell,
        policy: &Retry,
        seen: Seen,
        running: Arc<watch::Sender<usize>>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        running.send_modify(|count| *count += 1);
        let policy = policy.clone().with_budget(held.ttl / 3);
        let keeper = Keeper { held: held.clone(), cell, policy, seen, running };
        tokio::spawn(keeper.run(stopped));
        Self { held, _stop: stop }
    }
}

impl Lease for S3Lease {
    fn fence(&self) -> u64 {
        self.held.fence
    }

    fn check(&self) -> Result<()> {
        self.held.check()
    }
}

impl Drop for S3Lease {
    fn drop(&mut self) {
        holder::dropped(&self.held.owner);
    }
}

/// Renews a lease, and lets it go.
struct Keeper {
    held: Arc<Held>,
    cell: Cell,
    policy: Retry,
    seen: Seen,
    running: Arc<watch::Sender<usize>>,
}

impl Keeper {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut pause = self.held.ttl / 3;
        while self.held.lost.get().is_none() {
            tokio::select! {
                _ = &mut stopped => return self.release().await,
                () = sleep(pause) => {}
            }
            pause = self.renew().await;
        }
    }

    /// Renews once; how long to wait before the next time.
    async fn renew(&mut self) -> Duration {
        let (third, soon) = (self.held.ttl / 3, self.held.ttl / 20);
        let begun = boot::now();
        let next = Record { beat: self.seen.record.beat + 1, ..self.seen.record.clone() };
        match timeout(third, self.cell.write(&self.policy, Some(&self.seen), &next)).await {
            Ok(Ok(Some(seen))) => {
                self.seen = seen;
                self.held.renewed(begun);
                third
            }
            Ok(Ok(None)) => {
                self.look().await;
                soon
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, fence = self.held.fence, "the lease was not renewed; trying again");
                soon
            }
            Err(_) => {
                tracing::warn!(fence = self.held.fence, "renewing the lease took over {third:?}; trying again");
                soon
            }
        }
    }

    /// Finds out what is there instead of what was seen: a renewal of one's own that was given up too early, or another
    /// holder.
    async fn look(&mut self) {
        match timeout(self.held.ttl / 3, self.cell.read(&self.policy)).await {
            Ok(Ok(Some(seen))) if seen.record.owner == self.held.owner => self.seen = seen,
            Ok(Ok(other)) => self.held.lose(other.as_ref().map(|seen| &seen.record)),
            _ => {}
        }
    }

    /// Writes down that nobody holds it; the fence stays for the next.
    async fn release(self) {
        let free = Record {
            owner: String::new(),
            beat: self.seen.record.beat + 1,
            process: String::new(),
            ..self.seen.record.clone()
        };
        let policy = self.policy.clone().with_budget(RELEASE_PATIENCE);
        match timeout(RELEASE_PATIENCE, self.cell.write(&policy, Some(&self.seen), &free)).await {
            // it is free, or the next holder's already
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the lease was not let go; it expires"),
            Err(_) => tracing::warn!("the lease was not let go within {RELEASE_PATIENCE:?}; it expires"),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.running.send_modify(|count| *count = count.saturating_sub(1));
    }
}
