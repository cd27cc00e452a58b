//! Records into a stream, each at least once.

use super::call::call;
use super::stream::{Stream, StreamName};
use crate::client::{Aws, Class};
use aws_sdk_kinesis::error::BuildError;
use aws_sdk_kinesis::operation::RequestId;
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use bytes::Bytes;
use sluice_ports::{Kind, PortError, Result};
use std::collections::{BTreeMap, HashSet, VecDeque};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Records that one call takes.
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>
const MAX_RECORDS: usize = 500;

/// Bytes that one call takes of content and keys; more is taken only where a single record has more.
const MAX_BYTES: usize = 5 << 20;

/// Records that are looked at for those whose keys are not in the call yet, when the order counts.
const WINDOW: usize = 10 * MAX_RECORDS;

/// One record to put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutRecord {
    /// Partition key, 1 to 256 characters.
    pub partition_key: String,
    /// Hash key instead of the partition key's own.
    pub explicit_hash_key: Option<String>,
    /// Content.
    pub data: Bytes,
}

/// How records are put.
#[derive(Debug, Clone)]
pub struct PutOptions {
    /// The stream.
    pub stream: StreamName,
    /// Calls under way at once. Default 1.
    pub concurrency: usize,
    /// Whether records of a partition key arrive in the order in which they are given: then calls follow one another, and
    /// one has a single record of each key. Otherwise what failed in a call arrives after what did not. Default false.
    pub ordered: bool,
}

impl PutOptions {
    /// One call at a time, in no particular order.
    pub fn new(stream: StreamName) -> Self {
        Self { stream, concurrency: 1, ordered: false }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutProgress {
    /// Records that were acknowledged.
    pub records: u64,
    /// Bytes of their content.
    pub bytes: u64,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutReport {
    /// Records that were acknowledged: all that were given.
    pub records: u64,
    /// Bytes of their content.
    pub bytes: u64,
    /// Calls that were answered.
    pub calls: u64,
    /// Records that the service refused in an answer, and that were sent again.
    pub retried: u64,
    /// Records that were sent again because a call was not answered: each may be in the stream twice.
    pub unknown: u64,
}

/// Puts records into a stream. A call that is not answered is made again, so a record may arrive twice; none is left out.
///
/// # Errors
/// Where the input fails, a record is too big for the stream, or the service refuses for good: what was acknowledged until
/// then stays.
pub async fn put<I>(
    aws: &Aws,
    options: &PutOptions,
    records: I,
    mut progress: impl FnMut(PutProgress),
) -> Result<PutReport>
where
    I: IntoIterator<Item = Result<PutRecord>>,
{
    let limit = Stream::find(aws, &options.stream).await?.record_bytes;
    let mut batches = Batches { input: records.into_iter(), waiting: VecDeque::new(), ordered: options.ordered, limit };
    let most = if options.ordered { 1 } else { options.concurrency.max(1) };
    let (mut sending, mut report) = (JoinSet::new(), PutReport::default());
    loop {
        let next = if sending.len() < most { batches.next()? } else { None };
        if let Some(batch) = next {
            sending.spawn(send(aws.clone(), options.stream.clone(), batch));
            continue;
        }
        let Some(sent) = sending.join_next().await else { return Ok(report) };
        report.add(sent.map_err(|_| PortError::new(Kind::Fatal, "a call of PutRecords died; start again"))??);
        progress(PutProgress { records: report.records, bytes: report.bytes });
    }
}

impl PutReport {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.calls += other.calls;
        self.retried += other.retried;
        self.unknown += other.unknown;
    }
}

/// Cuts the input into calls.
struct Batches<I> {
    input: I,
    waiting: VecDeque<PutRecord>,
    ordered: bool,
    /// Bytes of the stream's greatest record.
    limit: usize,
}

impl<I: Iterator<Item = Result<PutRecord>>> Batches<I> {
    fn next(&mut self) -> Result<Option<Vec<PutRecord>>> {
        let window = if self.ordered { WINDOW } else { MAX_RECORDS };
        while self.waiting.len() < window {
            let Some(record) = self.input.next() else { break };
            let record = record?;
            self.check(&record)?;
            self.waiting.push_back(record);
        }
        let batch = self.pick();
        Ok((!batch.is_empty()).then_some(batch))
    }

    fn check(&self, record: &PutRecord) -> Result<()> {
        let (size, limit) = (size(record), self.limit);
        if size <= limit && (1..=256).contains(&record.partition_key.chars().count()) {
            return Ok(());
        }
        let message = if size > limit {
            format!("a record has {size} bytes with its key, and the stream takes {limit}; raise MaxRecordSizeInKiB")
        } else {
            "a partition key must have 1 to 256 characters; choose another column".to_owned()
        };
        Err(PortError::new(Kind::Fatal, message))
    }

    /// Takes what fits one call from the front; of each key the first only, when the order counts.
    fn pick(&mut self) -> Vec<PutRecord> {
        let (mut batch, mut left, mut bytes) = (vec![], VecDeque::new(), 0);
        let mut keys = HashSet::new();
        while let Some(record) = self.waiting.pop_front() {
            let full = batch.len() == MAX_RECORDS || (!batch.is_empty() && bytes + size(&record) > MAX_BYTES);
            if full {
                self.waiting.push_front(record);
                break;
            }
            if self.ordered && !keys.insert(record.partition_key.clone()) {
                left.push_back(record);
                continue;
            }
            bytes += size(&record);
            batch.push(record);
        }
        left.append(&mut self.waiting);
        self.waiting = left;
        batch
    }
}

fn size(record: &PutRecord) -> usize {
    record.data.len() + record.partition_key.len()
}

/// Sends a call's records until all are acknowledged. Its time runs anew whenever one is.
async fn send(aws: Aws, stream: StreamName, mut batch: Vec<PutRecord>) -> Result<PutReport> {
    let what = format!("stream `{stream}`");
    let mut report = PutReport::default();
    let (mut since, mut attempt) = (Instant::now(), 0);
    loop {
        let entries = entries(&batch)?;
        let request = || {
            let call = aws.kinesis().put_records().set_records(Some(entries.clone()));
            call.set_stream_name(stream.name()).set_stream_arn(stream.arn()).send()
        };
        let called = call(&aws, "PutRecords", &what, request).await;
        report.unknown += u64::from(called.unknown) * batch.len() as u64;
        let answer = called.result?;
        report.calls += 1;
        let refused = Refused::of(&answer, &batch, &what)?;
        let acknowledged = batch.len() - refused.records.len();
        report.records += acknowledged as u64;
        report.bytes += batch.iter().map(|record| record.data.len() as u64).sum::<u64>()
            - refused.records.iter().map(|record| record.data.len() as u64).sum::<u64>();
        if refused.records.is_empty() {
            return Ok(report);
        }
        (since, attempt) = if acknowledged > 0 { (Instant::now(), 1) } else { (since, attempt + 1) };
        refused.note(&aws, &answer, attempt);
        if since.elapsed() > aws.retry().budget() {
            return Err(refused.given_up(&what, since));
        }
        report.retried += refused.records.len() as u64;
        batch = refused.records;
        sleep(aws.retry().wait(attempt, Class::Throttle)).await;
    }
}

fn entries(batch: &[PutRecord]) -> Result<Vec<PutRecordsRequestEntry>> {
    let entry = |record: &PutRecord| {
        PutRecordsRequestEntry::builder()
            .partition_key(&record.partition_key)
            .set_explicit_hash_key(record.explicit_hash_key.clone())
            .data(Blob::new(record.data.to_vec()))
            .build()
    };
    let built: std::result::Result<Vec<_>, BuildError> = batch.iter().map(entry).collect();
    built.map_err(|error| PortError::new(Kind::Fatal, format!("a record cannot be put: {error}")))
}

/// What an answer refused.
struct Refused {
    records: Vec<PutRecord>,
    /// How often each code.
    codes: BTreeMap<String, usize>,
}

impl Refused {
    fn of(answer: &PutRecordsOutput, batch: &[PutRecord], what: &str) -> Result<Self> {
        if answer.records.len() != batch.len() {
            let (answers, sent) = (answer.records.len(), batch.len());
            let message = format!("PutRecords to {what} answered {answers} of {sent} records; check the endpoint");
            return Err(PortError::new(Kind::Fatal, message));
        }
        let (mut records, mut codes) = (vec![], BTreeMap::new());
        for (entry, record) in answer.records.iter().zip(batch) {
            let Some(code) = &entry.error_code else { continue };
            if !matches!(
                code.as_str(),
                "ProvisionedThroughputExceededException" | "InternalFailure" | "KMSThrottlingException"
            ) {
                let text = entry.error_message.as_deref().unwrap_or_default();
                let kind = if code.contains("Denied") { Kind::Denied } else { Kind::Fatal };
                return Err(PortError::new(kind, format!("PutRecords to {what} refused a record: {code}: {text}")));
            }
            records.push(record.clone());
            *codes.entry(code.clone()).or_default() += 1;
        }
        Ok(Self { records, codes })
    }

    fn note(&self, aws: &Aws, answer: &PutRecordsOutput, attempt: u32) {
        for (code, count) in &self.codes {
            let request = answer.request_id().unwrap_or_default();
            aws.faults().note_partial("PutRecords", code, request, *count, attempt);
        }
    }

    fn given_up(&self, what: &str, since: Instant) -> PortError {
        let (count, seconds) = (self.records.len(), since.elapsed().as_secs());
        let codes = self.codes.keys().cloned().collect::<Vec<_>>().join("`, `");
        let message = format!(
            "PutRecords to {what} still refused {count} records after {seconds} s: `{codes}`; add shards, or put more slowly"
        );
        PortError::new(Kind::Retry, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(key: &str, bytes: usize) -> PutRecord {
        PutRecord { partition_key: key.into(), explicit_hash_key: None, data: vec![0; bytes].into() }
    }

    fn batches(records: Vec<PutRecord>, ordered: bool) -> Vec<Vec<PutRecord>> {
        let input = records.into_iter().map(Ok);
        let mut batches = Batches { input, waiting: VecDeque::new(), ordered, limit: 10 << 20 };
        std::iter::from_fn(|| batches.next().unwrap()).collect()
    }

    #[test]
    fn a_record_bigger_than_a_call_goes_alone_and_one_bigger_than_the_stream_takes_is_refused() {
        let made = batches(vec![record("a", 1), record("a", 6 << 20), record("b", 1)], false);
        assert_eq!(made.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
        let input = [Ok(record("a", 100))].into_iter();
        let mut batches = Batches { input, waiting: VecDeque::new(), ordered: false, limit: 100 };
        assert!(batches.next().unwrap_err().message.contains("101 bytes with its key, and the stream takes 100"));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_limits_hold(
            records in prop::collection::vec(("[a-d]", 0usize..2_000_000), 0..40), ordered: bool
        ) {
            let records: Vec<_> = records.iter().map(|(key, size)| record(key, *size)).collect();
            let made = batches(records.clone(), ordered);
            for batch in &made {
                prop_assert!(batch.len() <= MAX_RECORDS && batch.iter().map(size).sum::<usize>() <= MAX_BYTES);
                let keys: HashSet<_> = batch.iter().map(|record| &record.partition_key).collect();
                prop_assert!(!ordered || keys.len() == batch.len());
            }
            let of = |key: &str, all: &[PutRecord]| {
                all.iter().filter(|record| record.partition_key == key).map(|record| record.data.len()).collect::<Vec<_>>()
            };
            let all = made.concat();
            for key in ["a", "b", "c", "d"] {
                prop_assert_eq!(of(key, &all), of(key, &records));
            }
        }
    }
}
