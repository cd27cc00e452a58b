//! A proxy that stands before any of the servers and makes chosen calls fail.

mod answer;
mod operation;
mod partial;
mod rules;

use crate::http::{self, Loopback};
use axum::body::{Body, Bytes};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use operation::Operation;
use rules::Book;
pub use rules::{Fault, Rule};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// The header with the id of a call, of S3 and of all others.
const REQUEST_ID: [&str; 2] = ["x-amz-request-id", "x-amzn-requestid"];

/// A call that a proxy made fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Injected {
    /// The operation by its AWS name, like `PutRecords`.
    pub operation: String,
    /// What happened to the call.
    pub fault: Fault,
    /// The request id in the answer; none where no answer came.
    pub request_id: Option<String>,
}

/// A proxy on loopback; dropping it stops it, not what is behind it.
#[derive(Debug)]
pub struct FaultProxy {
    server: Loopback,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: Uri,
    client: Client<HttpConnector, Body>,
    book: Mutex<Book>,
}

impl FaultProxy {
    /// Starts a proxy before the server at an address, like `http://127.0.0.1:4567`.
    pub async fn start(upstream: &str, rules: Vec<Rule>) -> io::Result<Self> {
        let wrong = |error| io::Error::other(format!("upstream `{upstream}` is no address: {error}"));
        let upstream: Uri = upstream.parse().map_err(wrong)?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let shared = Arc::new(Shared { upstream, client, book: Mutex::new(Book::new(rules)) });
        let for_calls = shared.clone();
        let service = service_fn(move |request| {
            let shared = for_calls.clone();
            async move { shared.call(request).await }
        });
        let server = Loopback::start("proxy", 0, |listener| http::serve(listener, service))?;
        Ok(Self { server, shared })
    }

    /// The address that stands for the server's.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Puts other rules in place of the present ones; what was injected so far stays in the list.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        self.shared.book(|book| book.set_rules(rules));
    }

    /// All calls that were made to fail, in order.
    pub fn injected(&self) -> Vec<Injected> {
        self.shared.book(|book| book.injected.clone())
    }

    /// How often each operation was called, failed calls included.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.shared.book(|book| book.calls.clone())
    }
}

impl Shared {
    fn book<T>(&self, work: impl FnOnce(&mut Book) -> T) -> T {
        work(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers a call; an error closes the connection without an answer.
    async fn call(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let operation = Operation::of(&request);
        let Some((fault, turn)) = self.book(|book| book.decide(&operation.name)) else {
            return self.forward(request.map(Body::new)).await;
        };
        match fault {
            Fault::TimeoutBefore => Err(self.cut(&operation, fault)),
            Fault::TimeoutAfter => {
                let answer = self.forward(request.map(Body::new)).await?;
                read(Body::new(answer.into_body())).await?; // the effect is complete
                Err(self.cut(&operation, fault))
            }
            Fault::Partial { one_in } => {
                let id = self.note(&operation, fault);
                let mut answer = self.forward_some(request, &operation, (one_in, turn)).await?;
                stamp(&mut answer, &id);
                Ok(answer)
            }
            _ => {
                let id = self.note(&operation, fault.clone());
                read(Body::new(request.into_body())).await?; // else the client may fail while it writes
                let mut answer = answer::failure(&operation, &fault, &id);
                stamp(&mut answer, &id);
                Ok(answer)
            }
        }
    }

    /// Notes a fault that is answered, under the request id of the answer.
    fn note(&self, operation: &Operation, fault: Fault) -> String {
        let id = Uuid::new_v4().to_string();
        let (operation, request_id) = (operation.name.clone(), Some(id.clone()));
        self.book(|book| book.injected.push(Injected { operation, fault, request_id }));
        id
    }

    /// Notes a fault that closes the connection.
    fn cut(&self, operation: &Operation, fault: Fault) -> io::Error {
        let operation = operation.name.clone();
        self.book(|book| book.injected.push(Injected { operation, fault, request_id: None }));
        io::Error::new(io::ErrorKind::ConnectionAborted, "cut by a rule of the proxy")
    }

    /// Passes a call on as it came: with the Host header that the client signed.
    async fn forward(&self, mut request: Request<Body>) -> io::Result<Response<Body>> {
        let mut uri = request.uri().clone().into_parts();
        uri.scheme = self.upstream.scheme().cloned();
        uri.authority = self.upstream.authority().cloned();
        *request.uri_mut() = Uri::from_parts(uri).map_err(io::Error::other)?;
        let answer = self.client.request(request).await.map_err(io::Error::other)?;
        Ok(answer.map(Body::new))
    }

    /// Passes on some of the records of a batch and answers that the others failed.
    async fn forward_some(
        &self,
        request: Request<Incoming>,
        operation: &Operation,
        (one_in, turn): (u64, u64),
    ) -> io::Result<Response<Body>> {
        let (mut head, body) = request.into_parts();
        let body = read(Body::new(body)).await?;
        let Some(split) = partial::split(&body, operation, |at| (at + turn).is_multiple_of(one_in.max(1))) else {
            return self.forward(Request::from_parts(head, Body::from(body))).await;
        };
        let answer = match &split.forwarded {
            None => Bytes::from_static(b"{}"),
            Some(some) => {
                head.headers.insert("content-length", HeaderValue::from(some.len()));
                let answer = self.forward(Request::from_parts(head, Body::from(some.clone()))).await?;
                if !answer.status().is_success() {
                    return Ok(answer);
                }
                read(answer.into_body()).await?
            }
        };
        Ok(answer::json(200, partial::merge(&split, &answer, operation)))
    }
}

async fn read(body: Body) -> io::Result<Bytes> {
    axum::body::to_bytes(body, usize::MAX).await.map_err(io::Error::other)
}

fn stamp(answer: &mut Response<Body>, id: &str) {
    let Ok(id) = HeaderValue::from_str(id) else { return };
    for name in REQUEST_ID {
        answer.headers_mut().insert(name, id.clone());
    }
}
