//! Column types as people write them: `decimal(18,2)`.

use crate::{ColumnType, DecimalType};
use std::fmt;
use std::str::FromStr;

impl ColumnType {
    /// A decimal of `precision` digits, `scale` of them after the point.
    #[must_use]
    pub fn decimal(precision: u8, scale: u8) -> Self {
        Self::Decimal(DecimalType { precision, scale })
    }
}

impl Eq for ColumnType {}
impl Eq for DecimalType {}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Decimal(d) => return write!(f, "decimal({},{})", d.precision, d.scale),
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Text => "text",
            Self::Binary => "binary",
        })
    }
}

/// A text that names no column type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownType(pub String);

impl fmt::Display for UnknownType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown column type `{}`; known types: boolean, int64, float64, decimal(precision,scale) with precision 1 \
             to 38 and scale up to the precision, timestamp, date, text, binary",
            self.0
        )
    }
}

impl std::error::Error for UnknownType {}

impl FromStr for ColumnType {
    type Err = UnknownType;

    fn from_str(text: &str) -> Result<Self, UnknownType> {
        Ok(match text {
            "boolean" => Self::Boolean,
            "int64" => Self::Int64,
            "float64" => Self::Float64,
            "timestamp" => Self::Timestamp,
            "date" => Self::Date,
            "text" => Self::Text,
            "binary" => Self::Binary,
            _ => decimal(text).ok_or_else(|| UnknownType(text.to_owned()))?,
        })
    }
}

fn decimal(text: &str) -> Option<ColumnType> {
    let (precision, scale) = text.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale) = (precision.trim_ascii().parse().ok()?, scale.trim_ascii().parse().ok()?);
    ((1..=38).contains(&precision) && scale <= precision).then(|| ColumnType::decimal(precision, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_back_from_its_text() {
        for text in
            ["boolean", "int64", "float64", "decimal(38,38)", "decimal(1,0)", "timestamp", "date", "text", "binary"]
        {
            assert_eq!(text.parse::<ColumnType>().map(|ty| ty.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("decimal(18, 2)".parse(), Ok(ColumnType::decimal(18, 2)));
    }

    #[test]
    fn decimals_outside_the_limits_are_refused() {
        for bad in ["decimal", "decimal(0,0)", "decimal(39,2)", "decimal(4,5)", "decimal(4)", "decimal(4,-1)", "int"] {
            assert!(bad.parse::<ColumnType>().is_err(), "{bad}");
        }
    }
}
