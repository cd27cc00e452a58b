//! The loops over a column.

use crate::float;
use crate::plan::{Plan, Range, Target};
use sluice_sdk::kernels::compare::equal;
use sluice_sdk::kernels::{TextBuilder, bits, trim};
use sluice_sdk::{Batch, BooleanOut, Column, Rejections, Texts, Values, VarBytes};

/// Why a value was not converted.
enum Fault {
    Malformed,
    OutOfRange,
}

impl Plan {
    /// The column as it is to be. Rows that cannot be converted are rejected, and hold zero.
    pub(crate) fn apply(&self, batch: &mut Batch, rejections: &mut Rejections) -> Column {
        match &self.target {
            Target::Text if !self.trim && self.nulls.is_empty() && !self.required => return batch.take(self.column),
            Target::FromEpoch(unit, range) => {
                return self.numbers_of_epoch(batch, rejections, |value| unit.timestamp(value).ok(), range);
            }
            _ => {}
        }
        let mut rows = Rows { plan: self, texts: batch.texts(self.column), rejections, validity: Vec::new() };
        rows.validity = rows.texts.validity().to_vec();
        let values = match &self.target {
            Target::Int64(format, range) => {
                Values::Int64(rows.convert(|text| within(format.parse_i64(text).ok(), range)))
            }
            Target::Float64(format, range) => {
                Values::Float64(rows.convert(|text| within(float::parse(format, text), range)))
            }
            Target::Decimal(format, target, range) => {
                Values::Decimal(rows.decimals(|text| within(format.parse_decimal(text, target).ok(), range)))
            }
            Target::Timestamp(forms, range) => Values::Timestamp(
                rows.convert(|text| within(forms.iter().find_map(|form| form.timestamp(text)), range)),
            ),
            Target::Date(forms, range) => {
                Values::Date(rows.convert(|text| within(forms.iter().find_map(|form| form.date(text)), range)))
            }
            Target::Boolean { true_values, false_values } => return rows.booleans(true_values, false_values),
            Target::Text | Target::FromEpoch(..) => return rows.text(),
        };
        self.finished(values, rows.validity)
    }

    fn numbers_of_epoch(
        &self,
        batch: &Batch,
        rejections: &mut Rejections,
        read: impl Fn(i64) -> Option<i64>,
        range: &Range<i64>,
    ) -> Column {
        let numbers = batch.int64s(self.column);
        let mut values = Vec::with_capacity(numbers.rows());
        for (row, &number) in numbers.values().iter().enumerate() {
            values.push(match within(read(number), range) {
                _ if !numbers.is_valid(row) => self.null(row, rejections),
                Ok(value) => value,
                Err(fault) => self.reject(row, &fault, rejections),
            });
        }
        self.finished(Values::Timestamp(values), numbers.validity().to_vec())
    }

    /// The column. A required one has no nulls, for their rows are rejected.
    fn finished(&self, values: Values, validity: Vec<u8>) -> Column {
        Column::new(values).with_validity(if self.required { Vec::new() } else { validity })
    }

    #[inline(never)]
    fn is_null(&self, text: &[u8]) -> bool {
        self.nulls.iter().any(|null| equal(null.as_bytes(), text))
    }

    /// A null stands in the row.
    #[inline]
    fn null<T: Default>(&self, row: usize, rejections: &mut Rejections) -> T {
        if self.required { self.reject(row, &Fault::Malformed, rejections) } else { T::default() }
    }

    #[cold]
    fn reject<T: Default>(&self, row: usize, fault: &Fault, rejections: &mut Rejections) -> T {
        let reason = match fault {
            Fault::Malformed => self.malformed,
            Fault::OutOfRange => self.out_of_range,
        };
        rejections.reject(row, reason, self.column);
        T::default()
    }
}

#[inline(always)]
fn within<T: PartialOrd>(value: Option<T>, range: &Range<T>) -> Result<T, Fault> {
    match value {
        Some(value) if range.has(&value) => Ok(value),
        Some(_) => Err(Fault::OutOfRange),
        None => Err(Fault::Malformed),
    }
}

/// The rows of a text column on their way to another type.
struct Rows<'p, 'b, 'r> {
    plan: &'p Plan,
    texts: Texts<'b>,
    rejections: &'r mut Rejections,
    /// Of what comes out.
    validity: Vec<u8>,
}

impl<'b> Rows<'_, 'b, '_> {
    #[inline(always)]
    fn get(&self, row: usize) -> &'b [u8] {
        let text = self.texts.bytes(row);
        if self.plan.trim { trim(text) } else { text }
    }

    /// One value a row. A null is an empty text, which no `read` takes: so the loop need not look at validity.
    #[inline(always)]
    fn convert<T: Default>(&mut self, read: impl Fn(&[u8]) -> Result<T, Fault>) -> Vec<T> {
        let mut values = Vec::with_capacity(self.texts.rows());
        for row in 0..self.texts.rows() {
            let value = self.value(row, &read);
            values.push(value);
        }
        values
    }

    /// Two words a row.
    #[inline(always)]
    fn decimals(&mut self, read: impl Fn(&[u8]) -> Result<i128, Fault>) -> Vec<u64> {
        let mut words = Vec::with_capacity(self.texts.rows() * 2);
        for row in 0..self.texts.rows() {
            let value = self.value(row, &read);
            words.extend_from_slice(&[value as u64, (value >> 64) as u64]);
        }
        words
    }

    #[inline(always)]
    fn value<T: Default>(&mut self, row: usize, read: impl Fn(&[u8]) -> Result<T, Fault>) -> T {
        let text = self.get(row);
        if self.becomes_null(text) {
            return self.clear(row);
        }
        match read(text) {
            Ok(value) => value,
            Err(fault) => self.refused(row, &fault),
        }
    }

    #[inline(always)]
    fn becomes_null(&self, text: &[u8]) -> bool {
        !self.plan.nulls.is_empty() && self.plan.is_null(text)
    }

    /// The row becomes null.
    fn clear<T: Default>(&mut self, row: usize) -> T {
        if self.validity.is_empty() {
            self.validity = bits::filled(self.texts.rows(), true);
        }
        self.validity[row / 8] &= !(1 << (row % 8));
        self.plan.null(row, self.rejections)
    }

    #[cold]
    fn refused<T: Default>(&mut self, row: usize, fault: &Fault) -> T {
        if self.texts.is_valid(row) {
            self.plan.reject(row, fault, self.rejections)
        } else {
            self.plan.null(row, self.rejections)
        }
    }

    /// Booleans: an empty text may mean one here, so validity is looked at first.
    fn booleans(mut self, true_values: &[String], false_values: &[String]) -> Column {
        let is = |values: &[String], text: &[u8]| values.iter().any(|v| v.as_bytes().eq_ignore_ascii_case(text));
        let mut out = BooleanOut::with_capacity(self.texts.rows());
        for row in 0..self.texts.rows() {
            let text = self.get(row);
            if !self.texts.is_valid(row) || self.becomes_null(text) {
                let value = self.plan.null(row, self.rejections);
                out.push_option(self.plan.required.then_some(value));
            } else if is(true_values, text) {
                out.push(true);
            } else if is(false_values, text) {
                out.push(false);
            } else {
                out.push(self.refused(row, &Fault::Malformed));
            }
        }
        out.finish()
    }

    /// Text: blanks taken off, and some texts null.
    fn text(mut self) -> Column {
        let mut out = TextBuilder::like(&self.texts.flat());
        for row in 0..self.texts.rows() {
            let text = self.get(row);
            if !self.texts.is_valid(row) || self.becomes_null(text) {
                let () = self.clear(row);
                out.push_empty(1);
            } else {
                out.push(text);
            }
        }
        let (offsets, bytes) = out.finish();
        self.plan.finished(Values::Text(VarBytes { offsets, bytes }), self.validity)
    }
}
