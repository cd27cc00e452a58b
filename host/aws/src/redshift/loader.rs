//! The loader: tables made ready, and objects that are not loaded yet.

use super::api::DataApi;
use super::attempt::Attempts;
use super::catalog;
use super::config::RedshiftConfig;
use super::ddl::TableDef;
use super::ledger::{self, Entry, Ledger};
use super::load::{Loaded, Loads};
use super::run::{Run, groups};
use super::sql::{SqlType, iam_role};
use super::target::Target;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use sluice_ports::{
    Clock, Loader, Object, ObjectFormat, ObjectStore, Result, SetAside, Settled, SystemClock, Table, TableReport,
    Warehouse,
};
use std::sync::Arc;

/// Tables of one schema of Redshift, loaded through the Data API. Clones share the connection.
#[derive(Clone)]
pub struct RedshiftLoader {
    pub(super) api: DataApi,
    pub(super) config: Arc<RedshiftConfig>,
    attempts: Attempts,
    pub(super) ledger: Ledger,
    role: String,
    clock: Arc<dyn Clock>,
}

impl RedshiftLoader {
    /// A loader. `state`: the store whose names follow `state_url` of the settings; attempts and manifests lie there.
    ///
    /// # Errors
    /// Where the role for COPY is none.
    pub fn new(api: DataApi, config: RedshiftConfig, state: Arc<dyn ObjectStore>) -> Result<Self> {
        Ok(Self {
            role: iam_role(&config.copy_role)?,
            attempts: Attempts::new(state, &config.state_url, &config.bucket),
            ledger: Ledger::new(&config.schema, &config.dataset),
            api,
            config: Arc::new(config),
            clock: Arc::new(SystemClock::default()),
        })
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where it loads.
    pub fn target(&self) -> &Target {
        self.api.target()
    }

    /// Brings to an end what earlier loads of a table left behind.
    async fn settle_leftovers(&self, loads: &Loads<'_>) -> Result<Loaded> {
        let mut all = Loaded::default();
        for attempt in self.attempts.leftovers(loads.table).await? {
            if let Some(loaded) = loads.settle(&attempt).await? {
                all.objects += loaded.objects;
                all.staged += loaded.staged;
                all.rows += loaded.rows;
            }
        }
        Ok(all)
    }

    /// Types of the table's columns, those too that only the database knows of.
    async fn known_types(&self, def: &TableDef, objects: &[Object]) -> Result<Vec<(String, SqlType)>> {
        let mut types: Vec<_> = def.columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
        let foreign = |name: &String| def.column(name).is_none();
        if objects.iter().any(|object| object.columns.as_ref().is_some_and(|names| names.iter().any(foreign))) {
            let what = format!("looking at table `{}.{}`", def.schema, def.name);
            let existing = catalog::columns(&self.api, &def.schema, &def.name).await;
            let existing = existing.map_err(|error| error.into_port(&what))?;
            types.extend(existing.into_iter().filter_map(|found| Some((found.name, found.ty?))));
        }
        Ok(types)
    }

    async fn entries(&self, table: &str, objects: &[Object]) -> Result<Sorted> {
        let entries = self.ledger.entries(&self.api, table, objects).await;
        let entries = entries.map_err(|error| error.into_port(&format!("table `{table}`: reading the ledger")))?;
        let mut sorted = Sorted::default();
        for object in objects {
            match entries.get(&(object.key.clone(), object.etag.clone())) {
                None => sorted.rest.push(object.clone()),
                Some(Entry::Loaded) => sorted.already += 1,
                Some(Entry::SetAside(reason)) => {
                    sorted.aside.push(SetAside { key: object.key.clone(), reason: reason.clone() });
                }
            }
        }
        Ok(sorted)
    }
}

/// Objects, by what the ledger says of them.
#[derive(Default)]
struct Sorted {
    rest: Vec<Object>,
    already: u64,
    aside: Vec<SetAside>,
}

#[async_trait]
impl Loader for RedshiftLoader {
    async fn prepare(&self, tables: &[Table]) -> Result<Vec<String>> {
        let mut defs: Vec<TableDef> =
            tables.iter().map(|table| self.config.definition(table)).collect::<Result<_>>()?;
        let mut done: Vec<String> = catalog::make_schema(&self.api, &self.config.schema).await?.into_iter().collect();
        let ledger = ledger::definition(&self.config.schema);
        done.extend(catalog::make_table(&self.api, &ledger, &[]).await?);
        for def in defs.drain(..) {
            done.extend(catalog::make_table(&self.api, &def, &self.config.grants).await?);
        }
        Ok(done)
    }

    async fn load_settled(
        &self,
        table: &Table,
        format: ObjectFormat,
        objects: &[Object],
        settled: Option<&Settled>,
    ) -> Result<TableReport> {
        let def = self.config.definition(table)?;
        let loads = Loads {
            api: &self.api,
            attempts: &self.attempts,
            ledger: &self.ledger,
            def: &def,
            kind: &table.kind,
            clock: &*self.clock,
            role: &self.role,
            keep_alive_seconds: self.config.keep_alive_seconds,
            most_attempts: self.config.attempts.max(1),
            dataset: &self.config.dataset,
            table: &table.name,
            settled,
        };
        let settled = self.settle_leftovers(&loads).await?;
        let sorted = self.entries(&table.name, objects).await?;
        let report = TableReport {
            table: table.name.clone(),
            objects: settled.objects,
            already: sorted.already.saturating_sub(settled.objects),
            staged: settled.staged,
            rows: settled.rows,
            set_aside: sorted.aside,
        };
        let types = self.known_types(&def, &sorted.rest).await?;
        let queue = groups(sorted.rest, format, &self.config);
        Run { loader: self, loads: &loads, format, types, queue, suspects: vec![], bad: 0, report }.all().await
    }
}

#[async_trait]
impl Warehouse for RedshiftLoader {
    async fn query(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let rows = self.api.run("sluice-query", sql).await.map_err(|error| error.into_port("query"))?;
        let (schema, batch) = rows.arrow()?;
        Ok((schema, vec![batch]))
    }
}
