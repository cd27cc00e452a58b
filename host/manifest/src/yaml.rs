//! YAML text to a tree in which every node knows its place.

use crate::finding::{Findings, Pos};
use crate::number::{Plain, resolve};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Longest manifest, in bytes. Real ones have a few kilobytes.
pub(crate) const MAX_TEXT: usize = 1 << 20;
/// Deepest nesting. Real ones reach 8; recursion over the tree stays shallow.
const MAX_DEPTH: usize = 64;
/// Most nodes, those behind aliases counted each time: a few nested aliases can stand for billions.
const MAX_NODES: usize = 100_000;

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where it begins; for a value left out, where its key begins.
    pub(crate) pos: Pos,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// One value.
    Scalar {
        /// Its text.
        text: String,
        /// Whether it stands without quotation marks, so that `5` is a number.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping; keys are unique.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_pos: Pos,
    pub(crate) value: Node,
}

impl Node {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key and its value.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// All keys; none where it is no mapping.
    pub(crate) fn entries(&self) -> &[Entry] {
        if let Kind::Map(entries) = &self.kind { entries } else { &[] }
    }

    /// All elements; none where it is no list.
    pub(crate) fn items(&self) -> &[Node] {
        if let Kind::List(items) = &self.kind { items } else { &[] }
    }

    /// A scalar that is text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, plain } if !plain || resolve(text) == Plain::Text => Some(text),
            _ => None,
        }
    }

    /// A scalar's source text, whatever it resolves to.
    pub(crate) fn scalar(&self) -> Option<&str> {
        if let Kind::Scalar { text, .. } = &self.kind { Some(text) } else { None }
    }

    /// A scalar, resolved.
    pub(crate) fn plain(&self) -> Option<Plain> {
        match &self.kind {
            Kind::Scalar { text, plain: true } => Some(resolve(text)),
            Kind::Scalar { plain: false, .. } => Some(Plain::Text),
            _ => None,
        }
    }

    /// For messages: ``the text `x` ``, `a list`, `nothing`.
    pub(crate) fn found(&self) -> String {
        let Kind::Scalar { text, .. } = &self.kind else {
            return if matches!(self.kind, Kind::List(_)) { "a list" } else { "a mapping" }.to_owned();
        };
        match self.plain() {
            Some(Plain::Null) => "nothing".to_owned(),
            Some(Plain::Bool(_)) => format!("the boolean `{text}`"),
            Some(Plain::Text) => format!("the text `{}`", cut(text)),
            _ => format!("the number `{}`", cut(text)),
        }
    }
}

/// A value in a message is at most 60 characters.
fn cut(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(57).chain("...".chars()).collect() }
}

/// Reads one document. What makes the tree useless (a syntax error, a bomb) gives no tree; the rest is reported and
/// read over.
pub(crate) fn read(text: &str, out: &mut Findings) -> Option<Node> {
    if text.len() > MAX_TEXT {
        out.push(Pos::START, format!("the manifest has {} bytes; the limit is {MAX_TEXT}", text.len()));
        return None;
    }
    let mut tree = Tree { out, open: Vec::new(), anchors: BTreeMap::new(), nodes: 0, root: None };
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                tree.out.push(pos(*error.marker()), format!("this is no YAML: {}", error.info()));
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                let way_out = "a second document begins here; a manifest is one document, give each dataset its own";
                tree.out.push(pos(span.start), way_out);
                break;
            }
        }
        tree.take(event, span)?;
    }
    let root = tree.root.take();
    if root.is_none() {
        tree.out.push(Pos::START, "the manifest is empty; it begins with `dataset: NAME`");
    }
    root
}

fn pos(mark: Marker) -> Pos {
    Pos { line: mark.line().max(1), column: mark.col() + 1 }
}

/// A collection whose end has not come yet.
struct Open {
    pos: Pos,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, names: BTreeSet<String>, key: Option<(Pos, Option<String>)> },
}

struct Tree<'o> {
    out: &'o mut Findings,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

impl Tree<'_> {
    /// Takes one event. `None` ends the reading.
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let at = pos(span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_ref(), at);
                self.count(1, at)?;
                let node = Node {
                    pos: at,
                    kind: Kind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain },
                };
                self.put(node, anchor, 1);
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_ref(), at);
                self.enter(at, anchor, Items::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_ref(), at);
                self.enter(at, anchor, Items::Map { entries: Vec::new(), names: BTreeSet::new(), key: None })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(),
            Event::Alias(anchor) => return self.alias(anchor, at),
            _ => {}
        }
        Some(())
    }

    fn refuse_tag(&mut self, tag: Option<&Cow<'_, Tag>>, at: Pos) {
        if let Some(tag) = tag {
            let name = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
            self.out.push(at, format!("tag `{name}`: a manifest takes no tags; put text in quotation marks instead"));
        }
    }

    fn count(&mut self, nodes: usize, at: Pos) -> Option<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            let what = "values, those behind aliases counted each time";
            self.out.push(at, format!("the manifest holds more than {MAX_NODES} {what}; write less"));
            return None;
        }
        Some(())
    }

    fn enter(&mut self, at: Pos, anchor: usize, items: Items) -> Option<()> {
        self.count(1, at)?;
        if self.open.len() >= MAX_DEPTH {
            self.out.push(at, format!("values are nested more than {MAX_DEPTH} deep; nest less"));
            return None;
        }
        self.open.push(Open { pos: at, anchor, items });
        Some(())
    }

    fn leave(&mut self) {
        let Some(Open { pos, anchor, items }) = self.open.pop() else { return };
        let kind = match items {
            Items::List(items) => Kind::List(items),
            Items::Map { entries, .. } => Kind::Map(entries),
        };
        let node = Node { pos, kind };
        let size = if anchor == 0 { 0 } else { weight(&node) };
        self.put(node, anchor, size);
    }

    fn alias(&mut self, anchor: usize, at: Pos) -> Option<()> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            self.out.push(at, "this alias stands inside the value that it names; write the value out");
            return None;
        };
        let (node, size) = (node.clone(), *size);
        // The value keeps the place where it is written: that is where it is put right.
        self.count(size, at)?;
        if self.open.len() + depth(&node) > MAX_DEPTH {
            self.out.push(at, format!("values are nested more than {MAX_DEPTH} deep; nest less"));
            return None;
        }
        self.put(node, 0, size);
        Some(())
    }

    /// Puts a whole value where it belongs: it is the root, an element, a key, or the value of a key.
    fn put(&mut self, node: Node, anchor: usize, size: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map { key: key @ None, .. }) => *key = Some((node.pos, key_text(&node, self.out))),
            Some(Items::Map { entries, names, key }) => {
                let Some((key_pos, Some(key))) = key.take() else { return };
                if names.insert(key.clone()) {
                    entries.push(Entry { key, key_pos, value: placed(node, key_pos) });
                } else {
                    let first = entries.iter().find(|entry| entry.key == key).map_or(key_pos, |entry| entry.key_pos);
                    self.out.push(key_pos, format!("key `{key}` stands twice; it stands first at line {}", first.line));
                }
            }
        }
    }
}

/// A key must be one value; `<<` is YAML 1.1 and would be silently no merge.
fn key_text(node: &Node, out: &mut Findings) -> Option<String> {
    match &node.kind {
        Kind::Scalar { text, plain: true } if text == "<<" => {
            out.push(node.pos, "merge keys (`<<`) are not of YAML 1.2; write the keys out");
            None
        }
        Kind::Scalar { plain: true, text } if text.is_empty() => {
            out.push(node.pos, "a key is missing before the `:`");
            None
        }
        Kind::Scalar { text, .. } => Some(text.clone()),
        _ => {
            out.push(node.pos, format!("{} cannot be a key; a key is text", node.found()));
            None
        }
    }
}

/// A value left out is placed at its key: its own mark is that of whatever comes next.
fn placed(mut node: Node, key_pos: Pos) -> Node {
    if matches!(&node.kind, Kind::Scalar { text, plain: true } if text.is_empty()) {
        node.pos = key_pos;
    }
    node
}

fn weight(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar { .. } => 0,
        Kind::List(items) => items.iter().map(weight).sum(),
        Kind::Map(entries) => entries.iter().map(|entry| 1 + weight(&entry.value)).sum(),
    }
}

fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar { .. } => 0,
        Kind::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Kind::Map(entries) => 1 + entries.iter().map(|entry| depth(&entry.value)).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn findings(text: &str) -> String {
        let mut out = Findings::new("m");
        read(text, &mut out);
        out.to_string()
    }

    fn node(text: &str) -> Node {
        let mut out = Findings::new("m");
        let node = read(text, &mut out);
        assert!(out.is_empty(), "{out}");
        node.unwrap()
    }

    #[test]
    fn every_node_knows_its_place() {
        let root = node("a: 1\nb:\n  - x\n  - {c: y, d: }\ne:\n  f: 2\n");
        let at = |node: &Node| (node.pos.line, node.pos.column);
        assert_eq!(at(root.get("a").unwrap()), (1, 4));
        let list = root.get("b").unwrap();
        assert_eq!((at(list), at(&list.items()[0])), ((3, 3), (3, 5)));
        assert_eq!((at(&list.items()[1]), at(list.items()[1].get("c").unwrap())), ((4, 5), (4, 9)));
        assert_eq!((at(root.get("e").unwrap()), at(root.get("e").unwrap().get("f").unwrap())), ((6, 3), (6, 6)));
    }

    #[test]
    fn a_value_left_out_is_placed_at_its_key() {
        let root = node("a:\n\nb: 1\n");
        assert_eq!(root.get("a").unwrap().pos, Pos { line: 1, column: 1 });
    }

    #[test]
    fn aliases_stand_for_their_values() {
        let root = node("a: &x [1, 2]\nb: *x\n");
        assert_eq!(root.get("b").unwrap().items().len(), 2);
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let last = format!("*a{}", n - 1);
            text += &format!("a{n}: &a{n} [{}]\n", vec![last; 10].join(", "));
        }
        assert!(findings(&text).contains("more than 100000 values"), "{}", findings(&text));
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(findings(&format!("a: {}", "[".repeat(100))).contains("more than 64 deep"));
        assert!(findings(&format!("a: {}", "[".repeat(5000))).contains("no YAML"));
        let mut chain = String::from("a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
        for n in 1..9 {
            chain += &format!("a{n}: &a{n} [[[[[[[[[[*a{}]]]]]]]]]]\n", n - 1);
        }
        assert!(findings(&chain).contains("more than 64 deep"), "{}", findings(&chain));
    }

    #[test]
    fn an_alias_inside_its_own_value_is_refused() {
        assert!(
            findings("a: &x [1, *x]\n").contains("m:1:11: this alias stands inside"),
            "{}",
            findings("a: &x [1, *x]\n")
        );
    }

    #[test]
    fn a_long_manifest_is_refused() {
        assert!(findings(&"#".repeat(MAX_TEXT + 1)).contains("the limit is 1048576"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            findings(&text);
        }

        #[test]
        fn any_yaml_like_text_is_read_or_refused(
            text in proptest::collection::vec(
                proptest::sample::select(vec![
                    "a", "b: ", "- ", "\n", "  ", "{", "}", "[", "]", ",", "&x ", "*x", "? ", ": ", "'", "\"", "|\n",
                    ">\n", "#", "---\n", "...\n", "!!str ", "!x ", "<<: ", "\t", "%YAML 1.2\n", "\u{feff}", "\r\n", "~",
                ]),
                0..40,
            )
        ) {
            findings(&text.concat());
        }
    }
}
