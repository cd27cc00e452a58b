//! The stream as a source.

use super::config::{KinesisConfig, Mode, Start};
use super::decode::Decoder;
use super::fan_out::{self, FanOut};
use super::fetch::{Fetcher, Shard};
use super::lag::{Lags, ShardLag, now_ms};
use super::loss::LossPolicy;
use super::polling::Polling;
use super::reader::{KinesisReader, Pump};
use super::shards::{Begin, Note, Selected, select};
use super::stream::{self, Listed, Stream};
use crate::client::Aws;
use async_trait::async_trait;
use sluice_batch::{Position, ShardRef};
use sluice_ports::{Alerts, KnownShard, Result, ShardInfo, ShardReader, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};

/// Records that arrive so long after the start of a run that ends where the stream stood then are not read: clocks differ.
const GRACE_MS: i64 = 5_000;

/// Most time between two reads of an idle shard when the run waits for its end.
const HURRIED: Duration = Duration::from_millis(200);

/// A stream as a source: its shards are the shards, in the order of their ids.
///
/// The source's id is the stream's ARN, `@` and its creation time in seconds: a stream that is deleted and made anew is
/// another source. A shard's note holds its hash keys, which decide what belongs to it, and where it was begun.
#[derive(Debug)]
pub struct KinesisSource {
    aws: Aws,
    config: KinesisConfig,
    loss: LossPolicy,
    stream: OnceCell<Arc<Stream>>,
    begin: OnceCell<Begin>,
    consumer: OnceCell<Arc<str>>,
    seen: Mutex<Seen>,
    lags: Arc<Lags>,
    ahead: Arc<Semaphore>,
}

/// What earlier listings of this run chose.
#[derive(Debug, Default)]
struct Seen {
    begun: BTreeMap<String, Note>,
    /// Shards that expired before they were read to their end, and are passed over by decision.
    gone: BTreeSet<String>,
}

impl KinesisSource {
    /// A source of this stream. Nothing is asked for before it is discovered.
    pub fn new(aws: Aws, config: KinesisConfig) -> Self {
        let loss = LossPolicy { decision: config.retention_loss, dataset: String::new(), alerts: None };
        let ahead = Arc::new(Semaphore::new(config.answers_ahead));
        let (stream, begin, consumer) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { aws, config, loss, stream, begin, consumer, seen: Mutex::default(), lags: Arc::default(), ahead }
    }

    /// Has alarms raised as alerts of a dataset, besides being told to the log.
    #[must_use]
    pub fn with_alerts(mut self, dataset: &str, alerts: Arc<dyn Alerts>) -> Self {
        (self.loss.dataset, self.loss.alerts) = (dataset.to_owned(), Some(alerts));
        self
    }

    /// How far behind the shards are that are being read.
    pub fn lag(&self) -> Vec<ShardLag> {
        self.lags.at(now_ms())
    }

    async fn stream(&self) -> Result<&Arc<Stream>> {
        self.stream.get_or_try_init(async || Ok(Arc::new(Stream::find(&self.aws, &self.config.stream).await?))).await
    }

    /// Where the stream is begun. `latest` is this moment, in whole seconds: it is the same for all shards and all
    /// listings of a run, and the commits keep it.
    async fn begin(&self) -> Begin {
        let begin = async || match self.config.start {
            Start::TrimHorizon => Begin { position: Position::TrimHorizon, open_only: false },
            Start::Latest => Begin { position: Position::AtTimestamp(now_ms() / 1000 * 1000), open_only: true },
            Start::At(ms) => Begin { position: Position::AtTimestamp(ms), open_only: false },
        };
        *self.begin.get_or_init(begin).await
    }

    /// Chooses among the listed shards, and remembers the choice.
    fn choose(&self, listed: &[Listed], known: &[(KnownShard, Note)], begin: Begin) -> Result<Vec<Selected>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut begun = seen.begun.clone();
        begun.extend(known.iter().map(|(known, note)| (known.shard.shard.to_string(), note.clone())));
        let mut selected = select(listed, &begun, begin);
        for (known, note) in known {
            let id = known.shard.shard.to_string();
            let listed = listed.binary_search_by(|listed| listed.id.as_str().cmp(&id)).is_ok();
            // what this run has seen is its readers' affair
            if listed || known.position == Position::ShardEnd || seen.begun.contains_key(&id) {
                continue;
            }
            if !seen.gone.contains(&id) {
                self.loss.lost(&format!(
                    "shard `{}` expired before it was read to its end; reading stood at {}",
                    known.shard, known.position
                ))?;
            }
            seen.gone.insert(id.clone());
            selected.push(Selected { id, parents: vec![], note: note.clone() });
        }
        selected.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let listed = selected.iter().filter(|shard| !seen.gone.contains(&shard.id));
        let chosen: Vec<_> = listed.map(|shard| (shard.id.clone(), shard.note.clone())).collect();
        seen.begun.extend(chosen);
        Ok(selected)
    }

    fn is_gone(&self, shard: &str) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).gone.contains(shard)
    }

    fn decoder(&self, note: &Note, from: &Position) -> Result<Decoder> {
        let after = match from {
            Position::At(record) => Some((record.sequence, record.sub)),
            _ => None,
        };
        let not_before = match from {
            Position::AtTimestamp(ms) => Some(*ms),
            _ => None,
        };
        let until = self.config.until.map(|until| until.started_at_ms.saturating_add(GRACE_MS));
        let out_of_range = self.config.kpl_out_of_range;
        Ok(Decoder { range: note.range()?, out_of_range, after, not_before, until })
    }

    async fn fetcher(&self, shard: Arc<Shard>, from: Position) -> Result<Fetcher> {
        match &self.config.mode {
            Mode::Polling => {
                let interval = self.config.poll_interval;
                let interval = if self.config.until.is_some() { interval.min(HURRIED) } else { interval };
                Ok(Fetcher::Polling(Box::new(Polling::new(shard, from, interval))))
            }
            Mode::FanOut { consumer } => {
                let register = async || fan_out::consumer(&self.aws, &shard.stream, consumer).await;
                let arn = self.consumer.get_or_try_init(register).await?.clone();
                Ok(Fetcher::FanOut(Box::new(FanOut::new(shard, arn, from))))
            }
        }
    }
}

#[async_trait]
impl Source for KinesisSource {
    async fn discover(&self, known: &[KnownShard]) -> Result<Vec<ShardInfo>> {
        let (source, begin) = (self.stream().await?.id.clone(), self.begin().await);
        let ours = ours(known, &source)?;
        let listed = stream::list(&self.aws, &self.config.stream).await?;
        let selected = self.choose(&listed, &ours, begin)?;
        let shard = |id: &str| ShardRef::new(source.clone(), id);
        let info = |selected: Selected| ShardInfo {
            shard: shard(&selected.id),
            parents: selected.parents.iter().map(|parent| shard(parent)).collect(),
            note: selected.note.to_text(),
            start: selected.note.start,
            label: selected.id,
            size: None,
        };
        Ok(selected.into_iter().map(info).collect())
    }

    async fn open(&self, info: &ShardInfo, from: &Position) -> Result<Box<dyn ShardReader>> {
        let id = info.shard.shard.to_string();
        if *from == Position::ShardEnd || self.is_gone(&id) {
            return Ok(Box::new(KinesisReader::closed()));
        }
        let decoder = self.decoder(&Note::parse(&info.note)?, from)?;
        let (aws, name, stream) = (self.aws.clone(), self.config.stream.clone(), self.stream().await?.clone());
        let shard = Arc::new(Shard { aws, name, stream, id: id.clone(), loss: self.loss.clone() });
        let mut fetcher = self.fetcher(shard, *from).await?;
        fetcher.begin().await?;
        let pump = Pump::new(fetcher, decoder, self.config.until.is_some(), id, self.lags.clone());
        Ok(Box::new(KinesisReader::new(pump, self.ahead.clone())))
    }

    fn is_stream(&self) -> bool {
        true
    }
}

/// The known shards of this stream, with their notes. Those of the stream that had its name before are not among them.
fn ours(known: &[KnownShard], source: &str) -> Result<Vec<(KnownShard, Note)>> {
    let arn = |id: &str| id.rsplit_once('@').map(|(arn, _)| arn.to_owned());
    let other = known.iter().find(|known| {
        *known.shard.source != *source
            && known.position != Position::ShardEnd
            && arn(&known.shard.source).is_some_and(|other| Some(other) == arn(source))
    });
    if let Some(other) = other {
        tracing::warn!(
            target: "sluice::alarm",
            "the stream was deleted and made anew: `{}` was not read to its end, and `{source}` is another source",
            other.shard
        );
    }
    let ours = known.iter().filter(|known| *known.shard.source == *source);
    // one that is read to its end may have been noted without a note
    let ours = ours.filter(|known| known.position != Position::ShardEnd || !known.note.is_empty());
    ours.map(|known| Ok((known.clone(), Note::parse(&known.note)?))).collect()
}
