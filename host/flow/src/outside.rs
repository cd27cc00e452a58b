//! What a segment is written to: objects and entries of the log, with the lease looked at before.

use crate::error::Result;
use crate::seal::BronzeKey;
use crate::sinks::Ready;
use crate::stream::hex;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use futures_util::StreamExt;
use sluice_batch::{Layer, ObjectEntry};
use sluice_ports::{CommitLog, Delivery, Entry, EntryKind, Kind, Lease, ObjectStore, PortError, Put, failpoint};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects put at once.
const PUTS_AT_ONCE: usize = 8;

/// The ports of a segment.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) log: Arc<dyn CommitLog>,
    pub(crate) delivery: Option<Arc<dyn Delivery>>,
    pub(crate) lease: Arc<dyn Lease>,
    /// Threads that encode partitions side by side.
    pub(crate) threads: usize,
}

/// An object that was put, with its columns where they are not those of its layer.
pub(crate) struct Written {
    pub(crate) entry: ObjectEntry,
    pub(crate) schema: Option<SchemaRef>,
}

impl Outside {
    /// Puts objects, some at once: on a service each takes a while. They are finished in their order.
    /// With `key`, bronze is sealed.
    pub(crate) async fn put_objects(
        &self,
        number: u64,
        digest: &str,
        ready: Vec<Ready>,
        key: Option<&BronzeKey>,
    ) -> Result<Vec<Written>> {
        let mut parts: BTreeMap<String, u32> = BTreeMap::new();
        let named: Vec<(Written, Bytes)> =
            ready.into_iter().map(|object| named(number, digest, object, &mut parts, key)).collect();
        let puts = named.into_iter().map(|(written, bytes)| async move {
            self.store.put(&written.entry.name, bytes).await?;
            Result::Ok(written)
        });
        let mut puts = futures_util::stream::iter(puts).buffered(PUTS_AT_ONCE);
        let mut all = Vec::new();
        while let Some(written) = puts.next().await {
            let written = written?;
            failpoint::hit(&format!("after-{}", object_kind(&written.entry.layer)));
            failpoint::hit("between-objects");
            all.push(written);
        }
        Ok(all)
    }

    /// Writes an entry of the log.
    pub(crate) async fn enter(&self, number: u64, kind: EntryKind, bytes: Vec<u8>) -> Result<()> {
        let entry = Entry { number, kind };
        let bytes = Bytes::from(bytes);
        self.lease.check()?;
        match self.log.put(entry, bytes.clone()).await? {
            Put::Written => Ok(()),
            Put::Exists(there) if there == bytes => Ok(()),
            Put::Exists(_) => Err(PortError::new(
                Kind::Fenced,
                format!("{entry}: another process wrote this entry; two hosts run on one data folder: stop one"),
            )
            .into()),
        }
    }
}

fn named(
    number: u64,
    digest: &str,
    mut object: Ready,
    parts: &mut BTreeMap<String, u32>,
    key: Option<&BronzeKey>,
) -> (Written, Bytes) {
    let mut folder = object.layer.folder();
    if !object.folder.is_empty() {
        folder = format!("{folder}/{}", object.folder);
    }
    let part = parts.entry(folder.clone()).or_default();
    let key = key.filter(|_| object.layer == Layer::Bronze);
    let extension = match object.layer {
        Layer::State => "arrow",
        _ if key.is_some() => "parquet.sealed",
        _ => "parquet",
    };
    let name = format!("{folder}/{number:012}-{}-{part:03}.{extension}", &digest[..16]);
    if let Some(key) = key {
        object.bytes = key.seal(&name, &object.bytes);
    }
    let entry = ObjectEntry {
        name,
        layer: object.layer,
        rows: object.rows,
        size: object.bytes.len() as u64,
        digest: hex(xxhash_rust::xxh3::xxh3_64(&object.bytes)),
    };
    *part += 1;
    (Written { entry, schema: object.schema }, Bytes::from(object.bytes))
}

/// What kind of object a failpoint speaks of.
fn object_kind(layer: &Layer) -> &'static str {
    match layer {
        Layer::Bronze => "bronze",
        Layer::Silver => "silver",
        Layer::Gold(_) => "gold",
        Layer::Late(_) => "late",
        Layer::Quarantine => "quarantine",
        Layer::State => "state",
    }
}
