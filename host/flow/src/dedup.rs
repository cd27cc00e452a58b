//! Records that a producer sent twice: recognised by some columns within a bounded window, and left out.
//!
//! A row is a double where an earlier silver row of its shard, or of the shards that this one came from, has the same
//! values and arrived not longer before than the window is wide. Nothing else decides, so threads, batches and restarts
//! do not. What was seen is a part of the state that each commit carries.

use crate::error::{Result, internal};
use crate::layout::Layout;
use crate::window::{KeyColumn, Parents};
use arrow_array::builder::{FixedSizeBinaryBuilder, Int64Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema};
use sluice_batch::{ColumnType, ShardRef, digest_hex};
use sluice_manifest::plan::DedupPlan;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// Folder of the state object. No gold has such a name.
pub(crate) const FOLDER: &str = "_dedup";
const DEFINITION: &str = "sluice.definition";
/// Bytes of a key's digest.
const KEY_BYTES: i32 = 16;

/// What was seen of each shard.
pub(crate) struct Dedup {
    columns: Vec<(usize, ColumnType)>,
    window_us: i64,
    keys: usize,
    definition: String,
    shards: BTreeMap<ShardRef, Seen>,
}

/// Keys of one shard, with the arrival of the row that was kept.
#[derive(Default)]
struct Seen {
    arrived: HashMap<u128, i64>,
    order: VecDeque<(i64, u128)>,
}

impl Seen {
    fn insert(&mut self, key: u128, arrived: i64, window_us: i64, keys: usize) {
        self.arrived.insert(key, arrived);
        self.order.push_back((arrived, key));
        while let Some((first, key)) = self.order.front().copied() {
            if self.order.len() <= keys && arrived.saturating_sub(first) <= window_us {
                break;
            }
            self.order.pop_front();
            // it may have come again since, and is remembered for that
            if self.arrived.get(&key) == Some(&first) {
                self.arrived.remove(&key);
            }
        }
    }
}

impl Dedup {
    pub(crate) fn new(plan: &DedupPlan, layout: &Layout) -> Result<Self> {
        let place = |name: &String| layout.index(name).map(|index| (index, layout.fields[index].ty));
        let text = serde_json::to_string(plan).expect("a plan is plain data");
        Ok(Self {
            columns: plan.columns.iter().map(place).collect::<Result<_>>()?,
            window_us: plan.window.as_micros() as i64,
            keys: plan.keys,
            definition: digest_hex(text.as_bytes()),
            shards: BTreeMap::new(),
        })
    }

    /// Goes on from what was seen before, where it is recognised by the same.
    pub(crate) fn after(self, before: Self) -> Self {
        match self.definition == before.definition {
            true => Self { shards: before.shards, ..self },
            false => self,
        }
    }

    /// Rows of a batch that came before, ascending. The others are remembered. `silver` ends in the rows' arrivals; a row
    /// without any value in the columns has no double.
    pub(crate) fn doubles(&mut self, shard: &ShardRef, silver: &RecordBatch, parents: &Parents) -> Vec<u32> {
        let arrivals = silver.column(silver.num_columns() - 1).as_primitive::<TimestampMicrosecondType>();
        let keys: Vec<KeyColumn<'_>> =
            self.columns.iter().map(|(index, ty)| KeyColumn::new(silver.column(*index), *ty)).collect();
        let nothing = vec![0u8; keys.len()];
        let mut seen = self.shards.remove(shard).unwrap_or_default();
        let (mut doubles, mut bytes) = (Vec::new(), Vec::new());
        for row in 0..silver.num_rows() {
            bytes.clear();
            keys.iter().for_each(|column| column.push(row, &mut bytes));
            if bytes == nothing {
                continue;
            }
            let (key, arrived) = (xxh3_128(&bytes), arrivals.value(row));
            let before = seen.arrived.get(&key).copied().or_else(|| self.of_parents(shard, key, parents));
            match before {
                Some(before) if arrived.saturating_sub(before) <= self.window_us => doubles.push(row as u32),
                _ => seen.insert(key, arrived, self.window_us, self.keys),
            }
        }
        self.shards.insert(shard.clone(), seen);
        doubles
    }

    fn of_parents(&self, shard: &ShardRef, key: u128, parents: &Parents) -> Option<i64> {
        let all = parents.get(shard)?;
        let of = |parent| {
            let seen = self.shards.get(parent).and_then(|seen| seen.arrived.get(&key).copied());
            seen.or_else(|| self.of_parents(parent, key, parents))
        };
        all.iter().filter_map(of).max()
    }

    /// What was seen, or none.
    pub(crate) fn save(&self) -> Result<Option<(u64, Vec<u8>)>> {
        let (mut source, mut shard) = (StringBuilder::new(), StringBuilder::new());
        let (mut arrived, mut key) = (Int64Builder::new(), FixedSizeBinaryBuilder::new(KEY_BYTES));
        for (of, seen) in &self.shards {
            for (time, digest) in &seen.order {
                source.append_value(&of.source);
                shard.append_value(&of.shard);
                arrived.append_value(*time);
                key.append_value(digest.to_be_bytes()).map_err(|e| internal("keys seen", e))?;
            }
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(source.finish()),
            Arc::new(shard.finish()),
            Arc::new(arrived.finish()),
            Arc::new(key.finish()),
        ];
        let schema = Arc::new(self.schema());
        let batch = RecordBatch::try_new(schema.clone(), columns).map_err(|e| internal("keys seen", e))?;
        if batch.num_rows() == 0 {
            return Ok(None);
        }
        let mut writer = FileWriter::try_new(Vec::new(), &schema).map_err(|e| internal("keys seen", e))?;
        writer.write(&batch).map_err(|e| internal("keys seen", e))?;
        let bytes = writer.into_inner().map_err(|e| internal("keys seen", e))?;
        Ok(Some((batch.num_rows() as u64, bytes)))
    }

    /// Takes up what an earlier process saw; begins anew where that looked at other columns.
    pub(crate) fn load(&mut self, bytes: &[u8]) -> Result<()> {
        let bad = |e| internal("keys seen by an earlier run", e);
        let reader = FileReader::try_new(std::io::Cursor::new(bytes), None).map_err(bad)?;
        if reader.schema().metadata().get(DEFINITION) != Some(&self.definition) {
            tracing::warn!("`dedup` changed: doubles of records from before are not found");
            return Ok(());
        }
        for batch in reader {
            self.load_batch(&batch.map_err(bad)?);
        }
        Ok(())
    }

    fn load_batch(&mut self, batch: &RecordBatch) {
        let (source, shard) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let (arrived, key) = (batch.column(2).as_primitive::<Int64Type>(), batch.column(3).as_fixed_size_binary());
        for row in 0..batch.num_rows() {
            let of = ShardRef::new(source.value(row), shard.value(row));
            let digest = key.value(row).try_into().map_or(0, u128::from_be_bytes);
            let seen = self.shards.entry(of).or_default();
            seen.arrived.insert(digest, arrived.value(row));
            seen.order.push_back((arrived.value(row), digest));
        }
    }

    fn schema(&self) -> Schema {
        let fields = vec![
            Field::new("source", DataType::Utf8, false),
            Field::new("shard", DataType::Utf8, false),
            Field::new("arrived_at", DataType::Int64, false),
            Field::new("key", DataType::FixedSizeBinary(KEY_BYTES), false),
        ];
        Schema::new_with_metadata(fields, HashMap::from([(DEFINITION.to_owned(), self.definition.clone())]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_leave_by_age_and_by_number_and_a_key_that_came_again_stays() {
        let mut seen = Seen::default();
        seen.insert(1, 0, 10, 100);
        seen.insert(2, 5, 10, 100);
        seen.insert(1, 11, 10, 100);
        assert_eq!(seen.arrived.get(&1), Some(&11));
        seen.insert(3, 12, 10, 2);
        assert_eq!(seen.arrived.keys().copied().collect::<std::collections::BTreeSet<_>>(), [1, 3].into());
    }
}
