//! What a warehouse on Redshift is told.

use super::ddl::{DEFAULT_VARCHAR, TableDef, TableOptions};
use super::ledger;
use super::sql::ident;
use sluice_ports::{Result, Table};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Settings of a warehouse on Redshift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedshiftConfig {
    /// Dataset that the tables belong to.
    pub dataset: String,
    /// Schema of the tables and of the ledger.
    pub schema: String,
    /// Role by which COPY reads: the ARN of an IAM role, or `default`.
    pub copy_role: String,
    /// Bucket of the objects that are loaded.
    pub bucket: String,
    /// URL that the names of the state's store follow, such as `s3://lake/orders/`: COPY reads its manifests there.
    pub state_url: String,
    /// How tables lie, by their names in the dataset.
    pub tables: BTreeMap<String, TableOptions>,
    /// Bytes of a VARCHAR where a table says nothing. Default 4,096.
    pub varchar: u32,
    /// Roles of the database that may read the tables.
    pub grants: Vec<String>,
    /// Objects loaded at once, at most. Default 1,000.
    pub most_objects: usize,
    /// Bytes loaded at once, at most. Default 1 GiB.
    pub most_bytes: u64,
    /// Seconds for which a session outlives its last statement. Default 300: what dies longer stages again.
    pub keep_alive_seconds: i32,
    /// Attempts at one load before the caller is asked to come back. Default 6.
    pub attempts: u32,
}

impl RedshiftConfig {
    /// The defaults, around what has none.
    pub fn new(dataset: &str, schema: &str, copy_role: &str, bucket: &str, state_url: &str) -> Self {
        Self {
            dataset: dataset.to_owned(),
            schema: schema.to_owned(),
            copy_role: copy_role.to_owned(),
            bucket: bucket.to_owned(),
            state_url: state_url.to_owned(),
            tables: BTreeMap::new(),
            varchar: DEFAULT_VARCHAR,
            grants: vec![],
            most_objects: 1_000,
            most_bytes: 1 << 30,
            keep_alive_seconds: 300,
            attempts: 6,
        }
    }

    /// A table as Redshift is to have it.
    ///
    /// # Errors
    /// As [`TableDef::new`].
    pub fn definition(&self, table: &Table) -> Result<TableDef> {
        let options = self.tables.get(&table.name).cloned().unwrap_or_default();
        TableDef::new(&self.schema, table, &options, self.varchar)
    }
}

/// All statements that make the schema, the tables and the ledger anew, as a script for people to read and to run.
///
/// # Errors
/// As [`TableDef::new`].
pub fn ddl(config: &RedshiftConfig, tables: &[Table]) -> Result<String> {
    let mut text = format!("CREATE SCHEMA IF NOT EXISTS {};\n", ident(&config.schema));
    let mut defs: Vec<TableDef> = tables.iter().map(|table| config.definition(table)).collect::<Result<_>>()?;
    defs.push(ledger::definition(&config.schema));
    let last = defs.len() - 1;
    for (at, def) in defs.iter().enumerate() {
        let grants = if at == last { vec![] } else { def.grants(&config.grants) };
        let _ = write!(text, "\n{};\n", def.create());
        for statement in def.comments().iter().chain(&grants) {
            let _ = writeln!(text, "{statement};");
        }
    }
    Ok(text)
}
