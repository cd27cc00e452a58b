//! What a rule says about itself.

/// What a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Says which rows are not as they should be: a [`Validator`](crate::Validator).
    Validate,
    /// Hides what must not be seen further on: a [`Transformer`](crate::Transformer). Fails closed.
    Redact,
    /// Brings columns to the type or form that is wanted: a [`Transformer`](crate::Transformer).
    Coerce,
    /// Sums rows up by group: an [`Aggregator`](crate::Aggregator).
    Aggregate,
}

/// A rule about itself, without any configuration. Made by [`about!`](crate::about).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Name, as in a manifest: lower-case letters, digits and `-`, at most 64 bytes.
    pub name: &'static str,
    /// Semantic version.
    pub version: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// One line for people.
    pub summary: &'static str,
    /// JSON Schema (draft 2020-12) of the configuration, or empty.
    pub config_schema: &'static str,
}

/// An [`About`] with name and version of the crate that it stands in:
/// `about!(Validate, "Order status is one of those that are known")`, with the JSON Schema of the configuration as an
/// optional third argument (`include_str!("schema.json")`).
#[macro_export]
macro_rules! about {
    ($kind:ident, $summary:expr) => {
        $crate::about!($kind, $summary, "")
    };
    ($kind:ident, $summary:expr, $schema:expr) => {
        $crate::About {
            name: ::core::env!("CARGO_PKG_NAME"),
            version: ::core::env!("CARGO_PKG_VERSION"),
            kind: $crate::Kind::$kind,
            summary: $summary,
            config_schema: $schema,
        }
    };
}
