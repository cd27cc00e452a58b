//! What a rule sees and says while it is opened: the columns that exist, and what it will do with them.

use crate::config::escaped;
use crate::finding::{Finding, nearest};
use crate::lookup::{self, Table};
use crate::{ColumnType, DecimalType, Field};

/// A column that the rule reads; its place in [`Signature::reads`] and in every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnId(pub(crate) u32);

/// A reason for which the rule rejects; its place in [`Signature::reasons`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReasonId(pub(crate) u32);

impl ColumnId {
    /// Place in [`Signature::reads`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ReasonId {
    /// Place in [`Signature::reasons`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A column that was found: how batches bring it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// To look it up in a batch.
    pub id: ColumnId,
    /// What it holds.
    pub ty: ColumnType,
    /// Whether nulls may stand in it.
    pub nullable: bool,
}

/// How an output column relates to the columns before the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The column stood there before; type and values are replaced.
    Replaces,
    /// The column is new and is put after the others.
    Adds,
}

/// A column that the rule writes. The manifest must grant it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Column name.
    pub name: String,
    /// What the rule returns.
    pub ty: ColumnType,
    /// Whether the rule may return nulls.
    pub nullable: bool,
    /// Whether it replaces or adds.
    pub effect: Effect,
}

/// One cause for which the rule rejects rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Code: lower-case letters, digits and `_`, at most 64 bytes.
    pub code: String,
    /// The same for people.
    pub text: String,
}

/// What the rule will do under one configuration. The host holds it to this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// Columns read, in the order in which batches bring them.
    pub reads: Vec<String>,
    /// Columns written, in the order in which the rule returns them.
    pub outputs: Vec<OutputColumn>,
    /// Table of reasons.
    pub reasons: Vec<Reason>,
    /// Aggregators only: types of the partial columns.
    pub partials: Vec<ColumnType>,
}

/// The columns that exist where the rule stands, and the signature and findings so far.
///
/// A rule is opened only when there are no findings, so ask for everything before you leave with `?`: then all that is
/// wrong is told at once.
#[derive(Debug)]
pub struct Setup<'a> {
    inputs: &'a [Field],
    signature: Signature,
    findings: Vec<Finding>,
}

impl<'a> Setup<'a> {
    /// A setup over the columns that exist.
    #[must_use]
    pub fn new(inputs: &'a [Field]) -> Self {
        Self { inputs, signature: Signature::default(), findings: Vec::new() }
    }

    /// The columns that exist where the rule stands.
    #[must_use]
    pub fn inputs(&self) -> &'a [Field] {
        self.inputs
    }

    /// Something is wrong at `path`, a JSON Pointer into the configuration ([`Setup::pointer`]).
    pub fn find(&mut self, path: &str, message: impl Into<String>) {
        self.findings.push(Finding::new(path, message));
    }

    /// Whether anything was found wrong so far.
    #[must_use]
    pub fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    /// The JSON Pointer of a place in the configuration, with `~` and `/` in names escaped:
    /// `pointer(&["columns", "a/b"])` is `/columns/a~1b`.
    #[must_use]
    pub fn pointer(names: &[&str]) -> String {
        names.iter().fold(String::new(), |path, name| path + "/" + &escaped(name))
    }

    /// Reads the column `name` of whatever type. `path` is where the configuration names it, for the finding when there
    /// is no such column. A column asked for twice is read once.
    pub fn read(&mut self, name: &str, path: &str) -> Option<Read> {
        let Some(field) = self.inputs.iter().find(|field| field.name == name) else {
            let message = self.missing(name);
            self.find(path, message);
            return None;
        };
        let reads = &mut self.signature.reads;
        let index = reads.iter().position(|read| read == name).unwrap_or_else(|| {
            reads.push(name.to_owned());
            reads.len() - 1
        });
        Some(Read { id: ColumnId(index as u32), ty: field.ty, nullable: field.nullable })
    }

    fn missing(&self, name: &str) -> String {
        let names: Vec<&str> = self.inputs.iter().map(|field| field.name.as_str()).collect();
        format!("no column `{name}` exists here; {}", way_out(name, &names, "columns"))
    }

    /// Reads a column for which `fits` holds; `wanted` names the types that do (`int64 or a decimal`).
    pub fn read_if(
        &mut self,
        name: &str,
        path: &str,
        wanted: &str,
        fits: impl FnOnce(ColumnType) -> bool,
    ) -> Option<Read> {
        let read = self.read(name, path)?;
        if fits(read.ty) {
            return Some(read);
        }
        let found = read.ty;
        let coerce = if found == ColumnType::Text { "; let a coerce step stand before this rule" } else { "" };
        self.find(path, format!("column `{name}` is {found} here, but {wanted} is wanted{coerce}"));
        None
    }

    fn read_as(&mut self, name: &str, path: &str, wanted: ColumnType) -> Option<ColumnId> {
        Some(self.read_if(name, path, &wanted.to_string(), |ty| ty == wanted)?.id)
    }

    /// Reads a text column.
    pub fn text(&mut self, name: &str, path: &str) -> Option<ColumnId> {
        self.read_as(name, path, ColumnType::Text)
    }

    /// Reads a column of bytes.
    pub fn binary(&mut self, name: &str, path: &str) -> Option<ColumnId> {
        self.read_as(name, path, ColumnType::Binary)
    }

    /// Reads an int64 column.
    pub fn int64(&mut self, name: &str, path: &str) -> Option<ColumnId> {
        self.read_as(name, path, ColumnType::Int64)
    }

    /// Reads a float64 column.
    pub fn float64(&mut self, name: &str, path: &str) -> Option<ColumnId> {
        self.read_as(name, path, ColumnType::Float64)
    }

    /// Reads a boolean column.
    pub fn boolean(&mut self, name: &str, path: &str) -> Option<ColumnId> {
        self.read_as(name, path, ColumnType::Boolean)
    }

    /// Reads a timestamp column.
    pub fn timestamp(&mut self, name: &str, path: &str) -> Option<ColumnId> {
        self.read_as(name, path, ColumnType::Timestamp)
    }

    /// Reads a date column.
    pub fn date(&mut self, name: &str, path: &str) -> Option<ColumnId> {
        self.read_as(name, path, ColumnType::Date)
    }

    /// Reads a decimal column of whatever precision and scale, and says which.
    pub fn decimal(&mut self, name: &str, path: &str) -> Option<(ColumnId, DecimalType)> {
        let read = self.read_if(name, path, "a decimal", |ty| matches!(ty, ColumnType::Decimal(_)))?;
        match read.ty {
            ColumnType::Decimal(ty) => Some((read.id, ty)),
            _ => None,
        }
    }

    /// The reference table `name`, where the step may look into it. `path` is where the configuration names it, for the
    /// finding when it may not.
    pub fn table(&mut self, name: &str, path: &str) -> Option<Table> {
        let mut tables = lookup::tables();
        if let Some(place) = tables.iter().position(|table| table.name() == name) {
            return Some(tables.swap_remove(place));
        }
        let names: Vec<&str> = tables.iter().map(Table::name).collect();
        let way_out = match names.as_slice() {
            [] => "name it under `lookups` of the step".to_owned(),
            names => way_out(name, names, "tables"),
        };
        self.find(path, format!("the step may look into no table `{name}`; {way_out}"));
        None
    }

    /// A reason for rejecting rows: a code (lower-case letters, digits and `_`, at most 64 bytes) and the same for
    /// people. The same code again is the same reason.
    pub fn reason(&mut self, code: &str, text: &str) -> ReasonId {
        let reasons = &mut self.signature.reasons;
        let index = reasons.iter().position(|reason| reason.code == code).unwrap_or_else(|| {
            reasons.push(Reason { code: code.to_owned(), text: text.to_owned() });
            reasons.len() - 1
        });
        ReasonId(index as u32)
    }

    /// As [`Setup::reason`] for a code that the configuration gives at `path`: a code of the wrong form is a finding.
    pub fn reason_at(&mut self, code: &str, text: &str, path: &str) -> ReasonId {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if code.is_empty() || code.len() > 64 || !code.bytes().all(fits) {
            let way_out = "a code is 1 to 64 lower-case letters, digits and `_`";
            self.find(path, format!("`{code}` is no reason code; {way_out}"));
        }
        self.reason(code, text)
    }

    /// The rule returns the column `name`, which stands there already, anew.
    pub fn replaces(&mut self, name: &str, ty: ColumnType, nullable: bool) {
        self.output(name, ty, nullable, Effect::Replaces);
    }

    /// The rule returns a new column. For aggregators: every column of `finish`.
    pub fn adds(&mut self, name: &str, ty: ColumnType, nullable: bool) {
        self.output(name, ty, nullable, Effect::Adds);
    }

    fn output(&mut self, name: &str, ty: ColumnType, nullable: bool, effect: Effect) {
        self.signature.outputs.push(OutputColumn { name: name.to_owned(), ty, nullable, effect });
    }

    /// An aggregator keeps a partial column of this type; returns its place among the partials.
    pub fn partial(&mut self, ty: ColumnType) -> usize {
        self.signature.partials.push(ty);
        self.signature.partials.len() - 1
    }

    /// The signature, or everything that is wrong.
    ///
    /// # Errors
    /// The findings.
    pub fn done(self) -> Result<Signature, Vec<Finding>> {
        if self.findings.is_empty() { Ok(self.signature) } else { Err(self.findings) }
    }
}

/// The name that was probably meant, or all that there are.
fn way_out(name: &str, known: &[&str], what: &str) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{what}: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Vec<Field> {
        let field = |name: &str, ty| Field { name: name.to_owned(), ty, nullable: true };
        vec![field("status", ColumnType::Text), field("price", ColumnType::decimal(12, 3))]
    }

    #[test]
    fn a_column_asked_for_twice_is_read_once() {
        let inputs = inputs();
        let mut setup = Setup::new(&inputs);
        let (price, _) = setup.decimal("price", "").unwrap();
        let status = setup.text("status", "").unwrap();
        assert_eq!(setup.text("status", ""), Some(status));
        assert_eq!((price.index(), status.index()), (0, 1));
        assert_eq!(setup.done().unwrap().reads, ["price", "status"]);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_with_the_way_out() {
        let inputs = inputs();
        let mut setup = Setup::new(&inputs);
        setup.text("statu", "/column");
        setup.int64("status", "/n");
        setup.timestamp("price", "/at");
        setup.reason_at("Bad Code", "", "/reason");
        let findings: Vec<_> = setup.done().unwrap_err().iter().map(Finding::to_string).collect();
        assert_eq!(
            findings,
            [
                "/column: no column `statu` exists here; did you mean `status`?",
                "/n: column `status` is text here, but int64 is wanted; let a coerce step stand before this rule",
                "/at: column `price` is decimal(12,3) here, but timestamp is wanted",
                "/reason: `Bad Code` is no reason code; a code is 1 to 64 lower-case letters, digits and `_`",
            ]
        );
    }

    #[test]
    fn pointers_escape_what_means_something_in_them() {
        assert_eq!(Setup::pointer(&["columns", "a/b~c"]), "/columns/a~1b~0c");
    }
}
