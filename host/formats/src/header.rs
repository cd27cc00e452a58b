//! The header of a CSV: names of its fields.

use crate::FrameError;
use crate::csv::Fields;
use crate::frame::csv::{Csv, Line};
use crate::frame::scan::BYTE_ORDER_MARK;
use crate::json::WHOLE;
use sluice_manifest::plan::{CsvHeader, Format, SchemaColumn};

/// Names of the fields of a CSV, in their order. Names that are not empty differ from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    names: Vec<String>,
    bytes: u64,
}

impl Header {
    /// Names that stand in the manifest.
    pub(crate) fn given(names: &[String]) -> Self {
        Self { names: names.to_vec(), bytes: 0 }
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Bytes of the stream up to the end of the header, without its line end; 0 where the names do not stand in it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes sure that every column of a schema can be read.
    ///
    /// # Errors
    /// The first column whose field is not there.
    pub fn check(&self, schema: &[SchemaColumn]) -> Result<(), FrameError> {
        let has = |from: &str| from == WHOLE || self.names.iter().any(|name| name == from);
        match schema.iter().find(|column| !has(&column.from)) {
            None => Ok(()),
            Some(column) => Err(FrameError::MissingField {
                column: column.name.clone(),
                from: column.from.clone(),
                hint: self.hint(&column.from),
            }),
        }
    }

    fn hint(&self, wanted: &str) -> String {
        let nearest = self.names.iter().map(|name| (distance(wanted, name), name)).min();
        match nearest {
            Some((distance, name)) if distance <= wanted.chars().count().div_ceil(2) => {
                format!("the nearest name there is `{name}`")
            }
            _ => format!("the names there are: {}", self.names.join(", ")),
        }
    }
}

/// Reads the header from the first bytes of a stream. `ended`: there are no more bytes. `None`: more are needed. Formats
/// whose names do not stand in the stream give a header of no bytes at once.
///
/// # Errors
/// The first line is no header, or has a name twice.
pub fn read_header(format: &Format, first: &[u8], ended: bool) -> Result<Option<Header>, FrameError> {
    let Format::Csv { delimiter, quote, header, .. } = format else { return Ok(Some(Header::given(&[]))) };
    if let CsvHeader::Names(names) = header {
        return Ok(Some(Header::given(names)));
    }
    if !ended && BYTE_ORDER_MARK.starts_with(first) {
        return Ok(None);
    }
    let mark = if first.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    match Csv::new(*delimiter, *quote).first_line(first, mark, ended) {
        Line::More => Ok(None),
        Line::None => Ok(Some(Header::given(&[]))),
        Line::Found { start, end } => parse(format, &first[start..end], end as u64).map(Some),
    }
}

/// The header that a record is.
pub(crate) fn parse(format: &Format, record: &[u8], bytes: u64) -> Result<Header, FrameError> {
    let Format::Csv { delimiter, quote, .. } = format else { return Ok(Header::given(&[])) };
    let text = simdutf8::compat::from_utf8(record)
        .map_err(|error| FrameError::Header(format!("it is no UTF-8 at byte {}", error.valid_up_to())))?;
    let mut fields = Fields::default();
    fields.split(text.as_bytes(), *delimiter, *quote).map_err(|fault| FrameError::Header(fault.to_string()))?;
    let names: Vec<String> = (0..fields.len())
        .map(|index| {
            let mut name = Vec::new();
            fields.text(text.as_bytes(), index, *quote, |run| name.extend_from_slice(run));
            String::from_utf8_lossy(&name).into_owned()
        })
        .collect();
    for (second, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        if let Some(first) = names[..second].iter().position(|other| other == name) {
            return Err(FrameError::DuplicateName { name: name.clone(), first: first + 1, second: second + 1 });
        }
    }
    Ok(Header { names, bytes })
}

/// Characters to be changed, put in or left out between two names, upper and lower case being the same.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_batch::ColumnType;

    fn csv(delimiter: u8) -> Format {
        Format::Csv { delimiter, quote: b'"', header: CsvHeader::FirstLine, empty_is_null: true }
    }

    fn column(from: &str) -> SchemaColumn {
        SchemaColumn { name: from.to_lowercase(), from: from.into(), ty: ColumnType::Text, json: false, pii: None }
    }

    #[test]
    fn a_header_is_read_as_soon_as_its_line_ends() {
        let bytes = "\u{feff}\r\n\"a;\n\"\"b\";c d;é\r\n1;2;3\n".as_bytes();
        let line = "\u{feff}\r\n\"a;\n\"\"b\";c d;é".len() as u64;
        for cut in 0..bytes.len() {
            let header = read_header(&csv(b';'), &bytes[..cut], false).unwrap();
            assert_eq!(header.is_some(), cut as u64 >= line + 2, "{cut}");
        }
        let header = read_header(&csv(b';'), bytes, false).unwrap().unwrap();
        assert_eq!((header.names(), header.bytes()), (&["a;\n\"b".to_owned(), "c d".into(), "é".into()][..], line));
    }

    #[test]
    fn a_header_without_line_end_counts_where_the_stream_ends() {
        assert_eq!(read_header(&csv(b','), b"a,b", false).unwrap(), None);
        assert_eq!(read_header(&csv(b','), b"a,b", true).unwrap().unwrap().names(), ["a", "b"]);
        assert_eq!(read_header(&csv(b','), b"", true).unwrap().unwrap().names().len(), 0);
    }

    #[test]
    fn names_that_repeat_are_refused_but_unnamed_fields_are_not() {
        let error = read_header(&csv(b','), b"a,b,,,a\n", false).unwrap_err();
        assert_eq!(error, FrameError::DuplicateName { name: "a".into(), first: 1, second: 5 });
        assert!(read_header(&csv(b','), b",,b\n", false).is_ok());
    }

    #[test]
    fn a_field_that_is_missing_is_told_with_the_nearest_name() {
        let header = read_header(&csv(b','), b"InvoiceNo,Quantity,Price\n", false).unwrap().unwrap();
        assert_eq!(header.check(&[column("Quantity"), column("$")]), Ok(()));
        let message = |from| header.check(&[column(from)]).unwrap_err().to_string();
        assert!(message("invoice_no").ends_with("the nearest name there is `InvoiceNo`"));
        assert!(message("colour").ends_with("the names there are: InvoiceNo, Quantity, Price"));
    }
}
