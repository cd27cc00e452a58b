//! The loops: a partial column is continued with the values of rows, group by group.

use crate::plan::{How, Partial};
use crate::product::product;
use crate::source::Source;
use sluice_sdk::kernels::number::POWERS_OF_TEN;
use sluice_sdk::kernels::{Text, bits};
use sluice_sdk::{Batch, Column, TextOut, Values};

impl Partial {
    /// Continues the partials with the rows of a batch.
    pub(crate) fn fold(&self, partial: Column, batch: &Batch, groups: &[u32]) -> Column {
        match &self.source {
            Source::Rows => count(partial, &[], groups),
            Source::Column(id) => self.add(partial, batch.column(*id), groups),
            Source::Product(a, b) => {
                self.add(partial, &product(batch.column(*a), batch.column(*b), batch.rows()), groups)
            }
        }
    }

    fn add(&self, partial: Column, rows: &Column, groups: &[u32]) -> Column {
        match self.how {
            How::Count => count(partial, &rows.validity, groups),
            how => accumulate(how, partial, rows, groups),
        }
    }

    /// Adds up partial rows of the same group, in the order in which they stand.
    pub(crate) fn merge(&self, rows: &Column, groups: &[u32], count: usize) -> Column {
        let how = if self.how == How::Count { How::Sum } else { self.how };
        accumulate(how, Column::nulls(self.ty, count), rows, groups)
    }
}

/// A partial column that is being continued: one value a group, and which groups have one.
struct Groups<'p, T> {
    values: &'p mut [T],
    /// Never empty, unlike that of a column without nulls.
    validity: &'p mut [u8],
}

impl<T: Copy> Groups<'_, T> {
    /// Calls `next(partial, value)` for every row that has a value; a group without one takes the row's as it is.
    #[inline(always)]
    fn each(&mut self, valid: &[u8], groups: &[u32], value: impl Fn(usize) -> T, next: impl Fn(T, T) -> T) {
        bits::for_each_valid(valid, groups.len(), |row| {
            let group = groups[row] as usize;
            let (byte, bit) = (&mut self.validity[group / 8], 1 << (group % 8));
            let partial = &mut self.values[group];
            *partial = if *byte & bit != 0 { next(*partial, value(row)) } else { value(row) };
            *byte |= bit;
        });
    }
}

/// One more for each row that has a value.
fn count(partial: Column, valid: &[u8], groups: &[u32]) -> Column {
    let Column { mut validity, mut values } = with_validity(partial);
    if let Values::Int64(counts) = &mut values {
        Groups { values: counts, validity: &mut validity }.each(valid, groups, |_| 1, |count, one| count + one);
    }
    Column { validity, values }
}

/// Continues a partial with values of its own type, or with int64s where decimals are summed.
fn accumulate(how: How, partial: Column, rows: &Column, groups: &[u32]) -> Column {
    let valid = &rows.validity[..];
    let Column { mut validity, mut values } = with_validity(partial);
    let bits = &mut validity[..];
    match (&mut values, &rows.values) {
        (Values::Int64(partial), Values::Int64(v)) | (Values::Timestamp(partial), Values::Timestamp(v)) => {
            let mut partial = Groups { values: partial, validity: bits };
            match how {
                How::Min => partial.each(valid, groups, |row| v[row], i64::min),
                How::Max => partial.each(valid, groups, |row| v[row], i64::max),
                How::Sum | How::Count => partial.each(valid, groups, |row| v[row], add),
            }
        }
        (Values::Date(partial), Values::Date(v)) => {
            let larger = if how == How::Max { i32::max } else { i32::min };
            Groups { values: partial, validity: bits }.each(valid, groups, |row| v[row], larger);
        }
        (Values::Float64(partial), Values::Float64(v)) => {
            let mut partial = Groups { values: partial, validity: bits };
            let pick =
                |b_is: fn(std::cmp::Ordering) -> bool| move |a: f64, b: f64| if b_is(b.total_cmp(&a)) { b } else { a };
            match how {
                How::Min => partial.each(valid, groups, |row| v[row], pick(std::cmp::Ordering::is_lt)),
                How::Max => partial.each(valid, groups, |row| v[row], pick(std::cmp::Ordering::is_gt)),
                How::Sum | How::Count => partial.each(valid, groups, |row| v[row], |a, b| a + b),
            }
        }
        (Values::Decimal(partial), Values::Decimal(v)) => {
            let v = v.as_chunks::<2>().0;
            decimals(how, Groups { values: partial.as_chunks_mut().0, validity: bits }, |row| v[row], valid, groups);
        }
        (Values::Decimal(partial), Values::Int64(v)) => {
            let wide = |row: usize| words(i128::from(v[row]));
            decimals(how, Groups { values: partial.as_chunks_mut().0, validity: bits }, wide, valid, groups);
        }
        (Values::Text(partial), Values::Text(v)) => {
            let partial = Text::new(&partial.offsets, &partial.bytes);
            return texts(how, partial, bits, Text::new(&v.offsets, &v.bytes), valid, groups);
        }
        _ => unreachable!("partials and rows are of the types of one signature"),
    }
    Column { validity, values }
}

/// A column without nulls has no validity; here every group has its bit.
fn with_validity(partial: Column) -> Column {
    let all = || bits::filled(partial.rows_at_most(), true);
    let validity = if partial.validity.is_empty() { all() } else { partial.validity };
    Column { validity, values: partial.values }
}

#[inline(always)]
fn add(sum: i64, value: i64) -> i64 {
    match sum.checked_add(value) {
        Some(sum) => sum,
        None => panic!("an int64 sum is past 64 bits; coerce the column to a decimal first"),
    }
}

/// Continues a partial of decimals; a sum may pass 38 digits on its way, but not at the end of the batch.
#[inline(always)]
fn decimals(
    how: How,
    mut partial: Groups<'_, [u64; 2]>,
    value: impl Fn(usize) -> [u64; 2],
    valid: &[u8],
    groups: &[u32],
) {
    match how {
        How::Min => partial.each(valid, groups, value, |a, b| if number(b) < number(a) { b } else { a }),
        How::Max => partial.each(valid, groups, value, |a, b| if number(b) > number(a) { b } else { a }),
        How::Sum | How::Count => {
            partial.each(valid, groups, value, |a, b| match number(a).checked_add(number(b)) {
                Some(sum) => words(sum),
                None => past_38_digits(),
            });
            if partial.values.iter().any(|&sum| number(sum).unsigned_abs() >= POWERS_OF_TEN[38].unsigned_abs()) {
                past_38_digits();
            }
        }
    }
}

#[cold]
pub(crate) fn past_38_digits() -> ! {
    panic!("a decimal sum or product is past 38 digits; coerce the column to a smaller scale first")
}

/// Continues a partial of text, whose values change their length: the winners are picked first and copied once.
fn texts(how: How, partial: Text<'_>, has: &[u8], rows: Text<'_>, valid: &[u8], groups: &[u32]) -> Column {
    let mut winners: Vec<Option<&[u8]>> =
        (0..partial.rows()).map(|group| bits::get(has, group).then(|| partial.row(group))).collect();
    bits::for_each_valid(valid, groups.len(), |row| {
        let winner = &mut winners[groups[row] as usize];
        let text = rows.row(row);
        let wins = |old: &[u8]| if how == How::Max { text > old } else { text < old };
        if winner.is_none_or(wins) {
            *winner = Some(text);
        }
    });
    let mut out = TextOut::with_capacity(winners.len(), winners.iter().flatten().map(|text| text.len()).sum());
    for winner in winners {
        match winner {
            Some(text) => out.push_bytes(text),
            None => out.push_null(),
        }
    }
    out.finish()
}

/// The number of a pair of words, the low one first.
#[inline(always)]
pub(crate) fn number([low, high]: [u64; 2]) -> i128 {
    (u128::from(high) << 64 | u128::from(low)) as i128
}

/// A number as a pair of words, the low one first.
#[inline(always)]
pub(crate) fn words(value: i128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}
