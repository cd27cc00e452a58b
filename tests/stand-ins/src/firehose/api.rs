//! The operations of Firehose_20150804, as JSON 1.1.

use super::settings::{CreateCall, Settings};
use super::state::Shared;
use super::stream::{Stream, unix_ms};
use crate::s3::REGION;
use aws_smithy_types::base64;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use uuid::Uuid;

/// The limits of <https://docs.aws.amazon.com/firehose/latest/dev/limits.html>; sizes are those before base64.
const MAX_RECORDS: usize = 500;
const MAX_BATCH_BYTES: usize = 4 << 20;
const MAX_RECORD_BYTES: usize = 1000 << 10;

/// An answer that is an error.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(super) struct ApiError {
    status: u16,
    code: &'static str,
    message: String,
}

impl ApiError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidArgumentException", message)
    }

    fn no_stream(name: &str) -> Self {
        Self::new("ResourceNotFoundException", format!("Firehose {name} under account 000000000000 not found."))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    delivery_stream_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListCall {
    limit: Option<usize>,
    exclusive_start_delivery_stream_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutCall<'a> {
    delivery_stream_name: String,
    #[serde(borrow)]
    record: Option<Record<'a>>,
    #[serde(borrow, default)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

/// Answers a call over HTTP.
pub(super) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix("Firehose_20150804.").unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(Body::new(request.into_body()), usize::MAX).await.map_err(io::Error::other)?;
    let (status, text) = match call(&shared, &operation, &body) {
        Ok(value) => (200, value),
        Err(error) => (error.status, json!({ "__type": error.code, "message": error.message })),
    };
    let mut response = Response::new(Body::from(text.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let id = HeaderValue::from_str(&Uuid::new_v4().to_string()).map_err(io::Error::other)?;
    response.headers_mut().insert("x-amzn-requestid", id);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/x-amz-json-1.1"));
    Ok(response)
}

/// Does what a call asks.
pub(super) fn call(shared: &Shared, operation: &str, body: &[u8]) -> Result<Value, ApiError> {
    match operation {
        "CreateDeliveryStream" => create(shared, parse(body)?),
        "DescribeDeliveryStream" => describe(shared, &parse(body)?),
        "ListDeliveryStreams" => list(shared, &parse(body)?),
        "DeleteDeliveryStream" => delete(shared, &parse(body)?),
        "PutRecord" => put_record(shared, parse(body)?),
        "PutRecordBatch" => put_record_batch(shared, &parse(body)?),
        _ => Err(ApiError::new("UnknownOperationException", format!("`{operation}` is not known to this server"))),
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::new("SerializationException", error.to_string()))
}

fn create(shared: &Shared, call: CreateCall) -> Result<Value, ApiError> {
    let name = call.delivery_stream_name;
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        return Err(ApiError::invalid(format!("DeliveryStreamName `{name}` is not 1 to 64 of [a-zA-Z0-9_.-]")));
    }
    let destination = call.extended_s3_destination_configuration;
    let destination = destination.ok_or_else(|| ApiError::invalid("this server delivers to ExtendedS3 only"))?;
    let settings = Settings::check(destination).map_err(ApiError::invalid)?;
    let kind = call.delivery_stream_type.unwrap_or_else(|| "DirectPut".to_owned());
    let mut state = shared.state();
    if state.streams.contains_key(&name) {
        return Err(ApiError::new("ResourceInUseException", format!("Firehose {name} already exists")));
    }
    let mut stream = Stream::new(name.clone(), kind, shared.clock().now(), settings);
    stream.source = call.kinesis_stream_source_configuration;
    state.add_stream(stream);
    Ok(json!({ "DeliveryStreamARN": arn(&name) }))
}

fn describe(shared: &Shared, call: &Named) -> Result<Value, ApiError> {
    let state = shared.state();
    let name = &call.delivery_stream_name;
    let stream = state.streams.get(name).ok_or_else(|| ApiError::no_stream(name))?;
    let destination = json!({
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationDescription": stream.settings.described,
    });
    let mut description = json!({
        "DeliveryStreamName": name,
        "DeliveryStreamARN": arn(name),
        "DeliveryStreamStatus": "ACTIVE",
        "DeliveryStreamType": stream.kind,
        "VersionId": "1",
        "CreateTimestamp": unix_ms(stream.created) as f64 / 1000.0,
        "HasMoreDestinations": false,
        "Destinations": [destination],
    });
    if let Some(source) = &stream.source {
        let described = json!({ "KinesisStreamSourceDescription": source });
        description["Source"] = described;
    }
    Ok(json!({ "DeliveryStreamDescription": description }))
}

fn list(shared: &Shared, call: &ListCall) -> Result<Value, ApiError> {
    let state = shared.state();
    let after = call.exclusive_start_delivery_stream_name.as_deref().unwrap_or_default();
    let mut names: Vec<&String> = state.streams.keys().filter(|name| name.as_str() > after).collect();
    let limit = call.limit.unwrap_or(10);
    let more = names.len() > limit;
    names.truncate(limit);
    Ok(json!({ "DeliveryStreamNames": names, "HasMoreDeliveryStreams": more }))
}

fn delete(shared: &Shared, call: &Named) -> Result<Value, ApiError> {
    let name = &call.delivery_stream_name;
    shared.state().streams.remove(name).map(|_| json!({})).ok_or_else(|| ApiError::no_stream(name))
}

fn put_record(shared: &Shared, call: PutCall<'_>) -> Result<Value, ApiError> {
    let record = call.record.ok_or_else(|| ApiError::new("ValidationException", "Record is missing"))?;
    let data = checked(shared, &call.delivery_stream_name, &[record])?;
    match shared.put(&call.delivery_stream_name, data).pop().flatten() {
        Some(id) => Ok(json!({ "RecordId": id, "Encrypted": false })),
        None => Err(ApiError { status: 500, ..ApiError::new("ServiceUnavailableException", "Slow down.") }),
    }
}

fn put_record_batch(shared: &Shared, call: &PutCall<'_>) -> Result<Value, ApiError> {
    let data = checked(shared, &call.delivery_stream_name, &call.records)?;
    let ids = shared.put(&call.delivery_stream_name, data);
    let failed = ids.iter().filter(|id| id.is_none()).count();
    let entry = |id: &Option<String>| match id {
        Some(id) => json!({ "RecordId": id }),
        None => json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down." }),
    };
    let entries: Vec<Value> = ids.iter().map(entry).collect();
    Ok(json!({ "FailedPutCount": failed, "Encrypted": false, "RequestResponses": entries }))
}

/// The bytes of the records, if the call keeps to the limits.
fn checked(shared: &Shared, name: &str, records: &[Record<'_>]) -> Result<Vec<Bytes>, ApiError> {
    if !(1..=MAX_RECORDS).contains(&records.len()) {
        return Err(ApiError::invalid(format!("a call has 1 to {MAX_RECORDS} records, not {}", records.len())));
    }
    let kind = shared.state().streams.get(name).map(|stream| stream.kind.clone());
    if kind.ok_or_else(|| ApiError::no_stream(name))? != "DirectPut" {
        return Err(ApiError::invalid("This operation is permitted only on DirectPut delivery streams."));
    }
    let decode = |record: &Record<'_>| base64::decode(record.data.as_ref()).map(Bytes::from);
    let data = records.iter().map(decode).collect::<Result<Vec<_>, _>>();
    let data = data.map_err(|error| ApiError::new("SerializationException", error.to_string()))?;
    if let Some(record) = data.iter().find(|record| record.len() > MAX_RECORD_BYTES) {
        let message = format!("a record has at most {MAX_RECORD_BYTES} bytes, not {}", record.len());
        return Err(ApiError::invalid(message));
    }
    let bytes: usize = data.iter().map(Bytes::len).sum();
    if bytes > MAX_BATCH_BYTES {
        return Err(ApiError::invalid(format!("a call has at most {MAX_BATCH_BYTES} bytes, not {bytes}")));
    }
    Ok(data)
}

fn arn(name: &str) -> String {
    format!("arn:aws:firehose:{REGION}:000000000000:deliverystream/{name}")
}
