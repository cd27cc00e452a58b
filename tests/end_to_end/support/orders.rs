//! Made-up orders in files, some of them broken in every way that the pipeline `orders` knows.

use super::files;
use super::random::Random;
use std::path::Path;

/// Event times begin on 2025-09-16 at this second of the day.
const FIRST_SECOND: u64 = 8 * 3600;
/// They span so many milliseconds over all files, whatever the number of records.
const SPAN_MS: u64 = 2 * 3600 * 1000;
/// One record in four is up to so much older than those before it; the pipeline waits for one minute.
const MOST_LATE_MS: u64 = 90_000;
/// One in a thousand is up to so much ahead of them.
const MOST_AHEAD_MS: u64 = 150_000;

const STATUSES: [&str; 6] = ["pending", "paid", "shipped", "delivered", "cancelled", "returned"];
const COUNTRIES: [&str; 6] = ["AT", "BE", "CH", "DE", "FI", "NO"];
const NOTES: [&str; 8] = [
    "leave by the gate",
    "first line\\nsecond line",
    "mark it \\\"urgent\\\"",
    "\\u5317\\u4eac \u{8def} 5",
    "ask ada.archer7@example.com, she knows",
    "(b@mail.example.net) or c@north.example.com.",
    "20% off, paid @ the desk",
    "",
];

/// Ways to break a record: the field, and the JSON that stands in it.
const BREAKS: [(&str, &str); 20] = [
    ("order_id", "null"),
    ("order_id", "\"\""),
    ("order_id", ""),
    ("status", "\"Paid\""),
    ("status", "\"\""),
    ("status", "null"),
    ("quantity", "0"),
    ("quantity", "1001"),
    ("quantity", "2.5"),
    ("quantity", "\"a dozen\""),
    ("quantity", "null"),
    ("amount", "\"free\""),
    ("amount", "\"7.8.9\""),
    ("amount", "\"\""),
    ("amount", "null"),
    ("ts", "\"soon\""),
    ("ts", "\"2025-02-30T08:00:00.000Z\""),
    ("ts", "\"2025-09-16T25:00:00.000Z\""),
    ("ts", "\"\""),
    ("ts", "null"),
];

/// One order: fields with the JSON of their values, none where a field is missing.
#[derive(Clone)]
pub(crate) struct Order(pub(crate) Vec<(&'static str, String)>);

impl Order {
    fn new(random: &mut Random, row: u64, rows: u64) -> Self {
        let cents = 100 + random.below(500_000);
        let (whole, part) = (cents / 100, cents % 100);
        let amount = match random.below(5) {
            0 => format!("{whole}.{part:02}"),
            1 => format!("\" {whole}.{part:02} \""),
            2 if whole >= 1000 => format!("\"{},{:03}.{part:02}\"", whole / 1000, whole % 1000),
            _ => format!("\"{whole}.{part:02}\""),
        };
        let quantity = 1 + random.below(1000);
        let quantity = if random.one_in(10) { format!("\"{quantity}\"") } else { quantity.to_string() };
        let name = ["ada", "grete", "ken", "sophie"][random.below(4) as usize];
        let email = format!("\"{name}.{}@shop.example.org\"", random.below(1000));
        Self(vec![
            ("order_id", format!("\"ord-{row:07}-{:06x}\"", random.below(1 << 24))),
            ("customer_id", format!("\"cust-{:06}\"", random.below(60_000))),
            ("email", if random.one_in(50) { "null".into() } else { email }),
            ("phone", format!("\"+43 1 {} {}\"", 1000 + random.below(9000), 10_000 + random.below(90_000))),
            ("status", format!("\"{}\"", random.pick(&STATUSES))),
            ("amount", amount),
            ("quantity", quantity),
            ("country", format!("\"{}\"", random.pick(&COUNTRIES))),
            ("ts", format!("\"{}\"", event_time(random, row, rows))),
            ("note", format!("\"{}\"", random.pick(&NOTES))),
        ])
    }

    fn break_one(&mut self, random: &mut Random) {
        let (field, value) = *random.pick(&BREAKS);
        if value.is_empty() {
            self.0.retain(|(name, _)| *name != field);
        } else {
            self.0.iter_mut().filter(|(name, _)| *name == field).for_each(|(_, there)| *there = value.into());
        }
    }

    /// As one JSON object.
    pub(crate) fn json(&self) -> String {
        let members: Vec<String> = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }
}

fn event_time(random: &mut Random, row: u64, rows: u64) -> String {
    let mut ms = row * SPAN_MS / rows;
    if random.one_in(4) {
        ms = ms.saturating_sub(1 + random.below(MOST_LATE_MS));
    }
    if random.one_in(1_000) {
        // makes those after it late: whoever forgets it takes them
        ms += MOST_AHEAD_MS / 2 + random.below(MOST_AHEAD_MS / 2);
    }
    let seconds = FIRST_SECOND + ms / 1000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("2025-09-16T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

/// Orders in the order of their times; one in twenty is broken, but all are JSON objects.
pub(crate) fn orders(rows: u64, seed: u64) -> Vec<Order> {
    let mut random = Random::new(seed);
    let one = |row| {
        let mut order = Order::new(&mut random, row, rows);
        if random.one_in(20) {
            order.break_one(&mut random);
        }
        order
    };
    (0..rows).map(one).collect()
}

/// Orders as lines, one in a hundred of which is no JSON object.
pub(crate) fn lines(rows: u64, seed: u64) -> Vec<String> {
    let mut random = Random::new(seed ^ 0xb10c);
    let line = |order: Order| {
        let json = order.json();
        match random.below(500) {
            0 => json[..json.floor_char_boundary(json.len() / 2)].to_owned(),
            1 => format!("[{json}]"),
            2 => json.replace('"', "'"),
            3 => "order follows by fax".to_owned(),
            4 => format!("{json},"),
            _ => json,
        }
    };
    orders(rows, seed).into_iter().map(line).collect()
}

/// Writes orders into so many files of a folder. Each file has a stretch of the two hours, but the order of their names
/// is not that of their times.
pub(crate) fn write_files(folder: &Path, rows: u64, count: usize, seed: u64) {
    std::fs::create_dir_all(folder).expect("a folder can be made");
    let lines = lines(rows, seed);
    for (number, stretch) in lines.chunks(lines.len().div_ceil(count)).enumerate() {
        // 7 has no factor in common with the small numbers of files in use
        let name = format!("part-{}.ndjson", (number * 7 + 3) % count);
        files::write(&folder.join(name), stretch.join("\n") + "\n");
    }
}
