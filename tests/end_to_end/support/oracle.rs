//! What the pipeline `orders` must make of its input, worked out once more, one record at a time.

use super::table::Table;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const MINUTE_US: i64 = 60_000_000;
/// The pipeline's `lateness`.
const LATENESS_US: i64 = MINUTE_US;

/// What must come out.
#[derive(Default)]
pub(crate) struct Expected {
    pub(crate) read: u64,
    pub(crate) reasons: BTreeMap<String, u64>,
    pub(crate) late: u64,
    /// Rows of silver, in the order of the input: all columns but the id.
    rows: Vec<Vec<Option<String>>>,
    /// Count and cents by status and start of the minute.
    minutes: BTreeMap<(String, i64), (u64, i64)>,
}

impl Expected {
    /// Of a file, or of all files of a folder.
    pub(crate) fn of(input: &Path) -> Self {
        let mut files: Vec<PathBuf> = match fs::read_dir(input) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(_) => vec![input.to_owned()],
        };
        files.sort();
        let mut expected = Self::default();
        for file in files {
            let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            expected.add(text.lines());
        }
        expected
    }

    /// Adds the records of one file, in its order.
    pub(crate) fn add<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        let mut latest = i64::MIN;
        for line in lines {
            self.read += 1;
            match silver(line) {
                Ok(row) => self.fold(&row, &mut latest),
                Err(reason) => *self.reasons.entry(reason.to_owned()).or_default() += 1,
            }
        }
    }

    fn fold(&mut self, row: &Row, latest: &mut i64) {
        let start = row.ts.div_euclid(MINUTE_US) * MINUTE_US;
        if start + MINUTE_US + LATENESS_US <= *latest {
            self.late += 1;
        } else {
            let minute = self.minutes.entry((row.status.clone(), start)).or_default();
            minute.0 += 1;
            minute.1 += row.cents;
        }
        *latest = row.ts.max(*latest);
        self.rows.push(row.cells());
    }

    /// Rows of silver so far.
    pub(crate) fn silver_rows(&self) -> u64 {
        self.rows.len() as u64
    }

    pub(crate) fn quarantined(&self) -> u64 {
        self.reasons.values().sum()
    }

    /// Silver, without ids.
    pub(crate) fn silver(&self) -> Table {
        let columns =
            ["order_id", "customer_id", "email", "phone", "status", "amount", "quantity", "country", "ts", "note"];
        table(&columns, self.rows.clone())
    }

    /// The gold `orders_per_minute`, without commits.
    pub(crate) fn gold(&self) -> Table {
        let columns = ["status", "window_start", "window_end", "count", "sum_amount"];
        let row = |((status, start), (count, cents)): (&(String, i64), &(u64, i64))| {
            let texts = [status.clone(), start.to_string(), (start + MINUTE_US).to_string(), count.to_string()];
            texts.into_iter().chain([cents.to_string()]).map(Some).collect()
        };
        table(&columns, self.minutes.iter().map(row).collect())
    }
}

fn table(columns: &[&str], mut rows: Vec<Vec<Option<String>>>) -> Table {
    rows.sort_unstable();
    Table { columns: columns.iter().map(|column| (*column).to_owned()).collect(), rows }
}

struct Row {
    texts: BTreeMap<String, Option<String>>,
    status: String,
    cents: i64,
    quantity: i64,
    /// Microseconds since 1970.
    ts: i64,
}

impl Row {
    fn cells(&self) -> Vec<Option<String>> {
        let text = |name: &str| self.texts.get(name).cloned().flatten();
        vec![
            text("order_id"),
            text("customer_id"),
            text("email").map(|email| hidden_email(&email)),
            text("phone").map(|phone| hidden_phone(&phone)),
            Some(self.status.clone()),
            Some(self.cents.to_string()),
            Some(self.quantity.to_string()),
            text("country"),
            Some(self.ts.to_string()),
            text("note").map(|note| hidden_addresses(&note)),
        ]
    }
}

/// The row that a line becomes, or the reason why it becomes none.
fn silver(line: &str) -> Result<Row, &'static str> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(line).map_err(|_| "malformed_json")?;
    let texts: BTreeMap<String, Option<String>> =
        fields.into_iter().map(|(name, value)| (name, text_of(value))).collect();
    let text = |name: &str| texts.get(name).cloned().flatten();
    text("order_id").filter(|id| !id.is_empty()).ok_or("missing_order_id")?;
    let known = ["pending", "paid", "shipped", "delivered", "cancelled", "returned"];
    let status = text("status").filter(|status| known.contains(&status.as_str())).ok_or("bad_status")?;
    let quantity = text("quantity").and_then(|text| text.trim_matches(' ').parse().ok());
    let quantity = quantity.filter(|quantity| (1..=1000).contains(quantity)).ok_or("bad_quantity")?;
    let cents = text("amount").and_then(|text| cents(&text)).ok_or("bad_amount")?;
    let ts = text("ts").and_then(|text| instant(&text)).ok_or("bad_ts")?;
    Ok(Row { texts, status, cents, quantity, ts })
}

/// A scalar as text: a number keeps its digits.
fn text_of(value: &RawValue) -> Option<String> {
    match serde_json::from_str(value.get()).expect("the value was parsed before") {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        _ => Some(value.get().to_owned()),
    }
}

/// A plain decimal with up to two digits after the point.
fn cents(text: &str) -> Option<i64> {
    let plain = text.trim_matches(' ').replace(',', "");
    let (whole, part) = plain.split_once('.').unwrap_or((&plain, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 2 || plain.ends_with('.') {
        return None;
    }
    format!("{whole}{part:0<2}").parse().ok()
}

/// `YYYY-MM-DDTHH:MM:SS.fffZ` in microseconds since 1970.
fn instant(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let numbers = |text: &str, separator| text.split(separator).map(|n| n.parse().ok()).collect::<Option<Vec<i64>>>();
    let (time, ms) = time.split_once('.')?;
    let [year, month, day] = numbers(date, '-')?.try_into().ok()?;
    let [hour, minute, second] = numbers(time, ':')?.try_into().ok()?;
    let in_range = (1..=12).contains(&month) && (0..24).contains(&hour) && minute < 60 && second < 60;
    if !in_range || day < 1 || day > days_of(year, month) {
        return None;
    }
    let seconds = (days_since_1970(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
    Some((seconds * 1000 + ms.parse::<i64>().ok()?) * 1000)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(crate) fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    years + months + day - 1
}

/// The first character and the domain stay.
fn hidden_email(email: &str) -> String {
    match email.split_once('@') {
        Some((name, domain)) if !name.is_empty() && !domain.is_empty() => {
            format!("{}***@{domain}", name.chars().next().expect("it is not empty"))
        }
        _ => "***".into(),
    }
}

/// The last two digits stay.
fn hidden_phone(phone: &str) -> String {
    let digits = phone.bytes().filter(u8::is_ascii_digit).count();
    let mut seen = 0;
    let hide = |c: char| {
        seen += usize::from(c.is_ascii_digit());
        if c.is_ascii_digit() && seen + 2 <= digits { '*' } else { c }
    };
    phone.chars().map(hide).collect()
}

/// Addresses within a text become `[EMAIL]`: name, `@`, and a domain up to its last part of letters.
fn hidden_addresses(note: &str) -> String {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let in_domain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    let (bytes, mut out, mut from) = (note.as_bytes(), String::new(), 0);
    for at in note.match_indices('@').map(|(at, _)| at) {
        let name = bytes[from..at.max(from)].iter().rev().take_while(|byte| in_name(byte)).count();
        let domain = bytes[at + 1..].iter().take_while(|byte| in_domain(byte)).count();
        let Some(end) = domain_end(&note[at + 1..at + 1 + domain]).filter(|_| name > 0) else { continue };
        out.push_str(&note[from..at - name]);
        out.push_str("[EMAIL]");
        from = at + 1 + end;
    }
    out + &note[from..]
}

/// Where the last part of at least two letters ends.
fn domain_end(run: &str) -> Option<usize> {
    let letters = |at: usize| run[at + 1..].bytes().take_while(u8::is_ascii_alphabetic).count();
    let point = run.match_indices('.').map(|(at, _)| at).rfind(|at| *at > 0 && letters(*at) >= 2)?;
    Some(point + 1 + letters(point))
}

#[test]
fn the_oracle_itself_is_right_about_a_few_values() {
    assert_eq!(instant("2025-09-16T08:00:00.001Z"), Some(1_758_009_600_001_000));
    assert_eq!(instant("2025-02-30T08:00:00.000Z"), None);
    assert_eq!([cents(" 1,009.14 "), cents("7.8.9"), cents("5"), cents("")], [Some(100_914), None, Some(500), None]);
    assert_eq!(hidden_phone("+43 1 1234 56789"), "+** * **** ***89");
    assert_eq!(hidden_addresses("(b@mail.example.net) or c@x.example.com."), "([EMAIL]) or [EMAIL].");
    assert_eq!(hidden_addresses("paid @ the desk"), "paid @ the desk");
}
