//! What fetching a shard's records gives, however they are fetched.

use super::decode::RawRecord;
use super::fan_out::FanOut;
use super::loss::LossPolicy;
use super::polling::Polling;
use super::stream::{Stream, StreamName};
use crate::client::Aws;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};
use aws_smithy_types::DateTime;
use bytes::Bytes;
use sluice_batch::{Position, Sequence};
use sluice_ports::{Kind, PortError, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The shard that is fetched from.
#[derive(Debug, Clone)]
pub(super) struct Shard {
    pub(super) aws: Aws,
    pub(super) name: StreamName,
    pub(super) stream: Arc<Stream>,
    pub(super) id: String,
    pub(super) loss: LossPolicy,
}

impl Shard {
    /// For people and for the texts of errors.
    pub(super) fn label(&self) -> String {
        format!("shard `{}` of `{}`", self.id, self.stream.arn)
    }
}

/// What a fetch gave.
#[derive(Debug)]
pub(super) enum Fetched {
    /// An answer.
    Answer {
        records: Vec<RawRecord>,
        /// Milliseconds behind the newest record, as the service says.
        behind: Option<i64>,
        /// Whether the shard is closed and this was its last answer.
        closed: bool,
    },
    /// Nothing new can be there yet.
    NotDue,
}

/// Fetches one shard.
#[derive(Debug)]
pub(super) enum Fetcher {
    Polling(Box<Polling>),
    FanOut(Box<FanOut>),
}

impl Fetcher {
    /// Makes sure that the shard is there and reaches the position.
    pub(super) async fn begin(&mut self) -> Result<()> {
        match self {
            Self::Polling(polling) => polling.begin().await,
            Self::FanOut(fan_out) => fan_out.begin().await,
        }
    }

    /// The next answer. May be dropped at any time and asked again: no record is lost by it.
    pub(super) async fn fetch(&mut self) -> Result<Fetched> {
        match self {
            Self::Polling(polling) => polling.fetch().await,
            Self::FanOut(fan_out) => fan_out.fetch().await,
        }
    }
}

/// How far a shard was fetched, and what is expected to come next.
#[derive(Debug)]
pub(super) struct Cursor {
    from: Position,
    /// The last record fetched.
    last: Option<Sequence>,
    /// The record with which the next answer must begin, if the stream still holds it.
    expected: Option<Sequence>,
    /// When the shard last had nothing more.
    caught_up: Option<Instant>,
    /// Whether the place behind the last record is gone, and the oldest record is next.
    skipped: bool,
}

/// A place to fetch from.
pub(super) struct Place {
    pub(super) kind: ShardIteratorType,
    pub(super) sequence: Option<String>,
    pub(super) timestamp: Option<DateTime>,
}

impl Place {
    pub(super) fn sequence(kind: ShardIteratorType, sequence: &impl ToString) -> Self {
        Self { kind, sequence: Some(sequence.to_string()), timestamp: None }
    }
}

impl Cursor {
    pub(super) fn new(from: Position) -> Self {
        Self { from, last: None, expected: None, caught_up: None, skipped: false }
    }

    /// Where to fetch from anew. Behind a record it is at that record: so its absence shows.
    pub(super) fn place(&mut self, shard: &Shard) -> Place {
        if let Some(sequence) = self.behind().filter(|_| !self.skipped) {
            self.expected = (!self.is_safe(shard)).then_some(sequence);
            return Place::sequence(ShardIteratorType::AtSequenceNumber, &sequence);
        }
        match self.from {
            Position::AtTimestamp(ms) if !self.skipped => {
                let timestamp = Some(DateTime::from_millis(ms));
                Place { kind: ShardIteratorType::AtTimestamp, sequence: None, timestamp }
            }
            _ => Place { kind: ShardIteratorType::TrimHorizon, sequence: None, timestamp: None },
        }
    }

    /// The record behind which fetching goes on.
    fn behind(&self) -> Option<Sequence> {
        let from = match self.from {
            Position::At(record) => Some(record.sequence),
            _ => None,
        };
        self.last.or(from)
    }

    /// Whether nothing that was not fetched can have expired: all was fetched, not longer ago than records are kept.
    fn is_safe(&self, shard: &Shard) -> bool {
        let hours = u64::try_from(shard.stream.retention_hours).unwrap_or_default();
        self.caught_up.is_some_and(|at| at.elapsed() < Duration::from_secs(hours * 3600))
    }

    /// The place to fetch from is no longer there: from now on it is the oldest record.
    pub(super) fn expired(&mut self, shard: &Shard, why: &str) -> Result<()> {
        if !self.is_safe(shard) {
            let (label, after) = (shard.label(), self.behind().unwrap_or_default());
            shard.loss.lost(&format!("{label} cannot be read on after {after}: {why}"))?;
        }
        (self.skipped, self.expected) = (true, None);
        Ok(())
    }

    /// Takes an answer's records: those that are new, once it is sure that none is missing before them.
    pub(super) fn take(&mut self, shard: &Shard, records: Vec<Record>) -> Result<Vec<RawRecord>> {
        let raw = records.into_iter().map(|record| raw(record, shard)).collect::<Result<Vec<_>>>()?;
        if let (Some(expected), Some(first)) = (self.expected, raw.first()) {
            if first.sequence > expected {
                let (label, first, hours) = (shard.label(), first.sequence, shard.stream.retention_hours);
                shard.loss.lost(&format!(
                    "{label} no longer holds record {expected}, after which reading goes on, and begins with {first}; \
                     the stream keeps records for {hours} hours, and those in between are lost"
                ))?;
            }
            self.expected = None;
        }
        let last = self.last;
        let new: Vec<_> = raw.into_iter().filter(|record| last.is_none_or(|last| record.sequence > last)).collect();
        if let Some(newest) = new.last() {
            (self.last, self.skipped) = (Some(newest.sequence), false);
        }
        Ok(new)
    }

    /// Notes whether the shard has more than was fetched.
    pub(super) fn note(&mut self, shard: &Shard, quiet: bool) {
        if quiet {
            self.nothing_more(shard);
        } else {
            self.caught_up = None;
        }
    }

    fn nothing_more(&mut self, shard: &Shard) {
        if let Some(expected) = self.expected.take() {
            let label = shard.label();
            shard.loss.uncertain(&format!(
                "{label} no longer holds record {expected}, after which reading goes on, nor any other"
            ));
        }
        self.caught_up = Some(Instant::now());
    }
}

fn raw(record: Record, shard: &Shard) -> Result<RawRecord> {
    let sequence = record.sequence_number.parse().map_err(|_| {
        let (label, number) = (shard.label(), &record.sequence_number);
        let message = format!("{label} gave `{number}`, which is no sequence number; check the endpoint");
        PortError::new(Kind::Fatal, message)
    })?;
    let arrived = record.approximate_arrival_timestamp.and_then(|at| at.to_millis().ok());
    let data = Bytes::from(record.data.into_inner());
    Ok(RawRecord { sequence, arrived_at: arrived.unwrap_or_else(super::lag::now_ms), data })
}
