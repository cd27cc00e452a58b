//! The JSON Schema of manifests, for editors. Written from the table of keys.

use crate::keys;
use crate::shape::{Key, Shape, Text, Value};
use crate::units::{format_duration, format_size, parse_duration, parse_number, parse_size, whole};
use serde_json::{Map, Value as Json, json};
use std::time::Duration;

/// The JSON Schema (draft 2020-12) of a manifest, indented.
pub fn json_schema() -> String {
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".into(), json!("Sluice pipeline manifest"));
    schema.extend(object(&keys::MANIFEST));
    let text = serde_json::to_string_pretty(&Json::Object(schema)).expect("a schema is plain data");
    text + "\n"
}

fn object(shape: &Shape) -> Map<String, Json> {
    let properties: Map<String, Json> = shape.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = shape.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("description".into(), json!(shape.doc));
    schema.insert("properties".into(), Json::Object(properties));
    schema.insert("additionalProperties".into(), json!(false));
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    for (word, group) in [("oneOf", shape.one_of), ("anyOf", shape.any_of)] {
        let mine: Vec<Json> =
            group.iter().filter(|name| shape.key(name).is_some()).map(|name| json!({"required": [name]})).collect();
        if !mine.is_empty() {
            schema.insert(word.into(), json!(mine));
        }
    }
    schema
}

fn property(key: &Key) -> Json {
    let mut schema = value(&key.value);
    schema.insert("description".into(), json!(described(key)));
    if !key.default.is_empty() {
        schema.insert("default".into(), default(key));
    }
    Json::Object(schema)
}

/// The description with range and default: editors show it, and not all of them show the rest.
fn described(key: &Key) -> String {
    let mut text = key.doc.to_owned();
    if let Some(range) = range(&key.value) {
        text += &format!(" Range: {range}.");
    }
    if let Value::Choice(words) | Value::List { of: Value::Choice(words), .. } = &key.value {
        let words: Vec<String> = words.iter().map(|(word, doc)| format!("`{word}` ({doc})")).collect();
        text += &format!(" {}.", words.join(", "));
    }
    if !key.default.is_empty() {
        text += &format!(" Default: `{}`.", key.default);
    }
    text
}

/// The range of a number, size or duration, for people.
pub(crate) fn range(value: &Value) -> Option<String> {
    let time = |ms: u64| format_duration(Duration::from_millis(ms));
    match value {
        Value::Count { min, max } | Value::Number { min, max } => Some(format!("{min} to {max}")),
        Value::Share { min, max } => Some(format!("{min}% to {max}%")),
        Value::Size { min, max } => Some(format!("{} to {}", format_size(*min), format_size(*max))),
        Value::Time { min, max } => Some(format!("{} to {}", time(*min), time(*max))),
        _ => None,
    }
}

fn default(key: &Key) -> Json {
    match &key.value {
        Value::Count { .. } => json!(whole(key.default)),
        Value::Number { .. } => json!(parse_number(key.default).unwrap_or_default()),
        Value::Size { .. } => json!(parse_size(key.default).map(format_size).unwrap_or_default()),
        Value::Time { .. } => json!(parse_duration(key.default).map(format_duration).unwrap_or_default()),
        Value::Flag | Value::Either { single: Value::True, .. } => json!(key.default == "true"),
        _ => json!(key.default),
    }
}

fn value(value: &Value) -> Map<String, Json> {
    match value {
        Value::Text(text) => text_form(text),
        Value::Choice(words) => {
            map(json!({"enum": words.iter().flat_map(|(word, _)| choices(word)).collect::<Vec<_>>()}))
        }
        Value::Flag => map(json!({"type": "boolean"})),
        Value::True => map(json!({"const": true})),
        Value::Count { min, max } => map(json!({"anyOf": [
            {"type": "integer", "minimum": min, "maximum": max},
            {"type": "string", "pattern": "^[0-9]+(_[0-9]+)*$"},
        ]})),
        Value::Size { min, max } => map(json!({"anyOf": [
            {"type": "integer", "minimum": min, "maximum": max},
            {"type": "string", "pattern": "^[0-9][0-9_]* *(B|kB|MB|GB|KiB|MiB|GiB)?$"},
        ]})),
        Value::Time { .. } => map(json!({"anyOf": [
            {"type": "string", "pattern": "^[0-9][0-9_]* *(ms|s|m|h|d)$"},
            {"const": 0},
        ]})),
        Value::Share { .. } => map(json!({"type": "string", "pattern": "^[0-9][0-9_]*([.][0-9]{1,2})?%$"})),
        Value::Number { min, max } => map(json!({"type": "number", "minimum": min, "maximum": max})),
        Value::Any => Map::new(),
        Value::List { of, min, max } => {
            map(json!({"type": "array", "items": self::value(of), "minItems": min, "maxItems": max}))
        }
        Value::Object(shape) => object(shape),
        Value::Variants { shapes, .. } => {
            map(json!({"oneOf": shapes.iter().map(|shape| variant(shape)).collect::<Vec<_>>()}))
        }
        Value::Named { name, of, min, max } => map(json!({
            "type": "object",
            "propertyNames": text_form(name),
            "additionalProperties": self::value(of),
            "minProperties": min,
            "maxProperties": max,
        })),
        Value::Known { known, name, of, max } => {
            let own = |(key, value): &(&str, Value)| ((*key).to_owned(), Json::Object(self::value(value)));
            let properties: Map<String, Json> = known.iter().map(own).collect();
            map(json!({
                "type": "object",
                "properties": properties,
                "propertyNames": text_form(name),
                "additionalProperties": self::value(of),
                "maxProperties": max,
            }))
        }
        Value::Either { single, many } => map(json!({"anyOf": [self::value(single), self::value(many)]})),
    }
}

/// One of several shapes: the one word that tells it from the others is pinned.
fn variant(shape: &Shape) -> Json {
    let mut schema = object(shape);
    let format = shape.name.split(' ').next().unwrap_or_default();
    if let Some(property) = schema.get_mut("properties").and_then(|properties| properties.get_mut("format")) {
        property["enum"] = json!([format]);
    }
    Json::Object(schema)
}

/// A word as an editor sees it: `null` without quotation marks is no text to it.
fn choices(word: &str) -> Vec<Json> {
    if word == "null" { vec![json!(word), Json::Null] } else { vec![json!(word)] }
}

fn text_form(text: &Text) -> Map<String, Json> {
    let mut schema = map(json!({"type": "string"}));
    if !text.pattern.is_empty() {
        schema.insert("pattern".into(), json!(text.pattern));
    }
    schema
}

fn map(json: Json) -> Map<String, Json> {
    if let Json::Object(map) = json { map } else { Map::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Findings;
    use crate::json::to_json;
    use crate::yaml::read;
    use regex::Regex;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn folders(below: &str) -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(below);
        root.read_dir().unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    }

    fn manifest(folder: &Path) -> Option<Json> {
        let text = fs::read_to_string(folder.join("pipeline.yaml")).unwrap();
        let mut out = Findings::new("m");
        let root = read(&text, &mut out).filter(|_| out.is_empty())?;
        serde_json::from_str(&to_json(&root, &mut out)).ok()
    }

    fn schema() -> Json {
        serde_json::from_str(&json_schema()).unwrap()
    }

    /// Whether a value is as the schema says. Knows the words that the schema uses and no others.
    fn valid(schema: &Json, value: &Json) -> bool {
        let Json::Object(words) = schema else { return *schema == json!(true) };
        words.iter().all(|(word, says)| {
            let all = |holds: &dyn Fn(&Json) -> bool| says.as_array().unwrap().iter().filter(|s| holds(s)).count();
            match word.as_str() {
                "$schema" | "title" | "description" | "default" => true,
                "type" => type_of(value).contains(&says.as_str().unwrap()),
                "const" => says == value,
                "enum" => says.as_array().unwrap().contains(value),
                "anyOf" => all(&|schema| valid(schema, value)) > 0,
                "oneOf" => all(&|schema| valid(schema, value)) == 1,
                "required" => value.as_object().is_none_or(|map| {
                    all(&|key| map.contains_key(key.as_str().unwrap())) == says.as_array().unwrap().len()
                }),
                "properties" => true,
                "additionalProperties" => value.as_object().is_none_or(|map| {
                    map.iter().all(|(key, value)| match schema["properties"].get(key) {
                        Some(property) => valid(property, value),
                        None => valid(says, value),
                    })
                }),
                "propertyNames" => value.as_object().is_none_or(|map| map.keys().all(|key| valid(says, &json!(key)))),
                "minProperties" => value.as_object().is_none_or(|map| map.len() as u64 >= says.as_u64().unwrap()),
                "maxProperties" => value.as_object().is_none_or(|map| map.len() as u64 <= says.as_u64().unwrap()),
                "items" => value.as_array().is_none_or(|items| items.iter().all(|item| valid(says, item))),
                "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= says.as_u64().unwrap()),
                "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= says.as_u64().unwrap()),
                "minimum" => value.as_u64().is_none_or(|number| number >= says.as_u64().unwrap()),
                "maximum" => value.as_u64().is_none_or(|number| number <= says.as_u64().unwrap()),
                "pattern" => {
                    value.as_str().is_none_or(|text| Regex::new(says.as_str().unwrap()).unwrap().is_match(text))
                }
                other => panic!("the schema uses `{other}`, which this test does not know"),
            }
        })
    }

    fn type_of(value: &Json) -> &'static [&'static str] {
        match value {
            Json::Null => &["null"],
            Json::Bool(_) => &["boolean"],
            Json::Number(number) if number.is_u64() || number.is_i64() => &["integer", "number"],
            Json::Number(_) => &["number"],
            Json::String(_) => &["string"],
            Json::Array(_) => &["array"],
            Json::Object(_) => &["object"],
        }
    }

    #[test]
    fn good_manifests_are_valid() {
        let schema = schema();
        for folder in folders("pipelines").into_iter().chain(folders("tests/manifests/good")) {
            assert!(valid(&schema, &manifest(&folder).unwrap()), "{}", folder.display());
        }
    }

    #[test]
    fn manifests_with_wrong_keys_values_or_numbers_are_not_valid() {
        let schema = schema();
        let words = ["unknown key", "is missing", "unknown value", "expected ", "and this is a ", "stands beside"];
        let mut tried = 0;
        for folder in folders("tests/manifests/broken") {
            let said = fs::read_to_string(folder.join("expected.txt")).unwrap_or_default();
            if let (true, Some(manifest)) = (words.iter().any(|word| said.contains(word)), manifest(&folder)) {
                assert!(!valid(&schema, &manifest), "{}", folder.display());
                tried += 1;
            }
        }
        assert!(tried > 20, "{tried}");
    }

    /// All keys of the schema with what stands under them.
    fn properties(schema: &Json) -> Vec<(&String, &Json)> {
        let children: Vec<&Json> = match schema {
            Json::Object(words) => words.values().collect(),
            Json::Array(items) => items.iter().collect(),
            _ => return Vec::new(),
        };
        let own = schema["properties"].as_object().into_iter().flatten();
        own.chain(children.into_iter().flat_map(properties)).collect()
    }

    #[test]
    fn every_key_explains_itself_and_stands_in_a_good_manifest() {
        let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/manifests/good");
        let text = |name: &str| fs::read_to_string(good.join(name).join("pipeline.yaml")).unwrap();
        let text = text("every-key") + &text("every-csv-key") + &text("every-aws-key");
        let schema = schema();
        for (key, property) in properties(&schema) {
            assert!(property["description"].as_str().is_some_and(|doc| doc.len() > 5), "{key}");
            assert!(text.contains(&format!("{key}: ")) || text.contains(&format!("{key}:\n")), "{key}");
        }
        assert!(properties(&schema).len() > 110);
    }
}
