//! What was loaded and what could not be, for the system views. It is written by a connection of its own, since it stays
//! when the transaction that loaded is rolled back.

use super::rows::Failure;
use super::statement::CopyStatement;
use super::{Context, table_of};
use crate::redshift::errors::message_of;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls};

/// Most characters of a line or a value in the views.
const MOST_CHARACTERS: usize = 1024;

/// Writes into the tables behind the views.
#[derive(Debug)]
pub(crate) struct Journal {
    config: Config,
}

impl Journal {
    /// A journal in a database.
    pub(crate) fn new(config: Config) -> Self {
        Self { config }
    }

    /// Writes down rows that could not be loaded.
    pub(super) async fn failed(
        &self,
        context: &Context,
        copy: &CopyStatement,
        failures: &[Failure],
    ) -> Result<(), String> {
        if failures.is_empty() {
            return Ok(());
        }
        let client = self.connect().await?;
        for failure in failures {
            put_failure(&client, context, copy, failure).await.map_err(|error| message_of(&error))?;
        }
        Ok(())
    }

    /// Writes down a load that succeeded.
    pub(super) async fn loaded(
        &self,
        context: &Context,
        copy: &CopyStatement,
        rows: u64,
        objects: usize,
        bytes: u64,
    ) -> Result<(), String> {
        const SQL: &str = "INSERT INTO redshift_journal.loads (query_id, session_id, table_name, data_source, loaded_rows, \
            loaded_bytes, source_file_count, source_file_bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $6)";
        let client = self.connect().await?;
        let (rows, bytes, objects) = (rows.cast_signed(), bytes.cast_signed(), objects as i64);
        let values: [&(dyn ToSql + Sync); 7] =
            [&context.query_id, &context.pid, &table_of(copy), &copy.url(), &rows, &bytes, &objects];
        client.execute(SQL, &values).await.map_err(|error| message_of(&error))?;
        Ok(())
    }

    async fn connect(&self) -> Result<Client, String> {
        let (client, connection) = self.config.connect(NoTls).await.map_err(|error| message_of(&error))?;
        tokio::spawn(async move {
            let _closed = connection.await; // its errors reach the client's calls
        });
        Ok(client)
    }
}

async fn put_failure(
    client: &Client,
    context: &Context,
    copy: &CopyStatement,
    failure: &Failure,
) -> Result<u64, tokio_postgres::Error> {
    const SQL: &str = "INSERT INTO redshift_journal.load_errors (query_id, session_id, table_name, file_name, line_number, \
        column_name, column_type, column_length, error_code, error_message, raw_line, raw_field_value) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let (name, ty, length) = failure.column.clone().unwrap_or_default();
    let (line, code) = (failure.line.cast_signed(), failure.wrong.code.cast_signed());
    let (raw_line, raw_value) = (cut(&failure.raw_line), cut(&failure.raw_value));
    let values: [&(dyn ToSql + Sync); 12] = [
        &context.query_id,
        &context.pid,
        &table_of(copy),
        &failure.file,
        &line,
        &name,
        &ty,
        &length,
        &code,
        &failure.wrong.message,
        &raw_line,
        &raw_value,
    ];
    client.execute(SQL, &values).await
}

/// The start of a text, without what PostgreSQL cannot keep.
fn cut(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(MOST_CHARACTERS).collect()
}
