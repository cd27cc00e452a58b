//! Objects that are announced, and the messages that announced them.

use super::S3SourceConfig;
use super::events::{Created, Notice};
use super::listing::{Catalogue, Known};
use crate::client::{Aws, retry};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use sluice_batch::ShardRef;
use sluice_ports::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Messages that one call receives or deletes at most
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>).
const MESSAGES: usize = 10;
/// Calls in a row, so that the other work of a run has its turn.
const CALLS: usize = 20;
/// How long a call waits for a message while following.
const WAIT_SECONDS: i32 = 1;

/// A queue of S3's announcements.
#[derive(Debug)]
pub(super) struct Queue {
    aws: Aws,
    config: Arc<S3SourceConfig>,
    url: String,
    /// By message id.
    pending: BTreeMap<String, Pending>,
    /// Shards of this process's commits.
    committed: BTreeSet<ShardRef>,
}

/// A message that is not done with.
#[derive(Debug)]
struct Pending {
    /// Of the last time that it was received: earlier ones may no longer delete it.
    receipt: String,
    /// Objects that it announced and that are not committed.
    shards: BTreeSet<ShardRef>,
}

/// What becomes of a message.
enum Fate {
    /// Nothing of it is left to be done.
    Done,
    /// These are to be committed first.
    Waits(BTreeSet<ShardRef>),
    /// It is not for this source: the queue's own rules decide.
    Left,
}

impl Queue {
    pub(super) fn new(aws: Aws, config: Arc<S3SourceConfig>, url: String) -> Self {
        Self { aws, config, url, pending: BTreeMap::new(), committed: BTreeSet::new() }
    }

    /// Takes what is announced into the catalogue.
    pub(super) async fn receive(&mut self, catalogue: &mut Catalogue, known: &[Known]) -> Result<()> {
        for _ in 0..CALLS {
            let messages = self.next().await?;
            if messages.is_empty() {
                break;
            }
            let mut done = Vec::new();
            for message in messages {
                done.extend(self.take(message, catalogue, known).await?);
            }
            self.delete(done).await?;
        }
        Ok(())
    }

    async fn next(&self) -> Result<Vec<Message>> {
        let wait = if self.config.follow { WAIT_SECONDS } else { 0 };
        let call = || {
            let call = self.aws.sqs().receive_message().queue_url(&self.url);
            call.max_number_of_messages(MESSAGES as i32).wait_time_seconds(wait).send()
        };
        let answer = retry(self.aws.retry(), "ReceiveMessage", &self.what(), call).await?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Looks into a message, and gives id and receipt of one that is done with.
    async fn take(
        &mut self,
        message: Message,
        catalogue: &mut Catalogue,
        known: &[Known],
    ) -> Result<Option<(String, String)>> {
        let (Some(id), Some(receipt)) = (message.message_id, message.receipt_handle) else { return Ok(None) };
        match self.fate(&id, message.body.as_deref().unwrap_or_default(), catalogue, known).await? {
            Fate::Done => {
                self.pending.remove(&id);
                Ok(Some((id, receipt)))
            }
            Fate::Waits(shards) => {
                self.pending.insert(id, Pending { receipt, shards });
                Ok(None)
            }
            Fate::Left => Ok(None),
        }
    }

    async fn fate(&self, id: &str, body: &str, catalogue: &mut Catalogue, known: &[Known]) -> Result<Fate> {
        let created = match Notice::parse(body) {
            Notice::Created(created) => created,
            Notice::Test => return Ok(Fate::Done),
            Notice::Unknown => {
                tracing::warn!(queue = self.url, message = id, "a message is no announcement of S3's and was left");
                return Ok(Fate::Left);
            }
        };
        if let Some(other) = created.iter().find(|created| !self.is_ours(created)) {
            let (bucket, key) = (&other.bucket, &other.key);
            tracing::warn!(queue = self.url, message = id, bucket, key, "a message is for another source and was left");
            return Ok(Fate::Left);
        }
        let mut shards = BTreeSet::new();
        for created in created.iter().filter(|created| self.config.wants(&created.key)) {
            shards.extend(find(created, catalogue).await?.filter(|shard| !self.is_done(shard, known)));
        }
        Ok(if shards.is_empty() { Fate::Done } else { Fate::Waits(shards) })
    }

    fn is_ours(&self, created: &Created) -> bool {
        created.bucket == self.config.bucket && created.key.starts_with(&self.config.prefix)
    }

    fn is_done(&self, shard: &ShardRef, known: &[Known]) -> bool {
        // read to its end is not enough: what this process has read may not be committed
        let in_a_commit = |known: &Known| known.shard == *shard && known.is_committed();
        self.committed.contains(shard) || known.iter().any(in_a_commit)
    }

    /// Deletes the messages of which nothing is left to be committed.
    pub(super) async fn committed(&mut self, ended: &[ShardRef]) -> Result<()> {
        self.committed.extend(ended.iter().cloned());
        for pending in self.pending.values_mut() {
            pending.shards.retain(|shard| !self.committed.contains(shard));
        }
        let done: Vec<_> = self.pending.iter().filter(|(_, pending)| pending.shards.is_empty()).collect();
        let done: Vec<_> = done.into_iter().map(|(id, pending)| (id.clone(), pending.receipt.clone())).collect();
        self.delete(done.clone()).await?;
        for (id, _) in done {
            self.pending.remove(&id);
        }
        Ok(())
    }

    async fn delete(&self, messages: Vec<(String, String)>) -> Result<()> {
        for some in messages.chunks(MESSAGES) {
            let entries = some.iter().enumerate().map(|(place, (_, receipt))| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(receipt);
                entry.build().expect("an entry with id and receipt is whole")
            });
            let entries: Vec<_> = entries.collect();
            let call = || {
                let call = self.aws.sqs().delete_message_batch().queue_url(&self.url);
                call.set_entries(Some(entries.clone())).send()
            };
            let answer = retry(self.aws.retry(), "DeleteMessageBatch", &self.what(), call).await?;
            for failed in answer.failed() {
                // it comes again, and is then done with at once
                let (code, text) = (failed.code(), failed.message().unwrap_or_default());
                tracing::warn!(queue = self.url, code, text, "a message could not be deleted");
            }
        }
        Ok(())
    }

    fn what(&self) -> String {
        format!("queue `{}`", self.url)
    }
}

/// The shard of an object that was announced; none where it is gone already.
async fn find(created: &Created, catalogue: &mut Catalogue) -> Result<Option<ShardRef>> {
    let Created { key, version, etag, .. } = created;
    if let Some(shard) = catalogue.find(key, version.as_deref(), etag.as_deref()) {
        return Ok(Some(shard));
    }
    let note = catalogue.head(key, version.as_deref()).await?;
    if note.is_none() {
        tracing::warn!(key, "an object that was announced is gone");
    }
    Ok(note.map(|note| catalogue.add(note)))
}
