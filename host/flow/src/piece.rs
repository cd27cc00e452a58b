//! Raw records with the place of each in its shard: stretches of a byte stream, or payloads of a record stream.

use bytes::Bytes;
use sluice_batch::{Position, RecordPosition};
use sluice_formats::{Header, Limits, PayloadFramer, RawBatch, Span, Unusable};
use sluice_ports::{Payloads, UnusablePayload};
use std::collections::VecDeque;
use std::sync::Arc;

/// A raw batch and where it stands.
pub(crate) struct Piece {
    pub(crate) raw: RawBatch,
    place: Place,
    /// Arrival of the batch, milliseconds since the epoch: of its last payload, or as its reader noted.
    pub(crate) arrived_at: i64,
}

enum Place {
    Bytes,
    Payloads(Box<Places>),
}

/// Where the records of payloads stand.
#[derive(Default)]
struct Places {
    from: Option<Position>,
    to: Option<Position>,
    /// One for each record of the batch.
    records: Vec<RecordPosition>,
    /// Arrival of each, milliseconds since the epoch.
    arrived: Vec<i64>,
    /// One for each unusable record of the batch.
    unusable: Vec<(RecordPosition, i64)>,
    set_aside: Vec<SetAside>,
}

/// A payload that its source could not make records of.
pub(crate) struct SetAside {
    pub(crate) position: RecordPosition,
    pub(crate) arrived_at: i64,
    pub(crate) payload: UnusablePayload,
    span: Span,
}

impl Piece {
    /// A stretch of a byte stream; its arrival is its reader's to note.
    pub(crate) fn bytes(raw: RawBatch) -> Self {
        Self { raw, place: Place::Bytes, arrived_at: 0 }
    }

    /// Where it begins, exclusive.
    pub(crate) fn from(&self) -> Position {
        match &self.place {
            Place::Bytes => Position::offset(self.raw.from),
            Place::Payloads(places) => places.from.expect("a batch of payloads begins somewhere"),
        }
    }

    /// Where it ends, inclusive.
    pub(crate) fn to(&self) -> Position {
        match &self.place {
            Place::Bytes => Position::offset(self.raw.to),
            Place::Payloads(places) => places.to.expect("a batch of payloads ends somewhere"),
        }
    }

    /// Bytes that it covers.
    pub(crate) fn len(&self) -> u64 {
        self.raw.to - self.raw.from
    }

    /// Digest of the bytes before its end; a record stream needs none, its positions are the service's own.
    pub(crate) fn tail(&self) -> Option<u64> {
        matches!(self.place, Place::Bytes).then_some(self.raw.tail)
    }

    /// Records read, those that cannot be used included.
    pub(crate) fn read(&self) -> u64 {
        (self.raw.read() + self.set_aside().len()) as u64
    }

    /// Where a record stands.
    pub(crate) fn position(&self, record: usize) -> RecordPosition {
        match &self.place {
            Place::Bytes => RecordPosition::at_offset(self.raw.offset(record)),
            Place::Payloads(places) => places.records[record],
        }
    }

    /// Whether positions are plain offsets.
    pub(crate) fn is_bytes(&self) -> bool {
        matches!(self.place, Place::Bytes)
    }

    /// Arrival of a record, milliseconds since the epoch.
    pub(crate) fn arrived(&self, record: usize) -> i64 {
        match &self.place {
            Place::Bytes => self.arrived_at,
            Place::Payloads(places) => places.arrived[record],
        }
    }

    /// Records that cannot be used, with place and arrival of each.
    pub(crate) fn unusable(&self) -> impl Iterator<Item = (&Unusable, RecordPosition, i64)> {
        self.raw.unusable.iter().enumerate().map(|(index, unusable)| match &self.place {
            Place::Bytes => (unusable, RecordPosition::at_offset(unusable.offset), self.arrived_at),
            Place::Payloads(places) => (unusable, places.unusable[index].0, places.unusable[index].1),
        })
    }

    /// Payloads that their source could not make records of.
    pub(crate) fn set_aside(&self) -> &[SetAside] {
        match &self.place {
            Place::Bytes => &[],
            Place::Payloads(places) => &places.set_aside,
        }
    }

    /// Content of a payload that was set aside.
    pub(crate) fn content(&self, set_aside: &SetAside) -> &[u8] {
        set_aside.span.of(&self.raw.data)
    }
}

/// One payload on its way into a batch.
struct Payload {
    position: RecordPosition,
    data: Bytes,
    arrived_at: i64,
    unusable: Option<UnusablePayload>,
}

/// Gathers payloads into batches. A batch ends between payloads, so one that holds very many records makes a batch
/// larger than the limits.
pub(crate) struct Gatherer {
    framer: PayloadFramer,
    limits: Limits,
    waiting: VecDeque<Payload>,
    /// Where the batch begins.
    from: Position,
    data: Vec<u8>,
    records: Vec<Span>,
    unusable: Vec<Unusable>,
    header: Option<Arc<Header>>,
    places: Places,
    arrived_at: i64,
}

impl Gatherer {
    /// For a stream that is entered after `from`.
    pub(crate) fn new(framer: PayloadFramer, limits: Limits, from: Position) -> Self {
        Self {
            framer,
            limits,
            waiting: VecDeque::new(),
            from,
            data: Vec::new(),
            records: Vec::new(),
            unusable: Vec::new(),
            header: None,
            places: Places::default(),
            arrived_at: 0,
        }
    }

    /// What a read gave.
    pub(crate) fn push(&mut self, payloads: Payloads) {
        let mut unusable = payloads.unusable.into_iter().peekable();
        let each = payloads.positions.into_iter().zip(payloads.data).zip(payloads.arrived_at);
        for (index, ((position, data), arrived_at)) in each.enumerate() {
            let unusable = unusable.next_if(|unusable| unusable.index == index);
            self.waiting.push_back(Payload { position, data, arrived_at, unusable });
        }
    }

    /// A batch that is full; with `flush` also one that is not.
    pub(crate) fn next(&mut self, flush: bool) -> Option<Piece> {
        while !self.is_full() {
            let Some(payload) = self.waiting.pop_front() else { break };
            if let Some(payload) = self.take(payload) {
                self.waiting.push_front(payload);
                return self.cut();
            }
        }
        if self.is_full() || flush { self.cut() } else { None }
    }

    /// The batch that ended at `to`, cut again; `None` where more is needed.
    ///
    /// # Errors
    /// What was read goes past `to` without a payload that ends there.
    pub(crate) fn next_until(&mut self, to: &Position) -> std::result::Result<Option<Piece>, String> {
        while let Some(payload) = self.waiting.pop_front() {
            if Position::At(payload.position) > *to {
                return Err(format!("no payload ends at {to}; the next is {}", payload.position));
            }
            if let Some(payload) = self.take(payload) {
                return Err(format!("the payload at {} has another header than those before it", payload.position));
            }
            if self.places.to.as_ref() == Some(to) {
                return Ok(self.cut());
            }
        }
        Ok(None)
    }

    fn is_full(&self) -> bool {
        self.records.len() + self.unusable.len() >= self.limits.rows || self.data.len() >= self.limits.bytes
    }

    /// Takes a payload in; gives it back where it has another header than the batch and must begin one of its own.
    fn take(&mut self, payload: Payload) -> Option<Payload> {
        let start = self.data.len();
        let mut rows = 1;
        match &payload.unusable {
            Some(unusable) => {
                let span = Span { start: start as u32, len: payload.data.len() as u32 };
                let (position, arrived_at) = (payload.position, payload.arrived_at);
                self.places.set_aside.push(SetAside { position, arrived_at, payload: unusable.clone(), span });
            }
            None => {
                let framed = self.framer.frame(&payload.data);
                let begun = !self.records.is_empty();
                if framed.header.is_some() && begun && framed.header != self.header {
                    return Some(payload);
                }
                rows = framed.records.len() + framed.unusable.len();
                self.header = framed.header.clone().or(self.header.take());
                self.place(&payload, &framed, start);
            }
        }
        self.data.extend_from_slice(&payload.data);
        self.arrived_at = payload.arrived_at;
        let last = RecordPosition { row: rows.saturating_sub(1) as u64, ..payload.position };
        self.places.to = Some(Position::At(last));
        None
    }

    /// Numbers the records of a payload by their places in it.
    fn place(&mut self, payload: &Payload, framed: &sluice_formats::Framed, start: usize) {
        let mut unusable = framed.unusable.iter().peekable();
        let at = |row: u64| RecordPosition { row, ..payload.position };
        let mut row = 0;
        let before = self.records.len() as u32;
        for (index, span) in framed.records.iter().enumerate() {
            while let Some(bad) = unusable.next_if(|bad| bad.before as usize <= index) {
                self.unusable.push(Unusable { before: bad.before + before, ..bad.clone() });
                self.places.unusable.push((at(row), payload.arrived_at));
                row += 1;
            }
            self.records.push(Span { start: span.start + start as u32, len: span.len });
            self.places.records.push(at(row));
            self.places.arrived.push(payload.arrived_at);
            row += 1;
        }
        for bad in unusable {
            self.unusable.push(Unusable { before: bad.before + before, ..bad.clone() });
            self.places.unusable.push((at(row), payload.arrived_at));
            row += 1;
        }
    }

    fn cut(&mut self) -> Option<Piece> {
        let mut places = std::mem::take(&mut self.places);
        let to = places.to?;
        places.from = Some(std::mem::replace(&mut self.from, to));
        let data = std::mem::take(&mut self.data);
        self.data.reserve(data.len());
        let raw = RawBatch {
            digest: xxhash_rust::xxh3::xxh3_64(&data),
            tail: 0,
            base: 0,
            records: std::mem::take(&mut self.records),
            unusable: std::mem::take(&mut self.unusable),
            from: 0,
            to: data.len() as u64,
            header: self.header.take(),
            data: Bytes::from(data),
        };
        Some(Piece { raw, place: Place::Payloads(Box::new(places)), arrived_at: self.arrived_at })
    }
}
