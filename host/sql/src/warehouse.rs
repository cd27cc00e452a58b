//! The embedded warehouse.

use crate::explain::explain;
use crate::lake_table::{LAKE_URL, LakeTable, Place};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::object_store::{ObjectStore as DataFusionStore, local::LocalFileSystem, memory::InMemory};
use datafusion::prelude::{SessionConfig, SessionContext};
use sluice_ports::{Kind, ObjectStore, PortError, Result, TableSpec, Warehouse};
use std::path::PathBuf;
use std::sync::Arc;

/// Threads that one query uses at most.
const MAX_PARTITIONS: usize = 4;

/// Memory that the operators of one query may hold (hash tables, sorts). A query that needs more is refused: nothing is
/// spilled to disk, where it would lie outside the data folder and its rules about personal data.
const MEMORY_BYTES: usize = 1 << 30;

/// Rows of a batch between operators: DataFusion's own default.
const BATCH_ROWS: usize = 8192;

/// Tables over committed objects, read with DataFusion.
///
/// Each table has exactly the objects of its [`TableSpec`] and exactly its schema: columns are found in the objects by
/// name, one that an object lacks is null there, and what stands in an object's path is not interpreted. A table without
/// objects is empty. Only queries are answered: nothing can be created, changed, copied out or set.
pub struct LakeWarehouse {
    store: Arc<dyn ObjectStore>,
    root: Option<PathBuf>,
    tables: Vec<TableSpec>,
    /// Tables that are at hand, by name.
    rows: Vec<(String, RecordBatch)>,
}

impl LakeWarehouse {
    /// Tables over a store's objects. Where the objects are files below a folder, `root` names it and they are read in
    /// place, column by column; elsewhere the objects of the tables that a query reads are fetched whole into memory.
    pub fn new(store: Arc<dyn ObjectStore>, root: Option<PathBuf>, tables: Vec<TableSpec>) -> Self {
        Self { store, root, tables, rows: Vec::new() }
    }

    /// With a table whose rows are at hand. One of the lake's tables of that name goes first.
    #[must_use]
    pub fn with_rows(mut self, name: &str, rows: RecordBatch) -> Self {
        if self.tables.iter().all(|table| table.name != name) {
            self.rows.push((name.to_owned(), rows));
        }
        self
    }

    fn context(&self) -> std::result::Result<SessionContext, DataFusionError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_PARTITIONS);
        let mut config = SessionConfig::new()
            .with_target_partitions(threads)
            .with_batch_size(BATCH_ROWS)
            .with_information_schema(true);
        config.options_mut().sql_parser.collect_spans = true;
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(MEMORY_BYTES)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .build_arc()?;
        let context = SessionContext::new_with_config_rt(config, runtime);
        let (store, place) = self.place()?;
        context.register_object_store(ObjectStoreUrl::parse(LAKE_URL)?.as_ref(), store);
        for spec in &self.tables {
            let table = LakeTable::new(spec.clone(), place.clone());
            context.register_table(spec.name.as_str(), Arc::new(table))?;
        }
        for (name, rows) in &self.rows {
            let table = MemTable::try_new(rows.schema(), vec![vec![rows.clone()]])?;
            context.register_table(name.as_str(), Arc::new(table))?;
        }
        Ok(context)
    }

    fn place(&self) -> std::result::Result<(Arc<dyn DataFusionStore>, Arc<Place>), DataFusionError> {
        Ok(match &self.root {
            Some(root) => (Arc::new(LocalFileSystem::new_with_prefix(root)?), Arc::new(Place::Folder(root.clone()))),
            None => {
                let into = Arc::new(InMemory::new());
                (into.clone(), Arc::new(Place::Fetched { from: self.store.clone(), into }))
            }
        })
    }

    async fn run(&self, sql: &str) -> std::result::Result<(SchemaRef, Vec<RecordBatch>), DataFusionError> {
        let context = self.context()?;
        let only_queries = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let frame = context.sql_with_options(sql, only_queries).await?;
        let schema = SchemaRef::new(frame.schema().as_arrow().clone());
        Ok((schema, frame.collect().await?))
    }

    fn refusal(&self, error: DataFusionError) -> PortError {
        if let DataFusionError::External(cause) = error {
            return match cause.downcast::<PortError>() {
                Ok(port) => *port,
                Err(cause) => PortError::new(Kind::Fatal, format!("the query failed: {cause}")),
            };
        }
        let tables: Vec<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
        let explained = explain(&error, &tables);
        let place = explained.place.map_or(String::new(), |(line, column)| format!(" at line {line}, column {column}"));
        let limit = match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => {
                format!("; a query may hold {} MiB: group or select less", MEMORY_BYTES >> 20)
            }
            _ => String::new(),
        };
        let message = format!("query{place}: {}{limit}", explained.message);
        PortError { kind: Kind::Fatal, message, cause: Some(Box::new(error)) }
    }
}

#[async_trait]
impl Warehouse for LakeWarehouse {
    async fn query(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        self.run(sql).await.map_err(|error| self.refusal(error))
    }
}
