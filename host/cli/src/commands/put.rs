//! `sluice put`: files into the stream of a pipeline, each record of the stream a small file of the dataset's format.

use crate::args::PutArgs;
use crate::aws::Account;
use crate::{bind, lake};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde_json::json;
use sluice_aws::kinesis::{PutOptions, PutProgress, PutRecord, PutReport, put as put_records};
use sluice_batch::Position;
use sluice_formats::{Framer, Header, Limits, RawBatch};
use sluice_local::{FileSource, FileSourceConfig};
use sluice_manifest::{AwsSource, CsvHeader, Format, JsonRecords, Plan};
use sluice_ports::{Kind, PortError, Read, Source};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Records of the stream that wait to be put.
const WAITING: usize = 1_000;
/// How often a log hears how far it is.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Longest partition key, in characters.
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html>
const MAX_KEY: usize = 256;

pub(crate) fn put(args: &PutArgs) -> Result<ExitCode> {
    let bound = bind::bind(&args.pipeline, None, bind::Purpose::Check, false)?;
    let begun = Instant::now();
    let report = super::runtime()?.block_on(async {
        let account = Account::connect(&bound).await?;
        let AwsSource::Kinesis(spec) = &account.spec.source else {
            bail!(
                "environment `{}` reads files under a prefix, no stream; copy the files there",
                bound.environment.name
            );
        };
        let options = PutOptions {
            concurrency: usize::from(args.concurrency),
            ordered: args.key.is_some(),
            ..PutOptions::new(spec.stream.parse().expect("every text names a stream"))
        };
        let (sender, receiver) = sync_channel(WAITING);
        let source = FileSource::new(FileSourceConfig {
            paths: args.files.clone(),
            compression: lake::compression(bound.environment.compression),
            follow: false,
            accept_changed: Vec::new(),
        });
        let packing = Packing::new(bound.checked.plan.clone(), args)?;
        let handle = Handle::current();
        let reading = tokio::task::spawn_blocking(move || {
            let failed = handle.block_on(packing.all(&source, &sender)).err();
            // nobody takes it where putting has already failed
            failed.map(|error| sender.send(Err(PortError::new(Kind::Fatal, crate::exit::chain(&error)))));
        });
        let mut shown = Shown::new();
        let report = put_records(&account.aws, &options, receiver, |progress| shown.show(progress)).await;
        shown.clear();
        let _ = reading.await;
        anyhow::Ok(report?)
    })?;
    show(args, &report, begun.elapsed());
    Ok(ExitCode::SUCCESS)
}

fn show(args: &PutArgs, report: &PutReport, elapsed: Duration) {
    let PutReport { records, bytes, calls, retried, unknown } = *report;
    let seconds = elapsed.as_secs_f64();
    if args.json {
        let object = json!({
            "records": records, "bytes": bytes, "calls": calls, "retried": retried, "unknown": unknown, "seconds": seconds,
        });
        return println!("{object}");
    }
    let (count, size) = (HumanCount(records), HumanBytes(bytes));
    println!(
        "put {count} records, {size}, in {calls} calls and {seconds:.2} s; {retried} were refused once and sent again"
    );
    if unknown > 0 {
        println!(
            "{unknown} were sent again because a call was not answered: each may be in the stream twice; `dedup` in the \
             manifest leaves the second out"
        );
    }
}

/// Puts rows together into records of the stream.
struct Packing {
    plan: Plan,
    limit: usize,
    key: Option<String>,
}

/// A record of the stream being filled.
#[derive(Default)]
struct Filling {
    header: Option<Arc<Header>>,
    data: Vec<u8>,
    rows: usize,
    /// Records filled before.
    number: u64,
}

type Sender = SyncSender<sluice_ports::Result<PutRecord>>;

impl Packing {
    fn new(plan: Plan, args: &PutArgs) -> Result<Self> {
        if args.key.is_some() && !matches!(plan.format, Format::Json { .. }) {
            bail!("`--key` names a field of JSON records; of CSV, rows go into records without a key of their own");
        }
        let alone = args.key.is_some() || matches!(plan.format, Format::Json { records: JsonRecords::File });
        let limit = if alone { 0 } else { args.record_bytes as usize };
        Ok(Self { plan, limit, key: args.key.clone() })
    }

    async fn all(&self, source: &FileSource, sender: &Sender) -> Result<()> {
        let mut filling = Filling::default();
        for info in source.discover(&[]).await? {
            let limits = Limits {
                rows: self.plan.batch.rows,
                bytes: self.plan.batch.bytes,
                max_record_bytes: self.plan.max_record_bytes,
            };
            let mut framer = Framer::new(&self.plan.format, limits, 0, None).for_schema(&self.plan.schema);
            let mut reader = source.open(&info, &Position::TrimHorizon).await?;
            loop {
                let more = match reader.next().await? {
                    Read::Bytes { data, .. } => {
                        framer.push(data);
                        true
                    }
                    _ => {
                        framer.end();
                        false
                    }
                };
                while let Some(batch) = framer.next(!more).with_context(|| info.label.clone())? {
                    if !self.batch(&batch, &info.label, &mut filling, sender)? {
                        return Ok(());
                    }
                }
                if !more {
                    break;
                }
            }
        }
        self.send(&mut filling, None, sender).map(|_| ())
    }

    /// False where nobody takes records any more.
    fn batch(&self, batch: &RawBatch, label: &str, filling: &mut Filling, sender: &Sender) -> Result<bool> {
        if let Some(unusable) = batch.unusable.first() {
            let (reason, offset) = (unusable.reason, unusable.offset);
            bail!("{label}: the record at offset {offset} cannot be put ({reason}: {}); take it out", unusable.detail);
        }
        for record in 0..batch.records.len() {
            let row = batch.record(record);
            let other = filling.header.as_ref().map(|h| h.names()) != batch.header.as_ref().map(|h| h.names());
            let full = filling.rows > 0 && (filling.data.len() + row.len() > self.limit || other);
            if full && !self.send(filling, None, sender)? {
                return Ok(false);
            }
            if filling.rows == 0 {
                filling.header.clone_from(&batch.header);
                self.begin(filling);
            }
            self.add(row, filling);
            if let Some(field) = &self.key {
                let key = key_of(row, field).with_context(|| format!("{label}: offset {}", batch.offset(record)))?;
                if !self.send(filling, Some(key), sender)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// What stands before the first row.
    fn begin(&self, filling: &mut Filling) {
        match (&self.plan.format, &filling.header) {
            (Format::Csv { delimiter, quote, header: CsvHeader::FirstLine, .. }, Some(header)) => {
                filling.data = header_line(header.names(), *delimiter, *quote);
            }
            (Format::Json { records: JsonRecords::Array }, _) => filling.data.push(b'['),
            _ => {}
        }
    }

    fn add(&self, row: &[u8], filling: &mut Filling) {
        let is_array = matches!(self.plan.format, Format::Json { records: JsonRecords::Array });
        if is_array && filling.rows > 0 {
            filling.data.push(b',');
        }
        filling.data.extend_from_slice(row);
        if !is_array {
            filling.data.push(b'\n');
        }
        filling.rows += 1;
    }

    /// False where nobody takes records any more.
    fn send(&self, filling: &mut Filling, key: Option<String>, sender: &Sender) -> Result<bool> {
        if filling.rows == 0 {
            return Ok(true);
        }
        let mut data = std::mem::take(&mut filling.data);
        if matches!(self.plan.format, Format::Json { records: JsonRecords::Array }) {
            data.push(b']');
        }
        filling.rows = 0;
        filling.number += 1;
        // the service digests keys, so numbers spread evenly over the shards
        let partition_key = key.unwrap_or_else(|| filling.number.to_string());
        let record = PutRecord { partition_key, explicit_hash_key: None, data: Bytes::from(data) };
        Ok(sender.send(Ok(record)).is_ok())
    }
}

/// Names of fields as the line that they stand in.
fn header_line(names: &[String], delimiter: u8, quote: u8) -> Vec<u8> {
    let mut line = Vec::new();
    for (place, name) in names.iter().enumerate() {
        if place > 0 {
            line.push(delimiter);
        }
        let special = |byte: u8| byte == delimiter || byte == quote || byte == b'\n' || byte == b'\r';
        if !name.bytes().any(special) {
            line.extend_from_slice(name.as_bytes());
            continue;
        }
        line.push(quote);
        for byte in name.bytes() {
            if byte == quote {
                line.push(quote);
            }
            line.push(byte);
        }
        line.push(quote);
    }
    line.push(b'\n');
    line
}

/// The value of a field as a partition key.
fn key_of(row: &[u8], field: &str) -> Result<String> {
    let record: serde_json::Value = serde_json::from_slice(row).context("the record is no JSON, so it has no key")?;
    let key = match record.get(field) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Null) | None => bail!("the record has no field `{field}` to be its key"),
        Some(other) => other.to_string(),
    };
    if key.is_empty() || key.chars().count() > MAX_KEY {
        bail!("the value of `{field}` has {} characters; a key has 1 to {MAX_KEY}", key.chars().count());
    }
    Ok(key)
}

/// How far it is: a spinner on a terminal, lines in a log.
struct Shown {
    bar: Option<ProgressBar>,
    last: Instant,
}

impl Shown {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
        if let Some(bar) = &bar {
            bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is well-formed"));
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Self { bar, last: Instant::now() }
    }

    fn show(&mut self, progress: PutProgress) {
        let text = format!("{} records  {}", HumanCount(progress.records), HumanBytes(progress.bytes));
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None if self.last.elapsed() >= LINE_EVERY => {
                self.last = Instant::now();
                eprintln!("{text}");
            }
            None => {}
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_special_characters_are_quoted() {
        let names = ["plain".to_owned(), "a,b".to_owned(), "q\"q".to_owned()];
        assert_eq!(header_line(&names, b',', b'"'), b"plain,\"a,b\",\"q\"\"q\"\n");
    }

    #[test]
    fn keys_are_texts_of_values_and_must_be_there() {
        assert_eq!(key_of(br#"{"k":"x"}"#, "k").unwrap(), "x");
        assert_eq!(key_of(br#"{"k":12.50}"#, "k").unwrap(), "12.5");
        assert!(key_of(br#"{"k":null}"#, "k").is_err() && key_of(br#"{"k":""}"#, "k").is_err());
    }
}
