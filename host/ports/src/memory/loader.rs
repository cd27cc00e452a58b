//! A warehouse in memory.

use crate::{Kind, Loader, Object, ObjectFormat, PortError, Result, SetAside, Settled, Table, TableKind, TableReport};
use async_trait::async_trait;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A value of a row. Times are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// Null.
    Null,
    /// A whole number, or a time.
    Int(i64),
    /// A text.
    Text(String),
}

/// A row: a value for each column.
pub type Row = Vec<Cell>;

#[derive(Debug, Clone)]
enum Content {
    Rows(Vec<Row>),
    Broken,
}

#[derive(Debug, Default)]
struct Stored {
    columns: Vec<String>,
    rows: Vec<Row>,
    /// What came of objects, by key and ETag; a text where one was set aside.
    ledger: BTreeMap<(String, String), Option<String>>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<String, Content>,
    tables: BTreeMap<String, Stored>,
}

/// Objects and tables in memory. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct MemoryLoader(Arc<Mutex<Inner>>);

impl MemoryLoader {
    /// Puts an object that holds rows.
    pub fn put(&self, key: &str, rows: Vec<Row>) -> Object {
        let size = rows.len() as u64;
        self.0.lock().unwrap().objects.insert(key.to_owned(), Content::Rows(rows));
        Object { key: key.to_owned(), size, etag: String::new(), columns: None }
    }

    /// Puts an object that cannot be read.
    pub fn put_broken(&self, key: &str) -> Object {
        self.0.lock().unwrap().objects.insert(key.to_owned(), Content::Broken);
        Object { key: key.to_owned(), size: 1, etag: String::new(), columns: None }
    }

    /// The rows of a table, with the columns that it is said to have.
    pub fn rows(&self, table: &Table) -> Vec<Row> {
        let inner = self.0.lock().unwrap();
        let Some(stored) = inner.tables.get(&table.name) else { return vec![] };
        let wanted = names(table);
        stored.rows.iter().map(|row| by_name(&stored.columns, row, &wanted)).collect()
    }
}

#[async_trait]
impl Loader for MemoryLoader {
    async fn prepare(&self, tables: &[Table]) -> Result<Vec<String>> {
        let mut inner = self.0.lock().unwrap();
        let mut done = vec![];
        for table in tables {
            let stored = inner.tables.entry(table.name.clone()).or_insert_with(|| {
                done.push(format!("made table `{}`", table.name));
                Stored { columns: names(table), ..Stored::default() }
            });
            for name in names(table) {
                if !stored.columns.contains(&name) {
                    done.push(format!("added column `{name}` to `{}`", table.name));
                    stored.columns.push(name);
                    stored.rows.iter_mut().for_each(|row| row.push(Cell::Null));
                }
            }
        }
        Ok(done)
    }

    async fn load_settled(
        &self,
        table: &Table,
        _: ObjectFormat,
        objects: &[Object],
        settled: Option<&Settled>,
    ) -> Result<TableReport> {
        let mut inner = self.0.lock().unwrap();
        let Inner { objects: contents, tables } = &mut *inner;
        let stored = tables.get_mut(&table.name).ok_or_else(|| no_table(&table.name))?;
        let mut report = TableReport { table: table.name.clone(), ..TableReport::default() };
        for object in objects {
            let name = (object.key.clone(), object.etag.clone());
            match stored.ledger.get(&name) {
                Some(None) => report.already += 1,
                Some(Some(reason)) => report.set_aside.push(aside(object, reason)),
                None => {
                    let rows = match (read(contents.get(&object.key)), settled) {
                        (Ok(rows), Some(settled)) => match decided(table, object, rows, settled) {
                            Some(rows) => Ok(rows),
                            None => continue,
                        },
                        (rows, _) => rows.map(<[Row]>::to_vec),
                    };
                    let outcome = rows.map(|rows| stored.bring_in(table, object, &rows, &mut report));
                    if let Err(reason) = &outcome {
                        report.set_aside.push(aside(object, reason));
                    }
                    stored.ledger.insert(name, outcome.err());
                }
            }
        }
        Ok(report)
    }
}

fn names(table: &Table) -> Vec<String> {
    table.columns.iter().map(|column| column.name.clone()).collect()
}

/// A row's values in another order of columns, null where it has none.
fn by_name(columns: &[String], row: &[Cell], wanted: &[String]) -> Row {
    let value = |name: &String| columns.iter().position(|known| known == name).and_then(|at| row.get(at));
    wanted.iter().map(|name| value(name).cloned().unwrap_or(Cell::Null)).collect()
}

/// The rows of an object without those of aborted segments; none where a segment is not decided yet.
fn decided(table: &Table, object: &Object, rows: &[Row], settled: &Settled) -> Option<Vec<Row>> {
    let in_file = object.columns.clone().unwrap_or_else(|| names(table));
    let at = in_file.iter().position(|name| name == "_sluice_commit")?;
    let commit = |row: &Row| match row.get(at) {
        Some(Cell::Int(number)) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    };
    let open = rows.iter().any(|row| commit(row) > settled.through);
    (!open).then(|| rows.iter().filter(|row| !settled.aborted.contains(&commit(row))).cloned().collect())
}

fn no_table(name: &str) -> PortError {
    PortError::new(Kind::Fatal, format!("there is no table `{name}`; prepare it first"))
}

fn aside(object: &Object, reason: &str) -> SetAside {
    SetAside { key: object.key.clone(), reason: reason.to_owned() }
}

fn read(content: Option<&Content>) -> std::result::Result<&[Row], String> {
    match content {
        Some(Content::Rows(rows)) => Ok(rows),
        Some(Content::Broken) => Err("it cannot be read".to_owned()),
        None => Err("there is no such object".to_owned()),
    }
}

impl Stored {
    fn bring_in(&mut self, table: &Table, object: &Object, rows: &[Row], report: &mut TableReport) {
        report.objects += 1;
        let in_file = object.columns.clone().unwrap_or_else(|| names(table));
        for row in rows {
            report.staged += 1;
            let row = by_name(&in_file, row, &self.columns);
            report.rows += u64::from(self.place(&table.kind, row));
        }
    }

    /// Whether the row became one of the table's.
    fn place(&mut self, kind: &TableKind, row: Row) -> bool {
        let at = |name: &str| self.columns.iter().position(|known| known == name).expect("the table has the column");
        let key: Vec<usize> = match kind {
            TableKind::Records => vec![at("_sluice_id")],
            TableKind::Keyed(keys) => keys.iter().map(|key| at(key)).collect(),
        };
        let same = self.rows.iter().position(|other| key.iter().all(|at| other[*at] == row[*at]));
        let Some(same) = same else {
            self.rows.push(row);
            return true;
        };
        let rank = |row: &Row| (row[at("_sluice_commit")].clone(), row[at("_sluice_fence")].clone());
        let higher = *kind != TableKind::Records && rank(&row).cmp(&rank(&self.rows[same])) == Ordering::Greater;
        if higher {
            self.rows[same] = row;
        }
        higher
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    struct Place(MemoryLoader);

    #[async_trait]
    impl suite::LoaderPlace for Place {
        type Loader = MemoryLoader;

        async fn loader(&self) -> MemoryLoader {
            self.0.clone()
        }

        async fn put(&self, _: &Table, name: &str, rows: &[Row]) -> Object {
            self.0.put(name, rows.to_vec())
        }

        async fn put_broken(&self, _: &Table, name: &str) -> Object {
            self.0.put_broken(name)
        }

        async fn rows(&self, table: &Table) -> Vec<Row> {
            self.0.rows(table)
        }
    }

    #[tokio::test]
    async fn the_warehouse_in_memory_keeps_the_contract() {
        suite::loader(ObjectFormat::Parquet, async |_: &str| Place(MemoryLoader::default())).await;
    }
}
