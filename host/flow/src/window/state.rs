//! Partials of open windows as an object: Arrow IPC, one batch, one row a group.

use super::gold::Gold;
use super::partials::Table;
use crate::error::{FlowError, Result, internal};
use arrow_array::builder::{BinaryBuilder, Int64Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema};
use sluice_batch::ShardRef;
use std::collections::HashMap;
use std::sync::Arc;

const DEFINITION: &str = "sluice.definition";
const RULE: &str = "sluice.rule";

/// What began the windows of a state object.
pub(super) struct OpenedBy {
    pub(super) definition: String,
    /// `name@version`.
    pub(super) rule: String,
}

impl Gold {
    /// What began the windows of a state object.
    pub(super) fn opened_by(bytes: &[u8]) -> Result<OpenedBy> {
        let reader = FileReader::try_new(std::io::Cursor::new(bytes), None);
        let schema = reader.map_err(|e| internal("partials of an earlier run", e))?.schema();
        let text = |key: &str, unknown: &str| schema.metadata().get(key).map_or(unknown, String::as_str).to_owned();
        Ok(OpenedBy { definition: text(DEFINITION, ""), rule: text(RULE, "an unknown rule") })
    }

    /// The open windows, or none.
    pub(crate) fn save(&self) -> Result<Option<(u64, Vec<u8>)>> {
        if self.shards.is_empty() {
            return Ok(None);
        }
        let (mut source, mut shard) = (StringBuilder::new(), StringBuilder::new());
        let (mut start, mut key) = (Int64Builder::new(), BinaryBuilder::new());
        let mut parts: Vec<Vec<ArrayRef>> = Vec::new();
        for (of, tables) in &self.shards {
            for (window, table) in tables {
                for group in table.keys() {
                    source.append_value(&of.source);
                    shard.append_value(&of.shard);
                    start.append_value(*window);
                    key.append_value(group);
                }
                parts.push(table.all());
            }
        }
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(source.finish()), Arc::new(shard.finish()), Arc::new(start.finish()), Arc::new(key.finish())];
        for column in 0..self.partial_types.len() {
            let arrays: Vec<&dyn Array> = parts.iter().map(|part| part[column].as_ref()).collect();
            columns.push(arrow_select::concat::concat(&arrays).map_err(|e| internal("partials", e))?);
        }
        let schema = Arc::new(self.state_schema());
        let batch = RecordBatch::try_new(schema.clone(), columns).map_err(|e| internal("partials", e))?;
        let mut writer = FileWriter::try_new(Vec::new(), &schema).map_err(|e| internal("partials", e))?;
        writer.write(&batch).map_err(|e| internal("partials", e))?;
        let bytes = writer.into_inner().map_err(|e| internal("partials", e))?;
        Ok(Some((batch.num_rows() as u64, bytes)))
    }

    /// Takes up windows that this definition left open.
    pub(super) fn load(&mut self, bytes: &[u8]) -> Result<()> {
        let bad = |e| internal("partials of an earlier run", e);
        let reader = FileReader::try_new(std::io::Cursor::new(bytes), None).map_err(bad)?;
        for batch in reader {
            self.load_batch(&batch.map_err(bad)?);
        }
        Ok(())
    }

    fn load_batch(&mut self, batch: &RecordBatch) {
        let (source, shard) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let (start, key) = (batch.column(2).as_primitive::<Int64Type>(), batch.column(3).as_binary::<i32>());
        let same = |a: usize, b: usize| {
            source.value(a) == source.value(b) && shard.value(a) == shard.value(b) && start.value(a) == start.value(b)
        };
        let mut first = 0;
        while first < batch.num_rows() {
            let rows = (first..batch.num_rows()).take_while(|row| same(first, *row)).count();
            let mut table = Table::new(&self.partial_types);
            let numbers: Vec<u32> = (first..first + rows).map(|row| table.row(key.value(row))).collect();
            let partials: Vec<ArrayRef> = batch.columns()[4..].iter().map(|c| c.slice(first, rows)).collect();
            table.scatter(&numbers, &partials);
            let shard = ShardRef::new(source.value(first), shard.value(first));
            self.shards.entry(shard).or_default().insert(start.value(first), table);
            first += rows;
        }
    }

    fn state_schema(&self) -> Schema {
        let mut fields = vec![
            Field::new("source", DataType::Utf8, false),
            Field::new("shard", DataType::Utf8, false),
            Field::new("window_start", DataType::Int64, false),
            Field::new("key", DataType::Binary, false),
        ];
        let partial =
            |(i, ty): (usize, &sluice_batch::ColumnType)| Field::new(format!("partial_{i}"), ty.arrow(), true);
        fields.extend(self.partial_types.iter().enumerate().map(partial));
        let metadata = HashMap::from([
            (DEFINITION.to_owned(), self.bound.definition.clone()),
            (RULE.to_owned(), self.bound.rule.id().to_string()),
        ]);
        Schema::new_with_metadata(fields, metadata)
    }

    pub(super) fn other_definition(&self, rule: &str) -> FlowError {
        let name = &self.bound.plan.name;
        FlowError::Plan(format!(
            "gold `{name}`: windows are open that were begun by {rule} under another definition of this gold, which is no \
             longer at hand, and a window is finished by what began it; run once more with the manifest and rules as they were and without \
             `--keep-open`, which closes them, then change the gold"
        ))
    }
}
