//! Prefixes with expressions: `raw/!{timestamp:yyyy/MM/dd}/!{firehose:random-string}/`.
//!
//! <https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html>

use super::date::Date;
use std::time::SystemTime;

/// What Firehose appends to a prefix without a timestamp.
const DEFAULT_TIMESTAMP: &str = "yyyy/MM/dd/HH/";

/// The pattern letters of times that are understood.
const FIELDS: [&str; 6] = ["yyyy", "MM", "dd", "HH", "mm", "ss"];

/// A parsed prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prefix {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Timestamp(String),
    RandomString,
    ErrorType,
}

impl Prefix {
    /// The prefix of objects; without one they go by time alone.
    pub(super) fn of_objects(text: Option<&str>) -> Result<Self, String> {
        let prefix = Self::parse(text.unwrap_or_default())?;
        if prefix.pieces.contains(&Piece::ErrorType) {
            return Err("Prefix cannot contain !{firehose:error-output-type}".to_owned());
        }
        Ok(prefix.with_time())
    }

    /// The prefix of what failed. A prefix of objects that has expressions asks for one.
    pub(super) fn of_errors(text: Option<&str>, objects: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else {
            if objects.is_some_and(|objects| objects.contains("!{")) {
                return Err("ErrorOutputPrefix is needed when Prefix contains expressions".to_owned());
            }
            return Self::parse("!{firehose:error-output-type}/").map(Self::with_time);
        };
        let prefix = Self::parse(text)?;
        let plain = prefix.pieces.iter().all(|piece| matches!(piece, Piece::Text(_)));
        if !plain && !prefix.pieces.contains(&Piece::ErrorType) {
            return Err("ErrorOutputPrefix with expressions needs !{firehose:error-output-type}".to_owned());
        }
        Ok(prefix.with_time())
    }

    /// The prefix of one object, by the arrival of its oldest record.
    pub(super) fn render(&self, time: SystemTime, error_type: &str, mut random: impl FnMut() -> String) -> String {
        let date = Date::of(time);
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Timestamp(pattern) => render_time(pattern, &date),
            Piece::RandomString => random(),
            Piece::ErrorType => error_type.to_owned(),
        };
        self.pieces.iter().map(text).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("!{") {
            let end = rest[start..].find('}').ok_or_else(|| format!("expression in `{text}` does not end"))? + start;
            if start > 0 {
                pieces.push(Piece::Text(rest[..start].to_owned()));
            }
            pieces.push(expression(&rest[start + 2..end])?);
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { pieces })
    }

    fn with_time(mut self) -> Self {
        if !self.pieces.iter().any(|piece| matches!(piece, Piece::Timestamp(_))) {
            self.pieces.push(Piece::Timestamp(DEFAULT_TIMESTAMP.to_owned()));
        }
        self
    }
}

fn expression(text: &str) -> Result<Piece, String> {
    match text.split_once(':') {
        Some(("timestamp", pattern)) => check_pattern(pattern).map(|()| Piece::Timestamp(pattern.to_owned())),
        Some(("firehose", "random-string")) => Ok(Piece::RandomString),
        Some(("firehose", "error-output-type")) => Ok(Piece::ErrorType),
        _ => Err(format!("expression `!{{{text}}}` is not known to this server")),
    }
}

fn check_pattern(pattern: &str) -> Result<(), String> {
    let left = FIELDS.iter().fold(unquoted(pattern), |left, field| left.replace(field, ""));
    match left.chars().find(char::is_ascii_alphabetic) {
        Some(letter) => Err(format!("pattern letter `{letter}` in timestamp `{pattern}` is not known to this server")),
        None => Ok(()),
    }
}

/// The pattern without its quoted texts.
fn unquoted(pattern: &str) -> String {
    pattern.split('\'').step_by(2).collect()
}

fn render_time(pattern: &str, date: &Date) -> String {
    let part = |(at, part): (usize, &str)| if at % 2 == 1 { part.to_owned() } else { date.format(part) };
    pattern.split('\'').enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn at(prefix: &Prefix) -> String {
        let time = UNIX_EPOCH + Duration::from_secs(1_322_904_009); // 2011-12-03 09:20:09
        prefix.render(time, "processing-failed", || "r4nd0m".to_owned())
    }

    #[test]
    fn objects_go_by_time_unless_told() {
        assert_eq!(at(&Prefix::of_objects(None).unwrap()), "2011/12/03/09/");
        assert_eq!(at(&Prefix::of_objects(Some("raw/")).unwrap()), "raw/2011/12/03/09/");
        let told = "raw/day=!{timestamp:yyyy-MM-dd}/!{timestamp:HH'h'mm}/!{firehose:random-string}/";
        assert_eq!(at(&Prefix::of_objects(Some(told)).unwrap()), "raw/day=2011-12-03/09h20/r4nd0m/");
    }

    #[test]
    fn errors_go_by_their_type() {
        assert_eq!(at(&Prefix::of_errors(None, Some("raw/")).unwrap()), "processing-failed/2011/12/03/09/");
        let told = "bad/!{firehose:error-output-type}/";
        assert_eq!(at(&Prefix::of_errors(Some(told), None).unwrap()), "bad/processing-failed/2011/12/03/09/");
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        assert!(Prefix::of_objects(Some("!{firehose:error-output-type}/")).is_err());
        assert!(Prefix::of_objects(Some("!{timestamp:yyyy")).is_err());
        assert!(Prefix::of_objects(Some("!{timestamp:qq}")).is_err());
        assert!(Prefix::of_objects(Some("!{partitionKeyFromQuery:c}/")).is_err());
        assert!(Prefix::of_errors(None, Some("!{timestamp:yyyy}/")).is_err());
        assert!(Prefix::of_errors(Some("bad/!{timestamp:yyyy}/"), None).is_err());
    }
}
