//! Which field comes next: learnt from record to record, so that a name need not be read but only compared.

use super::strict::{self, white};
use crate::block::{BLOCK, Block};
use crate::padded::Padded;
use hashbrown::HashMap;
use std::ops::Range;

/// Longest text of a name with its quotation marks, colon and blanks that is expected: two blocks.
const LONGEST: usize = 2 * BLOCK;
/// Most names that are remembered; records with others are parsed all the same.
const MOST_NAMES: usize = 1024;
/// Stands for every name that is not remembered.
const FORGOTTEN: u32 = 1;

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// It goes into one column.
    Column(u32),
    /// Its value is an object (or null) of whose fields columns are read: this node.
    Inside(u32),
    /// It is checked and left out.
    Drop,
    /// It goes into `_extra`.
    Extra,
    /// The strict parser must see to the record.
    Strict,
}

/// A field of one node: a name, and what it looks like with all that stands before its value.
struct Step {
    /// What stands from after the comma (or opening brace) to before the value.
    text: [u8; LONGEST],
    len: u32,
    /// Where the name begins and ends in it, without quotation marks.
    name: (u32, u32),
    node: u32,
    target: Target,
    /// The fields that came after it, the latest first.
    next: [u32; 2],
}

impl Step {
    /// A field that is nowhere found, as its text has not been seen yet: 0xff stands in no UTF-8.
    fn unseen(node: u32, target: Target) -> Self {
        Self { text: [0xff; LONGEST], len: 1, name: (0, 0), node, target, next: [FORGOTTEN; 2] }
    }

    #[inline(always)]
    fn is_at(&self, record: Padded<'_>, at: usize) -> bool {
        let low = record.block(at).equal(Block::load(&self.text, 0)) | beyond(self.len as usize);
        low == u32::MAX && (self.len as usize <= BLOCK || self.rest_is_at(record, at))
    }

    #[inline]
    fn rest_is_at(&self, record: Padded<'_>, at: usize) -> bool {
        let high = record.block(at + BLOCK).equal(Block::load(&self.text, BLOCK));
        high | beyond(self.len as usize - BLOCK) == u32::MAX
    }

    /// Takes the text in which the name stands there. A text that is too long is not expected again.
    fn learn(&mut self, text: &[u8], name: Range<usize>) {
        self.name = (name.start as u32, name.end as u32);
        (self.text[0], self.len) = (0xff, 1);
        if text.len() <= LONGEST {
            self.text[..text.len()].copy_from_slice(text);
            self.len = text.len() as u32;
        }
    }
}

/// Bits of a block from `len` on.
#[inline(always)]
fn beyond(len: usize) -> u32 {
    if len >= BLOCK { 0 } else { u32::MAX << len }
}

/// The fields of a schema's records, and which of them followed which.
pub(super) struct Steps {
    steps: Vec<Step>,
    /// For each node its names.
    names: Vec<HashMap<Box<[u8]>, u32>>,
    /// What becomes of names that the schema does not know.
    unknown: Target,
}

impl Steps {
    /// Stands before the first field of a record.
    pub(super) const BEGIN: u32 = 0;
    /// The node of the record itself.
    pub(super) const TOP: u32 = 0;

    pub(super) fn new(unknown: Target) -> Self {
        let steps = vec![Step::unseen(Self::TOP, unknown), Step::unseen(Self::TOP, unknown)];
        Self { steps, names: vec![HashMap::new()], unknown }
    }

    /// A node more: an object within the record.
    pub(super) fn add_node(&mut self) -> u32 {
        self.names.push(HashMap::new());
        self.names.len() as u32 - 1
    }

    /// Number of nodes.
    pub(super) fn nodes(&self) -> usize {
        self.names.len()
    }

    /// A name that the schema knows.
    pub(super) fn add(&mut self, node: u32, name: &[u8], target: Target) -> u32 {
        let step = self.steps.len() as u32;
        self.names[node as usize].insert(name.into(), step);
        self.steps.push(Step::unseen(node, target));
        step
    }

    #[inline(always)]
    pub(super) fn target(&self, step: u32) -> Target {
        self.steps[step as usize].target
    }

    /// Where the name of a field that was found at `from` stands, with its quotation marks.
    pub(super) fn quoted_name(&self, step: u32, from: usize) -> Range<usize> {
        let (start, end) = self.steps[step as usize].name;
        from + start as usize - 1..from + end as usize + 1
    }

    /// The field whose name is expected at `from`, behind a comma or the opening brace: where its value begins (maybe
    /// behind the record, where that ends before), and which it is. `None` where no plain name stands there.
    #[inline(always)]
    pub(super) fn field(&mut self, record: Padded<'_>, from: usize, last: u32, node: u32) -> Option<(usize, u32)> {
        let guess = self.steps[last as usize].next[0];
        let step = &self.steps[guess as usize];
        match step.node == node && step.is_at(record, from) {
            true => Some((from + step.len as usize, guess)),
            false => self.find(record, from, last, node),
        }
    }

    /// The same where another field was expected; from now on this one is.
    #[inline(never)]
    fn find(&mut self, record: Padded<'_>, from: usize, last: u32, node: u32) -> Option<(usize, u32)> {
        let next = &mut self.steps[last as usize].next;
        next.swap(0, 1);
        let guess = next[0];
        let step = &self.steps[guess as usize];
        if step.node == node && step.is_at(record, from) {
            return Some((from + step.len as usize, guess));
        }
        let record = record.record();
        let quote = white(record, from);
        let ((name, escaped), value) = strict::key(record, quote).ok()?;
        if escaped {
            return None;
        }
        let step = match self.names[node as usize].get(name) {
            Some(step) => *step,
            None if self.steps.len() < MOST_NAMES => self.add(node, name, self.unknown),
            None => FORGOTTEN,
        };
        self.steps[last as usize].next[0] = step;
        let start = quote + 1 - from;
        let found = &mut self.steps[step as usize];
        found.node = node;
        found.learn(&record[from..value], start..start + name.len());
        Some((value, step))
    }
}
