//! What is wrong with some SQL, in the words of this project.

use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explained {
    pub message: String,
    /// Line and column in the SQL, both from 1.
    pub place: Option<(u64, u64)>,
}

/// Explains a failure. `tables`: the tables there are.
pub(crate) fn explain(error: &DataFusionError, tables: &[&str]) -> Explained {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let place = span.map(|span| (span.start.line, span.start.column));
    let (message, found) = match error.find_root() {
        DataFusionError::SQL(parser, _) => of_parser(parser),
        DataFusionError::SchemaError(schema, _) => (of_schema(schema), None),
        other => (of_text(&one_line(other), tables), None),
    };
    Explained { message, place: place.or(found) }
}

/// Characters of a message of DataFusion's own that are told at most.
const MAX_MESSAGE: usize = 300;

/// The message without the prefix that names the stage that failed, on one line.
fn one_line(error: &DataFusionError) -> String {
    let text = error.message();
    let text = text.strip_prefix("Compute error: ").unwrap_or(&text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_MESSAGE).collect::<String>().trim_end_matches('.').to_owned()
}

/// The parser appends ` at Line: 1, Column: 8` to most of its messages.
fn of_parser(error: &ParserError) -> (String, Option<(u64, u64)>) {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => return ("it is nested too deeply".into(), None),
    };
    let Some((message, place)) = text.rsplit_once(" at Line: ") else { return (lower_first(text), None) };
    let place = place.split_once(", Column: ").and_then(|(line, column)| {
        let digits = column.find(|c: char| !c.is_ascii_digit()).unwrap_or(column.len());
        Some((line.parse().ok()?, column[..digits].parse().ok()?))
    });
    (lower_first(message), place)
}

fn of_schema(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => unknown_column(field, valid_fields),
        SchemaError::AmbiguousReference { field } => {
            format!("`{}` stands for more than one column; write it with its table", field.name)
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            format!("two columns have the name `{name}`; give one another name with `as`")
        }
    }
}

fn unknown_column(field: &Column, valid: &[Column]) -> String {
    let mut names: Vec<&str> = valid.iter().map(|column| column.name.as_str()).collect();
    names.dedup();
    unknown("column", &field.name, &names)
}

/// Says that a name is not known, which one may be meant, and which there are.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let hint = match known.iter().find(|other| other.eq_ignore_ascii_case(name)) {
        Some(other) => format!("; write `\"{other}\"`, as SQL folds other names to lower case"),
        None => nearest(name, known).map_or(String::new(), |other| format!("; did you mean `{other}`?")),
    };
    match known {
        [] => format!("unknown {what} `{name}`; there is none"),
        _ => format!("unknown {what} `{name}`{hint}; known {what}s: {}", known.join(", ")),
    }
}

/// The known name that takes the fewest edits, where that is at most a third of the name (and at least one).
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    let distances = known.iter().map(|other| (edits(name, other), *other));
    distances.filter(|(distance, _)| *distance <= allowed).min().map(|(_, other)| other)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn of_text(text: &str, tables: &[&str]) -> String {
    let table = text.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found"));
    match table {
        Some(name) => unknown("table", name.rsplit('.').next().unwrap_or(name), tables),
        None => lower_first(text),
    }
}

/// The first letter in lower case, unless it begins an abbreviation.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_lowercase).into_iter().flatten();
    match text.chars().nth(1) {
        Some(second) if second.is_uppercase() => text.to_owned(),
        _ => first.chain(chars).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, expected) in [("", "", 0), ("abc", "abc", 0), ("quantty", "quantity", 1), ("kitten", "sitting", 3)] {
            assert_eq!((edits(a, b), edits(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn only_a_near_name_is_proposed() {
        let known = ["quantity", "unit_price", "Country"];
        assert!(unknown("column", "quantty", &known).contains("did you mean `quantity`?"));
        assert!(!unknown("column", "revenue", &known).contains("did you mean"));
        assert!(unknown("column", "country", &known).contains("write `\"Country\"`"));
    }
}
