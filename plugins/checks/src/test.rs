//! One test of one column, over all rows at once.

use crate::bounds::{DecimalBounds, Verdict};
use sluice_sdk::kernels::pattern::Pattern;
use sluice_sdk::kernels::time::{IsoOptions, TimeError, parse_date, parse_timestamp};
use sluice_sdk::kernels::{NumberError, NumberFormat, SmallSet, bits, compare, trim};
use sluice_sdk::{Batch, ColumnId, Numbers, ReasonId, Texts, Values};

/// A test, with the reason for which it rejects.
#[derive(Debug)]
pub(crate) enum Test {
    /// No null.
    Present(ReasonId),
    /// No null, and text with more than blanks.
    NotBlank(ReasonId),
    /// Text of so many characters.
    Length { min: usize, max: usize, reason: ReasonId },
    /// Text in a set, or not in it.
    TextIn { set: SmallSet, wanted: bool, reason: ReasonId },
    /// A whole number (of the column's unit, as its sixteen bytes) in a set, or not in it.
    ValueIn { set: SmallSet, wanted: bool, reason: ReasonId },
    /// Text that matches as a whole.
    Matches { pattern: Box<Pattern>, reason: ReasonId },
    /// Text that reads as a type, within bounds of it.
    Reads { as_a: Kind, malformed: ReasonId, outside: ReasonId },
    /// A whole number (of the column's unit) within bounds.
    Range { min: i128, max: i128, reason: ReasonId },
    /// A float64 within bounds. A NaN is within none.
    FloatRange { min: f64, max: f64, reason: ReasonId },
}

/// What text is read as.
#[derive(Debug)]
pub(crate) enum Kind {
    Int64 {
        format: NumberFormat,
        min: i64,
        max: i64,
        bounded: bool,
    },
    Decimal(Box<DecimalBounds>),
    /// Bounds are compared as decimals, not as what binary64 makes of them.
    Float64 {
        format: NumberFormat,
        bounds: Option<Box<DecimalBounds>>,
    },
    Boolean,
    Timestamp {
        min: i64,
        max: i64,
    },
    Date {
        min: i32,
        max: i32,
    },
}

/// Rows that failed, in order, and why.
#[derive(Debug, Default)]
pub(crate) struct Failed {
    pub(crate) rows: Vec<(usize, ReasonId)>,
}

impl Failed {
    /// Failures are rare: out of line they leave the loops small.
    #[cold]
    #[inline(never)]
    fn push(&mut self, row: usize, reason: ReasonId) {
        self.rows.push((row, reason));
    }
}

impl Test {
    /// Adds the rows that fail, in order.
    pub(crate) fn run(&self, batch: &Batch, column: ColumnId, failed: &mut Failed) {
        match self {
            Self::Present(reason) => {
                let validity = &batch.column(column).validity;
                bits::for_each_null(validity, batch.rows(), |row| failed.push(row, *reason));
            }
            Self::NotBlank(reason) => {
                let texts = batch.texts(column);
                // What stands under a null is empty, and so blank.
                let blank = compare::rows_blank(&texts.flat());
                bits::for_each_set(&blank, texts.rows(), |row| failed.push(row, *reason));
            }
            Self::Length { min, max, reason } => {
                let texts = batch.texts(column);
                fail_where(false, &compare::rows_with_chars(&texts.flat(), *min, *max), texts, *reason, failed);
            }
            Self::TextIn { set, wanted, reason } => {
                let texts = batch.texts(column);
                fail_where(!wanted, &set.rows_in(&texts.flat()), texts, *reason, failed);
            }
            Self::Matches { pattern, reason } => {
                let texts = batch.texts(column);
                fail_where(false, &pattern.rows_matching(&texts.flat()), texts, *reason, failed);
            }
            Self::Reads { as_a, malformed, outside } => {
                let mut judged = |row, verdict| {
                    failed.push(row, if verdict == Verdict::Malformed { *malformed } else { *outside });
                };
                as_a.judge_all(batch.texts(column), &mut judged);
            }
            Self::ValueIn { set, wanted, reason } => {
                let bad = |value: i128| set.contains(&value.to_le_bytes()) != *wanted;
                each_bad_value(batch, column, &bad, *reason, failed);
            }
            Self::Range { min, max, reason } => match batch.column(column).values {
                Values::Int64(_) => each_outside(batch.int64s(column), *min, *max, *reason, failed),
                Values::Timestamp(_) => each_outside(batch.timestamps(column), *min, *max, *reason, failed),
                _ => each_bad_value(batch, column, &|value| !(*min..=*max).contains(&value), *reason, failed),
            },
            Self::FloatRange { min, max, reason } => {
                let bad = |value: f64| !(*min..=*max).contains(&value);
                each_bad(batch.float64s(column), bad, *reason, failed);
            }
        }
    }
}

/// Fails the rows that hold a value and whose bit is `bit`.
fn fail_where(bit: bool, bits_of_rows: &[u8], texts: Texts<'_>, reason: ReasonId, failed: &mut Failed) {
    let (rows, validity) = (texts.rows(), texts.validity());
    let flip = if bit { 0 } else { u64::MAX };
    let bad = bits::from_words(rows, |i| {
        let valid = if validity.is_empty() { u64::MAX } else { bits::word(validity, i) };
        (bits::word(bits_of_rows, i) ^ flip) & valid
    });
    bits::for_each_set(&bad, rows, |row| failed.push(row, reason));
}

impl Kind {
    /// Judges every row that holds a value.
    fn judge_all(&self, texts: Texts<'_>, judged: &mut impl FnMut(usize, Verdict)) {
        match self {
            // Numbers are the most common: a loop of their own each.
            Self::Int64 { format, min, max, bounded } => {
                let range = *min..=*max;
                judge(texts, judged, |text| match format.parse_i64(text) {
                    Ok(value) if range.contains(&value) => Verdict::Good,
                    Ok(_) => Verdict::Outside,
                    Err(NumberError::Overflow) if *bounded => Verdict::Outside,
                    Err(_) => Verdict::Malformed,
                });
            }
            Self::Decimal(bounds) => judge(texts, judged, |text| bounds.judge(text)),
            other => judge(texts, judged, |text| other.judge(text)),
        }
    }

    #[inline(never)]
    fn judge(&self, text: &[u8]) -> Verdict {
        match self {
            Self::Float64 { format, bounds } => match (format.check_f64(text), bounds) {
                (Err(_), _) => Verdict::Malformed,
                (Ok(()), Some(bounds)) => bounds.judge(text),
                (Ok(()), None) => Verdict::Good,
            },
            Self::Boolean if is_boolean(trim(text)) => Verdict::Good,
            Self::Timestamp { min, max } => within(parse_timestamp(text, &IsoOptions::LENIENT), *min, *max),
            Self::Date { min, max } => within(parse_date(text, true), *min, *max),
            Self::Boolean | Self::Int64 { .. } | Self::Decimal(_) => Verdict::Malformed,
        }
    }
}

#[inline(always)]
fn judge(texts: Texts<'_>, judged: &mut impl FnMut(usize, Verdict), verdict: impl Fn(&[u8]) -> Verdict) {
    for row in 0..texts.rows() {
        if texts.is_valid(row) {
            let verdict = verdict(texts.bytes(row));
            if verdict != Verdict::Good {
                judged(row, verdict);
            }
        }
    }
}

fn within<T: PartialOrd + Copy>(read: Result<T, TimeError>, min: T, max: T) -> Verdict {
    match read {
        Ok(value) if value >= min && value <= max => Verdict::Good,
        Ok(_) => Verdict::Outside,
        Err(_) => Verdict::Malformed,
    }
}

/// The words for true and false, in any case.
fn is_boolean(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 10] = [b"true", b"false", b"t", b"f", b"yes", b"no", b"y", b"n", b"1", b"0"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Fails every row whose value is not within bounds, in 64 bits.
fn each_outside(numbers: Numbers<'_, i64>, min: i128, max: i128, reason: ReasonId, failed: &mut Failed) {
    let (least, most) = (i64::MIN.into(), i64::MAX.into());
    let (low, high) = (min.clamp(least, most) as i64, max.clamp(least, most) as i64);
    let nothing_passes = min > most || max < least;
    each_bad(numbers, |value| nothing_passes || !(low..=high).contains(&value), reason, failed);
}

/// Fails every row whose value, as a whole number of the column's unit, is bad.
fn each_bad_value(batch: &Batch, column: ColumnId, bad: &dyn Fn(i128) -> bool, reason: ReasonId, failed: &mut Failed) {
    match batch.column(column).values {
        Values::Int64(_) => each_bad(batch.int64s(column), |value| bad(value.into()), reason, failed),
        Values::Timestamp(_) => each_bad(batch.timestamps(column), |value| bad(value.into()), reason, failed),
        Values::Date(_) => each_bad(batch.dates(column), |value| bad(value.into()), reason, failed),
        Values::Decimal(_) => {
            let decimals = batch.decimals(column);
            let is_bad = |row: &usize| decimals.get(*row).is_some_and(bad);
            (0..decimals.rows()).filter(is_bad).for_each(|row| failed.push(row, reason));
        }
        Values::Boolean(_) => {
            let booleans = batch.booleans(column);
            let is_bad = |row: &usize| booleans.get(*row).is_some_and(|value| bad(value.into()));
            (0..booleans.rows()).filter(is_bad).for_each(|row| failed.push(row, reason));
        }
        // Opening the rule has seen to it that no other type comes here.
        Values::Float64(_) | Values::Text(_) | Values::Binary(_) => {}
    }
}

#[inline(always)]
fn each_bad<T: Copy>(numbers: Numbers<'_, T>, bad: impl Fn(T) -> bool, reason: ReasonId, failed: &mut Failed) {
    for (row, &value) in numbers.values().iter().enumerate() {
        if bad(value) && numbers.is_valid(row) {
            failed.push(row, reason);
        }
    }
}
