//! Holding what came of a case against what was to come.

use super::values::{array, show, type_of};
use super::{Case, Expect, Outcome, Rejected};
use arrow_array::{Array, ArrayRef};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::fmt;

/// Something that is not as it was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where: a column and row, a rejection, a finding.
    pub place: String,
    /// What was to be there.
    pub expected: String,
    /// What is there.
    pub actual: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.place, self.expected, self.actual)
    }
}

impl Difference {
    fn new(place: impl Into<String>, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { place: place.into(), expected: expected.into(), actual: actual.into() }
    }
}

impl Case {
    /// Everything in which an outcome is not as the case expects it; nothing where the case passes.
    pub fn compare(&self, outcome: &Outcome) -> Vec<Difference> {
        match (&self.expect, outcome) {
            (
                Expect::Answer { columns, rejections },
                Outcome::Answer { columns: actual, rejections: actual_rejections },
            ) => {
                let rejected = actual_rejections.iter().map(|rejected| rejected.row as usize).collect();
                let mut differences = compare_rejections(rejections, actual_rejections);
                differences.extend(compare_columns(columns, actual, &rejected));
                differences
            }
            (Expect::Findings(expected), Outcome::Findings(actual)) => compare_findings(expected, actual),
            (Expect::Answer { .. }, Outcome::Findings(actual)) => {
                vec![Difference::new("configuration", "no findings", quoted(actual))]
            }
            (Expect::Findings(expected), Outcome::Answer { .. }) => {
                vec![Difference::new("configuration", format!("the findings {}", quoted(expected)), "none")]
            }
        }
    }
}

fn quoted(texts: &[String]) -> String {
    texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ")
}

fn compare_findings(expected: &[String], actual: &[String]) -> Vec<Difference> {
    if expected.len() != actual.len() {
        return vec![Difference::new("findings", quoted(expected), quoted(actual))];
    }
    let pairs = expected.iter().zip(actual).enumerate();
    pairs
        .filter(|(_, (expected, actual))| !actual.contains(expected.as_str()))
        .map(|(i, (expected, actual))| {
            Difference::new(format!("finding {i}"), format!("`{expected}` in it"), format!("`{actual}`"))
        })
        .collect()
}

fn compare_rejections(expected: &[Rejected], actual: &[Rejected]) -> Vec<Difference> {
    let show = |rejected: Option<&Rejected>| match rejected {
        None => "none".to_owned(),
        Some(Rejected { row, reason, column: None }) => format!("row {row} for `{reason}`"),
        Some(Rejected { row, reason, column: Some(column) }) => {
            format!("row {row} for `{reason}` by column `{column}`")
        }
    };
    let same = |expected: Option<&Rejected>, actual: Option<&Rejected>| match (expected, actual) {
        (Some(expected), Some(actual)) => {
            let any = expected.column.is_none();
            (expected.row, &expected.reason) == (actual.row, &actual.reason)
                && (any || expected.column == actual.column)
        }
        _ => false,
    };
    (0..expected.len().max(actual.len()))
        .map(|i| (i, expected.get(i), actual.get(i)))
        .filter(|(_, expected, actual)| !same(*expected, *actual))
        .map(|(i, expected, actual)| Difference::new(format!("rejection {i}"), show(expected), show(actual)))
        .collect()
}

fn compare_columns(
    expected: &[(String, Vec<Box<RawValue>>)],
    actual: &[(String, ArrayRef)],
    rejected: &BTreeSet<usize>,
) -> Vec<Difference> {
    let find = |name: &str| actual.iter().find(|(other, _)| other == name).map(|(_, array)| array);
    let mut differences = Vec::new();
    for (name, values) in expected {
        match find(name) {
            Some(array) => differences.extend(compare_column(name, values, array, rejected)),
            None => differences.push(Difference::new(format!("column `{name}`"), "to be written", "it is not")),
        }
    }
    let unnamed = actual.iter().filter(|(name, _)| !expected.iter().any(|(other, _)| other == name));
    differences
        .extend(unnamed.map(|(name, _)| Difference::new(format!("column `{name}`"), "not to be written", "it is")));
    differences
}

fn compare_column(
    name: &str,
    values: &[Box<RawValue>],
    actual: &ArrayRef,
    rejected: &BTreeSet<usize>,
) -> Vec<Difference> {
    let place = |row: usize| format!("column `{name}`, row {row}");
    let Some(ty) = type_of(actual) else {
        let ty = actual.data_type().to_string();
        return vec![Difference::new(format!("column `{name}`"), "a type of the contract", ty)];
    };
    if values.len() != actual.len() {
        let rows = |rows: usize| format!("{rows} rows");
        return vec![Difference::new(format!("column `{name}`"), rows(values.len()), rows(actual.len()))];
    }
    let expected = match array(ty, values) {
        Ok(expected) => expected,
        Err((row, error)) => return vec![Difference::new(place(row), error, show(actual, ty, row))],
    };
    (0..values.len())
        .filter(|row| !rejected.contains(row))
        .map(|row| (row, show(&expected, ty, row), show(actual, ty, row)))
        .filter(|(_, expected, actual)| expected != actual)
        .map(|(row, expected, actual)| Difference::new(place(row), expected, actual))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray};
    use std::sync::Arc;

    fn case(expect: &str) -> Case {
        let text = format!(
            r#"{{"name": "c", "columns": [{{"name": "x", "type": "text", "values": ["1", "2", "?"]}}], "expect": {expect}}}"#
        );
        Case::parse_file(text.as_bytes()).unwrap().remove(0)
    }

    fn rejected(row: u32, column: Option<&str>) -> Rejected {
        Rejected { row, reason: "bad".into(), column: column.map(Into::into) }
    }

    fn answer(values: Vec<Option<i64>>, rejections: Vec<Rejected>) -> Outcome {
        Outcome::Answer { columns: vec![("x".into(), Arc::new(Int64Array::from(values)))], rejections }
    }

    fn told(case: &Case, outcome: &Outcome) -> Vec<String> {
        case.compare(outcome).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_as_expected_makes_no_difference_and_rejected_rows_hold_anything() {
        let case = case(r#"{"columns": {"x": [1, null, null]}, "rejections": [{"row": 2, "reason": "bad"}]}"#);
        for left in [None, Some(7)] {
            assert!(told(&case, &answer(vec![Some(1), None, left], vec![rejected(2, Some("x"))])).is_empty());
        }
    }

    #[test]
    fn every_difference_is_told_with_its_place() {
        let case = case(
            r#"{"columns": {"x": [1, 2, 3], "y": [1, 2, 3]}, "rejections": [{"row": 2, "reason": "bad", "column": "y"}]}"#,
        );
        let outcome = answer(vec![Some(1), None, None], vec![rejected(2, Some("x")), rejected(2, None)]);
        assert_eq!(
            told(&case, &outcome),
            [
                "rejection 0: expected row 2 for `bad` by column `y`, found row 2 for `bad` by column `x`",
                "rejection 1: expected none, found row 2 for `bad`",
                "column `x`, row 1: expected 2, found null",
                "column `y`: expected to be written, found it is not",
            ]
        );
        let text = Outcome::Answer {
            columns: vec![("x".into(), Arc::new(StringArray::from(vec!["1", "2", "3"])))],
            rejections: vec![rejected(2, Some("y"))],
        };
        assert!(told(&case, &text)[0].starts_with("column `x`, row 0: expected `1` is no text; write a text"));
    }

    #[test]
    fn columns_that_nobody_expects_are_differences() {
        let told = told(&case(r#"{"rejections": []}"#), &answer(vec![None, None, None], vec![]));
        assert_eq!(told, ["column `x`: expected not to be written, found it is"]);
    }

    #[test]
    fn findings_are_held_against_findings_part_by_part() {
        let case = case(r#"{"findings": ["no column `y`", "/b"]}"#);
        let findings = |texts: &[&str]| Outcome::Findings(texts.iter().map(|&text| text.to_owned()).collect());
        assert!(told(&case, &findings(&["/a: no column `y` exists", "/b: x"])).is_empty());
        assert_eq!(
            told(&case, &findings(&["/a: no column `y` exists", "/c"])),
            ["finding 1: expected `/b` in it, found `/c`"]
        );
        assert_eq!(told(&case, &findings(&["/c"])).len(), 1);
        assert_eq!(
            told(&case, &answer(vec![None; 3], vec![]))[0],
            "configuration: expected the findings `no column `y``, `/b`, found none"
        );
    }
}
