//! What a manifest says.

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use sluice_sdk::Ordered;
use std::fmt;

/// The configuration of the rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Columns of the result by name, in their order.
    pub outputs: Ordered<Output>,
}

/// What a column of the result holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// `count`: the number of rows.
    Rows,
    /// An aggregate of an expression: `{ sum: quantity * unit_price }`.
    Of(Aggregate, String),
}

/// How values of a group become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// How many there are; nulls do not count.
    Count,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Their mean.
    Avg,
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OutputVisitor)
    }
}

struct OutputVisitor;

impl<'de> Visitor<'de> for OutputVisitor {
    type Value = Output;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`count`, or an object of one member such as {\"sum\": \"quantity\"}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Output, E> {
        if text == "count" {
            return Ok(Output::Rows);
        }
        Err(E::custom(format_args!(
            "`{text}` is no output; write `count`, or an object such as {{\"sum\": \"{text}\"}}"
        )))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Output, A::Error> {
        let Some((aggregate, expression)) = map.next_entry::<Aggregate, String>()? else {
            return Err(A::Error::custom("no aggregate is named; known: count, sum, min, max, avg"));
        };
        Ok(Output::Of(aggregate, expression))
    }
}
