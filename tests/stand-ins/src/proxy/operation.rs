//! What a call is, read from its head.

use hyper::{Method, Request};

/// The services whose errors differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Kinesis,
    Firehose,
    S3,
    Other,
}

/// An operation of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) service: Service,
    pub(super) name: String,
}

impl Operation {
    /// By the header X-Amz-Target of the JSON protocols, else as a call of S3.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        match target.and_then(|target| target.split_once('.')) {
            Some((service, name)) => Self { service: service_of(service), name: name.to_owned() },
            None => Self { service: Service::S3, name: s3_name(request).to_owned() },
        }
    }
}

fn service_of(target: &str) -> Service {
    match target {
        _ if target.starts_with("Kinesis_") => Service::Kinesis,
        _ if target.starts_with("Firehose_") => Service::Firehose,
        _ => Service::Other,
    }
}

fn s3_name<B>(request: &Request<B>) -> &'static str {
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let path = request.uri().path().trim_start_matches('/');
    if path.split_once('/').is_some_and(|(_, key)| !key.is_empty()) {
        object_name(request, has)
    } else {
        bucket_name(request.method(), has)
    }
}

fn object_name<B>(request: &Request<B>, has: impl Fn(&str) -> bool) -> &'static str {
    let copies = request.headers().contains_key("x-amz-copy-source");
    match *request.method() {
        Method::PUT if has("uploadId") => "UploadPart",
        Method::PUT if has("tagging") => "PutObjectTagging",
        Method::PUT if copies => "CopyObject",
        Method::PUT => "PutObject",
        Method::POST if has("uploads") => "CreateMultipartUpload",
        Method::POST => "CompleteMultipartUpload",
        Method::DELETE if has("uploadId") => "AbortMultipartUpload",
        Method::DELETE => "DeleteObject",
        Method::HEAD => "HeadObject",
        _ if has("tagging") => "GetObjectTagging",
        _ if has("uploadId") => "ListParts",
        _ => "GetObject",
    }
}

fn bucket_name(method: &Method, has: impl Fn(&str) -> bool) -> &'static str {
    match *method {
        Method::POST => "DeleteObjects",
        Method::PUT => "CreateBucket",
        Method::DELETE => "DeleteBucket",
        Method::HEAD => "HeadBucket",
        _ if has("list-type") => "ListObjectsV2",
        _ if has("uploads") => "ListMultipartUploads",
        _ if has("location") => "GetBucketLocation",
        _ => "ListObjects",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(method: Method, uri: &str) -> String {
        Operation::of(&Request::builder().method(method).uri(uri).body(()).unwrap()).name
    }

    #[test]
    fn s3_calls_are_named_by_method_path_and_query() {
        assert_eq!(named(Method::PUT, "/lake/a/b?x-id=PutObject"), "PutObject");
        assert_eq!(named(Method::PUT, "/lake/a?partNumber=1&uploadId=u"), "UploadPart");
        assert_eq!(named(Method::POST, "/lake/a?uploads"), "CreateMultipartUpload");
        assert_eq!(named(Method::POST, "/lake/a?uploadId=u"), "CompleteMultipartUpload");
        assert_eq!(named(Method::DELETE, "/lake/a?uploadId=u"), "AbortMultipartUpload");
        assert_eq!(named(Method::GET, "/lake/?list-type=2&prefix=a"), "ListObjectsV2");
        assert_eq!(named(Method::POST, "/lake?delete"), "DeleteObjects");
        assert_eq!(named(Method::HEAD, "/lake"), "HeadBucket");
        assert_eq!(named(Method::GET, "/lake/uploads"), "GetObject");
    }

    #[test]
    fn json_calls_are_named_by_their_target() {
        let request = Request::builder().header("X-Amz-Target", "Kinesis_20131202.PutRecords").body(()).unwrap();
        let operation = Operation::of(&request);
        assert_eq!(operation, Operation { service: Service::Kinesis, name: "PutRecords".to_owned() });
    }
}
