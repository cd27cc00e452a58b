//! Records of CSV into columns.

use crate::Header;
use crate::columns::{Column, Mismatch};
use crate::json::{Checker, WHOLE, white};
use sluice_manifest::plan::{SchemaColumn, UnknownFields};
use std::fmt;
use std::sync::Arc;

/// What is wrong with a record, and at which byte. Holds nothing of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    at: usize,
    what: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.what)
    }
}

/// Where a field lies, without its quotation marks.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    end: usize,
    /// Whether doubled quotation marks stand in it.
    doubled: bool,
}

/// The fields of one record.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    places: Vec<Place>,
}

impl Fields {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Finds the fields of a record.
    pub(crate) fn split(&mut self, record: &[u8], delimiter: u8, quote: u8) -> Result<(), Fault> {
        self.places.clear();
        if memchr::memchr(quote, record).is_none() {
            let mut start = 0;
            for end in memchr::memchr_iter(delimiter, record).chain([record.len()]) {
                self.places.push(Place { start, end, doubled: false });
                start = end + 1;
            }
            return Ok(());
        }
        let mut at = 0;
        loop {
            let place = match record.get(at) {
                Some(byte) if *byte == quote => quoted(record, at + 1, quote)?,
                _ => {
                    let len = memchr::memchr(delimiter, &record[at..]);
                    Place { start: at, end: len.map_or(record.len(), |len| at + len), doubled: false }
                }
            };
            let after = place.end + usize::from(place.start > at);
            self.places.push(place);
            match record.get(after) {
                None => return Ok(()),
                Some(byte) if *byte == delimiter => at = after + 1,
                Some(_) => return Err(Fault { at: after, what: "something stands behind a closing quotation mark" }),
            }
        }
    }

    /// Gives what a field says, piece by piece.
    pub(crate) fn text(&self, record: &[u8], index: usize, quote: u8, mut put: impl FnMut(&[u8])) {
        let place = self.places[index];
        let mut rest = &record[place.start..place.end];
        while place.doubled
            && let Some(at) = memchr::memchr(quote, rest)
        {
            put(&rest[..=at]);
            rest = &rest[at + 2..];
        }
        put(rest);
    }
}

/// The field whose opening quotation mark stands before `start`.
fn quoted(record: &[u8], start: usize, quote: u8) -> Result<Place, Fault> {
    let (mut at, mut doubled) = (start, false);
    loop {
        let Some(found) = memchr::memchr(quote, &record[at..]) else {
            return Err(Fault { at: start - 1, what: "the quotation mark is not closed" });
        };
        let end = at + found;
        if record.get(end + 1) != Some(&quote) {
            return Ok(Place { start, end, doubled });
        }
        doubled = true;
        at = end + 2;
    }
}

/// Why a record becomes no row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    Malformed(Fault),
    /// It has another number of fields than the header.
    Ragged {
        found: usize,
        expected: usize,
    },
    /// The header does not name what this column is read from.
    NoField {
        column: usize,
    },
    /// A value cannot be had as the type of this column.
    Mismatch {
        column: usize,
        mismatch: Mismatch,
    },
    /// A field that the schema does not name.
    Unknown {
        field: usize,
    },
}

/// Where each column is read from.
struct Plan {
    header: Arc<Header>,
    /// For each column its field; `None`: the whole record.
    columns: Vec<Option<usize>>,
    /// Fields that no column is read from.
    unknown: Vec<usize>,
    /// The first column without a field.
    missing: Option<usize>,
}

/// Parses records of one schema.
pub(crate) struct Parser {
    delimiter: u8,
    quote: u8,
    empty_is_null: bool,
    froms: Vec<String>,
    policy: UnknownFields,
    plan: Option<Plan>,
    fields: Fields,
    text: Vec<u8>,
    checker: Checker,
}

impl Parser {
    pub(crate) fn new(
        delimiter: u8,
        quote: u8,
        empty_is_null: bool,
        schema: &[SchemaColumn],
        policy: UnknownFields,
    ) -> Self {
        Self {
            delimiter,
            quote,
            empty_is_null,
            froms: schema.iter().map(|column| column.from.clone()).collect(),
            policy,
            plan: None,
            fields: Fields::default(),
            text: Vec::new(),
            checker: Checker::default(),
        }
    }

    /// Takes the header of the batch that comes.
    pub(crate) fn start(&mut self, header: &Arc<Header>) {
        if self.plan.as_ref().is_some_and(|plan| Arc::ptr_eq(&plan.header, header)) {
            return;
        }
        let field = |from: &String| header.names().iter().position(|name| name == from);
        let columns: Vec<_> = self.froms.iter().map(field).collect();
        let unknown = (0..header.names().len()).filter(|field| !columns.contains(&Some(*field))).collect();
        let missing = (0..columns.len()).find(|column| columns[*column].is_none() && self.froms[*column] != WHOLE);
        self.plan = Some(Plan { header: header.clone(), columns, unknown, missing });
    }

    /// Name of a field, by the header.
    pub(crate) fn name(&self, field: usize) -> Option<&str> {
        self.plan.as_ref().and_then(|plan| plan.header.names().get(field)).map(String::as_str)
    }

    /// Writes row `row` (the number of rows that every column holds), or takes it back and says why. The record is
    /// UTF-8.
    pub(crate) fn row(&mut self, record: &[u8], columns: &mut [Column], row: usize) -> Result<(), Refusal> {
        let put = self.put(record, columns);
        if put.is_err() {
            columns.iter_mut().for_each(|column| column.cut_back(row));
        }
        put
    }

    fn put(&mut self, record: &[u8], columns: &mut [Column]) -> Result<(), Refusal> {
        let Some(plan) = &self.plan else { return Err(Refusal::NoField { column: 0 }) };
        self.fields.split(record, self.delimiter, self.quote).map_err(Refusal::Malformed)?;
        let (found, expected) = (self.fields.len(), plan.header.names().len());
        if found != expected {
            return Err(Refusal::Ragged { found, expected });
        }
        if let Some(column) = plan.missing {
            return Err(Refusal::NoField { column });
        }
        if let (UnknownFields::Reject, Some(field)) = (self.policy, plan.unknown.first()) {
            return Err(Refusal::Unknown { field: *field });
        }
        for (index, field) in plan.columns.iter().enumerate() {
            let column = &mut columns[index];
            let text: &[u8] = match field {
                None => record,
                Some(field) if self.fields.places[*field].doubled => {
                    self.text.clear();
                    self.fields.text(record, *field, self.quote, |run| self.text.extend_from_slice(run));
                    &self.text
                }
                Some(field) => {
                    let place = self.fields.places[*field];
                    &record[place.start..place.end]
                }
            };
            if text.is_empty() && self.empty_is_null {
                column.null();
            } else if column.wants_json() && !is_json(&mut self.checker, text) {
                let mismatch = column.no_json();
                return Err(Refusal::Mismatch { column: index, mismatch });
            } else {
                column.put_text(text).map_err(|mismatch| Refusal::Mismatch { column: index, mismatch })?;
            }
        }
        if let (UnknownFields::Extra, Some(extra)) = (self.policy, columns.get_mut(plan.columns.len())) {
            put_extra(record, plan, &self.fields, self.quote, self.empty_is_null, extra);
        }
        Ok(())
    }
}

fn is_json(checker: &mut Checker, text: &[u8]) -> bool {
    let value = checker.value(text, white(text, 0));
    value.is_ok_and(|(_, end)| white(text, end) == text.len())
}

fn put_extra(record: &[u8], plan: &Plan, fields: &Fields, quote: u8, empty_is_null: bool, extra: &mut Column) {
    let mut object = serde_json::Map::new();
    for field in &plan.unknown {
        let mut text = Vec::new();
        fields.text(record, *field, quote, |run| text.extend_from_slice(run));
        let value = match String::from_utf8_lossy(&text) {
            text if text.is_empty() && empty_is_null => serde_json::Value::Null,
            text => text.into_owned().into(),
        };
        object.insert(plan.header.names()[*field].clone(), value);
    }
    if object.is_empty() {
        extra.null();
    } else {
        let text = serde_json::Value::Object(object).to_string();
        extra.put_text(text.as_bytes()).expect("a text column takes any text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Fields of one record as csv-core reads them.
    fn oracle(record: &[u8]) -> Vec<Vec<u8>> {
        let mut reader = csv_core::ReaderBuilder::new().terminator(csv_core::Terminator::Any(b'\n')).build();
        let (mut output, mut ends) = (vec![0; record.len() + 8], vec![0; record.len() + 8]);
        let input = [record, b"\n"].concat();
        let (result, _, _, fields) = reader.read_record(&input, &mut output, &mut ends);
        assert_eq!(result, csv_core::ReadRecordResult::Record);
        let starts = [0].into_iter().chain(ends.iter().copied());
        starts.zip(&ends).take(fields).map(|(start, end)| output[start..*end].to_vec()).collect()
    }

    fn split(record: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        let mut fields = Fields::default();
        fields.split(record, b',', b'"')?;
        let text = |index| {
            let mut text = Vec::new();
            fields.text(record, index, b'"', |run| text.extend_from_slice(run));
            text
        };
        Ok((0..fields.len()).map(text).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 4, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn fields_are_those_of_csv_core(
            fields in prop::collection::vec("([a\\r é][ab\" é]{0,4})?|\"([a,\\n]|\"\"){0,4}\"", 1..6),
        ) {
            let record = fields.join(",");
            prop_assume!(!record.is_empty());
            prop_assert_eq!(split(record.as_bytes()), Ok(oracle(record.as_bytes())));
        }

        #[test]
        fn any_bytes_are_fields_or_a_fault(record in prop::collection::vec(prop::sample::select(b"a,\"\r".to_vec()), 0..20)) {
            if let Ok(fields) = split(&record) {
                prop_assert_eq!(fields.len(), oracle(&[b"x,", record.as_slice()].concat()).len() - 1);
            }
        }
    }

    #[test]
    fn broken_quotation_marks_are_told_with_their_place() {
        assert_eq!(split(b"a,\"b").unwrap_err().to_string(), "byte 2: the quotation mark is not closed");
        assert_eq!(
            split(b"\"a\"b,c").unwrap_err().to_string(),
            "byte 3: something stands behind a closing quotation mark"
        );
        assert_eq!(split(b"a\"b,c"), Ok(vec![b"a\"b".to_vec(), b"c".to_vec()]));
        assert_eq!(split(b""), Ok(vec![vec![]]));
        assert_eq!(split(b"\"\","), Ok(vec![vec![], vec![]]));
    }
}
