//! Requests as they come, errors as they go.

use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// An error of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    code: &'static str,
    message: String,
    resource: Option<String>,
}

impl ApiError {
    /// An error of a kind.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), resource: None }
    }

    /// Something in the request cannot be.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// Something that the request names is not there.
    pub(crate) fn not_found(message: impl Into<String>, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..Self::new("ResourceNotFoundException", message) }
    }

    /// The server's own fault.
    pub(crate) fn internal() -> Self {
        Self::new(
            "InternalServerException",
            "The Redshift Data API failed to process the request because of an internal error",
        )
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> u16 {
        if self.code == "InternalServerException" { 500 } else { 400 }
    }

    /// The body of the answer.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({"__type": self.code, "message": self.message, "Message": self.message});
        if let Some(resource) = &self.resource {
            body["ResourceId"] = json!(resource);
        }
        body
    }
}

/// A parameter of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Parameter {
    /// Its name, without the colon.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: String,
}

/// What ExecuteStatement and BatchExecuteStatement are asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Submit {
    /// The statement.
    pub(crate) sql: Option<String>,
    /// The statements.
    pub(crate) sqls: Option<Vec<String>>,
    pub(crate) cluster_identifier: Option<String>,
    pub(crate) workgroup_name: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) db_user: Option<String>,
    pub(crate) secret_arn: Option<String>,
    pub(crate) statement_name: Option<String>,
    pub(crate) parameters: Option<Vec<Parameter>>,
    pub(crate) client_token: Option<String>,
    pub(crate) result_format: Option<String>,
    pub(crate) session_keep_alive_seconds: Option<i64>,
    pub(crate) session_id: Option<String>,
    pub(crate) wait_time_seconds: Option<i64>,
    pub(crate) execution_mode: Option<String>,
}

/// What operations on one statement are asked.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Ask {
    pub(crate) id: Option<String>,
    pub(crate) wait_time_seconds: Option<i64>,
    pub(crate) next_token: Option<String>,
}

/// What ListStatements and ListSessions are asked.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct List {
    pub(crate) next_token: Option<String>,
    pub(crate) max_results: Option<i64>,
    pub(crate) statement_name: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) cluster_identifier: Option<String>,
    pub(crate) workgroup_name: Option<String>,
    pub(crate) database: Option<String>,
}

/// Reads a request.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(request: Value) -> Result<T, ApiError> {
    let request = if request.is_null() { json!({}) } else { request };
    serde_json::from_value(request).map_err(|error| ApiError::new("SerializationException", error.to_string()))
}

/// Seconds since 1970, to the millisecond.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    let millis = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    millis as f64 / 1000.0
}

/// Puts values under keys, leaving out those that are not there.
pub(crate) fn put(object: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object[key] = value.into();
    }
}
