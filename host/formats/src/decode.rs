//! Raw batches into columns.

use crate::columns::{Column, Mismatch};
use crate::padded::Padded;
use crate::{RawBatch, csv, json};
use arrow_array::ArrayRef;
use sluice_batch::{ColumnType, Field};
use sluice_manifest::plan::{Format, SchemaColumn, UnknownFields};

/// Name of the column that keeps fields which the schema does not name.
pub const EXTRA: &str = "_extra";

/// Characters of an unknown field's name that are told.
const NAME_CHARS: usize = 64;

/// A batch in columns.
#[derive(Debug)]
pub struct Decoded {
    /// One for each of [`Decoder::fields`], each with as many rows as `rows`.
    pub columns: Vec<ArrayRef>,
    /// For each row the index of its record in [`RawBatch::records`], ascending.
    pub rows: Vec<u32>,
    /// The other records, ascending.
    pub rejects: Vec<Malformed>,
}

/// A record that is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Its index in [`RawBatch::records`].
    pub record: u32,
    /// `malformed_json`, `malformed_csv`, `invalid_utf8`, `type_mismatch` or `unknown_field`.
    pub reason: &'static str,
    /// The field at fault, where it is known: the path or name that a column is read from. Names that only the record
    /// knows are told where no column of the schema holds personal data.
    pub field: Option<String>,
    /// What is wrong and at which byte of the record, for people. Holds no value of the record.
    pub detail: String,
}

/// Turns raw batches into columns. One for each worker: it keeps its memory, and what it learns about how records look,
/// from batch to batch. What a record becomes does not depend on the records before it.
pub struct Decoder {
    parser: Parser,
    schema: Vec<SchemaColumn>,
    fields: Vec<Field>,
    columns: Vec<Column>,
    copy: Vec<u8>,
}

enum Parser {
    Json(json::Parser),
    Csv(csv::Parser),
}

impl Decoder {
    /// A decoder for records of this form and schema.
    ///
    /// # Panics
    /// Delimiter or quotation mark of a CSV are no ASCII: texts are cut at them and must stay UTF-8.
    pub fn new(format: &Format, schema: &[SchemaColumn], unknown: UnknownFields) -> Self {
        let parser = match format {
            Format::Json { .. } => Parser::Json(json::Parser::new(schema, unknown)),
            Format::Csv { delimiter, quote, empty_is_null, .. } => {
                assert!(delimiter.is_ascii() && quote.is_ascii(), "delimiter and quotation mark must be ASCII");
                Parser::Csv(csv::Parser::new(*delimiter, *quote, *empty_is_null, schema, unknown))
            }
        };
        let mut fields: Vec<Field> = schema.iter().map(SchemaColumn::field).collect();
        let mut columns: Vec<Column> = schema.iter().map(|column| Column::new(column.ty, column.json)).collect();
        if unknown == UnknownFields::Extra {
            fields.push(Field::new(EXTRA, ColumnType::Text));
            columns.push(Column::new(ColumnType::Text, false));
        }
        Self { parser, schema: schema.to_vec(), fields, columns, copy: Vec::new() }
    }

    /// The columns: those of the schema, then `_extra` where unknown fields are kept.
    pub fn fields(&self) -> Vec<Field> {
        self.fields.clone()
    }

    /// Decodes a batch. Every record of it is in `rows` or in `rejects`.
    ///
    /// # Panics
    /// A record lies outside the data, or the texts of one column are longer than 2 GiB: batches of a
    /// [`Framer`](crate::Framer) never are.
    pub fn decode(&mut self, raw: &RawBatch) -> Decoded {
        let mut rows = Vec::with_capacity(raw.records.len());
        let mut rejects = Vec::new();
        self.columns.iter_mut().for_each(|column| column.start(raw.records.len()));
        if let (Parser::Csv(parser), Some(header)) = (&mut self.parser, &raw.header) {
            parser.start(header);
        }
        // one check of all bytes is much cheaper than one of each record
        let text = simdutf8::basic::from_utf8(&raw.data).ok();
        for (index, span) in (0u32..).zip(&raw.records) {
            let (start, len) = (span.start as usize, span.len as usize);
            let is_utf8 = text.is_some_and(|text| text.is_char_boundary(start) && text.is_char_boundary(start + len));
            let put = match is_utf8 {
                true => self.row(&raw.data, start, len, rows.len()),
                false => self.doubtful_row(&raw.data, start, len, rows.len()),
            };
            match put {
                Ok(()) => rows.push(index),
                Err(reject) => rejects.push(Malformed { record: index, ..*reject }),
            }
        }
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        Decoded { columns, rows, rejects }
    }

    #[inline(always)]
    fn row(&mut self, data: &[u8], start: usize, len: usize, row: usize) -> Result<(), Box<Malformed>> {
        match &mut self.parser {
            Parser::Json(parser) => {
                let record = Padded::new(data, start, len, &mut self.copy);
                parser.row(record, &mut self.columns, row).map_err(|refusal| self.json_reject(refusal))
            }
            Parser::Csv(parser) => parser
                .row(&data[start..start + len], &mut self.columns, row)
                .map_err(|refusal| self.csv_reject(refusal)),
        }
    }

    /// The same where not all of the batch is UTF-8.
    #[cold]
    fn doubtful_row(&mut self, data: &[u8], start: usize, len: usize, row: usize) -> Result<(), Box<Malformed>> {
        match simdutf8::compat::from_utf8(&data[start..start + len]) {
            Ok(_) => self.row(data, start, len, row),
            Err(error) => {
                let reason = match self.parser {
                    Parser::Json(_) => "malformed_json",
                    Parser::Csv(_) => "invalid_utf8",
                };
                Err(malformed(reason, None, format!("byte {}: no UTF-8", error.valid_up_to())))
            }
        }
    }

    #[cold]
    fn json_reject(&self, refusal: json::Refusal) -> Box<Malformed> {
        match refusal {
            json::Refusal::Malformed(fault) => {
                malformed("malformed_json", None, format!("byte {}: {}", fault.at, fault.what))
            }
            json::Refusal::Mismatch { column, mismatch } => self.mismatch(column, mismatch),
            json::Refusal::Unknown { at, name } => {
                let name = String::from_utf8_lossy(&name).chars().take(NAME_CHARS).collect();
                self.unknown(Some(name), format!("byte {at}: the schema does not name this field"))
            }
        }
    }

    #[cold]
    fn csv_reject(&self, refusal: csv::Refusal) -> Box<Malformed> {
        let malformed = |detail| malformed("malformed_csv", None, detail);
        match refusal {
            csv::Refusal::Malformed(fault) => malformed(fault.to_string()),
            csv::Refusal::Ragged { found, expected } => malformed(format!("found {found} fields, expected {expected}")),
            csv::Refusal::NoField { column } => {
                let from = self.schema.get(column).map_or("", |column| &column.from);
                malformed(format!("the header does not name the field `{from}`"))
            }
            csv::Refusal::Mismatch { column, mismatch } => self.mismatch(column, mismatch),
            csv::Refusal::Unknown { field } => {
                let name = match &self.parser {
                    Parser::Csv(parser) => parser.name(field).map(str::to_owned),
                    Parser::Json(_) => None,
                };
                self.unknown(name, format!("the schema does not name field {}", field + 1))
            }
        }
    }

    fn mismatch(&self, column: usize, mismatch: Mismatch) -> Box<Malformed> {
        let Mismatch { expected, found } = mismatch;
        let detail = format!("expected {expected}, found {found}");
        malformed("type_mismatch", self.schema.get(column).map(|column| column.from.clone()), detail)
    }

    fn unknown(&self, name: Option<String>, detail: String) -> Box<Malformed> {
        let is_open = self.schema.iter().all(|column| column.pii.is_none());
        malformed("unknown_field", name.filter(|_| is_open), detail)
    }
}

fn malformed(reason: &'static str, field: Option<String>, detail: String) -> Box<Malformed> {
    Box::new(Malformed { record: 0, reason, field, detail })
}
