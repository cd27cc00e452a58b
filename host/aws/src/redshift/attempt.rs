//! Attempts at loads, written down before anything is handed in, so that whoever comes after a death finds what may still
//! run.

use super::sql::SqlType;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sluice_batch::digest_hex;
use sluice_ports::{Kind, Object, ObjectFormat, ObjectStore, PortError, Result, Settled};
use std::fmt;
use std::sync::Arc;

/// Where attempts and COPY manifests lie in the lake.
pub const PREFIX: &str = "_sluice/load/";

/// What an attempt hands in, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Makes the stage and copies into it.
    Stage,
    /// Brings the rows in.
    Apply,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stage => "stage",
            Self::Apply => "apply",
        })
    }
}

/// A column of the stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StageColumn {
    /// Name, in the file and in the table.
    pub name: String,
    /// Type within the stage.
    pub ty: SqlType,
    /// Whether it is the text of a JSON value that the table holds as SUPER.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parse: bool,
}

/// One attempt at a load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempt {
    /// Digest of dataset, table and objects.
    pub load_id: String,
    /// Dataset.
    pub dataset: String,
    /// Name of the table in the dataset.
    pub table: String,
    /// The how manieth, from 1.
    pub number: u32,
    /// Drawn for this attempt, so that its tokens are nobody else's.
    pub nonce: String,
    /// When it was begun, milliseconds since the epoch.
    pub begun_ms: i64,
    /// How rows lie in the objects.
    pub format: ObjectFormat,
    /// Columns of the stage.
    pub columns: Vec<StageColumn>,
    /// Objects, in the order of their names.
    pub objects: Vec<Object>,
    /// Which segments were decided when it was begun, where the objects may hold rows of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
}

/// The id of a load: the same objects of the same table are the same load.
pub(super) fn load_id(dataset: &str, table: &str, objects: &[Object]) -> String {
    let mut names: Vec<(&str, &str)> =
        objects.iter().map(|object| (object.key.as_str(), object.etag.as_str())).collect();
    names.sort_unstable();
    digest_hex(&serde_json::to_vec(&(dataset, table, names)).expect("names are plain data"))
}

impl Attempt {
    /// Name of the attempt, as it stands in the ledger.
    pub(super) fn label(&self) -> String {
        format!("{}-{}", self.number, self.nonce)
    }

    /// The token of a step: 64 characters.
    pub(super) fn token(&self, step: Step) -> String {
        digest_hex(format!("{}/{}/{}/{step}", self.load_id, self.number, self.nonce).as_bytes())
    }

    /// The name of a step's statements.
    pub(super) fn name(&self, step: Step) -> String {
        format!("sluice-{}-{}-{}-{step}", self.dataset, &self.load_id[..16.min(self.load_id.len())], self.label())
    }

    fn file(&self) -> String {
        format!("{PREFIX}{}/{}.{}.json", self.table, self.load_id, self.label())
    }

    fn manifest_file(&self) -> String {
        format!("{PREFIX}{}/{}.{}.manifest", self.table, self.load_id, self.label())
    }
}

#[derive(Serialize)]
struct Manifest {
    entries: Vec<ManifestEntry>,
}

#[derive(Serialize)]
struct ManifestEntry {
    url: String,
    mandatory: bool,
    meta: ManifestMeta,
}

#[derive(Serialize)]
struct ManifestMeta {
    content_length: u64,
}

/// The manifest that COPY reads: these objects, all of them, of exactly these sizes.
fn manifest(bucket: &str, objects: &[Object]) -> Bytes {
    let entry = |object: &Object| ManifestEntry {
        url: format!("s3://{bucket}/{}", object.key),
        mandatory: true,
        meta: ManifestMeta { content_length: object.size },
    };
    let manifest = Manifest { entries: objects.iter().map(entry).collect() };
    serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data").into()
}

/// The attempts of a lake.
#[derive(Clone)]
pub(super) struct Attempts {
    store: Arc<dyn ObjectStore>,
    /// URL that the names of the store follow.
    url: String,
    /// Bucket of the objects that are loaded.
    bucket: String,
}

impl Attempts {
    /// Attempts in a store. `url`: what comes before the store's names, such as `s3://lake/orders/`. `bucket`: of the
    /// objects that are loaded.
    pub(super) fn new(store: Arc<dyn ObjectStore>, url: &str, bucket: &str) -> Self {
        let slash = if url.ends_with('/') { "" } else { "/" };
        Self { store, url: format!("{url}{slash}"), bucket: bucket.to_owned() }
    }

    /// Writes down an attempt and its manifest; both are durable when this returns.
    ///
    /// # Errors
    /// As the store fails.
    pub(super) async fn write(&self, attempt: &Attempt) -> Result<()> {
        let manifest = manifest(&self.bucket, &attempt.objects);
        self.store.put(&attempt.manifest_file(), manifest).await?;
        let json = serde_json::to_vec_pretty(attempt).expect("an attempt is plain data");
        self.store.put(&attempt.file(), json.into()).await?;
        self.store.sync().await
    }

    /// Where COPY finds an attempt's manifest.
    pub(super) fn manifest_url(&self, attempt: &Attempt) -> String {
        format!("{}{}", self.url, attempt.manifest_file())
    }

    /// Forgets an attempt whose end is known. The manifest goes last: an attempt without one would be refused by COPY.
    ///
    /// # Errors
    /// As the store fails.
    pub(super) async fn forget(&self, attempt: &Attempt) -> Result<()> {
        self.store.delete(&[attempt.file()]).await?;
        self.store.delete(&[attempt.manifest_file()]).await
    }

    /// Attempts at loads of a table whose end nobody wrote down, in the order of their loads.
    ///
    /// # Errors
    /// As the store fails, and where an attempt cannot be read.
    pub(super) async fn leftovers(&self, table: &str) -> Result<Vec<Attempt>> {
        let mut found = vec![];
        for object in self.store.list(&format!("{PREFIX}{table}/")).await? {
            if !object.name.ends_with(".json") {
                continue;
            }
            match self.store.get(&object.name).await {
                Ok(data) => found.push(read(&object.name, &data)?),
                // another loader settled it just now
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

fn read(name: &str, data: &[u8]) -> Result<Attempt> {
    serde_json::from_slice(data).map_err(|error| {
        let message = format!(
            "`{name}` is no attempt at a load: {error}; if nothing of Sluice runs on the warehouse now, delete it: what it \
             was about is loaded again, once"
        );
        PortError::new(Kind::Fatal, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_ports::memory::MemoryStore;

    fn object(key: &str) -> Object {
        Object { key: key.into(), size: 12, etag: "e".into(), columns: None }
    }

    fn attempt(number: u32) -> Attempt {
        let objects = vec![object("a"), object("b")];
        Attempt {
            load_id: load_id("online", "silver", &objects),
            dataset: "online".into(),
            table: "silver".into(),
            number,
            nonce: "00ff".into(),
            begun_ms: 5,
            format: ObjectFormat::Parquet,
            columns: vec![StageColumn { name: "a".into(), ty: SqlType::Decimal(10, 2), parse: false }],
            objects,
            settled: None,
        }
    }

    #[test]
    fn a_load_is_its_objects_in_any_order() {
        let id = load_id("online", "silver", &[object("a"), object("b")]);
        assert_eq!(id, load_id("online", "silver", &[object("b"), object("a")]));
        assert_ne!(id, load_id("online", "silver", &[object("a")]));
        assert_ne!(id, load_id("online", "gold", &[object("a"), object("b")]));
        let other = Object { etag: "f".into(), ..object("b") };
        assert_ne!(id, load_id("online", "silver", &[object("a"), other]), "other bytes are another load");
    }

    #[test]
    fn tokens_are_64_characters_and_each_steps_own() {
        let tokens: Vec<String> = [(1, Step::Stage), (1, Step::Apply), (2, Step::Stage)]
            .map(|(number, step)| attempt(number).token(step))
            .into();
        assert!(tokens.iter().all(|token| token.len() == 64));
        assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2] && tokens[0] != tokens[2]);
        assert!(attempt(1).name(Step::Apply).ends_with("-1-00ff-apply"));
    }

    #[test]
    fn the_manifest_demands_every_object_at_its_size() {
        let text = String::from_utf8(manifest("lake", &[object("silver/a.parquet")]).to_vec()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let entry = serde_json::json!(
            {"url": "s3://lake/silver/a.parquet", "mandatory": true, "meta": {"content_length": 12}}
        );
        assert_eq!(json["entries"][0], entry);
    }

    #[tokio::test]
    async fn attempts_are_found_until_they_are_forgotten() {
        let attempts = Attempts::new(Arc::new(MemoryStore::default()), "s3://lake/orders", "lake");
        let (one, two) = (attempt(1), attempt(2));
        attempts.write(&one).await.unwrap();
        attempts.write(&two).await.unwrap();
        assert_eq!(attempts.leftovers("silver").await.unwrap(), [one.clone(), two.clone()]);
        assert!(attempts.leftovers("gold").await.unwrap().is_empty());
        assert!(attempts.manifest_url(&one).starts_with("s3://lake/orders/_sluice/load/silver/"));
        attempts.forget(&one).await.unwrap();
        attempts.forget(&one).await.unwrap();
        assert_eq!(attempts.leftovers("silver").await.unwrap(), [two]);
    }
}
