//! Reads a file ahead of its caller, by one block.

use crate::blocking::died;
use async_trait::async_trait;
use bytes::Bytes;
use sluice_ports::{Read, Result, ShardReader};
use tokio::task::JoinHandle;

/// A file being read, by calls that block.
pub(super) trait FileStream: Send {
    /// What comes next.
    fn piece(&mut self) -> Result<Piece>;

    /// Stored bytes consumed.
    fn consumed(&self) -> u64;
}

/// What comes next in a file.
pub(super) enum Piece {
    Bytes {
        /// Of the first byte, decompressed.
        offset: u64,
        /// Not empty.
        data: Bytes,
        /// Whether it is worth reading ahead.
        more: bool,
    },
    CaughtUp,
    End,
}

type Ahead = (Box<dyn FileStream>, Result<Piece>);

/// Reads a file on a thread that may block, the next block while the caller works on the last.
pub(super) struct FileReader {
    state: State,
    consumed: u64,
}

enum State {
    Idle(Box<dyn FileStream>),
    Reading(JoinHandle<Ahead>),
    /// The end is reached, or the reading thread died.
    Done,
}

impl FileReader {
    pub(super) fn new(stream: Box<dyn FileStream>) -> Self {
        Self { consumed: stream.consumed(), state: State::Idle(stream) }
    }

    /// A reader with nothing left to give.
    pub(super) fn at_end(size: u64) -> Self {
        Self { consumed: size, state: State::Done }
    }

    /// The read that runs, begun where none does.
    fn reading(&mut self) -> Option<&mut JoinHandle<Ahead>> {
        if let State::Idle(_) = self.state {
            let State::Idle(stream) = std::mem::replace(&mut self.state, State::Done) else { return None };
            self.state = State::Reading(read(stream));
        }
        match &mut self.state {
            State::Reading(running) => Some(running),
            _ => None,
        }
    }
}

fn read(mut stream: Box<dyn FileStream>) -> JoinHandle<Ahead> {
    tokio::task::spawn_blocking(move || {
        let piece = stream.piece();
        (stream, piece)
    })
}

#[async_trait]
impl ShardReader for FileReader {
    async fn next(&mut self) -> Result<Read> {
        // a caller that gives up waiting loses nothing: the read stays in the state until it is done
        let Some(running) = self.reading() else { return Ok(Read::End) };
        let done = running.await;
        self.state = State::Done;
        let (stream, piece) = done.map_err(died)?;
        let consumed = stream.consumed();
        let (read, state) = match piece {
            Ok(Piece::Bytes { offset, data, more: true }) => {
                (Ok(Read::Bytes { offset, data }), State::Reading(read(stream)))
            }
            Ok(Piece::Bytes { offset, data, more: false }) => (Ok(Read::Bytes { offset, data }), State::Idle(stream)),
            Ok(Piece::CaughtUp) => (Ok(Read::CaughtUp), State::Idle(stream)),
            Ok(Piece::End) => (Ok(Read::End), State::Done),
            Err(error) => (Err(error), State::Idle(stream)),
        };
        (self.state, self.consumed) = (state, consumed);
        read
    }

    fn consumed(&self) -> u64 {
        self.consumed
    }
}
