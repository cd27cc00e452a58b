//! A reference table as it was read.

use crate::{ReadError, csv, parquet};
use arrow_array::ArrayRef;
use bytes::Bytes;
use sluice_batch::{Field, digest_hex};
use sluice_manifest::LookupPlan;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Most bytes of a file, and of the values taken from it: 256 MiB. All workers share one copy in memory.
pub const MAX_BYTES: u64 = 256 << 20;

/// Most rows of a table: 10 million, an index of about 50 MB.
pub const MAX_ROWS: usize = 10_000_000;

/// What a table may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableLimits {
    /// Bytes of the file, and of the values. Default [`MAX_BYTES`].
    pub bytes: u64,
    /// Rows. Default [`MAX_ROWS`].
    pub rows: usize,
}

impl Default for TableLimits {
    fn default() -> Self {
        Self { bytes: MAX_BYTES, rows: MAX_ROWS }
    }
}

/// A column as it was read.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name in the file, and type. Nullable where a row of it is null.
    pub field: Field,
    /// The values.
    pub values: ArrayRef,
}

/// A reference table as it was read.
#[derive(Debug)]
pub struct Table {
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// Columns of the key, in the manifest's order.
    pub key: Vec<Column>,
    /// The other columns that the manifest names, in its order.
    pub columns: Vec<Column>,
    /// The file, where its rows have lines.
    lines: Option<Bytes>,
}

/// Reads the columns that a manifest names from a file: Parquet where its name ends so, else CSV with a header.
///
/// # Errors
/// The file cannot be taken as it is.
pub fn read(file: &Path, plan: &LookupPlan, limits: TableLimits) -> Result<Table, ReadError> {
    let bytes = bytes_of(file, limits.bytes)?;
    let digest = digest_hex(&bytes);
    let names: Vec<&str> = plan.key.iter().chain(&plan.columns).map(String::as_str).collect();
    let is_parquet = file.extension().is_some_and(|extension| extension == "parquet");
    let mut key = match is_parquet {
        true => parquet::read(&bytes, &names, limits)?,
        false => csv::read(&bytes, &names, limits)?,
    };
    let columns = key.split_off(plan.key.len());
    Ok(Table { digest, key, columns, lines: (!is_parquet).then_some(bytes) })
}

/// A file named by mistake may be huge: one byte over the limit is read and no more.
fn bytes_of(file: &Path, limit: u64) -> Result<Bytes, ReadError> {
    let mut bytes = Vec::new();
    File::open(file)?.take(limit + 1).read_to_end(&mut bytes)?;
    check_bytes(bytes.len(), limit)?;
    Ok(bytes.into())
}

pub(crate) fn check_bytes(bytes: usize, limit: u64) -> Result<(), ReadError> {
    let bytes = bytes as u64;
    if bytes > limit { Err(ReadError::TooLarge { bytes, limit }) } else { Ok(()) }
}

pub(crate) fn check_rows(rows: usize, limit: usize) -> Result<(), ReadError> {
    if rows > limit { Err(ReadError::TooLong { rows, limit }) } else { Ok(()) }
}

impl Table {
    /// Where a row (counted from 0) stands in the file: `line 7`, or `row 7` where there are no lines.
    pub fn place(&self, row: usize) -> String {
        match self.lines.as_ref().and_then(|bytes| csv::line_of(bytes, row)) {
            Some(line) => format!("line {line}"),
            None => format!("row {}", row + 1),
        }
    }
}
