//! How the table of keys is written down: one [`Value`] for each kind of value that a manifest can hold.
//!
//! Both the checks of a manifest and its JSON Schema are read off these.

use crate::yaml::Node;

/// What may stand at one place.
pub(crate) enum Value {
    /// Text of some form.
    Text(&'static Text),
    /// One of a few words, each with what it means.
    Choice(&'static [(&'static str, &'static str)]),
    /// `true` or `false`.
    Flag,
    /// `true` and nothing else.
    True,
    /// A whole number.
    Count { min: u64, max: u64 },
    /// A size in bytes.
    Size { min: u64, max: u64 },
    /// A duration, in milliseconds.
    Time { min: u64, max: u64 },
    /// A share, in percent.
    Share { min: u64, max: u64 },
    /// A number that need not be whole.
    Number { min: u64, max: u64 },
    /// Anything: it goes to a rule as JSON.
    Any,
    /// A list.
    List { of: &'static Value, min: usize, max: usize },
    /// A mapping with known keys.
    Object(&'static Shape),
    /// A mapping with known keys, of one of several shapes.
    Variants { pick: fn(&Node) -> usize, shapes: &'static [&'static Shape] },
    /// A mapping whose keys are names.
    Named { name: &'static Text, of: &'static Value, min: usize, max: usize },
    /// A mapping whose keys are names, some of which have a meaning of their own.
    Known { known: &'static [(&'static str, Value)], name: &'static Text, of: &'static Value, max: usize },
    /// One form for a single value, another for a list or mapping.
    Either { single: &'static Value, many: &'static Value },
}

/// A form of text.
pub(crate) struct Text {
    /// For people: `a column name`.
    pub(crate) what: &'static str,
    /// Regular expression of the whole text, for editors. Empty where there is none.
    pub(crate) pattern: &'static str,
    /// What is wrong with a text, and the way out.
    pub(crate) check: fn(&str) -> Result<(), String>,
}

/// A mapping with known keys.
pub(crate) struct Shape {
    /// For messages (`of a json source`) and as the name of the definition in the schema.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) doc: &'static str,
    /// The keys.
    pub(crate) keys: &'static [Key],
    /// Keys of which exactly one must stand there.
    pub(crate) one_of: &'static [&'static str],
    /// Keys of which at least one must stand there.
    pub(crate) any_of: &'static [&'static str],
}

impl Shape {
    /// A key of the table.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Names of the keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

/// A key of a mapping.
pub(crate) struct Key {
    /// As written.
    pub(crate) name: &'static str,
    /// What it means.
    pub(crate) doc: &'static str,
    /// What may stand there.
    pub(crate) value: Value,
    /// Whether it must stand there.
    pub(crate) required: bool,
    /// What holds where it does not, as it would be written. Empty where nothing does.
    pub(crate) default: &'static str,
}

impl Key {
    /// A key that may be left out.
    pub(crate) const fn new(name: &'static str, value: Value, doc: &'static str) -> Self {
        Self { name, doc, value, required: false, default: "" }
    }

    /// Makes it required.
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Gives it a default.
    pub(crate) const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }
}
