//! What a delivery stream wrote to S3.

use super::Seen;
use crate::client::Aws;
use crate::s3::source::{Packing, Pinned, Unpacker, list};
use aws_sdk_s3::types::Object as Listed;
use serde::Deserialize;
use sluice_ports::{Kind, Object, PortError, Result};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// How far back objects are looked at, at least: a late object sorts before newer ones, and Firehose tries for a day.
const LEAST_MS: i64 = 48 * 3_600_000;

/// Where a delivery stream writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivalsConfig {
    /// Bucket.
    pub bucket: String,
    /// Prefix of what it delivers; rows that went direct lie below it too.
    pub prefix: String,
    /// Prefix of what it could not deliver; empty where there is none.
    pub error_prefix: String,
}

/// Objects that a delivery stream wrote.
#[derive(Debug, Clone)]
pub struct Arrivals {
    aws: Aws,
    config: ArrivalsConfig,
}

/// What a look at the bucket found, each in the order of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Objects with rows that are not loaded yet.
    pub objects: Vec<Object>,
    /// Objects with what could not be delivered. Any of them is an alarm.
    pub errors: Vec<Object>,
}

/// Rows of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectIds {
    /// Commit number and id of each.
    pub ids: Vec<(u64, String)>,
    /// Lines that are no rows of Sluice.
    pub bad_lines: u64,
}

impl Arrivals {
    /// Of a delivery stream.
    pub fn new(aws: Aws, config: ArrivalsConfig) -> Self {
        Self { aws, config }
    }

    /// From when on objects are to be looked at: since the oldest segment that is not known to be loaded whole, and for
    /// the last 48 hours at least. Milliseconds since the epoch.
    pub fn since(now_ms: i64, oldest_open_ms: i64) -> i64 {
        oldest_open_ms.min(now_ms.saturating_sub(LEAST_MS))
    }

    /// Looks at what was written since a time (`None`: ever), and leaves out what is loaded (key and ETag).
    ///
    /// # Errors
    /// As the listing fails.
    pub async fn scan(&self, since_ms: Option<i64>, loaded: &BTreeSet<(String, String)>) -> Result<Found> {
        let config = &self.config;
        let is_error = |key: &str| !config.error_prefix.is_empty() && key.starts_with(&config.error_prefix);
        let is_new = |listed: &Listed| modified_ms(listed).zip(since_ms).is_none_or(|(at, since)| at >= since);
        let mut found = Found::default();
        for object in self.list(&config.prefix).await?.into_iter().filter(is_new).filter_map(object) {
            let is_loaded = || loaded.contains(&(object.key.clone(), object.etag.clone()));
            if !is_error(&object.key) && !is_loaded() {
                found.objects.push(object);
            }
        }
        if !config.error_prefix.is_empty() {
            let all = self.list(&config.error_prefix).await?;
            found.errors = all.into_iter().filter(is_new).filter_map(object).collect();
        }
        Ok(found)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        list(&self.aws, &self.config.bucket, prefix).await
    }

    /// The ids of an object's rows.
    ///
    /// # Errors
    /// [`Kind::Changed`] or [`Kind::NotFound`] where it is another or gone, [`Kind::Broken`] where it cannot be
    /// decompressed.
    pub async fn ids(&self, object: &Object) -> Result<ObjectIds> {
        let pinned = Pinned {
            aws: self.aws.clone(),
            bucket: self.config.bucket.clone(),
            key: object.key.clone(),
            etag: object.etag.trim_matches('"').to_owned(),
            version: None,
            size: object.size,
        };
        let (mut lines, mut at) = (Lines::new(pinned.to_string()), 0);
        while at < pinned.size {
            let chunk = pinned.chunk(at).await?;
            at += chunk.len() as u64;
            lines = tokio::task::spawn_blocking(move || lines.take(&chunk)).await.map_err(|error| {
                PortError::new(Kind::Fatal, format!("a task that reads what Firehose wrote died: {error}"))
            })??;
        }
        lines.finish()
    }

    /// Adds what objects hold to what was seen, and gives the number of lines that are no rows of Sluice.
    ///
    /// # Errors
    /// As [`Arrivals::ids`].
    pub async fn see(&self, objects: &[Object], seen: &mut Seen) -> Result<u64> {
        let mut bad_lines = 0;
        for object in objects {
            let held = self.ids(object).await?;
            bad_lines += held.bad_lines;
            seen.add(held.ids);
        }
        Ok(bad_lines)
    }
}

fn modified_ms(listed: &Listed) -> Option<i64> {
    listed.last_modified().and_then(|at| at.to_millis().ok())
}

/// None for what only stands for a folder.
fn object(listed: Listed) -> Option<Object> {
    let (key, size) = (listed.key?, u64::try_from(listed.size?).ok()?);
    let etag = listed.e_tag.unwrap_or_default();
    (size > 0).then_some(Object { key, size, etag, columns: None })
}

/// What is needed of a row.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "_sluice_id", borrow)]
    id: Cow<'a, str>,
    #[serde(rename = "_sluice_commit")]
    commit: u64,
}

/// Lines of an object that comes in chunks.
struct Lines {
    what: String,
    begun: bool,
    unpacker: Option<Unpacker>,
    /// Of the line that is not whole yet.
    rest: Vec<u8>,
    rows: ObjectIds,
}

impl Lines {
    fn new(what: String) -> Self {
        Self { what, begun: false, unpacker: None, rest: Vec::new(), rows: ObjectIds::default() }
    }

    fn take(mut self, chunk: &[u8]) -> Result<Self> {
        if !std::mem::replace(&mut self.begun, true) {
            self.unpacker = Packing::of(chunk).map(Unpacker::new).transpose()?;
        }
        let Some(mut unpacker) = self.unpacker.take() else {
            self.push(chunk);
            return Ok(self);
        };
        let mut input = chunk;
        loop {
            let (out, done) = unpacker.block(&mut input);
            self.push(&out);
            done.map_err(|broken| self.broken(&broken))?;
            if out.is_empty() && input.is_empty() {
                break;
            }
        }
        self.unpacker = Some(unpacker);
        Ok(self)
    }

    fn push(&mut self, data: &[u8]) {
        self.rest.extend_from_slice(data);
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for line in self.rest[..whole].split(|byte| *byte == b'\n') {
            line_into(line, &mut self.rows);
        }
        self.rest.drain(..whole);
    }

    fn finish(mut self) -> Result<ObjectIds> {
        if self.unpacker.as_ref().is_some_and(|unpacker| !unpacker.may_end()) {
            return Err(self.broken("it ends within its compressed data"));
        }
        line_into(&self.rest, &mut self.rows);
        Ok(self.rows)
    }

    fn broken(&self, how: &str) -> PortError {
        PortError::new(Kind::Broken, format!("{}, written by Firehose, cannot be decompressed: {how}", self.what))
    }
}

fn line_into(line: &[u8], rows: &mut ObjectIds) {
    if line.trim_ascii().is_empty() {
        return;
    }
    match serde_json::from_slice::<Row<'_>>(line) {
        Ok(row) => rows.ids.push((row.commit, row.id.into_owned())),
        Err(_) => rows.bad_lines += 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;

    const LINES: &str = concat!(
        "{\"x\":1,\"_sluice_id\":\"s/1/0\",\"_sluice_commit\":1}\n",
        "\n",
        "{\"_sluice_id\":\"s/\\\"1/1\",\"_sluice_commit\":1}{}\n",
        "not json\n",
        "{\"_sluice_id\":\"s/\\\"1/2\",\"_sluice_arrived_at\":\"2010-12-01 08:26:00.000000\",\"_sluice_commit\":2}"
    );

    fn read(data: &[u8], chunk: usize) -> Result<ObjectIds> {
        data.chunks(chunk).try_fold(Lines::new("`o`".into()), |lines, chunk| lines.take(chunk))?.finish()
    }

    #[test]
    fn ids_are_read_in_chunks_of_any_size_and_bad_lines_are_counted() {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(LINES.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let expected = ObjectIds { ids: vec![(1, "s/1/0".into()), (2, "s/\"1/2".into())], bad_lines: 2 };
        for chunk in [4, 7, 100_000] {
            assert_eq!(read(LINES.as_bytes(), chunk).unwrap(), expected);
            assert_eq!(read(&packed, chunk).unwrap(), expected);
            assert_eq!(read(&packed[..packed.len() - 3], chunk).unwrap_err().kind, Kind::Broken);
        }
    }

    #[test]
    fn two_days_are_looked_at_and_more_where_something_is_open() {
        let hour = 3_600_000;
        assert_eq!(Arrivals::since(100 * hour, 99 * hour), 52 * hour);
        assert_eq!(Arrivals::since(100 * hour, 3 * hour), 3 * hour);
    }
}
