//! Hive-style partitions: which rows belong into which folder.

use crate::checks::DAY_US;
use crate::display::{civil, text_of};
use crate::layout::Layout;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use sluice_manifest::plan::{Partition, PartitionOf};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Folder part for a null, as Hive writes it.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// Longest encoded value in bytes. A longer one is cut and told apart by a digest of the whole.
const MAX_VALUE: usize = 200;

/// Cuts batches into partitions.
pub(crate) struct Partitioner {
    levels: Vec<(Partition, usize)>,
}

impl Partitioner {
    pub(crate) fn new(levels: &[Partition], layout: &Layout) -> crate::error::Result<Self> {
        let place = |level: &Partition| Ok((level.clone(), layout.index(&level.column)?));
        Ok(Self { levels: levels.iter().map(place).collect::<crate::error::Result<_>>()? })
    }

    /// Whether there is anything to cut.
    pub(crate) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Rows by folder (`country=France/day=2010-12-01`), in the order of rows within each.
    pub(crate) fn assign(&self, batch: &RecordBatch) -> BTreeMap<String, Vec<u32>> {
        let mut folders: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut last: Option<(String, Vec<u32>)> = None;
        let mut path = String::new();
        for row in 0..batch.num_rows() {
            path.clear();
            for (level, column) in &self.levels {
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(level.key());
                path.push('=');
                push_value(&mut path, batch.column(*column), row, level.of);
            }
            match &mut last {
                Some((folder, rows)) if *folder == path => rows.push(row as u32),
                _ => {
                    if let Some((folder, rows)) = last.take() {
                        folders.entry(folder).or_default().extend(rows);
                    }
                    last = Some((path.clone(), vec![row as u32]));
                }
            }
        }
        if let Some((folder, rows)) = last {
            folders.entry(folder).or_default().extend(rows);
        }
        folders
    }
}

fn push_value(path: &mut String, column: &ArrayRef, row: usize, of: PartitionOf) {
    if column.is_null(row) {
        return path.push_str(NULL);
    }
    match of {
        PartitionOf::Value => {
            let text = text_of(column, row);
            path.push_str(&encode(&text));
        }
        _ => push_time(path, micros(column, row), of),
    }
}

fn micros(column: &ArrayRef, row: usize) -> i64 {
    match column.data_type() {
        DataType::Date32 => i64::from(column.as_primitive::<Date32Type>().value(row)) * DAY_US,
        _ => column.as_primitive::<TimestampMicrosecondType>().value(row),
    }
}

fn push_time(path: &mut String, micros: i64, of: PartitionOf) {
    let (year, month, day) = civil(micros.div_euclid(DAY_US));
    let hour = micros.rem_euclid(DAY_US) / 3_600_000_000;
    let _ = match of {
        PartitionOf::Year => write!(path, "{year:04}"),
        PartitionOf::Month => write!(path, "{year:04}-{month:02}"),
        PartitionOf::Hour => write!(path, "{year:04}-{month:02}-{day:02}T{hour:02}"),
        PartitionOf::Day | PartitionOf::Value => write!(path, "{year:04}-{month:02}-{day:02}"),
    };
}

/// A value as a folder part: bytes outside `[A-Za-z0-9_.-]` percent-encoded, never `.` or `..`, at most 200 bytes.
pub(crate) fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-') {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    if matches!(out.as_str(), "." | "..") {
        out = out.replace('.', "%2E");
    }
    if out.len() > MAX_VALUE {
        let digest = sluice_batch::digest_hex(value.as_bytes());
        out.truncate(MAX_VALUE - 17);
        // not in the middle of an escape
        if let Some(at) = out.rfind('%').filter(|at| at + 3 > out.len()) {
            out.truncate(at);
        }
        let _ = write!(out, "-{}", &digest[..16]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_become_safe_folder_parts() {
        assert_eq!(encode("United Kingdom"), "United%20Kingdom");
        assert_eq!(encode("a/b=c%"), "a%2Fb%3Dc%25");
        assert_eq!(encode("São"), "S%C3%A3o");
        assert_eq!((encode("."), encode(".."), encode("")), ("%2E".into(), "%2E%2E".into(), String::new()));
    }

    proptest! {
        #[test]
        fn no_value_is_too_long_or_leaves_its_folder(value in "\\PC{0,300}") {
            let part = encode(&value);
            prop_assert!(part.len() <= MAX_VALUE);
            prop_assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-%".contains(&b)));
            prop_assert!(part != "." && part != "..");
        }
    }
}
