//! COPY, done by this server: objects are read from S3, checked value by value as Redshift checks them, and handed to
//! PostgreSQL's own COPY within the statement's transaction.

mod csv;
mod journal;
mod json;
mod parquet;
mod rows;
mod source;
mod statement;
mod values;

pub(crate) use journal::Journal;
pub(crate) use source::client as s3_client;
pub(crate) use statement::CopyStatement;

use super::errors::message_of;
use super::sql::tokens::quote_name;
use bytes::Bytes;
use futures_util::SinkExt;
use rows::Loaded;
use source::Object;
use statement::Format;
use std::pin::pin;
use std::sync::Arc;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use values::{Column, ColumnKind};

/// What a COPY needs besides its statement.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Where objects are read.
    pub(crate) s3: aws_sdk_s3::Client,
    /// Where errors and loads are written down.
    pub(crate) journal: Arc<Journal>,
    /// The statement's number.
    pub(crate) query_id: i64,
    /// The connection's.
    pub(crate) pid: i64,
}

/// Columns of the table in order: name, type, length or precision as PostgreSQL keeps them, whether null is refused.
const COLUMNS: &str = "SELECT attname::text, atttypid::regtype::text, atttypmod, attnotnull, attidentity <> '' \
    FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

/// Loads the table; says how many rows it took.
///
/// # Errors
/// What Redshift would say.
pub(crate) async fn run(context: &Context, client: &Client, copy: &CopyStatement) -> Result<u64, String> {
    let columns: Arc<[Column]> = columns(client, copy).await?.into();
    let objects = source::objects(&context.s3, copy).await?;
    let names: Vec<String> = columns.iter().map(|column| quote_name(&column.name)).collect();
    let sql = format!("COPY {} ({}) FROM STDIN", copy.table, names.join(", "));
    let mut sink = pin!(client.copy_in::<_, Bytes>(sql.as_str()).await.map_err(|error| message_of(&error))?);
    let mut failures = vec![];
    let mut bytes = 0;
    for object in &objects {
        let loaded = load(context, copy, object, &columns).await?;
        failures.extend(loaded.failures);
        bytes += object.size;
        if failures.len() as u64 > copy.options.max_errors {
            context.journal.failed(context, copy, &failures).await?;
            return Err(refused(copy));
        }
        for chunk in loaded.chunks {
            sink.send(chunk).await.map_err(|error| message_of(&error))?;
        }
    }
    let rows = sink.finish().await.map_err(|error| message_of(&error))?;
    context.journal.failed(context, copy, &failures).await?;
    context.journal.loaded(context, copy, rows, objects.len(), bytes).await?;
    remember(context, client, rows).await?;
    Ok(rows)
}

/// What Redshift says of a load with more errors than it may have.
fn refused(copy: &CopyStatement) -> String {
    let table = table_of(copy);
    format!("Load into table '{table}' failed.  Check 'sys_load_error_detail' system table for details.")
}

/// The table's name without its schema.
fn table_of(copy: &CopyStatement) -> String {
    copy.table.rsplit("\".\"").next().unwrap_or_default().trim_matches('"').to_owned()
}

/// For `pg_last_copy_count()` and `pg_last_copy_id()`, which the session answers.
async fn remember(context: &Context, client: &Client, rows: u64) -> Result<(), String> {
    let sql = format!(
        "SELECT set_config('redshift.last_copy_count', '{rows}', false), set_config('redshift.last_copy_id', '{}', false)",
        context.query_id
    );
    client.batch_execute(&sql).await.map_err(|error| message_of(&error))
}

async fn columns(client: &Client, copy: &CopyStatement) -> Result<Vec<Column>, String> {
    let rows = client.query_typed(COLUMNS, &[(&copy.table, tokio_postgres::types::Type::TEXT)]).await;
    let rows = rows.map_err(|error| {
        let missing = [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME];
        if error.code().is_some_and(|code| missing.contains(code)) {
            return format!("Cannot COPY into nonexistent table {}", table_of(copy));
        }
        message_of(&error)
    })?;
    let mut all: Vec<(Column, bool)> = vec![];
    for row in rows {
        let (name, ty, modifier): (String, String, i32) = (row.get(0), row.get(1), row.get(2));
        let (kind, type_name) = kind(&ty, modifier);
        let identity: bool = row.get(4);
        all.push((Column { name, kind, type_name: type_name.to_owned(), nullable: !row.get::<_, bool>(3) }, identity));
    }
    let Some(named) = &copy.columns else {
        return Ok(all.into_iter().filter(|(_, identity)| !identity).map(|(column, _)| column).collect());
    };
    let find = |name: &String| {
        let column = all.iter().find(|(column, _)| column.name == *name).map(|(column, _)| column.clone());
        column.ok_or_else(|| format!("column \"{name}\" of relation \"{}\" does not exist", table_of(copy)))
    };
    named.iter().map(find).collect()
}

/// A column's type, and its name in the load error views.
fn kind(ty: &str, modifier: i32) -> (ColumnKind, &'static str) {
    let length = u32::try_from(modifier - 4).ok();
    match ty {
        "character varying" | "text" => (ColumnKind::Text(length.unwrap_or(65_535)), "varchar"),
        "character" => (ColumnKind::Text(length.unwrap_or(1)), "char"),
        "smallint" => (ColumnKind::Integer(16), "int2"),
        "integer" => (ColumnKind::Integer(32), "int4"),
        "bigint" => (ColumnKind::Integer(64), "int8"),
        "numeric" => {
            let packed = length.unwrap_or(38 << 16);
            (ColumnKind::Decimal(packed >> 16, packed & 0x7ff), "numeric")
        }
        "real" => (ColumnKind::Float(32), "float4"),
        "double precision" => (ColumnKind::Float(64), "float8"),
        "boolean" => (ColumnKind::Boolean, "bool"),
        "date" => (ColumnKind::Date, "date"),
        "timestamp without time zone" => (ColumnKind::Timestamp, "timestamp"),
        "timestamp with time zone" => (ColumnKind::TimestampTz, "timestamptz"),
        "jsonb" => (ColumnKind::Super, "super"),
        "bytea" => (ColumnKind::Bytes(1_024_000), "varbyte"),
        _ => (ColumnKind::Other, "other"),
    }
}

/// Reads an object and makes rows of it, on a thread that may be busy.
async fn load(
    context: &Context,
    copy: &CopyStatement,
    object: &Object,
    columns: &Arc<[Column]>,
) -> Result<Loaded, String> {
    let bytes = source::read(&context.s3, object).await?;
    let (copy, object, columns) = (copy.clone(), object.clone(), columns.clone());
    let query_id = context.query_id;
    let work = move || convert(&copy, &object, &columns, bytes, query_id);
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("the server gave up the load: {error}"))?
}

fn convert(
    copy: &CopyStatement,
    object: &Object,
    columns: &[Column],
    bytes: Bytes,
    query_id: i64,
) -> Result<Loaded, String> {
    let options = &copy.options;
    match copy.format {
        Format::Parquet => {
            parquet::rows(object, columns, bytes, options).map_err(|context| spectrum_error(&context, query_id))
        }
        Format::Json { ignore_case } => {
            let text = source::unpack(options, object, bytes)?;
            Ok(json::rows(object, columns, &text, options, ignore_case))
        }
        Format::Csv { delimiter } => {
            let text = source::unpack(options, object, bytes)?;
            Ok(csv::rows(object, columns, &text, options, Some(b'"'), delimiter))
        }
        Format::Delimited { delimiter } => {
            let text = source::unpack(options, object, bytes)?;
            Ok(csv::rows(object, columns, &text, options, None, delimiter))
        }
    }
}

/// Errors of columnar files come with the statement, in a box.
fn spectrum_error(context: &str, query_id: i64) -> String {
    let line = "-----------------------------------------------";
    format!(
        "Spectrum Scan Error\n  Detail: \n  {line}\n  error:  Spectrum Scan Error\n  code:      15001\n  context:   \
         {context}\n  query:     {query_id}\n  {line}"
    )
}

#[cfg(test)]
mod tests {
    use super::statement::Options;
    use super::*;

    #[test]
    fn tables_are_named_without_their_schema() {
        let copy = |table: &str| CopyStatement {
            table: table.to_owned(),
            columns: None,
            bucket: String::new(),
            key: String::new(),
            format: Format::Parquet,
            options: Options::default(),
        };
        assert_eq!(table_of(&copy("\"s\".\"t\"")), "t");
        assert_eq!(table_of(&copy("\"t\"")), "t");
    }

    #[test]
    fn lengths_are_those_of_the_catalogue() {
        assert_eq!(kind("character varying", 7).0, ColumnKind::Text(3));
        assert_eq!(kind("character varying", -1).0, ColumnKind::Text(65_535));
        assert_eq!(kind("numeric", ((18 << 16) | 2) + 4).0, ColumnKind::Decimal(18, 2));
    }
}
