//! Why a file is no reference table.

use sluice_formats::FrameError;
use std::io;

/// A file that cannot be taken: the clause that follows its name.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("it could not be read: {0}")]
    Io(#[from] io::Error),
    /// It is too large, as it lies on disk or in memory.
    #[error("it holds {bytes} bytes or more; a reference table may hold {limit}")]
    TooLarge {
        /// How many, at least.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It has too many rows.
    #[error("it has {rows} rows or more; a reference table may have {limit}")]
    TooLong {
        /// How many, at least.
        rows: usize,
        /// The limit.
        limit: usize,
    },
    /// Its header is no good.
    #[error("{0}")]
    Header(#[from] FrameError),
    /// A record of CSV is no row.
    #[error("line {line}: {what}")]
    Record {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it. Holds no value.
        what: String,
    },
    /// It is no Parquet file, or a broken one.
    #[error("it is no Parquet file that can be read: {0}")]
    Parquet(String),
    /// It has no such column.
    #[error("it has no column `{column}`{way_out}")]
    NoColumn {
        /// As the manifest names it.
        column: String,
        /// The end of the message.
        way_out: String,
    },
    /// No column of a rule can hold what this one holds.
    #[error("column `{column}` is {ty}: {what}")]
    Type {
        /// Its name.
        column: String,
        /// Its type in the file.
        ty: String,
        /// What is wrong, and the way out.
        what: String,
    },
}
