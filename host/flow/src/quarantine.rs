//! Rejected records: one row for each, with all reasons, and as much of the original as the dataset's PII policy allows.
//!
//! Where nothing in the dataset is declared PII the original stands there in the clear. Else a record that could be
//! decoded stands there as JSON of its columns with `[redacted]` for the PII ones; of one that could not be decoded only
//! length, SHA-256 and position are kept.

use crate::display::text_of;
use crate::error::{Result, internal};
use crate::layout::BoundStep;
use crate::piece::{Piece, SetAside};
use crate::pipeline::Pipeline;
use crate::work::{HOST, ShardTag};
use arrow_array::builder::{BinaryBuilder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::Serialize;
use sluice_batch::{RecordPosition, digest_hex};
use sluice_formats::{Malformed, Unusable};
use std::sync::Arc;

const REDACTED: &str = "[redacted]";

/// One cause of a rejection, as it is stored.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cause {
    pub(crate) rule: String,
    pub(crate) version: String,
    /// SHA-256 of the rule; nothing for the host's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    pub(crate) code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    pub(crate) text: String,
}

impl Cause {
    /// A verdict of a rule.
    pub(crate) fn rule(step: &BoundStep, code: &str, field: Option<&str>, text: &str) -> Self {
        let id = step.rule.id();
        Self {
            rule: id.name.clone(),
            version: id.version.clone(),
            digest: Some(id.digest.clone()),
            code: code.to_owned(),
            field: field.map(str::to_owned),
            text: text.to_owned(),
        }
    }

    /// A rule failed on the row.
    pub(crate) fn failed(step: &BoundStep, detail: &str) -> Self {
        Self::rule(step, "rule_failed", None, detail)
    }

    /// A verdict of the host.
    pub(crate) fn host(code: &str, field: Option<&str>, text: &str) -> Self {
        Self {
            rule: HOST.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            digest: None,
            code: code.to_owned(),
            field: field.map(str::to_owned),
            text: text.to_owned(),
        }
    }
}

/// Columns of the table `quarantine`.
pub(crate) fn schema() -> SchemaRef {
    let mut fields = fields();
    fields.push(crate::pipeline::commit_field());
    Arc::new(Schema::new(fields))
}

/// Its columns as a worker knows them.
fn fields() -> Vec<Field> {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    vec![
        text("reason", false),
        text("rule", false),
        text("version", false),
        text("rule_digest", true),
        text("field", true),
        text("reasons", false),
        text("source", false),
        text("shard", false),
        text("position", false),
        text("raw_policy", false),
        text("raw", true),
        Field::new("raw_bytes", DataType::Binary, true),
        Field::new("raw_length", DataType::Int64, false),
        text("raw_sha256", true),
        text("_sluice_id", false),
        crate::pipeline::arrived_field(),
    ]
}

/// What is kept of the original.
enum Original<'a> {
    Clear(&'a [u8]),
    Redacted { row: u32, len: usize },
    Withheld { len: u64, sha256: String },
}

struct Rejected<'a> {
    position: RecordPosition,
    /// Milliseconds since the epoch.
    arrived_at: i64,
    original: Original<'a>,
    causes: Vec<Cause>,
}

/// Collects the rejected records of one batch.
pub(crate) struct QuarantineBuilder<'a> {
    pipeline: &'a Pipeline,
    tag: &'a ShardTag,
    piece: &'a Piece,
    columns: &'a [ArrayRef],
    /// Record of each decoded row.
    records: &'a [u32],
    rejected: Vec<Rejected<'a>>,
}

impl<'a> QuarantineBuilder<'a> {
    pub(crate) fn new(
        pipeline: &'a Pipeline,
        tag: &'a ShardTag,
        piece: &'a Piece,
        columns: &'a [ArrayRef],
        records: &'a [u32],
    ) -> Self {
        Self { pipeline, tag, piece, columns, records, rejected: Vec::new() }
    }

    /// A decoded row that a step or the host turned away.
    pub(crate) fn reject(&mut self, row: u32, causes: &[Cause]) {
        let record = self.records[row as usize] as usize;
        let span = self.piece.raw.records[record];
        let original = match self.pipeline.holds_pii {
            true => Original::Redacted { row, len: span.len as usize },
            false => Original::Clear(span.of(&self.piece.raw.data)),
        };
        self.push(record, original, causes.to_vec());
    }

    /// A record that could not be decoded.
    pub(crate) fn undecodable(&mut self, malformed: &Malformed) {
        let record = malformed.record as usize;
        let original = self.unread(self.piece.raw.record(record));
        let cause = Cause::host(malformed.reason, malformed.field.as_deref(), &malformed.detail);
        self.push(record, original, vec![cause]);
    }

    /// A record that was never held whole.
    pub(crate) fn unusable(&mut self, unusable: &Unusable, position: RecordPosition, arrived_at: i64) {
        let sha256 = unusable.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let original = Original::Withheld { len: unusable.len, sha256 };
        let causes = vec![Cause::host(unusable.reason, None, &unusable.detail)];
        self.rejected.push(Rejected { position, arrived_at, original, causes });
    }

    /// A payload that no records could be made of.
    pub(crate) fn payload(&mut self, set_aside: &SetAside) {
        let original = self.unread(self.piece.content(set_aside));
        let causes = vec![Cause::host(set_aside.payload.reason, None, &set_aside.payload.detail)];
        let (position, arrived_at) = (set_aside.position, set_aside.arrived_at);
        self.rejected.push(Rejected { position, arrived_at, original, causes });
    }

    /// What is kept of bytes that nobody could read columns from.
    fn unread(&self, bytes: &'a [u8]) -> Original<'a> {
        match self.pipeline.holds_pii {
            true => Original::Withheld { len: bytes.len() as u64, sha256: digest_hex(bytes) },
            false => Original::Clear(bytes),
        }
    }

    fn push(&mut self, record: usize, original: Original<'a>, causes: Vec<Cause>) {
        let (position, arrived_at) = (self.piece.position(record), self.piece.arrived(record));
        self.rejected.push(Rejected { position, arrived_at, original, causes });
    }

    /// The rows, in the order of positions.
    pub(crate) fn finish(mut self) -> Result<Option<RecordBatch>> {
        if self.rejected.is_empty() {
            return Ok(None);
        }
        self.rejected.sort_by_key(|rejected| rejected.position);
        let mut out = Columns::default();
        for rejected in &self.rejected {
            self.write(rejected, &mut out);
        }
        out.finish().map(Some)
    }

    fn write(&self, rejected: &Rejected<'_>, out: &mut Columns) {
        let first = &rejected.causes[0];
        out.reason.append_value(&first.code);
        out.rule.append_value(&first.rule);
        out.version.append_value(&first.version);
        out.digest.append_option(first.digest.as_deref());
        out.field.append_option(first.field.as_deref());
        out.reasons.append_value(serde_json::to_string(&rejected.causes).expect("causes are plain data"));
        out.source.append_value(&self.tag.shard.source);
        out.shard.append_value(&self.tag.shard.shard);
        out.position.append_value(rejected.position.to_string());
        out.id.append_value(self.tag.shard.record_id(rejected.position));
        out.arrived.append_value(rejected.arrived_at * 1000);
        match &rejected.original {
            Original::Clear(bytes) => {
                let (room_text, room_bytes) = self.room();
                let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= room_text);
                match (text, bytes.len() <= room_bytes) {
                    (None, false) => out.withheld(bytes.len() as u64, &digest_hex(bytes)),
                    _ => out.original("clear", text, text.is_none().then_some(*bytes), bytes.len() as u64, None),
                }
            }
            Original::Redacted { row, len } => {
                let text = self.redacted(*row as usize);
                match text.len() <= self.room().0 {
                    true => out.original("redacted", Some(&text), None, *len as u64, None),
                    false => out.withheld(*len as u64, &digest_hex(text.as_bytes())),
                }
            }
            Original::Withheld { len, sha256 } => out.withheld(*len, sha256),
        }
    }

    /// Bytes that an original may have as text and as bytes.
    fn room(&self) -> (usize, usize) {
        self.pipeline.room.as_ref().map_or((usize::MAX, usize::MAX), |room| (room.raw_text, room.raw_bytes))
    }

    /// A decoded row as JSON, its PII hidden.
    fn redacted(&self, row: usize) -> String {
        let mut object = serde_json::Map::new();
        for (column, array) in self.pipeline.plan.schema.iter().zip(self.columns) {
            let value = match (array.is_null(row), &column.pii) {
                (true, _) => serde_json::Value::Null,
                (false, Some(_)) => REDACTED.into(),
                (false, None) => text_of(array, row).into(),
            };
            object.insert(column.from.clone(), value);
        }
        serde_json::Value::Object(object).to_string()
    }
}

#[derive(Default)]
struct Columns {
    reason: StringBuilder,
    rule: StringBuilder,
    version: StringBuilder,
    digest: StringBuilder,
    field: StringBuilder,
    reasons: StringBuilder,
    source: StringBuilder,
    shard: StringBuilder,
    position: StringBuilder,
    policy: StringBuilder,
    raw: StringBuilder,
    bytes: BinaryBuilder,
    length: Int64Builder,
    sha256: StringBuilder,
    id: StringBuilder,
    arrived: TimestampMicrosecondBuilder,
}

impl Columns {
    fn original(&mut self, policy: &str, raw: Option<&str>, bytes: Option<&[u8]>, length: u64, sha256: Option<&str>) {
        self.policy.append_value(policy);
        self.raw.append_option(raw);
        self.bytes.append_option(bytes);
        self.length.append_value(length as i64);
        self.sha256.append_option(sha256);
    }

    fn withheld(&mut self, length: u64, sha256: &str) {
        self.original("withheld", None, None, length, Some(sha256));
    }

    fn finish(mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.reason.finish()),
            Arc::new(self.rule.finish()),
            Arc::new(self.version.finish()),
            Arc::new(self.digest.finish()),
            Arc::new(self.field.finish()),
            Arc::new(self.reasons.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.shard.finish()),
            Arc::new(self.position.finish()),
            Arc::new(self.policy.finish()),
            Arc::new(self.raw.finish()),
            Arc::new(self.bytes.finish()),
            Arc::new(self.length.finish()),
            Arc::new(self.sha256.finish()),
            Arc::new(self.id.finish()),
            Arc::new(self.arrived.finish().with_timezone("UTC")),
        ];
        RecordBatch::try_new(Arc::new(Schema::new(fields())), columns)
            .map_err(|error| internal("quarantine columns", error))
    }
}
