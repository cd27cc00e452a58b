//! One shard from a position on: opened, checked against what was recorded of it, and cut into raw batches.

use crate::error::{FlowError, Result};
use crate::pipeline::Pipeline;
use bytes::Bytes;
use sluice_batch::Position;
use sluice_formats::{Framer, Header, Limits, RawBatch, TAIL_BYTES, read_header, tail_digest};
use sluice_manifest::plan::{CsvHeader, Format};
use sluice_ports::{Kind, PortError, Read, ShardInfo, ShardReader, Source};
use std::sync::Arc;

/// What reading on gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    More,
    CaughtUp,
    End,
}

/// One shard being read.
pub(crate) struct ShardStream {
    label: String,
    reader: Box<dyn ShardReader>,
    framer: Framer,
    /// On replay nothing from here on is looked at: the stream ends here, as it did then.
    end: Option<u64>,
}

impl ShardStream {
    /// Opens a shard after `from`. `tail` is the recorded digest of the bytes before it.
    pub(crate) async fn open(
        source: &dyn Source,
        pipeline: &Pipeline,
        info: &ShardInfo,
        from: &Position,
        tail: Option<&str>,
        end: Option<u64>,
    ) -> Result<Self> {
        let plan = &pipeline.plan;
        let at = from.as_offset().ok_or_else(|| {
            let message = format!("position {from} is none of a byte stream");
            FlowError::Input { label: info.label.clone(), message }
        })?;
        let limits = Limits { rows: plan.batch.rows, bytes: plan.batch.bytes, max_record_bytes: plan.max_record_bytes };
        let header = if at > 0 { header(source, &plan.format, info).await? } else { None };
        let start = at.saturating_sub(TAIL_BYTES as u64);
        let mut reader = source.open(info, &Position::offset(start)).await?;
        let mut framer = Framer::new(&plan.format, limits, at, header).for_schema(&plan.schema);
        if at > start {
            let (before, rest) = take(reader.as_mut(), (at - start) as usize, info).await?;
            verify(&before, tail, at, info)?;
            framer.prime(&before);
            if !rest.is_empty() {
                let mut stream = Self { label: info.label.clone(), reader, framer, end };
                stream.push(at, rest);
                return Ok(stream);
            }
        }
        Ok(Self { label: info.label.clone(), reader, framer, end })
    }

    /// Reads on.
    pub(crate) async fn fill(&mut self) -> Result<Fill> {
        match self.reader.next().await? {
            Read::Bytes { offset, data } => {
                let past = self.push(offset, data);
                Ok(if past { Fill::End } else { Fill::More })
            }
            Read::CaughtUp => Ok(Fill::CaughtUp),
            Read::End => Ok(Fill::End),
            Read::Payloads(_) => Err(FlowError::Input {
                label: self.label.clone(),
                message: "a record stream was opened where only byte streams are read in this version".into(),
            }),
        }
    }

    /// Pushes bytes up to the end; true where the end is reached.
    fn push(&mut self, offset: u64, data: Bytes) -> bool {
        let after = offset + data.len() as u64;
        match self.end {
            Some(end) if after >= end => {
                self.framer.push(data.slice(..end.saturating_sub(offset) as usize));
                true
            }
            _ => {
                self.framer.push(data);
                false
            }
        }
    }

    /// The stream ended: what is left unterminated is a record.
    pub(crate) fn end(&mut self) {
        self.framer.end();
    }

    pub(crate) fn next(&mut self, flush: bool) -> Result<Option<RawBatch>> {
        self.framer.next(flush).map_err(|error| self.input(&error))
    }

    pub(crate) fn next_until(&mut self, to: u64) -> Result<Option<RawBatch>> {
        self.framer.next_until(to).map_err(|error| self.input(&error))
    }

    pub(crate) fn took_unterminated_tail(&self) -> bool {
        self.framer.took_unterminated_tail()
    }

    /// Bytes as stored that were read so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.reader.consumed()
    }

    fn input(&self, error: &impl std::fmt::Display) -> FlowError {
        FlowError::Input { label: self.label.clone(), message: error.to_string() }
    }
}

/// The header of a CSV file, read from its beginning.
async fn header(source: &dyn Source, format: &Format, info: &ShardInfo) -> Result<Option<Arc<Header>>> {
    if !matches!(format, Format::Csv { header: CsvHeader::FirstLine, .. }) {
        return Ok(None);
    }
    let mut reader = source.open(info, &Position::TrimHorizon).await?;
    let mut head = Vec::new();
    loop {
        let ended = match reader.next().await? {
            Read::Bytes { data, .. } => {
                head.extend_from_slice(&data);
                false
            }
            _ => true,
        };
        let input =
            |error: &dyn std::fmt::Display| FlowError::Input { label: info.label.clone(), message: error.to_string() };
        match read_header(format, &head, ended).map_err(|error| input(&error))? {
            Some(header) => return Ok(Some(Arc::new(header))),
            None if ended => return Err(input(&"the header line that was there before is gone")),
            None => {}
        }
    }
}

/// Exactly `wanted` bytes, and what came with them.
async fn take(reader: &mut dyn ShardReader, wanted: usize, info: &ShardInfo) -> Result<(Vec<u8>, Bytes)> {
    let mut taken = Vec::with_capacity(wanted);
    loop {
        let Read::Bytes { mut data, .. } = reader.next().await? else {
            return Err(changed(info, "it ends before the position up to which it was read").into());
        };
        let missing = wanted - taken.len();
        if data.len() >= missing {
            taken.extend_from_slice(&data.split_to(missing));
            return Ok((taken, data));
        }
        taken.extend_from_slice(&data);
    }
}

fn verify(before: &[u8], recorded: Option<&str>, at: u64, info: &ShardInfo) -> Result<()> {
    match recorded {
        Some(recorded) if recorded != hex(tail_digest(before)) => {
            let len = before.len();
            Err(changed(info, &format!("the {len} bytes before offset {at} are not those that were read")).into())
        }
        _ => Ok(()),
    }
}

fn changed(info: &ShardInfo, what: &str) -> PortError {
    let label = &info.label;
    PortError::new(
        Kind::Changed,
        format!(
            "{label}: {what}; it was replaced, rotated or truncated; put it back as it was, or take it as a new file with \
             `--reread {label}`"
        ),
    )
}

/// Digests of 64 bits as they stand in the log.
pub(crate) fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}
