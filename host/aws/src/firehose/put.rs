//! One batch, until every record of it is acknowledged.

use super::pace::Pace;
use super::pack::Record;
use crate::client::{Aws, Class, retry};
use aws_sdk_firehose::operation::RequestId;
use aws_sdk_firehose::operation::put_record_batch::PutRecordBatchOutput;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record as Entry;
use sluice_ports::{Kind, PortError, Receipt, Result, failpoint};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const OPERATION: &str = "PutRecordBatch";

/// The way to a delivery stream.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) aws: Aws,
    pub(super) stream: String,
    pub(super) pace: Pace,
}

/// Entries of an answer that failed.
struct Failed {
    /// Places in the request, ascending.
    places: Vec<usize>,
    /// How many by code.
    codes: BTreeMap<String, usize>,
    /// What the service says of one of them.
    message: String,
}

impl Link {
    /// Puts a batch. Entries that fail are sent again, and only they; attempts and time are counted from the last answer
    /// by which some entry came through.
    pub(super) async fn put(&self, batch: Vec<Record>) -> Result<Receipt> {
        let bytes = batch.iter().map(|record| record.data.len()).sum::<usize>();
        let rows = batch.iter().map(|record| record.rows).sum();
        let receipt = Receipt { rows, records: batch.len() as u64, bytes: bytes as u64, direct: 0 };
        let mut left: Vec<Entry> = batch.into_iter().map(entry).collect();
        let (mut attempt, mut since) = (1, Instant::now());
        loop {
            self.pace.take(left.iter().map(|entry| entry.data().as_ref().len()).sum()).await;
            let answer = self.call(&left).await?;
            let failed = self.failed(&answer, left.len())?;
            if failed.places.is_empty() {
                failpoint::hit("after-firehose-ack");
                return Ok(receipt);
            }
            if failed.places.len() < left.len() {
                (attempt, since) = (1, Instant::now());
            }
            self.note(&failed, answer.request_id().unwrap_or_default(), attempt);
            keep(&mut left, &failed.places);
            self.wait(&failed, attempt, since.elapsed()).await?;
            attempt += 1;
        }
    }

    async fn call(&self, entries: &[Entry]) -> Result<PutRecordBatchOutput> {
        let what = format!("delivery stream `{}`", self.stream);
        let call = || {
            let call = self.aws.firehose().put_record_batch().delivery_stream_name(&self.stream);
            call.set_records(Some(entries.to_vec())).send()
        };
        retry(self.aws.retry(), OPERATION, &what, call).await
    }

    fn failed(&self, answer: &PutRecordBatchOutput, sent: usize) -> Result<Failed> {
        let answers = answer.request_responses();
        if answers.len() != sent {
            let message = format!(
                "delivery stream `{}`: {OPERATION} answered for {} of {sent} records, so it is not known which failed",
                self.stream,
                answers.len()
            );
            return Err(PortError::new(Kind::Retry, message));
        }
        let mut failed = Failed { places: Vec::new(), codes: BTreeMap::new(), message: String::new() };
        for (place, code, message) in answers.iter().enumerate().filter_map(|(place, answer)| {
            answer.error_code().map(|code| (place, code, answer.error_message().unwrap_or_default()))
        }) {
            failed.places.push(place);
            *failed.codes.entry(code.to_owned()).or_default() += 1;
            message.clone_into(&mut failed.message);
        }
        Ok(failed)
    }

    fn note(&self, failed: &Failed, request_id: &str, attempt: u32) {
        for (code, entries) in &failed.codes {
            self.aws.faults().note_partial(OPERATION, code, request_id, *entries, attempt);
        }
    }

    /// Waits before the next attempt, if there is to be one. The codes that single entries fail with
    /// (`ServiceUnavailableException`, `InternalFailure`) ask for patience, all of them.
    async fn wait(&self, failed: &Failed, attempt: u32, elapsed: Duration) -> Result<()> {
        let policy = self.aws.retry();
        let wait = policy.wait(attempt, Class::Throttle);
        if attempt < policy.attempts() && elapsed + wait <= policy.budget() {
            sleep(wait).await;
            return Ok(());
        }
        let codes: Vec<_> = failed.codes.keys().map(|code| format!("`{code}`")).collect();
        let message = format!(
            "delivery stream `{}`: {} records were not taken after {attempt} attempts in {:.1} s: {} ({}); what was not \
             acknowledged is sent again by the next run; if this is its quota, have it raised or set `mib_per_second`",
            self.stream,
            failed.places.len(),
            elapsed.as_secs_f64(),
            codes.join(", "),
            failed.message
        );
        Err(PortError::new(Kind::Retry, message))
    }
}

fn entry(record: Record) -> Entry {
    Entry::builder().data(Blob::new(record.data)).build().expect("an entry with data is whole")
}

/// Keeps the entries at these places.
fn keep(entries: &mut Vec<Entry>, places: &[usize]) {
    let (mut at, mut kept) = (0, places.iter().peekable());
    entries.retain(|_| {
        let keep = kept.next_if_eq(&&at).is_some();
        at += 1;
        keep
    });
}
