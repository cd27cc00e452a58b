//! What is wrong with a manifest.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a manifest's text. Both count from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Pos {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Pos {
    /// The beginning of the text.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Finding {
    /// Where.
    #[serde(flatten)]
    pub pos: Pos,
    /// What is wrong, and the way out. One line.
    pub message: String,
}

/// Everything that is wrong with one manifest, in the order of the text.
///
/// Shown as one line each, `FILE:LINE:COLUMN: MESSAGE`; serialised as a list of objects with `file`, `line`, `column`
/// and `message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    file: PathBuf,
    list: Vec<Finding>,
    /// Whether later phases are of no use.
    stop: bool,
}

impl Findings {
    /// None so far. `file` is shown as it is given.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), list: Vec::new(), stop: false }
    }

    /// Adds one, in its place. What was said of a place already is not said twice.
    pub fn push(&mut self, pos: Pos, message: impl Into<String>) {
        let finding = Finding { pos, message: one_line(message.into()) };
        let at = self.list.partition_point(|known| known.pos <= pos);
        let said = self.list[..at].iter().rev().take_while(|known| known.pos == pos).any(|known| *known == finding);
        if !said {
            self.list.insert(at, finding);
        }
    }

    /// Adds one after which later phases are of no use.
    pub(crate) fn push_last(&mut self, pos: Pos, message: impl Into<String>) {
        self.push(pos, message);
        self.stop = true;
    }

    /// Whether one was added after which later phases are of no use.
    pub(crate) fn is_final(&self) -> bool {
        self.stop
    }

    /// The manifest's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.list.iter()
    }

    /// `Ok(value)` where nothing is wrong.
    ///
    /// # Errors
    /// The findings, where there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

/// A value quoted in a message may hold line ends; a finding stays on its line.
fn one_line(text: String) -> String {
    if text.contains(['\n', '\r']) { text.replace('\r', "\\r").replace('\n', "\\n") } else { text }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, finding) in self.list.iter().enumerate() {
            let end = if n == 0 { "" } else { "\n" };
            write!(f, "{end}{}:{}: {}", self.file.display(), finding.pos, finding.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

impl Serialize for Findings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            file: String,
            #[serde(flatten)]
            finding: &'a Finding,
        }
        let mut list = serializer.serialize_seq(Some(self.list.len()))?;
        for finding in &self.list {
            list.serialize_element(&Line { file: self.file.display().to_string(), finding })?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Findings {
        let mut findings = Findings::new("a/pipeline.yaml");
        findings.push(Pos { line: 7, column: 12 }, "late");
        findings.push(Pos { line: 2, column: 1 }, "early\nand long");
        findings.push(Pos { line: 7, column: 12 }, "late");
        findings
    }

    #[test]
    fn findings_stand_in_the_order_of_the_text_and_once() {
        assert_eq!(some().to_string(), "a/pipeline.yaml:2:1: early\\nand long\na/pipeline.yaml:7:12: late");
    }

    #[test]
    fn findings_are_flat_objects_in_json() {
        let json = serde_json::to_value(some()).unwrap();
        assert_eq!(json[1], serde_json::json!({"file": "a/pipeline.yaml", "line": 7, "column": 12, "message": "late"}));
    }
}
