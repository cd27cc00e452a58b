//! Payloads of a record stream cut into records.
//!
//! A payload is a small file of the dataset's format: lines of JSON, JSON values one behind the other, an array, a CSV
//! with its header. Most hold one record, and that is seen at a glance.

use crate::{FrameError, Framer, Header, Limits, Span, Unusable};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use sluice_manifest::plan::{Format, JsonRecords, SchemaColumn};
use std::sync::Arc;

/// Cuts payloads into records.
pub struct PayloadFramer {
    format: Format,
    max_record_bytes: usize,
    schema: Vec<SchemaColumn>,
}

/// What one payload holds. Offsets are those within the payload; a record's row is its place among both lists by offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Framed {
    /// The records, ascending.
    pub records: Vec<Span>,
    /// Records that cannot be used, ascending.
    pub unusable: Vec<Unusable>,
    /// Names of the fields, for CSV.
    pub header: Option<Arc<Header>>,
}

impl PayloadFramer {
    /// For payloads of a format.
    pub fn new(format: &Format, max_record_bytes: usize, schema: &[SchemaColumn]) -> Self {
        Self { format: format.clone(), max_record_bytes, schema: schema.to_vec() }
    }

    /// Cuts one payload. A payload that cannot be cut is one unusable record.
    pub fn frame(&self, payload: &Bytes) -> Framed {
        match self.format {
            Format::Json { records: JsonRecords::Lines } => self.values(payload),
            _ => self.file(payload).unwrap_or_else(|error| whole(payload, "malformed_csv", error.to_string())),
        }
    }

    /// JSON values, on lines of their own or one behind the other.
    fn values(&self, payload: &[u8]) -> Framed {
        let mut framed = Framed::default();
        let spans = match one_a_line(payload) {
            Some(spans) => spans,
            None => concatenated(payload).unwrap_or_else(|| lines(payload)),
        };
        for span in spans {
            if span.len as usize > self.max_record_bytes {
                let before = framed.records.len();
                framed.unusable.push(too_long(payload, span, before, self.max_record_bytes));
            } else {
                framed.records.push(span);
            }
        }
        framed
    }

    /// As the framer of files sees it.
    fn file(&self, payload: &Bytes) -> Result<Framed, FrameError> {
        let limits = Limits { rows: usize::MAX, bytes: usize::MAX, max_record_bytes: self.max_record_bytes };
        let mut framer = Framer::new(&self.format, limits, 0, None).for_schema(&self.schema);
        framer.push(payload.clone());
        framer.end();
        let mut framed = Framed::default();
        while let Some(batch) = framer.next(true)? {
            let base = batch.base as u32;
            for mut unusable in batch.unusable {
                unusable.before += framed.records.len() as u32;
                framed.unusable.push(unusable);
            }
            framed.records.extend(batch.records.iter().map(|span| Span { start: span.start + base, len: span.len }));
            framed.header = batch.header.or(framed.header);
        }
        Ok(framed)
    }
}

/// The whole payload as one unusable record.
pub fn whole(payload: &[u8], reason: &'static str, detail: String) -> Framed {
    let digest = Sha256::digest(payload).into();
    let unusable = Unusable { before: 0, offset: 0, len: payload.len() as u64, digest, reason, detail };
    Framed { records: vec![], unusable: vec![unusable], header: None }
}

fn too_long(payload: &[u8], span: Span, before: usize, limit: usize) -> Unusable {
    Unusable {
        before: before as u32,
        offset: u64::from(span.start),
        len: u64::from(span.len),
        digest: Sha256::digest(span.of(payload)).into(),
        reason: "record_too_long",
        detail: format!("the record has more than {limit} bytes (`max_record_bytes`)"),
    }
}

/// Lines that each hold one object, as far as can be seen without reading them: `None` where one does not begin and end
/// with a brace, or may hold two.
fn one_a_line(payload: &[u8]) -> Option<Vec<Span>> {
    let spans = lines(payload);
    spans.iter().all(|span| is_one_object(span.of(payload))).then_some(spans)
}

fn is_one_object(line: &[u8]) -> bool {
    let braces = line.first() == Some(&b'{') && line.last() == Some(&b'}');
    braces && !memchr::memchr_iter(b'}', line).any(|at| next_visible(&line[at + 1..]) == Some(b'{'))
}

fn next_visible(rest: &[u8]) -> Option<u8> {
    rest.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// Lines that are not blank, without white space at their ends.
fn lines(payload: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut begin = 0;
    for end in memchr::memchr_iter(b'\n', payload).chain([payload.len()]) {
        spans.extend(trimmed(payload, begin, end));
        begin = end + 1;
    }
    spans
}

fn trimmed(payload: &[u8], begin: usize, end: usize) -> Option<Span> {
    let line = payload.get(begin..end)?;
    let start = line.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let stop = line.iter().rposition(|byte| !byte.is_ascii_whitespace())? + 1;
    Some(Span::new(begin + start, begin + stop))
}

/// Objects and arrays one behind the other with white space or nothing between; `None` where it is not that.
fn concatenated(payload: &[u8]) -> Option<Vec<Span>> {
    let (mut spans, mut begin, mut depth, mut in_string, mut escaped) = (Vec::new(), 0, 0u32, false, false);
    for (at, byte) in payload.iter().copied().enumerate() {
        if in_string {
            in_string = byte != b'"' || escaped;
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'{' | b'[' => {
                if depth == 0 {
                    begin = at;
                }
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    spans.push(Span::new(begin, at + 1));
                }
            }
            _ if depth == 0 && !byte.is_ascii_whitespace() => return None,
            b'"' => in_string = true,
            _ => {}
        }
    }
    (depth == 0 && !in_string).then_some(spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(payload: &str) -> Vec<String> {
        let framer = PayloadFramer::new(&Format::Json { records: JsonRecords::Lines }, 100, &[]);
        let framed = framer.frame(&Bytes::copy_from_slice(payload.as_bytes()));
        framed.records.iter().map(|span| String::from_utf8(span.of(payload.as_bytes()).to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_payload_holds_one_value_or_lines_of_them_or_values_one_behind_the_other() {
        assert_eq!(cut("{\"a\":1}"), ["{\"a\":1}"]);
        assert_eq!(cut(" {\"a\":1}\r\n\n{\"a\":{\"b\":{}}}\n"), ["{\"a\":1}", "{\"a\":{\"b\":{}}}"]);
        assert_eq!(cut("{\"a\":1}{\"a\":2} {\"a\":3}"), ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"]);
        assert_eq!(cut("{\n \"a\": 1\n}\n{\"a\":2}"), ["{\n \"a\": 1\n}", "{\"a\":2}"]);
        assert_eq!(cut("{\"a\":\"}{\"}{\"b\":\"\\\"}{\"}"), ["{\"a\":\"}{\"}", "{\"b\":\"\\\"}{\"}"]);
        assert!(cut("").is_empty() && cut(" \n\r\n").is_empty());
    }

    #[test]
    fn one_broken_line_costs_no_other() {
        assert_eq!(cut("{\"a\":1}\n{broken\n{\"a\":2}\n"), ["{\"a\":1}", "{broken", "{\"a\":2}"]);
        assert_eq!(cut("nothing"), ["nothing"]);
    }

    #[test]
    fn a_csv_payload_carries_its_header_and_a_bad_one_is_one_record() {
        let format = Format::Csv {
            delimiter: b',',
            quote: b'"',
            header: sluice_manifest::plan::CsvHeader::FirstLine,
            empty_is_null: true,
        };
        let framer = PayloadFramer::new(&format, 100, &[]);
        let framed = framer.frame(&Bytes::from_static(b"a,b\n1,2\n3,\"4\n5\"\n"));
        assert_eq!((framed.records.len(), framed.header.is_some()), (2, true));
        let bad = framer.frame(&Bytes::from_static(b"a,a\n1,2\n"));
        assert_eq!((bad.records.len(), bad.unusable[0].reason), (0, "malformed_csv"));
    }

    #[test]
    fn a_record_too_long_is_told_with_its_place() {
        let payload = format!("{{\"a\":1}}\n{{\"b\":\"{}\"}}\n{{\"c\":1}}", "x".repeat(100));
        let framer = PayloadFramer::new(&Format::Json { records: JsonRecords::Lines }, 100, &[]);
        let framed = framer.frame(&Bytes::from(payload));
        assert_eq!(framed.records.len(), 2);
        assert_eq!((framed.unusable[0].before, framed.unusable[0].offset), (1, 8));
    }

    proptest! {
        #[test]
        fn values_are_found_however_they_are_joined(
            values in prop::collection::vec("\\{\"k\":\"[a-z{}\\[\\] ,:]{0,9}\"(,\"o\":\\{\"p\":[0-9]\\})?\\}", 1..6),
            joins in prop::collection::vec(prop::sample::select(vec!["", " ", "\n", "\r\n", "\n\n"]), 6),
        ) {
            let text: String = values.iter().zip(&joins).map(|(value, join)| format!("{value}{join}")).collect();
            prop_assert_eq!(cut(&text), values);
        }

        #[test]
        fn nothing_panics_and_spans_lie_within(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let framer = PayloadFramer::new(&Format::Json { records: JsonRecords::Lines }, 50, &[]);
            let framed = framer.frame(&Bytes::from(bytes.clone()));
            prop_assert!(framed.records.iter().all(|span| (span.start + span.len) as usize <= bytes.len()));
        }
    }
}
