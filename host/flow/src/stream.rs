//! One shard from a position on: opened, checked against what was recorded of it, and cut into raw batches.

use crate::error::{FlowError, Result};
use crate::piece::{Gatherer, Piece};
use crate::pipeline::Pipeline;
use bytes::Bytes;
use sluice_batch::Position;
use sluice_formats::{Framer, Header, Limits, PayloadFramer, TAIL_BYTES, read_header, tail_digest};
use sluice_manifest::plan::{CsvHeader, Format};
use sluice_ports::{Kind, PortError, Read, ShardInfo, ShardReader, Source};
use std::sync::Arc;

/// What reading on gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    More,
    CaughtUp,
    End,
    /// At its end for ever.
    Closed,
}

/// One shard being read.
pub(crate) struct ShardStream {
    label: String,
    reader: Box<dyn ShardReader>,
    framing: Framing,
}

/// How records are told apart.
enum Framing {
    /// On replay nothing from `end` on is looked at: the stream ends there, as it did then.
    Bytes {
        framer: Box<Framer>,
        end: Option<u64>,
    },
    Payloads(Box<Gatherer>),
}

impl ShardStream {
    /// Opens a shard after `from`. `tail` is the recorded digest of the bytes before it, `end` where a replay ends.
    pub(crate) async fn open(
        source: &dyn Source,
        pipeline: &Pipeline,
        info: &ShardInfo,
        from: &Position,
        tail: Option<&str>,
        end: Option<&Position>,
    ) -> Result<Self> {
        let plan = &pipeline.plan;
        let limits = Limits { rows: plan.batch.rows, bytes: plan.batch.bytes, max_record_bytes: plan.max_record_bytes };
        if source.is_stream() {
            let framer = PayloadFramer::new(&plan.format, plan.max_record_bytes, &plan.schema);
            let framing = Framing::Payloads(Box::new(Gatherer::new(framer, limits, *from)));
            return Ok(Self { label: info.label.clone(), reader: source.open(info, from).await?, framing });
        }
        let at = offset(info, from)?;
        let end = end.map(|end| offset(info, end)).transpose()?;
        let header = if at > 0 { header(source, &plan.format, info).await? } else { None };
        let start = at.saturating_sub(TAIL_BYTES as u64);
        let mut reader = source.open(info, &Position::offset(start)).await?;
        let mut framer = Framer::new(&plan.format, limits, at, header).for_schema(&plan.schema);
        let mut rest = Bytes::new();
        if at > start {
            let (before, behind) = take(reader.as_mut(), (at - start) as usize, info).await?;
            verify(&before, tail, at, info)?;
            framer.prime(&before);
            rest = behind;
        }
        let framing = Framing::Bytes { framer: Box::new(framer), end };
        let mut stream = Self { label: info.label.clone(), reader, framing };
        if !rest.is_empty() {
            stream.push(at, rest);
        }
        Ok(stream)
    }

    /// Reads on.
    pub(crate) async fn fill(&mut self) -> Result<Fill> {
        match (self.reader.next().await?, &mut self.framing) {
            (Read::Bytes { offset, data }, Framing::Bytes { .. }) => {
                let past = self.push(offset, data);
                Ok(if past { Fill::End } else { Fill::More })
            }
            (Read::Payloads(payloads), Framing::Payloads(gatherer)) => {
                gatherer.push(payloads);
                Ok(Fill::More)
            }
            (Read::CaughtUp, _) => Ok(Fill::CaughtUp),
            (Read::End, _) => Ok(Fill::End),
            (Read::Closed, _) => Ok(Fill::Closed),
            (Read::Bytes { .. } | Read::Payloads(_), _) => Err(FlowError::Input {
                label: self.label.clone(),
                message: "its source gives bytes and payloads side by side".into(),
            }),
        }
    }

    /// Pushes bytes up to the end; true where the end is reached.
    fn push(&mut self, offset: u64, data: Bytes) -> bool {
        let Framing::Bytes { framer, end } = &mut self.framing else { return false };
        let after = offset + data.len() as u64;
        match *end {
            Some(end) if after >= end => {
                framer.push(data.slice(..end.saturating_sub(offset) as usize));
                true
            }
            _ => {
                framer.push(data);
                false
            }
        }
    }

    /// The stream ended: what is left unterminated is a record.
    pub(crate) fn end(&mut self) {
        if let Framing::Bytes { framer, .. } = &mut self.framing {
            framer.end();
        }
    }

    pub(crate) fn next(&mut self, flush: bool) -> Result<Option<Piece>> {
        match &mut self.framing {
            Framing::Bytes { framer, .. } => {
                let raw = framer.next(flush);
                raw.map(|raw| raw.map(Piece::bytes)).map_err(|error| self.input(&error))
            }
            Framing::Payloads(gatherer) => Ok(gatherer.next(flush)),
        }
    }

    /// The batch that ended at `to`, cut again; `None` where more must be read.
    pub(crate) fn next_until(&mut self, to: &Position) -> Result<Option<Piece>> {
        match &mut self.framing {
            Framing::Bytes { framer, .. } => {
                let raw = match to.as_offset() {
                    Some(to) => framer.next_until(to).map_err(|error| error.to_string()),
                    None => Err(format!("position {to} is none of a byte stream")),
                };
                raw.map(|raw| raw.map(Piece::bytes)).map_err(|error| self.input(&error))
            }
            Framing::Payloads(gatherer) => gatherer.next_until(to).map_err(|error| self.input(&error)),
        }
    }

    pub(crate) fn took_unterminated_tail(&self) -> bool {
        matches!(&self.framing, Framing::Bytes { framer, .. } if framer.took_unterminated_tail())
    }

    /// Bytes as stored that were read so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.reader.consumed()
    }

    fn input(&self, error: &impl std::fmt::Display) -> FlowError {
        FlowError::Input { label: self.label.clone(), message: error.to_string() }
    }
}

fn offset(info: &ShardInfo, position: &Position) -> Result<u64> {
    position.as_offset().ok_or_else(|| {
        let message = format!("position {position} is none of a byte stream");
        FlowError::Input { label: info.label.clone(), message }
    })
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
