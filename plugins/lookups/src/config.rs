//! The configuration as it is written.

use serde::Deserialize;
use sluice_sdk::Ordered;

/// Configuration of the rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The reference table; one that the step names under `lookups`.
    pub table: String,
    /// Columns that hold the key, in the order of the table's own, each of its type.
    pub key: Vec<String>,
    /// Columns to write, each with the column of the table that its values come from. Default none: rows are only
    /// judged by whether the table has their key.
    #[serde(default)]
    pub columns: Ordered<String>,
    /// What becomes of a row whose key the table does not have.
    #[serde(default)]
    pub unknown: Unknown,
    /// Whether a row with a null in its key is rejected, too; else the columns are null. Default false.
    #[serde(default)]
    pub required: bool,
    /// Reason code of rejected rows. Default `unknown_key`.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What becomes of a row whose key the table does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// It is rejected (default).
    #[default]
    Reject,
    /// The columns are null.
    Null,
}
