//! Fetching by GetRecords.

use super::call::{Failure, call};
use super::fetch::{Cursor, Fetched, Shard};
use super::pace::{Answer, Pace};
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use sluice_batch::Position;
use sluice_ports::{PortError, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Iterators that expired one after another without giving an answer, before it counts as a failure. One lives five
/// minutes; a consumer that is blocked for longer needs a new one.
const MAX_EXPIRED: u32 = 5;

/// Polls one shard.
#[derive(Debug)]
pub(super) struct Polling {
    shard: Arc<Shard>,
    cursor: Cursor,
    iterator: Option<String>,
    pace: Pace,
    due: Instant,
    /// Whether the last answer said that there is nothing more.
    quiet: bool,
}

impl Polling {
    pub(super) fn new(shard: Arc<Shard>, from: Position, interval: Duration) -> Self {
        let (cursor, pace) = (Cursor::new(from), Pace::new(interval));
        Self { shard, cursor, iterator: None, pace, due: Instant::now(), quiet: false }
    }

    pub(super) async fn begin(&mut self) -> Result<()> {
        self.iterator().await.map(drop)
    }

    /// An iterator at the cursor.
    async fn iterator(&mut self) -> Result<String> {
        if let Some(iterator) = &self.iterator {
            return Ok(iterator.clone());
        }
        let found = match self.ask_for_iterator().await {
            Err(failure) if self.is_expired(&failure) => {
                self.cursor.expired(&self.shard, &failure.error.message)?;
                self.ask_for_iterator().await?
            }
            found => found?,
        };
        self.iterator = Some(found.clone());
        Ok(found)
    }

    /// Whether a failure says that the stream does not know the sequence number any more.
    fn is_expired(&mut self, failure: &Failure) -> bool {
        failure.code == "InvalidArgumentException" && self.cursor.place(&self.shard).sequence.is_some()
    }

    async fn ask_for_iterator(&mut self) -> std::result::Result<String, Failure> {
        let (shard, place) = (&self.shard, self.cursor.place(&self.shard));
        let request = || {
            let call = shard.aws.kinesis().get_shard_iterator().shard_id(&shard.id);
            call.set_stream_name(shard.name.name())
                .set_stream_arn(shard.name.arn())
                .shard_iterator_type(place.kind.clone())
                .set_starting_sequence_number(place.sequence.clone())
                .set_timestamp(place.timestamp)
                .send()
        };
        let found = call(&shard.aws, "GetShardIterator", &shard.label(), request).await.result?;
        // an iterator is given for any shard that is known; a stream without one is asked again by whoever reads
        found.shard_iterator.ok_or_else(|| Failure {
            code: String::new(),
            error: PortError::new(sluice_ports::Kind::Retry, format!("{} gave no iterator; try again", shard.label())),
        })
    }

    pub(super) async fn fetch(&mut self) -> Result<Fetched> {
        if self.quiet && Instant::now() < self.due {
            return Ok(Fetched::NotDue);
        }
        sleep_until(self.due).await;
        let (answer, refusals) = self.get_records().await?;
        let behind = answer.millis_behind_latest;
        let records = self.cursor.take(&self.shard, answer.records).inspect_err(|_| self.iterator = None)?;
        self.iterator = answer.next_shard_iterator;
        let closed = self.iterator.is_none();
        let bytes = records.iter().map(|record| record.data.len()).sum();
        let kind = match records.is_empty() {
            true if closed || behind.unwrap_or_default() == 0 => Answer::Quiet,
            true => Answer::Gap,
            false => Answer::Records(bytes),
        };
        self.quiet = kind == Answer::Quiet;
        self.cursor.note(&self.shard, self.quiet);
        self.due = Instant::now() + self.pace.wait_after(kind, refusals);
        Ok(Fetched::Answer { records, behind, closed })
    }

    /// One answer, by a new iterator where the old one expired.
    async fn get_records(&mut self) -> Result<(GetRecordsOutput, u32)> {
        let mut expired = 0;
        loop {
            let (iterator, shard) = (self.iterator().await?, &self.shard);
            let request =
                || shard.aws.kinesis().get_records().shard_iterator(&iterator).set_stream_arn(shard.name.arn()).send();
            let called = call(&shard.aws, "GetRecords", &shard.label(), request).await;
            match called.result {
                Ok(answer) => return Ok((answer, called.throttles)),
                Err(failure) => {
                    // whatever it was, the next attempt begins behind the last record that was fetched
                    self.iterator = None;
                    expired += 1;
                    if failure.code != "ExpiredIteratorException" || expired > MAX_EXPIRED {
                        return Err(failure.error);
                    }
                }
            }
        }
    }
}
