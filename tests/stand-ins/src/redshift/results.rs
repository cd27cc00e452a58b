//! Rows of a statement, with the types that the API gives them.

use super::RedshiftOptions;
use super::errors::message_of;
use super::protocol::ApiError;
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use std::pin::pin;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Column, SimpleQueryMessage, SimpleQueryRow};

/// A result.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResultSet {
    columns: Vec<Value>,
    rows: Vec<Value>,
    /// Bytes of the values.
    pub(crate) bytes: usize,
}

impl ResultSet {
    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The page that starts at a token.
    pub(crate) fn page(&self, token: Option<&str>, rows: usize) -> Result<Value, ApiError> {
        let start = match token {
            None => 0,
            Some(token) => token
                .strip_prefix("row-")
                .and_then(|at| at.parse().ok())
                .filter(|at| *at <= self.rows.len())
                .ok_or_else(|| ApiError::validation("Invalid NextToken"))?,
        };
        let end = (start + rows).min(self.rows.len());
        let mut page = json!({
            "ColumnMetadata": self.columns,
            "Records": self.rows[start..end],
            "TotalNumRows": self.rows.len(),
        });
        if end < self.rows.len() {
            page["NextToken"] = json!(format!("row-{end}"));
        }
        Ok(page)
    }
}

/// How the API carries a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Long,
    Double,
    Boolean,
    Text,
}

/// Runs a query.
///
/// Values are fetched as text, which is what the API gives for most types; the types come from preparing it first.
pub(crate) async fn query(client: &Client, sql: &str, limits: &RedshiftOptions) -> Result<ResultSet, String> {
    let failed = |error| message_of(&error);
    let prepared = client.prepare(sql).await.map_err(failed)?;
    let carriers: Vec<Carrier> = prepared.columns().iter().map(|column| carrier(column.type_())).collect();
    let mut result = ResultSet { columns: prepared.columns().iter().map(metadata).collect(), ..ResultSet::default() };
    let mut messages = pin!(client.simple_query_raw(sql).await.map_err(failed)?);
    let mut too_much = None;
    while let Some(message) = messages.try_next().await.map_err(failed)? {
        let SimpleQueryMessage::Row(row) = message else { continue };
        if too_much.is_none() {
            too_much = result.add(&row, &carriers, limits).err();
        }
    }
    too_much.map_or(Ok(result), Err)
}

impl ResultSet {
    fn add(&mut self, row: &SimpleQueryRow, carriers: &[Carrier], limits: &RedshiftOptions) -> Result<(), String> {
        let bytes: usize = (0..row.len()).filter_map(|at| row.get(at)).map(str::len).sum();
        if bytes > limits.row_bytes {
            return Err(format!("a row of the result has {bytes} bytes; the Data API takes {}", limits.row_bytes));
        }
        self.bytes += bytes;
        if self.bytes > limits.result_bytes {
            return Err(format!(
                "the result has more than {} bytes, which is all the Data API takes",
                limits.result_bytes
            ));
        }
        let fields = carriers.iter().enumerate().map(|(at, carrier)| field(*carrier, row.get(at))).collect();
        self.rows.push(Value::Array(fields));
        Ok(())
    }
}

fn carrier(ty: &Type) -> Carrier {
    match *ty {
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => Carrier::Long,
        Type::FLOAT4 | Type::FLOAT8 => Carrier::Double,
        Type::BOOL => Carrier::Boolean,
        _ => Carrier::Text,
    }
}

fn field(carrier: Carrier, value: Option<&str>) -> Value {
    let Some(text) = value else { return json!({"isNull": true}) };
    match carrier {
        Carrier::Long => {
            text.parse::<i64>().map_or_else(|_| json!({"stringValue": text}), |number| json!({"longValue": number}))
        }
        Carrier::Double => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => json!({"doubleValue": number}),
            _ => json!({"doubleValue": text}), // JSON has no number for these: the SDKs read them from text
        },
        Carrier::Boolean => json!({"booleanValue": text == "t"}),
        Carrier::Text => json!({"stringValue": text}),
    }
}

fn metadata(column: &Column) -> Value {
    let (name, ty, modifier) = (column.name(), column.type_(), column.type_modifier());
    let length = u32::try_from(modifier - 4).unwrap_or(0);
    let (precision, scale) = match *ty {
        Type::NUMERIC => (length >> 16, length & 0x7ff),
        Type::INT2 => (5, 0),
        Type::INT4 => (10, 0),
        Type::INT8 => (19, 0),
        _ => (length, 0),
    };
    let type_name = match *ty {
        Type::JSONB => "super",
        Type::BYTEA => "varbyte",
        Type::TEXT | Type::UNKNOWN => "varchar",
        ref other => other.name(),
    };
    json!({
        "name": name, "label": name, "typeName": type_name, "nullable": 1, "precision": precision, "scale": scale,
        "length": if matches!(*ty, Type::VARCHAR | Type::BPCHAR) { length } else { 0 }, "schemaName": "", "tableName": "",
        "isCaseSensitive": matches!(carrier(ty), Carrier::Text), "isCurrency": false,
        "isSigned": matches!(carrier(ty), Carrier::Long | Carrier::Double) || *ty == Type::NUMERIC,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_their_tokens() {
        let rows = (0..5).map(|number| json!([{"longValue": number}])).collect();
        let result = ResultSet { columns: vec![], rows, bytes: 5 };
        let first = result.page(None, 2).expect("a page");
        let token = first["NextToken"].as_str().expect("there are more");
        assert_eq!(result.page(Some(token), 2).expect("a page")["Records"][0][0]["longValue"], 2);
        assert!(result.page(Some("row-4"), 2).expect("a page").get("NextToken").is_none());
        assert!(result.page(Some("row-9"), 2).is_err());
        assert!(result.page(Some("x"), 2).is_err());
    }

    #[test]
    fn values_have_the_carrier_of_their_type() {
        assert_eq!(field(Carrier::Long, Some("7")), json!({"longValue": 7}));
        assert_eq!(field(Carrier::Double, Some("NaN")), json!({"doubleValue": "NaN"}));
        assert_eq!(field(Carrier::Boolean, Some("f")), json!({"booleanValue": false}));
        assert_eq!(field(Carrier::Text, None), json!({"isNull": true}));
    }
}
