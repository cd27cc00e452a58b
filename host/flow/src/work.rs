//! What a worker does to one batch: decode, run the steps, set rejected rows aside.
//!
//! A worker decides nothing about the order of batches and keeps nothing from one batch to the next, so any worker may
//! take any batch.

use crate::answer::Answer;
use crate::breaker::{Admission, is_failed_batch};
use crate::checks;
use crate::cpu::cpu_time;
use crate::error::{FlowError, Result, internal};
use crate::ids::{arrivals, record_ids};
use crate::piece::Piece;
use crate::pipeline::Pipeline;
use crate::quarantine::{Cause, QuarantineBuilder};
use crate::rows::{Books, WorkingSet, count, indexes_of};
use crate::version::Version;
use arrow_array::builder::BinaryBuilder;
use arrow_array::{ArrayRef, RecordBatch};
use sluice_batch::{BatchEntry, FailedRows, Imbalance, OriginAccount, Position, Reject, Selection, ShardRef};
use sluice_formats::Decoder;
use sluice_manifest::plan::OnFailure;
use sluice_ports::{Cause as FailureCause, Clock, RuleKind, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Name under which the host's own verdicts are counted.
pub(crate) const HOST: &str = "sluice";

/// A shard as batches carry it.
#[derive(Debug)]
pub(crate) struct ShardTag {
    pub(crate) shard: ShardRef,
}

/// A batch on its way to a worker.
pub(crate) struct WorkItem {
    pub(crate) tag: Arc<ShardTag>,
    pub(crate) piece: Piece,
    /// On replay, what was decided about it then.
    pub(crate) again: Option<Decided>,
}

/// Decisions about a batch that are not taken anew when its cut is run again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decided {
    /// Rows that rules failed on: they are not tried again.
    pub(crate) failed: Vec<FailedRows>,
    /// Steps whose rule was parked, with why.
    pub(crate) parked: BTreeMap<String, String>,
}

impl Decided {
    /// The decisions about steps in an entry of a cut.
    pub(crate) fn of(entry: &BatchEntry) -> Self {
        let failed = entry.failed.iter().filter(|failed| !failed.at.starts_with("gold ")).cloned().collect();
        Self { failed, parked: entry.parked.clone() }
    }
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
    pub(crate) decided: Decided,
    /// Columns of silver, `_sluice_commit` excepted: whoever appends it knows the number.
    pub(crate) silver: RecordBatch,
    /// Decoded row of each silver row.
    pub(crate) selection: Selection,
    pub(crate) quarantine: Option<RecordBatch>,
    pub(crate) bronze: Option<RecordBatch>,
    /// Processor time of rules.
    pub(crate) rules: Duration,
    /// News of this batch for people.
    pub(crate) news: News,
}

/// What happened while a batch was processed that people should hear of.
#[derive(Debug, Clone, Default)]
pub(crate) struct News {
    /// Rules that were parked because of it: step and why.
    pub(crate) parked: Vec<(String, String)>,
    /// Whether it was run twice to see that the rules say the same.
    pub(crate) audited: bool,
    /// Rules that did not, as `name@version`.
    pub(crate) differed: BTreeSet<String>,
    /// Rows failed because a deadline passed.
    pub(crate) deadlines: u64,
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
        self.silver =
            RecordBatch::try_new(self.silver.schema(), columns).map_err(|error| internal("silver columns", error))?;
        self.selection = self.selection.without(doubles);
        self.account.silver -= doubles.len() as u64;
        *self.account.filtered.entry(Reject::new(HOST, "duplicate")).or_default() += doubles.len() as u64;
        Ok(())
    }

    /// Rows that rules failed on.
    pub(crate) fn failed_rows(&self) -> u64 {
        self.decided.failed.iter().map(|failed| failed.rows.len() as u64).sum()
    }
}

/// Where the processor time of a run goes, added up over workers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Split {
    /// Bytes to columns.
    pub decode: Duration,
    /// Calls of rules, boundary included.
    pub rules: Duration,
    /// Looking for personal data in what leaves.
    pub guard: Duration,
    /// Narrowing columns, setting rejects aside, ids.
    pub host: Duration,
}

impl Split {
    /// Adds another worker's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.decode += other.decode;
        self.rules += other.rules;
        self.guard += other.guard;
        self.host += other.host;
    }
}

/// What workers share besides the version.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) clock: Arc<dyn Clock>,
    /// Batches in a million that are run twice to see that the rules say the same.
    pub(crate) audit_ppm: u32,
}

/// One worker with its own instances of every step of one version.
pub(crate) struct Worker {
    version: Arc<Version>,
    shop: Shop,
    decoder: Decoder,
    steps: Vec<Option<Box<dyn Step>>>,
    pub(crate) split: Split,
}

/// What a batch came to so far.
struct UnderWay<'a> {
    set: WorkingSet,
    books: Books<'a>,
    decided: Decided,
    news: News,
    audit: bool,
}

impl Worker {
    pub(crate) fn new(version: Arc<Version>, shop: Shop) -> Self {
        let plan = &version.pipeline.plan;
        let decoder = Decoder::new(&plan.format, &plan.schema, plan.unknown_fields);
        let steps = version.pipeline.steps.iter().map(|_| None).collect();
        Self { version, shop, decoder, steps, split: Split::default() }
    }

    /// The version that it works by.
    pub(crate) fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// Starts an instance of every rule, so that the first batch does not wait for it. What cannot be started fails its
    /// batches later, which is where that is dealt with.
    pub(crate) fn warm_up(&mut self) {
        for (slot, step) in self.steps.iter_mut().zip(&self.version.pipeline.steps) {
            if slot.is_none() {
                *slot = step.rule.step().ok();
            }
        }
    }

    /// Takes a batch through decoding and all steps.
    pub(crate) fn process(&mut self, item: &WorkItem) -> Result<Processed> {
        let begun = cpu_time();
        let version = self.version.clone();
        let pipeline = version.pipeline.as_ref();
        let WorkItem { tag, piece, again } = item;
        let raw = &piece.raw;
        let decoded = self.decoder.decode(raw);
        self.split.decode += cpu_time().saturating_sub(begun);
        let begun = cpu_time();
        let before = self.split.rules;

        let quarantine = QuarantineBuilder::new(pipeline, tag, piece, &decoded.columns, &decoded.rows);
        let account = OriginAccount { read: piece.read(), ..Default::default() };
        let mut books = Books { account, quarantine };
        set_aside_unread(piece, &mut books);
        for malformed in &decoded.rejects {
            books.quarantine.undecodable(malformed);
            count(&mut books.account.quarantined, HOST, malformed.reason);
        }
        let mut under_way = UnderWay {
            set: WorkingSet::new(&decoded.columns, decoded.rows.len()),
            books,
            decided: Decided::default(),
            news: News::default(),
            audit: again.is_none() && raw.digest % 1_000_000 < u64::from(self.shop.audit_ppm),
        };
        under_way.news.audited = under_way.audit;
        for index in 0..self.steps.len() {
            self.run_step(index, &mut under_way, again.as_ref())?;
        }
        let UnderWay { mut set, mut books, decided, news, .. } = under_way;
        checks::event_times_ahead(pipeline, &mut set, piece, &decoded.rows, &mut books);
        let scanning = cpu_time();
        if let Some(egress) = &pipeline.egress {
            egress.silver(&mut set, &mut books);
        }
        let mut guarding = cpu_time().saturating_sub(scanning);
        checks::room(pipeline, &mut set, &mut books);

        let (mut columns, selection) = set.finish();
        let Books { mut account, quarantine } = books;
        account.silver = selection.len() as u64;
        let records = || selection.rows().iter().map(|row| decoded.rows[*row as usize] as usize);
        columns.push(record_ids(&tag.shard, piece, records(), selection.len()));
        columns.push(arrivals(piece, records()));
        let silver = RecordBatch::try_new(pipeline.processed_schema.clone(), columns)
            .map_err(|error| internal("silver columns", error))?;
        let bronze = pipeline.plan.bronze.enabled.then(|| bronze(pipeline, &tag.shard, piece)).transpose()?;
        let quarantine = match (quarantine.finish()?, &pipeline.egress) {
            (Some(batch), Some(egress)) => {
                let scanning = cpu_time();
                let batch = egress.quarantine(batch, &mut account.masked)?;
                guarding += cpu_time().saturating_sub(scanning);
                Some(batch)
            }
            (batch, _) => batch,
        };
        self.split.guard += guarding;
        let rules = self.split.rules.saturating_sub(before);
        self.split.host += (cpu_time().saturating_sub(begun)).saturating_sub(rules + guarding);
        Ok(Processed {
            from: piece.from(),
            to: piece.to(),
            bytes: piece.len(),
            digest: raw.digest,
            tail: piece.tail(),
            arrived_at: piece.arrived_at,
            tag: tag.clone(),
            account,
            decided,
            silver,
            selection,
            quarantine,
            bronze,
            rules,
            news,
        })
    }

    fn run_step(&mut self, index: usize, batch: &mut UnderWay<'_>, again: Option<&Decided>) -> Result<()> {
        let version = self.version.clone();
        let pipeline = &version.pipeline;
        let step = &pipeline.steps[index];
        let touched = &pipeline.layout.steps[index];
        let rule = step.rule.as_ref();
        if let Some(before) = again.and_then(|all| all.failed.iter().find(|rows| rows.at == step.label)) {
            let gone = indexes_of(batch.set.now(), &before.rows);
            batch.books.set_aside(&mut batch.set, &gone, &Cause::failed(step, &before.cause));
            batch.decided.failed.push(before.clone());
        }
        let rows = batch.set.now().len();
        if let Some(why) = self.parked(index, rows, again) {
            batch.decided.parked.insert(step.label.clone(), why.clone());
            return park(pipeline, index, batch, &why);
        }
        let columns: Vec<ArrayRef> = touched.reads.iter().map(|column| batch.set.column(*column)).collect();
        let begun = cpu_time();
        let answer = Answer::of(rule, &mut self.steps[index], rows, &columns);
        self.split.rules += cpu_time().saturating_sub(begun);
        let failed = answer.failures.iter().map(|(stretch, _)| stretch.len()).sum();
        if again.is_none() && rows > 0 {
            let failed = is_failed_batch(rows, failed, answer.exhausted);
            let parked = version.breakers[index].note(failed, self.shop.clock.monotonic());
            batch.news.parked.extend(parked.map(|why| (step.label.clone(), why)));
        }
        if batch.audit && rows > 0 && failed == 0 && !answer.is_said_again(rule, rows, &columns) {
            batch.news.differed.insert(rule.id().to_string());
        }
        let Answer { rejections, columns, failures, .. } = answer;
        for (place, column) in touched.writes.iter().zip(columns) {
            batch.set.put(*place, column);
        }
        let gone = batch.books.reject(&batch.set, step, &pipeline.layout, index, &rejections);
        let gone_failed: Vec<u32> = failures.iter().flat_map(|(rows, _)| rows.start as u32..rows.end as u32).collect();
        if let Some((_, failure)) = failures.first() {
            batch.books.quarantine(&batch.set, &gone_failed, &Cause::failed(step, &failure.detail));
            let of_deadline = failures.iter().filter(|(_, failure)| failure.cause == FailureCause::Deadline);
            batch.news.deadlines += of_deadline.map(|(rows, _)| rows.len() as u64).sum::<u64>();
            let rows = gone_failed.iter().map(|row| batch.set.now().rows()[*row as usize]).collect();
            let cause = failure.detail.clone();
            batch.decided.failed.push(FailedRows { at: step.label.clone(), rows, cause });
            tracing::warn!(step = step.label, rows = gone_failed.len(), "{}", failure.detail);
        }
        let mut all: Vec<u32> = gone.into_iter().chain(gone_failed).collect();
        all.sort_unstable();
        all.dedup();
        batch.set.drop_rows(&all);
        if batch.set.now().len() + all.len() != rows {
            let accounted = (batch.set.now().len() + all.len()) as u64;
            return Err(Imbalance { place: format!("step `{}`", step.label), rows_in: rows as u64, accounted }.into());
        }
        Ok(())
    }

    /// Why a step's rule is not to be called, if so.
    fn parked(&self, index: usize, rows: usize, again: Option<&Decided>) -> Option<String> {
        match again {
            Some(decided) => decided.parked.get(&self.version.pipeline.steps[index].label).cloned(),
            None if rows == 0 => None,
            None => match self.version.breakers[index].admit(self.shop.clock.monotonic()) {
                Admission::Parked(why) => Some(why),
                Admission::Call => None,
            },
        }
    }
}

/// What becomes of rows that come to a parked rule: nothing goes past a redactor; of others the manifest decides.
fn park(pipeline: &Pipeline, index: usize, batch: &mut UnderWay<'_>, why: &str) -> Result<()> {
    let step = &pipeline.steps[index];
    if step.on_failure == OnFailure::Stop && step.rule.kind() != RuleKind::Redact {
        return Err(FlowError::Rule(format!(
            "step `{}` (rule `{}`): it {why}; the manifest says `on_failure: stop`; mend the rule and start again",
            step.label,
            step.rule.id()
        )));
    }
    let all: Vec<u32> = (0..batch.set.now().len() as u32).collect();
    let text = format!("rule `{}` {why}", step.rule.id());
    batch.books.set_aside(&mut batch.set, &all, &Cause::rule(step, "rule_parked", None, &text));
    let answer = Answer::nothing(step.rule.as_ref());
    for (place, column) in pipeline.layout.steps[index].writes.iter().zip(answer.columns) {
        batch.set.put(*place, column);
    }
    Ok(())
}

/// Sets aside what no records could be made of.
fn set_aside_unread(piece: &Piece, books: &mut Books<'_>) {
    for (unusable, position, arrived_at) in piece.unusable() {
        books.quarantine.unusable(unusable, position, arrived_at);
        count(&mut books.account.quarantined, HOST, unusable.reason);
    }
    for set_aside in piece.set_aside() {
        let payload = &set_aside.payload;
        if payload.drop {
            count(&mut books.account.filtered, HOST, payload.reason);
        } else {
            books.quarantine.payload(set_aside);
            count(&mut books.account.quarantined, HOST, payload.reason);
        }
    }
}

fn bronze(pipeline: &Pipeline, shard: &ShardRef, piece: &Piece) -> Result<RecordBatch> {
    let raw = &piece.raw;
    let ids = record_ids(shard, piece, 0..raw.records.len(), raw.records.len());
    let mut content = BinaryBuilder::with_capacity(raw.records.len(), raw.data.len());
    for span in &raw.records {
        content.append_value(span.of(&raw.data));
    }
    let columns: Vec<ArrayRef> = vec![ids, arrivals(piece, 0..raw.records.len()), Arc::new(content.finish())];
    RecordBatch::try_new(pipeline.bronze_schema.clone(), columns).map_err(|error| internal("bronze columns", error))
}
