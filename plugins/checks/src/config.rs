//! The configuration as it is written.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use sluice_sdk::Literal;
use std::fmt;

/// Configuration of the rule.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The checks, in the order in which they are tried: the first that fails is the one counted.
    pub rules: Vec<CheckConfig>,
}

/// What is asked of one column.
#[derive(Debug, Default)]
pub struct CheckConfig {
    /// The column.
    pub column: String,
    /// A null fails. Default: false.
    pub required: bool,
    /// A null fails, and so does text that is empty or only blanks. Default: false.
    pub not_blank: bool,
    /// What text must be: `int64`, `decimal`, `float64`, `boolean`, `timestamp` or `date`. Blanks around are ignored.
    pub ty: Option<String>,
    /// A character that is ignored among the digits of a number: `","` for `1,234.50`.
    pub thousands: Option<String>,
    /// The least value, included: a number, or a timestamp or date as text.
    pub min: Option<String>,
    /// The greatest value, included.
    pub max: Option<String>,
    /// The values that are allowed. Text is compared byte by byte.
    pub one_of: Option<Vec<Literal>>,
    /// Values that are not allowed.
    pub not_one_of: Option<Vec<Literal>>,
    /// A regular expression that matches the whole value.
    pub matches: Option<String>,
    /// Length of text in characters.
    pub length: Option<Length>,
    /// The reason code. Default: made of the column and the test that failed, such as `quantity_out_of_range`.
    pub reason: Option<String>,
    /// The reason for people. Default: made of the check.
    pub text: Option<String>,
}

/// Bounds of a length, in characters, both included.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// Default: 0.
    pub min: Option<u32>,
    /// Default: no limit.
    pub max: Option<u32>,
}

const KEYS: &[&str] = &[
    "column",
    "required",
    "not_blank",
    "type",
    "thousands",
    "min",
    "max",
    "one_of",
    "not_one_of",
    "matches",
    "length",
    "reason",
    "text",
];

/// By hand, because what serde derives for so many optional keys is a tenth of a component.
impl<'de> Deserialize<'de> for CheckConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CheckVisitor)
    }
}

struct CheckVisitor;

impl<'de> Visitor<'de> for CheckVisitor {
    type Value = CheckConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a check, an object with the key `column`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CheckConfig, A::Error> {
        let mut config = CheckConfig::default();
        let mut seen = 0u32;
        while let Some(Key(known)) = map.next_key()? {
            if seen & 1 << known != 0 {
                return Err(A::Error::duplicate_field(KEYS[known]));
            }
            seen |= 1 << known;
            // In the order of `KEYS`.
            match known {
                0 => config.column = text(&mut map)?,
                1 => config.required = value(&mut map)?,
                2 => config.not_blank = value(&mut map)?,
                3 => config.ty = Some(text(&mut map)?),
                4 => config.thousands = Some(text(&mut map)?),
                5 => config.min = Some(text(&mut map)?),
                6 => config.max = Some(text(&mut map)?),
                7 => config.one_of = Some(value(&mut map)?),
                8 => config.not_one_of = Some(value(&mut map)?),
                9 => config.matches = Some(text(&mut map)?),
                10 => config.length = Some(value(&mut map)?),
                11 => config.reason = Some(text(&mut map)?),
                _ => config.text = Some(text(&mut map)?),
            }
        }
        // The column is the first key.
        if seen & 1 == 0 { Err(A::Error::missing_field("column")) } else { Ok(config) }
    }
}

/// Place of a key in [`KEYS`].
struct Key(usize);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline(never)]
    fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
        let known = KEYS.iter().position(|known| *known == key);
        known.map(Key).ok_or_else(|| E::unknown_field(key, KEYS))
    }
}

/// Once for each type, not once for each key.
#[inline(never)]
fn value<'de, T: Deserialize<'de>, A: MapAccess<'de>>(map: &mut A) -> Result<T, A::Error> {
    map.next_value()
}

#[inline(never)]
fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<String, A::Error> {
    map.next_value().map(|Literal(text)| text)
}
