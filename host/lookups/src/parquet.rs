//! Tables of Parquet, with their types.

use crate::ReadError;
use crate::table::{Column, TableLimits, check_bytes, check_rows};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Schema};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice_batch::{ColumnType, Field};
use sluice_manifest::way_out;

/// Rows read at a time.
const ROWS: usize = 8192;

/// Reads columns by their names, in that order.
pub(crate) fn read(bytes: &Bytes, names: &[&str], limits: TableLimits) -> Result<Vec<Column>, ReadError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).map_err(|error| broken(&error))?;
    let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    check_rows(rows, limits.rows)?;
    let places = places(builder.schema(), names)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), places.iter().copied());
    let reader = builder.with_projection(mask).with_batch_size(ROWS).build().map_err(|error| broken(&error))?;
    let mut batches = vec![RecordBatch::new_empty(reader.schema())];
    let (mut held, mut rows) = (0, 0);
    for batch in reader {
        let batch = batch.map_err(|error| broken(&error))?;
        held +=
            batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum::<usize>();
        check_bytes(held, limits.bytes)?;
        // what the footer says of its rows is not what counts
        rows += batch.num_rows();
        check_rows(rows, limits.rows)?;
        batches.push(batch);
    }
    // the reader gives columns in the order of the file
    let mut order = places.clone();
    order.sort_unstable();
    let column = |(name, place): (&&str, &usize)| {
        let at = order.binary_search(place).expect("the place is among those that were read");
        whole(name, batches.iter().map(|batch| batch.column(at).as_ref()).collect())
    };
    names.iter().zip(&places).map(column).collect()
}

fn broken(error: &dyn std::fmt::Display) -> ReadError {
    ReadError::Parquet(error.to_string())
}

fn places(schema: &Schema, names: &[&str]) -> Result<Vec<usize>, ReadError> {
    let place = |name: &&str| {
        schema.index_of(name).map_err(|_| {
            let known = schema.fields().iter().map(|field| field.name().as_str());
            ReadError::NoColumn { column: (*name).to_owned(), way_out: way_out(name, known, "columns") }
        })
    };
    names.iter().map(place).collect()
}

/// One column of all pieces, in the type that rules get.
fn whole(name: &str, pieces: Vec<&dyn Array>) -> Result<Column, ReadError> {
    let file_type = pieces[0].data_type().clone();
    let refused = |what: String| ReadError::Type { column: name.to_owned(), ty: file_type.to_string(), what };
    let ty = column_type(&file_type)
        .ok_or_else(|| refused("no column of a rule can hold it; leave it out, or store it as text".to_owned()))?;
    let exact = |piece: &dyn Array| cast_exactly(piece, &ty.arrow());
    let joined = pieces.into_iter().map(exact).collect::<Result<Vec<ArrayRef>, _>>().and_then(|pieces| {
        let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
        arrow_select::concat::concat(&pieces)
    });
    let values = joined.map_err(|error| refused(format!("{error}; store it as {ty}")))?;
    let field = Field { name: name.to_owned(), ty, nullable: values.null_count() > 0 };
    Ok(Column { field, values })
}

/// A value that the other type cannot hold as it is, such as nanoseconds in microseconds, is refused.
fn cast_exactly(array: &dyn Array, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == to {
        return Ok(arrow_array::make_array(array.to_data()));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let cast = cast_with_options(array, to, &options)?;
    let back = cast_with_options(&cast, array.data_type(), &options)?;
    if back.to_data() == array.to_data() {
        return Ok(cast);
    }
    Err(ArrowError::CastError(format!("not every value of it can be had as {to}")))
}

fn column_type(ty: &DataType) -> Option<ColumnType> {
    Some(match ty {
        DataType::Boolean => ColumnType::Boolean,
        ty if ty.is_integer() => ColumnType::Int64,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => ColumnType::Float64,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            let scale = u8::try_from(*scale).ok().filter(|scale| scale <= precision)?;
            ColumnType::Decimal { precision: *precision, scale }
        }
        DataType::Timestamp(..) => ColumnType::Timestamp,
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            ColumnType::Binary
        }
        DataType::Dictionary(_, values) => column_type(values)?,
        _ => return None,
    })
}
