//! Where in a manifest things stand, for findings that only appear after the manifest was read.

use crate::finding::Pos;
use crate::yaml::{Kind, Node};
use std::collections::BTreeMap;

/// Whose rule is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// That of a step, counted from 0 as in [`crate::Plan::steps`].
    Step(usize),
    /// That of an aggregate, counted from 0 as in [`crate::Plan::gold`].
    Gold(usize),
}

impl Owner {
    fn pointer(self) -> String {
        match self {
            Self::Step(n) => format!("/steps/{n}"),
            Self::Gold(n) => format!("/gold/{n}"),
        }
    }
}

/// A thing of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// The rule's name and range of versions.
    Rule(Owner),
    /// A JSON Pointer into the rule's configuration (`/columns/amount/scale`, or empty).
    With(Owner, &'a str),
    /// A column among those that the rule may read.
    Reads(Owner, &'a str),
    /// A column among those that the rule may write.
    Writes(Owner, &'a str),
    /// A capability that the rule is granted.
    Grants(Owner, &'a str),
    /// The rule's limits.
    Limits(Owner),
    /// The SQL of a check step.
    Check(usize),
    /// A key of an aggregate.
    Key(usize, &'a str),
    /// The column of an aggregate's event time.
    WindowOn(usize),
    /// A column of the schema.
    Column(&'a str),
    /// A partition of silver, counted from 0.
    Partition(usize),
    /// A JSON Pointer into the manifest.
    Pointer(&'a str),
}

/// The places of all values of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans {
    /// By JSON Pointer.
    marks: BTreeMap<String, Mark>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    pos: Pos,
    /// The text of a single value: entries of lists are found by it.
    text: Option<String>,
}

impl Spans {
    pub(crate) fn of(root: &Node) -> Self {
        let mut spans = Self::default();
        spans.add(String::new(), root, root.pos);
        spans
    }

    fn add(&mut self, pointer: String, node: &Node, key_pos: Pos) {
        match &node.kind {
            Kind::Scalar { .. } => {}
            Kind::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.add(format!("{pointer}/{n}"), item, item.pos);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    let name = entry.key.replace('~', "~0").replace('/', "~1");
                    self.add(format!("{pointer}/{name}"), &entry.value, entry.key_pos);
                }
            }
        }
        // A collection under a key is shown at its key, where one looks for it.
        let pos = if node.scalar().is_some() { node.pos } else { key_pos };
        self.marks.insert(pointer, Mark { pos, text: node.scalar().map(str::to_owned) });
    }

    /// Where a thing stands. Of a thing that is not written in the manifest, the nearest around it that is.
    pub fn locate(&self, place: &Place<'_>) -> Pos {
        self.at(&self.pointer(place))
    }

    fn pointer(&self, place: &Place<'_>) -> String {
        match *place {
            Place::Rule(owner) => self.rule(owner),
            Place::With(owner, pointer) => format!("{}/with{pointer}", owner.pointer()),
            Place::Reads(owner, column) => self.entry(format!("{}/reads", owner.pointer()), column),
            Place::Writes(owner, column) => self.entry(format!("{}/writes", owner.pointer()), column),
            Place::Grants(owner, name) => self.entry(format!("{}/grants", owner.pointer()), name),
            Place::Limits(owner) => format!("{}/limits", owner.pointer()),
            Place::Check(step) => format!("/steps/{step}/check/sql"),
            Place::Key(gold, column) => self.entry(format!("/gold/{gold}/keys"), column),
            Place::WindowOn(gold) => format!("/gold/{gold}/window/on"),
            Place::Column(name) => format!("/schema/{name}"),
            Place::Partition(n) => format!("/silver/partition_by/{n}"),
            Place::Pointer(pointer) => pointer.to_owned(),
        }
    }

    fn rule(&self, owner: Owner) -> String {
        let of = owner.pointer();
        let verbs = ["validate", "redact", "coerce", "aggregate", "check"];
        let written = verbs.iter().map(|verb| format!("{of}/{verb}")).find(|at| self.marks.contains_key(at));
        written.unwrap_or(of)
    }

    fn entry(&self, list: String, text: &str) -> String {
        let written = (0..).map(|n| format!("{list}/{n}")).map_while(|at| self.marks.get_key_value(&at));
        let found = written.into_iter().find(|(_, mark)| mark.text.as_deref() == Some(text));
        found.map_or(list, |(at, _)| at.clone())
    }

    fn at(&self, pointer: &str) -> Pos {
        let mut pointer = pointer;
        loop {
            if let Some(mark) = self.marks.get(pointer) {
                return mark.pos;
            }
            match pointer.rfind('/') {
                Some(at) => pointer = &pointer[..at],
                None => return Pos::START,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Findings;
    use crate::yaml::read;

    fn spans() -> Spans {
        let text = "steps:\n  - validate: checks@^1\n    reads: [a, b]\n    with:\n      rules:\n        - column: \
        a\n          max: 3\n  - check: { sql: a > 1, reason: r }\n";
        Spans::of(&read(text, &mut Findings::new("m")).unwrap())
    }

    fn at(place: &Place<'_>) -> (usize, usize) {
        let pos = spans().locate(place);
        (pos.line, pos.column)
    }

    #[test]
    fn what_is_written_is_found() {
        let step = Owner::Step(0);
        assert_eq!(at(&Place::Rule(step)), (2, 15));
        assert_eq!(at(&Place::With(step, "/rules/0/max")), (7, 16));
        assert_eq!(at(&Place::Reads(step, "b")), (3, 16));
        assert_eq!(at(&Place::Check(1)), (8, 19));
    }

    #[test]
    fn of_what_is_not_written_the_nearest_around_it_is_shown() {
        let step = Owner::Step(0);
        assert_eq!(at(&Place::With(step, "/rules/0/length/min")), (6, 11));
        assert_eq!(at(&Place::With(step, "")), (4, 5));
        assert_eq!(at(&Place::Writes(step, "a")), (2, 5));
        assert_eq!(at(&Place::Limits(Owner::Gold(3))), (1, 1));
    }
}
