//! Parquet objects, the same bytes for the same rows.
//!
//! Encodings are chosen from the first batch of an object, so a replay chooses the same: text and numbers with few
//! different values get a dictionary, ids share prefixes, times and integers are stored as differences. Statistics are
//! kept where they help a reader skip: not for text of many different values.

use crate::error::{Result, internal};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use std::collections::HashSet;
use std::hash::Hash;

/// Rows of a row group. Its pages are held compressed until it is whole, so it also bounds memory.
const ROW_GROUP_ROWS: usize = 262_144;
/// Rows looked at to choose encodings.
const SAMPLE: usize = 1024;
/// A column is worth a dictionary where at most one in this many rows of the sample is new.
const REPEATS: usize = 4;

/// Writes one object into memory.
pub(crate) struct Encoder {
    schema: SchemaRef,
    metadata: Vec<KeyValue>,
    writer: Option<ArrowWriter<Vec<u8>>>,
    rows: u64,
}

impl Encoder {
    /// `metadata` is written into the file's footer, in this order.
    pub(crate) fn new(schema: SchemaRef, metadata: &[(String, String)]) -> Self {
        let metadata = metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        Self { schema, metadata, writer: None, rows: 0 }
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.writer.is_none() {
            self.writer = Some(self.open(batch)?);
        }
        let writer = self.writer.as_mut().expect("it was just opened");
        writer.write(batch).map_err(|error| internal("parquet", error))?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Bytes so far: those of whole row groups, and an estimate of the open one.
    pub(crate) fn size(&self) -> usize {
        self.writer.as_ref().map_or(0, |writer| writer.bytes_written() + writer.in_progress_size())
    }

    /// Rows and bytes of the object, or none where nothing was written.
    pub(crate) fn finish(self) -> Result<Option<(u64, Vec<u8>)>> {
        let rows = self.rows;
        let bytes = self.writer.map(ArrowWriter::into_inner).transpose().map_err(|e| internal("parquet", e))?;
        Ok(bytes.map(|bytes| (rows, bytes)))
    }

    fn open(&self, sample: &RecordBatch) -> Result<ArrowWriter<Vec<u8>>> {
        let level = ZstdLevel::try_new(1).expect("level 1 exists");
        let mut properties = WriterProperties::builder()
            .set_created_by(format!("sluice {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(self.metadata.clone()));
        for (field, column) in self.schema.fields().iter().zip(sample.columns()) {
            properties = choose(properties, field.name(), column);
        }
        let options = ArrowWriterOptions::new().with_properties(properties.build());
        ArrowWriter::try_new_with_options(Vec::new(), self.schema.clone(), options)
            .map_err(|error| internal("parquet", error))
    }
}

fn choose(properties: WriterPropertiesBuilder, name: &str, column: &ArrayRef) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(name.to_owned());
    if name == "_sluice_id" {
        return properties
            .set_column_encoding(path.clone(), Encoding::DELTA_BYTE_ARRAY)
            .set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    if repeats(column) {
        return properties.set_column_dictionary_enabled(path, true);
    }
    match column.data_type() {
        DataType::Utf8 | DataType::Binary => properties.set_column_statistics_enabled(path, EnabledStatistics::None),
        DataType::Int64 | DataType::Date32 | DataType::Timestamp(..) => {
            properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
        }
        _ => properties,
    }
}

/// Whether few different values stand in the sample.
fn repeats(column: &ArrayRef) -> bool {
    fn few<T: Hash + Eq>(values: impl Iterator<Item = T>) -> bool {
        let (mut seen, mut rows) = (HashSet::new(), 0);
        for value in values.take(SAMPLE) {
            seen.insert(value);
            rows += 1;
        }
        seen.len() * REPEATS <= rows
    }
    match column.data_type() {
        DataType::Utf8 => few(column.as_string::<i32>().iter()),
        DataType::Int64 => few(column.as_primitive::<Int64Type>().iter()),
        DataType::Decimal128(..) => few(column.as_primitive::<Decimal128Type>().iter()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::{Field, Schema};
    use std::sync::Arc;

    fn encode(rows: i64) -> Option<(u64, Vec<u8>)> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("_sluice_id", DataType::Utf8, false),
        ]));
        let ids = StringArray::from_iter_values((0..rows).map(|n| format!("file:0/a/{n}")));
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(0..rows)), Arc::new(ids)];
        let mut encoder = Encoder::new(schema.clone(), &[("sluice.dataset".into(), "x".into())]);
        encoder.write(&RecordBatch::try_new(schema, columns).unwrap()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_same_rows_give_the_same_bytes_and_no_rows_no_object() {
        assert_eq!(encode(5000), encode(5000));
        assert_eq!(encode(5000).unwrap().0, 5000);
        assert_eq!(encode(0), None);
    }
}
