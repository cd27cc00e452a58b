//! Tables of CSV: a header, and text.

use crate::ReadError;
use crate::table::{Column, TableLimits, check_rows};
use arrow_array::{Array, ArrayRef};
use bytes::Bytes;
use sluice_batch::{ColumnType, Field};
use sluice_formats::{Decoder, Framer, Limits, RawBatch, read_header};
use sluice_manifest::plan::{CsvHeader, Format, SchemaColumn, UnknownFields};

/// How the file is cut while it is read. A record is as long as one of a source may be at most.
const CUT: Limits = Limits { rows: 65_536, bytes: 16 << 20, max_record_bytes: 10 << 20 };

fn format() -> Format {
    Format::Csv { delimiter: b',', quote: b'"', header: CsvHeader::FirstLine, empty_is_null: true }
}

/// Reads columns by their names, all text.
pub(crate) fn read(bytes: &Bytes, names: &[&str], limits: TableLimits) -> Result<Vec<Column>, ReadError> {
    let schema: Vec<SchemaColumn> = names.iter().map(|name| column(name)).collect();
    if let Some(header) = read_header(&format(), bytes, true)? {
        header.check(&schema)?;
    }
    let mut decoder = Decoder::new(&format(), &schema, UnknownFields::Drop);
    let mut pieces: Vec<Vec<ArrayRef>> = vec![Vec::new(); names.len()];
    let mut rows = 0;
    for raw in batches(bytes) {
        let raw = raw?;
        if let Some(unusable) = raw.unusable.first() {
            let what = format!("{}: a record may have {} bytes", unusable.detail, CUT.max_record_bytes);
            return Err(ReadError::Record { line: line(bytes, unusable.offset), what });
        }
        let decoded = decoder.decode(&raw);
        if let Some(reject) = decoded.rejects.first() {
            let line = line(bytes, raw.offset(reject.record as usize));
            return Err(ReadError::Record { line, what: reject.detail.clone() });
        }
        rows += decoded.rows.len();
        check_rows(rows, limits.rows)?;
        pieces.iter_mut().zip(decoded.columns).for_each(|(pieces, column)| pieces.push(column));
    }
    Ok(names.iter().zip(pieces).map(|(name, pieces)| whole(name, &pieces)).collect())
}

/// The line, from 1, at which a row stands.
pub(crate) fn line_of(bytes: &Bytes, row: usize) -> Option<usize> {
    let mut before = 0;
    for raw in batches(bytes).map_while(Result::ok) {
        if let Some(record) = row.checked_sub(before).filter(|record| *record < raw.records.len()) {
            return Some(line(bytes, raw.offset(record)));
        }
        before += raw.records.len();
    }
    None
}

fn batches(bytes: &Bytes) -> impl Iterator<Item = Result<RawBatch, ReadError>> {
    let mut framer = Framer::new(&format(), CUT, 0, None);
    framer.push(bytes.clone());
    framer.end();
    std::iter::from_fn(move || framer.next(true).map_err(ReadError::from).transpose())
}

/// The line of a byte.
fn line(bytes: &Bytes, offset: u64) -> usize {
    let before = &bytes[..(offset as usize).min(bytes.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

fn column(name: &str) -> SchemaColumn {
    SchemaColumn { name: name.to_owned(), from: name.to_owned(), ty: ColumnType::Text, json: false, pii: None }
}

fn whole(name: &str, pieces: &[ArrayRef]) -> Column {
    let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    let values = match pieces.as_slice() {
        [] => arrow_array::new_empty_array(&ColumnType::Text.arrow()),
        // all of one file, which has less than 2 GiB
        pieces => arrow_select::concat::concat(pieces).expect("texts of one file fit into one column"),
    };
    let field = Field { name: name.to_owned(), ty: ColumnType::Text, nullable: values.null_count() > 0 };
    Column { field, values }
}
