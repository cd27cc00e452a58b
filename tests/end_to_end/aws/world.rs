//! A small dataset of events with an account of its own.

use crate::support::root;
use crate::support::sluice::{Sluice, write_pipeline};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType};
use sluice_stand_ins::account::{Account, AccountOptions};
use sluice_stand_ins::firehose::StreamSpec;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tempfile::TempDir;

pub(crate) const STREAM: &str = "events";
pub(crate) const SHARDS: i32 = 2;
const BUCKET: &str = sluice_stand_ins::account::BUCKET;

/// How rows get into the warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Lake,
    Firehose,
}

/// Servers, a pipeline, and what it was given.
pub(crate) struct World {
    pub(crate) account: Account,
    folder: TempDir,
}

/// A manifest of events: `n` must not be negative, and is summed up by minute and `k`.
fn manifest(way: Way, added: &str) -> String {
    let (delivery, load) = match way {
        Way::Lake => (String::new(), "lake"),
        Way::Firehose => (
            format!(
                "    delivery: {{ firehose: {{ stream: events-silver, bucket: {BUCKET}, prefix: firehose/events/, error_prefix: \
                 firehose-errors/events/, grace: 60s }} }}\n"
            ),
            "firehose",
        ),
    };
    format!(
        "dataset: events
source: {{ format: json }}
schema: {{ k: text, n: int64, t: timestamp }}
rules: rules
steps:
  - check: {{ sql: n >= 0, reason: negative }}
gold:
  - name: per_minute
    aggregate: sums@^1
    keys: [k]
    reads: [n]
    with: {{ outputs: {{ count: count, total: {{ sum: n }} }} }}
    window: {{ tumbling: 1m, on: t, lateness: 10m }}
batch: {{ rows: 50, age: 50ms }}
segment: {{ rows: 400, age: 300ms }}
{added}
environments:
  aws:
    source: {{ kinesis: {{ stream: {STREAM}, poll: 200ms }} }}
{delivery}    lake: {{ s3: {{ bucket: {BUCKET}, prefix: lake/events/ }} }}
    lease: {{ ttl: 2s }}
    warehouse:
      redshift:
        workgroup: sluice
        database: dev
        schema: events
        copy_role: default
        load: {load}
        every: 1s
        tables: {{ silver: {{ table: events }} }}
"
    )
}

impl World {
    pub(crate) async fn start(way: Way) -> Self {
        Self::start_with(way, AccountOptions::default(), "").await
    }

    pub(crate) async fn start_with(way: Way, options: AccountOptions, added: &str) -> Self {
        crate::support::sluice::build_rules();
        let account = Account::start(options).await.expect("the servers start");
        account.kinesis.create_stream(STREAM, SHARDS).await.expect("a stream can be made");
        let delivery = StreamSpec {
            name: "events-silver".into(),
            bucket: BUCKET.into(),
            prefix: Some("firehose/events/".into()),
            error_prefix: Some("firehose-errors/events/!{firehose:error-output-type}/".into()),
            size_mib: None,
            interval_seconds: Some(0),
            gzip: true,
        };
        account.firehose.create_stream(&delivery).expect("a delivery stream can be made");
        let folder = TempDir::new().expect("a folder can be made");
        write_pipeline(folder.path(), &manifest(way, added));
        Self { account, folder }
    }

    pub(crate) fn pipeline(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A command on the pipeline in its environment.
    pub(crate) fn sluice(&self, subcommand: &str) -> Sluice {
        let mut sluice = Sluice::new(subcommand).rules(&root().join("plugins")).arg(self.folder.path());
        for (name, value) in self.account.variables() {
            sluice = sluice.env(&name, &value);
        }
        sluice.args(["--env", "aws"])
    }

    /// `sluice run --until-caught-up --json`.
    pub(crate) fn run(&self) -> Sluice {
        self.sluice("run").args(["--until-caught-up", "--json", "--threads", "2"])
    }

    /// Puts events into the stream, some of a payload each, some several in one.
    pub(crate) async fn put(&self, from: u64, count: u64) {
        let client = self.account.kinesis.client();
        let events: Vec<String> = (from..from + count).map(event).collect();
        let entries: Vec<PutRecordsRequestEntry> = events
            .chunks(3)
            .enumerate()
            .flat_map(|(i, some)| match i % 2 {
                0 => some.iter().map(|event| entry(&format!("key-{}", i % 17), event.clone())).collect::<Vec<_>>(),
                _ => vec![entry(&format!("key-{}", i % 17), some.concat())],
            })
            .collect();
        for batch in entries.chunks(400) {
            let answer = client.put_records().stream_name(STREAM).set_records(Some(batch.to_vec())).send().await;
            assert_eq!(answer.expect("records can be put").failed_record_count(), Some(0));
        }
    }

    /// What the stream holds: ids of events with their content, in the order of shards and positions.
    pub(crate) async fn oracle(&self) -> BTreeMap<String, serde_json::Value> {
        let client = self.account.kinesis.client();
        let summary = client.describe_stream_summary().stream_name(STREAM).send().await.expect("the stream is there");
        let summary = summary.stream_description_summary().expect("it is described");
        let source = format!("{}@{}", summary.stream_arn(), summary.stream_creation_timestamp().secs());
        let mut events = BTreeMap::new();
        let shards = client.list_shards().stream_name(STREAM).send().await.expect("shards are listed");
        for shard in shards.shards() {
            for (sequence, data) in records(&client, shard.shard_id()).await {
                let text = String::from_utf8(data).expect("events are text");
                for (row, line) in text.lines().enumerate() {
                    let place = if row == 0 { String::new() } else { format!(".0.{row}") };
                    let id = format!("{source}/{}/{sequence}{place}", shard.shard_id());
                    events.insert(id, serde_json::from_str(line).expect("events are JSON"));
                }
            }
        }
        events
    }

    /// Insists that the warehouse holds each event of the stream once: ids of silver and quarantine, and sums of gold.
    pub(crate) async fn check_warehouse(&self) {
        let oracle = self.oracle().await;
        let n = |event: &serde_json::Value| event["n"].as_i64().expect("a number");
        let (good, bad): (Vec<_>, Vec<_>) = oracle.iter().partition(|(_, event)| n(event) >= 0);
        let ids = |of: &[(&String, &serde_json::Value)]| of.iter().map(|(id, _)| (*id).clone()).collect::<Vec<_>>();
        same("silver", &self.ids("events").await, &ids(&good));
        same("quarantine", &self.ids("quarantine").await, &ids(&bad));
        let mut expected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for (_, event) in &good {
            let sums = expected.entry(event["k"].as_str().expect("a text").to_owned()).or_default();
            *sums = (sums.0 + 1, sums.1 + n(event));
        }
        let sql = "select k, sum(count)::bigint, sum(total)::bigint from events.per_minute group by k";
        let rows = self.account.redshift.sql(sql).await.expect("gold is there");
        let number = |cell: &Option<String>| cell.as_ref().expect("a number").parse::<i64>().expect("a number");
        let found: BTreeMap<String, (i64, i64)> =
            rows.iter().map(|row| (row[0].clone().expect("a key"), (number(&row[1]), number(&row[2])))).collect();
        assert_eq!(found, expected, "gold");
    }

    async fn ids(&self, table: &str) -> Vec<String> {
        let rows = self.account.redshift.sql(&format!("select _sluice_id from events.{table}")).await;
        let mut ids: Vec<String> =
            rows.expect("the table is there").into_iter().map(|row| row[0].clone().expect("an id")).collect();
        ids.sort();
        ids
    }
}

#[track_caller]
fn same(table: &str, found: &[String], expected: &[String]) {
    let lost: Vec<&String> = expected.iter().filter(|id| found.binary_search(id).is_err()).collect();
    let twice: Vec<&String> = found.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    let (first_lost, first_twice) = (lost.first(), twice.first());
    assert!(
        lost.is_empty() && twice.is_empty() && found.len() == expected.len(),
        "{table}: {} rows of {}; {} lost (first {first_lost:?}), {} twice (first {first_twice:?})",
        found.len(),
        expected.len(),
        lost.len(),
        twice.len()
    );
}

fn entry(key: &str, data: String) -> PutRecordsRequestEntry {
    let entry = PutRecordsRequestEntry::builder().partition_key(key).data(Blob::new(data.into_bytes()));
    entry.build().expect("key and data are there")
}

/// One event a line; about one in nineteen is negative. Times are of 2026, some seconds apart.
fn event(number: u64) -> String {
    let n = if number % 19 == 7 { -1 } else { number as i64 };
    let (hour, minute, second) = (number / 3600 % 24, number / 60 % 60, number % 60);
    format!("{{\"k\":\"k{}\",\"n\":{n},\"t\":\"2026-03-01T{hour:02}:{minute:02}:{second:02}Z\"}}\n", number % 5)
}

async fn records(client: &aws_sdk_kinesis::Client, shard: &str) -> Vec<(String, Vec<u8>)> {
    let from = ShardIteratorType::TrimHorizon;
    let iterator = client.get_shard_iterator().stream_name(STREAM).shard_id(shard).shard_iterator_type(from);
    let mut iterator = iterator.send().await.expect("an iterator").shard_iterator;
    let mut all = Vec::new();
    while let Some(at) = iterator {
        let answer = client.get_records().shard_iterator(at).send().await.expect("records can be read");
        let some = answer.records();
        all.extend(some.iter().map(|r| (r.sequence_number().to_owned(), r.data().as_ref().to_vec())));
        if some.is_empty() {
            break;
        }
        iterator = answer.next_shard_iterator;
    }
    all
}
