//! What the warehouse remembers of loads: a row for each object, written in the transaction that brought its rows in.
//!
//! A row here fences nobody (keys are not enforced, and two snapshots may both see none): the lock on this table does.

use super::api::DataApi;
use super::ddl::{ColumnDef, TableDef};
use super::sql::{SqlType, ident, text};
use super::work::Failure;
use sluice_ports::Object;
use std::collections::BTreeMap;

/// The table, in the schema of the tables that it is about.
pub const LEDGER: &str = "sluice_loads";

/// Bytes of a key of S3, at most: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>.
pub(super) const KEY_BYTES: u32 = 1_024;
/// Bytes of what is written down of a failure.
pub(super) const DETAIL_BYTES: u32 = 4_096;
/// Objects asked after in one question: with keys of full length it stays below a statement's limit.
const ASKED_AT_ONCE: usize = 1_000;

/// What the ledger says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// Its rows are in the table.
    Loaded,
    /// It could not be loaded, and why.
    SetAside(String),
}

/// The ledger's columns.
pub(super) fn definition(schema: &str) -> TableDef {
    let column = |name: &str, ty: SqlType, nullable: bool, encode: &str, comment: &str| ColumnDef {
        name: name.into(),
        ty,
        nullable,
        encode: Some(encode.into()),
        comment: Some(comment.into()),
    };
    let columns = vec![
        column("load_id", SqlType::Varchar(64), false, "ZSTD", "Digest of dataset, table and objects"),
        column("attempt", SqlType::Varchar(64), false, "ZSTD", "Which attempt at the load this was"),
        column("dataset", SqlType::Varchar(128), false, "ZSTD", "Dataset that the objects belong to"),
        column("table_name", SqlType::Varchar(128), false, "ZSTD", "Table that the rows went to"),
        column("object_key", SqlType::Varchar(KEY_BYTES), false, "RAW", "Key of the object within its bucket"),
        column("etag", SqlType::Varchar(256), false, "ZSTD", "ETag; empty where the key alone names the bytes"),
        column("rows", SqlType::BigInt, true, "AZ64", "Rows staged by the load that the object was part of"),
        column("status", SqlType::Varchar(16), false, "ZSTD", "loaded or set_aside"),
        column("detail", SqlType::Varchar(DETAIL_BYTES), true, "ZSTD", "Why it was set aside"),
        column("loaded_at", SqlType::Timestamp, false, "AZ64", "When, UTC"),
    ];
    TableDef {
        schema: schema.into(),
        name: LEDGER.into(),
        columns,
        dist_key: None,
        sort_key: vec!["object_key".into()],
        comment: Some("Objects that Sluice loaded into tables of this schema, or set aside".into()),
    }
}

/// The ledger of one dataset.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    name: String,
    dataset: String,
}

impl Ledger {
    /// The ledger in a schema.
    pub(super) fn new(schema: &str, dataset: &str) -> Self {
        Self { name: super::sql::qualified(schema, LEDGER), dataset: dataset.to_owned() }
    }

    /// The statement that keeps every other load out until the transaction ends. It comes first: the snapshot of a
    /// transaction is taken after it, so what others committed before is seen.
    pub(super) fn lock(&self) -> String {
        format!("LOCK TABLE {}", self.name)
    }

    /// What it says of objects of a table, by key and ETag.
    ///
    /// # Errors
    /// As the Data API fails.
    pub(super) async fn entries(
        &self,
        api: &DataApi,
        table: &str,
        objects: &[Object],
    ) -> Result<BTreeMap<(String, String), Entry>, Failure> {
        let mut keys: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
        keys.sort_unstable();
        let mut entries = BTreeMap::new();
        for part in keys.chunks(ASKED_AT_ONCE) {
            let rows = api.run("sluice-ledger", &self.between(table, part)).await?;
            for row in rows.rows {
                let [key, etag, status, detail] = row.as_slice() else { continue };
                let entry = match status.text().as_deref() {
                    Some("loaded") => Entry::Loaded,
                    _ => Entry::SetAside(detail.text().unwrap_or_default()),
                };
                let at = (key.text().unwrap_or_default(), etag.text().unwrap_or_default());
                // loaded after all, by a later attempt, counts for more
                if entry == Entry::Loaded || !entries.contains_key(&at) {
                    entries.insert(at, entry);
                }
            }
        }
        Ok(entries)
    }

    /// Keys lie close together, so a range asks for little more than a list would, in one short statement.
    fn between(&self, table: &str, keys: &[&str]) -> String {
        let (first, last) = (keys.first().copied().unwrap_or_default(), keys.last().copied().unwrap_or_default());
        format!(
            "SELECT \"object_key\", \"etag\", \"status\", \"detail\" FROM {} WHERE \"dataset\" = {} AND \
             \"table_name\" = {} AND \"object_key\" >= {} AND \"object_key\" <= {}",
            self.name,
            text(&self.dataset),
            text(table),
            text(first),
            text(last)
        )
    }

    /// Whether an attempt at a load is in it.
    ///
    /// # Errors
    /// As the Data API fails.
    pub(super) async fn has(&self, api: &DataApi, load_id: &str, attempt: &str) -> Result<bool, Failure> {
        let sql = format!(
            "SELECT COUNT(*) FROM {} WHERE \"load_id\" = {} AND \"attempt\" = {}",
            self.name,
            text(load_id),
            text(attempt)
        );
        Ok(api.value("sluice-ledger", &sql).await?.and_then(|value| value.long()).unwrap_or(0) > 0)
    }

    /// Writes down the objects of a load that are not written down yet, from the stage's list of them.
    pub(super) fn insert_loaded(&self, load: &LoadName<'_>, listed: &str, rows: u64) -> String {
        format!(
            "INSERT INTO {ledger} ({columns})\nSELECT {load_id}, {attempt}, {dataset}, {table}, o.\"object_key\", \
             o.\"etag\", {rows}, 'loaded', NULL, GETDATE()\nFROM {listed} o\nLEFT JOIN {ledger} l ON l.\"object_key\" = \
             o.\"object_key\" AND l.\"etag\" = o.\"etag\" AND l.\"dataset\" = {dataset} AND l.\"table_name\" = {table} \
             AND l.\"status\" = 'loaded'\nWHERE l.\"object_key\" IS NULL",
            ledger = self.name,
            columns = columns(),
            load_id = text(load.load_id),
            attempt = text(load.attempt),
            dataset = text(&self.dataset),
            table = text(load.table),
        )
    }

    /// The transaction that writes down an object that is set aside. Run twice it leaves one row.
    pub(super) fn set_aside(&self, load: &LoadName<'_>, object: &Object, detail: &str) -> Vec<String> {
        let (dataset, table) = (text(&self.dataset), text(load.table));
        let (key, etag) = (text(&object.key), text(&object.etag));
        let delete = format!(
            "DELETE FROM {} WHERE \"dataset\" = {dataset} AND \"table_name\" = {table} AND \"object_key\" = {key} AND \
             \"etag\" = {etag} AND \"status\" = 'set_aside'",
            self.name
        );
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({}, {}, {dataset}, {table}, {key}, {etag}, NULL, 'set_aside', {}, GETDATE())",
            self.name,
            columns(),
            text(load.load_id),
            text(load.attempt),
            text(cut(detail, DETAIL_BYTES as usize))
        );
        vec![self.lock(), delete, insert]
    }
}

/// Which load something belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoadName<'a> {
    /// Id of the load.
    pub load_id: &'a str,
    /// Name of the attempt.
    pub attempt: &'a str,
    /// Name of the table in the dataset.
    pub table: &'a str,
}

fn columns() -> String {
    let names = definition("").columns.into_iter().map(|column| ident(&column.name));
    names.collect::<Vec<_>>().join(", ")
}

/// The beginning of a text, in whole characters.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redshift::sql::chunks;

    #[test]
    fn keys_are_texts_and_nothing_else() {
        let ledger = Ledger::new("retail", "online");
        let sql = ledger.between("silver", &["a'; DELETE FROM x; --", "z"]);
        assert!(sql.contains("'a''; DELETE FROM x; --'"), "{sql}");
    }

    #[test]
    fn details_are_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "ä");
        assert_eq!(cut("abc", 10), "abc");
    }

    #[test]
    fn a_question_is_one_short_statement_whatever_it_asks_after() {
        let ledger = Ledger::new("retail", "online");
        let key = "k".repeat(KEY_BYTES as usize);
        let keys = vec![key.as_str(); ASKED_AT_ONCE];
        assert!(ledger.between("silver", &keys).len() < 5_000);
        assert_eq!(chunks(vec![], 10).len(), 0);
    }
}
