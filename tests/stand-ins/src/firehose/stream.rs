//! A delivery stream's buffer and the objects that come of it.

use super::Disorder;
use super::date::Date;
use super::settings::Settings;
use crate::chance::Chance;
use aws_smithy_types::base64;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// A delivery stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) source: Option<serde_json::Value>,
    pub(super) created: SystemTime,
    pub(super) settings: Settings,
    buffer: Buffer,
}

/// What was acknowledged and is in no object yet.
#[derive(Debug, Default)]
struct Buffer {
    records: Vec<(SystemTime, Bytes)>,
    bytes: u64,
}

/// An object on its way to S3.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) body: Bytes,
    /// When it may arrive.
    pub(super) due: SystemTime,
}

impl Stream {
    pub(super) fn new(name: String, kind: String, created: SystemTime, settings: Settings) -> Self {
        Self { name, kind, source: None, created, settings, buffer: Buffer::default() }
    }

    /// Takes a record into the buffer.
    pub(super) fn add(&mut self, data: Bytes, now: SystemTime) {
        self.buffer.bytes += data.len() as u64;
        self.buffer.records.push((now, data));
    }

    /// Whether the buffer is large or old enough for an object.
    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        let oldest = self.buffer.records.first().map(|(arrived, _)| *arrived);
        let age = oldest.map(|oldest| now.duration_since(oldest).unwrap_or_default());
        self.buffer.bytes >= self.settings.size_bytes || age.is_some_and(|age| age >= self.settings.interval)
    }

    /// Makes objects of the buffer: one, unless disorder is asked for.
    pub(super) fn cut(&mut self, now: SystemTime, disorder: &Disorder, chance: &mut Chance) -> io::Result<Vec<Parcel>> {
        let buffer = std::mem::take(&mut self.buffer);
        let Some(oldest) = buffer.records.first().map(|(arrived, _)| *arrived) else { return Ok(Vec::new()) };
        if chance.hits(disorder.failing_objects) {
            let prefix = self.settings.error_prefix.render(oldest, "processing-failed", random_string);
            let body = error_lines(&buffer.records);
            return Ok(vec![self.parcel(&prefix, oldest, &body, due(now, disorder, chance))?]);
        }
        let body = disordered(buffer.records, disorder, chance).concat();
        let copies = 1 + usize::from(chance.hits(disorder.doubled_objects));
        let parcel = |_| {
            let prefix = self.settings.prefix.render(oldest, "", random_string);
            self.parcel(&prefix, oldest, &body, due(now, disorder, chance))
        };
        (0..copies).map(parcel).collect()
    }

    fn parcel(&self, prefix: &str, oldest: SystemTime, body: &[u8], due: SystemTime) -> io::Result<Parcel> {
        let time = Date::of(oldest).format("yyyy-MM-dd-HH-mm-ss");
        let key = format!("{prefix}{}-1-{time}-{}", self.name, Uuid::new_v4());
        let bucket = self.settings.bucket.clone();
        if self.settings.gzip {
            return Ok(Parcel { bucket, key: key + ".gz", body: gzip(body)?, due });
        }
        Ok(Parcel { bucket, key, body: Bytes::copy_from_slice(body), due })
    }
}

fn due(now: SystemTime, disorder: &Disorder, chance: &mut Chance) -> SystemTime {
    now + disorder.delay + disorder.jitter.mul_f64(chance.unit())
}

/// The records as the object holds them: as they came, or doubled and in another order.
fn disordered(records: Vec<(SystemTime, Bytes)>, disorder: &Disorder, chance: &mut Chance) -> Vec<Bytes> {
    let mut records: Vec<Bytes> = records.into_iter().map(|(_, data)| data).collect();
    let doubled: Vec<Bytes> = records.iter().filter(|_| chance.hits(disorder.doubled_records)).cloned().collect();
    records.extend(doubled);
    if disorder.shuffled_records {
        chance.shuffle(&mut records);
    }
    records
}

/// What lies under the error prefix: per record a line of JSON with the record in it.
fn error_lines(records: &[(SystemTime, Bytes)]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (arrived, data) in records {
        let line = json!({
            "attemptsMade": 4,
            "arrivalTimestamp": unix_ms(*arrived),
            "errorCode": "Lambda.FunctionError",
            "errorMessage": "injected",
            "attemptEndingTimestamp": unix_ms(*arrived),
            "rawData": base64::encode(data),
        });
        lines.extend(line.to_string().into_bytes());
        lines.push(b'\n');
    }
    lines
}

pub(super) fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}

fn gzip(body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}

/// Eleven letters and digits, new for every object.
fn random_string() -> String {
    Uuid::new_v4().simple().to_string()[..11].to_owned()
}
