//! SQL over the committed objects, and SQL conditions as steps, by DataFusion. All use of DataFusion is in this crate.
//!
//! - [`LakeWarehouse`]: tables over exactly the Parquet objects that it is given, read-only.
//! - [`SqlCheck`]: a condition such as `quantity between 1 and 1000`, compiled to a step that rejects the rows for which
//!   it is false.
//! - [`format`](mod@format): results as an aligned table, CSV or JSON.
//!
//! SQL folds names to lower case unless they stand in double quotes. Every refusal names the place in the SQL where it is
//! known, and the nearest known name.

mod check;
mod explain;
pub mod format;
mod lake_table;
mod warehouse;

pub use check::{SqlCheck, SqlFinding};
pub use warehouse::LakeWarehouse;
