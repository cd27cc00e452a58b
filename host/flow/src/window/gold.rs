//! One gold: its open windows, and how rows get in and results out.

use super::Tables;
use super::key::{self, KeyColumn};
use super::partials::Table;
use crate::breaker::{Admission, Breaker, is_failed_batch};
use crate::checks::event_times;
use crate::error::{FlowError, Result, internal};
use crate::isolate::{Isolated, isolate};
use crate::layout::Layout;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow_schema::{Field as ArrowField, Schema, SchemaRef};
use sluice_batch::{ColumnType, FailedGroups, FailedRows, Field, GoldAccount, Selection, ShardRef, digest_hex};
use sluice_manifest::plan::{BreakerPlan, GoldPlan};
use sluice_ports::{Fold, RulePlan};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Partial rows that one call of `merge` is given at most, but whole windows always.
const MERGE_ROWS: usize = 16_384;

/// A gold of the plan with its aggregator.
#[derive(Clone)]
pub struct BoundGold {
    /// The plan's part.
    pub plan: GoldPlan,
    /// The aggregator, opened for it.
    pub rule: Arc<dyn RulePlan>,
    /// Digest of everything that decides a window's result: plan part and the rule's component.
    pub definition: String,
    /// The columns of silver that it uses, as they were when it was bound.
    pub columns: Vec<Field>,
}

impl BoundGold {
    /// Binds an aggregate over the columns of `layout`.
    pub(crate) fn new(plan: GoldPlan, rule: Arc<dyn RulePlan>, layout: &Layout) -> Result<Self> {
        let text = serde_json::to_string(&plan).expect("a plan is plain data");
        let definition = digest_hex(format!("{text}\n{}", rule.id().digest).as_bytes());
        let reads = &rule.signature().reads;
        let used: BTreeSet<&String> = plan.keys.iter().chain([&plan.window.on]).chain(reads).collect();
        let columns = used.into_iter().map(|name| layout.index(name).map(|index| layout.fields[index].clone()));
        let columns = columns.collect::<Result<_>>()?;
        Ok(Self { plan, rule, definition, columns })
    }

    /// Whether silver still has the columns that it uses.
    ///
    /// # Errors
    /// One of them is gone or has another type.
    pub(crate) fn check(&self, layout: &Layout) -> Result<()> {
        let there = |field: &&Field| layout.fields.iter().any(|now| now.name == field.name && now.ty == field.ty);
        match self.columns.iter().find(|field| !there(field)) {
            None => Ok(()),
            Some(field) => Err(FlowError::Plan(format!(
                "gold `{}`: its open windows need column `{}` of type {}, which silver would no longer have; let them close \
                 first (run once more with the manifest as it was and without `--keep-open`), or keep the column",
                self.plan.name, field.name, field.ty
            ))),
        }
    }
}

/// Parents of each shard that a source told of.
pub(crate) type Parents = BTreeMap<ShardRef, Vec<ShardRef>>;

/// Rows that closed windows gave.
#[derive(Default)]
pub(crate) struct GoldRows {
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) rows: u64,
    /// Groups that could not be finished, with what happened first.
    pub(crate) failed: Vec<(i64, u32)>,
    pub(crate) cause: String,
}

/// What is handed over with a batch's silver rows.
pub(crate) struct Rows<'a> {
    pub(crate) shard: &'a ShardRef,
    pub(crate) silver: &'a RecordBatch,
    /// Which decoded row each silver row was.
    pub(crate) selection: &'a Selection,
    /// Rows that failed when the segment was first cut.
    pub(crate) forced: Option<&'a FailedRows>,
    /// The time, unless the cut is run again and nothing is decided.
    pub(crate) now: Option<Duration>,
    /// Whether to look if the aggregator says the same twice.
    pub(crate) audit: bool,
}

/// What became of a batch's rows.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) account: GoldAccount,
    /// Rows of the silver batch that were late, ascending.
    pub(crate) late: Vec<u32>,
    pub(crate) failed: Option<FailedRows>,
    /// Why the aggregator was parked because of this batch, if so.
    pub(crate) parked: Option<String>,
    /// Whether a fresh instance gave other partials.
    pub(crate) differed: bool,
}

/// One gold while it runs.
pub(crate) struct Gold {
    pub(crate) bound: BoundGold,
    keys: Vec<(usize, ColumnType)>,
    on: usize,
    reads: Vec<usize>,
    pub(super) partial_types: Arc<[ColumnType]>,
    fold: Option<Box<dyn Fold>>,
    breaker: Breaker,
    pub(super) shards: BTreeMap<ShardRef, Tables>,
    /// Greatest event time of each shard's silver rows so far.
    pub(crate) event_time: BTreeMap<ShardRef, i64>,
    /// End of the last window closed.
    pub(crate) closed_through: i64,
    /// Rows before it belong to windows of an earlier definition, which are closed.
    pub(crate) barrier: i64,
    schema: SchemaRef,
}

impl Gold {
    pub(crate) fn new(bound: BoundGold, layout: &Layout, breaker: BreakerPlan) -> Result<Self> {
        bound.check(layout)?;
        let place = |name: &String| layout.index(name);
        let keys = bound.plan.keys.iter().map(|name| place(name).map(|i| (i, layout.fields[i].ty)));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let signature = bound.rule.signature();
        let reads = signature.reads.iter().map(place).collect::<Result<_>>()?;
        let on = layout.index(&bound.plan.window.on)?;
        let partial_types = signature.partials.clone().into();
        let schema = schema(&bound, &keys, layout);
        Ok(Self {
            on,
            reads,
            partial_types,
            schema,
            keys,
            bound,
            fold: None,
            breaker: Breaker::new(breaker),
            shards: BTreeMap::new(),
            event_time: BTreeMap::new(),
            closed_through: i64::MIN,
            barrier: i64::MIN,
        })
    }

    /// The same gold over silver of another layout.
    pub(crate) fn over(self, layout: &Layout, breaker: BreakerPlan) -> Result<Self> {
        let there = Self::new(self.bound.clone(), layout, breaker)?;
        let Self { fold, breaker, shards, event_time, closed_through, barrier, .. } = self;
        Ok(Self { fold, breaker, shards, event_time, closed_through, barrier, ..there })
    }

    /// Columns of the gold's table.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn width(&self) -> i64 {
        self.bound.plan.window.width.as_micros() as i64
    }

    fn lateness(&self) -> i64 {
        self.bound.plan.window.lateness.as_micros() as i64
    }

    /// Takes the silver rows of a batch that are its own.
    pub(crate) fn take(&mut self, rows: &Rows<'_>, own: &dyn Fn(usize) -> bool) -> Taken {
        let Rows { shard, silver, selection, forced, .. } = *rows;
        let mut taken = Taken::default();
        let eligible = self.eligible(shard, silver, own, &mut taken);
        let (eligible, starts) = without_failed(eligible, selection, forced, &mut taken);
        if eligible.is_empty() {
            return taken;
        }
        let decoded = |of: &[u32]| of.iter().map(|row| selection.rows()[*row as usize]).collect();
        if let Some(Admission::Parked(why)) = rows.now.map(|now| self.breaker.admit(now)) {
            taken.account.fold_failed += eligible.len() as u64;
            let cause = format!("gold `{}` (rule `{}`): it {why}", self.bound.plan.name, self.bound.rule.id());
            taken.failed = Some(FailedRows { at: self.label(), rows: decoded(&eligible), cause });
            return taken;
        }
        let whole = eligible.len() == silver.num_rows();
        let indexes = UInt32Array::from(eligible.clone());
        let pick = |column: &usize| {
            let array = silver.column(*column);
            if whole {
                array.clone()
            } else {
                arrow_select::take::take(array, &indexes, None).expect("rows are in range")
            }
        };
        let reads: Vec<ArrayRef> = self.reads.iter().map(pick).collect();
        let keys: Vec<ArrayRef> = self.keys.iter().map(|(column, _)| pick(column)).collect();
        let done = self.fold_rows(shard, &reads, &keys, &starts, rows.audit.then_some(&mut taken.differed));
        let lost: Vec<u32> = done.failed.iter().flat_map(|(rows, _)| rows.clone()).map(|i| eligible[i]).collect();
        if let Some(now) = rows.now {
            taken.parked = self.breaker.note(is_failed_batch(eligible.len(), lost.len(), done.exhausted), now);
        }
        taken.account.folded = (eligible.len() - lost.len()) as u64;
        taken.account.fold_failed += lost.len() as u64;
        if let Some((_, failure)) = done.failed.first() {
            tracing::warn!(gold = self.bound.plan.name, rows = lost.len(), "{}", failure.detail);
            taken.failed = Some(FailedRows { at: self.label(), rows: decoded(&lost), cause: failure.detail.clone() });
        }
        taken
    }

    /// End of the window that begins at `start`.
    pub(super) fn end_of(&self, start: i64) -> i64 {
        start.saturating_add(self.width())
    }

    /// Starts of the windows that are open, in any shard.
    pub(super) fn open_windows(&self) -> BTreeSet<i64> {
        self.shards.values().flat_map(|tables| tables.keys().copied()).collect()
    }

    /// Starts of the windows that the rows fall in; `None` for a row without event time.
    pub(super) fn windows_of(&self, silver: &RecordBatch) -> Vec<Option<i64>> {
        let width = self.width();
        let start = |time: i64| time.div_euclid(width).saturating_mul(width);
        event_times(silver.column(self.on)).iter().map(|time| time.map(start)).collect()
    }

    /// How the gold is named among the decisions of a cut.
    pub(crate) fn label(&self) -> String {
        format!("gold {}", self.bound.plan.name)
    }

    /// Rows that a window still takes, with the start of their windows. Moves the shard's event time on.
    fn eligible(
        &mut self,
        shard: &ShardRef,
        silver: &RecordBatch,
        own: &dyn Fn(usize) -> bool,
        taken: &mut Taken,
    ) -> (Vec<u32>, Vec<i64>) {
        let times = event_times(silver.column(self.on));
        let (width, lateness) = (self.width(), self.lateness());
        let mut latest = self.event_time.get(shard).copied().unwrap_or(i64::MIN);
        let (mut rows, mut starts) = (Vec::with_capacity(times.len()), Vec::with_capacity(times.len()));
        for (row, time) in times.iter().enumerate() {
            let own = own(row);
            let Some(time) = time else {
                taken.account.without_event_time += u64::from(own);
                continue;
            };
            let start = time.div_euclid(width).saturating_mul(width);
            let end = start.saturating_add(width);
            let is_late = end.saturating_add(lateness) <= latest || end <= self.closed_through || time < self.barrier;
            if own && is_late {
                taken.late.push(row as u32);
            } else if own {
                rows.push(row as u32);
                starts.push(start);
            }
            latest = latest.max(time);
        }
        taken.account.late = taken.late.len() as u64;
        if latest > i64::MIN {
            self.event_time.insert(shard.clone(), latest);
        }
        (rows, starts)
    }

    fn fold_rows(
        &mut self,
        shard: &ShardRef,
        reads: &[ArrayRef],
        keys: &[ArrayRef],
        starts: &[i64],
        mut differed: Option<&mut bool>,
    ) -> Isolated<()> {
        let key_columns: Vec<_> =
            keys.iter().zip(&self.keys).map(|(array, (_, ty))| KeyColumn::new(array, *ty)).collect();
        let tables = self.shards.entry(shard.clone()).or_default();
        let (fold, rule, types) = (&mut self.fold, &self.bound.rule, &self.partial_types);
        let done = isolate(starts.len(), rule.deadline(), |stretch, _| {
            let fold = match fold {
                Some(fold) => fold,
                None => fold.insert(rule.fold()?),
            };
            let mut groups = Groups::assign(tables, types, &key_columns, starts, stretch.clone());
            let part: Vec<ArrayRef> = reads.iter().map(|c| c.slice(stretch.start, stretch.len())).collect();
            let before = groups.gather(tables);
            match fold.fold(&before, &part, &groups.numbers, groups.count) {
                Ok(partials) => {
                    if let Some(differed) = differed.as_deref_mut() {
                        let again = rule.fold().and_then(|mut f| f.fold(&before, &part, &groups.numbers, groups.count));
                        *differed |= !again.is_ok_and(|again| are_same(&again, &partials));
                    }
                    groups.scatter(tables, &partials);
                    Ok(())
                }
                Err(failure) => {
                    groups.forget(tables);
                    Err(failure)
                }
            }
        });
        if tables.is_empty() {
            // all of it was taken back: a shard without windows has no state
            self.shards.remove(shard);
        }
        done
    }

    /// The end of the last window that may close when all of `active` shards have come as far as they have: none of
    /// their rows to come could still get in.
    pub(crate) fn closable(&self, mut active: impl Iterator<Item = ShardRef>, parents: &Parents) -> Option<i64> {
        let least = active.try_fold(i64::MAX, |least, shard| Some(least.min(self.reached(&shard, parents)?)))?;
        if least == i64::MAX {
            return None; // no shard is active: nothing tells how far time is
        }
        let through = least.saturating_sub(self.lateness()).div_euclid(self.width()) * self.width();
        (through > self.closed_through).then_some(through)
    }

    /// How far a shard has come. One that has given no row yet joins with the least of its parents.
    fn reached(&self, shard: &ShardRef, parents: &Parents) -> Option<i64> {
        if let Some(time) = self.event_time.get(shard) {
            return Some(*time);
        }
        let parents_of = parents.get(shard).filter(|all| !all.is_empty())?;
        parents_of.iter().try_fold(i64::MAX, |least, parent| Some(least.min(self.reached(parent, parents)?)))
    }

    /// The end of the first window that is open.
    pub(crate) fn first_end(&self) -> Option<i64> {
        let first = self.shards.values().filter_map(|tables| tables.keys().next()).min()?;
        Some(first.saturating_add(self.width()))
    }

    /// The end of the last window that is open.
    pub(crate) fn last_open(&self) -> Option<i64> {
        let last = self.shards.values().filter_map(|tables| tables.keys().next_back()).max()?;
        Some(last.saturating_add(self.width()))
    }

    /// Closes all windows that end at or before `through`. `forced` are groups that could not be finished when the segment
    /// was first cut.
    pub(crate) fn close(
        &mut self,
        through: i64,
        commit: u64,
        fence: u64,
        forced: Option<&FailedGroups>,
    ) -> Result<GoldRows> {
        self.closed_through = self.closed_through.max(through);
        let mut closing: BTreeMap<i64, Vec<Table>> = BTreeMap::new();
        let width = self.width();
        for tables in self.shards.values_mut() {
            while let Some(window) = tables.first_entry() {
                if window.key().saturating_add(width) > through {
                    break;
                }
                let start = *window.key();
                closing.entry(start).or_default().push(window.remove());
            }
        }
        self.shards.retain(|_, tables| !tables.is_empty());
        let mut out = GoldRows::default();
        let (mut chunk, mut rows) = (Vec::new(), 0);
        for window in closing {
            rows += window.1.iter().map(|table| table.keys().len()).sum::<usize>();
            chunk.push(window);
            if rows >= MERGE_ROWS {
                self.finish(&std::mem::take(&mut chunk), (commit, fence), forced, &mut out)?;
                rows = 0;
            }
        }
        self.finish(&chunk, (commit, fence), forced, &mut out)?;
        Ok(out)
    }

    /// Merges and finishes whole windows; each brings its tables in the order of shards.
    fn finish(
        &mut self,
        windows: &[(i64, Vec<Table>)],
        (commit, fence): (u64, u64),
        forced: Option<&FailedGroups>,
        out: &mut GoldRows,
    ) -> Result<()> {
        // (window, place in it) of each group, so that a group that fails can be named
        let (mut names, mut keys, mut groups, mut parts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (start, tables) in windows {
            let first = keys.len();
            let sorted: BTreeSet<&[u8]> = tables.iter().flat_map(|t| t.keys()).map(AsRef::as_ref).collect();
            names.extend((0..sorted.len() as u32).map(|place| (*start, place)));
            keys.extend(sorted);
            for table in tables {
                let number = |key: &[u8]| {
                    let at = keys[first..].binary_search(&key).expect("the key is among the sorted ones");
                    (first + at) as u32
                };
                groups.extend(table.keys().iter().map(|key| number(key)));
                parts.push(table.all());
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let partials: Vec<ArrayRef> = (0..self.partial_types.len())
            .map(|column| {
                let arrays: Vec<&dyn Array> = parts.iter().map(|part| part[column].as_ref()).collect();
                arrow_select::concat::concat(&arrays).expect("partials of one column have one type")
            })
            .collect();
        for stretch in stretches(&names, forced) {
            let done = self.finish_groups(stretch.clone(), &partials, &groups);
            if let Some((_, failure)) = done.failed.first().filter(|_| out.failed.is_empty()) {
                out.cause.clone_from(&failure.detail);
            }
            let failed = done.failed.iter().flat_map(|(groups, _)| groups.clone());
            out.failed.extend(failed.map(|group| names[stretch.start + group]));
            for (answered, finished) in done.answered {
                let answered = stretch.start + answered.start..stretch.start + answered.end;
                let starts: Vec<i64> = names[answered.clone()].iter().map(|(start, _)| *start).collect();
                out.batches.push(self.rows(&keys[answered], starts, finished, commit, fence)?);
            }
        }
        out.failed.extend(forced.iter().flat_map(|forced| &forced.groups).filter(|name| names.contains(name)));
        out.rows = out.batches.iter().map(|batch| batch.num_rows() as u64).sum();
        Ok(())
    }

    /// Merges and finishes the groups of a stretch; where the aggregator cannot, finds those that it cannot.
    fn finish_groups(
        &mut self,
        stretch: Range<usize>,
        partials: &[ArrayRef],
        groups: &[u32],
    ) -> Isolated<Vec<ArrayRef>> {
        let (fold, rule) = (&mut self.fold, &self.bound.rule);
        isolate(stretch.len(), rule.deadline(), |part, _| {
            let fold = match fold {
                Some(fold) => fold,
                None => fold.insert(rule.fold()?),
            };
            let wanted = stretch.start as u32 + part.start as u32..stretch.start as u32 + part.end as u32;
            let mask: BooleanArray = groups.iter().map(|group| Some(wanted.contains(group))).collect();
            let pick = |array: &ArrayRef| match mask.true_count() == groups.len() {
                true => array.clone(),
                false => arrow_select::filter::filter(array, &mask).expect("mask and array are equally long"),
            };
            let partials: Vec<ArrayRef> = partials.iter().map(pick).collect();
            let groups: Vec<u32> =
                groups.iter().filter(|group| wanted.contains(group)).map(|group| group - wanted.start).collect();
            let merged = fold.merge(&partials, &groups, part.len() as u32)?;
            fold.finish(&merged)
        })
    }

    /// Finished groups as rows of the table.
    fn rows(
        &self,
        keys: &[&[u8]],
        starts: Vec<i64>,
        finished: Vec<ArrayRef>,
        commit: u64,
        fence: u64,
    ) -> Result<RecordBatch> {
        let rows = keys.len();
        let mut columns = key::columns(keys, &self.keys.iter().map(|(_, ty)| *ty).collect::<Vec<_>>());
        let ends = starts.iter().map(|start| start + self.width()).collect();
        let time = |times: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")) as ArrayRef;
        columns.push(time(starts));
        columns.push(time(ends));
        columns.extend(finished);
        columns.push(Arc::new(Int64Array::from_value(commit as i64, rows)));
        columns.push(Arc::new(Int64Array::from_value(fence as i64, rows)));
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|e| internal("gold columns", e))
    }
}

fn are_same(a: &[ArrayRef], b: &[ArrayRef]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_data() == b.to_data())
}

/// Stretches of groups that are to be finished: all, but those that could not be when the segment was first cut.
fn stretches(names: &[(i64, u32)], forced: Option<&FailedGroups>) -> Vec<Range<usize>> {
    let is_forced = |name: &(i64, u32)| forced.is_some_and(|forced| forced.groups.contains(name));
    let (mut stretches, mut start) = (Vec::new(), 0);
    for end in 0..=names.len() {
        if end == names.len() || is_forced(&names[end]) {
            if start < end {
                stretches.push(start..end);
            }
            start = end + 1;
        }
    }
    stretches
}

/// Takes the rows out that failed when the segment was first cut.
fn without_failed(
    (rows, starts): (Vec<u32>, Vec<i64>),
    selection: &Selection,
    forced: Option<&FailedRows>,
    taken: &mut Taken,
) -> (Vec<u32>, Vec<i64>) {
    let Some(forced) = forced else { return (rows, starts) };
    let keep = |row: &u32| forced.rows.binary_search(&selection.rows()[*row as usize]).is_err();
    let before = rows.len();
    let kept: (Vec<u32>, Vec<i64>) = rows.into_iter().zip(starts).filter(|(row, _)| keep(row)).unzip();
    taken.account.fold_failed = (before - kept.0.len()) as u64;
    taken.failed = Some(forced.clone());
    kept
}

fn schema(bound: &BoundGold, keys: &[(usize, ColumnType)], layout: &Layout) -> SchemaRef {
    let mut fields: Vec<ArrowField> = keys.iter().map(|(index, _)| layout.fields[*index].arrow()).collect();
    let time = |name| ArrowField::new(name, ColumnType::Timestamp.arrow(), false);
    fields.extend([time("window_start"), time("window_end")]);
    let outputs = &bound.rule.signature().outputs;
    fields.extend(outputs.iter().map(|output| ArrowField::new(&output.name, output.ty.arrow(), output.nullable)));
    let number = |name| ArrowField::new(name, ColumnType::Int64.arrow(), false);
    fields.extend([number("_sluice_commit"), number("_sluice_fence")]);
    Arc::new(Schema::new(fields))
}

/// The groups of one stretch of rows, numbered from 0 in the order in which they come.
struct Groups {
    /// Group of each row.
    numbers: Vec<u32>,
    count: u32,
    /// For each window of the stretch: its start, groups there were before, and rows of its table with their numbers.
    windows: Vec<WindowGroups>,
}

struct WindowGroups {
    start: i64,
    before: usize,
    /// Number of each table row within the stretch, `u32::MAX` where it has none.
    number: Vec<u32>,
    rows: Vec<u32>,
    numbers: Vec<u32>,
}

impl Groups {
    fn assign(
        tables: &mut Tables,
        types: &Arc<[ColumnType]>,
        keys: &[KeyColumn<'_>],
        starts: &[i64],
        stretch: Range<usize>,
    ) -> Self {
        let mut groups = Self { numbers: Vec::with_capacity(stretch.len()), count: 0, windows: Vec::new() };
        let (mut key, mut at) = (Vec::new(), usize::MAX);
        for row in stretch {
            let start = starts[row];
            let table = tables.entry(start).or_insert_with(|| Table::new(types));
            if groups.windows.get(at).is_none_or(|window| window.start != start) {
                at = groups.window(start, table.keys().len());
            }
            key.clear();
            keys.iter().for_each(|column| column.push(row, &mut key));
            let table_row = table.row(&key);
            let window = &mut groups.windows[at];
            let slot = table_row as usize;
            if slot >= window.number.len() {
                window.number.resize(slot + 1, u32::MAX);
            }
            if window.number[slot] == u32::MAX {
                window.number[slot] = groups.count;
                window.rows.push(table_row);
                window.numbers.push(groups.count);
                groups.count += 1;
            }
            groups.numbers.push(window.number[slot]);
        }
        groups
    }

    fn window(&mut self, start: i64, before: usize) -> usize {
        self.windows.iter().position(|window| window.start == start).unwrap_or_else(|| {
            let (number, rows, numbers) = (Vec::new(), Vec::new(), Vec::new());
            self.windows.push(WindowGroups { start, before, number, rows, numbers });
            self.windows.len() - 1
        })
    }

    /// Partials in the order of group numbers.
    fn gather(&self, tables: &Tables) -> Vec<ArrayRef> {
        let parts: Vec<Vec<ArrayRef>> =
            self.windows.iter().map(|window| tables[&window.start].gather(&window.rows)).collect();
        if parts.len() == 1 {
            return parts.into_iter().next().expect("there is one");
        }
        // place[number] = (window, index within it)
        let mut place = vec![(0, 0); self.count as usize];
        for (w, window) in self.windows.iter().enumerate() {
            for (i, number) in window.numbers.iter().enumerate() {
                place[*number as usize] = (w, i);
            }
        }
        (0..parts[0].len())
            .map(|column| {
                let arrays: Vec<&dyn Array> = parts.iter().map(|part| part[column].as_ref()).collect();
                arrow_select::interleave::interleave(&arrays, &place).expect("partials of one column have one type")
            })
            .collect()
    }

    fn scatter(&mut self, tables: &mut Tables, partials: &[ArrayRef]) {
        for window in &self.windows {
            let numbers = UInt32Array::from(window.numbers.clone());
            let part: Vec<ArrayRef> = partials
                .iter()
                .map(|array| arrow_select::take::take(array, &numbers, None).expect("numbers are in range"))
                .collect();
            let table = tables.get_mut(&window.start).expect("the window was opened");
            table.scatter(&window.rows, &part);
        }
    }

    /// Takes back groups and windows that were begun for this stretch.
    fn forget(&mut self, tables: &mut Tables) {
        for window in &self.windows {
            if window.before == 0 {
                tables.remove(&window.start);
            } else if let Some(table) = tables.get_mut(&window.start) {
                table.forget_after(window.before);
            }
        }
    }
}
