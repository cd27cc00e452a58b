//! The statements of a load.
//!
//! The first call makes a temporary stage with the file's own columns, copies into it, and tells how many rows of which
//! arrivals there are. The second, in the same session and one transaction, locks the ledger and brings in what is not
//! there. There is no MERGE (it lets the stage's own duplicates in, and matches by equality only) and no TRUNCATE (it
//! commits).

use super::attempt::{Attempt, StageColumn};
use super::ddl::TableDef;
use super::ledger::{KEY_BYTES, Ledger, LoadName};
use super::rows::Rows;
use super::sql::{SqlType, chunks, ident, idents, text};
use super::work::{MAX_STATEMENT_BYTES, MAX_STATEMENTS};
use sluice_ports::{Kind, ObjectFormat, PortError, Result, TableKind};

/// The stage. Temporary tables are a session's own, so all may have one name.
pub(super) const STAGE: &str = "sluice_stage";
/// The stage's list of objects.
pub(super) const LISTED: &str = "sluice_stage_objects";

/// Column that is the identity of a record.
const ID: &str = "_sluice_id";
/// Column of its arrival.
const ARRIVED: &str = "_sluice_arrived_at";
/// Column of the commit that a row belongs to.
const COMMIT: &str = "_sluice_commit";
/// Column of the fence under which it was written.
const FENCE: &str = "_sluice_fence";

/// What a load needs to be written as SQL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    /// The table.
    pub def: &'a TableDef,
    /// How its rows are told apart.
    pub kind: &'a TableKind,
    /// The attempt.
    pub attempt: &'a Attempt,
    /// The ledger.
    pub ledger: &'a Ledger,
}

/// What the stage holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Staged {
    /// Rows.
    pub rows: u64,
    /// First and last arrival, where there are any.
    pub arrivals: Option<(String, String)>,
    /// Greatest commit number, where rows carry one and it was asked for.
    pub last_commit: Option<u64>,
}

impl Staged {
    /// From the last result of the first call.
    pub(super) fn read(rows: &Rows) -> Self {
        let count = rows.at(0, 0).long().and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0);
        let arrivals = rows.at(0, 1).text().zip(rows.at(0, 2).text());
        let last_commit = rows.at(0, 3).long().and_then(|number| u64::try_from(number).ok());
        Self { rows: count, arrivals, last_commit }
    }
}

/// The columns of the stage. `file`: names of the columns in the file, in order; `table`: the table's columns, those too
/// that the manifest no longer names.
///
/// # Errors
/// Where the file has a column that the table has not.
pub(super) fn stage_columns(
    format: ObjectFormat,
    file: &[String],
    table: impl Fn(&str) -> Option<SqlType>,
    name: &str,
) -> Result<Vec<StageColumn>> {
    let column = |column: &String| {
        let ty = table(column).ok_or_else(|| {
            let message = format!(
                "an object of table `{name}` has a column `{column}`, which the table has not; add it with `sluice ddl`"
            );
            PortError::new(Kind::Fatal, message)
        })?;
        Ok(staged_as(format, column, ty))
    };
    file.iter().map(column).collect()
}

/// Parquet holds JSON as text, and COPY of Parquet would take it for a text in the SUPER as well.
fn staged_as(format: ObjectFormat, name: &str, ty: SqlType) -> StageColumn {
    let parse = ty == SqlType::Super && format == ObjectFormat::Parquet;
    let ty = if parse { SqlType::Varchar(super::sql::MAX_VARCHAR) } else { ty };
    StageColumn { name: name.to_owned(), ty, parse }
}

/// The first call. `manifest`: where the COPY manifest lies; `role`: as SQL.
///
/// # Errors
/// Where the objects do not fit into one batch.
pub(super) fn first_call(plan: Plan<'_>, manifest: &str, role: &str) -> Result<Vec<String>> {
    let columns: Vec<String> =
        plan.attempt.columns.iter().map(|column| format!("{} {}", ident(&column.name), column.ty)).collect();
    let mut call = vec![
        format!("CREATE TEMP TABLE {} ({})", ident(STAGE), columns.join(", ")),
        format!("CREATE TEMP TABLE {} (\"object_key\" VARCHAR({KEY_BYTES}), \"etag\" VARCHAR(256))", ident(LISTED)),
    ];
    let values = plan.attempt.objects.iter().map(|object| format!("({}, {})", text(&object.key), text(&object.etag)));
    let lists = chunks(values.collect(), MAX_STATEMENT_BYTES - 1_024);
    call.extend(lists.into_iter().map(|list| format!("INSERT INTO {} VALUES\n{list}", ident(LISTED))));
    call.push(copy(plan.attempt, manifest, role));
    call.push(survey(plan));
    if call.len() > MAX_STATEMENTS {
        let message = format!(
            "{} objects with keys this long take {} statements, above the Data API's limit of {MAX_STATEMENTS}; load \
             fewer at once",
            plan.attempt.objects.len(),
            call.len()
        );
        return Err(PortError::new(Kind::Fatal, message));
    }
    Ok(call)
}

/// Options that would let rows through changed or dropped are never among them (TRUNCATECOLUMNS, ACCEPTINVCHARS,
/// MAXERROR).
fn copy(attempt: &Attempt, manifest: &str, role: &str) -> String {
    let format = match attempt.format {
        ObjectFormat::Parquet => "FORMAT AS PARQUET\nMANIFEST".to_owned(),
        ObjectFormat::Json => {
            let gzip = if attempt.objects.iter().any(|object| is_gzip(&object.key)) { "\nGZIP" } else { "" };
            format!(
                "FORMAT AS JSON 'auto'{gzip}\nTIMEFORMAT 'auto'\nDATEFORMAT 'auto'\nCOMPUPDATE OFF\nSTATUPDATE OFF\nMANIFEST"
            )
        }
    };
    format!("COPY {}\nFROM {}\nIAM_ROLE {role}\n{format}", ident(STAGE), text(manifest))
}

/// Whether an object of lines is compressed.
pub(super) fn is_gzip(key: &str) -> bool {
    key.ends_with(".gz")
}

fn survey(plan: Plan<'_>) -> String {
    let arrivals = match plan.kind {
        TableKind::Records => format!("MIN({at}), MAX({at})", at = ident(ARRIVED)),
        TableKind::Keyed(_) => "NULL, NULL".to_owned(),
    };
    let commit = plan.attempt.settled.as_ref().map_or("NULL".to_owned(), |_| format!("MAX({})", ident(COMMIT)));
    format!("SELECT COUNT(*), {arrivals}, {commit} FROM {}", ident(STAGE))
}

/// The second call, and which of its statements inserts rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecondCall {
    /// Statements.
    pub statements: Vec<String>,
    /// The one that inserts rows, where there are any.
    pub insert: Option<usize>,
    /// The one that writes the ledger.
    pub ledger: usize,
}

/// The second call.
pub(super) fn second_call(plan: Plan<'_>, staged: &Staged) -> SecondCall {
    let mut statements = vec![plan.ledger.lock()];
    let mut insert = None;
    if staged.rows > 0 {
        match plan.kind {
            TableKind::Records => statements.push(insert_records(plan, staged.arrivals.as_ref())),
            TableKind::Keyed(keys) => {
                statements.push(super::gold::delete_lower(plan, keys));
                statements.push(super::gold::insert_best(plan, keys));
            }
        }
        insert = Some(statements.len() - 1);
    }
    let label = plan.attempt.label();
    let load = LoadName { load_id: &plan.attempt.load_id, attempt: &label, table: &plan.attempt.table };
    statements.push(plan.ledger.insert_loaded(&load, &ident(LISTED), staged.rows));
    let ledger = statements.len() - 1;
    statements.push(format!("DROP TABLE {}", ident(STAGE)));
    statements.push(format!("DROP TABLE {}", ident(LISTED)));
    SecondCall { statements, insert, ledger }
}

/// One row for each id of the stage, where the table has none. Looking only at arrivals within the stage's range lets
/// Redshift skip the blocks of every other day.
fn insert_records(plan: Plan<'_>, arrivals: Option<&(String, String)>) -> String {
    let range = arrivals.map(|(first, last)| {
        let at = ident(ARRIVED);
        format!("\n    AND t.{at} >= {}\n    AND t.{at} <= {}", text(first), text(last))
    });
    let order = if plan.attempt.columns.iter().any(|column| column.name == COMMIT) { COMMIT } else { ID };
    format!(
        "INSERT INTO {table} ({names})\nSELECT {values}\nFROM (SELECT {staged}, ROW_NUMBER() OVER (PARTITION BY {id} ORDER \
         BY {order}) AS \"_sluice_nth\" FROM {stage}{decided}) s\nWHERE s.\"_sluice_nth\" = 1\nAND NOT EXISTS (SELECT 1 FROM \
         {table} t\n    WHERE t.{id} = s.{id}{range})",
        table = plan.def.qualified(),
        names = names(plan.attempt),
        values = values(plan.attempt, "s"),
        staged = names(plan.attempt),
        stage = ident(STAGE),
        id = ident(ID),
        order = ident(order),
        range = range.unwrap_or_default(),
        decided = without_aborted(plan.attempt),
    )
}

/// Rows of segments that never happened are left out, and before the rows of one record are counted: the same record
/// stands in a later segment again.
fn without_aborted(attempt: &Attempt) -> String {
    let aborted = attempt.settled.as_ref().map_or(&[][..], |settled| &settled.aborted);
    if aborted.is_empty() {
        return String::new();
    }
    let numbers: Vec<String> = aborted.iter().map(u64::to_string).collect();
    format!("\nWHERE {} NOT IN ({})", ident(COMMIT), numbers.join(", "))
}

/// The stage's columns, by name.
pub(super) fn names(attempt: &Attempt) -> String {
    idents(attempt.columns.iter().map(|column| column.name.as_str()))
}

/// What is inserted for each of them.
pub(super) fn values(attempt: &Attempt, alias: &str) -> String {
    let value = |column: &StageColumn| {
        let name = format!("{alias}.{}", ident(&column.name));
        if column.parse { format!("JSON_PARSE({name})") } else { name }
    };
    attempt.columns.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// Names of the columns by which one gold row replaces another.
pub(super) fn rank() -> (String, String) {
    (ident(COMMIT), ident(FENCE))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::redshift::ddl::TableOptions;
    use arrow_schema::{DataType, TimeUnit};
    use sluice_ports::{Column, Object, Table};

    pub(crate) fn table(kind: TableKind) -> Table {
        let column = |name: &str, ty: DataType, nullable: bool, json: bool| Column {
            name: name.into(),
            ty,
            nullable,
            json,
            comment: None,
        };
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let mut columns = match &kind {
            TableKind::Records => vec![
                column("name", DataType::Utf8, true, false),
                column("extra", DataType::Utf8, true, true),
                column(ID, DataType::Utf8, false, false),
                column(ARRIVED, time, false, false),
            ],
            TableKind::Keyed(_) => vec![
                column("window_start", time, false, false),
                column("country", DataType::Utf8, true, false),
                column("total", DataType::Int64, true, false),
            ],
        };
        columns.push(column(COMMIT, DataType::Int64, false, false));
        if kind != TableKind::Records {
            columns.push(column(FENCE, DataType::Int64, false, false));
        }
        Table { name: "silver".into(), columns, kind, comment: None }
    }

    pub(crate) fn attempt(table: &Table, format: ObjectFormat, keys: &[String]) -> (TableDef, Attempt) {
        let def = TableDef::new("retail", table, &TableOptions::default(), 100).unwrap();
        let file: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        let of = |name: &str| def.column(name).map(|column| column.ty);
        let columns = stage_columns(format, &file, of, "silver").unwrap();
        let object = |key: &String| Object { key: key.clone(), size: 1, etag: String::new(), columns: None };
        let attempt = Attempt {
            load_id: "l".repeat(64),
            dataset: "online".into(),
            table: "silver".into(),
            number: 1,
            nonce: "n".into(),
            begun_ms: 0,
            format,
            columns,
            objects: keys.iter().map(object).collect(),
            settled: None,
        };
        (def, attempt)
    }

    #[test]
    fn parquet_stages_json_as_text_and_parses_it_on_the_way_in() {
        let table = table(TableKind::Records);
        let (def, attempt) = attempt(&table, ObjectFormat::Parquet, &["a.parquet".into()]);
        let ledger = Ledger::new("retail", "online");
        let plan = Plan { def: &def, kind: &table.kind, attempt: &attempt, ledger: &ledger };
        let first = first_call(plan, "s3://lake/m", "default").unwrap();
        assert!(first[0].contains("\"extra\" VARCHAR(65535)"), "{}", first[0]);
        let copy = &first[3];
        assert_eq!(*copy, "COPY \"sluice_stage\"\nFROM 's3://lake/m'\nIAM_ROLE default\nFORMAT AS PARQUET\nMANIFEST");
        let arrivals = Some(("2026-01-01 00:00:00".into(), "2026-01-02 00:00:00".into()));
        let staged = Staged { rows: 2, arrivals, last_commit: None };
        let second = second_call(plan, &staged);
        assert_eq!(second.statements[0], "LOCK TABLE \"retail\".\"sluice_loads\"");
        let insert = &second.statements[second.insert.unwrap()];
        assert!(insert.contains("JSON_PARSE(s.\"extra\")"), "{insert}");
        assert!(insert.contains("t.\"_sluice_arrived_at\" <= '2026-01-02 00:00:00'"), "{insert}");
        assert!(second.statements[second.ledger].contains("sluice_loads"));
    }

    #[test]
    fn lines_stage_json_as_it_is() {
        let table = table(TableKind::Records);
        let (def, attempt) = attempt(&table, ObjectFormat::Json, &["a.gz".into()]);
        let ledger = Ledger::new("retail", "online");
        let plan = Plan { def: &def, kind: &table.kind, attempt: &attempt, ledger: &ledger };
        let first = first_call(plan, "s3://lake/m", "default").unwrap();
        assert!(first[0].contains("\"extra\" SUPER"), "{}", first[0]);
        assert!(first[3].contains("JSON 'auto'\nGZIP\n"), "{}", first[3]);
        for never in ["TRUNCATECOLUMNS", "ACCEPTINVCHARS", "MAXERROR"] {
            assert!(!first.join("\n").contains(never));
        }
        let second = second_call(plan, &Staged { rows: 1, ..Staged::default() });
        assert!(!second.statements[1].contains("JSON_PARSE"));
    }

    #[test]
    fn a_thousand_long_keys_fit_into_one_call() {
        let table = table(TableKind::Records);
        let keys: Vec<String> = (0..1_000).map(|i| format!("{i:04}{}", "k".repeat(1_020))).collect();
        let (def, attempt) = attempt(&table, ObjectFormat::Parquet, &keys);
        let ledger = Ledger::new("retail", "online");
        let plan = Plan { def: &def, kind: &table.kind, attempt: &attempt, ledger: &ledger };
        let first = first_call(plan, "s3://lake/m", "default").unwrap();
        assert!(first.len() <= MAX_STATEMENTS);
        assert!(first.iter().all(|sql| sql.len() <= MAX_STATEMENT_BYTES));
    }

    #[test]
    fn an_empty_stage_inserts_nothing_but_is_written_down() {
        let table = table(TableKind::Records);
        let (def, attempt) = attempt(&table, ObjectFormat::Parquet, &["a".into()]);
        let ledger = Ledger::new("retail", "online");
        let plan = Plan { def: &def, kind: &table.kind, attempt: &attempt, ledger: &ledger };
        let second = second_call(plan, &Staged::default());
        assert_eq!((second.insert, second.ledger, second.statements.len()), (None, 1, 4));
    }

    #[test]
    fn a_column_that_the_table_has_not_is_told() {
        let error = stage_columns(ObjectFormat::Parquet, &["x".into()], |_| None, "silver").unwrap_err();
        assert!(error.message.contains("`x`") && error.message.contains("sluice ddl"), "{error}");
    }
}
