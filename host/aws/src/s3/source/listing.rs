//! Which objects there are.

use super::S3SourceConfig;
use super::note::{Listed, Note};
use crate::client::{Aws, retry};
use aws_sdk_s3::types::Object;
use sluice_batch::{Position, ShardRef};
use sluice_ports::{Kind, PortError, Result, ShardInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Objects that are asked for their versions at once.
const HEADS: usize = 16;

/// A shard that a commit remembers.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub shard: ShardRef,
    pub note: Note,
    pub position: Position,
    /// Whether it is known to be read to its end, committed or not.
    pub finished: bool,
}

impl Known {
    /// Whether a commit says that it is read to its end. Of a compressed object only the mark of the end can say so.
    pub(super) fn is_committed(&self) -> bool {
        self.position == Position::ShardEnd
            || self.position.as_offset().is_some_and(|at| at > 0 && at == self.note.size)
    }
}

/// All objects below a prefix, in the order of their keys.
pub(crate) async fn list(aws: &Aws, bucket: &str, prefix: &str) -> Result<Vec<Object>> {
    let what = format!("`s3://{bucket}/{prefix}`");
    let (mut all, mut next): (Vec<Object>, Option<String>) = (Vec::new(), None);
    loop {
        let call = || {
            let call = aws.s3().list_objects_v2().bucket(bucket).prefix(prefix);
            call.set_continuation_token(next.clone()).send()
        };
        let page = retry(aws.retry(), "ListObjectsV2", &what, call).await?;
        all.extend(page.contents.unwrap_or_default());
        next = page.next_continuation_token.filter(|_| page.is_truncated == Some(true));
        if next.is_none() {
            break;
        }
    }
    all.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(all)
}

/// The objects found so far, as shards.
#[derive(Debug)]
pub(super) struct Catalogue {
    aws: Aws,
    config: Arc<S3SourceConfig>,
    objects: BTreeMap<ShardRef, Note>,
    /// Whether an answer showed that the bucket keeps no versions and never did.
    unversioned: bool,
    /// Shards of which it was said that they are gone.
    told: BTreeSet<ShardRef>,
}

impl Catalogue {
    pub(super) fn new(aws: Aws, config: Arc<S3SourceConfig>) -> Self {
        Self { aws, config, objects: BTreeMap::new(), unversioned: false, told: BTreeSet::new() }
    }

    /// Looks at what is there now.
    pub(super) async fn list(&mut self, known: &[Known]) -> Result<()> {
        let found = list(&self.aws, &self.config.bucket, &self.config.prefix).await?;
        let listed: Vec<Listed> = found.into_iter().filter_map(listed).filter(|l| self.config.wants(&l.key)).collect();
        let mut remembered: BTreeMap<&str, Vec<&Note>> = BTreeMap::new();
        for note in self.objects.values().chain(known.iter().map(|known| &known.note)) {
            remembered.entry(&note.key).or_default().push(note);
        }
        let (mut notes, mut new) = (Vec::new(), Vec::new());
        for listed in listed {
            let same = remembered.get(listed.key.as_str()).and_then(|notes| notes.iter().find(|note| note.is(&listed)));
            match same {
                Some(note) => notes.push((*note).clone()),
                None => new.push(listed),
            }
        }
        notes.extend(self.identify(new).await?);
        self.objects = notes.into_iter().map(|note| (note.shard(&self.config.bucket), note)).collect();
        Ok(())
    }

    /// Finds out the versions of objects. One that went away meanwhile is left out.
    async fn identify(&mut self, new: Vec<Listed>) -> Result<Vec<Note>> {
        let (mut notes, mut new) = (Vec::new(), new.into_iter());
        if !self.unversioned
            && let Some(first) = new.next()
        {
            notes.extend(self.head(&first.key, None).await?);
        }
        if self.unversioned {
            notes.extend(new.map(|Listed { key, etag, size, modified }| Note {
                key,
                etag,
                version: None,
                size,
                modified,
            }));
            return Ok(notes);
        }
        let mut heads = JoinSet::new();
        for listed in new {
            if heads.len() == HEADS {
                notes.extend(joined(heads.join_next().await)?);
            }
            let (aws, bucket) = (self.aws.clone(), self.config.bucket.clone());
            heads.spawn(async move { head(&aws, &bucket, &listed.key, None).await });
        }
        while !heads.is_empty() {
            notes.extend(joined(heads.join_next().await)?);
        }
        Ok(notes)
    }

    /// What an object, or a version of it, is; none where it is not there.
    pub(super) async fn head(&mut self, key: &str, version: Option<&str>) -> Result<Option<Note>> {
        let head = head(&self.aws, &self.config.bucket, key, version).await?;
        self.unversioned |= head.as_ref().is_some_and(|head| !head.versioned);
        Ok(head.map(|head| head.note))
    }

    /// Adds an object that was announced. Where the bucket keeps no versions it takes the place of the one before.
    pub(super) fn add(&mut self, note: Note) -> ShardRef {
        let shard = note.shard(&self.config.bucket);
        if note.version.is_none() {
            self.objects.retain(|_, other| other.key != note.key || other.version.is_some());
        }
        self.objects.insert(shard.clone(), note);
        shard
    }

    /// The shard of an object that is in the catalogue.
    pub(super) fn find(&self, key: &str, version: Option<&str>, etag: Option<&str>) -> Option<ShardRef> {
        let is = |note: &Note| {
            let same = if version.is_some() { version == note.version.as_deref() } else { etag == Some(&note.etag) };
            note.key == key && same && note.version.is_some() == version.is_some()
        };
        self.objects.iter().find(|(_, note)| is(note)).map(|(shard, _)| shard.clone())
    }

    /// All shards there are now, in the order of their keys.
    pub(super) fn infos(&mut self, known: &[Known]) -> Result<Vec<ShardInfo>> {
        let bucket = self.config.bucket.clone();
        let mut infos: Vec<ShardInfo> = self.objects.values().map(|note| note.info(&bucket)).collect();
        for known in known.iter().filter(|known| !known.finished && !known.is_committed()) {
            if !self.objects.contains_key(&known.shard) && self.is_left_over(known)? {
                infos.push(known.note.info(&bucket));
            }
        }
        infos.sort_by(|a, b| (&a.label, &a.shard).cmp(&(&b.label, &b.shard)));
        Ok(infos)
    }

    /// Whether an object that is no longer the one of its key, and was not read to its end, can still be read.
    fn is_left_over(&mut self, known: &Known) -> Result<bool> {
        let key = &known.note.key;
        if self.config.accept_changed.contains(key) || !self.config.wants(key) {
            return Ok(false);
        }
        let begun = known.position.as_offset() != Some(0);
        if begun && known.note.version.is_some() {
            return Ok(true);
        }
        let replaced = self.objects.values().any(|note| note.key == *key);
        if begun && replaced {
            return Err(self.changed(known));
        }
        if self.told.insert(known.shard.clone()) {
            tracing::warn!(key, position = %known.position, "an object that was known is gone");
        }
        Ok(false)
    }

    fn changed(&self, known: &Known) -> PortError {
        let Note { key, etag, .. } = &known.note;
        let message = format!(
            "`s3://{}/{key}` is not the object that was read before: it was replaced after it was read up to {}, and \
             whether that was its end is not known; put the one of ETag `{etag}` back, or give up what was left of it \
             and read the new one with `--reread {key}`",
            self.config.bucket, known.position
        );
        PortError::new(Kind::Changed, message)
    }
}

/// None for what only stands for a folder.
fn listed(object: Object) -> Option<Listed> {
    let (key, size) = (object.key?, u64::try_from(object.size?).ok()?);
    let etag = object.e_tag?.trim_matches('"').to_owned();
    let folder = size == 0 && key.ends_with('/');
    let modified = object.last_modified?.secs();
    (!folder).then_some(Listed { key, etag, size, modified })
}

struct Head {
    note: Note,
    /// Whether the bucket keeps versions, or did.
    versioned: bool,
}

async fn head(aws: &Aws, bucket: &str, key: &str, version: Option<&str>) -> Result<Option<Head>> {
    let what = format!("`s3://{bucket}/{key}`");
    let call = || {
        let call = aws.s3().head_object().bucket(bucket).key(key);
        call.set_version_id(version.map(str::to_owned)).send()
    };
    let found = match retry(aws.retry(), "HeadObject", &what, call).await {
        Ok(found) => found,
        Err(error) if error.kind == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (Some(etag), Some(size)) = (found.e_tag(), found.content_length()) else {
        return Err(PortError::new(Kind::Fatal, format!("{what}: HeadObject gave no ETag or no length")));
    };
    let note = Note {
        key: key.to_owned(),
        etag: etag.trim_matches('"').to_owned(),
        // the version of what was put before the bucket kept any
        version: found.version_id().filter(|version| *version != "null").map(str::to_owned),
        size: size.unsigned_abs(),
        modified: found.last_modified().map_or(0, |at| at.secs()),
    };
    Ok(Some(Head { note, versioned: found.version_id().is_some() }))
}

fn joined(done: Option<std::result::Result<Result<Option<Head>>, tokio::task::JoinError>>) -> Result<Option<Note>> {
    let Some(done) = done else { return Ok(None) };
    let head = done.map_err(|error| PortError::new(Kind::Fatal, format!("a task that lists objects died: {error}")))?;
    Ok(head?.map(|head| head.note))
}
