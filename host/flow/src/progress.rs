//! How far a run has come, for whoever shows it.

use crate::latency::Latency;
use sluice_batch::{Account, Commit};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of a run under way. Updated a batch at a time.
#[derive(Debug, Default)]
pub struct Progress {
    records: AtomicU64,
    bytes: AtomicU64,
    consumed: AtomicU64,
    size: AtomicU64,
    silver: AtomicU64,
    segments: AtomicU64,
    rejects: Mutex<BTreeMap<String, u64>>,
}

/// What the counters say at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Records read.
    pub records: u64,
    /// Bytes of them, decompressed.
    pub bytes: u64,
    /// Bytes of input as stored that are read.
    pub consumed: u64,
    /// Bytes of input as stored, as far as known.
    pub size: u64,
    /// Rows of silver.
    pub silver: u64,
    /// Segments committed.
    pub segments: u64,
    /// Records set aside or left out, by reason.
    pub rejects: BTreeMap<String, u64>,
}

impl Progress {
    pub(crate) fn add_batch(&self, account: &sluice_batch::OriginAccount, bytes: u64) {
        self.records.fetch_add(account.read, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.silver.fetch_add(account.silver, Ordering::Relaxed);
        if account.silver < account.read {
            let mut rejects = self.rejects.lock().expect("no holder panics");
            for (reject, count) in account.quarantined.iter().chain(&account.filtered) {
                *rejects.entry(reject.reason.clone()).or_default() += count;
            }
        }
    }

    /// What was counted of batches that are thrown away and run again.
    pub(crate) fn take_back(&self, account: &sluice_batch::OriginAccount, bytes: u64) {
        self.records.fetch_sub(account.read, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.silver.fetch_sub(account.silver, Ordering::Relaxed);
        let mut rejects = self.rejects.lock().expect("no holder panics");
        for (reject, count) in account.quarantined.iter().chain(&account.filtered) {
            if let Some(total) = rejects.get_mut(&reject.reason) {
                *total = total.saturating_sub(*count);
            }
        }
    }

    pub(crate) fn add_size(&self, bytes: u64) {
        self.size.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_consumed(&self, bytes: u64) {
        self.consumed.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_segment(&self) {
        self.segments.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            records: self.records.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            consumed: self.consumed.load(Ordering::Relaxed),
            size: self.size.load(Ordering::Relaxed),
            silver: self.silver.load(Ordering::Relaxed),
            segments: self.segments.load(Ordering::Relaxed),
            rejects: self.rejects.lock().expect("no holder panics").clone(),
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Books of all segments committed by this run.
    pub account: Account,
    /// Segments committed.
    pub segments: u64,
    /// Things that a person should know: an unterminated last record, a cut run again or aborted, late rows.
    pub notes: Vec<String>,
    /// What was acknowledged of the silver rows where they are delivered besides the lake.
    pub delivered: Option<sluice_batch::Delivered>,
    /// Inputs that broke: what came before the break is committed.
    pub broken: Vec<String>,
    /// Whether the run was asked to stop before its input ended.
    pub stopped: bool,
    /// Processor time of the workers by what they did.
    pub split: crate::work::Split,
    /// Processor time of the appender for putting batches into segments: windows, encoding.
    pub append: std::time::Duration,
    /// Processor time of the appender for closing segments: objects, commits; other encoders are not counted.
    pub commit: std::time::Duration,
    /// How long batches took from when they were given to the workers until they stood in a segment.
    pub latency: Latency,
    /// Times that another version of the pipeline took over.
    pub turns: u64,
    /// Batches that were run twice to see that rules say the same.
    pub audited: u64,
    /// Rules that did not, as `name@version`, with the batches.
    pub differed: BTreeMap<String, u64>,
    /// Key of the version in use at the end.
    pub version: String,
    /// Key of a version that was still on its way then.
    pub pending: Option<String>,
}

impl Summary {
    /// A segment is committed.
    pub(crate) fn add(&mut self, commit: &Commit) {
        self.segments += 1;
        self.account.add(&commit.account);
        if let Some(delivered) = &commit.delivered {
            self.delivered.get_or_insert_default().add(delivered);
        }
    }
}
