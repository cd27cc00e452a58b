//! Reading a configuration, and saying where it is wrong.
//!
//! A reader of JSON of our own, because a component should be small: a general one brings printing and parsing of
//! floats and more, some 50 kB, into every rule. This one brings only what a configuration asks for, and gives each error
//! its place as a JSON Pointer. It takes what RFC 8259 takes, to a depth of [`json::MAX_DEPTH`].

mod de;
mod json;
mod members;
mod values;

pub(crate) use json::escaped;
pub use values::{Literal, Ordered};

use crate::Finding;
use serde::de::DeserializeOwned;

/// Reads a configuration. An empty text is an empty object.
pub(crate) fn parse<C: DeserializeOwned>(text: &str) -> Result<C, Finding> {
    let text = if text.trim_ascii().is_empty() { "{}" } else { text };
    let mut reader = json::Reader::new(text);
    let read = C::deserialize(&mut reader).and_then(|config| reader.end().map(|()| config));
    read.map_err(|error| Finding::new(error.pointer(), error.message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)] // only ever read by the tests' parser
    struct Config {
        columns: BTreeMap<String, Column>,
        #[serde(default)]
        codes: Vec<u8>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)] // only ever read by the tests' parser
    struct Column {
        to: String,
        #[serde(default)]
        scale: u8,
    }

    fn finding(text: &str) -> String {
        parse::<Config>(text).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_value_is_named_by_its_path() {
        assert_eq!(
            finding(r#"{"columns": {"a/b": {"to": "x", "scale": "2"}}}"#),
            "/columns/a~1b/scale: the text `2` stands here, where u8 is wanted"
        );
        assert_eq!(
            finding("{\"columns\": {},\n \"codes\": [1, 2,\n 300]}"),
            "/codes/2: `300` stands here, where u8 is wanted"
        );
        assert_eq!(
            finding(r#"{"columns": {}, "codes": [0.5]}"#),
            "/codes/0: a number with a fraction, an exponent or too many digits stands here, where u8 is wanted"
        );
        assert_eq!(finding("7"), "`7` stands here, where struct Config is wanted");
    }

    #[test]
    fn an_unknown_or_missing_key_is_named_by_its_path() {
        assert_eq!(
            finding(r#"{"columns": {"q\"": {"too": 1}}}"#),
            "/columns/q\"/too: unknown key `too`; did you mean `to`? (known: to, scale)"
        );
        assert_eq!(finding(r#"{"columns": {"a": {"scale": 1}}}"#), "/columns/a: the key `to` is missing");
        assert_eq!(finding(""), "the key `columns` is missing");
    }

    #[test]
    fn a_broken_text_is_told_as_such() {
        assert_eq!(finding(r#"{"columns": "#), "/columns: not JSON: the text ends at byte 12, where a value is wanted");
        assert_eq!(finding(r#"{"columns": {}} x"#), "not JSON: `x` at byte 16, where the end is wanted");
        let deep = parse::<serde_json::Value>(&"[".repeat(100)).unwrap_err();
        assert_eq!(deep.message, "lists and objects lie more than 64 deep in each other");
        assert_eq!(parse::<(u8, u8)>("[1, 2, 3]").unwrap_err().message, "more stands here than is wanted");
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        Plain,
        Wrapped(u8),
        Named { a: Option<i64> },
        Pair(bool, f64),
    }

    #[test]
    fn variants_stand_by_name_or_as_an_object_of_one_member() {
        let text = r#"["plain", {"wrapped": 7}, {"named": {"a": null}}, {"pair": [true, 1.5e1]}, {"plain": null}]"#;
        let expected =
            [Shape::Plain, Shape::Wrapped(7), Shape::Named { a: None }, Shape::Pair(true, 15.0), Shape::Plain];
        assert_eq!(parse::<Vec<Shape>>(text).unwrap(), expected);
        assert!(parse::<Shape>(r#"{"wrapped": 7, "named": {}}"#).is_err());
    }

    #[test]
    fn literals_keep_their_source_and_objects_their_order() {
        let read: Ordered<Literal> = parse(r#"{"z": 0.10, "a": "x", "m": -1e3, "b": true}"#).unwrap();
        let texts: Vec<_> = read.0.iter().map(|(name, value)| (name.as_str(), value.0.as_str())).collect();
        assert_eq!(texts, [("z", "0.10"), ("a", "x"), ("m", "-1e3"), ("b", "true")]);
        let twice = parse::<Ordered<Literal>>(r#"{"a": 1, "a": 2}"#).unwrap_err();
        assert_eq!(twice.to_string(), "the key `a` stands here twice");
        assert_eq!(
            parse::<Literal>("[1]").unwrap_err().message,
            "a list stands here, where a text, number or boolean is wanted"
        );
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            (-1e300..1e300).prop_map(|x: f64| x.into()),
            "\\PC{0,6}|[\\x00-\\x20\"\\\\/]{0,3}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::btree_map("\\PC{0,3}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_a_general_reader_reads(value in json()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                prop_assert_eq!(&parse::<serde_json::Value>(&text).unwrap(), &value);
            }
        }

        #[test]
        fn a_damaged_text_is_refused_as_a_general_reader_refuses_it(
            value in json(),
            at in any::<prop::sample::Index>(),
            put in "[\\[\\]{}\",:0-9eE+.\\- \\\\utfnal\\x01]{0,2}",
        ) {
            let mut chars: Vec<char> = value.to_string().chars().collect();
            let at = at.index(chars.len());
            chars.splice(at..=at, put.chars());
            let text: String = chars.into_iter().collect();
            if !text.trim_ascii().is_empty() {
                let general = serde_json::from_str::<serde_json::Value>(&text).is_ok();
                prop_assert_eq!(parse::<serde_json::Value>(&text).is_ok(), general, "{}", text);
            }
        }
    }
}
