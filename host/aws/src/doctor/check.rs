//! What was found, and how it is shown.

use crate::redshift::{Finding, Level};
use serde::Serialize;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// A run would go on, and somebody should look.
    Warn,
    /// A run would fail.
    Fail,
}

impl Status {
    fn shown(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it came out.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to do about it, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
}

impl Check {
    /// A check that came out somehow.
    pub fn new(status: Status, name: impl Into<String>, found: impl Into<String>, way_out: Option<&str>) -> Self {
        Self { name: name.into(), status, found: found.into(), way_out: way_out.map(str::to_owned) }
    }

    pub(super) fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Status::Ok, name, found, None)
    }

    pub(super) fn warn(name: impl Into<String>, found: impl Into<String>, way_out: &str) -> Self {
        Self::new(Status::Warn, name, found, Some(way_out))
    }

    pub(super) fn fail(name: impl Into<String>, found: impl Into<String>, way_out: &str) -> Self {
        Self::new(Status::Fail, name, found, Some(way_out))
    }
}

impl From<Finding> for Check {
    fn from(finding: Finding) -> Self {
        let status = match finding.level {
            Level::Good => Status::Ok,
            Level::Warning => Status::Warn,
            Level::Bad => Status::Fail,
        };
        Self { name: finding.subject, status, found: finding.found, way_out: finding.way_out }
    }
}

/// The worst that was found; fine where nothing was looked at.
pub fn worst(checks: &[Check]) -> Status {
    checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok)
}

/// A line for each check, in columns, with the way out below it; a line end after each.
pub fn text(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let line = |check: &Check| {
        let Check { name, status, found, way_out } = check;
        let way_out =
            way_out.as_ref().map_or(String::new(), |way_out| format!("{:width$}        way out: {way_out}\n", ""));
        format!("{:<4}  {name:<width$}  {found}\n{way_out}", status.shown())
    };
    checks.iter().map(line).collect()
}

/// A list of objects with `name`, `status`, `found` and, where there is one, `way_out`; indented, with a line end.
pub fn json(checks: &[Check]) -> String {
    let text = serde_json::to_string_pretty(checks).expect("checks are plain data");
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Check> {
        vec![Check::ok("lake", "there"), Check::warn("stream `a`", "24 h", "keep records longer")]
    }

    #[test]
    fn checks_stand_in_columns_with_the_way_out_below() {
        let expected = concat!(
            "ok    lake        there\n",
            "warn  stream `a`  24 h\n",
            "                  way out: keep records longer\n",
        );
        assert_eq!(text(&some()), expected);
        assert_eq!((worst(&some()), worst(&[])), (Status::Warn, Status::Ok));
    }

    #[test]
    fn checks_are_flat_objects_in_json() {
        let json: serde_json::Value = serde_json::from_str(&json(&some())).unwrap();
        assert_eq!(json[0], serde_json::json!({"name": "lake", "status": "ok", "found": "there"}));
        assert_eq!(json[1]["way_out"], "keep records longer");
    }

    #[test]
    fn findings_of_the_warehouse_are_checks() {
        let finding =
            Finding { subject: "isolation".into(), level: Level::Bad, found: "x".into(), way_out: Some("y".into()) };
        assert_eq!(Check::from(finding), Check::fail("isolation", "x", "y"));
    }
}
