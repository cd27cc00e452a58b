//! Parcels out through a delivery stream.

use super::ndjson::Rows;
use super::pace::Pace;
use super::pack::{Batches, KeyedPacker, Packer, RECORD_BYTES, Record};
use super::put::Link;
use super::stream::StreamFacts;
use crate::client::Aws;
use arrow_array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use flate2::{Compression as Level, write::GzEncoder};
use sluice_ports::{Delivery, Kind, ObjectStore, Parcel, PortError, Receipt, Result};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::{Mutex, OnceCell, mpsc};
use tokio::task::{JoinError, JoinSet, spawn_blocking};

/// Lines of an object of rows that go direct, before compression; one line may be more.
const DIRECT_BYTES: usize = 64 << 20;

/// Where rows go and how.
#[derive(Debug, Clone)]
pub struct FirehoseConfig {
    /// Name of the delivery stream.
    pub stream: String,
    /// Bucket that it writes to.
    pub bucket: String,
    /// Prefix below which it writes, without expressions.
    pub prefix: String,
    /// Prefix below which it writes what it could not deliver; empty where none is agreed on.
    pub error_prefix: String,
    /// Columns that make a key whose rows stay in order; none: the ids give the order.
    pub order_by: Vec<String>,
    /// Columns whose texts are JSON.
    pub json_columns: Vec<String>,
    /// Bytes of a record, up to [`RECORD_BYTES`]. Default 1,000,000: four of them fit in one call.
    pub record_bytes: usize,
    /// Calls at once. Default 4.
    pub max_in_flight: usize,
    /// Quota that is kept to. Default 5, that of the larger regions
    /// (<https://docs.aws.amazon.com/firehose/latest/dev/limits.html>); in others it is 1.
    pub mib_per_second: f64,
}

impl FirehoseConfig {
    /// With the defaults.
    pub fn new(stream: impl Into<String>, bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            bucket: bucket.into(),
            prefix: prefix.into(),
            error_prefix: String::new(),
            order_by: Vec::new(),
            json_columns: Vec::new(),
            record_bytes: 1_000_000,
            max_in_flight: 4,
            mib_per_second: 5.0,
        }
    }
}

/// Rows as NDJSON in records as large as they may be, several calls at once.
///
/// With `order_by`, a record holds rows of one key, and a key's next record is sent when the one before is acknowledged;
/// parcels follow each other. Rows that are too large for a record are put as objects below the prefix, named by the
/// digest of the cut: a parcel sent again puts the same bytes under the same names. They keep no order.
pub struct FirehoseDelivery {
    link: Arc<Link>,
    direct: Arc<dyn ObjectStore>,
    config: FirehoseConfig,
    json: Arc<BTreeSet<String>>,
    facts: OnceCell<StreamFacts>,
    /// Held while a parcel is sent in order.
    turn: Mutex<()>,
}

impl FirehoseDelivery {
    /// To a stream. `direct` holds objects below the stream's own prefix, by names relative to it.
    pub fn new(aws: Aws, direct: Arc<dyn ObjectStore>, config: FirehoseConfig) -> Self {
        let pace = Pace::new(config.mib_per_second);
        let link = Arc::new(Link { aws, stream: config.stream.clone(), pace });
        let json = Arc::new(config.json_columns.iter().cloned().collect());
        Self { link, direct, config, json, facts: OnceCell::new(), turn: Mutex::new(()) }
    }

    /// Asks once what the stream does with records, and whether that fits the configuration.
    ///
    /// # Errors
    /// As [`StreamFacts::ask`].
    pub async fn check(&self) -> Result<&StreamFacts> {
        self.facts.get_or_try_init(|| StreamFacts::ask(&self.link.aws, &self.config)).await
    }

    fn packing(&self, batches: &[RecordBatch], facts: &StreamFacts) -> Packing {
        Packing {
            batches: batches.to_vec(),
            json: self.json.clone(),
            target: self.config.record_bytes.min(RECORD_BYTES),
            one_row: facts.one_row.is_some(),
            batch_bytes: self.batch_bytes(),
        }
    }

    /// Bytes of one call: no more than the quota lets through in a second.
    fn batch_bytes(&self) -> usize {
        (self.config.mib_per_second * f64::from(1 << 20)) as usize
    }

    /// Sends while it packs, and gives the rows that are too large.
    async fn send(&self, packing: Packing) -> Result<(Receipt, Record)> {
        let (sender, mut batches) = mpsc::channel(1);
        let packed = spawn_blocking(move || packing.pack(|batch| sender.blocking_send(batch).is_ok()));
        let mut flights = Flights::new(self.link.clone(), self.config.max_in_flight);
        while let Some(batch) = batches.recv().await {
            flights.launch(batch).await?;
        }
        let too_large = packed.await.map_err(died)??;
        Ok((flights.land().await?, too_large))
    }

    async fn send_in_order(&self, packing: Packing) -> Result<(Receipt, Record)> {
        let _turn = self.turn.lock().await;
        let order_by = self.config.order_by.clone();
        let (rounds, too_large) = spawn_blocking(move || packing.pack_by_key(&order_by)).await.map_err(died)??;
        let mut flights = Flights::new(self.link.clone(), self.config.max_in_flight);
        let mut receipt = Receipt::default();
        for round in rounds {
            let mut batches = Batches::new(self.batch_bytes());
            for record in round {
                if let Some(batch) = batches.push(record) {
                    flights.launch(batch).await?;
                }
            }
            if let Some(batch) = batches.finish() {
                flights.launch(batch).await?;
            }
            receipt = flights.land().await?;
        }
        Ok((receipt, too_large))
    }

    async fn put_direct(&self, cut: &str, lines: Vec<u8>) -> Result<()> {
        let objects = spawn_blocking(move || objects(&lines)).await.map_err(died)?;
        for (number, data) in objects.into_iter().enumerate() {
            let digits = cut.get(..16).unwrap_or(cut);
            self.direct.put(&format!("direct/{digits}-{number:03}.ndjson.gz"), data).await?;
        }
        self.direct.sync().await
    }
}

#[async_trait]
impl Delivery for FirehoseDelivery {
    async fn deliver(&self, parcel: Parcel<'_>) -> Result<Receipt> {
        if parcel.batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(Receipt::default());
        }
        let packing = self.packing(parcel.batches, self.check().await?);
        let sent = match self.config.order_by.is_empty() {
            true => self.send(packing).await?,
            false => self.send_in_order(packing).await?,
        };
        let (mut receipt, too_large) = sent;
        if too_large.rows > 0 {
            self.put_direct(parcel.cut, too_large.data).await?;
            receipt.direct = too_large.rows;
            receipt.rows += too_large.rows;
        }
        Ok(receipt)
    }
}

/// Rows on their way into records.
struct Packing {
    batches: Vec<RecordBatch>,
    json: Arc<BTreeSet<String>>,
    target: usize,
    one_row: bool,
    batch_bytes: usize,
}

impl Packing {
    /// Gives batches of records until `give` wants no more, then the rows that are too large.
    fn pack(self, mut give: impl FnMut(Vec<Record>) -> bool) -> Result<Record> {
        let (mut packer, mut open) = (Packer::new(self.target, self.one_row), Batches::new(self.batch_bytes));
        for batch in &self.batches {
            let rows = Rows::new(batch, &self.json)?;
            for row in 0..rows.len() {
                packer.push(|out| rows.write(row, out));
                for full in packer.take_full().into_iter().filter_map(|record| open.push(record)) {
                    if !give(full) {
                        return Ok(Record::default());
                    }
                }
            }
        }
        let (last, too_large) = packer.finish();
        let full: Vec<_> = last.into_iter().filter_map(|record| open.push(record)).collect();
        // where nobody wants more, the sending has failed, and its error is the one that counts
        let _ = full.into_iter().chain(open.finish()).all(give);
        Ok(too_large)
    }

    fn pack_by_key(self, order_by: &[String]) -> Result<(Vec<Vec<Record>>, Record)> {
        let mut packer = KeyedPacker::new(self.target, self.one_row);
        for batch in &self.batches {
            let columns = order_by.iter().map(|name| place_of(batch, name)).collect::<Result<Vec<_>>>()?;
            let rows = Rows::new(batch, &self.json)?;
            (0..rows.len()).for_each(|row| packer.push(&rows, row, &columns));
        }
        Ok(packer.finish())
    }
}

fn place_of(batch: &RecordBatch, name: &str) -> Result<usize> {
    batch.schema_ref().index_of(name).map_err(|_| {
        let message = format!("`order_by` names the column `{name}`, which the rows do not have; name one of theirs");
        PortError::new(Kind::Fatal, message)
    })
}

/// Lines in gzipped objects of about [`DIRECT_BYTES`]. The same lines give the same bytes.
fn objects(lines: &[u8]) -> Vec<Bytes> {
    let (mut objects, mut rest) = (Vec::new(), lines);
    while !rest.is_empty() {
        let least = rest.len().min(DIRECT_BYTES);
        let end = rest[least - 1..].iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| least + at);
        let mut encoder = GzEncoder::new(Vec::new(), Level::default());
        let packed = encoder.write_all(&rest[..end]).and_then(|()| encoder.finish());
        objects.push(Bytes::from(packed.expect("memory takes every byte")));
        rest = &rest[end..];
    }
    objects
}

/// Calls under way, a bounded number of them.
struct Flights {
    link: Arc<Link>,
    most: usize,
    running: JoinSet<Result<Receipt>>,
    landed: Receipt,
}

impl Flights {
    fn new(link: Arc<Link>, most: usize) -> Self {
        Self { link, most: most.max(1), running: JoinSet::new(), landed: Receipt::default() }
    }

    async fn launch(&mut self, batch: Vec<Record>) -> Result<()> {
        while self.running.len() >= self.most {
            self.one().await?;
        }
        let link = self.link.clone();
        self.running.spawn(async move { link.put(batch).await });
        Ok(())
    }

    async fn one(&mut self) -> Result<()> {
        let Some(done) = self.running.join_next().await else { return Ok(()) };
        let receipt = done.map_err(died)??;
        self.landed.rows += receipt.rows;
        self.landed.records += receipt.records;
        self.landed.bytes += receipt.bytes;
        Ok(())
    }

    /// What was acknowledged in all, when nothing is under way any more.
    async fn land(&mut self) -> Result<Receipt> {
        while !self.running.is_empty() {
            self.one().await?;
        }
        Ok(self.landed.clone())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn died(error: JoinError) -> PortError {
    PortError::new(Kind::Fatal, format!("a task of the Firehose delivery died: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    #[test]
    fn direct_objects_hold_whole_lines_and_are_the_same_each_time() {
        let line = |bytes: usize| [vec![b'x'; bytes - 1], vec![b'\n']].concat();
        let lines = [line(40 << 20), line(30 << 20), line(70 << 20), line(5)].concat();
        let made = objects(&lines);
        assert_eq!(made, objects(&lines));
        let length = |object: &Bytes| {
            let mut lines = Vec::new();
            GzDecoder::new(object.as_ref()).read_to_end(&mut lines).unwrap()
        };
        let lengths: Vec<usize> = made.iter().map(length).collect();
        assert_eq!(lengths, [70 << 20, 70 << 20, 5]);
        assert!(objects(&[]).is_empty());
    }
}
