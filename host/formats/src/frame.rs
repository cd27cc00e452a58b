//! A byte stream cut into records, and those into raw batches.

mod array;
pub(crate) mod csv;
mod lines;
pub(crate) mod scan;
mod skip;

use crate::raw::TAIL_BYTES;
use crate::{FrameError, Header, RawBatch, Span, header, tail_digest};
use bytes::{Bytes, BytesMut};
use scan::{BYTE_ORDER_MARK, Piece, Scan};
use skip::Skip;
use sluice_manifest::plan::{CsvHeader, Format, SchemaColumn};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Longest batch in bytes: offsets within a batch are 31 bits wide.
pub const MAX_BATCH_BYTES: usize = 1 << 30;

/// When a batch is full, and which records are too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Records in a batch, at least 1.
    pub rows: usize,
    /// Bytes in a batch: it is full with the record that reaches them. At least 1, at most [`MAX_BATCH_BYTES`] less
    /// a record.
    pub bytes: usize,
    /// Bytes in a record, without what ends it; a longer one is not kept.
    pub max_record_bytes: usize,
}

/// What is known of a CSV header.
#[derive(Debug, Clone)]
enum HeaderState {
    /// The format has none.
    None,
    /// It is the next record.
    Next,
    /// It stands before the place where the stream was entered.
    Missing,
    Known(Arc<Header>),
}

/// Cuts a byte stream into records and those into raw batches.
///
/// Bytes come by [`push`](Self::push), batches go by [`next`](Self::next). How the stream was split into pushes changes
/// no batch. Memory is bounded by the limits and what is pushed: a record that is too long is not held but digested.
pub struct Framer {
    format: Format,
    scan: Scan,
    limits: Limits,
    header: HeaderState,
    schema: Vec<SchemaColumn>,
    /// Bytes from the last batch's end on.
    buffer: BytesMut,
    /// Offset of the first of them.
    base: u64,
    /// Where the next record begins, or what stands before it.
    cursor: usize,
    /// Up to where bytes were looked at.
    scanned: usize,
    records: Vec<Span>,
    /// A piece that was found but belongs to the next batch.
    ahead: Option<Piece>,
    skip: Option<Skip>,
    /// Up to 4 KiB before `base`.
    before: Vec<u8>,
    begin: bool,
    ended: bool,
    took_tail: bool,
}

/// How far a stream was read.
enum Reached {
    /// A batch ends at the cursor.
    End,
    /// A batch that holds one unusable record.
    Skipped(RawBatch),
    /// More bytes are needed, or there are none.
    More,
}

impl Framer {
    /// A stream that is entered at offset `at` (decompressed): 0, or where a batch ended. `header`: for a CSV with its
    /// header in the first line that is entered past it, what [`read_header`](crate::read_header) gives.
    pub fn new(format: &Format, limits: Limits, at: u64, header: Option<Arc<Header>>) -> Self {
        let header = match (format, header) {
            (Format::Json { .. }, _) => HeaderState::None,
            (Format::Csv { header: CsvHeader::Names(names), .. }, _) => {
                HeaderState::Known(Arc::new(Header::given(names)))
            }
            (Format::Csv { .. }, Some(known)) if at > 0 => HeaderState::Known(known),
            (Format::Csv { .. }, _) if at == 0 => HeaderState::Next,
            (Format::Csv { .. }, _) => HeaderState::Missing,
        };
        let limits = Limits { rows: limits.rows.max(1), bytes: limits.bytes.clamp(1, MAX_BATCH_BYTES / 2), ..limits };
        Self {
            format: format.clone(),
            scan: Scan::new(format, at),
            limits,
            header,
            schema: Vec::new(),
            buffer: BytesMut::new(),
            base: at,
            cursor: 0,
            scanned: 0,
            records: Vec::new(),
            ahead: None,
            skip: None,
            before: Vec::new(),
            begin: at == 0,
            ended: false,
            took_tail: false,
        }
    }

    /// Makes sure that a CSV header names what these columns are read from.
    #[must_use]
    pub fn for_schema(mut self, schema: &[SchemaColumn]) -> Self {
        self.schema = schema.to_vec();
        self
    }

    /// The last bytes (up to 4 KiB; more do no harm) before the place where the stream is entered in its middle. Comes
    /// before the first [`push`](Self::push).
    pub fn prime(&mut self, before: &[u8]) {
        self.before = before[before.len().saturating_sub(TAIL_BYTES)..].to_vec();
        self.scan.prime(before, self.base);
    }

    /// The next bytes of the stream.
    pub fn push(&mut self, data: Bytes) {
        if self.buffer.is_empty() {
            match data.try_into_mut() {
                Ok(data) => self.buffer = data,
                Err(data) => self.buffer.extend_from_slice(&data),
            }
        } else {
            self.buffer.extend_from_slice(&data);
        }
    }

    /// The stream ended: what nothing ends is a record too.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the stream ended without what ends its last record (a line end, the bracket of an array), and that record
    /// was taken.
    pub fn took_unterminated_tail(&self) -> bool {
        self.took_tail
    }

    /// Where the next batch begins: the offset of the first byte that no batch has covered yet.
    pub fn position(&self) -> u64 {
        self.base
    }

    /// A batch that is full; with `flush`, or after the end of the stream, also one that is not. `None`: more bytes are
    /// needed, or after the end there is nothing more.
    ///
    /// # Errors
    /// The CSV header is no good.
    pub fn next(&mut self, flush: bool) -> Result<Option<RawBatch>, FrameError> {
        match self.advance(None)? {
            Reached::End => Ok(Some(self.cut())),
            Reached::Skipped(batch) => Ok(Some(batch)),
            Reached::More if self.ended && (self.cursor > 0 || !self.records.is_empty()) => Ok(Some(self.cut())),
            Reached::More if flush && !self.records.is_empty() => Ok(Some(self.cut())),
            Reached::More => Ok(None),
        }
    }

    /// Runs again a batch that was cut before: the one that ends exactly at offset `to`, whatever the limits. `None`:
    /// more bytes are needed.
    ///
    /// # Errors
    /// [`FrameError::NoBoundary`] where no record ends at `to`.
    pub fn next_until(&mut self, to: u64) -> Result<Option<RawBatch>, FrameError> {
        let batch = match self.advance(Some(to))? {
            Reached::End => self.cut(),
            Reached::Skipped(batch) => batch,
            Reached::More if self.ended => self.cut(),
            Reached::More => return Ok(None),
        };
        match batch.to == to {
            true => Ok(Some(batch)),
            false => Err(FrameError::NoBoundary { to, seen: format!("one ends at offset {}", batch.to) }),
        }
    }

    /// How many bytes of the buffer count, and whether the stream is taken to end with them.
    fn view(&self, until: Option<u64>) -> (usize, bool) {
        match until.map(|to| to.saturating_sub(self.base)) {
            Some(len) if len <= self.buffer.len() as u64 => (len as usize, true),
            _ => (self.buffer.len(), self.ended),
        }
    }

    fn advance(&mut self, until: Option<u64>) -> Result<Reached, FrameError> {
        if let HeaderState::Missing = self.header {
            return Err(FrameError::HeaderUnknown { at: self.base });
        }
        loop {
            if self.skip.is_some() {
                return self.pass_over(until);
            }
            if until.is_none() && matches!(self.scan, Scan::Lines) && self.cursor > 0 {
                self.plain_lines();
            }
            if self.is_full(until) {
                return Ok(Reached::End);
            }
            let piece = match self.ahead.take() {
                Some(piece) => piece,
                None => self.piece(until)?,
            };
            let alone = self.must_stand_alone(piece);
            if alone && self.cursor > 0 {
                self.ahead = Some(piece);
                return Ok(Reached::End);
            }
            if alone && matches!(self.header, HeaderState::Next) && !matches!(piece, Piece::Blank { .. }) {
                let limit = self.limits.max_record_bytes;
                return Err(FrameError::Header(format!("it is longer than {limit} bytes (`max_record_bytes`)")));
            }
            match piece {
                Piece::Broken(what) => self.skip = Some(Skip::rest(self.base, what)),
                Piece::More if alone => self.skip = Some(self.too_long()),
                Piece::More => return Ok(Reached::More),
                _ if alone => return Ok(self.alone(piece)),
                Piece::Blank { next, .. } => (self.cursor, self.scanned) = (next, next.max(self.scanned)),
                Piece::Record { start, end, next, .. } => {
                    self.record(start, end)?;
                    self.cursor = next;
                }
            }
            if self.cursor > MAX_BATCH_BYTES {
                return Err(FrameError::TooLong { from: self.base, limit: MAX_BATCH_BYTES as u64 });
            }
        }
    }

    /// Takes lines as long as nothing is special about them. Does nothing that taking them one by one would not do.
    fn plain_lines(&mut self) {
        if self.ahead.is_some() || self.scanned != self.cursor {
            return;
        }
        let (limits, view, begin) = (self.limits, &self.buffer[..], self.scanned);
        for line_feed in memchr::memchr_iter(b'\n', &view[begin..]).map(|found| begin + found) {
            if self.records.len() >= limits.rows || self.cursor >= limits.bytes {
                return;
            }
            if line_feed - self.cursor > limits.max_record_bytes {
                return;
            }
            if let Piece::Record { start, end, .. } = lines::line(view, self.cursor, line_feed, line_feed + 1) {
                self.records.push(Span::new(start, end));
            }
            (self.cursor, self.scanned) = (line_feed + 1, line_feed + 1);
        }
    }

    fn is_full(&self, until: Option<u64>) -> bool {
        match until {
            Some(to) => self.base + self.cursor as u64 >= to && !matches!(self.scan, Scan::File { given: false }),
            None => self.records.len() >= self.limits.rows || self.cursor >= self.limits.bytes,
        }
    }

    fn is_file(&self) -> bool {
        matches!(self.scan, Scan::File { .. })
    }

    /// Bytes that may be waiting for the end of a record or of white space: a record with two bytes of line end.
    fn longest_pending(&self) -> usize {
        self.limits.max_record_bytes.saturating_add(2)
    }

    /// Whether a piece is so long that, had its bytes come one by one, it would have been passed over.
    fn must_stand_alone(&self, piece: Piece) -> bool {
        match piece {
            Piece::Record { raw, .. } => raw - self.cursor > self.limits.max_record_bytes,
            Piece::Blank { seen, .. } => seen - self.cursor > self.longest_pending() + 1,
            Piece::Broken(_) => true,
            Piece::More => self.buffer.len() - self.cursor > self.longest_pending(),
        }
    }

    fn too_long(&self) -> Skip {
        Skip::too_long(self.base, self.limits.max_record_bytes, matches!(self.scan, Scan::Lines | Scan::Array(_)))
    }

    #[inline]
    fn piece(&mut self, until: Option<u64>) -> Result<Piece, FrameError> {
        let (len, last) = self.view(until);
        let view = &self.buffer[..len];
        if self.begin && self.cursor == 0 && self.scanned == 0 && !self.is_file() {
            if view.starts_with(BYTE_ORDER_MARK) {
                self.scanned = BYTE_ORDER_MARK.len();
                return Ok(Piece::Blank { next: BYTE_ORDER_MARK.len(), seen: BYTE_ORDER_MARK.len() });
            }
            if BYTE_ORDER_MARK.starts_with(view) && !last {
                return Ok(Piece::More);
            }
        }
        match self.scan.next(view, self.cursor, &mut self.scanned) {
            Piece::More if last => self.tail(len, until),
            piece => Ok(piece),
        }
    }

    /// What stands last in the first `len` bytes, with which the stream ends.
    fn tail(&mut self, len: usize, until: Option<u64>) -> Result<Piece, FrameError> {
        let piece = self.scan.tail(&self.buffer[..len], self.cursor, self.scanned);
        self.scanned = len;
        let blank_in_array = matches!((&self.scan, piece), (Scan::Array(_), Piece::Blank { .. }));
        if !blank_in_array && piece != Piece::More {
            self.must_end(len, until)?;
        }
        if len == self.buffer.len() && self.ended {
            let in_array = matches!(&self.scan, Scan::Array(array) if !array.closed());
            self.took_tail |= in_array || matches!(piece, Piece::Record { .. }) && !self.is_file();
        }
        Ok(piece)
    }

    /// A record that nothing ended when its batch was cut may have got its line end since, but must not go on.
    fn must_end(&self, len: usize, until: Option<u64>) -> Result<(), FrameError> {
        let Some(to) = until else { return Ok(()) };
        let after = &self.buffer[len..];
        let in_lines = match &self.scan {
            Scan::Array(_) => false,
            Scan::Csv(csv) => !csv.quoted(),
            Scan::Lines | Scan::File { .. } => true,
        };
        let line_end = after.starts_with(b"\n") || after.starts_with(b"\r\n");
        if after.is_empty() || in_lines && line_end {
            return Ok(());
        }
        Err(FrameError::NoBoundary { to, seen: "a record goes on there".into() })
    }

    fn record(&mut self, start: usize, end: usize) -> Result<(), FrameError> {
        if let HeaderState::Next = self.header {
            let bytes = self.base + end as u64;
            let header = header::parse(&self.format, &self.buffer[start..end], bytes)?;
            header.check(&self.schema)?;
            self.header = HeaderState::Known(Arc::new(header));
        } else {
            self.records.push(Span::new(start, end));
        }
        Ok(())
    }

    /// A batch of all up to the cursor.
    fn cut(&mut self) -> RawBatch {
        let end = std::mem::take(&mut self.cursor);
        let data = self.buffer.split_to(end).freeze();
        self.scanned = self.scanned.saturating_sub(end);
        self.ahead = self.ahead.take().map(|piece| piece.shifted(end));
        self.remember(&data);
        let from = self.moved(end);
        let room = Vec::with_capacity(self.records.len());
        RawBatch {
            digest: xxh3_64(&data),
            tail: tail_digest(&self.before),
            base: from,
            records: std::mem::replace(&mut self.records, room),
            unusable: Vec::new(),
            from,
            to: self.base,
            header: match &self.header {
                HeaderState::Known(header) => Some(header.clone()),
                _ => None,
            },
            data,
        }
    }

    /// Moves the base; gives where it was.
    fn moved(&mut self, by: usize) -> u64 {
        let from = self.base;
        self.base += by as u64;
        self.begin = false;
        from
    }

    fn remember(&mut self, data: &[u8]) {
        if data.len() >= TAIL_BYTES {
            self.before.clear();
        }
        self.before.extend_from_slice(&data[data.len().saturating_sub(TAIL_BYTES)..]);
        let surplus = self.before.len().saturating_sub(TAIL_BYTES);
        self.before.drain(..surplus);
    }

    /// A batch of one piece that is complete, at the beginning of the buffer, and too long.
    fn alone(&mut self, piece: Piece) -> Reached {
        let mut skip = self.too_long();
        if self.in_quotes() {
            skip.never_closed();
        }
        let (raw, next) = match piece {
            Piece::Record { raw, next, .. } => (raw, next),
            Piece::Blank { next, .. } => (next, next),
            Piece::Broken(_) | Piece::More => (0, 0),
        };
        self.scanned = self.scanned.max(next);
        self.drop_front(&mut skip, raw, next);
        Reached::Skipped(self.finish(skip))
    }

    /// Goes on passing over a record.
    fn pass_over(&mut self, until: Option<u64>) -> Result<Reached, FrameError> {
        let (len, last) = self.view(until);
        let Some(mut skip) = self.skip.take() else { return Ok(Reached::More) };
        if let Some((raw, next)) = skip.end(&mut self.scan, &self.buffer[..len], &mut self.scanned) {
            self.drop_front(&mut skip, raw, next);
            return Ok(Reached::Skipped(self.finish(skip)));
        }
        if !last {
            // the last byte stays: with the next one it may be a line end, or say where a field begins
            let done = self.scanned.saturating_sub(1);
            self.drop_front(&mut skip, done, done);
            self.skip = Some(skip);
            return Ok(Reached::More);
        }
        self.must_end(len, until)?;
        let raw = skip.end_of_stream(&mut self.scan, &self.buffer[..len], self.scanned);
        if self.in_quotes() {
            skip.never_closed();
        }
        self.took_tail |= self.ended && !skip.to_the_end && !self.is_file();
        self.drop_front(&mut skip, raw, len);
        Ok(Reached::Skipped(self.finish(skip)))
    }

    fn in_quotes(&self) -> bool {
        matches!(&self.scan, Scan::Csv(csv) if csv.quoted())
    }

    /// Drops the first `next` bytes, of which `raw` are a record's and the others end it.
    fn drop_front(&mut self, skip: &mut Skip, raw: usize, next: usize) {
        let gone = self.buffer.split_to(next);
        skip.absorb(&gone[..raw]);
        skip.end_with(&gone[raw..]);
        self.remember(&gone);
        self.scanned = self.scanned.saturating_sub(next);
        self.moved(next);
    }

    fn finish(&mut self, skip: Skip) -> RawBatch {
        let batch = skip.finish(self.base, tail_digest(&self.before));
        match &self.header {
            HeaderState::Known(header) => RawBatch { header: Some(header.clone()), ..batch },
            _ => batch,
        }
    }
}
