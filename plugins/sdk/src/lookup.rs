//! Capability `lookup`: reference tables, which the host holds. A rule sees those that its step names.
//!
//! In a component these call the host, and only a component that calls them imports the capability; the manifest must
//! grant it. Natively a test puts tables there for its thread ([`native::grant`](crate::native::grant)).
//!
//! Ask for the table while the rule is opened ([`Setup::table`](crate::Setup::table)), so that a table or column that is
//! not there is a finding; then look up the keys of a whole batch at once:
//!
//! ```
//! use sluice_sdk::lookup::Table;
//! use sluice_sdk::{About, Batch, ColumnId, ColumnType, Field, ReasonId, Rejections, Rule, Setup, Validator, about, native};
//!
//! struct Known { table: Table, code: ColumnId, unknown: ReasonId }
//!
//! impl Rule for Known {
//!     type Config = String;
//!     const ABOUT: About = about!(Validate, "country codes are those of the table");
//!     fn open(column: String, setup: &mut Setup<'_>) -> Option<Self> {
//!         let (table, code) = (setup.table("countries", ""), setup.text(&column, ""));
//!         let unknown = setup.reason("unknown_country", "the table has no such country");
//!         Some(Self { table: table?, code: code?, unknown })
//!     }
//! }
//!
//! impl Validator for Known {
//!     fn check(&mut self, batch: &Batch, rejections: &mut Rejections) {
//!         let key = std::slice::from_ref(batch.column(self.code));
//!         let found = self.table.find(batch.rows(), key, &[]);
//!         for row in (0..batch.rows()).filter(|row| !found.is_found(*row)) {
//!             rejections.reject(row, self.unknown, self.code);
//!         }
//!     }
//! }
//!
//! let codes = native::texts(&[Some("DE"), Some("FR")]);
//! let _granted = native::grant("countries", &[("code", ColumnType::Text, codes)], &[]);
//! let inputs = [Field { name: "country".into(), ty: ColumnType::Text, nullable: true }];
//! let mut rule = native::open::<Known>("\"country\"", &inputs).unwrap();
//! let batch = native::batch(&[native::texts(&[Some("FR"), Some("XX"), None])]);
//! let unknown = |row| (row, "unknown_country", Some("country"));
//! assert_eq!(rule.check(&batch), [unknown(1), unknown(2)]);
//! ```

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native;

use crate::{Batch, Booleans, Column, ColumnId, Decimals, Field, Numbers, Texts};
use sluice_kernels::bits;

/// A reference table that the step may look into.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    name: String,
    key: Vec<Field>,
    columns: Vec<Field>,
}

/// The tables that the step may look into.
#[must_use]
pub fn tables() -> Vec<Table> {
    imp::tables()
}

impl Table {
    /// Name, as in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Columns whose values together name a row, in the order in which [`Table::find`] takes them.
    #[must_use]
    pub fn key(&self) -> &[Field] {
        &self.key
    }

    /// Columns that values can be taken from.
    #[must_use]
    pub fn columns(&self) -> &[Field] {
        &self.columns
    }

    /// A column that values can be taken from.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Field> {
        self.columns.iter().find(|field| field.name == name)
    }

    /// Looks up `rows` keys at once: one call of the host. `key` holds a column for each of [`Table::key`], of its type;
    /// `columns` are names among [`Table::columns`], each once. A key with a null in it finds nothing.
    ///
    /// # Panics
    /// Natively where the key or a column is none of the table's; the host stops the rule for it.
    #[must_use]
    pub fn find(&self, rows: usize, key: &[Column], columns: &[String]) -> Found {
        let (found, columns) = imp::find(&self.name, rows, key, columns);
        // SAFETY: the host guarantees by the contract (`var-bytes`) that every row of a text column is valid UTF-8, and
        // the stand-in takes rows of columns that a test made of `str`.
        let values = unsafe { Batch::trusted(rows, columns) };
        Found { found, values }
    }
}

/// What was found: for each key whether a row of the table has it, and the values that were asked for, by their place.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    found: Vec<u8>,
    values: Batch,
}

/// Reads a column of values by its place.
macro_rules! reads {
    ($($(#[$doc:meta])* $name:ident -> $view:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// The column is of another type, or so many were not asked for.
        #[must_use]
        pub fn $name(&self, place: usize) -> $view {
            self.values.$name(ColumnId(place as u32))
        }
    )*};
}

impl Found {
    /// Whether a row of the table has the key.
    #[inline]
    #[must_use]
    pub fn is_found(&self, row: usize) -> bool {
        bits::get(&self.found, row)
    }

    /// One bit a key, least significant first: 1 where it was found.
    #[must_use]
    pub fn bits(&self) -> &[u8] {
        &self.found
    }

    reads! {
        /// Values of text or bytes; null where nothing was found.
        texts -> Texts<'_>;
        /// Values of int64; null where nothing was found.
        int64s -> Numbers<'_, i64>;
        /// Values of float64; null where nothing was found.
        float64s -> Numbers<'_, f64>;
        /// Decimals; null where nothing was found.
        decimals -> Decimals<'_>;
        /// Timestamps, as microseconds since the epoch, UTC; null where nothing was found.
        timestamps -> Numbers<'_, i64>;
        /// Dates, as days since the epoch; null where nothing was found.
        dates -> Numbers<'_, i32>;
        /// Booleans; null where nothing was found.
        booleans -> Booleans<'_>;
    }

    /// The columns that were asked for, to be given back as they are; null where nothing was found.
    #[must_use]
    pub fn into_columns(self) -> Vec<Column> {
        self.values.into_columns()
    }
}

#[cfg(target_arch = "wasm32")]
mod imp {
    use super::Table;
    use crate::Column;
    use sluice_guest_types::lookup;

    pub(super) fn tables() -> Vec<Table> {
        let table = |table: lookup::Table| Table { name: table.name, key: table.key, columns: table.columns };
        lookup::tables().into_iter().map(table).collect()
    }

    pub(super) fn find(table: &str, rows: usize, key: &[Column], columns: &[String]) -> (Vec<u8>, Vec<Column>) {
        let answer = lookup::find(table, rows as u32, key, columns);
        (answer.found, answer.columns)
    }
}

#[cfg(not(target_arch = "wasm32"))]
use native as imp;
