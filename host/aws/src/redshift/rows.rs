//! Results of the Data API, and the same as Arrow.

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef};
use aws_sdk_redshiftdata::types::{ColumnMetadata, Field};
use sluice_ports::{Kind, PortError, Result};
use std::fmt;
use std::sync::Arc;

/// A value of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Null.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Long(i64),
    /// A float.
    Double(f64),
    /// A text; all other types come as text.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Long(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

impl Value {
    /// As text, or nothing where it is null.
    pub fn text(&self) -> Option<String> {
        (*self != Self::Null).then(|| self.to_string())
    }

    /// As a whole number, also where it came as text.
    pub fn long(&self) -> Option<i64> {
        match self {
            Self::Long(value) => Some(*value),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl From<Field> for Value {
    fn from(field: Field) -> Self {
        match field {
            Field::BooleanValue(value) => Self::Boolean(value),
            Field::LongValue(value) => Self::Long(value),
            Field::DoubleValue(value) => Self::Double(value),
            Field::StringValue(value) => Self::Text(value),
            Field::BlobValue(value) => Self::Text(hex(value.as_ref())),
            _ => Self::Null,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Rows of a result.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Names and types of the columns, as the database names them.
    pub columns: Vec<(String, String)>,
    /// Rows.
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// Adds a page.
    pub(super) fn page(&mut self, columns: Vec<ColumnMetadata>, records: Vec<Vec<Field>>) {
        if self.columns.is_empty() {
            let named = |column: ColumnMetadata| {
                let name = column.label.or(column.name).unwrap_or_default();
                (name, column.type_name.unwrap_or_default())
            };
            self.columns = columns.into_iter().map(named).collect();
        }
        self.rows.extend(records.into_iter().map(|row| row.into_iter().map(Value::from).collect()));
    }

    /// The value at a row's column, null where there is none.
    pub fn at(&self, row: usize, column: usize) -> &Value {
        self.rows.get(row).and_then(|row| row.get(column)).unwrap_or(&Value::Null)
    }

    /// As Arrow: truth values, whole numbers and floats as such, everything else as text.
    ///
    /// # Errors
    /// Where rows do not fit their columns.
    pub fn arrow(&self) -> Result<(SchemaRef, RecordBatch)> {
        let types: Vec<DataType> = self.columns.iter().map(|(_, name)| arrow_type(name)).collect();
        let fields: Vec<ArrowField> =
            self.columns.iter().zip(&types).map(|((name, _), ty)| ArrowField::new(name, ty.clone(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let arrays = types.iter().enumerate().map(|(at, ty)| self.array(at, ty)).collect();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options);
        let batch = batch.map_err(|error| PortError::new(Kind::Fatal, format!("result of the warehouse: {error}")))?;
        Ok((schema, batch))
    }

    fn array(&self, column: usize, ty: &DataType) -> ArrayRef {
        let values = (0..self.rows.len()).map(|row| self.at(row, column));
        match ty {
            DataType::Boolean => Arc::new(BooleanArray::from_iter(values.map(|value| match value {
                Value::Boolean(value) => Some(*value),
                _ => None,
            }))),
            DataType::Int64 => Arc::new(Int64Array::from_iter(values.map(Value::long))),
            DataType::Float64 => Arc::new(Float64Array::from_iter(values.map(|value| match value {
                Value::Double(value) => Some(*value),
                Value::Long(value) => Some(*value as f64),
                Value::Text(text) => text.trim().parse().ok(),
                _ => None,
            }))),
            _ => Arc::new(StringArray::from_iter(values.map(Value::text))),
        }
    }
}

fn arrow_type(name: &str) -> DataType {
    match name.to_ascii_lowercase().as_str() {
        "bool" | "boolean" => DataType::Boolean,
        "int2" | "int4" | "int8" | "smallint" | "integer" | "bigint" => DataType::Int64,
        "float4" | "float8" | "real" | "double precision" => DataType::Float64,
        _ => DataType::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;

    #[test]
    fn results_become_arrow_by_the_names_of_their_types() {
        let columns = [("a", "int8"), ("b", "float8"), ("c", "bool"), ("d", "numeric"), ("e", "varchar")];
        let rows = Rows {
            columns: columns.iter().map(|(name, ty)| ((*name).to_owned(), (*ty).to_owned())).collect(),
            rows: vec![
                vec![
                    Value::Long(1),
                    Value::Double(0.5),
                    Value::Boolean(true),
                    Value::Text("12.30".into()),
                    Value::Text("x".into()),
                ],
                vec![Value::Null; 5],
            ],
        };
        let (schema, batch) = rows.arrow().unwrap();
        let types: Vec<_> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        use DataType::*;
        assert_eq!(types, [Int64, Float64, Boolean, Utf8, Utf8]);
        assert_eq!(batch.num_rows(), 2);
        assert!(batch.columns().iter().all(|column| column.is_null(1) && column.is_valid(0)));
    }

    #[test]
    fn a_result_without_rows_keeps_its_columns() {
        let rows = Rows { columns: vec![("a".into(), "int8".into())], rows: vec![] };
        assert_eq!(rows.arrow().unwrap().1.num_rows(), 0);
        assert_eq!(Rows::default().arrow().unwrap().1.num_columns(), 0);
    }
}
