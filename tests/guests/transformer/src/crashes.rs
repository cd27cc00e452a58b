//! Ways not to answer at all, and ways to behave.

use crate::bindings::sluice::rules::types::{Batch, Column, Values, VarBytes};
use crate::bindings::sluice::rules::{log, token};
use crate::{Attack, Changes, changes, letters, one, rows_of};
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, Ordering};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack { name: "honest", outputs: &["text"], apply: honest },
    Attack { name: "echo", outputs: &[], apply: |batch| changes(batch.columns) },
    Attack { name: "loop", outputs: &["text"], apply: |_| spin() },
    Attack { name: "allocate", outputs: &["text"], apply: |_| allocate() },
    Attack { name: "leak", outputs: &["text"], apply: leak },
    Attack { name: "panic", outputs: &["text"], apply: |_| panic!("on purpose") },
    Attack { name: "recurse", outputs: &["text"], apply: recurse },
    Attack { name: "stack", outputs: &["text"], apply: stack },
    Attack { name: "poison_loop", outputs: &["text"], apply: |batch| on_poison(batch, || drop(spin())) },
    Attack { name: "poison_trap", outputs: &["text"], apply: |batch| on_poison(batch, || panic!("poison")) },
    Attack { name: "count", outputs: &["number"], apply: count },
    Attack { name: "log_flood", outputs: &["text"], apply: log_flood },
    Attack { name: "log_long", outputs: &["text"], apply: log_long },
    Attack { name: "log_escape", outputs: &["text"], apply: log_escape },
    Attack { name: "token", outputs: &["text"], apply: tokens },
    Attack { name: "token_many", outputs: &["text"], apply: token_many },
    Attack { name: "token_number", outputs: &["text"], apply: token_number },
    Attack { name: "token_offsets", outputs: &["text"], apply: token_offsets },
    Attack { name: "token_domain", outputs: &["text"], apply: token_domain },
];

/// Upper case; null stays null.
fn honest(mut batch: Batch) -> Changes {
    let mut column = batch.columns.remove(0);
    if let Values::Text(text) = &mut column.values {
        text.bytes.make_ascii_uppercase();
    }
    changes(vec![column])
}

fn spin() -> Changes {
    let mut n = 0u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

fn allocate() -> Changes {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1u8; 1 << 20]);
        black_box(&kept);
    }
}

/// Behaves, but never gives 4 MiB back.
fn leak(batch: Batch) -> Changes {
    std::mem::forget(black_box(vec![1u8; 4 << 20]));
    honest(batch)
}

fn recurse(batch: Batch) -> Changes {
    fn deeper(n: u64) -> u64 {
        if black_box(n) == u64::MAX { 0 } else { deeper(n + 1) ^ black_box(n) }
    }
    one(Values::Int64(vec![deeper(0) as i64; batch.rows as usize]))
}

/// Overflows the stack that lies in its own memory.
fn stack(batch: Batch) -> Changes {
    fn deeper(n: u64) -> u64 {
        let room = black_box([n; 4096]);
        if n == u64::MAX { 0 } else { deeper(n + 1) ^ room[7] }
    }
    one(Values::Int64(vec![deeper(0) as i64; batch.rows as usize]))
}

fn on_poison(batch: Batch, bad: fn()) -> Changes {
    if rows_of(&batch.columns[0]).any(|row| row == b"poison") {
        bad();
    }
    honest(batch)
}

/// Remembers how many batches it has seen, and lets what it returns depend on it.
fn count(batch: Batch) -> Changes {
    static SEEN: AtomicI64 = AtomicI64::new(0);
    one(Values::Int64(vec![SEEN.fetch_add(1, Ordering::Relaxed); batch.rows as usize]))
}

fn log_flood(batch: Batch) -> Changes {
    for line in 0..500 {
        log::write(log::Level::Info, &format!("line {line}"));
    }
    honest(batch)
}

fn log_long(batch: Batch) -> Changes {
    log::write(log::Level::Warn, &"x".repeat(8 << 20));
    honest(batch)
}

fn log_escape(batch: Batch) -> Changes {
    log::write(log::Level::Error, "\u{1b}[2Jcleared\nWARN another line");
    honest(batch)
}

fn tokens(batch: Batch) -> Changes {
    changes(vec![token::pseudonyms("customer", &batch.columns[0])])
}

/// Keeps the host busy.
fn token_many(batch: Batch) -> Changes {
    // each value unlike the one before, so that none is remembered
    let mut text = letters(50_000);
    text.bytes.iter_mut().zip((b'a'..=b'z').cycle()).for_each(|(byte, letter)| *byte = letter);
    let column = Column { validity: Vec::new(), values: Values::Text(text) };
    while black_box(batch.rows) != u32::MAX {
        black_box(token::pseudonyms("customer", &column));
    }
    honest(batch)
}

fn token_number(batch: Batch) -> Changes {
    let numbers = Column { validity: Vec::new(), values: Values::Int64(vec![1; batch.rows as usize]) };
    changes(vec![token::pseudonyms("customer", &numbers)])
}

fn token_offsets(_: Batch) -> Changes {
    let lying = VarBytes { offsets: vec![0, 5, 3, 9], bytes: vec![b'a'; 9] };
    changes(vec![token::pseudonyms("customer", &Column { validity: Vec::new(), values: Values::Text(lying) })])
}

fn token_domain(batch: Batch) -> Changes {
    changes(vec![token::pseudonyms(&"d".repeat(257), &batch.columns[0])])
}
