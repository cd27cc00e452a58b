//! Records of JSON into columns: a fast parser for plain ones, a strict one that decides about all others.

mod fast;
mod record;
mod schema;
mod steps;
mod strict;
mod string;

pub(crate) use record::Refusal;
pub(crate) use schema::WHOLE;
pub(crate) use strict::{Checker, Kind, Value, white};

use crate::columns::Column;
use crate::padded::Padded;
use fast::Fast;
use record::Strict;
use sluice_manifest::plan::{SchemaColumn, UnknownFields};

/// Gives what a checked string says, piece by piece.
pub(crate) fn decode_text(value: Value<'_>, mut put: impl FnMut(&[u8])) {
    match value.kind {
        Kind::Text { escaped: true } => string::decode(value.inner(), put),
        _ => put(value.inner()),
    }
}

/// Parses records of one schema.
pub(crate) struct Parser {
    fast: Option<Fast>,
    strict: Strict,
}

impl Parser {
    pub(crate) fn new(schema: &[SchemaColumn], unknown: UnknownFields) -> Self {
        let top = schema::Node::of(schema);
        Self { fast: schema::fast(schema, &top, unknown), strict: Strict::new(schema, top, unknown) }
    }

    /// Writes row `row` (the number of rows that every column holds), or takes it back and says why. The record is
    /// UTF-8.
    #[inline]
    pub(crate) fn row(&mut self, record: Padded<'_>, columns: &mut [Column], row: usize) -> Result<(), Refusal> {
        if let Some(fast) = &mut self.fast
            && fast.row(record, columns, row).is_some()
        {
            return Ok(());
        }
        self.strictly(record.record(), columns, row)
    }

    #[inline(never)]
    fn strictly(&mut self, record: &[u8], columns: &mut [Column], row: usize) -> Result<(), Refusal> {
        columns.iter_mut().for_each(|column| column.cut_back(row));
        let put = self.strict.row(record, columns);
        if put.is_err() {
            columns.iter_mut().for_each(|column| column.cut_back(row));
        }
        put
    }
}

#[cfg(test)]
mod tests;
