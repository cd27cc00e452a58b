//! Finds the files, and tells the known ones from the new.

use super::FileSourceConfig;
use super::decode::Format;
use super::identity::{self, Note, read_head};
use sluice_batch::{Position, ShardRef};
use sluice_ports::{Kind, KnownShard, PortError, Result, ShardInfo};
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file as it is found.
struct Found {
    /// As a person would write it.
    label: String,
    canonical: PathBuf,
}

/// A known shard and its note.
struct Known<'a> {
    shard: &'a KnownShard,
    note: Note,
}

/// All shards there are now, in the order of their paths.
pub(super) fn discover(config: &FileSourceConfig, known: &[KnownShard]) -> Result<Vec<ShardInfo>> {
    let known = by_path(known)?;
    let mut files = Files::default();
    for path in &config.paths {
        files.add(path, &known)?;
    }
    files.found.sort_unstable_by(|a, b| a.label.cmp(&b.label));
    let accepted = accepted(config, &files.found)?;
    let mut infos = vec![];
    for found in &files.found {
        let known = found.canonical.to_str().and_then(|path| known.get(path));
        infos.extend(shard(config, found, known, accepted.contains(&found.canonical))?);
    }
    Ok(infos)
}

/// The known files by path; of one path the generation read last. Shards of other kinds of sources are not ours.
fn by_path(known: &[KnownShard]) -> Result<HashMap<String, Known<'_>>> {
    let mut by_path: HashMap<String, Known<'_>> = HashMap::new();
    for shard in known.iter().filter(|known| known.shard.source.starts_with("file:")) {
        let note = Note::parse(&shard.note)?;
        let later = by_path.get(&note.path).is_none_or(|other| other.note.generation <= note.generation);
        if later {
            by_path.insert(note.path.clone(), Known { shard, note });
        }
    }
    Ok(by_path)
}

/// Canonical paths of the files that a person accepts as new ones.
fn accepted(config: &FileSourceConfig, found: &[Found]) -> Result<BTreeSet<PathBuf>> {
    let canonical = |path: &PathBuf| {
        let canonical = fs::canonicalize(path)
            .map_err(|error| PortError::io(format_args!("cannot read `{}` anew", path.display()), error))?;
        if found.iter().any(|found| found.canonical == canonical) {
            return Ok(canonical);
        }
        let message =
            format!("`{}` is to be read anew but is none of the input's files; check the path", path.display());
        Err(PortError::new(Kind::Fatal, message))
    };
    config.accept_changed.iter().map(canonical).collect()
}

/// One file as a shard; none where it went away meanwhile.
fn shard(
    config: &FileSourceConfig,
    found: &Found,
    known: Option<&Known<'_>>,
    accept: bool,
) -> Result<Option<ShardInfo>> {
    let failed = |error| PortError::io(format_args!("cannot read `{}`", found.label), error);
    let file = match File::open(&found.canonical) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let head = read_head(&file).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let format = Format::of_head(&head, config.compression);
    if config.follow {
        refuse_following(&found.canonical, format)?;
    }
    let (note, shard) = match known {
        Some(known) => recognise(found, known, &head, format, size, accept)?,
        None => Note::of(&found.canonical, &head, 0)?,
    };
    Ok(Some(ShardInfo {
        shard,
        parents: vec![],
        label: found.label.clone(),
        note: note.to_text(),
        start: Position::TrimHorizon,
        size: Some(size),
    }))
}

/// The identity under which a known file is known, or the one it gets because a person accepts it as a new file.
///
/// A path that was accepted once is not accepted again while it looks the same: a run that is started again with the
/// same arguments reads on.
fn recognise(
    found: &Found,
    known: &Known<'_>,
    head: &[u8],
    format: Format,
    size: u64,
    accept: bool,
) -> Result<(Note, ShardRef)> {
    let same_head = known.note.matches(head);
    let short = match (format, known.shard.position.as_offset()) {
        (Format::Plain, Some(offset)) => (size < offset).then_some(offset),
        _ => None,
    };
    let changed = !same_head || short.is_some();
    if accept && (changed || known.note.generation == 0) {
        return Note::of(&found.canonical, head, known.note.generation + 1);
    }
    if !same_head {
        let length = known.note.head_len;
        return Err(identity::changed(&found.label, format_args!("its first {length} bytes differ")));
    }
    if let Some(offset) = short {
        return Err(identity::changed(&found.label, format_args!("it has {size} bytes but was read up to {offset}")));
    }
    Ok((known.note.clone(), known.shard.shard.clone()))
}

/// Compressed files cannot be followed: their last block is not whole until they are closed.
pub(super) fn refuse_following(path: &Path, format: Format) -> Result<()> {
    let Format::Packed(packing) = format else { return Ok(()) };
    let message = format!(
        "`{}` cannot be followed: it is {packing}, and only plain files can be read while they grow; run without \
         `--follow`, or decompress it",
        path.display()
    );
    Err(PortError::new(Kind::Fatal, message))
}

/// Files found so far, each once.
#[derive(Default)]
struct Files {
    found: Vec<Found>,
    seen: BTreeSet<PathBuf>,
}

impl Files {
    /// Adds a file or a folder that the configuration names. A known file that is gone is no error: it was read.
    fn add(&mut self, path: &Path, known: &HashMap<String, Known<'_>>) -> Result<()> {
        match fs::canonicalize(path) {
            Ok(canonical) => self.walk(path, canonical, true),
            Err(error) if error.kind() == ErrorKind::NotFound && is_known(path, known) => {
                tracing::warn!(path = %path.display(), "a file that was read before is gone");
                Ok(())
            }
            Err(error) => Err(PortError::io(format_args!("cannot read the input `{}`", path.display()), error)),
        }
    }

    fn walk(&mut self, path: &Path, canonical: PathBuf, named: bool) -> Result<()> {
        let failed = |error| PortError::io(format_args!("cannot read the input `{}`", path.display()), error);
        let meta = fs::metadata(&canonical).map_err(failed)?;
        if !meta.is_file() && !meta.is_dir() {
            return if named { Err(not_a_file(path)) } else { Ok(()) };
        }
        // a folder or file reached twice, by a link or because it is named twice, is read once
        if !self.seen.insert(canonical.clone()) {
            return Ok(());
        }
        if meta.is_file() {
            self.found.push(Found { label: path.display().to_string(), canonical });
            return Ok(());
        }
        let mut entries =
            fs::read_dir(&canonical).map_err(failed)?.collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            match fs::canonicalize(entry.path()) {
                Err(error) if error.kind() == ErrorKind::NotFound => {} // went away, or is a link to nothing
                canonical => self.walk(&path.join(&name), canonical.map_err(failed)?, false)?,
            }
        }
        Ok(())
    }
}

fn not_a_file(path: &Path) -> PortError {
    let message = format!("the input `{}` is neither a file nor a folder; name one of these", path.display());
    PortError::new(Kind::Fatal, message)
}

/// Whether a path that is not there is one of the known files. Its folder tells the canonical path.
fn is_known(path: &Path, known: &HashMap<String, Known<'_>>) -> bool {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let canonical = fs::canonicalize(parent).ok().zip(path.file_name()).map(|(parent, name)| parent.join(name));
    canonical.is_some_and(|path| path.to_str().is_some_and(|path| known.contains_key(path)))
}
