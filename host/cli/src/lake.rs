//! Where a dataset's lake lies, and what is committed in it.

use crate::bind::Bound;
use anyhow::{Context, Result, bail};
use arrow_array::builder::{Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use sluice_batch::{Commit, Cut, Layer, ObjectEntry};
use sluice_local::{Compression, DirLog, DirStore};
use sluice_manifest::Environment;
use sluice_ports::{CommitLog, Entry, EntryKind, ObjectStore, TableSpec};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of the lake: as given, or the environment's, or `data/DATASET` where the command runs.
pub(crate) fn data_dir(given: Option<&Path>, environment: &Environment, dataset: &str) -> PathBuf {
    let given = given.map(Path::to_owned).or_else(|| environment.data_dir.clone());
    given.unwrap_or_else(|| Path::new("data").join(dataset))
}

/// A lake with its log.
pub(crate) struct Lake {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) log: Arc<dyn CommitLog>,
}

/// The lake of a pipeline in its environment.
pub(crate) async fn open(given: Option<&Path>, bound: &Bound) -> Result<Lake> {
    if bound.environment.aws.is_some() {
        let account = crate::aws::Account::connect(bound).await?;
        return Ok(Lake { store: account.store.clone(), log: Arc::new(account.log.clone()) });
    }
    let folder = data_dir(given, &bound.environment, &bound.checked.plan.dataset);
    Ok(Lake { store: Arc::new(DirStore::create(&folder)?), log: Arc::new(DirLog::new(&folder)) })
}

pub(crate) fn compression(of: sluice_manifest::Compression) -> Compression {
    match of {
        sluice_manifest::Compression::Auto => Compression::Auto,
        sluice_manifest::Compression::None => Compression::None,
        sluice_manifest::Compression::Gzip => Compression::Gzip,
        sluice_manifest::Compression::Zstd => Compression::Zstd,
    }
}

/// Name of the table that says which rules made which objects.
pub(crate) const OBJECTS: &str = "objects";

/// A row for each committed object and rule that had a hand in it: which files did a version touch?
pub(crate) async fn objects(log: &dyn CommitLog) -> Result<RecordBatch> {
    let (mut commits, mut counts) = (Int64Builder::new(), [Int64Builder::new(), Int64Builder::new()]);
    let mut texts: [StringBuilder; 6] = Default::default();
    let entries = log.entries().await?;
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Commit) {
        let commit: Commit = serde_json::from_slice(&log.get(*entry).await?).with_context(|| format!("{entry}"))?;
        let cut = Entry { number: entry.number, kind: EntryKind::Cut };
        let cut: Cut = serde_json::from_slice(&log.get(cut).await?).with_context(|| format!("{cut}"))?;
        for object in &commit.objects {
            for (label, digest) in &cut.identity.rules {
                let named = cut.identity.names.get(label).map_or("", String::as_str);
                let (rule, version) = named.split_once('@').unwrap_or((named, ""));
                commits.append_value(commit.number as i64);
                counts[0].append_value(object.rows as i64);
                counts[1].append_value(object.size as i64);
                let layer = object.layer.folder();
                let values = [layer.as_str(), &object.name, label, rule, version, digest];
                texts.iter_mut().zip(values).for_each(|(column, value)| column.append_value(value));
            }
        }
    }
    let [mut rows, mut bytes] = counts;
    let [layer, name, at, rule, version, digest] = texts.map(|mut column| Arc::new(column.finish()) as ArrayRef);
    let columns: [(&str, ArrayRef); 9] = [
        ("commit", Arc::new(commits.finish())),
        ("layer", layer),
        ("object", name),
        ("rows", Arc::new(rows.finish())),
        ("bytes", Arc::new(bytes.finish())),
        ("step", at),
        ("rule", rule),
        ("version", version),
        ("digest", digest),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// The tables of a dataset over what its log has committed: whole segments, nothing else.
pub(crate) async fn tables(
    log: &dyn CommitLog,
    dataset: &str,
    schemas: Vec<(String, SchemaRef)>,
) -> Result<Vec<TableSpec>> {
    match log.dataset().await? {
        Some(there) if there != dataset => bail!("the data folder holds dataset `{there}`, not `{dataset}`"),
        _ => {}
    }
    let mut objects: Vec<ObjectEntry> = Vec::new();
    for entry in log.entries().await?.into_iter().filter(|entry| entry.kind == EntryKind::Commit) {
        let bytes = log.get(entry).await?;
        let commit: Commit = serde_json::from_slice(&bytes).with_context(|| format!("{entry}"))?;
        objects.extend(commit.objects);
    }
    let table_of = |layer: &Layer| match layer {
        Layer::Silver => Some("silver".to_owned()),
        Layer::Quarantine => Some("quarantine".to_owned()),
        Layer::Gold(name) => Some(name.clone()),
        Layer::Bronze | Layer::Late(_) | Layer::State => None,
    };
    let spec = |(name, schema): (String, SchemaRef)| TableSpec {
        objects: objects
            .iter()
            .filter(|object| table_of(&object.layer).as_ref() == Some(&name))
            .map(|object| object.name.clone())
            .collect(),
        name,
        schema,
    };
    Ok(schemas.into_iter().map(spec).collect())
}
