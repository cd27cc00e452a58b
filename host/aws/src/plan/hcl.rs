//! Writing of HCL, laid out as `terraform fmt` lays it out.

use super::document::Value;
use super::text::{Part, Text};

/// Longest list on one line, in characters.
const MAX_LINE: usize = 100;

/// A block: kind, labels, what stands inside.
#[derive(Debug, Clone)]
pub(super) struct Block {
    kind: &'static str,
    labels: Vec<String>,
    body: Vec<Item>,
}

/// What stands inside a block.
#[derive(Debug, Clone)]
enum Item {
    Attribute(String, Expression),
    Block(Block),
}

/// What an attribute is.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    /// A value.
    Value(Value),
    /// An expression as it stands: a reference.
    Raw(String),
    /// A value as text of JSON.
    Json(Value),
}

impl Block {
    /// An empty one.
    pub(super) fn new<'a>(kind: &'static str, labels: impl IntoIterator<Item = &'a str>) -> Self {
        Self { kind, labels: labels.into_iter().map(str::to_owned).collect(), body: Vec::new() }
    }

    /// With an attribute.
    pub(super) fn set(mut self, name: &str, value: impl Into<Expression>) -> Self {
        self.body.push(Item::Attribute(name.to_owned(), value.into()));
        self
    }

    /// With a block inside.
    pub(super) fn with(mut self, block: Self) -> Self {
        self.body.push(Item::Block(block));
        self
    }

    /// Written out, with a line end.
    pub(super) fn write(&self) -> String {
        let mut out = Out::default();
        out.block(self);
        out.text
    }
}

impl From<Value> for Expression {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl From<Text> for Expression {
    fn from(text: Text) -> Self {
        Self::Value(Value::Text(text))
    }
}

impl From<&str> for Expression {
    fn from(text: &str) -> Self {
        Self::Value(Value::text(text))
    }
}

impl From<u64> for Expression {
    fn from(number: u64) -> Self {
        Self::Value(Value::Number(number))
    }
}

impl From<bool> for Expression {
    fn from(flag: bool) -> Self {
        Self::Value(Value::Flag(flag))
    }
}

/// A reference, as it stands.
pub(super) fn raw(text: impl Into<String>) -> Expression {
    Expression::Raw(text.into())
}

#[derive(Default)]
struct Out {
    text: String,
    depth: usize,
}

impl Out {
    fn line(&mut self, line: &str) {
        if !line.is_empty() {
            self.text.push_str(&"  ".repeat(self.depth));
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn block(&mut self, block: &Block) {
        let labels: String = block.labels.iter().map(|label| format!(" \"{label}\"")).collect();
        if block.body.is_empty() {
            return self.line(&format!("{}{labels} {{}}", block.kind));
        }
        self.line(&format!("{}{labels} {{", block.kind));
        self.depth += 1;
        self.body(&block.body);
        self.depth -= 1;
        self.line("}");
    }

    fn body(&mut self, body: &[Item]) {
        let mut attributes = Vec::new();
        for (n, item) in body.iter().enumerate() {
            match item {
                Item::Attribute(name, value) => attributes.push((name.clone(), self.expression(value))),
                Item::Block(block) => {
                    self.attributes(&std::mem::take(&mut attributes));
                    if n > 0 {
                        self.line("");
                    }
                    self.block(block);
                }
            }
        }
        self.attributes(&attributes);
    }

    /// Equals signs of neighbours on one line each stand below each other.
    fn attributes(&mut self, attributes: &[(String, String)]) {
        for run in attributes.chunk_by(|one, next| !one.1.contains('\n') && !next.1.contains('\n')) {
            let width = run.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            for (name, value) in run {
                self.line(&format!("{name:<width$} = {value}"));
            }
        }
    }

    fn expression(&mut self, expression: &Expression) -> String {
        match expression {
            Expression::Value(value) => self.value(value),
            Expression::Raw(text) => text.clone(),
            Expression::Json(value) => format!("jsonencode({})", self.value(value)),
        }
    }

    /// A value; its later lines are indented to the present depth.
    fn value(&mut self, value: &Value) -> String {
        match value {
            Value::Text(text) => quoted(text),
            Value::Number(number) => number.to_string(),
            Value::Flag(flag) => flag.to_string(),
            Value::List(items) => self.list(items),
            Value::Map(entries) => {
                let mut inner = Self { text: String::new(), depth: self.depth + 1 };
                let entries: Vec<_> = entries.iter().map(|(name, value)| (key(name), inner.value(value))).collect();
                inner.attributes(&entries);
                format!("{{\n{}{}}}", inner.text, "  ".repeat(self.depth))
            }
        }
    }

    fn list(&mut self, items: &[Value]) -> String {
        let mut inner = Self { text: String::new(), depth: self.depth + 1 };
        let written: Vec<String> = items.iter().map(|item| inner.value(item)).collect();
        let line = format!("[{}]", written.join(", "));
        if !line.contains('\n') && line.chars().count() <= MAX_LINE {
            return line;
        }
        for item in written {
            inner.line(&format!("{item},"));
        }
        format!("[\n{}{}]", inner.text, "  ".repeat(self.depth))
    }
}

/// A key of an object.
fn key(name: &str) -> String {
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name { name.to_owned() } else { format!("\"{}\"", escaped(name)) }
}

/// A text as a template. One that is a single reference is written without quotation marks.
fn quoted(text: &Text) -> String {
    match text.0.as_slice() {
        [Part::Plain(_) | Part::Caller(_)] | [] | [_, _, ..] => {
            format!("\"{}\"", text.0.iter().map(template).collect::<String>())
        }
        [part] => reference(part).to_owned(),
    }
}

fn template(part: &Part) -> String {
    match part {
        Part::Plain(text) => escaped(text),
        Part::Caller(variable) => format!("$${{{variable}}}"),
        part => format!("${{{}}}", reference(part)),
    }
}

fn reference(part: &Part) -> &'static str {
    match part {
        Part::Partition => "local.partition",
        Part::Region => "local.region",
        Part::Account => "local.account",
        Part::Setting(name) => name,
        _ => "data.aws_redshiftserverless_workgroup.warehouse.arn",
    }
}

/// What would end a text or begin an expression.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
    text.replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_begin_no_expression_of_their_own() {
        let text = Text(vec![Part::Plain("a\"${b}%{c}\\".to_owned()), Part::Caller("aws:userid"), Part::Account]);
        assert_eq!(quoted(&text), r#""a\"$${b}%%{c}\\$${aws:userid}${local.account}""#);
        assert_eq!(quoted(&Text::of(Part::Account)), "local.account");
    }

    #[test]
    fn equals_signs_of_neighbours_stand_below_each_other() {
        let long = Value::List(vec![Value::map([("k", Value::Number(1))])]);
        let block = Block::new("resource", ["a", "b"]).set("x", 1).set("long", true).set("list", long).set("y", "z");
        let expected = "resource \"a\" \"b\" {\n  x    = 1\n  long = true\n  list = [\n    {\n      k = 1\n    },\n  ]\n  \
            y = \"z\"\n}\n";
        assert_eq!(block.write(), expected);
    }
}
