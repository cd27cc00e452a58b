//! Standard rule `pseudonyms` (redact): a keyed pseudonym takes the place of an identifier.
//!
//! ```yaml
//! - redact: pseudonyms@^1
//!   reads: [customer_id]
//!   writes: [customer_id]
//!   grants: [token]
//!   with:
//!     columns:
//!       customer_id: { domain: customer }
//! ```
//!
//! The same key, domain and value give the same pseudonym, so rows can still be counted and joined by it. The host makes
//! them, a column a call: the key never enters this rule. It is a rule apart from `pii` so that only the step that needs
//! the capability `token` is granted it. Null stays null; nothing is rejected.

use serde::Deserialize;
use sluice_sdk::{
    About, Batch, Column as SdkColumn, ColumnId, ColumnType, Ordered, Rejections, Rule, Setup, Transformer, about,
    token,
};

/// The configuration of the rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The columns, each with its settings.
    pub columns: Ordered<Column>,
}

/// The settings of one column.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Column {
    /// Keeps the pseudonyms of different things apart: a customer's id and an order's id that happen to be equal get
    /// different ones. Default: the column's name. Give two columns one domain to join on them.
    pub domain: Option<String>,
}

/// The rule, opened.
#[derive(Debug)]
pub struct Pseudonyms {
    columns: Vec<(ColumnId, String)>,
}

impl Rule for Pseudonyms {
    type Config = Config;

    const ABOUT: About = about!(Redact, "keyed pseudonyms take the place of identifiers", include_str!("schema.json"));

    fn open(config: Config, setup: &mut Setup<'_>) -> Option<Self> {
        if config.columns.0.is_empty() {
            setup.find("/columns", "no column is named; name at least one that holds an identifier");
        }
        let mut columns = Vec::new();
        for (name, column) in &config.columns.0 {
            let id = setup.text(name, &Setup::pointer(&["columns", name]));
            setup.replaces(name, ColumnType::Text, true);
            let domain = column.domain.clone().unwrap_or_else(|| name.clone());
            columns.push(id.map(|id| (id, domain)));
        }
        Some(Self { columns: columns.into_iter().collect::<Option<_>>()? })
    }
}

impl Transformer for Pseudonyms {
    fn apply(&mut self, mut batch: Batch, _: &mut Rejections) -> Vec<SdkColumn> {
        self.columns.iter().map(|(id, domain)| token::pseudonyms(domain, &batch.take(*id))).collect()
    }
}

sluice_sdk::transformer!(Pseudonyms);

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_sdk::{Field, native};

    fn inputs() -> [Field; 2] {
        ["a", "b"].map(|name| Field { name: name.into(), ty: ColumnType::Text, nullable: true })
    }

    fn apply(config: &str) -> Vec<Vec<Option<String>>> {
        let mut rule = native::open::<Pseudonyms>(config, &inputs()).unwrap_or_else(|findings| panic!("{findings:?}"));
        let a = native::texts(&[Some("17850.0"), None, Some("17850.0"), Some("1")]);
        let b = native::texts(&[Some("1"), Some("17850.0"), None, Some("")]);
        let (out, rejected) = rule.apply(native::batch(&[a, b]));
        assert!(rejected.is_empty());
        let fields = inputs();
        let mut setup = Setup::new(&fields);
        let ids = ["a", "b"].map(|name| setup.text(name, "").unwrap());
        ids.map(|id| out.texts(id).iter().map(|text| text.map(str::to_owned)).collect()).to_vec()
    }

    #[test]
    fn the_same_value_has_the_same_pseudonym_within_a_domain_and_another_in_another() {
        let apart = apply(r#"{"columns":{"a":{},"b":{}}}"#);
        assert_eq!((&apart[0][0], &apart[0][1]), (&apart[0][2], &None));
        assert!(apart[0][0] != apart[0][3] && apart[0][0] != apart[1][1], "{apart:?}");
        let joined = apply(r#"{"columns":{"a":{"domain":"id"},"b":{"domain":"id"}}}"#);
        assert_eq!((&joined[0][0], &joined[0][3]), (&joined[1][1], &joined[1][0]));
        assert!(joined[1].iter().flatten().all(|pseudonym| pseudonym.len() == 26), "{joined:?}");
    }

    #[test]
    fn a_column_that_is_not_there_is_a_finding_with_its_place() {
        let findings = native::open::<Pseudonyms>(r#"{"columns":{"c":{}}}"#, &inputs()).unwrap_err();
        assert_eq!(findings[0].path, "/columns/c");
    }
}
