//! Rows as lines of JSON, as the warehouse's COPY reads them.
//!
//! - Nulls are left out, and floats that JSON cannot hold (NaN, the infinities) count as nulls.
//! - Numbers stand bare where a reader that takes every number for a double gets them right; decimals, and integers
//!   past 2^53, are strings.
//! - Times are `2010-12-01 08:26:00.000000` (UTC), dates `2010-12-01`, bytes hexadecimal.
//! - JSON columns are embedded as they are; a text in one that is no JSON is a string.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use serde::de::IgnoredAny;
use sluice_ports::{Kind, PortError, Result};
use std::collections::BTreeSet;

/// Integers up to here, and down to minus this, are exact as doubles.
const EXACT_IN_DOUBLE: u64 = 1 << 53;
const DAY_MICROS: i64 = 86_400_000_000;

/// Writes the rows of one batch.
#[derive(Debug)]
pub struct Rows<'a> {
    columns: Vec<Column<'a>>,
    rows: usize,
}

impl<'a> Rows<'a> {
    /// Of a batch in which the columns named in `json` hold JSON texts.
    ///
    /// # Errors
    /// Where a column has a type that no dataset has.
    pub fn new(batch: &'a RecordBatch, json: &BTreeSet<String>) -> Result<Self> {
        let schema = batch.schema_ref();
        let column = |(field, array): (&std::sync::Arc<arrow_schema::Field>, &'a arrow_array::ArrayRef)| {
            Column::new(field.name(), array.as_ref(), json.contains(field.name()))
        };
        let columns = schema.fields().iter().zip(batch.columns()).map(column).collect::<Result<_>>()?;
        Ok(Self { columns, rows: batch.num_rows() })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends a row as one line, newline included.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        for column in self.columns.iter().filter(|column| column.has(row)) {
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(&column.key);
            column.values.write(row, out);
        }
        out.extend_from_slice(b"}\n");
    }

    /// Appends the values of some columns, such that two rows with the same values append the same, and others do not.
    pub fn write_key(&self, row: usize, columns: &[usize], out: &mut Vec<u8>) {
        for column in columns.iter().map(|column| &self.columns[*column]) {
            match column.has(row) {
                true => column.values.write(row, out),
                false => out.extend_from_slice(b"null"),
            }
            out.push(b',');
        }
    }
}

#[derive(Debug)]
struct Column<'a> {
    /// Quoted name and colon.
    key: Vec<u8>,
    array: &'a dyn Array,
    values: Values<'a>,
}

impl<'a> Column<'a> {
    fn new(name: &str, array: &'a dyn Array, json: bool) -> Result<Self> {
        let values = Values::of(array, json).ok_or_else(|| {
            let message =
                format!("column `{name}` has the type {}, which cannot be written as JSON lines", array.data_type());
            PortError::new(Kind::Fatal, message)
        })?;
        let mut key = Vec::with_capacity(name.len() + 3);
        string(name, &mut key);
        key.push(b':');
        Ok(Self { key, array, values })
    }

    /// Whether there is a value to be written.
    fn has(&self, row: usize) -> bool {
        self.array.is_valid(row) && !matches!(self.values, Values::Float(all) if !all.value(row).is_finite())
    }
}

/// Values of a column, by how they are written.
#[derive(Debug)]
enum Values<'a> {
    Boolean(&'a BooleanArray),
    Int(&'a Int64Array),
    Float(&'a Float64Array),
    Decimal(&'a Decimal128Array, usize),
    Timestamp(&'a TimestampMicrosecondArray),
    Date(&'a Date32Array),
    Text(&'a StringArray),
    Json(&'a StringArray),
    Binary(&'a BinaryArray),
}

impl<'a> Values<'a> {
    fn of(array: &'a dyn Array, json: bool) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Int64 => Self::Int(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>()),
            DataType::Decimal128(_, scale) => {
                Self::Decimal(array.as_primitive::<Decimal128Type>(), usize::try_from(*scale).ok()?)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Timestamp(array.as_primitive::<TimestampMicrosecondType>())
            }
            DataType::Date32 => Self::Date(array.as_primitive::<Date32Type>()),
            DataType::Utf8 if json => Self::Json(array.as_string::<i32>()),
            DataType::Utf8 => Self::Text(array.as_string::<i32>()),
            DataType::Binary => Self::Binary(array.as_binary::<i32>()),
            _ => return None,
        })
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Boolean(all) => out.extend_from_slice(if all.value(row) { b"true" } else { b"false" }),
            Self::Int(all) => integer(all.value(row), out),
            Self::Float(all) => float(all.value(row), out),
            Self::Decimal(all, scale) => decimal(all.value(row), *scale, out),
            Self::Timestamp(all) => timestamp(all.value(row), out),
            Self::Date(all) => quoted(out, |out| date(all.value(row).into(), out)),
            Self::Text(all) => string(all.value(row), out),
            Self::Json(all) => embedded(all.value(row), out),
            Self::Binary(all) => quoted(out, |out| hex(all.value(row), out)),
        }
    }
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

fn integer(value: i64, out: &mut Vec<u8>) {
    let write = |out: &mut Vec<u8>| {
        if value < 0 {
            out.push(b'-');
        }
        unsigned(value.unsigned_abs(), 1, out);
    };
    match value.unsigned_abs() <= EXACT_IN_DOUBLE {
        true => write(out),
        false => quoted(out, write),
    }
}

/// A number with at least `width` digits.
fn unsigned(mut value: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while value > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

fn float(value: f64, out: &mut Vec<u8>) {
    serde_json::to_writer(out, &value).expect("memory takes every byte");
}

fn decimal(value: i128, scale: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 40];
    let (mut at, mut rest) = (digits.len(), value.unsigned_abs());
    while rest > 0 || digits.len() - at <= scale {
        let digit;
        (rest, digit) = match u64::try_from(rest) {
            Ok(rest) => (u128::from(rest / 10), rest % 10),
            // divisions of 128 bits are slow and rarely needed
            Err(_) => (rest / 10, (rest % 10) as u64),
        };
        at -= 1;
        digits[at] = b'0' + digit as u8;
    }
    let (whole, fraction) = digits[at..].split_at(digits.len() - at - scale);
    quoted(out, |out| {
        if value < 0 {
            out.push(b'-');
        }
        out.extend_from_slice(whole);
        if scale > 0 {
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    });
}

fn timestamp(micros: i64, out: &mut Vec<u8>) {
    let (day, of_day) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS) as u64);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (year, month, of_month) = civil(day);
    quoted(out, |out| {
        calendar(year, month, of_month, out);
        for (mark, part, width) in
            [(b' ', seconds / 3600, 2), (b':', seconds / 60 % 60, 2), (b':', seconds % 60, 2), (b'.', fraction, 6)]
        {
            out.push(mark);
            unsigned(part, width, out);
        }
        era(year, out);
    });
}

fn date(day: i64, out: &mut Vec<u8>) {
    let (year, month, of_month) = civil(day);
    calendar(year, month, of_month, out);
    era(year, out);
}

fn calendar(year: i64, month: u64, of_month: u64, out: &mut Vec<u8>) {
    // there is no year 0: the year before 1 is 1 BC
    let named = if year > 0 { year } else { 1 - year };
    unsigned(named.unsigned_abs(), 4, out);
    for part in [month, of_month] {
        out.push(b'-');
        unsigned(part, 2, out);
    }
}

fn era(year: i64, out: &mut Vec<u8>) {
    if year <= 0 {
        out.extend_from_slice(b" BC");
    }
}

/// Year, month and day of a count of days since 1970-01-01, in the Gregorian calendar. Years are counted from March, so
/// that the leap day is the last of its year, in cycles of 400 years.
fn civil(days: i64) -> (i64, u64, u64) {
    const CYCLE: i64 = 146_097;
    let since_march = days + 719_468;
    let (cycle, day) = (since_march.div_euclid(CYCLE), since_march.rem_euclid(CYCLE));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (cycle * 400 + year + i64::from(month <= 2), month as u64, of_month as u64)
}

fn string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    quoted(out, |out| {
        let mut plain = 0;
        for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| needs_escape(**byte)) {
            out.extend_from_slice(&bytes[plain..at]);
            escape(*byte, out);
            plain = at + 1;
        }
        out.extend_from_slice(&bytes[plain..]);
    });
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            hex(&[byte], out);
        }
    }
}

/// A JSON text as it is, on one line: outside strings a line break is white space, and within them none can stand.
fn embedded(text: &str, out: &mut Vec<u8>) {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return string(text, out);
    }
    out.extend(text.trim_ascii().bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

#[cfg(test)]
mod tests;
