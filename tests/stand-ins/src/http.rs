//! Listeners on loopback, each with a runtime of its own.

use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// A server on 127.0.0.1 that lives as long as this value.
///
/// It has its own runtime, so that it answers while the test that started it blocks, and so that dropping it ends its
/// connections with it.
#[derive(Debug)]
pub(crate) struct Loopback {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Loopback {
    /// Binds the port (0: any free one) and runs `serve` with the listener.
    pub(crate) fn start<F, S>(name: &str, port: u16, serve: F) -> io::Result<Self>
    where
        F: FnOnce(TcpListener) -> S,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
            io::Error::new(error.kind(), format!("stand-in `{name}`: cannot listen on 127.0.0.1:{port}: {error}"))
        })?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name(name).enable_all().build()?;
        {
            let _inside = runtime.enter();
            let listener = TcpListener::from_std(listener)?;
            runtime.spawn(serve(listener));
        }
        Ok(Self { address, runtime: Some(runtime) })
    }

    /// The address as a URL without a path.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Runs work where the server's own connections live, and waits for it.
    pub(crate) async fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let runtime = self.runtime.as_ref().ok_or_else(|| io::Error::other("the server has stopped"))?;
        runtime.spawn(work).await.map_err(io::Error::other)?
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background(); // a plain drop would block, which a test's async code may not
        }
    }
}

/// Answers HTTP/1.1 on every connection; an error of the service closes the connection without an answer.
pub(crate) async fn serve<S, B>(listener: TcpListener, service: S)
where
    S: Service<hyper::Request<Incoming>, Response = hyper::Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    while let Ok((stream, _)) = listener.accept().await {
        // small answers must not wait for the other side's delayed acknowledgement
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(async move {
            let _closed = connection.await;
        });
    }
}
