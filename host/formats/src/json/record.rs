//! Any record: checked to the last byte, then written.

use super::schema::{Node, WHOLE};
use super::strict::{self, Checker, Fault, Kind, Value, white};
use super::string;
use crate::columns::{Column, Mismatch};
use sluice_manifest::plan::{SchemaColumn, UnknownFields};

/// Why a record becomes no row.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is not JSON, or no object.
    Malformed(Fault),
    /// A value cannot be had as the type of this column.
    Mismatch { column: usize, mismatch: Mismatch },
    /// A field that the schema does not name, whose name is this.
    Unknown { at: usize, name: Vec<u8> },
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Malformed(fault)
    }
}

/// What was found for a column.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Kind of the value, where it begins and where it ends.
    value: Option<(Kind, usize, usize)>,
    /// Found under the exact name at the top level, which goes before a path.
    exact: bool,
}

/// Parses records of any shape.
pub(crate) struct Strict {
    top: Node,
    /// Columns that take the whole record.
    whole: Vec<usize>,
    columns: usize,
    gathered: Gathered,
}

/// What is gathered from one record. Kept from one to the next for its memory.
struct Gathered {
    policy: UnknownFields,
    checker: Checker,
    slots: Vec<Slot>,
    extra: Vec<u8>,
    unknown: Option<(usize, Vec<u8>)>,
}

impl Strict {
    pub(crate) fn new(schema: &[SchemaColumn], top: Node, unknown: UnknownFields) -> Self {
        let whole = (0..schema.len()).filter(|index| schema[*index].from == WHOLE).collect();
        let gathered = Gathered {
            policy: unknown,
            checker: Checker::default(),
            slots: Vec::new(),
            extra: Vec::new(),
            unknown: None,
        };
        Self { top, whole, columns: schema.len(), gathered }
    }

    /// Writes one row, or says why not: then some columns may hold a part of it. The record is UTF-8.
    pub(crate) fn row(&mut self, record: &[u8], columns: &mut [Column]) -> Result<(), Refusal> {
        let begin = white(record, 0);
        if self.whole.len() == self.columns {
            let (value, end) = self.gathered.checker.value(record, begin)?;
            ends(record, end)?;
            columns[self.columns..].iter_mut().for_each(Column::null);
            return self.put_whole(value, record, columns);
        }
        if record.get(begin) != Some(&b'{') {
            return Err(self.not_an_object(record, begin).into());
        }
        self.gathered.clear(self.columns);
        let end = self.gathered.object(&self.top, record, begin, true)?;
        ends(record, end)?;
        if let Some((at, name)) = self.gathered.unknown.take() {
            return Err(Refusal::Unknown { at, name });
        }
        self.put_whole(Value { kind: Kind::Nested, source: &record[begin..end] }, record, columns)?;
        for (index, slot) in self.gathered.slots.iter().enumerate() {
            let column = &mut columns[index];
            match slot.value {
                _ if self.whole.contains(&index) => {}
                None => column.null(),
                Some((kind, start, end)) => column
                    .put_json(Value { kind, source: &record[start..end] })
                    .map_err(|mismatch| Refusal::Mismatch { column: index, mismatch })?,
            }
        }
        self.gathered.put_extra(&mut columns[self.columns..]);
        Ok(())
    }

    /// Says in what way the record is no object.
    fn not_an_object(&mut self, record: &[u8], begin: usize) -> Fault {
        if begin == record.len() {
            return Fault::new(begin, "the record is empty");
        }
        let end = self.gathered.checker.value(record, begin).and_then(|(_, end)| ends(record, end));
        end.err().unwrap_or(Fault::new(begin, "the record is no object"))
    }

    fn put_whole(&self, value: Value<'_>, record: &[u8], columns: &mut [Column]) -> Result<(), Refusal> {
        for index in &self.whole {
            let column = &mut columns[*index];
            let put = match column.takes_any_text() {
                true => column.put_text(record),
                false => column.put_json(value),
            };
            put.map_err(|mismatch| Refusal::Mismatch { column: *index, mismatch })?;
        }
        Ok(())
    }
}

/// Nothing but white space may follow.
fn ends(record: &[u8], end: usize) -> Result<(), Fault> {
    match white(record, end) {
        at if at == record.len() => Ok(()),
        at => Err(Fault::new(at, "something stands after the end of the value")),
    }
}

/// A name in a record.
struct Name<'a> {
    at: usize,
    /// Between the quotation marks, as it stands.
    source: &'a [u8],
    /// With its escapes decoded.
    text: &'a [u8],
}

impl Gathered {
    fn clear(&mut self, columns: usize) {
        self.slots.clear();
        self.slots.resize(columns, Slot::default());
        self.extra.clear();
        self.unknown = None;
    }

    /// Reads the object that begins at `at`; gives where it ends. Goes only as deep as paths of the schema do.
    fn object(&mut self, node: &Node, record: &[u8], at: usize, top: bool) -> Result<usize, Fault> {
        let mut at = white(record, at + 1);
        if record.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        loop {
            let ((source, escaped), value_at) = strict::key(record, at)?;
            let end = if escaped {
                let mut text = Vec::with_capacity(source.len());
                string::decode(source, |run| text.extend_from_slice(run));
                self.field(node, record, &Name { at, source, text: &text }, value_at, top)?
            } else {
                self.field(node, record, &Name { at, source, text: source }, value_at, top)?
            };
            at = white(record, end);
            match record.get(at) {
                Some(b',') => at = white(record, at + 1),
                Some(b'}') => return Ok(at + 1),
                Some(_) => return Err(Fault::new(at, "expected `,` or `}`")),
                None => return Err(Fault::new(at, "the record ends inside an object")),
            }
        }
    }

    /// Reads the value at `at`; gives where it ends.
    fn field(&mut self, node: &Node, record: &[u8], name: &Name<'_>, at: usize, top: bool) -> Result<usize, Fault> {
        let Some(entry) = node.names.get(name.text) else {
            let (value, end) = self.checker.value(record, at)?;
            self.unknown(name, value);
            return Ok(end);
        };
        let first = record.get(at).copied();
        let (kind, end) = match &entry.inside {
            Some(inside) if first == Some(b'{') => {
                self.forget(inside);
                let before = self.open_extra(name);
                let end = self.object(inside, record, at, false)?;
                self.close_extra(before);
                (Kind::Nested, end)
            }
            inside => {
                inside.iter().for_each(|inside| self.forget(inside));
                let (value, end) = self.checker.value(record, at)?;
                // a path leads through something that is no object: no column takes it
                if entry.columns.is_empty() && value.kind != Kind::Null {
                    self.unknown(name, value);
                }
                (value.kind, end)
            }
        };
        for column in &entry.columns {
            let slot = &mut self.slots[*column];
            if top || !slot.exact {
                *slot = Slot { value: Some((kind, at, end)), exact: top };
            }
        }
        Ok(end)
    }

    /// Takes back what an earlier field of the same name held: the last one counts.
    fn forget(&mut self, node: &Node) {
        for entry in node.names.values() {
            for column in &entry.columns {
                if !self.slots[*column].exact {
                    self.slots[*column] = Slot::default();
                }
            }
            entry.inside.iter().for_each(|inside| self.forget(inside));
        }
    }

    fn unknown(&mut self, name: &Name<'_>, value: Value<'_>) {
        match self.policy {
            UnknownFields::Drop => {}
            UnknownFields::Reject => {
                self.unknown.get_or_insert_with(|| (name.at, name.text.to_vec()));
            }
            UnknownFields::Extra => {
                self.put_name(name);
                self.extra.extend_from_slice(value.source);
            }
        }
    }

    /// Puts a name into `_extra`, and before it what must stand there.
    fn put_name(&mut self, name: &Name<'_>) {
        match self.extra.last() {
            None => self.extra.push(b'{'),
            Some(b'{') => {}
            Some(_) => self.extra.push(b','),
        }
        self.extra.push(b'"');
        self.extra.extend_from_slice(name.source);
        self.extra.extend_from_slice(b"\":");
    }

    /// Begins an object within `_extra`; gives the lengths before it and within it.
    fn open_extra(&mut self, name: &Name<'_>) -> (usize, usize) {
        let before = self.extra.len();
        if self.policy == UnknownFields::Extra {
            self.put_name(name);
            self.extra.push(b'{');
        }
        (before, self.extra.len())
    }

    /// Ends it, or takes it back where nothing was put into it.
    fn close_extra(&mut self, (before, within): (usize, usize)) {
        if self.extra.len() == within {
            self.extra.truncate(before);
        } else {
            self.extra.push(b'}');
        }
    }

    /// Ends the row of `_extra`, where there is such a column.
    fn put_extra(&mut self, column: &mut [Column]) {
        let [column] = column else { return };
        if self.extra.is_empty() {
            column.null();
        } else {
            self.extra.push(b'}');
            column.put_text(&self.extra).expect("a text column takes any text");
        }
    }
}
