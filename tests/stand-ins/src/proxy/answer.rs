//! Error answers in the words of each service.

use super::operation::{Operation, Service};
use super::rules::Fault;
use axum::body::{Body, Bytes};
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};

/// An answer with an error.
pub(super) fn failure(operation: &Operation, fault: &Fault, id: &str) -> Response<Body> {
    let (status, code) = status_and_code(operation.service, fault);
    if operation.service == Service::S3 {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>injected</Message>\
             <RequestId>{id}</RequestId></Error>"
        );
        return with_type(status, "application/xml", text.into());
    }
    json(status, format!("{{\"__type\":\"{code}\",\"message\":\"injected\"}}").into())
}

/// An answer of the JSON protocols.
pub(super) fn json(status: u16, body: Bytes) -> Response<Body> {
    with_type(status, "application/x-amz-json-1.1", body)
}

fn with_type(status: u16, content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    response
}

fn status_and_code(service: Service, fault: &Fault) -> (u16, &str) {
    match (fault, service) {
        (Fault::Custom { status, code }, _) => (*status, code),
        (Fault::Throttle, Service::Kinesis) => (400, "ProvisionedThroughputExceededException"),
        (Fault::Throttle, Service::Firehose) => (500, "ServiceUnavailableException"),
        (Fault::Throttle, Service::S3) => (503, "SlowDown"),
        (Fault::Throttle, Service::Other) => (400, "ThrottlingException"),
        (Fault::ExpiredToken, Service::S3) => (400, "ExpiredToken"),
        (Fault::ExpiredToken, _) => (400, "ExpiredTokenException"),
        (Fault::ExpiredIterator, _) => (400, "ExpiredIteratorException"),
        (_, Service::S3) => (500, "InternalError"),
        (_, Service::Kinesis) => (500, "InternalFailureException"),
        _ => (500, "InternalServerError"),
    }
}
