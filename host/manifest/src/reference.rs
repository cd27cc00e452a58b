//! The tables of `host/docs/manifest.md`, written from the table of keys. Only tests need them: `SLUICE_BLESS=1` writes
//! the page anew, and without it a page that disagrees with the code fails.

use crate::json_schema::range;
use crate::keys;
use crate::shape::{Key, Shape, Value};
use std::path::Path;

const BEGIN: &str = "<!-- keys: written from the code -->\n";
const END: &str = "<!-- end of keys -->\n";

/// All tables, the manifest's own first.
fn tables() -> String {
    let mut text = String::new();
    table("", &[&keys::MANIFEST], &mut text);
    text
}

fn table(at: &str, shapes: &[&'static Shape], text: &mut String) {
    for shape in shapes {
        let title = match (at, shapes.len()) {
            ("", _) => "The manifest".to_owned(),
            (at, 1) => format!("`{at}`"),
            (at, _) => format!("`{at}`, {}", shape.name),
        };
        *text += &format!(
            "\n### {title}\n\n{}\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n",
            shape.doc
        );
        for key in shape.keys {
            *text += &row(key);
        }
        for key in shape.keys {
            for (at, shapes) in below(at, key.name, &key.value) {
                // Limits are the same everywhere: they stand once.
                if !text.contains(&format!("\n{}\n", shapes[0].doc)) {
                    table(&at, &shapes, text);
                }
            }
        }
    }
}

/// The shapes under a value, and where they stand.
fn below(at: &str, key: &str, value: &'static Value) -> Vec<(String, Vec<&'static Shape>)> {
    let at = if at.is_empty() {
        key.to_owned()
    } else if key.is_empty() {
        at.to_owned()
    } else {
        format!("{at}.{key}")
    };
    match value {
        Value::Object(shape) => vec![(at, vec![*shape])],
        Value::Variants { shapes, .. } => vec![(at, shapes.to_vec())],
        Value::List { of, .. } => below(&format!("{at}[]"), "", of),
        Value::Named { of, .. } => below(&format!("{at}.NAME"), "", of),
        Value::Known { known, of, .. } => {
            let own = known.iter().flat_map(|(key, value)| below(&at, key, value));
            own.chain(below(&format!("{at}.NAME"), "", of)).collect()
        }
        Value::Either { many, .. } => below(&at, "", many),
        _ => Vec::new(),
    }
}

fn row(key: &Key) -> String {
    let default = match (key.required, key.default) {
        (true, _) => "required".to_owned(),
        (_, "") => String::new(),
        (_, default) => format!("`{default}`"),
    };
    let words = match &key.value {
        Value::Choice(words) | Value::List { of: Value::Choice(words), .. } => {
            words.iter().map(|(word, doc)| format!("`{word}` {doc}")).collect::<Vec<_>>().join("; ")
        }
        _ => String::new(),
    };
    let meaning = [key.doc, &words].join(" ").replace('|', "\\|");
    format!("| `{}` | {} | {default} | {} |\n", key.name, shown(&key.value), meaning.trim_end())
}

fn shown(value: &Value) -> String {
    let range = range(value).map_or(String::new(), |range| format!(", {range}"));
    match value {
        Value::Text(text) => text.what.to_owned(),
        Value::Choice(_) => "one word".to_owned(),
        Value::Flag => "`true` or `false`".to_owned(),
        Value::True => "`true`".to_owned(),
        Value::Count { .. } => format!("whole number{range}"),
        Value::Size { .. } => format!("size{range}"),
        Value::Time { .. } => format!("duration{range}"),
        Value::Share { .. } => format!("share{range}"),
        Value::Number { .. } => format!("number{range}"),
        Value::Any => "anything".to_owned(),
        Value::List { of, .. } => format!("list: {}", shown(of)),
        Value::Object(_) | Value::Variants { .. } | Value::Known { .. } => "mapping".to_owned(),
        Value::Named { of, .. } => format!("mapping from name to {}", shown(of)),
        Value::Either { single, many } => format!("{}, or {}", shown(single), shown(many)),
    }
}

#[test]
fn the_reference_page_says_what_the_code_does() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manifest.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let fresh = format!("{head}{BEGIN}{}\n{END}{tail}", tables());
    if std::env::var_os("SLUICE_BLESS").is_some() {
        std::fs::write(&page, &fresh).unwrap();
        return;
    }
    assert!(fresh == text, "host/docs/manifest.md is behind the code; SLUICE_BLESS=1 writes it anew");
}
