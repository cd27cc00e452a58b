//! The common case: an object whose fields come in the order of the record before.
//!
//! Each field is guessed: what stands between a comma and a value (`"order_id":`, with whatever blanks the producer
//! writes) is compared as a whole with what stood there in an earlier record. Values go straight into their columns.
//! Whatever is not plain (names with escapes or twice, values of the wrong type, a doubt of any kind) is left to the strict
//! parser, which alone says that a record is malformed: here nothing invalid is ever taken, and nothing is ever refused.

use super::steps::{Steps, Target};
use super::strict::{self, Checker, Kind, Value, white};
use super::string;
use crate::block::BLOCK;
use crate::columns::{Column, Texts};
use crate::padded::Padded;

/// Parses plain records and remembers how they look.
pub(super) struct Fast {
    steps: Steps,
    /// Number of columns that one field each goes to.
    fill: usize,
    /// Columns that take the whole record.
    whole: Vec<usize>,
    /// Place of `_extra`.
    extra: Option<usize>,
    checker: Checker,
    /// Nodes around the one that is being read.
    around: Vec<u32>,
    /// For each node the record in which it came last.
    seen: Vec<u64>,
    records: u64,
}

/// What has been found of the record that is being read.
#[derive(Default)]
struct Progress {
    /// Columns filled.
    filled: usize,
    /// Whether the text of `_extra` was begun.
    extra_open: bool,
}

impl Fast {
    /// `fill` columns are filled by the targets of the steps.
    pub(super) fn new(steps: Steps, fill: usize, whole: Vec<usize>, extra: Option<usize>) -> Self {
        let seen = vec![0; steps.nodes()];
        Self { steps, fill, whole, extra, checker: Checker::default(), around: Vec::new(), seen, records: 0 }
    }

    /// Writes one row, or gives up: then some columns may hold a part of it. The record is UTF-8.
    #[inline]
    pub(super) fn row(&mut self, record: Padded<'_>, columns: &mut [Column], row: usize) -> Option<()> {
        let mut at = 0;
        if record.byte(0) != b'{' {
            at = white(record.record(), 0);
        }
        if at >= record.len() || record.byte(at) != b'{' {
            return None;
        }
        self.records += 1;
        self.around.clear();
        let (mut step, mut node, mut progress) = (Steps::BEGIN, Steps::TOP, Progress::default());
        loop {
            let from = at + 1;
            (at, step) = self.steps.field(record, from, step, node)?;
            if at >= record.len() {
                return None;
            }
            match self.steps.target(step) {
                Target::Column(index) => {
                    at = self.put(record, at, &mut columns[index as usize], row)?;
                    progress.filled += 1;
                }
                Target::Inside(inner) => match self.enter(record, at, inner)? {
                    Entered::Empty(end) => at = end,
                    Entered::Fields => {
                        self.around.push(std::mem::replace(&mut node, inner));
                        continue;
                    }
                },
                _ => at = self.put_unknown(record, (from, at, step), columns, &mut progress)?,
            }
            loop {
                if !matches!(record.byte(at), b',' | b'}') {
                    at = white(record.record(), at);
                }
                if at >= record.len() {
                    return None;
                }
                match record.byte(at) {
                    b',' => break,
                    b'}' => match self.around.pop() {
                        Some(outer) => (node, at) = (outer, at + 1),
                        None if at + 1 == record.len() || white(record.record(), at + 1) == record.len() => {
                            return self.complete(record.record(), columns, row, &progress);
                        }
                        None => return None,
                    },
                    _ => return None,
                }
            }
        }
    }

    /// Writes the value that begins at `at` into a column; gives where it ends. Nothing is written where the column
    /// holds the row already: the name came before, and the strict parser knows which of them counts.
    #[inline(always)]
    fn put(&mut self, record: Padded<'_>, at: usize, column: &mut Column, row: usize) -> Option<usize> {
        if let Some(texts) = column.plain_text() {
            if texts.rows() != row {
                return None;
            }
            if record.byte(at) == b'"' {
                return put_string(record, at + 1, texts);
            }
            if matches!(record.byte(at), b'-' | b'0'..=b'9') {
                let end = strict::number(record.record(), at).ok()?;
                texts.put_blocks(record.bytes(), at, end - at);
                texts.close();
                return Some(end);
            }
        }
        self.put_other(record, at, column, row)
    }

    #[inline(never)]
    fn put_other(&mut self, record: Padded<'_>, at: usize, column: &mut Column, row: usize) -> Option<usize> {
        if column.rows() != row {
            return None;
        }
        let (value, end) = self.checker.value(record.record(), at).ok()?;
        column.put_json(value).ok()?;
        Some(end)
    }

    /// Goes into the object that begins at `at`. Where it came before in this record the strict parser knows which counts.
    fn enter(&mut self, record: Padded<'_>, at: usize, node: u32) -> Option<Entered> {
        if std::mem::replace(&mut self.seen[node as usize], self.records) == self.records {
            return None;
        }
        let text = record.record();
        if text[at..].starts_with(b"null") {
            return Some(Entered::Empty(at + 4));
        }
        let first = white(text, at + 1);
        match (text[at], text.get(first)?) {
            (b'{', b'}') => Some(Entered::Empty(first + 1)),
            (b'{', _) => Some(Entered::Fields),
            _ => None,
        }
    }

    /// Sees to a field that no column takes: its name stands behind `from`, its value at `at`; gives where that ends.
    #[inline(never)]
    fn put_unknown(
        &mut self,
        record: Padded<'_>,
        (from, at, step): (usize, usize, u32),
        columns: &mut [Column],
        progress: &mut Progress,
    ) -> Option<usize> {
        let target = self.steps.target(step);
        if !matches!(target, Target::Drop | Target::Extra) {
            return None;
        }
        let (value, end) = self.checker.value(record.record(), at).ok()?;
        if target == Target::Extra {
            let texts = columns[self.extra?].plain_text()?;
            texts.put(if std::mem::replace(&mut progress.extra_open, true) { b"," } else { b"{" });
            texts.put(&record.record()[self.steps.quoted_name(step, from)]);
            texts.put(b":");
            texts.put(value.source);
        }
        Some(end)
    }

    /// Ends the row in the columns that no field went to.
    #[inline]
    fn complete(&self, record: &[u8], columns: &mut [Column], row: usize, progress: &Progress) -> Option<()> {
        for index in &self.whole {
            columns[*index].put_json(Value { kind: Kind::Nested, source: record }).ok()?;
        }
        if let Some(extra) = self.extra {
            let column = &mut columns[extra];
            if progress.extra_open {
                let texts = column.plain_text()?;
                texts.put(b"}");
                texts.close();
            } else {
                column.null();
            }
        }
        if progress.filled < self.fill {
            columns.iter_mut().filter(|column| column.rows() == row).for_each(Column::null);
        }
        Some(())
    }
}

/// How an object begins.
enum Entered {
    /// It is null or has no field; it ends there.
    Empty(usize),
    Fields,
}

/// Copies a string while looking for its end.
#[inline(always)]
fn put_string(record: Padded<'_>, mut at: usize, texts: &mut Texts) -> Option<usize> {
    while at < record.len() {
        let block = record.block(at);
        let stops = block.string_stops();
        if stops == 0 {
            texts.put_block(block, BLOCK);
            at += BLOCK;
            continue;
        }
        let len = stops.trailing_zeros() as usize;
        texts.put_block(block, len);
        at += len;
        if at >= record.len() {
            return None;
        }
        if record.byte(at) != b'"' {
            at = put_escape(record.record(), at, texts)?;
            continue;
        }
        texts.close();
        return Some(at + 1);
    }
    None
}

#[cold]
fn put_escape(record: &[u8], at: usize, texts: &mut Texts) -> Option<usize> {
    if record[at] != b'\\' {
        return None;
    }
    let (character, next) = string::escape(record, at).ok()?;
    texts.put(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(next)
}
