//! Answers that are not what they should be.

use crate::bindings::sluice::rules::types::{Batch, Column, Values};
use crate::bindings::sluice::rules::verdicts::Rejections;
use crate::{Attack, Changes, changes, letters, one};
use std::hint::black_box;

pub(crate) const ATTACKS: &[Attack] = &[
    Attack { name: "offsets_first", outputs: &["text"], apply: |b| offsets(b.rows, |o| o[0] = 1) },
    Attack { name: "offsets_fall", outputs: &["text"], apply: |b| offsets(b.rows, |o| o[3] = 1) },
    Attack { name: "offsets_short", outputs: &["text"], apply: |b| offsets(b.rows, |o| *last(o) -= 1) },
    Attack { name: "offsets_long", outputs: &["text"], apply: |b| offsets(b.rows, |o| *last(o) = u32::MAX) },
    Attack { name: "offsets_few", outputs: &["text"], apply: |b| offsets(b.rows, |o| o.truncate(o.len() - 1)) },
    Attack { name: "offsets_none", outputs: &["text"], apply: |b| offsets(b.rows, Vec::clear) },
    Attack { name: "binary_offsets", outputs: &["raw"], apply: binary_offsets },
    Attack { name: "utf8_bytes", outputs: &["text"], apply: |b| bytes(b.rows, |text| text[4] = 0xff) },
    Attack { name: "utf8_split", outputs: &["text"], apply: utf8_split },
    Attack { name: "rows_few", outputs: &["number"], apply: |b| numbers(b.rows as usize - 1) },
    Attack { name: "rows_many", outputs: &["number"], apply: |b| numbers(b.rows as usize + 1) },
    Attack { name: "rows_none", outputs: &["number"], apply: |_| numbers(0) },
    Attack { name: "dates_few", outputs: &["day"], apply: |b| one(Values::Date(vec![1; b.rows as usize - 1])) },
    Attack { name: "times_few", outputs: &["at"], apply: |b| one(Values::Timestamp(vec![1; b.rows as usize - 1])) },
    Attack { name: "floats_few", outputs: &["float"], apply: |b| one(Values::Float64(vec![1.; b.rows as usize - 1])) },
    Attack { name: "validity_short", outputs: &["number"], apply: |b| valid(b.rows, vec![0xff]) },
    Attack { name: "validity_long", outputs: &["number"], apply: |b| valid(b.rows, vec![0xff, 0x03, 0]) },
    Attack { name: "validity_spare", outputs: &["number"], apply: |b| valid(b.rows, vec![0xff, 0x07]) },
    Attack { name: "bits_short", outputs: &["flag"], apply: |_| one(Values::Boolean(vec![0])) },
    Attack { name: "bits_spare", outputs: &["flag"], apply: |_| one(Values::Boolean(vec![0, 0x80])) },
    Attack { name: "null_number", outputs: &["number"], apply: |b| valid(b.rows, vec![0xfb, 0x03]) },
    Attack { name: "null_text", outputs: &["text"], apply: |b| null(Values::Text(letters(b.rows))) },
    Attack { name: "null_flag", outputs: &["flag"], apply: |_| null(Values::Boolean(vec![0x04, 0])) },
    Attack { name: "null_float", outputs: &["float"], apply: |b| null(Values::Float64(vec![-0.0; b.rows as usize])) },
    Attack {
        name: "null_money",
        outputs: &["money"],
        apply: |b| null(Values::Decimal([1, 0].repeat(b.rows as usize))),
    },
    Attack { name: "not_nullable", outputs: &["number"], apply: |b| null(Values::Int64(vec![0; b.rows as usize])) },
    Attack { name: "reject_range", outputs: &["text"], apply: |b| reject(b.rows, &[b.rows], 0, 0) },
    Attack { name: "reject_order", outputs: &["text"], apply: |b| reject(b.rows, &[5, 4], 0, 0) },
    Attack { name: "reject_code", outputs: &["text"], apply: |b| reject(b.rows, &[1], 1, 0) },
    Attack { name: "reject_column", outputs: &["text"], apply: |b| reject(b.rows, &[1], 0, 1) },
    Attack { name: "reject_lengths", outputs: &["text"], apply: reject_lengths },
    Attack { name: "reject_well", outputs: &["text"], apply: |b| reject(b.rows, &[0, 2, 2, 9], 0, u32::MAX) },
    Attack { name: "type_other", outputs: &["number"], apply: |b| one(Values::Text(letters(b.rows))) },
    Attack {
        name: "type_same_shape",
        outputs: &["number"],
        apply: |b| one(Values::Timestamp(vec![1; b.rows as usize])),
    },
    Attack { name: "decimal_over", outputs: &["money"], apply: |b| money(b.rows, 100_000) },
    Attack { name: "decimal_under", outputs: &["money"], apply: |b| money(b.rows, -100_000) },
    Attack { name: "decimal_least", outputs: &["money"], apply: |b| money(b.rows, i128::MIN) },
    Attack {
        name: "decimal_odd",
        outputs: &["money"],
        apply: |b| one(Values::Decimal(vec![0; 2 * b.rows as usize - 1])),
    },
    Attack {
        name: "decimal_few",
        outputs: &["money"],
        apply: |b| one(Values::Decimal(vec![0; 2 * b.rows as usize - 2])),
    },
    Attack { name: "columns_many", outputs: &["number"], apply: |b| twice(b.rows) },
    Attack { name: "columns_few", outputs: &["number"], apply: |_| changes(Vec::new()) },
    Attack { name: "huge", outputs: &["text"], apply: |b| bytes(b.rows, |text| text.resize(40 << 20, b'a')) },
    Attack { name: "huge_rejections", outputs: &["text"], apply: |b| reject(b.rows, &vec![0; 1 << 20], 0, 0) },
    Attack { name: "wild_pointer", outputs: &["number"], apply: |_| wild_pointer() },
    Attack { name: "nan", outputs: &["float"], apply: |b| one(Values::Float64(vec![strange_nan(); b.rows as usize])) },
];

fn last(offsets: &mut [u32]) -> &mut u32 {
    offsets.last_mut().expect("there are rows")
}

fn offsets(rows: u32, spoil: impl Fn(&mut Vec<u32>)) -> Changes {
    let mut text = letters(rows);
    spoil(&mut text.offsets);
    one(Values::Text(text))
}

fn bytes(rows: u32, spoil: impl Fn(&mut Vec<u8>)) -> Changes {
    let mut text = letters(rows);
    spoil(&mut text.bytes);
    *last(&mut text.offsets) = text.bytes.len() as u32;
    one(Values::Text(text))
}

fn binary_offsets(batch: Batch) -> Changes {
    let mut binary = letters(batch.rows);
    binary.offsets[2] = 9;
    one(Values::Binary(binary))
}

/// Valid as a whole, not row by row.
fn utf8_split(batch: Batch) -> Changes {
    let mut text = letters(batch.rows);
    text.bytes[1..3].copy_from_slice("ä".as_bytes());
    one(Values::Text(text))
}

fn numbers(rows: usize) -> Changes {
    one(Values::Int64(vec![7; rows]))
}

fn valid(rows: u32, validity: Vec<u8>) -> Changes {
    changes(vec![Column { validity, values: Values::Int64(vec![7; rows as usize]) }])
}

/// Row 2 of 10 is null.
fn null(values: Values) -> Changes {
    changes(vec![Column { validity: vec![0xfb, 0x03], values }])
}

fn reject(rows: u32, which: &[u32], code: u32, column: u32) -> Changes {
    let rejections =
        Rejections { rows: which.to_vec(), codes: vec![code; which.len()], columns: vec![column; which.len()] };
    Changes { rejections, ..one(Values::Text(letters(rows))) }
}

fn reject_lengths(batch: Batch) -> Changes {
    let rejections = Rejections { rows: vec![1, 2], codes: vec![0], columns: vec![0, 0] };
    Changes { rejections, ..one(Values::Text(letters(batch.rows))) }
}

fn money(rows: u32, value: i128) -> Changes {
    let mut words = vec![0; 2 * rows as usize];
    words[8..10].copy_from_slice(&[value as u64, (value >> 64) as u64]);
    one(Values::Decimal(words))
}

fn twice(rows: u32) -> Changes {
    let column = || Column { validity: Vec::new(), values: Values::Int64(vec![7; rows as usize]) };
    changes(vec![column(), column()])
}

/// A list that lies beyond the end of memory.
fn wild_pointer() -> Changes {
    let beyond = black_box(usize::MAX - 15) as *mut i64;
    // SAFETY: none; that is the attack. The host must see that the list lies outside of memory before it is read.
    one(Values::Int64(unsafe { Vec::from_raw_parts(beyond, 1 << 10, 1 << 10) }))
}

fn strange_nan() -> f64 {
    f64::from_bits(black_box(0xfff8_dead_beef_0001))
}
