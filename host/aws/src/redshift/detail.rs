//! What the database says of a COPY that failed: in which file, line and column, of which value.

use super::api::DataApi;
use super::ledger::{DETAIL_BYTES, cut};
use super::rows::{Rows, Value};
use super::work::Failed;
use sluice_ports::{Object, ObjectFormat};

/// Why a group of objects was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detail {
    /// Which of the objects, where the database names one.
    pub object: Option<usize>,
    /// Place and reason.
    pub text: String,
}

/// Looks up why a COPY failed.
pub(super) struct Details<'a> {
    api: &'a DataApi,
    bucket: &'a str,
}

impl<'a> Details<'a> {
    pub(super) fn new(api: &'a DataApi, bucket: &'a str) -> Self {
        Self { api, bucket }
    }

    /// What is known of a failure. That nothing more can be had is no error: the statement's own words remain.
    pub(super) async fn of(&self, failed: &Failed, group: &[Object], format: ObjectFormat) -> Detail {
        let looked_up = match format {
            ObjectFormat::Json => self.look_up(failed).await,
            // Parquet leaves its reason in the statement's error
            ObjectFormat::Parquet => None,
        };
        let (file, text) = looked_up.unwrap_or_else(|| (failed.text.clone(), failed.text.clone()));
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Detail { object: self.named(&file, group), text: cut(&text, DETAIL_BYTES as usize).to_owned() }
    }

    /// The file and the reason, from the view of today; value and reason from the table of provisioned clusters besides.
    async fn look_up(&self, failed: &Failed) -> Option<(String, String)> {
        let views = [
            ("sys_load_error_detail", "file_name", "column_name", "error_message", "query_id", "session_id"),
            ("stl_load_errors", "filename", "colname", "err_reason", "query", "session"),
        ];
        let mut found: Option<(String, String)> = None;
        for (view, file, column, reason, query, process) in views {
            let by = match (failed.query, failed.process) {
                (Some(id), _) => format!("{query} = {id}"),
                (None, Some(id)) => format!("{process} = {id}"),
                (None, None) => return None,
            };
            let value = if view == "stl_load_errors" { "TRIM(raw_field_value)" } else { "NULL" };
            let sql = format!(
                "SELECT TRIM({file}), line_number, TRIM({column}), TRIM({reason}), {value} FROM {view} WHERE {by} ORDER BY \
                 1, 2 LIMIT 1"
            );
            // serverless has no stl tables, old clusters no sys views
            let Ok(rows) = self.api.run("sluice-load-errors", &sql).await else { continue };
            found = reading(&rows).or(found);
        }
        found
    }

    /// Which object a text names, where it names exactly one. The view cuts names at 256 bytes.
    fn named(&self, text: &str, group: &[Object]) -> Option<usize> {
        let names = |object: &Object| {
            let url = format!("s3://{}/{}", self.bucket, object.key);
            text.contains(&object.key) || (text.len() >= 250 && url.starts_with(text.trim()))
        };
        let mut hits = group.iter().enumerate().filter(|(_, object)| names(object)).map(|(at, _)| at);
        let first = hits.next()?;
        hits.next().is_none().then_some(first)
    }
}

fn reading(rows: &Rows) -> Option<(String, String)> {
    rows.rows.first()?;
    let (file, reason) = (rows.at(0, 0).text()?, rows.at(0, 3).text().unwrap_or_default());
    let part = |what: &str, value: &Value| {
        let text = value.text().filter(|text| !text.is_empty());
        text.map(|text| format!(", {what} `{}`", cut(&text, 500))).unwrap_or_default()
    };
    let line = rows.at(0, 1).long().map(|line| format!(", line {line}")).unwrap_or_default();
    let (column, value) = (part("column", rows.at(0, 2)), part("value", rows.at(0, 4)));
    Some((file.clone(), format!("`{file}`{line}{column}{value}: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_gives_place_value_and_reason() {
        let text = |text: &str| Value::Text(text.into());
        let row = vec![text("s3://lake/a"), Value::Long(7), text("qty"), text("Invalid digit"), text("x1")];
        let rows = Rows { columns: vec![], rows: vec![row] };
        let (file, said) = reading(&rows).unwrap();
        assert_eq!(file, "s3://lake/a");
        assert_eq!(said, "`s3://lake/a`, line 7, column `qty`, value `x1`: Invalid digit");
        let row = vec![text("s3://lake/a"), Value::Long(7), text("qty"), text("Invalid digit"), Value::Null];
        assert!(!reading(&Rows { columns: vec![], rows: vec![row] }).unwrap().1.contains("value"));
        assert_eq!(reading(&Rows::default()), None);
    }
}
