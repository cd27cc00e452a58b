//! A mapping seen through its shape: values where they are as they should be, defaults from the table elsewhere.
//!
//! What is wrong was reported before by `check_shape`; here it only must not panic.

use crate::finding::Pos;
use crate::shape::{Shape, Value};
use crate::units::{parse_duration, parse_number, parse_share, parse_size, whole};
use crate::yaml::Node;
use std::time::Duration;

/// A mapping that may be missing.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    node: Option<&'a Node>,
    shape: &'static Shape,
}

/// A text and its place.
pub(crate) type Placed<'a> = (&'a str, Pos);

impl<'a> View<'a> {
    pub(crate) fn new(node: Option<&'a Node>, shape: &'static Shape) -> Self {
        Self { node, shape }
    }

    /// The value of a key of the table.
    pub(crate) fn node(&self, key: &str) -> Option<&'a Node> {
        debug_assert!(self.shape.key(key).is_some(), "`{key}` is in the table of keys");
        self.node.and_then(|node| node.get(key))
    }

    /// A mapping under a key.
    pub(crate) fn child(&self, key: &str) -> View<'a> {
        match self.shape.key(key).map(|key| &key.value) {
            Some(Value::Object(shape)) => View { node: self.node(key), shape },
            _ => panic!("`{key}` is a mapping in the table of keys"),
        }
    }

    /// Place of the value of a key, else of the mapping.
    pub(crate) fn pos(&self, key: &str) -> Pos {
        self.node(key).or(self.node).map_or(Pos::START, |node| node.pos)
    }

    /// Place of a key, else of the mapping.
    pub(crate) fn key_pos(&self, key: &str) -> Pos {
        let entry = self.node.and_then(|node| node.entry(key));
        entry.map_or_else(|| self.pos(key), |entry| entry.key_pos)
    }

    /// Text, where it stands there.
    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.node(key).and_then(Node::text)
    }

    /// Texts of a list.
    pub(crate) fn texts(&self, key: &str) -> Vec<Placed<'a>> {
        let items = self.node(key).map_or(&[][..], Node::items);
        items.iter().filter_map(|item| Some((item.text()?, item.pos))).collect()
    }

    /// A word, or the default.
    pub(crate) fn choice(&self, key: &str) -> &'a str {
        self.node(key).and_then(Node::scalar).unwrap_or(self.default(key))
    }

    /// `true` or `false`, or the default.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.choice(key).eq_ignore_ascii_case("true")
    }

    /// A whole number, or the default.
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.value_or(key, whole)
    }

    /// Bytes, or the default.
    pub(crate) fn size(&self, key: &str) -> u64 {
        self.value_or(key, |text| parse_size(text).ok())
    }

    /// A duration, or the default. A duration that is required and missing is zero; there is no plan then.
    pub(crate) fn time(&self, key: &str) -> Duration {
        self.value_or(key, |text| parse_duration(text).ok())
    }

    /// A share as a fraction of 1, or the default.
    pub(crate) fn share(&self, key: &str) -> f64 {
        self.value_or(key, |text| parse_share(text).ok())
    }

    /// A number, or the default.
    pub(crate) fn number(&self, key: &str) -> f64 {
        self.value_or(key, |text| parse_number(text).ok())
    }

    fn value_or<T: Default>(&self, key: &str, read: impl Fn(&str) -> Option<T>) -> T {
        let given = self.node(key).and_then(Node::scalar).and_then(&read);
        given.or_else(|| read(self.default(key))).unwrap_or_default()
    }

    fn default(&self, key: &str) -> &'static str {
        self.shape.key(key).map_or("", |key| key.default)
    }
}
