//! Files as a stream: each file is one shard of bytes.

mod decode;
mod discover;
mod identity;
mod packed;
mod plain;
mod reader;

use crate::blocking::blocking;
use async_trait::async_trait;
use identity::Note;
use packed::PackedFile;
use plain::PlainFile;
use reader::{FileReader, FileStream};
use sluice_batch::Position;
use sluice_ports::{Kind, KnownShard, PortError, Result, ShardInfo, ShardReader, Source};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes that one read gives at most, decompressed.
const BLOCK: usize = 1 << 20;

/// How files are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As their first bytes say; names do not count.
    #[default]
    Auto,
    /// As they are, whatever their first bytes say.
    None,
    /// Gzip, also several members one after another.
    Gzip,
    /// Zstandard, also several frames one after another; windows up to 128 MiB.
    Zstd,
}

/// Which files, and how they are read.
#[derive(Debug, Clone, Default)]
pub struct FileSourceConfig {
    /// Files, and folders whose files are read at any depth, but for names that begin with a dot.
    pub paths: Vec<PathBuf>,
    /// How they are stored.
    pub compression: Compression,
    /// Whether files are read on as they grow. Otherwise the length that a file has when it is opened is its end.
    pub follow: bool,
    /// Known files that are read as new ones, from their beginning, because a person said so (`--reread`).
    pub accept_changed: Vec<PathBuf>,
}

/// Files as shards.
///
/// A file is known by its canonical path and the digest of its first bytes (up to 4 KiB, as many as it had when it was
/// first seen): it may grow and stays the same shard. The reference is `file:<16 digits>` and the file's name; the note
/// is JSON and enough to open the shard again. Positions are offsets into the decompressed bytes.
#[derive(Debug, Clone)]
pub struct FileSource(Arc<FileSourceConfig>);

impl FileSource {
    /// A source of these files. Nothing is read yet.
    pub fn new(config: FileSourceConfig) -> Self {
        Self(Arc::new(config))
    }

    fn open_now(&self, info: &ShardInfo, from: &Position) -> Result<FileReader> {
        let note = Note::parse(&info.note)?;
        let path = PathBuf::from(&note.path);
        let failed = |error| PortError::io(format_args!("cannot open `{}`", path.display()), error);
        let file = File::open(&path).map_err(failed)?;
        note.verify(&file, "before it was opened")?;
        if *from == Position::ShardEnd {
            return Ok(FileReader::at_end(file.metadata().map_err(failed)?.len()));
        }
        let offset = from.as_offset().ok_or_else(|| {
            let message = format!("`{}` cannot be read from `{from}`: a file has offsets only", path.display());
            PortError::new(Kind::Fatal, message)
        })?;
        let format = decode::Format::of(&file, self.0.compression).map_err(failed)?;
        if self.0.follow {
            discover::refuse_following(&path, format)?;
        }
        let stream: Box<dyn FileStream> = match format {
            decode::Format::Plain => Box::new(PlainFile::open(file, note, offset, self.0.follow)?),
            decode::Format::Packed(packing) => Box::new(PackedFile::open(file, path, packing, offset)?),
        };
        Ok(FileReader::new(stream))
    }
}

#[async_trait]
impl Source for FileSource {
    async fn discover(&self, known: &[KnownShard]) -> Result<Vec<ShardInfo>> {
        let (config, known) = (self.0.clone(), known.to_vec());
        blocking(move || discover::discover(&config, &known)).await
    }

    async fn open(&self, shard: &ShardInfo, from: &Position) -> Result<Box<dyn ShardReader>> {
        let (source, shard, from) = (self.clone(), shard.clone(), *from);
        blocking(move || Ok(Box::new(source.open_now(&shard, &from)?) as Box<dyn ShardReader>)).await
    }
}
