//! What is wrong in a configuration, and the nearest name that would be right.

use std::fmt;

/// Something wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where: a JSON Pointer into the configuration (`/columns/amount/scale`), empty for the whole.
    pub path: String,
    /// What is wrong and the way out: lower case, values in backticks, no final period.
    pub message: String,
}

impl Finding {
    /// A finding at a place of the configuration.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// The name among `known` that `name` was probably meant to be: at most a third of it is different.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let close = |(distance, _): &(usize, &str)| *distance <= name.chars().count().div_ceil(3);
    known.into_iter().map(|other| (distance(name, other), other)).filter(close).min().map(|(_, other)| other)
}

/// Characters to put in, leave out or exchange to make `b` of `a` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let exchanged = above[j] + usize::from(x != y);
            row.push(exchanged.min(above[j + 1] + 1).min(row[j] + 1));
        }
        above = row;
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let known = ["status", "quantity", "amount"];
        assert_eq!(nearest("statsu", known), Some("status"));
        assert_eq!(nearest("quantty", known), Some("quantity"));
        assert_eq!(nearest("email", known), None);
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }
}
