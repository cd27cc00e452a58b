//! What a manifest says.

use serde::Deserialize;
use sluice_sdk::{Literal, Ordered};

/// The configuration of the rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What becomes of which column, in the order in which they are tried.
    pub columns: Ordered<Column>,
}

/// What becomes of one column.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Column {
    /// The type it is to have: `int64`, `float64`, `decimal(p,s)`, `boolean`, `timestamp`, `date` or `text`. Default
    /// `text`, which is for `nulls` and `trim` alone.
    pub to: Option<String>,
    /// Whether ASCII blanks around the value are taken off first. Default true, for `text` false.
    pub trim: Option<bool>,
    /// Texts that become null, compared after `trim`. Default none: an empty text is no number and rejects the row.
    pub nulls: Vec<String>,
    /// Whether a null, or a text that becomes null, rejects the row for `reason`. Default false: null stays null.
    pub required: bool,

    /// Numbers: a character that is ignored among the digits, such as `,`. Default none.
    pub thousands: Option<String>,
    /// Numbers: the character before the fraction. Default `.`.
    pub point: Option<String>,
    /// `float64` and decimals: whether an exponent (`1e3`) may follow. Default false.
    pub exponent: Option<bool>,
    /// Decimals: what happens to a value with more digits after the point than the type has, where they are not zeros:
    /// `reject`, or `round` to the nearest, ties to even. Default `reject`.
    pub on_excess_scale: Option<String>,

    /// The smallest value, written as the column's values are (`1`, `0.01`, `2020-01-01`). Default none.
    pub min: Option<Literal>,
    /// The largest value, itself included. Default none.
    pub max: Option<Literal>,

    /// Timestamps and dates: the forms that are tried, in order. `iso` is ISO 8601; `utc` is exactly
    /// `YYYY-MM-DDTHH:MM:SS[.f]Z` with one to six digits of fraction; `epoch_s`, `epoch_ms`, `epoch_us` and `epoch_ns` are
    /// numbers since 1970-01-01T00:00:00Z; anything with a `%` is a format as of `strptime`. Default `[iso]`.
    pub formats: Vec<String>,
    /// Timestamps: whether a time without a zone is refused rather than read as UTC. Default false.
    pub timezone_required: Option<bool>,
    /// Timestamps: the column holds numbers since 1970-01-01T00:00:00Z and nothing else, in this unit: `seconds`,
    /// `millis`, `micros` or `nanos`, of which those below a microsecond are cut off. It may be an int64 column then.
    pub epoch: Option<String>,

    /// Booleans: texts that are true, in whatever case. Default `[true]`.
    #[serde(rename = "true", alias = "true_values")]
    pub true_values: Option<Vec<Literal>>,
    /// Booleans: texts that are false, in whatever case. Default `[false]`.
    #[serde(rename = "false", alias = "false_values")]
    pub false_values: Option<Vec<Literal>>,

    /// Reason code of rows whose value cannot be converted. Default `<column>_malformed`.
    pub reason: Option<String>,
    /// Reason code of rows whose value is not within `min` and `max`. Default: as `reason`.
    pub range_reason: Option<String>,
}
