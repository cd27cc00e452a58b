//! Rows on their way from an object to PostgreSQL, and those that do not get there.

use super::source::Object;
use super::values::{Column, Wrong, wrong};
use bytes::{Bytes, BytesMut};

/// Bytes handed on at once.
const CHUNK: usize = 256 * 1024;

/// What an object held.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Rows as PostgreSQL's COPY reads them.
    pub(super) chunks: Vec<Bytes>,
    /// Rows that could not be taken.
    pub(super) failures: Vec<Failure>,
}

/// Why a row could not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// Object, as a URL.
    pub(super) file: String,
    /// Line in it, from 1.
    pub(super) line: u64,
    /// Column, its type and length.
    pub(super) column: Option<(String, String, String)>,
    /// Number and words.
    pub(super) wrong: Wrong,
    /// The line.
    pub(super) raw_line: String,
    /// The value.
    pub(super) raw_value: String,
}

/// Collects rows.
pub(super) struct Writer<'a> {
    object: &'a Object,
    columns: &'a [Column],
    most_failures: u64,
    buffer: BytesMut,
    loaded: Loaded,
}

impl<'a> Writer<'a> {
    pub(super) fn new(object: &'a Object, columns: &'a [Column], most_failures: u64) -> Self {
        Self { object, columns, most_failures, buffer: BytesMut::new(), loaded: Loaded::default() }
    }

    /// Names of the columns, in order.
    pub(super) fn names(&self) -> Vec<&'a str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The object, as errors of columnar files have it.
    pub(super) fn https_url(&self) -> String {
        self.object.https_url()
    }

    /// Whether there are more failures already than the load may have.
    pub(super) fn is_hopeless(&self) -> bool {
        self.loaded.failures.len() as u64 > self.most_failures
    }

    /// Takes a row whose fields are made one by one, for the columns in order. `raw` gives line and field for the views.
    pub(super) fn row<F, R>(&mut self, line: u64, mut field: F, raw: R)
    where
        F: FnMut(usize, &Column) -> Result<Option<String>, Wrong>,
        R: Fn(Option<usize>) -> String,
    {
        let start = self.buffer.len();
        for (at, column) in self.columns.iter().enumerate() {
            let value = field(at, column).and_then(|value| match value {
                None if !column.nullable => Err(wrong(1213, "Missing data for not-null field")),
                value => Ok(value),
            });
            match value {
                Ok(value) => self.put(at, value.as_deref()),
                Err(wrong) => {
                    self.buffer.truncate(start);
                    self.fail(line, Some(column), wrong, raw(None), raw(Some(at)));
                    return;
                }
            }
        }
        self.buffer.extend_from_slice(b"\n");
        if self.buffer.len() >= CHUNK {
            self.loaded.chunks.push(self.buffer.split().freeze());
        }
    }

    /// Puts a row down that cannot be taken.
    pub(super) fn fail(
        &mut self,
        line: u64,
        column: Option<&Column>,
        wrong: Wrong,
        raw_line: String,
        raw_value: String,
    ) {
        let column = column.map(|column| (column.name.clone(), column.type_name.clone(), column.length()));
        let file = self.object.url();
        self.loaded.failures.push(Failure { file, line, column, wrong, raw_line, raw_value });
    }

    pub(super) fn finish(mut self) -> Loaded {
        if !self.buffer.is_empty() {
            self.loaded.chunks.push(self.buffer.freeze());
        }
        self.loaded
    }

    fn put(&mut self, at: usize, value: Option<&str>) {
        if at > 0 {
            self.buffer.extend_from_slice(b"\t");
        }
        let Some(value) = value else { return self.buffer.extend_from_slice(b"\\N") };
        for byte in value.bytes() {
            match byte {
                b'\\' => self.buffer.extend_from_slice(b"\\\\"),
                b'\n' => self.buffer.extend_from_slice(b"\\n"),
                b'\r' => self.buffer.extend_from_slice(b"\\r"),
                b'\t' => self.buffer.extend_from_slice(b"\\t"),
                other => self.buffer.extend_from_slice(&[other]),
            }
        }
    }
}
