//! Tables and loads on Redshift, through the Data API.
//!
//! - [`RedshiftLoader`]: brings objects of the lake, or of Firehose, into tables, each record once.
//! - [`RedshiftConfig`], [`ddl()`]: how tables lie, and the statements that make them.
//! - [`DataApi`]: statements handed in, waited for and read.
//!
//! What keeps a record from being there twice: every load locks the ledger first and then inserts only ids (or keys)
//! that are not there. What keeps one from being lost: an object counts as loaded only where the ledger says so, and the
//! ledger says so in the transaction that inserts its rows. Attempts, written down before anything is handed in, let
//! whoever comes later find what may still run. So two loaders, lost replies and deaths at any point need no more than
//! to be begun again.

mod api;
mod attempt;
mod blame;
mod catalog;
mod check;
mod config;
mod ddl;
mod detail;
mod evolve;
mod gold;
mod ledger;
mod load;
mod loader;
mod rows;
mod run;
mod sql;
mod stage;
mod target;
mod work;

pub use api::DataApi;
pub use attempt::PREFIX as STATE_PREFIX;
pub use check::{Finding, Level};
pub use config::{RedshiftConfig, ddl};
pub use ddl::{ColumnDef, DEFAULT_VARCHAR, TableDef, TableOptions};
pub use evolve::{Change, Existing, changes};
pub use ledger::LEDGER;
pub use loader::RedshiftLoader;
pub use rows::{Rows, Value};
pub use sql::SqlType;
pub use target::Target;
pub use work::{
    Failed, Failure, Finished, MAX_RESULT_BYTES, MAX_ROW_BYTES, MAX_STATEMENT_BYTES, MAX_STATEMENTS, MAX_WAIT_SECONDS,
    RETENTION, Session, Submitted, TOKEN_BYTES, TOKEN_LIFE, Work,
};
