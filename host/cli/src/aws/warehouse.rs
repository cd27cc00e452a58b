//! What is committed, brought into the warehouse, and held against what is there.

use super::Account;
use super::tables::{self, SILVER};
use crate::bind::Bound;
use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sluice_aws::firehose::Arrivals;
use sluice_aws::redshift::RedshiftLoader;
use sluice_batch::{Commit, Layer};
use sluice_manifest::{LoadFrom, RedshiftSpec};
use sluice_ports::{
    CommitLog, Entry, EntryKind, Kind, LoadReport, Loader, Object, ObjectFormat, ObjectStore, Settled, Table,
    TableReport, Warehouse as _,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Name of the object that says up to which commit everything is loaded: where to begin looking, nothing more. What is
/// loaded is known from the warehouse.
const CURSOR: &str = "_sluice/load/cursor.json";

/// A pipeline's warehouse.
pub(crate) struct Warehouse {
    pub(crate) loader: RedshiftLoader,
    pub(crate) tables: Vec<Table>,
    spec: RedshiftSpec,
    arrivals: Option<Arrivals>,
    grace: Duration,
    /// Names of the silver table in the warehouse.
    silver: String,
}

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
struct Cursor {
    commit: u64,
}

/// What is committed and not known to be loaded.
#[derive(Default)]
struct Open {
    /// Commits behind the cursor, ascending.
    commits: Vec<Commit>,
    settled: Settled,
}

/// What a pass over the warehouse did.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Pass {
    /// What was loaded.
    pub(crate) loads: LoadReport,
    /// Segments whose rows are not all in the warehouse.
    pub(crate) gaps: Vec<Gap>,
    /// Objects that the delivery stream could not deliver.
    pub(crate) failed: Vec<String>,
}

/// A segment whose silver rows are not all in the warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Gap {
    /// Number of the segment.
    pub(crate) commit: u64,
    /// Silver rows that it has.
    pub(crate) committed: u64,
    /// Of them in the warehouse.
    pub(crate) loaded: u64,
}

impl Pass {
    /// Adds another pass: loads add up, gaps are those of the later.
    pub(crate) fn add(&mut self, later: Self) {
        for table in later.loads.tables {
            match self.loads.tables.iter_mut().find(|known| known.table == table.table) {
                Some(known) => {
                    known.objects += table.objects;
                    known.staged += table.staged;
                    known.rows += table.rows;
                    let new = table.set_aside.into_iter().filter(|aside| !known.set_aside.contains(aside));
                    known.set_aside.extend(new.collect::<Vec<_>>());
                }
                None => self.loads.tables.push(table),
            }
        }
        (self.gaps, self.failed) = (later.gaps, later.failed);
    }

    /// Whether something needs a person.
    pub(crate) fn has_set_aside(&self) -> bool {
        !self.failed.is_empty() || self.loads.tables.iter().any(|table| !table.set_aside.is_empty())
    }
}

impl Warehouse {
    /// The warehouse of a pipeline, where the environment has one.
    pub(crate) fn of(bound: &Bound, account: &Account) -> Result<Option<Self>> {
        let (Some(loader), Some(spec)) = (account.loader()?, account.spec.warehouse.clone()) else { return Ok(None) };
        let table = spec.table(SILVER).and_then(|table| table.table.clone()).unwrap_or_else(|| SILVER.to_owned());
        let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        Ok(Some(Self {
            tables: tables::tables(bound)?,
            silver: format!("{}.{}", quote(&spec.schema), quote(&table)),
            arrivals: account.arrivals().filter(|_| spec.load == LoadFrom::Firehose),
            grace: account.spec.delivery.as_ref().map_or(Duration::ZERO, |delivery| delivery.grace),
            loader,
            spec,
        }))
    }

    /// How often to look for new objects.
    pub(crate) fn every(&self) -> Duration {
        self.spec.every
    }

    /// How long delivered rows may take to arrive.
    pub(crate) fn grace(&self) -> Duration {
        self.grace
    }

    /// Whether rows come by a delivery stream, and so later than their commits.
    pub(crate) fn is_delivered(&self) -> bool {
        self.arrivals.is_some()
    }

    /// Makes the tables, where the manifest lets it.
    pub(crate) async fn prepare(&self) -> Result<Vec<String>> {
        if !self.spec.create {
            return Ok(Vec::new());
        }
        Ok(self.loader.prepare(&self.tables).await?)
    }

    /// Loads what is committed and not loaded, and says what of it is still missing.
    pub(crate) async fn pass(&self, account: &Account) -> Result<Pass> {
        let open = open(account).await?;
        let mut pass = Pass::default();
        for table in &self.tables {
            let report = match &self.arrivals {
                Some(arrivals) if table.name == SILVER => {
                    let found = arrivals.scan(None, &BTreeSet::new()).await?;
                    pass.failed = found.errors.into_iter().map(|object| object.key).collect();
                    self.loader.load_settled(table, ObjectFormat::Json, &found.objects, Some(&open.settled)).await?
                }
                _ => {
                    let objects = committed(&open.commits, table, account);
                    self.loader.load(table, ObjectFormat::Parquet, &objects).await?
                }
            };
            pass.loads.tables.push(report);
        }
        pass.gaps = self.gaps(&open.commits).await?;
        self.move_on(account, &open, &pass).await?;
        Ok(pass)
    }

    /// Segments behind the cursor whose silver rows are not all in the warehouse.
    pub(crate) async fn open_gaps(&self, account: &Account) -> Result<Vec<Gap>> {
        self.gaps(&open(account).await?.commits).await
    }

    /// Holds the silver rows of commits against those in the warehouse, by the commit that each row carries.
    async fn gaps(&self, commits: &[Commit]) -> Result<Vec<Gap>> {
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT _sluice_commit, COUNT(DISTINCT _sluice_id) FROM {} WHERE _sluice_commit BETWEEN {} AND {} GROUP BY _sluice_commit",
            self.silver, first.number, last.number
        );
        let (_, batches) = self.loader.query(&sql).await?;
        let mut loaded: BTreeMap<u64, u64> = BTreeMap::new();
        for batch in &batches {
            let column =
                |index: usize| batch.column(index).as_primitive_opt::<Int64Type>().context("counts are numbers");
            let (numbers, counts) = (column(0)?, column(1)?);
            loaded.extend(numbers.values().iter().zip(counts.values()).map(|(n, c)| (*n as u64, *c as u64)));
        }
        let gap = |commit: &Commit| {
            let (committed, there) = (commit.account.total().silver, loaded.get(&commit.number).copied().unwrap_or(0));
            (there < committed).then_some(Gap { commit: commit.number, committed, loaded: there })
        };
        Ok(commits.iter().filter_map(gap).collect())
    }

    /// Moves the cursor up to before the first segment that is not whole.
    async fn move_on(&self, account: &Account, open: &Open, pass: &Pass) -> Result<()> {
        let (Some(first), Some(last)) = (open.commits.first(), open.commits.last()) else { return Ok(()) };
        let commit = pass.gaps.first().map_or(last.number, |gap| gap.commit - 1);
        let of_lake = |table: &&TableReport| !(self.is_delivered() && table.table == SILVER);
        let aside = pass.loads.tables.iter().filter(of_lake).any(|table| !table.set_aside.is_empty());
        if commit >= first.number && !aside {
            let bytes = serde_json::to_vec(&Cursor { commit }).expect("a number is plain data");
            account.store.put(CURSOR, Bytes::from(bytes)).await?;
        }
        Ok(())
    }

    /// The ids of a segment's rows that are in the warehouse.
    pub(crate) async fn ids(&self, commit: u64) -> Result<BTreeSet<String>> {
        let sql = format!("SELECT _sluice_id FROM {} WHERE _sluice_commit = {commit}", self.silver);
        let (_, batches) = self.loader.query(&sql).await?;
        let mut ids = BTreeSet::new();
        for batch in &batches {
            ids.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(ids)
    }
}

/// Objects of a table that commits name.
fn committed(commits: &[Commit], table: &Table, account: &Account) -> Vec<Object> {
    let today: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let prefix = &account.store.lake().prefix;
    let mut objects = Vec::new();
    for commit in commits {
        for entry in commit.objects.iter().filter(|entry| table_of(&entry.layer) == Some(&table.name)) {
            let columns = commit.columns.get(&entry.layer.folder()).filter(|then| **then != today);
            objects.push(Object {
                key: format!("{prefix}{}", entry.name),
                size: entry.size,
                etag: String::new(),
                columns: columns.cloned(),
            });
        }
    }
    objects
}

fn table_of(layer: &Layer) -> Option<&str> {
    match layer {
        Layer::Silver => Some(SILVER),
        Layer::Quarantine => Some(tables::QUARANTINE),
        Layer::Gold(name) => Some(name),
        Layer::Bronze | Layer::Late(_) | Layer::State => None,
    }
}

async fn open(account: &Account) -> Result<Open> {
    let cursor = match account.store.get(CURSOR).await {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(error) if error.kind == Kind::NotFound => Cursor::default(),
        Err(error) => return Err(error.into()),
    };
    let entries = account.log.entries().await?;
    let numbers = |kind| entries.iter().filter(move |entry| entry.kind == kind).map(|entry| entry.number);
    let settled = Settled {
        through: numbers(EntryKind::Commit).chain(numbers(EntryKind::Abort)).max().unwrap_or(0),
        aborted: numbers(EntryKind::Abort).collect(),
    };
    let mut commits = Vec::new();
    for number in numbers(EntryKind::Commit).filter(|number| *number > cursor.commit) {
        commits.push(read(account, number).await?);
    }
    Ok(Open { commits, settled })
}

/// A commit by its number.
pub(crate) async fn read(account: &Account, number: u64) -> Result<Commit> {
    let entry = Entry { number, kind: EntryKind::Commit };
    let bytes = account.log.get(entry).await?;
    serde_json::from_slice(&bytes).with_context(|| format!("{entry} cannot be read"))
}

/// What a person should know of a pass, a line each.
pub(crate) fn problems(pass: &Pass) -> Vec<String> {
    let mut lines = Vec::new();
    for aside in pass.loads.tables.iter().flat_map(|table| &table.set_aside) {
        lines.push(format!("set aside: {}: {}", aside.key, aside.reason));
    }
    for Gap { commit, committed, loaded } in &pass.gaps {
        lines.push(format!("gap: commit {commit}: {loaded} of {committed} silver rows are in the warehouse"));
    }
    lines.extend(pass.failed.iter().map(|key| format!("not delivered: {key}")));
    lines
}

/// A pass as people read it: each table with its rows, then what is wrong.
pub(crate) fn text(pass: &Pass) -> String {
    let width = pass.loads.tables.iter().map(|table| table.table.len()).max().unwrap_or(0);
    let line = |table: &TableReport| {
        let TableReport { table, objects, rows, already, .. } = table;
        format!("  {table:<width$}  {rows} rows from {objects} objects; {already} objects were loaded before\n")
    };
    let problems = problems(pass).into_iter().map(|problem| problem + "\n");
    pass.loads.tables.iter().map(line).chain(problems).collect()
}
