//! A data folder as anybody may read it: the log, the objects that commits name, and every file.

use super::table::Table;
use arrow_array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice_batch::{Account, Commit, Cut, Layer, ObjectEntry, digest_hex};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A data folder.
pub(crate) struct Lake(PathBuf);

impl Lake {
    pub(crate) fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// Names of the log's entries, in order: `000000000001.cut`, `000000000001.commit`, ...
    pub(crate) fn entries(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.join("_sluice/log")).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().expect("entries have plain names"));
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        // of one number the cut comes first
        names.sort_by_key(|name| (name[..12].to_owned(), !name.ends_with(".cut")));
        names
    }

    fn log(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join("_sluice/log").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn has_entry(&self, name: &str) -> bool {
        self.0.join("_sluice/log").join(name).exists()
    }

    /// All commits, in order.
    pub(crate) fn commits(&self) -> Vec<Commit> {
        let names = self.entries().into_iter().filter(|name| name.ends_with(".commit"));
        names.map(|name| serde_json::from_slice(&self.log(&name)).expect("a commit is JSON")).collect()
    }

    /// Reasons of all aborts.
    pub(crate) fn aborts(&self) -> Vec<String> {
        let names = self.entries().into_iter().filter(|name| name.ends_with(".abort"));
        let abort = |name: String| serde_json::from_slice::<sluice_batch::Abort>(&self.log(&name)).expect("JSON");
        names.map(|name| abort(name).reason).collect()
    }

    /// The cut that has neither commit nor abort, and its digest.
    pub(crate) fn open_cut(&self) -> Option<(Cut, String)> {
        let last = self.entries().pop().filter(|name| name.ends_with(".cut"))?;
        let bytes = self.log(&last);
        Some((serde_json::from_slice(&bytes).expect("a cut is JSON"), digest_hex(&bytes)))
    }

    /// The books of everything committed.
    pub(crate) fn account(&self) -> Account {
        let mut account = Account::default();
        self.commits().iter().for_each(|commit| account.add(&commit.account));
        account
    }

    /// Records read so far, as committed.
    pub(crate) fn read(&self) -> u64 {
        self.account().total().read
    }

    /// Objects of a layer that commits name.
    pub(crate) fn objects(&self, layer: &Layer) -> Vec<ObjectEntry> {
        let all = self.commits().into_iter().flat_map(|commit| commit.objects);
        all.filter(|object| object.layer == *layer).collect()
    }

    /// Rows of a layer, read from the objects as any reader of Parquet would.
    pub(crate) fn batches(&self, layer: &Layer) -> Vec<RecordBatch> {
        self.objects(layer).iter().flat_map(|object| self.object(object)).collect()
    }

    fn object(&self, object: &ObjectEntry) -> Vec<RecordBatch> {
        let bytes = Bytes::from(self.bytes(&object.name));
        assert_eq!(bytes.len() as u64, object.size, "{}", object.name);
        assert_eq!(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes)), object.digest, "{}", object.name);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|builder| builder.build());
        let batches: Vec<RecordBatch> =
            reader.expect("the object is Parquet").map(|batch| batch.expect("the object is whole")).collect();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows as u64, object.rows, "{}", object.name);
        batches
    }

    /// Who made the rows of an object, where they say so in `made_by`.
    pub(crate) fn made_by(&self, object: &ObjectEntry) -> Vec<String> {
        let batches = self.object(object);
        Table::new(&batches, &[]).texts("made_by").into_iter().map(str::to_owned).collect()
    }

    /// A word in the footer of an object.
    pub(crate) fn footer(&self, object: &ObjectEntry, key: &str) -> String {
        let bytes = Bytes::from(self.bytes(&object.name));
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("the object is Parquet");
        let words = builder.metadata().file_metadata().key_value_metadata().expect("there are words in it");
        words.iter().find(|word| word.key == key).and_then(|word| word.value.clone()).unwrap_or_default()
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Silver.
    pub(crate) fn silver(&self) -> Table {
        Table::new(&self.batches(&Layer::Silver), &[])
    }

    /// Silver by what stands in it, wherever the records came from.
    pub(crate) fn silver_content(&self) -> Table {
        Table::new(&self.batches(&Layer::Silver), &["_sluice_id", "_sluice_arrived_at", "_sluice_commit"])
    }

    /// A gold by what stands in it, whichever commits wrote it.
    pub(crate) fn gold(&self, name: &str) -> Table {
        Table::new(&self.batches(&Layer::Gold(name.to_owned())), &["_sluice_commit", "_sluice_fence"])
    }

    /// Quarantine.
    pub(crate) fn quarantine(&self) -> Table {
        Table::new(&self.batches(&Layer::Quarantine), &[])
    }

    /// Every file below the folder, as `silver/...`.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        fn walk(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    walk(root, &entry.path(), found);
                } else {
                    let path = entry.path();
                    let name = path.strip_prefix(root).expect("it lies below").to_str().expect("names are UTF-8");
                    found.insert(name.to_owned());
                }
            }
        }
        let mut found = BTreeSet::new();
        walk(&self.0, &self.0, &mut found);
        found
    }

    /// Objects that bear a cut's digest, with the digests of their bytes.
    pub(crate) fn objects_of(&self, cut: &str) -> BTreeMap<String, String> {
        let mark = format!("-{}-", &cut[..16]);
        let names = self.files().into_iter().filter(|name| name.contains(&mark));
        names.map(|name| (name.clone(), digest_hex(&self.bytes(&name)))).collect()
    }

    /// Insists that nothing lies in the folder that no commit names and that the system does not keep.
    #[track_caller]
    pub(crate) fn nothing_is_left_behind(&self) {
        let commits = self.commits();
        let objects = commits.iter().flat_map(|commit| &commit.objects);
        let state = commits.last().into_iter().flat_map(|commit| &commit.state);
        let named: BTreeSet<&str> = objects.chain(state).map(|object| object.name.as_str()).collect();
        let kept = ["_sluice/lock", "_sluice/fence", "_sluice/dataset", "_sluice/reserve"];
        let files = self.files();
        let missing: Vec<&&str> = named.iter().filter(|name| !files.contains(**name)).collect();
        assert!(missing.is_empty(), "commits name objects that are not there: {missing:?}");
        let entries: BTreeSet<String> = self.entries().into_iter().map(|name| format!("_sluice/log/{name}")).collect();
        let of_versions = |name: &str| name.starts_with("_sluice/versions/") || name.starts_with("_sluice/rules/");
        let known = |name: &String| {
            let name = name.as_str();
            named.contains(name) || kept.contains(&name) || entries.contains(name) || of_versions(name)
        };
        let left: Vec<&String> = files.iter().filter(|name| !known(name)).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        assert_eq!(self.open_cut().map(|(cut, _)| cut.number), None, "a cut has neither commit nor abort");
        assert!(self.empty_folders().is_empty(), "folders without anything: {:?}", self.empty_folders());
    }

    /// Folders of partitions that hold nothing.
    fn empty_folders(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            let entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
            let partition = folder.file_name().is_some_and(|name| name.to_string_lossy().contains('='));
            if entries.is_empty() && partition {
                found.push(folder.to_owned());
            }
            entries.iter().map(|entry| entry.path()).filter(|path| path.is_dir()).for_each(|path| walk(&path, found));
        }
        let mut found = Vec::new();
        walk(&self.0, &mut found);
        found
    }
}
