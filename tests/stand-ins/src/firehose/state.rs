//! What the server knows, and what becomes of a record that is put.

use super::clock::Clock;
use super::stream::{Parcel, Stream, unix_ms};
use super::{Disorder, FailRecords, FirehoseOptions};
use crate::chance::Chance;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::Notify;
use uuid::Uuid;

/// What calls and delivery share.
#[derive(Debug)]
pub(super) struct Shared {
    clock: Clock,
    state: Mutex<State>,
    pub(super) s3: aws_sdk_s3::Client,
    /// Held by the one delivery at a time, so that [`super::FirehoseServer::flush`] waits for one that is under way.
    pub(super) delivering: tokio::sync::Mutex<()>,
    /// Wakes delivery when a buffer is due.
    pub(super) due: Notify,
}

/// What the server knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) streams: BTreeMap<String, Stream>,
    pub(super) acknowledged: Vec<Bytes>,
    pub(super) delivered: Vec<String>,
    pub(super) failing: FailRecords,
    parcels: Vec<Parcel>,
    disorder: Disorder,
    chance: Chance,
    buffer_bytes: Option<u64>,
    quota: Option<Quota>,
}

/// The bytes of one second, and how many are left in it.
#[derive(Debug)]
struct Quota {
    bytes_per_second: u64,
    second: u64,
    left: u64,
}

impl Shared {
    pub(super) fn new(options: FirehoseOptions, s3: aws_sdk_s3::Client) -> Self {
        let quota = |bytes_per_second| Quota { bytes_per_second, second: 0, left: bytes_per_second };
        let state = State {
            streams: BTreeMap::new(),
            acknowledged: Vec::new(),
            delivered: Vec::new(),
            failing: FailRecords::Never,
            parcels: Vec::new(),
            chance: Chance::new(options.disorder.seed),
            disorder: options.disorder,
            buffer_bytes: options.buffer_bytes,
            quota: options.bytes_per_second.map(quota),
        };
        let (delivering, due) = (tokio::sync::Mutex::default(), Notify::new());
        Self { clock: options.clock, state: Mutex::new(state), s3, delivering, due }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Puts records into a stream's buffer; per record its id, or none when it was refused.
    pub(super) fn put(&self, stream: &str, records: Vec<Bytes>) -> Vec<Option<String>> {
        let now = self.clock.now();
        let mut state = self.state();
        let answers = records.into_iter().map(|data| state.put(stream, data, now)).collect();
        if state.streams.get(stream).is_some_and(|stream| stream.is_due(now)) {
            self.due.notify_one();
        }
        answers
    }
}

impl State {
    pub(super) fn add_stream(&mut self, mut stream: Stream) {
        stream.settings.size_bytes = self.buffer_bytes.unwrap_or(stream.settings.size_bytes);
        self.streams.insert(stream.name.clone(), stream);
    }

    pub(super) fn set_disorder(&mut self, disorder: Disorder) {
        self.chance = Chance::new(disorder.seed);
        self.disorder = disorder;
    }

    /// Cuts the buffers that are due, or all of them, and takes the parcels that may arrive.
    pub(super) fn take_due(&mut self, now: SystemTime, all: bool) -> io::Result<Vec<Parcel>> {
        for stream in self.streams.values_mut().filter(|stream| all || stream.is_due(now)) {
            self.parcels.extend(stream.cut(now, &self.disorder, &mut self.chance)?);
        }
        let parcels = std::mem::take(&mut self.parcels);
        let (mut due, waiting): (Vec<_>, Vec<_>) = parcels.into_iter().partition(|parcel| all || parcel.due <= now);
        self.parcels = waiting;
        due.sort_by_key(|parcel| parcel.due);
        Ok(due)
    }

    /// Keeps a parcel that S3 did not take.
    pub(super) fn take_back(&mut self, parcel: Parcel) {
        self.parcels.push(parcel);
    }

    fn put(&mut self, stream: &str, data: Bytes, now: SystemTime) -> Option<String> {
        if self.refuses() || self.quota.as_mut().is_some_and(|quota| !quota.takes(data.len() as u64, now)) {
            return None;
        }
        self.streams.get_mut(stream)?.add(data.clone(), now);
        self.acknowledged.push(data);
        Some(Uuid::new_v4().to_string())
    }

    fn refuses(&mut self) -> bool {
        match &mut self.failing {
            FailRecords::Never | FailRecords::Next(0) => false,
            FailRecords::Next(left) => {
                *left -= 1;
                true
            }
            FailRecords::Chance(probability) => self.chance.hits(*probability),
        }
    }
}

impl Quota {
    fn takes(&mut self, bytes: u64, now: SystemTime) -> bool {
        let second = unix_ms(now) / 1000;
        if second != self.second {
            (self.second, self.left) = (second, self.bytes_per_second);
        }
        let takes = bytes <= self.left;
        self.left -= if takes { bytes } else { 0 };
        takes
    }
}
