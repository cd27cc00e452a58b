//! The protocol: JSON over HTTP, the operation in a header.

use super::calls::Service;
use super::faults::CallFault;
use super::protocol::ApiError;
use crate::http as loopback;
use axum::body::{Body, to_bytes};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use serde_json::Value;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// Most bytes of a call: 40 statements of 100 KB, escaped.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// A call as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The operation.
    pub operation: String,
    /// What it was asked.
    pub request: Value,
    /// The id of its answer, which the SDKs report with errors.
    pub request_id: String,
    /// What went wrong on purpose (`throttle`, `internal`, `lose_reply`), if anything.
    pub fault: Option<&'static str>,
}

/// Calls, in the order of their arrival.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    calls: Mutex<Vec<Call>>,
}

impl CallLog {
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// Answers until the listener's runtime ends.
pub(crate) async fn serve(listener: TcpListener, service: Arc<Service>) {
    let answer = service_fn(move |request: Request<Incoming>| answer(service.clone(), request));
    loopback::serve(listener, answer).await;
}

/// Answers a request; an error closes its connection.
async fn answer(service: Arc<Service>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_post = request.method() == Method::POST;
    let body = to_bytes(Body::new(request.into_body()), MAX_BODY).await.map_err(io::Error::other)?;
    let request_id = uuid::Uuid::new_v4().to_string();
    let operation = target.as_deref().and_then(|target| target.strip_prefix("RedshiftData.")).filter(|_| is_post);
    let Some(operation) = operation else {
        let error =
            ApiError::new("UnknownOperationException", "the header X-Amz-Target names no operation of the Data API");
        return Ok(response(Err(error), &request_id));
    };
    let fault = service.faults.strike_call(operation);
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let name = fault.map(|fault| match fault {
        CallFault::Throttle => "throttle",
        CallFault::Internal => "internal",
        CallFault::LoseReply => "lose_reply",
    });
    let (operation, id) = (operation.to_owned(), request_id.clone());
    service.log.push(Call { operation: operation.clone(), request: value.clone(), request_id: id, fault: name });
    let outcome = match fault {
        Some(CallFault::Throttle) => Err(ApiError::new("ThrottlingException", "Rate exceeded")),
        Some(CallFault::Internal) => Err(ApiError::internal()),
        Some(CallFault::LoseReply) => {
            let _unseen = service.call(&operation, value).await;
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the answer is lost on purpose"));
        }
        None => service.call(&operation, value).await,
    };
    Ok(response(outcome, &request_id))
}

fn response(outcome: Result<Value, ApiError>, request_id: &str) -> Response<Body> {
    let (status, body) = match outcome {
        Ok(body) => (200, body),
        Err(error) => (error.status(), error.body()),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert("content-type", hyper::header::HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(id) = request_id.parse() {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
