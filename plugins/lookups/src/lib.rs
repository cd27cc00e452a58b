//! Standard rule `lookups` (coerce): columns are added from a reference table, by key.
//!
//! ```yaml
//! - coerce: lookups@^1
//!   reads: [country]
//!   writes: [country_name, vat]
//!   grants: [lookup]
//!   lookups: [countries]
//!   with:
//!     table: countries
//!     key: [country]
//!     columns: { country_name: name, vat: vat_rate }
//!     unknown: reject
//! ```
//!
//! A column that exists is replaced, any other is added; it has the type that the table gives. A row whose key the table
//! does not have is rejected, or gets nulls. A null in the key finds nothing, and gives nulls unless it is `required`. The
//! host holds the table and looks up a batch of keys a call. [`config::Config`] tells every setting.

pub mod config;

use config::{Config, Unknown};
use sluice_sdk::lookup::Table;
use sluice_sdk::{
    About, Batch, Column, ColumnId, ReasonId, Rejections, Rule, Setup, Transformer, about, kernels::bits, nearest,
};

/// The rule, opened.
#[derive(Debug)]
pub struct Lookups {
    table: Table,
    key: Vec<ColumnId>,
    /// Columns of the table, in the order of the outputs.
    columns: Vec<String>,
    unknown: Unknown,
    required: bool,
    reason: ReasonId,
}

impl Rule for Lookups {
    type Config = Config;

    const ABOUT: About =
        about!(Coerce, "columns are added from a reference table, by key", include_str!("../schema.json"));

    fn open(config: Config, setup: &mut Setup<'_>) -> Option<Self> {
        let code = config.reason.as_deref().unwrap_or("unknown_key");
        let reason = setup.reason_at(code, "the reference table has no such key", "/reason");
        if config.columns.0.is_empty() && config.unknown == Unknown::Null && !config.required {
            setup.find("", "nothing is written and nothing rejected; name `columns`, or write `unknown: reject`");
        }
        let table = setup.table(&config.table, "/table")?;
        let key = key(&config.key, &table, setup);
        for (place, (name, from)) in config.columns.0.iter().enumerate() {
            output(name, from, &table, setup);
            if let Some((first, _)) = config.columns.0[..place].iter().find(|(_, other)| other == from) {
                let message = format!("column `{from}` of the table is written as `{first}` already; leave one out");
                setup.find(&Setup::pointer(&["columns", name]), message);
            }
        }
        let columns = config.columns.0.into_iter().map(|(_, from)| from).collect();
        Some(Self { table, key: key?, columns, unknown: config.unknown, required: config.required, reason })
    }
}

/// Reads the columns of the key, each of the type that the table's own has.
fn key(names: &[String], table: &Table, setup: &mut Setup<'_>) -> Option<Vec<ColumnId>> {
    let own = table.key();
    if names.len() != own.len() {
        let own: Vec<&str> = own.iter().map(|field| field.name.as_str()).collect();
        let message =
            format!("{} columns make no key of table `{}`; its key is {}", names.len(), table.name(), own.join(", "));
        setup.find("/key", message);
        return None;
    }
    let mut key = Vec::with_capacity(own.len());
    for (place, (name, field)) in names.iter().zip(own).enumerate() {
        let path = Setup::pointer(&["key", &place.to_string()]);
        let read = setup.read_if(name, &path, &field.ty.to_string(), |ty| ty == field.ty);
        if names[..place].contains(name) {
            setup.find(&path, format!("column `{name}` stands in the key twice; name another"));
        }
        key.push(read.map(|read| read.id));
    }
    key.into_iter().collect()
}

/// Says which column is written.
fn output(name: &str, from: &str, table: &Table, setup: &mut Setup<'_>) {
    let Some(field) = table.column(from) else {
        let names = || table.columns().iter().map(|field| field.name.as_str());
        let way_out = match nearest(from, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it gives {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("table `{}` gives no column `{from}`; {way_out}", table.name());
        return setup.find(&Setup::pointer(&["columns", name]), message);
    };
    // null where the row is rejected, too
    if setup.inputs().iter().any(|input| input.name == name) {
        setup.replaces(name, field.ty, true);
    } else {
        setup.adds(name, field.ty, true);
    }
}

impl Transformer for Lookups {
    fn apply(&mut self, mut batch: Batch, rejections: &mut Rejections) -> Vec<Column> {
        let rows = batch.rows();
        let key: Vec<Column> = self.key.iter().map(|id| batch.take(*id)).collect();
        let found = self.table.find(rows, &key, &self.columns);
        self.reject(&key, found.bits(), rows, rejections);
        found.into_columns()
    }
}

impl Lookups {
    fn reject(&self, key: &[Column], found: &[u8], rows: usize, rejections: &mut Rejections) {
        bits::for_each_unset(found, rows, |row| {
            let null = key.iter().position(|column| !bits::is_valid(&column.validity, row));
            let rejected = if null.is_some() { self.required } else { self.unknown == Unknown::Reject };
            if rejected {
                rejections.reject(row, self.reason, self.key[null.unwrap_or(0)]);
            }
        });
    }
}

sluice_sdk::transformer!(Lookups);
