//! What a column holds.

use arrow_schema::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The type of a column; the same list as `column-type` of the rule contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// Signed, 64 bits.
    Int64,
    /// IEEE 754 binary64.
    Float64,
    /// Exact, `precision` digits (1 to 38), `scale` of them after the point (0 to `precision`).
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// Microseconds since the epoch, UTC.
    Timestamp,
    /// Days since the epoch.
    Date,
    /// UTF-8 text; lists and objects of JSON as their source text.
    Text,
    /// Bytes.
    Binary,
}

impl ColumnType {
    /// The Arrow type that columns of this type have everywhere in the host.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale as i8),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Text => DataType::Utf8,
            Self::Binary => DataType::Binary,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Int64 => f.write_str("int64"),
            Self::Float64 => f.write_str("float64"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Date => f.write_str("date"),
            Self::Text => f.write_str("text"),
            Self::Binary => f.write_str("binary"),
        }
    }
}

/// A text that names no column type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown column type `{0}`; known types: boolean, int64, float64, decimal(precision,scale) with precision 1 to 38 \
     and scale up to the precision, timestamp, date, text, binary"
)]
pub struct ParseTypeError(pub String);

impl FromStr for ColumnType {
    type Err = ParseTypeError;

    fn from_str(s: &str) -> Result<Self, ParseTypeError> {
        Ok(match s {
            "boolean" => Self::Boolean,
            "int64" => Self::Int64,
            "float64" => Self::Float64,
            "timestamp" => Self::Timestamp,
            "date" => Self::Date,
            "text" => Self::Text,
            "binary" => Self::Binary,
            _ => parse_decimal(s).ok_or_else(|| ParseTypeError(s.to_owned()))?,
        })
    }
}

fn parse_decimal(s: &str) -> Option<ColumnType> {
    let inner = s.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',')?;
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    (1..=38).contains(&precision).then_some(())?;
    (scale <= precision).then_some(ColumnType::Decimal { precision, scale })
}

impl From<ColumnType> for String {
    fn from(ty: ColumnType) -> Self {
        ty.to_string()
    }
}

impl TryFrom<String> for ColumnType {
    type Error = ParseTypeError;

    fn try_from(s: String) -> Result<Self, ParseTypeError> {
        s.parse()
    }
}

/// A named column at one place of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Column name; for a nested value the path that it is read from is kept elsewhere.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub ty: ColumnType,
    /// Whether nulls may stand in it.
    pub nullable: bool,
}

impl Field {
    /// A nullable column.
    pub fn new(name: impl Into<String>, ty: ColumnType) -> Self {
        Self { name: name.into(), ty, nullable: true }
    }

    /// The same as an Arrow field.
    pub fn arrow(&self) -> arrow_schema::Field {
        arrow_schema::Field::new(&self.name, self.ty.arrow(), self.nullable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_back_from_its_text() {
        let all = [
            ColumnType::Boolean,
            ColumnType::Int64,
            ColumnType::Float64,
            ColumnType::Decimal { precision: 38, scale: 38 },
            ColumnType::Decimal { precision: 1, scale: 0 },
            ColumnType::Timestamp,
            ColumnType::Date,
            ColumnType::Text,
            ColumnType::Binary,
        ];
        for ty in all {
            assert_eq!(ty.to_string().parse(), Ok(ty));
        }
    }

    #[test]
    fn decimals_outside_the_limits_are_refused() {
        for bad in ["decimal", "decimal(0,0)", "decimal(39,2)", "decimal(4,5)", "decimal(4)", "decimal(4,-1)", "int"] {
            assert!(bad.parse::<ColumnType>().is_err(), "{bad}");
        }
    }
}
