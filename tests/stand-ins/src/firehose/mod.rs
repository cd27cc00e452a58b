//! Firehose: a server that buffers, delivers to S3 and misbehaves as the service may.
//!
//! A record is acknowledged when it is in its stream's buffer ([`stream`]). A buffer that is large or old enough
//! becomes an object ([`delivery`]) under a [`prefix`] with expressions; [`Disorder`] delays, doubles, shuffles or fails what is
//! delivered. Time is a [`Clock`] that a test puts forward.

mod api;
mod clock;
mod date;
mod delivery;
mod prefix;
mod settings;
mod state;
mod stream;

use crate::http::{self, Loopback};
use crate::s3;
use bytes::Bytes;
pub use clock::Clock;
use hyper::service::service_fn;
pub use settings::StreamSpec;
use state::Shared;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What can be set about a Firehose server.
#[derive(Debug, Clone, Default)]
pub struct FirehoseOptions {
    /// The address of the S3 server that objects go to.
    pub s3_endpoint: String,
    /// The time it goes by. Default: the machine's.
    pub clock: Clock,
    /// A buffer size in bytes for all streams, below the smallest that the API takes.
    pub buffer_bytes: Option<u64>,
    /// How many bytes a second all streams take together; records past it fail. Default: any number.
    pub bytes_per_second: Option<u64>,
    /// What goes wrong between the acknowledgement and S3. Default: nothing.
    pub disorder: Disorder,
}

/// What goes wrong between the acknowledgement and S3. Chances are from 0 to 1.
#[derive(Debug, Clone, Default)]
pub struct Disorder {
    /// How much later every object arrives.
    pub delay: Duration,
    /// How much later still it arrives at most, by chance: so objects overtake each other.
    pub jitter: Duration,
    /// The chance that an object is written twice, under two names.
    pub doubled_objects: f64,
    /// The chance that a record stands twice in its object.
    pub doubled_records: f64,
    /// Whether the records of an object change their order.
    pub shuffled_records: bool,
    /// The chance that a buffer goes under the error prefix instead.
    pub failing_objects: f64,
    /// What the chances are drawn from.
    pub seed: u64,
}

/// Which records the service refuses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FailRecords {
    /// None.
    Never,
    /// The next so many.
    Next(u64),
    /// Each by chance, from 0 to 1.
    Chance(f64),
}

/// A Firehose server on loopback; dropping it stops it, and what it has buffered is gone.
#[derive(Debug)]
pub struct FirehoseServer {
    server: Loopback,
    shared: Arc<Shared>,
}

impl FirehoseServer {
    /// Starts a server without streams.
    pub async fn start(options: FirehoseOptions) -> io::Result<Self> {
        let client = s3::client(&options.s3_endpoint);
        let shared = Arc::new(Shared::new(options, client));
        let (for_calls, for_delivery) = (shared.clone(), shared.clone());
        let service = service_fn(move |request| api::answer(for_calls.clone(), request));
        let server = Loopback::start("firehose", 0, |listener| async move {
            tokio::join!(http::serve(listener, service), for_delivery.deliver_for_ever());
        })?;
        Ok(Self { server, shared })
    }

    /// The address, as `AWS_ENDPOINT_URL_FIREHOSE` takes it.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Makes a stream, by the same checks as the API.
    pub fn create_stream(&self, spec: &StreamSpec) -> io::Result<()> {
        let made = api::call(&self.shared, "CreateDeliveryStream", spec.call().to_string().as_bytes());
        made.map(drop).map_err(|error| io::Error::other(format!("delivery stream `{}`: {error}", spec.name)))
    }

    /// Delivers everything that was acknowledged, whatever the hints and the disorder say.
    pub async fn flush(&self) -> io::Result<()> {
        self.deliver(true).await
    }

    /// Puts the clock forward and delivers what is due by then.
    pub async fn advance(&self, by: Duration) -> io::Result<()> {
        self.shared.clock().advance(by);
        self.deliver(false).await
    }

    /// Every record that was acknowledged, in order: what must be found in S3 in the end.
    pub fn acknowledged(&self) -> Vec<Bytes> {
        self.shared.state().acknowledged.clone()
    }

    /// The keys of the objects written, in order, those under error prefixes included.
    pub fn delivered(&self) -> Vec<String> {
        self.shared.state().delivered.clone()
    }

    /// Says which records are refused from now on.
    pub fn fail_records(&self, which: FailRecords) {
        self.shared.state().failing = which;
    }

    /// Says what goes wrong with objects from now on.
    pub fn set_disorder(&self, disorder: Disorder) {
        self.shared.state().set_disorder(disorder);
    }

    /// On the server's own runtime, where its connections to S3 live.
    async fn deliver(&self, all: bool) -> io::Result<()> {
        let shared = self.shared.clone();
        let delivery = async move { shared.deliver(all).await };
        self.server.spawn(delivery).await
    }
}
