//! How fast columns are looked through, beside copying their bytes and checking them for UTF-8: `scan_rate [--repeat N] [--only COLUMN]`.
//!
//! Prints the fastest run of each in MB of text a second of processor time, all kinds being looked for, and the rows with hits.

use arrow_array::{Array, StringArray};
use sluice_guard::{Detector, Kind};
use std::hint::black_box;
use std::time::Duration;

/// Bytes in a column, more than the caches near the core hold.
const BYTES: usize = 16 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| arguments.get(arguments.iter().position(|argument| argument == name)? + 1);
    let repeat = option("--repeat").and_then(|number| number.parse().ok()).unwrap_or(15);
    let detector = Detector::new(&Kind::ALL);
    println!(
        "{:<22} {:>8} {:>8} {:>8} {:>8} {:>9} {:>10}",
        "column", "scan", "mask", "memcpy", "utf-8", "of memcpy", "rows hit"
    );
    for (name, row) in columns().into_iter().filter(|(name, _)| option("--only").is_none_or(|only| only == name)) {
        let column = column(row);
        let bytes = column.value_data();
        let hits = detector.scan(&column);
        let rate = |time: Duration| bytes.len() as f64 / time.as_secs_f64() / 1e6;
        let scan = rate(fastest(repeat, || drop(black_box(detector.scan(black_box(&column))))));
        let mask = hits.as_ref().map(|hits| rate(fastest(repeat, || drop(black_box(detector.mask(&column, hits))))));
        let mut copy = vec![0; bytes.len()];
        let memcpy = rate(fastest(repeat, || black_box(&mut copy[..]).copy_from_slice(black_box(bytes))));
        let utf8 = rate(fastest(repeat, || assert!(simdutf8::basic::from_utf8(black_box(bytes)).is_ok())));
        println!(
            "{name:<22} {scan:>8.0} {:>8} {memcpy:>8.0} {utf8:>8.0} {:>9.2} {:>5.1} %",
            mask.map_or("-".to_owned(), |mask| format!("{mask:.0}")),
            scan / memcpy,
            hits.map_or(0.0, |hits| hits.rows.len() as f64 / column.len() as f64 * 100.0),
        );
    }
}

/// Processor time of this thread.
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn fastest(repeat: usize, mut run: impl FnMut()) -> Duration {
    let time = |_| {
        let start = now();
        run();
        now() - start
    };
    (0..repeat).map(time).min().unwrap_or_default()
}

/// A name, and the text of a row made from random bits.
type Column = (&'static str, fn(u64) -> String);

fn columns() -> [Column; 13] {
    const WORDS: [&str; 12] = [
        "carefully",
        "final",
        "deposits",
        "sleep",
        "furiously",
        "among",
        "the",
        "quick",
        "requests",
        "haggle",
        "never",
        "blithely",
    ];
    const NAMES: [&str; 8] =
        ["José García", "Anna Weiß", "Li Wei", "Jürgen Müller", "Marta Kovács", "O’Neil", "François", "Ana"];
    fn pick<'a>(bits: u64, place: u32, from: &[&'a str]) -> &'a str {
        from[(bits >> (place * 5)) as usize % from.len()]
    }
    [
        ("prose", |bits| (0..12).map(|place| pick(bits, place, &WORDS)).collect::<Vec<_>>().join(" ")),
        ("prose, few digits", |bits| {
            let words: Vec<_> = (0..6).map(|place| pick(bits, place, &WORDS)).collect();
            format!("{} {} in 20{:02}: {}.", words[..3].join(" "), bits % 90, bits % 25, words[3..].join(" "))
        }),
        ("names", |bits| format!("{} {}", pick(bits, 0, &NAMES), pick(bits, 1, &NAMES))),
        ("country codes", |bits| pick(bits, 0, &["DE", "FR", "US", "GB"]).to_owned()),
        ("Japanese", |bits| "請求書の住所を確認してください。".repeat(1 + bits as usize % 3)),
        ("order numbers", |bits| format!("ord-{:08}", bits % 100_000_000)),
        ("timestamps", |bits| {
            format!("2026-{:02}-{:02}T{:02}:{:02}:00Z", bits % 12 + 1, bits % 28 + 1, bits % 24, bits % 60)
        }),
        ("UUIDs", |bits| {
            format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                bits as u32,
                bits as u16,
                bits >> 52,
                bits & 0xFFF,
                bits >> 16
            )
        }),
        ("amounts", |bits| format!("{}.{:02}", bits % 100_000, bits % 97)),
        ("JSON", |bits| {
            format!(
                r#"{{"id":{},"name":"{}","note":"line\n{}","price":{}.{:02},"ok":true}}"#,
                bits % 1_000_000,
                pick(bits, 0, &NAMES),
                pick(bits, 1, &WORDS),
                bits % 900,
                bits % 97
            )
        }),
        ("an e-mail in 1 of 100", |bits| {
            let address = if bits % 100 == 0 { "jo.doe@example.com" } else { "no address" };
            format!("{} {} {address} {}", pick(bits, 0, &WORDS), pick(bits, 1, &WORDS), pick(bits, 2, &WORDS))
        }),
        ("e-mails", |bits| format!("{}.{}{}@example.com", pick(bits, 0, &WORDS), pick(bits, 1, &WORDS), bits % 100)),
        ("cards and telephones", |bits| {
            format!("{} 4111 1111 1111 1111, +1 415 555 {:04}", pick(bits, 0, &WORDS), bits % 10_000)
        }),
    ]
}

fn column(row: fn(u64) -> String) -> StringArray {
    // a linear congruence (Knuth's MMIX) is random enough and the same everywhere
    let mut state = 1u64;
    let mut bytes = 0;
    let rows = std::iter::from_fn(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let text = row(state ^ state >> 29);
        bytes += text.len();
        (bytes < BYTES).then_some(text)
    });
    rows.map(Some).collect()
}
