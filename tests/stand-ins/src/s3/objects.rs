//! What an S3 server stored: an index in memory, bodies as files, a journal to find both again.

use bytes::Bytes;
use s3s::dto::{ETag, ETagCondition};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use uuid::Uuid;

/// One stored object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified: SystemTime,
    pub(super) attributes: Attributes,
}

/// What a writer says about an object beside its bytes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Attributes {
    pub(super) metadata: Option<BTreeMap<String, String>>,
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) crc32: Option<String>,
    pub(super) encryption: Option<String>,
    pub(super) kms_key: Option<String>,
    pub(super) storage_class: Option<String>,
    pub(super) tags: Vec<(String, String)>,
}

/// A multipart upload that is neither completed nor aborted; it does not outlive the server.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) started: SystemTime,
    pub(super) attributes: Attributes,
    pub(super) parts: BTreeMap<i32, Part>,
}

/// One part of an upload.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) data: Bytes,
    pub(super) md5: [u8; 16],
}

/// The headers If-Match and If-None-Match of a write.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

/// The objects of all buckets.
#[derive(Debug)]
pub(super) struct Objects {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    buckets: BTreeMap<String, BTreeMap<String, Arc<Object>>>,
    uploads: BTreeMap<String, Upload>,
    journal: File,
}

#[derive(Debug, Serialize, Deserialize)]
enum Change {
    Bucket { bucket: String },
    Put { bucket: String, key: String, object: Arc<Object> },
    Delete { bucket: String, key: String },
}

impl Objects {
    /// Opens a folder, made when it is not there, with what an earlier server left in it.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder.join("bodies"))?;
        let path = folder.join("journal");
        let mut buckets = BTreeMap::new();
        if path.exists() {
            for line in BufReader::new(File::open(&path)?).lines() {
                apply(&mut buckets, serde_json::from_str(&line?).map_err(io::Error::other)?);
            }
        }
        let journal = OpenOptions::new().create(true).append(true).open(&path)?;
        let state = State { buckets, uploads: BTreeMap::new(), journal };
        Ok(Self { folder: folder.to_owned(), state: Mutex::new(state) })
    }

    /// Makes a bucket; false when it is there.
    pub(super) fn create_bucket(&self, bucket: &str) -> S3Result<bool> {
        let mut state = self.state();
        if state.buckets.contains_key(bucket) {
            return Ok(false);
        }
        state.change(Change::Bucket { bucket: bucket.to_owned() })?;
        Ok(true)
    }

    /// Refuses a bucket that is not there.
    pub(super) fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        self.state().bucket(bucket).map(drop)
    }

    /// The names of the buckets.
    pub(super) fn buckets(&self) -> Vec<String> {
        self.state().buckets.keys().cloned().collect()
    }

    /// An object by its key.
    pub(super) fn get(&self, bucket: &str, key: &str) -> S3Result<Arc<Object>> {
        self.state().bucket(bucket)?.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey))
    }

    /// All objects of a bucket whose keys start with a prefix and come after a key, in order; at most `limit`.
    pub(super) fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> S3Result<Vec<(String, Arc<Object>)>> {
        let state = self.state();
        let start = if after >= prefix { after } else { prefix };
        let keys = state.bucket(bucket)?.range(start.to_owned()..);
        let listed = keys
            .skip_while(|(key, _)| !after.is_empty() && key.as_str() <= after)
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, object)| (key.clone(), object.clone()));
        Ok(listed.collect())
    }

    /// Writes a body aside; only [`Self::put`] makes an object of it.
    pub(super) fn write(&self, chunks: &[Bytes]) -> io::Result<String> {
        let name = Uuid::new_v4().to_string();
        let mut file = File::create(self.body(&name))?;
        chunks.iter().try_for_each(|chunk| file.write_all(chunk))?;
        Ok(name)
    }

    /// Stores an object if its conditions hold: of two writers that both want to be the first, one is.
    pub(super) fn put(&self, bucket: &str, key: &str, object: Object, conditions: &Conditions) -> S3Result<()> {
        let mut state = self.state();
        let known = state.bucket(bucket).and_then(|objects| {
            let known = objects.get(key).cloned();
            conditions.check(known.as_deref()).map(|()| known)
        });
        let known = match known {
            Ok(known) => known,
            Err(refusal) => {
                let _gone = fs::remove_file(self.body(&object.file));
                return Err(refusal);
            }
        };
        state.change(Change::Put { bucket: bucket.to_owned(), key: key.to_owned(), object: Arc::new(object) })?;
        if let Some(known) = known {
            let _gone = fs::remove_file(self.body(&known.file));
        }
        Ok(())
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(super) fn delete(&self, bucket: &str, key: &str) -> S3Result<()> {
        let mut state = self.state();
        let Some(known) = state.bucket(bucket)?.get(key).cloned() else { return Ok(()) };
        state.change(Change::Delete { bucket: bucket.to_owned(), key: key.to_owned() })?;
        let _gone = fs::remove_file(self.body(&known.file));
        Ok(())
    }

    /// Reads a part of an object as it stands now, with the object that the bytes belong to.
    pub(super) fn read(
        &self,
        bucket: &str,
        key: &str,
        range: impl Fn(&Object) -> S3Result<Range<u64>>,
    ) -> S3Result<(Arc<Object>, Range<u64>, Bytes)> {
        loop {
            let object = self.get(bucket, key)?;
            let wanted = range(&object)?;
            match self.read_file(&object.file, &wanted) {
                Ok(data) => return Ok((object, wanted, data)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // replaced since: read the new one
                Err(error) => return Err(s3_error!(error, InternalError)),
            }
        }
    }

    /// Works on the uploads that are under way.
    pub(super) fn uploads<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Upload>) -> T) -> T {
        work(&mut self.state().uploads)
    }

    fn read_file(&self, name: &str, range: &Range<u64>) -> io::Result<Bytes> {
        let mut file = File::open(self.body(name))?;
        file.seek(SeekFrom::Start(range.start))?;
        let mut data = vec![0; (range.end - range.start) as usize];
        file.read_exact(&mut data)?;
        Ok(data.into())
    }

    fn body(&self, name: &str) -> PathBuf {
        self.folder.join("bodies").join(name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bucket(&self, name: &str) -> S3Result<&BTreeMap<String, Arc<Object>>> {
        self.buckets.get(name).ok_or_else(|| s3_error!(NoSuchBucket))
    }

    fn change(&mut self, change: Change) -> S3Result<()> {
        let mut line = serde_json::to_vec(&change).map_err(|error| s3_error!(error, InternalError))?;
        line.push(b'\n');
        self.journal.write_all(&line).map_err(|error| s3_error!(error, InternalError))?;
        apply(&mut self.buckets, change);
        Ok(())
    }
}

impl Conditions {
    /// Whether they hold for the object that is there now.
    pub(super) fn check(&self, known: Option<&Object>) -> S3Result<()> {
        if self.if_none_match.as_ref().is_some_and(ETagCondition::is_any) && known.is_some() {
            return Err(s3_error!(PreconditionFailed, "the object exists"));
        }
        match (&self.if_match, known) {
            (None, _) | (Some(ETagCondition::Any), Some(_)) => Ok(()),
            (Some(_), None) => Err(s3_error!(NoSuchKey)),
            (Some(ETagCondition::ETag(wanted)), Some(known)) => {
                let same = ETag::Strong(known.etag.clone()).strong_cmp(wanted);
                same.then_some(()).ok_or_else(|| s3_error!(PreconditionFailed, "the object has another ETag"))
            }
        }
    }
}

fn apply(buckets: &mut BTreeMap<String, BTreeMap<String, Arc<Object>>>, change: Change) {
    match change {
        Change::Bucket { bucket } => {
            buckets.entry(bucket).or_default();
        }
        Change::Put { bucket, key, object } => {
            buckets.entry(bucket).or_default().insert(key, object);
        }
        Change::Delete { bucket, key } => {
            buckets.entry(bucket).or_default().remove(&key);
        }
    }
}
