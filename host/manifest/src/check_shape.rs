//! A tree against the table of keys: unknown and missing keys, wrong types, values out of range. Everything at once.

use crate::finding::{Findings, Pos};
use crate::number::Plain;
use crate::shape::{Key, Shape, Text, Value};
use crate::suggest::{nearest, way_out};
use crate::units::{format_duration, format_size, parse_duration, parse_number, parse_share, parse_size, whole};
use crate::yaml::{Entry, Kind, Node};
use std::time::Duration;

/// Reports everything in `node` that `value` does not allow. `at` names the place: `segment.bytes`.
pub(crate) fn check(node: &Node, value: &'static Value, at: &str, out: &mut Findings) {
    match value {
        Value::Object(shape) => check_object(node, shape, &[], at, out),
        Value::Variants { pick, shapes } => check_object(node, shapes[pick(node)], shapes, at, out),
        Value::List { of, min, max } => check_list(node, of, (*min, *max), at, out),
        Value::Named { name, of, min, max } => check_named(node, name, of, (*min, *max), at, out),
        Value::Known { known, name, of, max } => check_known(node, known, (name, of, *max), at, out),
        Value::Either { single, many } => {
            check(node, if matches!(node.kind, Kind::Scalar { .. }) { single } else { many }, at, out);
        }
        Value::Any => {}
        _ => {
            if let Err(message) = check_scalar(node, value) {
                out.push(node.pos, format!("`{at}`: {message}"));
            }
        }
    }
}

fn expected(what: &str, node: &Node) -> String {
    let way_out = if node.plain() == Some(Plain::Null) { "; give it a value or leave the key out" } else { "" };
    format!("expected {what}, found {}{way_out}", node.found())
}

fn check_scalar(node: &Node, value: &Value) -> Result<(), String> {
    match value {
        Value::Text(text) => check_text(node, text),
        Value::Choice(words) => check_choice(node, words),
        Value::Flag => match node.plain() {
            Some(Plain::Bool(_)) => Ok(()),
            _ => Err(expected("`true` or `false`", node)),
        },
        Value::True => match node.plain() {
            Some(Plain::Bool(true)) => Ok(()),
            _ => Err(expected("`true` (the first line names the fields) or a list of the names", node)),
        },
        Value::Count { min, max } => check_count(node, *min, *max),
        Value::Size { min, max } => check_size(node, *min, *max),
        Value::Time { min, max } => check_time(node, *min, *max),
        Value::Share { min, max } => check_share(node, *min, *max),
        Value::Number { min, max } => check_number(node, *min, *max),
        _ => Ok(()),
    }
}

fn check_text(node: &Node, form: &Text) -> Result<(), String> {
    let quoted_is_fine = node.scalar().is_some_and(|text| (form.check)(text).is_ok());
    match (node.text(), node.plain()) {
        (Some(text), _) => (form.check)(text),
        (None, Some(Plain::Whole(_) | Plain::Real(_))) if quoted_is_fine => {
            Err(format!("{}; put it in quotation marks", expected(form.what, node)))
        }
        _ => Err(expected(form.what, node)),
    }
}

fn check_choice(node: &Node, words: &[(&str, &str)]) -> Result<(), String> {
    let known = words.iter().map(|(word, _)| *word);
    match node.scalar() {
        Some(given) if words.iter().any(|(word, _)| *word == given) => Ok(()),
        Some(given) if !given.is_empty() => Err(format!("unknown value `{given}`{}", way_out(given, known, "values"))),
        _ => Err(expected(&format!("one of {}", known.collect::<Vec<_>>().join(", ")), node)),
    }
}

fn check_count(node: &Node, min: u64, max: u64) -> Result<(), String> {
    let count = node.scalar().and_then(whole).ok_or_else(|| expected("a whole number", node))?;
    if (min..=max).contains(&count) {
        Ok(())
    } else {
        Err(format!("{count} is out of range; the range is {min} to {max}"))
    }
}

fn check_size(node: &Node, min: u64, max: u64) -> Result<(), String> {
    let text = scalar_for(node, "a size (`64MiB`)")?;
    let size = parse_size(text)?;
    let range = || format!("the range is {} to {}", format_size(min), format_size(max));
    if (min..=max).contains(&size) { Ok(()) } else { Err(format!("`{text}` is out of range; {}", range())) }
}

fn check_time(node: &Node, min: u64, max: u64) -> Result<(), String> {
    let text = scalar_for(node, "a duration (`30s`)")?;
    let (min, max) = (Duration::from_millis(min), Duration::from_millis(max));
    let range = || format!("the range is {} to {}", format_duration(min), format_duration(max));
    if (min..=max).contains(&parse_duration(text)?) {
        Ok(())
    } else {
        Err(format!("`{text}` is out of range; {}", range()))
    }
}

fn check_share(node: &Node, min: u64, max: u64) -> Result<(), String> {
    let text = scalar_for(node, "a share (`10%`)")?;
    if (min as f64..=max as f64).contains(&(parse_share(text)? * 100.0)) {
        Ok(())
    } else {
        Err(format!("`{text}` is out of range; the range is {min}% to {max}%"))
    }
}

fn check_number(node: &Node, min: u64, max: u64) -> Result<(), String> {
    let text = scalar_for(node, "a number (`0.25`)")?;
    if (min as f64..=max as f64).contains(&parse_number(text)?) {
        Ok(())
    } else {
        Err(format!("{text} is out of range; the range is {min} to {max}"))
    }
}

/// The text of a scalar that is neither nothing nor a boolean.
fn scalar_for<'a>(node: &'a Node, what: &str) -> Result<&'a str, String> {
    match node.plain() {
        None | Some(Plain::Null | Plain::Bool(_)) => Err(expected(what, node)),
        Some(_) => Ok(node.scalar().unwrap_or_default()),
    }
}

fn check_list(node: &Node, of: &'static Value, count: (usize, usize), at: &str, out: &mut Findings) {
    let Kind::List(items) = &node.kind else {
        let way_out = match node.text() {
            Some(text) if matches!(of, Value::Text(_) | Value::Choice(_)) => format!("; write `[{text}]`"),
            _ => String::new(),
        };
        out.push(node.pos, format!("`{at}`: {}{way_out}", expected("a list", node)));
        return;
    };
    check_length(items.len(), "list", count, node.pos, at, out);
    for (n, item) in items.iter().enumerate() {
        check(item, of, &format!("{at}[{n}]"), out);
    }
}

/// Over the limit nothing else is looked at: later phases compare all entries with all.
fn check_length(length: usize, what: &str, (min, max): (usize, usize), pos: Pos, at: &str, out: &mut Findings) {
    if length < min {
        out.push(pos, format!("`{at}`: the {what} is empty; it needs at least {min} entry"));
    }
    if length > max {
        out.push_last(pos, format!("`{at}`: the {what} has {length} entries; the limit is {max}"));
    }
}

/// A mapping whose keys are names that the author gives.
fn check_named(node: &Node, name: &Text, of: &'static Value, count: (usize, usize), at: &str, out: &mut Findings) {
    let Kind::Map(entries) = &node.kind else {
        return out.push(node.pos, format!("`{at}`: {}", expected("a mapping of names", node)));
    };
    check_length(entries.len(), "mapping", count, node.pos, at, out);
    for Entry { key, key_pos, value } in entries {
        if let Err(message) = (name.check)(key) {
            out.push(*key_pos, message);
        }
        check(value, of, &join(at, key), out);
    }
}

/// A mapping of names, some of which have a form of their own.
fn check_known(
    node: &Node,
    known: &'static [(&'static str, Value)],
    (name, of, max): (&Text, &'static Value, usize),
    at: &str,
    out: &mut Findings,
) {
    let Kind::Map(entries) = &node.kind else {
        return out.push(node.pos, format!("`{at}`: {}", expected("a mapping of names", node)));
    };
    check_length(entries.len(), "mapping", (0, max), node.pos, at, out);
    for Entry { key, key_pos, value } in entries {
        let own = known.iter().find(|(known, _)| known == key).map(|(_, value)| value);
        if let (None, Err(message)) = (own, (name.check)(key)) {
            out.push(*key_pos, message);
        }
        check(value, own.unwrap_or(of), &join(at, key), out);
    }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}

fn check_object(node: &Node, shape: &'static Shape, others: &[&'static Shape], at: &str, out: &mut Findings) {
    let Kind::Map(entries) = &node.kind else {
        let known = shape.names().take(4).collect::<Vec<_>>().join(", ");
        let what = if at.is_empty() { "the manifest".to_owned() } else { format!("`{at}`") };
        return out.push(node.pos, format!("{what}: {}", expected(&format!("a mapping ({known}, ...)"), node)));
    };
    // A key that is known to be a slip of another is not reported as missing as well.
    let mut meant = Vec::new();
    for entry in entries {
        match shape.key(&entry.key) {
            Some(key) => check(&entry.value, &key.value, &join(at, &entry.key), out),
            None => meant.extend(unknown_key(entry, node, shape, others, out)),
        }
    }
    let stands = |name: &str| node.get(name).is_some() || meant.contains(&name);
    for key in shape.keys.iter().filter(|key| key.required && !stands(key.name)) {
        out.push(node.pos, missing_key(key, at));
    }
    check_groups(node.pos, shape, at, &stands, entries, out);
}

/// Reports a key that the shape does not have. Gives the key that was probably meant.
fn unknown_key(
    entry: &Entry,
    node: &Node,
    shape: &'static Shape,
    others: &[&'static Shape],
    out: &mut Findings,
) -> Option<&'static str> {
    let key = &entry.key;
    if shape.one_of.contains(&key.as_str()) {
        // A second verb of a step: reported as such.
        return None;
    }
    if let Some(other) = others.iter().find(|other| other.key(key).is_some()) {
        let message = format!("key `{key}` is for a {}, and this is a {}; leave it out", other.name, shape.name);
        out.push(entry.key_pos, message);
        return None;
    }
    let meant = nearest(key, shape.names().filter(|name| node.get(name).is_none()));
    let way_out = match meant {
        Some(name) => format!("; did you mean `{name}`?"),
        None => format!("; known keys: {}", shape.names().collect::<Vec<_>>().join(", ")),
    };
    out.push(entry.key_pos, format!("unknown key `{key}`{way_out}"));
    meant
}

fn missing_key(key: &Key, at: &str) -> String {
    let place = if at.is_empty() { String::new() } else { format!("`{at}`: ") };
    format!("{place}key `{}` is missing: {}", key.name, first_sentence(key.doc))
}

/// The first sentence of a key's description, as the end of a message.
fn first_sentence(doc: &str) -> String {
    let end = doc.find(". ").unwrap_or(doc.len());
    let sentence = doc[..end].trim_end_matches('.');
    let mut chars = sentence.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

fn check_groups(
    pos: Pos,
    shape: &Shape,
    at: &str,
    stands: &dyn Fn(&str) -> bool,
    entries: &[Entry],
    out: &mut Findings,
) {
    let names = |group: &[&str]| group.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if !shape.one_of.is_empty() {
        let given: Vec<&Entry> = entries.iter().filter(|entry| shape.one_of.contains(&entry.key.as_str())).collect();
        if given.is_empty() && !shape.one_of.iter().any(|name| stands(name)) {
            out.push(pos, format!("`{at}`: a {} needs one of {}", shape.name, names(shape.one_of)));
        }
        for second in given.iter().skip(1) {
            let (first, second_key) = (&given[0].key, &second.key);
            // In a list there is room for another entry.
            let way_out = if at.ends_with(']') { "give the other an entry of its own" } else { "leave one out" };
            let name = shape.name;
            let message =
                format!("`{at}`: `{second_key}` stands beside `{first}`; a {name} takes one of them, {way_out}");
            out.push(second.key_pos, message);
        }
    }
    if !shape.any_of.is_empty() && !shape.any_of.iter().any(|name| stands(name)) {
        out.push(pos, format!("`{at}` needs at least one of {}", names(shape.any_of)));
    }
}
