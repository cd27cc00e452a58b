//! What the pipeline `online-retail` must make of its input, worked out once more by plain code.

use super::{csv, files};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Counts and sums over the lines of a file. Money is in thousandths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Retail {
    pub(crate) read: u64,
    pub(crate) silver: u64,
    pub(crate) reasons: BTreeMap<String, u64>,
    pub(crate) units: i64,
    pub(crate) revenue: i128,
    pub(crate) by_country: BTreeMap<String, i128>,
    /// Lines, units and revenue by country and day.
    pub(crate) by_day: BTreeMap<(String, String), (u64, i64, i128)>,
    /// Ids of customers that reach silver, and of all.
    pub(crate) customers: BTreeSet<String>,
    pub(crate) ids: BTreeSet<String>,
}

impl Retail {
    /// Of a gzip file.
    pub(crate) fn of(file: &Path) -> Self {
        Self::of_lines(&lines(file))
    }

    /// Of lines, the first of which is the header.
    pub(crate) fn of_lines(lines: &str) -> Self {
        let mut retail = Self::default();
        let mut records = csv::records(lines).into_iter();
        let header = records.next().expect("there is a header");
        assert_eq!(
            header.join(","),
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
        );
        records.for_each(|record| retail.add(&record));
        retail
    }

    fn add(&mut self, record: &[String]) {
        let [invoice, _, description, quantity, date, price, customer, country] = record else {
            panic!("{record:?} does not have 8 fields");
        };
        self.read += 1;
        if !customer.is_empty() {
            self.ids.insert(customer.clone());
        }
        if let Some(reason) = reason(invoice, description, price) {
            *self.reasons.entry(reason.to_owned()).or_default() += 1;
            return;
        }
        let quantity: i64 = quantity.parse().expect("quantities are integers");
        let revenue = i128::from(quantity) * thousandths(price);
        self.silver += 1;
        self.units += quantity;
        self.revenue += revenue;
        *self.by_country.entry(country.clone()).or_default() += revenue;
        let day = self.by_day.entry((country.clone(), date[..10].to_owned())).or_default();
        *day = (day.0 + 1, day.1 + quantity, day.2 + revenue);
        if !customer.is_empty() {
            self.customers.insert(customer.clone());
        }
    }
}

/// The text of a gzip file.
pub(crate) fn lines(file: &Path) -> String {
    let packed = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    String::from_utf8(files::gunzip(&packed)).expect("the file is UTF-8")
}

/// The first reason against a line.
fn reason(invoice: &str, description: &str, price: &str) -> Option<&'static str> {
    let digits = invoice.strip_prefix('C').unwrap_or(invoice);
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some("invoice_malformed");
    }
    if description.trim().is_empty() {
        return Some("description_missing");
    }
    price.starts_with('-').then_some("price_negative")
}

/// A price in thousandths; the file has some with more zeros.
fn thousandths(price: &str) -> i128 {
    let (whole, part) = price.split_once('.').unwrap_or((price, ""));
    assert!(part.len() <= 3 || part[3..].bytes().all(|byte| byte == b'0'), "price {price}");
    format!("{whole}{:0<3}", &part[..part.len().min(3)]).parse().expect("prices are numbers")
}

/// Thousandths as a decimal with three digits.
pub(crate) fn decimal(thousandths: i128) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    let whole = thousandths.unsigned_abs();
    format!("{sign}{}.{:03}", whole / 1000, whole % 1000)
}
