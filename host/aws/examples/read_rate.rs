//! How fast the Kinesis source reads, beside a bare reader with the same SDK on the same stream in the same process.
//!
//!     cargo run --release -p sluice-aws --example read_rate -- [MEGABYTES] [RECORD_BYTES] [SHARDS]
//!
//! The stream is that of a server in this process, so both readers share the machine with it.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::ShardIteratorType;
use bytes::Bytes;
use sluice_aws::client::Aws;
use sluice_aws::kinesis::{KinesisConfig, KinesisSource, Mode, PutOptions, PutRecord, UntilCaughtUp, put};
use sluice_batch::Position;
use sluice_ports::{Read, Source};
use sluice_stand_ins::kinesis::KinesisServer;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Times that each reader reads the stream, by turns.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Outcome<()> {
    let argument = |n: usize, default: usize| std::env::args().nth(n).map_or(Ok(default), |text| text.parse());
    let (megabytes, size, shards) = (argument(1, 100)?, argument(2, 1_000)?, argument(3, 4)?);
    let server = KinesisServer::start().await?;
    server.create_stream("rate", i32::try_from(shards)?).await?;
    let aws = Aws::for_endpoint(&server.endpoint());
    fill(&aws, megabytes * 1_000_000 / size, size).await?;
    let (mut bare, mut polling) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        bare.push(rate(megabytes, bare_reader(&server.client())).await?);
        polling.push(rate(megabytes, source_reader(&aws, Mode::Polling)).await?);
    }
    let fan_out = rate(megabytes, source_reader(&aws, Mode::FanOut { consumer: "rate".into() })).await?;
    let (bare, polling) = (median(bare), median(polling));
    println!("bare SDK reader  {bare:7.1} MB/s");
    println!("source, polling  {polling:7.1} MB/s  {:.0} % of the bare reader", 100.0 * polling / bare);
    println!("source, fan-out  {fan_out:7.1} MB/s  (the server sends an event of up to 10,000 records each 200 ms)");
    Ok(())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Megabytes a second.
async fn rate(megabytes: usize, read: impl Future<Output = Outcome<u64>>) -> Outcome<f64> {
    let begun = Instant::now();
    let bytes = read.await?;
    let seconds = begun.elapsed().as_secs_f64();
    if bytes < megabytes as u64 * 990_000 {
        return Err(format!("only {bytes} bytes were read").into());
    }
    Ok(bytes as f64 / 1e6 / seconds)
}

async fn fill(aws: &Aws, records: usize, size: usize) -> Outcome<()> {
    let data = Bytes::from(vec![b'x'; size]);
    let record = |i: usize| {
        let key = format!("key {i}");
        Ok(PutRecord { partition_key: key, explicit_hash_key: None, data: data.clone() })
    };
    let options = PutOptions { concurrency: 2, ..PutOptions::new("rate".parse()?) };
    put(aws, &options, (0..records).map(record), |_| ()).await?;
    Ok(())
}

/// Reads every shard to its latest record, one task a shard, and nothing else.
async fn bare_reader(client: &Client) -> Outcome<u64> {
    let listed = client.list_shards().stream_name("rate").send().await?;
    let mut shards = JoinSet::new();
    for shard in listed.shards() {
        shards.spawn(bare_shard(client.clone(), shard.shard_id().to_owned()));
    }
    let mut bytes = 0;
    while let Some(read) = shards.join_next().await {
        bytes += read??;
    }
    Ok(bytes)
}

async fn bare_shard(client: Client, shard: String) -> Outcome<u64> {
    let call = client.get_shard_iterator().stream_name("rate").shard_id(shard);
    let found = call.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await?;
    let (mut iterator, mut bytes) = (found.shard_iterator, 0);
    while let Some(next) = iterator.take() {
        let answer = client.get_records().shard_iterator(next).send().await?;
        if answer.records.is_empty() {
            break;
        }
        bytes += answer.records.iter().map(|record| record.data.as_ref().len() as u64).sum::<u64>();
        iterator = answer.next_shard_iterator;
    }
    Ok(bytes)
}

async fn source_reader(aws: &Aws, mode: Mode) -> Outcome<u64> {
    let until = Some(UntilCaughtUp { started_at_ms: i64::MAX });
    let poll_interval = Duration::ZERO;
    let config = KinesisConfig { mode, until, poll_interval, ..KinesisConfig::new("rate".parse()?) };
    let source = Arc::new(KinesisSource::new(aws.clone(), config));
    let mut shards = JoinSet::new();
    for info in source.discover(&[]).await? {
        let source = source.clone();
        shards.spawn(async move {
            let mut reader = source.open(&info, &Position::TrimHorizon).await?;
            let mut bytes = 0;
            loop {
                match reader.next().await? {
                    Read::Payloads(payloads) => {
                        bytes += payloads.data.iter().map(|data| data.len() as u64).sum::<u64>();
                    }
                    Read::CaughtUp => tokio::time::sleep(Duration::from_millis(1)).await,
                    _ => return Outcome::Ok(bytes),
                }
            }
        });
    }
    let mut bytes = 0;
    while let Some(read) = shards.join_next().await {
        bytes += read??;
    }
    Ok(bytes)
}
