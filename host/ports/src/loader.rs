//! Loading committed objects into a warehouse that has tables of its own.

use crate::Result;
use arrow_schema::DataType;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A table of the warehouse, as the manifest wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name: that of the dataset's table (`silver`, `quarantine`, a gold's name), or as the manifest maps it.
    pub name: String,
    /// Columns, in the order in which objects hold them.
    pub columns: Vec<Column>,
    /// How rows are told apart.
    pub kind: TableKind,
    /// What it is, for people.
    pub comment: Option<String>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name, lower case.
    pub name: String,
    /// Type.
    pub ty: DataType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether the text is any JSON value.
    pub json: bool,
    /// What it is, for people.
    pub comment: Option<String>,
}

/// How rows of a table are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableKind {
    /// One row for each `_sluice_id`, whatever is loaded twice.
    Records,
    /// One row for each value of these columns; the row of the higher (`_sluice_commit`, `_sluice_fence`) wins.
    Keyed(Vec<String>),
}

/// How rows lie in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectFormat {
    /// Parquet with the table's columns, by position.
    Parquet,
    /// A JSON object a line, columns by name; gzip where the name ends in `.gz`.
    Json,
}

/// An object to be loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Object {
    /// Name within the bucket (the whole key).
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// ETag, as the store gives it; with the key it names these very bytes. Empty for objects of the lake, whose names
    /// are theirs alone.
    #[serde(default)]
    pub etag: String,
    /// Names of the columns in the file, in order, where they are known not to be the table's of today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
}

/// What came of a load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LoadReport {
    /// By table.
    pub tables: Vec<TableReport>,
}

/// What came of a load of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// The table.
    pub table: String,
    /// Objects loaded now.
    pub objects: u64,
    /// Objects that were loaded before.
    pub already: u64,
    /// Rows staged from them.
    pub staged: u64,
    /// Rows that became rows of the table (inserted or replaced).
    pub rows: u64,
    /// Objects that could not be loaded and were set aside.
    pub set_aside: Vec<SetAside>,
}

/// An object that could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// Its key.
    pub key: String,
    /// Where in it, what was found.
    pub reason: String,
}

/// Which segments are decided. Rows that were delivered before their commit may belong to one that never happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Number up to which every segment is committed or aborted. An object with a row of a later one is left for later.
    pub through: u64,
    /// Numbers of aborted segments: their rows are left out.
    pub aborted: Vec<u64>,
}

/// Brings objects into tables.
///
/// Contract: each record is in its table once, whatever is loaded again, by whomever, after whatever death; an object
/// that is loaded is remembered by the warehouse itself. A failed object is set aside and does not stop the others.
#[async_trait]
pub trait Loader: Send + Sync {
    /// Creates the tables that are missing and adds the columns that are; says what was done, a line each.
    ///
    /// # Errors
    /// Where a table has a column that cannot hold what the manifest wants of it: it says which, and the way out.
    async fn prepare(&self, tables: &[Table]) -> Result<Vec<String>>;

    /// Loads what is not loaded yet.
    ///
    /// # Errors
    /// Where it could not be brought to an end; calling again goes on from there.
    async fn load(&self, table: &Table, format: ObjectFormat, objects: &[Object]) -> Result<TableReport> {
        self.load_settled(table, format, objects, None).await
    }

    /// As [`Loader::load`], of objects that may hold rows of segments which are not decided yet: an object with such a
    /// row is left for later, and rows of aborted segments are left out.
    ///
    /// # Errors
    /// As [`Loader::load`].
    async fn load_settled(
        &self,
        table: &Table,
        format: ObjectFormat,
        objects: &[Object],
        settled: Option<&Settled>,
    ) -> Result<TableReport>;
}
