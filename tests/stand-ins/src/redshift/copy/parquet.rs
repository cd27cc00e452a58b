//! Parquet, column by column in the order of the file: neither names nor conversions help there.

use super::rows::{Loaded, Writer};
use super::source::Object;
use super::statement::Options;
use super::values::{Column, ColumnKind, days_to_text, micros_to_text, wrong};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::fmt::Write as _;

/// Makes rows of a file. Whatever is wrong with it ends the load: errors of columnar files are not counted.
pub(super) fn rows(object: &Object, columns: &[Column], bytes: Bytes, options: &Options) -> Result<Loaded, String> {
    let invalid =
        |error: &dyn std::fmt::Display| format!("File '{}' is not a valid Parquet file: {error}", object.https_url());
    // the schema that Arrow writers leave in the file is not what Redshift reads
    let reader = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, reader).map_err(|error| invalid(&error))?;
    check_schema(object, columns, builder.schema().fields(), options)?;
    let mut writer = Writer::new(object, columns, 0);
    let mut line = 0;
    for batch in builder.build().map_err(|error| invalid(&error))? {
        let batch = batch.map_err(|error| invalid(&error))?;
        for row in 0..batch.num_rows() {
            line += 1;
            add(&mut writer, &batch, row, line);
        }
        if writer.is_hopeless() {
            break;
        }
    }
    let loaded = writer.finish();
    match loaded.failures.first() {
        Some(failure) => Err(failure.wrong.message.clone()),
        None => Ok(loaded),
    }
}

fn check_schema(
    object: &Object,
    columns: &[Column],
    fields: &[std::sync::Arc<Field>],
    options: &Options,
) -> Result<(), String> {
    let (wanted, found) = (columns.len(), fields.len());
    if found > wanted || (found < wanted && !options.fill) {
        return Err(format!(
            "Unmatched number of columns between table and file. Table columns: {wanted}, Data columns: {found}, File name: {}",
            object.https_url()
        ));
    }
    for (column, field) in columns.iter().zip(fields) {
        if !fits(column.kind, field.data_type()) {
            return Err(format!(
                "File '{}' has an incompatible Parquet schema for column '{}.{}'. Column type: {}, Parquet schema:\n{} {} {}",
                object.https_url(),
                object.url(),
                field.name(),
                column.declared(),
                if field.is_nullable() { "optional" } else { "required" },
                field.data_type(),
                field.name()
            ));
        }
    }
    Ok(())
}

/// Types are compared, never converted.
fn fits(column: ColumnKind, file: &DataType) -> bool {
    match (column, file) {
        (ColumnKind::Text(_), DataType::Utf8)
        | (ColumnKind::Integer(16), DataType::Int8 | DataType::Int16)
        | (ColumnKind::Integer(32), DataType::Int32)
        | (ColumnKind::Integer(64), DataType::Int64)
        | (ColumnKind::Float(32), DataType::Float32)
        | (ColumnKind::Float(64), DataType::Float64)
        | (ColumnKind::Boolean, DataType::Boolean)
        | (ColumnKind::Date, DataType::Date32)
        | (ColumnKind::Timestamp | ColumnKind::TimestampTz, DataType::Timestamp(_, _))
        | (ColumnKind::Bytes(_), DataType::Binary) => true,
        (ColumnKind::Decimal(precision, scale), DataType::Decimal128(file_precision, file_scale)) => {
            precision == u32::from(*file_precision) && i64::from(scale) == i64::from(*file_scale)
        }
        _ => false,
    }
}

fn add(writer: &mut Writer<'_>, batch: &RecordBatch, row: usize, line: u64) {
    let file = writer.https_url();
    let field = |at: usize, column: &Column| {
        if at >= batch.num_columns() || batch.column(at).is_null(row) {
            return Ok(None);
        }
        let text = text(batch.column(at).as_ref(), row);
        match column.kind {
            ColumnKind::Text(bytes) if text.len() > bytes as usize => Err(wrong(
                15_007,
                format!(
                    "The length of the data column {} is longer than the length defined in the table. Table: {bytes}, Data: {}, \
                     File name: {file}",
                    column.name,
                    text.len()
                ),
            )),
            ColumnKind::Text(_) if text.contains('\0') => {
                Err(wrong(15_007, format!("Invalid null byte in column {}, File name: {file}", column.name)))
            }
            _ => Ok(Some(text)),
        }
    };
    writer.row(line, field, |_| String::new());
}

/// A value as PostgreSQL reads it.
fn text(array: &dyn Array, row: usize) -> String {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Date32 => day(i64::from(array.as_primitive::<Date32Type>().value(row))),
        DataType::Float32 => float(array.as_primitive::<Float32Type>().value(row).to_string()),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row).to_string()),
        DataType::Decimal128(_, _) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Timestamp(unit, zone) => {
            let text = micros_to_text(micros(array, *unit, row));
            if zone.is_some() && !text.ends_with("BC") { text + "+00" } else { text }
        }
        DataType::Binary => {
            let mut hex = "\\x".to_owned();
            for byte in array.as_binary::<i32>().value(row) {
                let _infallible = write!(hex, "{byte:02x}");
            }
            hex
        }
        other => unreachable!("the schema was checked and has no {other}"),
    }
}

fn micros(array: &dyn Array, unit: TimeUnit, row: usize) -> i64 {
    match unit {
        TimeUnit::Second | TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row) * 1_000,
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000),
    }
}

fn day(days: i64) -> String {
    let text = days_to_text(days);
    if let Some(year) = text.strip_prefix('-') { format!("{year} BC") } else { text }
}

/// PostgreSQL's word for what is not finite.
fn float(text: String) -> String {
    if text.ends_with("inf") { text.replace("inf", "Infinity") } else { text }
}
