//! A rule's own test cases: columns that it is given, and what it is to make of them.
//!
//! ```json
//! {
//!   "name": "an address keeps its first letter and its domain",
//!   "config": { "columns": { "email": { "as": "email", "how": "partial" } } },
//!   "columns": [
//!     { "name": "email", "type": "text", "values": ["alice@example.com", null] }
//!   ],
//!   "writes": ["email"],
//!   "expect": { "columns": { "email": ["a***@example.com", null] } }
//! }
//! ```
//!
//! A file holds one case or a list of them. Values are JSON: text, numbers, booleans and null; decimals, timestamps
//! (`2026-03-01T10:00:00Z`) and dates as texts; bytes as base64; `NaN`, `Infinity` and `-Infinity` of a float64 as texts.
//!
//! | key | |
//! | --- | --- |
//! | `name` | what the case shows |
//! | `config` | the rule's configuration; default `{}` |
//! | `columns` | what stands where the rule stands, all of it granted for reading; as many values each |
//! | `writes` | columns that may be written; default: those of `expect.columns`, none of an aggregator |
//! | `grants` | capabilities that are granted; default none. The key behind `token` is then [`CASE_TOKEN_KEY`] |
//! | `aggregate` | aggregators: `{ "groups": [0, 1, 0], "count": 2 }`, a group for each row |
//! | `expect` | `columns` and `rejections`, of which what is left out is to be empty; or `findings` |
//!
//! `expect.columns` names every column that the rule writes. What is written in rows that are rejected does not matter.
//! `expect.rejections` are `{ "row": 0, "reason": "code", "column": "name" }`, in order; a `column` that is left out may be
//! any. Each of `expect.findings` is a part of the finding in its place.

mod compare;
mod parse;
mod run;
mod values;

pub use compare::Difference;
pub use run::Outcome;

use arrow_array::ArrayRef;
use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_batch::Field;

/// The key behind the pseudonyms of cases: known to everybody, for nothing but made-up values.
pub const CASE_TOKEN_KEY: &[u8; 32] = b"the key of test cases, no secret";

/// A test case, read and checked.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The rule's configuration, a JSON text.
    pub config: String,
    /// Columns that stand where the rule stands.
    pub fields: Vec<Field>,
    /// Their values, one array for each of the fields.
    pub arrays: Vec<ArrayRef>,
    /// Rows of each of them.
    pub rows: usize,
    /// Columns that may be written.
    pub writes: Vec<String>,
    /// Capabilities that are granted.
    pub grants: Vec<String>,
    /// Of an aggregator: which row is of which group.
    pub groups: Option<Groups>,
    /// What is to come of it.
    pub expect: Expect,
}

/// Groups of the rows of a case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// For each row its group, less than `count`.
    pub groups: Vec<u32>,
    /// How many groups there are.
    pub count: u32,
}

/// What is to come of a case.
#[derive(Debug, Clone)]
pub enum Expect {
    /// The rule takes its configuration and answers.
    Answer {
        /// Columns with their values, as they are written in the case.
        columns: Vec<(String, Vec<Box<RawValue>>)>,
        /// Rejections in order.
        rejections: Vec<Rejected>,
    },
    /// The rule refuses its configuration: a part of each finding.
    Findings(Vec<String>),
}

/// A rejection of a row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// Row, from 0.
    pub row: u32,
    /// Reason code.
    pub reason: String,
    /// Column at fault, where one is.
    #[serde(default)]
    pub column: Option<String>,
}
