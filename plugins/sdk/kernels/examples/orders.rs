//! Times the kernels on what the `orders` rules do, beside the same rules written plainly:
//! `cargo run --release -p sluice-kernels --example orders`.
//!
//! Nanoseconds a record over 4,096 rows, the least of many turns: the ratios are what to look at.

use sluice_kernels::detect::{Finder, Kind};
use sluice_kernels::time::{IsoOptions, parse_timestamp};
use sluice_kernels::{DecimalTarget, Excess, NumberFormat, SmallSet, Text, TextBuilder, bits, mask};
use std::hint::black_box;
use std::time::Instant;

const ROWS: usize = 4_096;
const TURNS: usize = 400;
const STATES: [&str; 6] = ["pending", "paid", "shipped", "delivered", "cancelled", "returned"];

type Column = (Vec<u32>, Vec<u8>);

fn column(row: impl Fn(u64) -> String) -> Column {
    let mut seed = 42u64;
    let mut out = TextBuilder::default();
    for _ in 0..ROWS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.push(row(seed >> 20).as_bytes());
    }
    out.finish()
}

fn view((offsets, bytes): &Column) -> Text<'_> {
    Text::new(offsets, bytes)
}

fn time<T>(mut run: impl FnMut() -> T) -> f64 {
    let once = |run: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        black_box(run());
        start.elapsed().as_nanos() as f64 / ROWS as f64
    };
    (0..TURNS).map(|_| once(&mut run)).fold(f64::MAX, f64::min)
}

fn strings(text: &Text, row: impl Fn(&str) -> String) -> Column {
    let mut out = (vec![0], Vec::new());
    for bytes in text.iter() {
        out.1.extend_from_slice(row(std::str::from_utf8(bytes).unwrap_or("")).as_bytes());
        out.0.push(out.1.len() as u32);
    }
    out
}

fn email_plainly(s: &str) -> String {
    match s.find('@') {
        Some(at) if at > 0 => format!("{}***{}", &s[..1], &s[at..]),
        _ => "***".to_owned(),
    }
}

fn phone_plainly(s: &str) -> String {
    let (head, tail) = s.split_at(s.len() - 2);
    head.chars().map(|c| if c.is_ascii_digit() { '*' } else { c }).chain(tail.chars()).collect()
}

fn notes(text: &Text, finder: &mut Finder) -> Column {
    let mut out = TextBuilder::like(text);
    let (mut rows, mut found, mut spans) = (Vec::new(), Vec::new(), Vec::new());
    finder.for_each_candidate(text, |row| rows.push(row));
    let mut copied = 0;
    for row in rows {
        finder.find(text.row(row), &mut found);
        if !found.is_empty() {
            spans.clear();
            spans.extend(found.iter().map(|(span, _)| *span));
            out.extend_rows_unchanged(text, copied, row);
            out.redact_ranges(text.row(row), &spans, b"[EMAIL]");
            copied = row + 1;
        }
    }
    out.extend_rows_unchanged(text, copied, text.rows());
    out.finish()
}

fn main() {
    let emails = column(|n| format!("alice.garcia{}@mail.example.org", n % 1000));
    let phones = column(|n| match n % 3 {
        0 => format!("+44 20 {} {}", 1000 + n % 9000, 1000 + n % 8999),
        1 => format!("+1-{}-{}-{}", 200 + n % 800, 200 + n % 799, 1000 + n % 9000),
        _ => format!("0{}", 100_000_000 + n % 900_000_000),
    });
    let statuses = column(|n| STATES[(n % 6) as usize].to_owned());
    let quantities = column(|n| (1 + n % 20).to_string());
    let amounts = column(|n| match n % 10 {
        0 => format!("{},{:03}.{:02}", 1 + n % 4, n % 1000, n % 100),
        1 => format!(" {}.{:02} ", n % 5000, n % 100),
        _ => format!("{}.{:02}", n % 5000, n % 100),
    });
    let times = column(|n| format!("2026-03-01T1{}:{:02}:{:02}.{:03}Z", n % 2, n % 60, n % 59, n % 1000));
    let words = column(|n| match n % 16 {
        0 => format!("leave at the door bob.jones{}@example.com, ring twice", n % 1000),
        1 => "call before +44 20 7946 0958 delivery".to_owned(),
        _ => "gift wrap please fragile handle with care".to_owned(),
    });
    let set = SmallSet::new(STATES);
    let lenient = NumberFormat { thousands: Some(b','), ..NumberFormat::LENIENT };
    let cents = DecimalTarget::new(18, 2, Excess::Refuse);
    let mut finder = Finder::new([Kind::Email]);
    let mut all = Finder::new(Kind::ALL);

    let e = view(&emails);
    let mut rows: Vec<(&str, f64, f64)> = Vec::new();
    rows.push(("e-mail field", time(|| mask::emails(&e, &[])), time(|| strings(&e, email_plainly))));
    let p = view(&phones);
    rows.push(("phone field", time(|| mask::digits_but_last(&p, 2)), time(|| strings(&p, phone_plainly))));
    let s = view(&statuses);
    let plain_set = time(|| bits::pack(ROWS, |i| STATES.iter().any(|state| state.as_bytes() == s.row(i))));
    rows.push(("status in set", time(|| set.rows_in(&s)), plain_set));
    let q = view(&quantities);
    let std_int = |row: &[u8]| std::str::from_utf8(row).ok().and_then(|s| s.trim().parse::<i64>().ok()).unwrap_or(0);
    rows.push((
        "quantity",
        time(|| q.iter().map(|row| lenient.parse_i64(row).unwrap_or(0)).collect::<Vec<_>>()),
        time(|| q.iter().map(std_int).collect::<Vec<_>>()),
    ));
    let a = view(&amounts);
    let std_float = |row: &[u8]| {
        let text = std::str::from_utf8(row).unwrap_or("").trim().replace(',', "");
        text.parse::<f64>().unwrap_or(0.0)
    };
    rows.push((
        "amount",
        time(|| a.iter().map(|row| lenient.parse_decimal(row, &cents).unwrap_or(0)).collect::<Vec<_>>()),
        time(|| a.iter().map(std_float).collect::<Vec<_>>()),
    ));
    rows.push(("amount as f64", time(|| a.iter().map(|row| lenient.parse_f64(row).unwrap_or(0.0)).sum::<f64>()), 0.0));
    let t = view(&times);
    let iso = |row: &[u8]| parse_timestamp(row, &IsoOptions::STRICT).unwrap_or(0);
    rows.push(("ts", time(|| t.iter().map(iso).collect::<Vec<_>>()), 0.0));
    let w = view(&words);
    rows.push(("notes, e-mail", time(|| notes(&w, &mut finder)), 0.0));
    let sum: f64 = rows.iter().filter(|(name, ..)| *name != "amount as f64").map(|(_, tuned, _)| tuned).sum();
    rows.push(("all of these", sum, 0.0));
    rows.push(("notes, every kind", time(|| notes(&w, &mut all)), 0.0));
    for (name, tuned, plain) in rows {
        println!("{name:20} {tuned:6.2} ns    plainly {plain:6.2} ns");
    }
}
