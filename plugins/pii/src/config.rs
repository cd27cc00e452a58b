//! The configuration as it is written.

use serde::Deserialize;
use sluice_sdk::Ordered;

/// Configuration of the rule.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What is done with each column.
    pub columns: Ordered<ColumnConfig>,
}

/// What is done with one column.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnConfig {
    /// What the whole value is: `email`, `phone`, `card`, `iban`, `ssn` or `ip`. `partial` and the default of `with` go
    /// by it.
    #[serde(rename = "as")]
    pub as_a: Option<String>,
    /// What is looked for in free text: a list of the same. Without it the whole value is hidden.
    pub find: Option<Vec<String>>,
    /// `mask`, `partial`, `replace` or `drop`. Default: `replace`.
    pub how: Option<String>,
    /// `replace`: what is put there. Default: `[EMAIL]` and the like, `[REDACTED]` where the kind is not said.
    pub with: Option<String>,
}
