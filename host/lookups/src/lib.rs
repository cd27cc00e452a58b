//! Reference tables from CSV and Parquet files: the columns that a manifest names, as rules get them.
//!
//! [`read`] takes a file whole, so that the digest is that of exactly the bytes that the values come from. Nothing of a
//! table is left out silently: a record that is no row, a value that its type cannot hold, a column that is not there
//! refuse the file, with the line or row. Whether the columns make a table (each key once, none null) is for whoever
//! indexes it; [`Table::place`] says where in the file a row stands.

mod csv;
mod error;
mod parquet;
mod table;

pub use error::ReadError;
pub use table::{Column, MAX_BYTES, MAX_ROWS, Table, TableLimits, read};
