//! Fetching by SubscribeToShard, under a consumer of one's own.

use super::call::{Failure, call};
use super::fetch::{Cursor, Fetched, Place, Shard};
use super::stream::Stream;
use crate::client::{Aws, class_of, classify};
use aws_sdk_kinesis::config::{Config, StalledStreamProtectionConfig};
use aws_sdk_kinesis::primitives::event_stream::EventReceiver;
use aws_sdk_kinesis::types::error::SubscribeToShardEventStreamError;
use aws_sdk_kinesis::types::{
    ConsumerStatus, ShardIteratorType, StartingPosition, SubscribeToShardEvent, SubscribeToShardEventStream,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::event_stream::RawMessage;
use sluice_batch::Position;
use sluice_ports::{Kind, PortError, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Least time between two subscriptions to a shard, and between two looks at a consumer that is being made.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a consumer may take to become active, and a shard to be given up by whoever subscribed before: the service
/// refuses a second subscription within five seconds of the first.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long an event may be waited for while the shard has more: the service sends one at least every five seconds or so.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long one is waited for when the shard had nothing more.
const GLANCE: Duration = Duration::from_millis(20);

/// Subscriptions that broke one after another without giving an event, before it counts as a failure.
const MAX_BROKEN: u32 = 8;

type Receiver = EventReceiver<SubscribeToShardEventStream, SubscribeToShardEventStreamError>;

/// Subscribes to one shard, again and again: a subscription lives five minutes.
#[derive(Debug)]
pub(super) struct FanOut {
    shard: Arc<Shard>,
    consumer_arn: Arc<str>,
    cursor: Cursor,
    /// Where the service says to go on, in a shard that had no newer records either.
    continuation: Option<String>,
    receiver: Option<Receiver>,
    subscribed: Option<Instant>,
    broken: u32,
    /// When the last event came.
    heard: Instant,
    /// Milliseconds behind the newest record, as it said.
    behind: i64,
    /// Whether it said that there is nothing more.
    quiet: bool,
}

impl FanOut {
    pub(super) fn new(shard: Arc<Shard>, consumer_arn: Arc<str>, from: Position) -> Self {
        Self {
            shard,
            consumer_arn,
            cursor: Cursor::new(from),
            continuation: None,
            receiver: None,
            subscribed: None,
            broken: 0,
            heard: Instant::now(),
            behind: 0,
            quiet: false,
        }
    }

    pub(super) async fn begin(&mut self) -> Result<()> {
        if self.receiver.is_none() {
            self.receiver = Some(self.subscribe().await?);
        }
        Ok(())
    }

    pub(super) async fn fetch(&mut self) -> Result<Fetched> {
        loop {
            self.begin().await?;
            let Some(receiver) = &mut self.receiver else { continue };
            let patience = if self.quiet { GLANCE } else { HEARTBEAT };
            match timeout(patience, receiver.recv()).await {
                Err(_) => return Ok(self.silence()),
                Ok(Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)))) => return self.take(event),
                Ok(Ok(Some(_))) => {} // a kind of event that this version does not know holds no records
                Ok(Ok(None)) => self.receiver = None,
                Ok(Err(error)) => self.broke(error).await?,
            }
        }
    }

    fn take(&mut self, event: SubscribeToShardEvent) -> Result<Fetched> {
        let records = self.cursor.take(&self.shard, event.records).inspect_err(|_| self.receiver = None)?;
        // the end: no place to go on from; a server that still names one has children for the shard and no records left
        let has_children = event.child_shards.as_ref().is_some_and(|children| !children.is_empty());
        let closed = event.continuation_sequence_number.is_empty() || (records.is_empty() && has_children);
        self.behind = event.millis_behind_latest;
        self.quiet = records.is_empty() && (closed || self.behind == 0);
        self.cursor.note(&self.shard, self.quiet);
        (self.continuation, self.heard, self.broken) = (Some(event.continuation_sequence_number), Instant::now(), 0);
        Ok(Fetched::Answer { records, behind: Some(self.behind), closed })
    }

    /// No event came. Where the last one left nothing behind it and none came for long, that is as good as one that says so.
    fn silence(&mut self) -> Fetched {
        if self.behind > 0 || self.heard.elapsed() < HEARTBEAT {
            return Fetched::NotDue;
        }
        (self.quiet, self.heard) = (true, Instant::now());
        self.cursor.note(&self.shard, true);
        Fetched::Answer { records: vec![], behind: Some(self.behind), closed: false }
    }

    /// The subscription broke: another is made, unless that is of no use.
    async fn broke(&mut self, error: SdkError<SubscribeToShardEventStreamError, RawMessage>) -> Result<()> {
        (self.receiver, self.broken) = (None, self.broken + 1);
        self.shard.aws.fault("SubscribeToShard", &error);
        // whoever takes the subscription over ends this one; what broke may hold the next time
        let taken_over = error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception());
        let class = class_of(&error);
        if self.broken > MAX_BROKEN || !(taken_over || class.is_retried()) {
            return Err(classify("SubscribeToShard", &self.shard.label(), error));
        }
        sleep(self.shard.aws.retry().wait(self.broken, class)).await;
        Ok(())
    }

    /// Subscribes, once whoever had the shard before has given it up.
    async fn subscribe(&mut self) -> Result<Receiver> {
        if let Some(last) = self.subscribed {
            tokio::time::sleep_until(last + PAUSE).await;
        }
        let begun = Instant::now();
        loop {
            self.subscribed = Some(Instant::now());
            match self.try_subscribe().await {
                Ok(receiver) => return Ok(receiver),
                Err(failure) if failure.code == "ResourceInUseException" && begun.elapsed() < PATIENCE => {
                    sleep(PAUSE).await;
                }
                Err(failure) if failure.code == "InvalidArgumentException" && self.is_behind_a_record() => {
                    self.cursor.expired(&self.shard, &failure.error.message)?;
                    self.continuation = None;
                }
                Err(failure) => return Err(failure.error),
            }
        }
    }

    fn is_behind_a_record(&mut self) -> bool {
        self.place().sequence.is_some()
    }

    fn place(&mut self) -> Place {
        match &self.continuation {
            Some(number) => Place::sequence(ShardIteratorType::AfterSequenceNumber, &number),
            None => self.cursor.place(&self.shard),
        }
    }

    async fn try_subscribe(&mut self) -> std::result::Result<Receiver, Failure> {
        let place = self.place();
        let (shard, consumer) = (&self.shard, &self.consumer_arn);
        let position = StartingPosition::builder()
            .r#type(place.kind)
            .set_sequence_number(place.sequence)
            .set_timestamp(place.timestamp)
            .build()
            .map_err(|error| unbuildable(shard, &error))?;
        // a subscription to an idle shard is no stalled download
        let patient = || Config::builder().stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let request = || {
            let call = shard.aws.kinesis().subscribe_to_shard().consumer_arn(&**consumer).shard_id(&shard.id);
            call.starting_position(position.clone()).customize().config_override(patient()).send()
        };
        let what = format!("{} under consumer `{consumer}`", shard.label());
        Ok(call(&shard.aws, "SubscribeToShard", &what, request).await.result?.event_stream)
    }
}

fn unbuildable(shard: &Shard, error: &dyn std::error::Error) -> Failure {
    let message = format!("{} cannot be subscribed to: {error}", shard.label());
    Failure { code: String::new(), error: PortError::new(Kind::Fatal, message) }
}

/// The ARN of a consumer, which is registered where the stream does not know it, once it is active.
pub(super) async fn consumer(aws: &Aws, stream: &Stream, name: &str) -> Result<Arc<str>> {
    let begun = Instant::now();
    let mut registered = false;
    loop {
        match describe(aws, stream, name).await {
            Ok((arn, ConsumerStatus::Active)) => return Ok(arn.into()),
            Ok(_) if begun.elapsed() < PATIENCE => sleep(PAUSE).await,
            Ok((_, status)) => return Err(not_active(stream, name, &status)),
            Err(failure) if failure.error.kind == Kind::NotFound && !registered => {
                register(aws, stream, name).await?;
                registered = true;
            }
            Err(failure) if failure.error.kind == Kind::NotFound && begun.elapsed() < PATIENCE => sleep(PAUSE).await,
            Err(failure) => return Err(failure.error),
        }
    }
}

async fn describe(aws: &Aws, stream: &Stream, name: &str) -> std::result::Result<(String, ConsumerStatus), Failure> {
    let request = || aws.kinesis().describe_stream_consumer().stream_arn(&stream.arn).consumer_name(name).send();
    let what = format!("consumer `{name}` of `{}`", stream.arn);
    let found = call(aws, "DescribeStreamConsumer", &what, request).await.result?;
    let described = found.consumer_description.map(|found| (found.consumer_arn, found.consumer_status));
    described.ok_or_else(|| Failure {
        code: String::new(),
        error: PortError::new(Kind::Fatal, format!("{what} is described by nothing; check the endpoint")),
    })
}

/// Registers a consumer; another host may have done so meanwhile.
async fn register(aws: &Aws, stream: &Stream, name: &str) -> Result<()> {
    let request = || aws.kinesis().register_stream_consumer().stream_arn(&stream.arn).consumer_name(name).send();
    let what = format!("consumer `{name}` of `{}`", stream.arn);
    match call(aws, "RegisterStreamConsumer", &what, request).await.result {
        Err(failure) if failure.code != "ResourceInUseException" => Err(failure.error),
        _ => Ok(()),
    }
}

fn not_active(stream: &Stream, name: &str, status: &ConsumerStatus) -> PortError {
    let (arn, status, waited) = (&stream.arn, status.as_str(), PATIENCE.as_secs());
    let message = format!("consumer `{name}` of `{arn}` is {status} after {waited} s; wait until it is ACTIVE");
    PortError::new(Kind::Retry, message)
}
