//! A tree to JSON text. The order of keys and the text of numbers are kept.

use crate::finding::Findings;
use crate::number::{Plain, resolve};
use crate::yaml::{Kind, Node};
use std::fmt::Write;

/// Writes `node` as compact JSON. Numbers that JSON cannot say are reported.
pub(crate) fn to_json(node: &Node, out: &mut Findings) -> String {
    let mut text = String::new();
    write(node, &mut text, out);
    text
}

fn write(node: &Node, json: &mut String, out: &mut Findings) {
    match &node.kind {
        Kind::Scalar { text, plain } => write_scalar(node, text, *plain, json, out),
        Kind::List(items) => {
            json.push('[');
            for (n, item) in items.iter().enumerate() {
                json.push_str(if n == 0 { "" } else { "," });
                write(item, json, out);
            }
            json.push(']');
        }
        Kind::Map(entries) => {
            json.push('{');
            for (n, entry) in entries.iter().enumerate() {
                json.push_str(if n == 0 { "" } else { "," });
                write_text(&entry.key, json);
                json.push(':');
                write(&entry.value, json, out);
            }
            json.push('}');
        }
    }
}

fn write_scalar(node: &Node, text: &str, plain: bool, json: &mut String, out: &mut Findings) {
    match if plain { resolve(text) } else { Plain::Text } {
        Plain::Null => json.push_str("null"),
        Plain::Bool(flag) => json.push_str(if flag { "true" } else { "false" }),
        Plain::Whole(number) | Plain::Real(number) => json.push_str(&number),
        Plain::Text => write_text(text, json),
        Plain::NotJson => {
            out.push(node.pos, format!("`{text}` is no number of JSON; if text is meant, put it in quotation marks"));
            json.push_str("null");
        }
    }
}

fn write_text(text: &str, json: &mut String) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c < ' ' => drop(write!(json, "\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::read;
    use proptest::prelude::*;

    fn json(yaml: &str) -> String {
        let mut out = Findings::new("m");
        let node = read(yaml, &mut out).unwrap();
        let json = to_json(&node, &mut out);
        assert!(out.is_empty(), "{out}");
        json
    }

    #[test]
    fn order_and_numbers_are_kept() {
        assert_eq!(
            json("z: 12.50\na: [1e3, 007, NO, '5', ~]\nm: {deep: true, x: \"a\\tb\"}"),
            r#"{"z":12.50,"a":[1e3,7,"NO","5",null],"m":{"deep":true,"x":"a\tb"}}"#
        );
    }

    #[test]
    fn infinity_is_reported() {
        let mut out = Findings::new("m");
        let node = read("a: .inf", &mut out).unwrap();
        to_json(&node, &mut out);
        assert!(out.to_string().starts_with("m:1:4: `.inf` is no number of JSON"));
    }

    proptest! {
        #[test]
        fn any_text_reads_back_from_json(text: String) {
            let mut written = String::new();
            write_text(&text, &mut written);
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
