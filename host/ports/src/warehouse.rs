//! SQL over what is committed.

use crate::Result;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;

/// A table of a dataset: `silver`, `quarantine`, or a gold by its name.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Table name.
    pub name: String,
    /// Columns; objects hold exactly these, in this order.
    pub schema: SchemaRef,
    /// Names of the committed objects that hold its rows.
    pub objects: Vec<String>,
}

/// Answers SQL.
///
/// Contract: sees whole segments, and only those given to it.
#[async_trait]
pub trait Warehouse: Send + Sync {
    /// Runs one query.
    ///
    /// # Errors
    /// [`Kind::Fatal`](crate::Kind::Fatal) with the place in the SQL where it cannot be understood.
    async fn query(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)>;
}
