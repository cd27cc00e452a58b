//! Words of SQL: names, texts and types, as Redshift writes them.
//!
//! Only what Redshift and the standard share is used. A backslash within a text is an escape in Redshift and none in
//! PostgreSQL, so texts are written without any.

use serde::{Deserialize, Serialize};
use sluice_ports::{Kind, PortError, Result};
use std::fmt;

/// Longest VARCHAR, in bytes: <https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html>.
pub(super) const MAX_VARCHAR: u32 = 65_535;

/// Length of a VARBYTE that says none: <https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html>.
pub(super) const DEFAULT_VARBYTE: u32 = 64_000;

/// Longest VARBYTE, same page.
const MAX_VARBYTE: u32 = 1_024_000;

/// A name between quotation marks.
pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table within its schema.
pub(super) fn qualified(schema: &str, table: &str) -> String {
    format!("{}.{}", ident(schema), ident(table))
}

/// Names between quotation marks, with commas.
pub(super) fn idents<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(ident).collect::<Vec<_>>().join(", ")
}

/// A text as an expression. Backslashes are joined in by `CHR(92)`, and NUL, which no text may hold, is left out.
pub(super) fn text(value: &str) -> String {
    let quoted = |part: &str| format!("'{}'", part.replace('\0', "").replace('\'', "''"));
    if !value.contains('\\') {
        return quoted(value);
    }
    let parts: Vec<String> = value.split('\\').map(quoted).collect();
    format!("({})", parts.join(" || CHR(92) || "))
}

/// A text where the grammar takes no expression, as in COMMENT ON: a backslash becomes a slash.
pub(super) fn plain_text(value: &str) -> String {
    text(&value.replace('\\', "/"))
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SqlType {
    /// True or false.
    Boolean,
    /// 64 bits.
    BigInt,
    /// IEEE 754 binary64.
    Double,
    /// Exact, precision and scale.
    Decimal(u8, i8),
    /// Microseconds without a zone; holds UTC.
    Timestamp,
    /// A day.
    Date,
    /// Text up to so many bytes.
    Varchar(u32),
    /// Bytes, up to so many.
    Varbyte(u32),
    /// Any JSON value.
    Super,
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Double => f.write_str("DOUBLE PRECISION"),
            Self::Decimal(precision, scale) => write!(f, "DECIMAL({precision},{scale})"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::Date => f.write_str("DATE"),
            Self::Varchar(bytes) => write!(f, "VARCHAR({bytes})"),
            Self::Varbyte(bytes) => write!(f, "VARBYTE({bytes})"),
            Self::Super => f.write_str("SUPER"),
        }
    }
}

impl SqlType {
    /// The type that a system view describes, or none where it is not one of ours.
    pub fn from_view(name: &str, length: Option<i64>, precision: Option<i64>, scale: Option<i64>) -> Option<Self> {
        let bytes = |default: u32| length.and_then(|length| u32::try_from(length).ok()).unwrap_or(default);
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "boolean" | "bool" => Self::Boolean,
            "bigint" | "int8" => Self::BigInt,
            "double precision" | "float8" => Self::Double,
            "numeric" | "decimal" => Self::Decimal(u8::try_from(precision?).ok()?, i8::try_from(scale?).ok()?),
            "timestamp without time zone" | "timestamp" => Self::Timestamp,
            "date" => Self::Date,
            "character varying" | "varchar" => Self::Varchar(bytes(MAX_VARCHAR)),
            // where a view does not tell how long, nothing is to be widened
            "binary varying" | "varbyte" | "varbinary" => Self::Varbyte(bytes(MAX_VARBYTE)),
            "super" => Self::Super,
            _ => return None,
        })
    }

    /// What stands for null where two values of this type are compared as equal.
    pub fn sentinel(self) -> &'static str {
        match self {
            Self::Boolean => "FALSE",
            Self::BigInt | Self::Double | Self::Decimal(..) => "0",
            Self::Timestamp => "TIMESTAMP '1970-01-01 00:00:00'",
            Self::Date => "DATE '1970-01-01'",
            Self::Varchar(_) | Self::Varbyte(_) | Self::Super => "''",
        }
    }
}

/// A refused type.
pub(super) fn unsupported(table: &str, column: &str, ty: &impl fmt::Debug) -> PortError {
    let message = format!(
        "table `{table}`, column `{column}`: Redshift has no type for `{ty:?}`; the types of the manifest's columns are \
         boolean, int64, float64, decimal, timestamp, date, text, json and binary"
    );
    PortError::new(Kind::Fatal, message)
}

/// Cuts rows of VALUES into lists that stay below `limit` bytes.
pub(super) fn chunks(rows: Vec<String>, limit: usize) -> Vec<String> {
    let mut lists: Vec<String> = vec![];
    for row in rows {
        match lists.last_mut() {
            Some(list) if list.len() + row.len() + 2 <= limit => {
                list.push_str(",\n");
                list.push_str(&row);
            }
            _ => lists.push(row),
        }
    }
    lists
}

/// Checks a role: an ARN, several joined by commas, or `default`.
///
/// # Errors
/// Where it is neither.
pub(super) fn iam_role(role: &str) -> Result<String> {
    if role.eq_ignore_ascii_case("default") {
        return Ok("default".to_owned());
    }
    let arn = |one: &str| one.starts_with("arn:") && one.contains(":iam::") && !one.contains(['\'', '\\', ' ']);
    if !role.split(',').all(arn) {
        let message = format!(
            "`{role}` is no role for COPY; give the ARN of an IAM role (several joined by commas, without blanks), or `default`"
        );
        return Err(PortError::new(Kind::Fatal, message));
    }
    Ok(format!("'{role}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_cannot_break_out() {
        assert_eq!(ident("a\"; DROP TABLE x; --"), "\"a\"\"; DROP TABLE x; --\"");
        assert_eq!(qualified("retail", "in\"voices"), "\"retail\".\"in\"\"voices\"");
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(text("a\\'b\\"), "('a' || CHR(92) || '''b' || CHR(92) || '')");
        assert_eq!(text("nul\0 is left out"), "'nul is left out'");
        assert_eq!(plain_text("a\\b's"), "'a/b''s'");
    }

    #[test]
    fn types_read_as_they_are_written() {
        let of = |name, length, precision, scale| SqlType::from_view(name, length, precision, scale);
        assert_eq!(of("character varying", Some(256), None, None), Some(SqlType::Varchar(256)));
        assert_eq!(of("numeric", None, Some(38), Some(9)), Some(SqlType::Decimal(38, 9)));
        assert_eq!(of("timestamp without time zone", None, None, None), Some(SqlType::Timestamp));
        assert_eq!(of("timestamp with time zone", None, None, None), None);
        assert_eq!(of("super", None, None, None), Some(SqlType::Super));
        assert_eq!(SqlType::Decimal(10, 2).to_string(), "DECIMAL(10,2)");
    }

    #[test]
    fn lists_of_values_stay_below_their_limit() {
        let rows: Vec<String> = (0..100).map(|i| format!("('{i:04}')")).collect();
        let lists = chunks(rows, 50);
        assert!(lists.iter().all(|list| list.len() <= 50), "{lists:?}");
        assert_eq!(lists.iter().map(|list| list.matches("('").count()).sum::<usize>(), 100);
        assert_eq!(chunks(vec!["x".repeat(80)], 50).len(), 1, "a row that is too long stands alone");
    }

    #[test]
    fn a_role_is_an_arn_or_default() {
        assert_eq!(iam_role("DEFAULT").unwrap(), "default");
        assert_eq!(iam_role("arn:aws:iam::123456789012:role/copy").unwrap(), "'arn:aws:iam::123456789012:role/copy'");
        for bad in ["", "copy", "arn:aws:iam::1:role/x' DELIMITER '|"] {
            assert!(iam_role(bad).unwrap_err().message.contains(&format!("`{bad}`")), "{bad}");
        }
    }
}
