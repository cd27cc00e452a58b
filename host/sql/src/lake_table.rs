//! One table over a list of Parquet objects.

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::object_store::{ObjectMeta, ObjectStoreExt, memory::InMemory, path::Path as ObjectPath};
use datafusion::physical_plan::{ExecutionPlan, empty::EmptyExec};
use sluice_ports::{ObjectStore, TableSpec};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The place under which a query finds the objects. Nothing outside of one query sees it.
pub(crate) const LAKE_URL: &str = "sluice://lake/";

/// First guess at the bytes of a file's footer: small files are read with one call.
const FOOTER_BYTES: usize = 64 << 10;

/// Where the objects are.
pub(crate) enum Place {
    /// Files below a folder: read in place.
    Folder(PathBuf),
    /// Anything else: the objects of a table are fetched whole when it is read.
    Fetched { from: Arc<dyn ObjectStore>, into: Arc<InMemory> },
}

/// A table. Its schema is the one given; objects are read by column name, and their paths mean nothing.
pub(crate) struct LakeTable {
    spec: TableSpec,
    place: Arc<Place>,
}

impl fmt::Debug for LakeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeTable").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl LakeTable {
    pub(crate) fn new(spec: TableSpec, place: Arc<Place>) -> Self {
        Self { spec, place }
    }

    /// The objects as DataFusion wants them, with their sizes.
    async fn files(&self) -> Result<Vec<PartitionedFile>> {
        match self.place.as_ref() {
            Place::Folder(root) => {
                let (root, objects) = (root.clone(), self.spec.objects.clone());
                let sizes = move || objects.iter().map(|name| on_disk(&root, name)).collect::<Result<Vec<_>>>();
                tokio::task::spawn_blocking(sizes).await.map_err(|error| DataFusionError::External(error.into()))?
            }
            Place::Fetched { from, into } => {
                let mut files = Vec::with_capacity(self.spec.objects.len());
                for name in &self.spec.objects {
                    let data = from.get(name).await.map_err(|error| DataFusionError::External(error.into()))?;
                    files.push(fetched(into, name, data).await?);
                }
                Ok(files)
            }
        }
    }
}

fn on_disk(root: &std::path::Path, name: &str) -> Result<PartitionedFile> {
    let missing = |error: std::io::Error| {
        let text = format!("the committed object `{}` cannot be read: {error}", root.join(name).display());
        DataFusionError::IoError(std::io::Error::new(error.kind(), text))
    };
    let size = std::fs::metadata(root.join(name)).map_err(missing)?.len();
    file(name, size)
}

async fn fetched(into: &InMemory, name: &str, data: Bytes) -> Result<PartitionedFile> {
    let found = file(name, data.len() as u64)?;
    into.put(&found.object_meta.location, data.into()).await?;
    Ok(found)
}

fn file(name: &str, size: u64) -> Result<PartitionedFile> {
    // parsed, not made: names hold percent signs of their own
    let location = ObjectPath::parse(name).map_err(|error| DataFusionError::External(error.into()))?;
    let meta = ObjectMeta { location, last_modified: Default::default(), size, e_tag: None, version: None };
    Ok(PartitionedFile::new_from_meta(meta))
}

/// As many groups as partitions, each with as many bytes as the others, give or take a file.
fn groups(mut files: Vec<PartitionedFile>, partitions: usize) -> Vec<FileGroup> {
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = (0..partitions).map(|_| (0, vec![])).collect();
    for file in files {
        let smallest = groups.iter_mut().min_by_key(|(bytes, _)| *bytes).expect("there is a partition");
        smallest.0 += file.object_meta.size;
        smallest.1.push(file);
    }
    groups.into_iter().filter(|(_, files)| !files.is_empty()).map(|(_, files)| FileGroup::new(files)).collect()
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.spec.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.spec.objects.is_empty() {
            let all = || (0..self.spec.schema.fields().len()).collect();
            let schema = self.spec.schema.project(&projection.cloned().unwrap_or_else(all))?;
            return Ok(Arc::new(EmptyExec::new(Arc::new(schema))));
        }
        let groups = groups(self.files().await?, state.config().target_partitions().max(1));
        let source = ParquetSource::new(self.schema()).with_metadata_size_hint(FOOTER_BYTES);
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(LAKE_URL)?, Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
