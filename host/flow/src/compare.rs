//! What two versions make of the same batches, field by field.
//!
//! A new version is judged against the old one on the same rows, so what the data itself does (a sale, a quiet night) is
//! never held against it.

use crate::work::Processed;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_schema::DataType;
use serde::Serialize;
use sluice_manifest::plan::ProbationPlan;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Buckets of a column's distribution.
const BUCKETS: usize = 32;

/// Fewest rows of which a share says something: below, one row more or less would be a breach.
const FEW_ROWS: u64 = 3;

/// Fewest rows whose distribution says something.
const ROWS_OF_SHIFT: u64 = 100;

/// Part of a bucket that an empty one is taken for, so that the index stays finite.
const EMPTY_SHARE: f64 = 1e-4;

/// Processor time a batch that is always granted: below, clocks and caches decide.
const LATENCY_FLOOR: Duration = Duration::from_millis(2);

/// What became of rows in one version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Rows of silver.
    pub silver: u64,
    /// Rows rejected: set aside or left out, failed ones not counted.
    pub rejected: u64,
    /// Rows that rules failed on, or that came to a parked rule.
    pub failed: u64,
    /// Those of them for a deadline.
    pub deadlines: u64,
    /// Processor time of rules, microseconds.
    pub rules_us: u64,
}

impl Side {
    fn add(&mut self, processed: &Processed) {
        let parked: u64 =
            processed.account.quarantined.iter().filter(|(r, _)| r.reason == "rule_parked").map(|(_, n)| n).sum();
        let failed = processed.failed_rows();
        self.silver += processed.account.silver;
        self.rejected += processed.account.quarantined_rows() + processed.account.filtered_rows() - failed - parked;
        self.failed += failed + parked;
        self.deadlines += processed.news.deadlines;
        self.rules_us += processed.rules.as_micros() as u64;
    }
}

/// One column of silver, over the rows that are in silver of both.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnDifference {
    /// Rows compared.
    pub rows: u64,
    /// Rows whose value is another.
    pub changed: u64,
    /// Nulls that the new version gives.
    pub nulls_new: u64,
    /// Nulls that the old version gives.
    pub nulls_old: u64,
    #[serde(skip)]
    new: [u64; BUCKETS],
    #[serde(skip)]
    old: [u64; BUCKETS],
}

impl Default for ColumnDifference {
    fn default() -> Self {
        Self { rows: 0, changed: 0, nulls_new: 0, nulls_old: 0, new: [0; BUCKETS], old: [0; BUCKETS] }
    }
}

impl ColumnDifference {
    /// Population stability index: the sum over buckets of (new - old) * ln(new / old), of shares. By the custom of credit
    /// scoring, where it comes from, below 0.1 nothing moved and above 0.25 the population is another.
    pub fn shift(&self) -> f64 {
        let total = |counts: &[u64; BUCKETS]| counts.iter().sum::<u64>().max(1) as f64;
        let (new_total, old_total) = (total(&self.new), total(&self.old));
        let share = |count: u64, total: f64| (count as f64 / total).max(EMPTY_SHARE);
        let pairs = self.new.iter().zip(&self.old).filter(|(new, old)| **new + **old > 0);
        pairs
            .map(|(new, old)| {
                let (new, old) = (share(*new, new_total), share(*old, old_total));
                (new - old) * (new / old).ln()
            })
            .sum()
    }

    fn add(&mut self, new: &ArrayRef, old: &ArrayRef) {
        self.rows += new.len() as u64;
        self.nulls_new += new.null_count() as u64;
        self.nulls_old += old.null_count() as u64;
        fill(new, &mut self.new);
        if new.data_type() == old.data_type() && new.to_data() == old.to_data() {
            fill(old, &mut self.old);
            return;
        }
        fill(old, &mut self.old);
        self.changed += (0..new.len()).filter(|row| !same(new, old, *row)).count() as u64;
    }
}

fn same(a: &ArrayRef, b: &ArrayRef, row: usize) -> bool {
    a.data_type() == b.data_type() && a.slice(row, 1).to_data() == b.slice(row, 1).to_data()
}

/// How two versions differ over the batches that both were given.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Comparison {
    /// Batches.
    pub batches: u64,
    /// Records read.
    pub read: u64,
    /// The new version.
    pub new: Side,
    /// The old version.
    pub old: Side,
    /// Rows that are in silver of the new version only.
    pub only_new: u64,
    /// Rows that are in silver of the old version only.
    pub only_old: u64,
    /// Columns that both have.
    pub columns: BTreeMap<String, ColumnDifference>,
    /// Columns of the new version only.
    pub added: BTreeSet<String>,
    /// Columns of the old version only.
    pub removed: BTreeSet<String>,
}

impl Comparison {
    /// Two versions' answers to one batch.
    pub(crate) fn of(new: &Processed, old: &Processed) -> Self {
        let mut compared = Self { batches: 1, read: new.account.read, ..Self::default() };
        compared.new.add(new);
        compared.old.add(old);
        let (new_rows, old_rows) = common(new.selection.rows(), old.selection.rows());
        compared.only_new = new.selection.len() as u64 - new_rows.len() as u64;
        compared.only_old = old.selection.len() as u64 - old_rows.len() as u64;
        let (new_rows, old_rows) = (UInt32Array::from(new_rows), UInt32Array::from(old_rows));
        let pick = |batch: &Processed, column: usize, rows: &UInt32Array| {
            let array = batch.silver.column(column);
            if rows.len() == array.len() {
                return array.clone();
            }
            arrow_select::take::take(array, rows, None).expect("rows are in range")
        };
        let (new_schema, old_schema) = (new.silver.schema(), old.silver.schema());
        for (index, field) in new_schema.fields().iter().enumerate() {
            match old_schema.index_of(field.name()) {
                Ok(before) => {
                    let (a, b) = (pick(new, index, &new_rows), pick(old, before, &old_rows));
                    compared.columns.entry(field.name().clone()).or_default().add(&a, &b);
                }
                Err(_) => drop(compared.added.insert(field.name().clone())),
            }
        }
        let gone = old_schema.fields().iter().filter(|field| new_schema.index_of(field.name()).is_err());
        compared.removed = gone.map(|field| field.name().clone()).collect();
        compared
    }

    /// The new version's answer to a batch that the old one cannot be asked about: only failures can be judged.
    pub(crate) fn alone(new: &Processed) -> Self {
        let mut side = Side::default();
        side.add(new);
        Self { new: Side { failed: side.failed, deadlines: side.deadlines, ..Side::default() }, ..Self::default() }
    }

    /// Adds another batch.
    pub fn add(&mut self, other: &Self) {
        self.batches += other.batches;
        self.read += other.read;
        for (into, from) in [(&mut self.new, &other.new), (&mut self.old, &other.old)] {
            into.silver += from.silver;
            into.rejected += from.rejected;
            into.failed += from.failed;
            into.deadlines += from.deadlines;
            into.rules_us += from.rules_us;
        }
        self.only_new += other.only_new;
        self.only_old += other.only_old;
        for (name, from) in &other.columns {
            let into = self.columns.entry(name.clone()).or_default();
            into.rows += from.rows;
            into.changed += from.changed;
            into.nulls_new += from.nulls_new;
            into.nulls_old += from.nulls_old;
            into.new.iter_mut().zip(&from.new).for_each(|(into, from)| *into += from);
            into.old.iter_mut().zip(&from.old).for_each(|(into, from)| *into += from);
        }
        self.added.extend(other.added.iter().cloned());
        self.removed.extend(other.removed.iter().cloned());
    }

    /// Which bounds the new version breaks, for people. None: it may stay.
    pub fn breaches(&self, bounds: &ProbationPlan) -> Vec<String> {
        let mut breaches = Vec::new();
        let failed = self.new.failed.saturating_sub(self.old.failed);
        if failed > bounds.failed_rows {
            breaches.push(format!(
                "its rules failed on {failed} rows that the old version takes ({} of them for a deadline); `failed_rows` \
                 allows {}",
                self.new.deadlines, bounds.failed_rows
            ));
        }
        let floor = LATENCY_FLOOR.as_micros() as u64 * self.batches;
        if self.new.rules_us as f64 > bounds.latency * self.old.rules_us.max(1) as f64 && self.new.rules_us > floor {
            let times = self.new.rules_us as f64 / self.old.rules_us.max(1) as f64;
            let allowed = bounds.latency;
            breaches.push(format!("its rules take {times:.1} times the processor time; `latency` allows {allowed}"));
        }
        if moved(self.new.rejected, self.old.rejected, self.read, bounds.rejects) {
            let (new, old) = (percent(self.new.rejected, self.read), percent(self.old.rejected, self.read));
            let allowed = bounds.rejects * 100.0;
            breaches.push(format!(
                "it rejects {new} of the rows, the old version {old}; `rejects` allows {allowed} % more or less"
            ));
        }
        for (name, column) in &self.columns {
            if moved(column.nulls_new, column.nulls_old, column.rows, bounds.nulls) {
                let (new, old) = (percent(column.nulls_new, column.rows), percent(column.nulls_old, column.rows));
                let allowed = bounds.nulls * 100.0;
                breaches.push(format!(
                    "column `{name}` is null in {new} of the rows, the old version's in {old}; `nulls` allows {allowed} % more or less"
                ));
            } else if column.rows >= ROWS_OF_SHIFT && column.shift() > bounds.shift {
                let (shift, allowed) = (column.shift(), bounds.shift);
                breaches.push(format!("the values of column `{name}` shifted by {shift:.2}; `shift` allows {allowed}"));
            }
        }
        breaches
    }
}

fn moved(new: u64, old: u64, rows: u64, bound: f64) -> bool {
    let by = new.abs_diff(old);
    by >= FEW_ROWS.min(rows.max(1)) && by as f64 > bound * rows as f64
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole.max(1) as f64)
}

/// Places of the rows that stand in both selections.
fn common(new: &[u32], old: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let (mut of_new, mut of_old) = (Vec::with_capacity(new.len()), Vec::with_capacity(old.len()));
    let (mut a, mut b) = (0, 0);
    while a < new.len() && b < old.len() {
        match new[a].cmp(&old[b]) {
            std::cmp::Ordering::Less => a += 1,
            std::cmp::Ordering::Greater => b += 1,
            std::cmp::Ordering::Equal => {
                of_new.push(a as u32);
                of_old.push(b as u32);
                (a, b) = (a + 1, b + 1);
            }
        }
    }
    (of_new, of_old)
}

/// Counts values by bucket: numbers by sign and size, texts by length and kind of their first character.
fn fill(array: &ArrayRef, counts: &mut [u64; BUCKETS]) {
    macro_rules! numbers {
        ($array:expr, $as_f64:expr) => {
            $array.iter().flatten().for_each(|value| counts[of_number($as_f64(value))] += 1)
        };
    }
    match array.data_type() {
        DataType::Int64 => numbers!(array.as_primitive::<Int64Type>(), |v: i64| v as f64),
        DataType::Float64 => numbers!(array.as_primitive::<Float64Type>(), |v: f64| v),
        DataType::Decimal128(_, scale) => {
            let unit = 10f64.powi(i32::from(*scale));
            numbers!(array.as_primitive::<Decimal128Type>(), |v: i128| v as f64 / unit);
        }
        // months: what a wrong unit or zone of years would move
        DataType::Timestamp(..) => {
            let month = |v: i64| (v.div_euclid(30 * crate::checks::DAY_US)).rem_euclid(BUCKETS as i64) as usize;
            array.as_primitive::<TimestampMicrosecondType>().iter().flatten().for_each(|v| counts[month(v)] += 1);
        }
        DataType::Date32 => {
            let month = |v: i32| v.div_euclid(30).rem_euclid(BUCKETS as i32) as usize;
            array.as_primitive::<Date32Type>().iter().flatten().for_each(|v| counts[month(v)] += 1);
        }
        DataType::Boolean => array.as_boolean().iter().flatten().for_each(|v| counts[usize::from(v)] += 1),
        DataType::Utf8 => array.as_string::<i32>().iter().flatten().for_each(|v| counts[of_text(v.as_bytes())] += 1),
        DataType::Binary => array.as_binary::<i32>().iter().flatten().for_each(|v| counts[of_text(v)] += 1),
        _ => {}
    }
}

/// 0 for zero and what is no number, then 15 powers of four for each sign.
fn of_number(value: f64) -> usize {
    if !value.is_finite() || value == 0.0 {
        return 0;
    }
    let power = (value.abs().log2() / 2.0).floor().clamp(-4.0, 10.0) as i64 + 5;
    if value < 0.0 { 16 + power as usize } else { power as usize }
}

fn of_text(bytes: &[u8]) -> usize {
    let length = (usize::BITS - bytes.len().leading_zeros()).min(7) as usize;
    let kind = match bytes.first() {
        Some(b'0'..=b'9') => 0,
        Some(b'A'..=b'Z') => 1,
        Some(b'a'..=b'z') => 2,
        _ => 3,
    };
    length * 4 + kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn difference(new: &ArrayRef, old: &ArrayRef) -> ColumnDifference {
        let mut difference = ColumnDifference::default();
        difference.add(new, old);
        difference
    }

    fn texts(values: impl IntoIterator<Item = Option<&'static str>>) -> ArrayRef {
        Arc::new(StringArray::from_iter(values))
    }

    #[test]
    fn equal_columns_have_no_shift_and_other_ones_do() {
        let numbers = |f: fn(i64) -> i64| Arc::new(Int64Array::from_iter_values((0..1000).map(f))) as ArrayRef;
        let same = difference(&numbers(|n| n), &numbers(|n| n));
        assert_eq!((same.changed, same.shift()), (0, 0.0));
        let hundredfold = difference(&numbers(|n| n * 100), &numbers(|n| n));
        assert_eq!(hundredfold.changed, 999);
        assert!(hundredfold.shift() > 0.25, "{}", hundredfold.shift());
        let by_one = difference(&numbers(|n| n + 1), &numbers(|n| n));
        assert!(by_one.shift() < 0.1, "{}", by_one.shift());
    }

    #[test]
    fn nulls_and_changes_are_counted_row_by_row() {
        let found = difference(&texts([Some("a"), None, Some("c")]), &texts([Some("a"), Some("b"), Some("x")]));
        assert_eq!((found.rows, found.changed, found.nulls_new, found.nulls_old), (3, 2, 1, 0));
    }

    fn comparison(change: impl FnOnce(&mut Comparison)) -> Vec<String> {
        let mut comparison = Comparison { batches: 1, read: 1000, ..Comparison::default() };
        (comparison.new.rules_us, comparison.old.rules_us) = (10_000, 9_000);
        change(&mut comparison);
        comparison.breaches(&ProbationPlan::default())
    }

    fn nulls(rows: u64, nulls_new: u64) -> ColumnDifference {
        ColumnDifference { rows, nulls_new, ..ColumnDifference::default() }
    }

    #[test]
    fn each_bound_has_its_breach_and_keeps_quiet_below() {
        let none: Vec<String> = Vec::new();
        assert_eq!(comparison(|_| {}), none);
        assert_eq!(comparison(|c| (c.new.failed, c.old.failed) = (4, 4)), none);
        assert!(comparison(|c| (c.new.failed, c.old.failed) = (5, 4))[0].contains("failed on 1 rows"));
        assert_eq!(comparison(|c| c.new.rejected = 50), none);
        assert!(comparison(|c| c.new.rejected = 51)[0].contains("rejects 5.1 %"));
        assert!(comparison(|c| c.old.rejected = 51)[0].contains("the old version 5.1 %"));
        assert!(comparison(|c| c.new.rules_us = 28_000)[0].contains("3.1 times"));
        assert_eq!(comparison(|c| (c.new.rules_us, c.old.rules_us) = (1_900, 10)), none, "too little to be measured");
        let with = |rows, by| comparison(|c| c.columns = BTreeMap::from([("email".to_owned(), nulls(rows, by))]));
        assert!(with(100, 100)[0].contains("`email` is null"));
        assert_eq!(with(10, 2), none, "two rows say little");
    }

    proptest! {
        #[test]
        fn every_value_has_a_bucket(number: f64, bytes: Vec<u8>) {
            prop_assert!(of_number(number) < BUCKETS);
            prop_assert!(of_text(&bytes) < BUCKETS);
        }

        #[test]
        fn common_rows_are_the_intersection(a in proptest::collection::btree_set(0u32..50, 0..30),
                                            b in proptest::collection::btree_set(0u32..50, 0..30)) {
            let (left, right): (Vec<u32>, Vec<u32>) = (a.iter().copied().collect(), b.iter().copied().collect());
            let (in_left, in_right) = common(&left, &right);
            let both: Vec<u32> = a.intersection(&b).copied().collect();
            prop_assert_eq!(in_left.iter().map(|i| left[*i as usize]).collect::<Vec<_>>(), both.clone());
            prop_assert_eq!(in_right.iter().map(|i| right[*i as usize]).collect::<Vec<_>>(), both);
        }
    }
}
