//! What a worker does to one batch: decode, run the steps, set rejected rows aside.
//!
//! A worker decides nothing about the order of batches and keeps nothing from one batch to the next, so any worker may
//! take any batch.

use crate::cpu::cpu_time;
use crate::error::Result;
use crate::isolate::isolate;
use crate::layout::{BoundStep, Layout};
use crate::piece::Piece;
use crate::pipeline::Pipeline;
use crate::quarantine::{Cause, QuarantineBuilder};
use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, new_empty_array};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use sluice_batch::{FailedRows, Imbalance, OriginAccount, Position, RecordPosition, Reject, Selection, ShardRef};
use sluice_formats::Decoder;
use sluice_manifest::plan::Otherwise;
use sluice_ports::{Rejection, Step, StepFailure, StepOutput};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Name under which the host's own verdicts are counted.
pub(crate) const HOST: &str = "sluice";
/// Microseconds of a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// A shard as batches carry it.
#[derive(Debug)]
pub(crate) struct ShardTag {
    pub(crate) shard: ShardRef,
}

/// A batch on its way to a worker.
pub(crate) struct WorkItem {
    pub(crate) tag: Arc<ShardTag>,
    pub(crate) piece: Piece,
    /// On replay, the rows that failed then: they are not tried again.
    pub(crate) failed_before: Option<Vec<FailedRows>>,
}

/// A batch on its way to the segment.
pub(crate) struct Processed {
    pub(crate) tag: Arc<ShardTag>,
    pub(crate) from: Position,
    pub(crate) to: Position,
    /// Bytes that it covers.
    pub(crate) bytes: u64,
    pub(crate) digest: u64,
    pub(crate) tail: Option<u64>,
    pub(crate) arrived_at: i64,
    pub(crate) account: OriginAccount,
    pub(crate) failed: Vec<FailedRows>,
    /// Columns of silver, `_sluice_commit` excepted: whoever appends it knows the number.
    pub(crate) silver: RecordBatch,
    /// Decoded row of each silver row.
    pub(crate) selection: Selection,
    pub(crate) quarantine: Option<RecordBatch>,
    pub(crate) bronze: Option<RecordBatch>,
}

impl Processed {
    /// Leaves rows of silver out that are doubles of earlier ones.
    pub(crate) fn leave_out(&mut self, doubles: &[u32]) -> Result<()> {
        if doubles.is_empty() {
            return Ok(());
        }
        let before = Selection::all(self.silver.num_rows());
        let after = before.without(doubles);
        let columns = self.silver.columns().iter().map(|column| before.narrow(column, &after)).collect();
        self.silver = RecordBatch::try_new(self.silver.schema(), columns)
            .map_err(|error| crate::error::internal("silver columns", error))?;
        self.selection = self.selection.without(doubles);
        self.account.silver -= doubles.len() as u64;
        *self.account.filtered.entry(Reject::new(HOST, "duplicate")).or_default() += doubles.len() as u64;
        Ok(())
    }
}

/// Where the processor time of a run goes, added up over workers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Split {
    /// Bytes to columns.
    pub decode: Duration,
    /// Calls of rules, boundary included.
    pub rules: Duration,
    /// Narrowing columns, setting rejects aside, ids.
    pub host: Duration,
}

/// One worker with its own instances of every step.
pub(crate) struct Worker {
    pipeline: Arc<Pipeline>,
    decoder: Decoder,
    steps: Vec<Option<Box<dyn Step>>>,
    pub(crate) split: Split,
}

/// Rows under way: each column as of the selection that it was last narrowed to.
struct WorkingSet {
    columns: Vec<(ArrayRef, usize)>,
    selections: Vec<Selection>,
}

impl WorkingSet {
    fn now(&self) -> &Selection {
        self.selections.last().expect("there is a first selection")
    }

    fn column(&mut self, index: usize) -> ArrayRef {
        let now = self.selections.len() - 1;
        let (array, then) = &mut self.columns[index];
        if *then < now {
            *array = self.selections[*then].narrow(array, &self.selections[now]);
            *then = now;
        }
        array.clone()
    }

    fn put(&mut self, index: usize, array: ArrayRef) {
        let entry = (array, self.selections.len() - 1);
        match self.columns.get_mut(index) {
            Some(column) => *column = entry,
            None => self.columns.push(entry),
        }
    }

    /// Takes rows away; `gone` are indexes into the current selection, ascending.
    fn drop_rows(&mut self, gone: &[u32]) {
        if !gone.is_empty() {
            let next = self.now().without(gone);
            self.selections.push(next);
        }
    }
}

impl Worker {
    pub(crate) fn new(pipeline: Arc<Pipeline>) -> Self {
        let plan = &pipeline.plan;
        let decoder = Decoder::new(&plan.format, &plan.schema, plan.unknown_fields);
        let steps = pipeline.steps.iter().map(|_| None).collect();
        Self { pipeline, decoder, steps, split: Split::default() }
    }

    /// Takes a batch through decoding and all steps.
    pub(crate) fn process(&mut self, item: WorkItem) -> Result<Processed> {
        let begun = cpu_time();
        let pipeline = self.pipeline.clone();
        let WorkItem { tag, piece, failed_before } = item;
        let raw = &piece.raw;
        let decoded = self.decoder.decode(raw);
        self.split.decode += cpu_time().saturating_sub(begun);
        let begun = cpu_time();
        let before = self.split.rules;

        let mut account = OriginAccount { read: piece.read(), ..Default::default() };
        let mut quarantine = QuarantineBuilder::new(&pipeline, &tag, &piece, &decoded.columns, &decoded.rows);
        for (unusable, position, arrived_at) in piece.unusable() {
            quarantine.unusable(unusable, position, arrived_at);
            count(&mut account.quarantined, HOST, unusable.reason);
        }
        for set_aside in piece.set_aside() {
            let payload = &set_aside.payload;
            if payload.drop {
                count(&mut account.filtered, HOST, payload.reason);
            } else {
                quarantine.payload(set_aside);
                count(&mut account.quarantined, HOST, payload.reason);
            }
        }
        for malformed in &decoded.rejects {
            quarantine.undecodable(malformed);
            count(&mut account.quarantined, HOST, malformed.reason);
        }
        let all = Selection::all(decoded.rows.len());
        let mut set = WorkingSet {
            columns: decoded.columns.iter().map(|column| (column.clone(), 0)).collect(),
            selections: vec![all],
        };
        let mut failed = Vec::new();
        for index in 0..self.steps.len() {
            let forced = failed_before.as_deref();
            self.run_step(index, &mut set, &mut account, &mut quarantine, forced, &mut failed)?;
        }
        self.check_event_times(&mut set, &piece, &decoded.rows, &mut account, &mut quarantine);
        self.check_room(&mut set, &mut account, &mut quarantine);

        let mut columns: Vec<ArrayRef> = (0..set.columns.len()).map(|index| set.column(index)).collect();
        let selection = set.selections.pop().expect("there is a last selection");
        account.silver = selection.len() as u64;
        let records = || selection.rows().iter().map(|row| decoded.rows[*row as usize] as usize);
        columns.push(record_ids(&tag.shard, &piece, records(), selection.len()));
        columns.push(arrivals(&piece, records()));
        let silver = RecordBatch::try_new(pipeline.processed_schema.clone(), columns)
            .map_err(|error| crate::error::internal("silver columns", error))?;
        let bronze = pipeline.plan.bronze.enabled.then(|| self.bronze(&tag.shard, &piece)).transpose()?;
        let quarantine = quarantine.finish()?;
        self.split.host += (cpu_time().saturating_sub(begun)).saturating_sub(self.split.rules.saturating_sub(before));
        Ok(Processed {
            from: piece.from(),
            to: piece.to(),
            bytes: piece.len(),
            digest: raw.digest,
            tail: piece.tail(),
            arrived_at: piece.arrived_at,
            tag,
            account,
            failed,
            silver,
            selection,
            quarantine,
            bronze,
        })
    }

    fn run_step(
        &mut self,
        index: usize,
        set: &mut WorkingSet,
        account: &mut OriginAccount,
        quarantine: &mut QuarantineBuilder<'_>,
        forced: Option<&[FailedRows]>,
        failed: &mut Vec<FailedRows>,
    ) -> Result<()> {
        let pipeline = self.pipeline.clone();
        let step = &pipeline.steps[index];
        if let Some(before) = forced.and_then(|all| all.iter().find(|rows| rows.at == step.label)) {
            let gone = indexes_of(set.now(), &before.rows);
            let cause = Cause::failed(step, &before.cause);
            set_aside(set, &gone, step.otherwise_on_failure(), &cause, account, quarantine);
            failed.push(before.clone());
        }
        let rows = set.now().len();
        let touched = &pipeline.layout.steps[index];
        let columns: Vec<ArrayRef> = touched.reads.iter().map(|column| set.column(*column)).collect();
        let begun = cpu_time();
        let answer = self.call(index, rows, &columns);
        self.split.rules += cpu_time().saturating_sub(begun);
        let Answer { rejections, columns, failures } = answer;
        for (place, column) in touched.writes.iter().zip(columns) {
            set.put(*place, column);
        }
        let gone = reject(set, step, &pipeline.layout, index, &rejections, account, quarantine);
        let gone_failed: Vec<u32> = failures.iter().flat_map(|(rows, _)| rows.start as u32..rows.end as u32).collect();
        if let Some((_, failure)) = failures.first() {
            let cause = Cause::failed(step, &failure.detail);
            for row in &gone_failed {
                quarantine.reject(set.now().rows()[*row as usize], std::slice::from_ref(&cause));
                count(&mut account.quarantined, &step.rule.id().name, "rule_failed");
            }
            let rows = gone_failed.iter().map(|row| set.now().rows()[*row as usize]).collect();
            failed.push(FailedRows { at: step.label.clone(), rows, cause: failure.detail.clone() });
            tracing::warn!(step = step.label, rows = gone_failed.len(), "{}", failure.detail);
        }
        let mut all: Vec<u32> = gone.into_iter().chain(gone_failed).collect();
        all.sort_unstable();
        all.dedup();
        set.drop_rows(&all);
        if set.now().len() + all.len() != rows {
            let accounted = (set.now().len() + all.len()) as u64;
            return Err(Imbalance { place: format!("step `{}`", step.label), rows_in: rows as u64, accounted }.into());
        }
        Ok(())
    }

    /// Calls a rule; where it fails, isolates the rows that it fails on.
    fn call(&mut self, index: usize, rows: usize, columns: &[ArrayRef]) -> Answer {
        let rule = &self.pipeline.steps[index].rule;
        let outputs = &rule.signature().outputs;
        if rows == 0 {
            let columns = outputs.iter().map(|output| new_empty_array(&output.ty.arrow())).collect();
            return Answer { rejections: Vec::new(), columns, failures: Vec::new() };
        }
        let slot = &mut self.steps[index];
        let done = isolate(rows, rule.deadline(), |stretch, deadline| {
            let step = match slot {
                Some(step) => step,
                None => slot.insert(rule.step()?),
            };
            let part: Vec<ArrayRef> = columns.iter().map(|c| c.slice(stretch.start, stretch.len())).collect();
            match deadline {
                None => step.call(stretch.len(), &part),
                Some(deadline) => step.call_within(stretch.len(), &part, deadline),
            }
        });
        join(done.answered, done.failed, rows, outputs.iter().map(|output| output.ty.arrow()))
    }

    /// Sets rows aside whose event time lies too far ahead of their arrival: one row of the year 9999 must not close
    /// every window.
    fn check_event_times(
        &self,
        set: &mut WorkingSet,
        piece: &Piece,
        records: &[u32],
        account: &mut OriginAccount,
        quarantine: &mut QuarantineBuilder<'_>,
    ) {
        let max_ahead = self.pipeline.plan.max_ahead.as_micros() as i64;
        let limit = |record: usize| (piece.arrived(record) * 1000).saturating_add(max_ahead);
        for column in &self.pipeline.event_columns {
            let times = event_times(&set.column(*column));
            let rows = set.now().rows();
            let record = |row: usize| records[rows[row] as usize] as usize;
            let ahead = (0..times.len()).filter(|row| times.is_valid(*row) && times.value(*row) > limit(record(*row)));
            let gone: Vec<u32> = ahead.map(|row| row as u32).collect();
            let field = &self.pipeline.layout.fields[*column].name;
            let cause =
                Cause::host("event_time_ahead", Some(field), "the event time lies too far ahead of the arrival");
            set_aside(set, &gone, Otherwise::Quarantine, &cause, account, quarantine);
        }
    }

    /// Sets rows aside whose texts the warehouse has no room for: one of them would keep its whole object out.
    fn check_room(&self, set: &mut WorkingSet, account: &mut OriginAccount, quarantine: &mut QuarantineBuilder<'_>) {
        let Some(room) = &self.pipeline.room else { return };
        for (place, field) in self.pipeline.layout.fields.iter().enumerate() {
            let Some(limit) = room.texts.get(&field.name).copied() else { continue };
            let column = set.column(place);
            let Some(texts) = column.as_string_opt::<i32>() else { continue };
            let lengths = texts.value_offsets().windows(2).map(|pair| (pair[1] - pair[0]) as usize);
            let gone: Vec<u32> = (0u32..).zip(lengths).filter(|(_, len)| *len > limit).map(|(row, _)| row).collect();
            let text = format!("the text has more bytes than its column in the warehouse takes: {limit}");
            let cause = Cause::host("text_too_long", Some(&field.name), &text);
            set_aside(set, &gone, Otherwise::Quarantine, &cause, account, quarantine);
        }
    }

    fn bronze(&self, shard: &ShardRef, piece: &Piece) -> Result<RecordBatch> {
        let raw = &piece.raw;
        let ids = record_ids(shard, piece, 0..raw.records.len(), raw.records.len());
        let mut content = BinaryBuilder::with_capacity(raw.records.len(), raw.data.len());
        for span in &raw.records {
            content.append_value(span.of(&raw.data));
        }
        let columns: Vec<ArrayRef> = vec![ids, arrivals(piece, 0..raw.records.len()), Arc::new(content.finish())];
        RecordBatch::try_new(self.pipeline.bronze_schema.clone(), columns)
            .map_err(|error| crate::error::internal("bronze columns", error))
    }
}

impl BoundStep {
    /// Rows that a rule failed on are always set aside, never left out quietly.
    fn otherwise_on_failure(&self) -> Otherwise {
        Otherwise::Quarantine
    }
}

/// A rule's answer for a whole batch, put together from stretches.
struct Answer {
    rejections: Vec<Rejection>,
    columns: Vec<ArrayRef>,
    failures: Vec<(Range<usize>, StepFailure)>,
}

fn join(
    answered: Vec<(Range<usize>, StepOutput)>,
    failures: Vec<(Range<usize>, StepFailure)>,
    rows: usize,
    types: impl Iterator<Item = DataType>,
) -> Answer {
    if failures.is_empty() && answered.len() == 1 {
        let output = answered.into_iter().next().expect("there is one").1;
        return Answer { rejections: output.rejections, columns: output.columns, failures };
    }
    let mut rejections = Vec::new();
    for (stretch, output) in &answered {
        let start = stretch.start as u32;
        rejections.extend(output.rejections.iter().map(|r| Rejection { row: r.row + start, ..*r }));
    }
    let columns = types.enumerate().map(|(column, ty)| fill(&answered, column, rows, &ty)).collect();
    Answer { rejections, columns, failures }
}

/// One output column over all rows; null where the rule failed (those rows are dropped next).
fn fill(answered: &[(Range<usize>, StepOutput)], column: usize, rows: usize, ty: &DataType) -> ArrayRef {
    let (mut parts, mut at): (Vec<ArrayRef>, usize) = (Vec::new(), 0);
    for (stretch, output) in answered {
        if at < stretch.start {
            parts.push(arrow_array::new_null_array(ty, stretch.start - at));
        }
        parts.push(output.columns[column].clone());
        at = stretch.end;
    }
    if at < rows {
        parts.push(arrow_array::new_null_array(ty, rows - at));
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    arrow_select::concat::concat(&parts).expect("parts have one type")
}

/// Records a step's rejections; returns the rows rejected (indexes into the current selection, ascending).
fn reject(
    set: &WorkingSet,
    step: &BoundStep,
    layout: &Layout,
    index: usize,
    rejections: &[Rejection],
    account: &mut OriginAccount,
    quarantine: &mut QuarantineBuilder<'_>,
) -> Vec<u32> {
    let signature = step.rule.signature();
    let mut gone = Vec::new();
    for of_row in rejections.chunk_by(|a, b| a.row == b.row) {
        let cause = |r: &Rejection| {
            let reason = &signature.reasons[r.code as usize];
            let field = layout.steps[index].reads.get(r.column as usize).map(|c| layout.fields[*c].name.as_str());
            Cause::rule(step, &reason.code, field, &reason.text)
        };
        let first = &signature.reasons[of_row[0].code as usize].code;
        let row = of_row[0].row;
        gone.push(row);
        match step.otherwise {
            Otherwise::Filter => count(&mut account.filtered, &step.rule.id().name, first),
            Otherwise::Quarantine => {
                count(&mut account.quarantined, &step.rule.id().name, first);
                let causes: Vec<Cause> = of_row.iter().map(cause).collect();
                quarantine.reject(set.now().rows()[row as usize], &causes);
            }
        }
    }
    gone
}

/// Sets rows aside for one cause and drops them from the set.
fn set_aside(
    set: &mut WorkingSet,
    gone: &[u32],
    otherwise: Otherwise,
    cause: &Cause,
    account: &mut OriginAccount,
    quarantine: &mut QuarantineBuilder<'_>,
) {
    for row in gone {
        match otherwise {
            Otherwise::Filter => count(&mut account.filtered, &cause.rule, &cause.code),
            Otherwise::Quarantine => {
                count(&mut account.quarantined, &cause.rule, &cause.code);
                quarantine.reject(set.now().rows()[*row as usize], std::slice::from_ref(cause));
            }
        }
    }
    set.drop_rows(gone);
}

fn count(counts: &mut BTreeMap<Reject, u64>, rule: &str, reason: &str) {
    *counts.entry(Reject::new(rule, reason)).or_default() += 1;
}

/// Where decoded rows stand in a selection; those that are not in it any more are passed over.
fn indexes_of(selection: &Selection, rows: &[u32]) -> Vec<u32> {
    let mut wanted = rows.iter().copied().peekable();
    let mut found = Vec::with_capacity(rows.len());
    for (index, row) in (0u32..).zip(selection.rows()) {
        while wanted.next_if(|w| w < row).is_some() {}
        if wanted.next_if_eq(row).is_some() {
            found.push(index);
        }
    }
    found
}

/// Event times in microseconds, from a timestamp or date column.
pub(crate) fn event_times(column: &ArrayRef) -> arrow_array::Int64Array {
    match column.data_type() {
        DataType::Date32 => column.as_primitive::<Date32Type>().unary(|days| i64::from(days) * DAY_US),
        _ => column.as_primitive::<TimestampMicrosecondType>().reinterpret_cast(),
    }
}

/// The `_sluice_id` of records of a batch.
fn record_ids(shard: &ShardRef, piece: &Piece, records: impl Iterator<Item = usize>, rows: usize) -> ArrayRef {
    let mut ids = Ids::new(shard, rows);
    if piece.is_bytes() {
        let mut digits = [0u8; 20];
        records.for_each(|record| ids.push(decimal(piece.raw.offset(record), &mut digits)));
    } else {
        let (mut last, mut text) = (None, String::new());
        for record in records {
            let position = piece.position(record);
            // payloads of many rows, and many payloads of one aggregate, share a sequence number
            if last != Some(position.sequence) {
                last = Some(position.sequence);
                text = position.sequence.to_string();
            }
            ids.push_position(&text, position);
        }
    }
    ids.finish()
}

/// Texts that all begin with the shard.
struct Ids {
    prefix: String,
    bytes: Vec<u8>,
    offsets: Vec<i32>,
}

impl Ids {
    fn new(shard: &ShardRef, rows: usize) -> Self {
        let prefix = format!("{shard}/");
        let bytes = Vec::with_capacity(rows * (prefix.len() + 10));
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { prefix, bytes, offsets }
    }

    fn push(&mut self, position: &[u8]) {
        self.bytes.extend_from_slice(self.prefix.as_bytes());
        self.bytes.extend_from_slice(position);
        self.offsets.push(self.bytes.len() as i32);
    }

    fn push_position(&mut self, sequence: &str, position: RecordPosition) {
        self.bytes.extend_from_slice(self.prefix.as_bytes());
        self.bytes.extend_from_slice(sequence.as_bytes());
        if (position.sub, position.row) != (0, 0) {
            let mut digits = [0u8; 20];
            for part in [position.sub, position.row] {
                self.bytes.push(b'.');
                self.bytes.extend_from_slice(decimal(part, &mut digits));
            }
        }
        self.offsets.push(self.bytes.len() as i32);
    }

    fn finish(self) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let ids = StringArray::try_new(offsets, Buffer::from_vec(self.bytes), None);
        Arc::new(ids.expect("ids are text cut at its ends"))
    }
}

/// The `_sluice_arrived_at` of records of a batch.
fn arrivals(piece: &Piece, records: impl Iterator<Item = usize>) -> ArrayRef {
    let times = records.map(|record| piece.arrived(record) * 1000);
    Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
}

fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_position_type() {
        let shard = ShardRef::new("stream@1", "shardId-000000000000");
        let sequence: sluice_batch::Sequence =
            "49590338271490256608559692538361571095921575989136588898".parse().unwrap();
        let mut ids = Ids::new(&shard, 4);
        let positions =
            [(0, 0), (0, 7), (12, 0), (u64::MAX, 1)].map(|(sub, row)| RecordPosition { sequence, sub, row });
        positions.iter().for_each(|position| ids.push_position(&sequence.to_string(), *position));
        let starts = [0, 9, 10, 123_456, u64::MAX];
        starts.iter().for_each(|start| ids.push(decimal(*start, &mut [0; 20])));
        let all = positions.into_iter().chain(starts.map(RecordPosition::at_offset));
        for (id, position) in ids.finish().as_string::<i32>().iter().zip(all) {
            assert_eq!(id.unwrap(), shard.record_id(position));
        }
    }

    #[test]
    fn rows_are_found_again_in_a_later_selection() {
        let selection = Selection::all(10).without(&[2, 3, 9]);
        assert_eq!(indexes_of(&selection, &[0, 2, 4, 9]), [0, 2]);
    }
}
