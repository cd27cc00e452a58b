//! Reads an object ahead of its caller.

use super::ranges::Pinned;
use super::unpack::{BLOCK, Packing, Unpacker};
use super::{Compression, Finished};
use async_trait::async_trait;
use bytes::Bytes;
use sluice_batch::ShardRef;
use sluice_ports::{Kind, PortError, Read, Result, ShardReader};
use std::sync::PoisonError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{AbortHandle, JoinError};

/// Pieces that wait for the caller: as many as one answer of S3 has, so that the next is on its way meanwhile.
const AHEAD: usize = 8;
/// First bytes that tell how an object is packed.
const HEAD: u64 = 4;

/// A piece of an object; none: the end.
type Next = Result<Option<Piece>>;

struct Piece {
    /// Of the first byte, decompressed.
    offset: u64,
    data: Bytes,
    /// Stored bytes used so far.
    consumed: u64,
}

/// Gives what a task fetches.
pub(super) struct S3Reader {
    pieces: Receiver<Next>,
    task: Option<AbortHandle>,
    consumed: u64,
    state: State,
    finished: (Finished, ShardRef),
}

enum State {
    Reading,
    Ended,
    Failed(Kind, String),
}

/// Opens an object at an offset, or at its end.
pub(super) async fn open(
    pinned: Pinned,
    compression: Compression,
    from: Option<u64>,
    finished: (Finished, ShardRef),
) -> Result<S3Reader> {
    let (sender, pieces) = channel(AHEAD);
    let Some(from) = from else {
        return Ok(S3Reader { pieces, task: None, consumed: pinned.size, state: State::Ended, finished });
    };
    let (first, packing) = begin(&pinned, compression, from).await?;
    let consumed = if packing.is_none() { from } else { 0 };
    let task = match packing {
        None if from > pinned.size => {
            return Err(changed(&pinned, &format!("it has {} bytes but was read up to {from}", pinned.size)));
        }
        None => tokio::spawn(plain(Chunks { pinned, at: from, first }, sender)),
        Some(packing) => {
            let unpacking = Unpacking::new(&pinned, packing, from)?;
            tokio::spawn(packed(Chunks { pinned, at: 0, first }, unpacking, sender))
        }
    };
    Ok(S3Reader { pieces, task: Some(task.abort_handle()), consumed, state: State::Reading, finished })
}

/// Fetches what is needed to tell how an object is packed, and gives it back where it is the object's first chunk.
async fn begin(pinned: &Pinned, compression: Compression, from: u64) -> Result<(Option<Bytes>, Option<Packing>)> {
    let first = match (pinned.size, from, compression) {
        (0, _, _) => None,
        (_, 0, _) => Some(pinned.chunk(0).await?),
        (size, _, Compression::Auto) => {
            let head = pinned.get(0..size.min(HEAD)).await?;
            return Ok((None, Packing::of(&head)));
        }
        _ => None,
    };
    let packing = match compression {
        Compression::Auto => first.as_deref().and_then(Packing::of),
        Compression::None => None,
        Compression::Gzip => Some(Packing::Gzip),
        Compression::Zstd => Some(Packing::Zstd),
    };
    Ok((first, packing))
}

/// The object's stored bytes, in order.
struct Chunks {
    pinned: Pinned,
    at: u64,
    /// Fetched before.
    first: Option<Bytes>,
}

impl Chunks {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let chunk = match self.first.take() {
            Some(first) => first,
            None if self.at >= self.pinned.size => return Ok(None),
            None => self.pinned.chunk(self.at).await?,
        };
        self.at += chunk.len() as u64;
        Ok(Some(chunk))
    }
}

/// A send fails where the reader was dropped: then nobody wants more.
async fn plain(mut chunks: Chunks, pieces: Sender<Next>) {
    let mut offset = chunks.at;
    loop {
        let mut chunk = match chunks.next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break drop(pieces.send(Ok(None)).await),
            Err(error) => break drop(pieces.send(Err(error)).await),
        };
        while !chunk.is_empty() {
            let data = chunk.split_to(chunk.len().min(BLOCK));
            let consumed = offset + data.len() as u64;
            if pieces.send(Ok(Some(Piece { offset, data, consumed }))).await.is_err() {
                return;
            }
            offset = consumed;
        }
    }
}

async fn packed(chunks: Chunks, unpacking: Unpacking, pieces: Sender<Next>) {
    let end = unpack(chunks, unpacking, &pieces).await.map(|()| None);
    let _ = pieces.send(end).await;
}

async fn unpack(mut chunks: Chunks, mut unpacking: Unpacking, pieces: &Sender<Next>) -> Result<()> {
    while let Some(chunk) = chunks.next().await? {
        let pieces = pieces.clone();
        let taken = tokio::task::spawn_blocking(move || unpacking.take(&chunk, &pieces));
        unpacking = taken.await.map_err(died)??;
    }
    unpacking.finish()
}

/// Decompression of an object, of which only what follows an offset is given.
struct Unpacking {
    what: String,
    packing: Packing,
    unpacker: Unpacker,
    from: u64,
    /// Decompressed bytes so far, and the stored bytes that they came from.
    offset: u64,
    stored: u64,
}

impl Unpacking {
    fn new(pinned: &Pinned, packing: Packing, from: u64) -> Result<Self> {
        let (what, unpacker) = (pinned.to_string(), Unpacker::new(packing)?);
        Ok(Self { what, packing, unpacker, from, offset: 0, stored: 0 })
    }

    fn take(mut self, chunk: &[u8], pieces: &Sender<Next>) -> Result<Self> {
        let mut input = chunk;
        loop {
            let before = input.len();
            let (out, done) = self.unpacker.block(&mut input);
            self.stored += (before - input.len()) as u64;
            let idle = out.is_empty() && before == input.len();
            if !self.give(Bytes::from(out), pieces) {
                return Ok(self);
            }
            done.map_err(|broken| self.broken(&broken))?;
            if idle {
                return Ok(self);
            }
        }
    }

    /// Gives what follows the offset that is asked for; false where nobody wants more.
    fn give(&mut self, mut data: Bytes, pieces: &Sender<Next>) -> bool {
        let offset = self.offset.max(self.from);
        let skipped = (offset - self.offset).min(data.len() as u64);
        self.offset += data.len() as u64;
        let data = data.split_off(skipped as usize);
        data.is_empty() || pieces.blocking_send(Ok(Some(Piece { offset, data, consumed: self.stored }))).is_ok()
    }

    fn finish(self) -> Result<()> {
        if !self.unpacker.may_end() {
            return Err(self.broken("it ends within its compressed data"));
        }
        match self.offset < self.from {
            true => Err(self.short("has")),
            false => Ok(()),
        }
    }

    fn broken(&self, how: &str) -> PortError {
        if self.offset < self.from {
            return self.short(&format!("breaks ({how}) after"));
        }
        let message = format!(
            "{} breaks at byte {} of the {} object, offset {} decompressed: {how}; what comes before is good; put the \
             rest as an object of its own",
            self.what,
            self.stored,
            self.packing.name(),
            self.offset
        );
        PortError::new(Kind::Broken, message)
    }

    fn short(&self, how: &str) -> PortError {
        let message = format!(
            "{} is not the object that was read before: it {how} {} bytes decompressed but was read up to {}",
            self.what, self.offset, self.from
        );
        PortError::new(Kind::Changed, message)
    }
}

fn changed(pinned: &Pinned, what: &str) -> PortError {
    PortError::new(Kind::Changed, format!("{pinned} is not the object that was read before: {what}"))
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn died(error: JoinError) -> PortError {
    PortError::new(Kind::Fatal, format!("a task that reads an object died: {error}"))
}

impl S3Reader {
    fn end(&mut self) -> Read {
        let (finished, shard) = &self.finished;
        finished.lock().unwrap_or_else(PoisonError::into_inner).insert(shard.clone());
        self.state = State::Ended;
        Read::End
    }

    fn fail(&mut self, error: PortError) -> PortError {
        self.state = State::Failed(error.kind, error.message.clone());
        error
    }
}

#[async_trait]
impl ShardReader for S3Reader {
    async fn next(&mut self) -> Result<Read> {
        match &self.state {
            State::Reading => {}
            State::Ended => return Ok(Read::End),
            State::Failed(kind, message) => return Err(PortError::new(*kind, message.clone())),
        }
        match self.pieces.recv().await {
            Some(Ok(Some(Piece { offset, data, consumed }))) => {
                self.consumed = consumed;
                Ok(Read::Bytes { offset, data })
            }
            Some(Ok(None)) => Ok(self.end()),
            Some(Err(error)) => Err(self.fail(error)),
            None => Err(self.fail(PortError::new(Kind::Fatal, "a task that reads an object ended before its end"))),
        }
    }

    fn consumed(&self) -> u64 {
        self.consumed
    }
}

impl Drop for S3Reader {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
