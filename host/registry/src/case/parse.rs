//! Reading cases.

use super::{Case, Expect, Groups, Rejected, values};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use sluice_batch::{ColumnType, Field};
use std::collections::BTreeSet;
use std::fmt;

/// Most rows of a case: it shows something, it measures nothing.
const MAX_ROWS: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default)]
    config: Option<Box<RawValue>>,
    columns: Vec<Column>,
    #[serde(default)]
    writes: Option<Vec<String>>,
    #[serde(default)]
    grants: Vec<String>,
    #[serde(default)]
    aggregate: Option<Groups>,
    expect: WrittenExpect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    ty: ColumnType,
    values: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExpect {
    #[serde(default)]
    columns: Option<Columns>,
    #[serde(default)]
    rejections: Option<Vec<Rejected>>,
    #[serde(default)]
    findings: Option<Vec<String>>,
}

/// An object whose members are read in order; a member that stands twice is an error.
struct Columns(Vec<(String, Vec<Box<RawValue>>)>);

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of columns, each a list of values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns, A::Error> {
                let mut columns: Vec<(String, Vec<Box<RawValue>>)> = Vec::new();
                while let Some((name, values)) = map.next_entry::<String, _>()? {
                    if columns.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format_args!("column `{name}` stands there twice")));
                    }
                    columns.push((name, values));
                }
                Ok(Columns(columns))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Case {
    /// Reads a file of cases: one case, or a list of them.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse_file(bytes: &[u8]) -> Result<Vec<Self>, String> {
        let is_list = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[');
        let written: Vec<Written> = match is_list {
            true => serde_json::from_slice(bytes).map_err(|error| error.to_string())?,
            false => vec![serde_json::from_slice(bytes).map_err(|error| error.to_string())?],
        };
        if written.is_empty() {
            return Err("the list holds no case".to_owned());
        }
        written.into_iter().map(Self::check).collect()
    }

    fn check(written: Written) -> Result<Self, String> {
        let name = written.name.clone();
        Self::checked(written).map_err(|error| format!("`{name}`: {error}"))
    }

    fn checked(written: Written) -> Result<Self, String> {
        let rows = written.columns.first().map_or(0, |column| column.values.len());
        let expect = expect(written.expect)?;
        let (mut fields, mut arrays, mut names) = (vec![], vec![], BTreeSet::new());
        for column in written.columns {
            let values = column.values.len();
            if values != rows || rows > MAX_ROWS {
                let (name, first) = (&column.name, fields.first().map_or("", |field: &Field| field.name.as_str()));
                return Err(match rows > MAX_ROWS {
                    true => format!("column `{name}` has {rows} values; a case has at most {MAX_ROWS} rows"),
                    false => format!("column `{name}` has {values} values, column `{first}` has {rows}"),
                });
            }
            if !names.insert(column.name.clone()) {
                return Err(format!("column `{}` stands there twice", column.name));
            }
            let array = values::array(column.ty, &column.values)
                .map_err(|(row, error)| format!("column `{}`, row {row}: {error}", column.name))?;
            arrays.push(array);
            fields.push(Field { name: column.name, ty: column.ty, nullable: true });
        }
        if let Some(groups) = &written.aggregate {
            groups.check(rows)?;
        }
        expect.check(rows, written.aggregate.as_ref())?;
        let writes = match (written.writes, &expect) {
            (Some(writes), _) => writes,
            (None, Expect::Answer { columns, .. }) if written.aggregate.is_none() => {
                columns.iter().map(|(name, _)| name.clone()).collect()
            }
            (None, _) => vec![],
        };
        let config = written.config.map_or_else(|| "{}".to_owned(), |config| config.get().to_owned());
        let Written { name, grants, aggregate: groups, .. } = written;
        Ok(Self { name, config, fields, arrays, rows, writes, grants, groups, expect })
    }
}

fn expect(written: WrittenExpect) -> Result<Expect, String> {
    match (written.findings, written.columns, written.rejections) {
        (Some(findings), None, None) if !findings.is_empty() => Ok(Expect::Findings(findings)),
        (Some(_), None, None) => Err("`findings` is empty; name at least one, or leave it out".to_owned()),
        (Some(_), ..) => Err("a rule that has `findings` gives neither `columns` nor `rejections`".to_owned()),
        (None, None, None) => Err("nothing is expected; name `columns`, `rejections` or `findings`".to_owned()),
        (None, columns, rejections) => Ok(Expect::Answer {
            columns: columns.map_or_else(Vec::new, |Columns(columns)| columns),
            rejections: rejections.unwrap_or_default(),
        }),
    }
}

impl Groups {
    fn check(&self, rows: usize) -> Result<(), String> {
        let (groups, count) = (self.groups.len(), self.count);
        if groups != rows {
            return Err(format!("`aggregate` has {groups} groups for {rows} rows"));
        }
        if count as usize > MAX_ROWS {
            return Err(format!("`aggregate` counts {count} groups; a case has at most {MAX_ROWS}"));
        }
        match self.groups.iter().find(|group| **group >= count) {
            Some(group) => Err(format!("`aggregate` has the group {group}, which is not less than its count {count}")),
            None => Ok(()),
        }
    }
}

impl Expect {
    fn check(&self, rows: usize, groups: Option<&Groups>) -> Result<(), String> {
        let Self::Answer { columns, rejections } = self else { return Ok(()) };
        let wanted = groups.map_or(rows, |groups| groups.count as usize);
        for (name, values) in columns {
            let values = values.len();
            if values != wanted {
                return Err(format!("column `{name}` of `expect` has {values} values; {wanted} are to come"));
            }
        }
        match rejections.iter().find(|rejected| rejected.row as usize >= rows) {
            Some(rejected) => {
                Err(format!("row {} of `expect.rejections` is not there; the case has {rows} rows", rejected.row))
            }
            None if groups.is_some() && !rejections.is_empty() => Err("an aggregator rejects no rows".to_owned()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Case::parse_file(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_file_holds_one_case_or_several() {
        let one = r#"{"name": "a", "config": {"b": 1.50}, "columns": [{"name": "x", "type": "int64", "values": [1, null]}],
            "expect": {"columns": {"y": ["1", null]}}}"#;
        let cases = Case::parse_file(one.as_bytes()).unwrap();
        assert_eq!(cases.len(), 1);
        assert_eq!(
            (cases[0].rows, cases[0].config.as_str()),
            (2, r#"{"b": 1.50}"#),
            "the configuration as it is written"
        );
        assert_eq!(cases[0].writes, ["y"]);
        assert_eq!(Case::parse_file(format!(" [{one}, {one}]").as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn each_mistake_is_told_with_its_place() {
        let columns = r#"[{"name": "x", "type": "int64", "values": [1, 2]}]"#;
        let with = |more: &str| format!(r#"{{"name": "c", "columns": {columns}, {more}}}"#);
        for (text, part) in [
            ("[]".to_owned(), "the list holds no case"),
            ("{}".to_owned(), "missing field `name`"),
            (with(r#""expects": {}"#), "unknown field `expects`"),
            (with(r#""expect": {}"#), "`c`: nothing is expected"),
            (with(r#""expect": {"findings": []}"#), "`findings` is empty"),
            (with(r#""expect": {"findings": ["a"], "columns": {}}"#), "gives neither"),
            (with(r#""expect": {"columns": {"y": [1]}}"#), "column `y` of `expect` has 1 values; 2 are to come"),
            (with(r#""expect": {"columns": {"y": [1, 2], "y": [1, 2]}}"#), "column `y` stands there twice"),
            (
                with(r#""expect": {"rejections": [{"row": 2, "reason": "r"}]}"#),
                "row 2 of `expect.rejections` is not there",
            ),
            (with(r#""aggregate": {"groups": [0], "count": 1}, "expect": {"columns": {}}"#), "1 groups for 2 rows"),
            (with(r#""aggregate": {"groups": [0, 1], "count": 1}, "expect": {"columns": {}}"#), "the group 1"),
            (
                with(r#""expect": {"columns": {}}"#).replace("[1, 2]", "[1, \"2\"]"),
                "`c`: column `x`, row 1: `\"2\"` is no int64",
            ),
            (with(r#""expect": {"columns": {}}"#).replace("int64", "int"), "unknown column type `int`"),
            (
                with(r#""expect": {"columns": {}}"#)
                    .replace("[{", r#"[{"name": "x", "type": "text", "values": ["", ""]}, {"#),
                "column `x` stands there twice",
            ),
        ] {
            let told = refused(&text);
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}
