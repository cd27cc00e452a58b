//! Tables as they are, and making them what the manifest wants.

use super::api::DataApi;
use super::ddl::TableDef;
use super::evolve::{Change, Existing, changes};
use super::sql::{SqlType, ident, text};
use super::work::{Failure, MAX_STATEMENTS};
use sluice_ports::Result;

/// How often a table is looked at again after a change that another loader may have made first.
const ROUNDS: u32 = 3;

/// The columns of a table, none where there is no such table.
///
/// # Errors
/// As the Data API fails.
pub(super) async fn columns(api: &DataApi, schema: &str, table: &str) -> std::result::Result<Vec<Existing>, Failure> {
    let sql = format!(
        "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable FROM \
         svv_columns WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
        text(schema),
        text(table)
    );
    let rows = api.run("sluice-columns", &sql).await?;
    let column = |at: usize| {
        let value = |column: usize| rows.at(at, column);
        let type_name = value(1).text().unwrap_or_default();
        Existing {
            name: value(0).text().unwrap_or_default(),
            ty: SqlType::from_view(&type_name, value(2).long(), value(3).long(), value(4).long()),
            type_name,
            nullable: value(5).text().is_none_or(|text| !text.eq_ignore_ascii_case("no")),
        }
    };
    Ok((0..rows.rows.len()).map(column).collect())
}

/// Makes the schema where it is missing.
///
/// # Errors
/// As the Data API fails.
pub(super) async fn make_schema(api: &DataApi, schema: &str) -> Result<Option<String>> {
    let there = format!("SELECT COUNT(*) FROM pg_namespace WHERE nspname = {}", text(schema));
    let what = format!("looking for schema `{schema}`");
    let count = api.value("sluice-schema", &there).await.map_err(|error| error.into_port(&what))?;
    if count.and_then(|count| count.long()).unwrap_or(0) > 0 {
        return Ok(None);
    }
    let sql = format!("CREATE SCHEMA IF NOT EXISTS {}", ident(schema));
    let what = format!("making schema `{schema}`");
    // two that make it at once may collide in spite of IF NOT EXISTS; the second time it is there
    if api.run("sluice-schema", &sql).await.is_err() {
        api.run("sluice-schema", &sql).await.map_err(|error| error.into_port(&what))?;
    }
    Ok(Some(format!("made schema `{schema}`")))
}

/// Makes a table, or makes it fit; says what was done. Two that do so at once both come through: what one finds done by
/// the other it looks at again.
///
/// # Errors
/// As [`changes`], and as the Data API fails.
pub(super) async fn make_table(api: &DataApi, def: &TableDef, grants: &[String]) -> Result<Vec<String>> {
    let mut done = vec![];
    let mut failed = Failure::Conflict("others change it all the time".into());
    for _ in 0..ROUNDS {
        let what = format!("looking at table `{}.{}`", def.schema, def.name);
        let existing = columns(api, &def.schema, &def.name).await.map_err(|error| error.into_port(&what))?;
        let tried = match existing.is_empty() {
            true => create(api, def, grants, &mut done).await,
            false => apply(api, &changes(def, &existing)?, &mut done).await,
        };
        match tried {
            Ok(()) => return Ok(done),
            Err(error) => failed = error,
        }
    }
    Err(failed.into_port(&format!("making table `{}.{}`", def.schema, def.name)))
}

/// The table, what is said of it and who may read it, as one transaction as far as it holds so many statements.
async fn create(
    api: &DataApi,
    def: &TableDef,
    grants: &[String],
    done: &mut Vec<String>,
) -> std::result::Result<(), Failure> {
    let mut statements = vec![def.create()];
    statements.extend(def.comments());
    statements.extend(def.grants(grants));
    for batch in statements.chunks(MAX_STATEMENTS) {
        api.finish("sluice-ddl", batch).await?;
    }
    done.push(format!("made table `{}.{}`", def.schema, def.name));
    Ok(())
}

/// Runs each statement alone: a column that is added or widened stands alone in Redshift.
async fn apply(api: &DataApi, steps: &[Change], done: &mut Vec<String>) -> std::result::Result<(), Failure> {
    for step in steps {
        api.run("sluice-ddl", &step.sql).await?;
        done.push(step.what.clone());
    }
    Ok(())
}
