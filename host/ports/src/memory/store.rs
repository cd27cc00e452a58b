//! Objects in memory, and objects that a crash can take.

use crate::{Kind, ObjectMeta, ObjectStore, PortError, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

type Objects = BTreeMap<String, Bytes>;

/// Objects in a map. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Objects>>);

impl MemoryStore {
    /// Everything it holds, by name.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.0.lock().unwrap().clone()
    }
}

/// Refuses names that no store may take.
fn check_name(name: &str) -> Result<()> {
    let bad = |part: &str| part.is_empty() || part == "." || part == "..";
    if name.split('/').any(bad) {
        let message = format!("`{name}` is no object name: its parts may not be empty, `.` or `..`");
        return Err(PortError::new(Kind::Fatal, message));
    }
    Ok(())
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put(&self, name: &str, data: Bytes) -> Result<()> {
        check_name(name)?;
        self.0.lock().unwrap().insert(name.to_owned(), data);
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Bytes> {
        let found = self.0.lock().unwrap().get(name).cloned();
        found.ok_or_else(|| PortError::new(Kind::NotFound, format!("there is no object `{name}`")))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let objects = self.0.lock().unwrap();
        let from = objects.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        Ok(from.map(|(name, data)| ObjectMeta { name: name.clone(), size: data.len() as u64 }).collect())
    }

    async fn delete(&self, names: &[String]) -> Result<()> {
        let mut objects = self.0.lock().unwrap();
        names.iter().for_each(|name| drop(objects.remove(name)));
        Ok(())
    }

    async fn sync(&self) -> Result<()> {
        Ok(())
    }
}

/// What a crash makes of one object whose last put or delete was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The put or delete is undone.
    Lost,
    /// It had reached the disk all the same.
    Kept,
    /// The name had reached the disk and only the first half of the bytes. A delete is kept.
    Torn,
}

/// A store whose unsynced puts and deletes a crash can take, each on its own, as a disk does. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LossyStore {
    now: MemoryStore,
    durable: Arc<Mutex<Objects>>,
}

impl LossyStore {
    /// Everything that it holds now, by name.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.now.objects()
    }

    /// The power goes: every unsynced put and delete is undone.
    pub fn crash(&self) {
        self.crash_with(|_| Fate::Lost);
    }

    /// The power goes, and each object whose last change was not synced meets its own fate.
    pub fn crash_with(&self, mut fate: impl FnMut(&str) -> Fate) {
        let (mut now, mut durable) = (self.now.0.lock().unwrap(), self.durable.lock().unwrap());
        let mut names: BTreeSet<String> = now.keys().chain(durable.keys()).cloned().collect();
        names.retain(|name| now.get(name) != durable.get(name));
        for name in names {
            let left = match fate(&name) {
                Fate::Lost => durable.get(&name).cloned(),
                Fate::Kept => now.get(&name).cloned(),
                Fate::Torn => now.get(&name).map(|data| data.slice(..data.len() / 2)),
            };
            match left {
                Some(data) => now.insert(name, data),
                None => now.remove(&name),
            };
        }
        *durable = now.clone();
    }
}

#[async_trait]
impl ObjectStore for LossyStore {
    async fn put(&self, name: &str, data: Bytes) -> Result<()> {
        self.now.put(name, data).await
    }

    async fn get(&self, name: &str) -> Result<Bytes> {
        self.now.get(name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.now.list(prefix).await
    }

    async fn delete(&self, names: &[String]) -> Result<()> {
        self.now.delete(names).await
    }

    async fn sync(&self) -> Result<()> {
        let now = self.now.0.lock().unwrap();
        *self.durable.lock().unwrap() = now.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    #[tokio::test]
    async fn both_stores_keep_the_contract() {
        let plain: suite::Places<MemoryStore> = suite::Places::default();
        suite::object_store(async |place: &str| plain.at(place)).await;
        let lossy: suite::Places<LossyStore> = suite::Places::default();
        suite::object_store(async |place: &str| lossy.at(place)).await;
    }

    #[tokio::test]
    async fn a_crash_takes_what_was_not_synced_and_nothing_else() {
        let store = LossyStore::default();
        store.put("kept", Bytes::from_static(b"first")).await.unwrap();
        store.put("deleted", Bytes::from_static(b"first")).await.unwrap();
        store.sync().await.unwrap();
        store.put("kept", Bytes::from_static(b"second")).await.unwrap();
        store.put("new", Bytes::from_static(b"third")).await.unwrap();
        store.delete(&["deleted".to_owned()]).await.unwrap();
        store.crash();
        let left: Vec<_> = store.objects().into_iter().collect();
        let first = Bytes::from_static(b"first");
        assert_eq!(left, [("deleted".to_owned(), first.clone()), ("kept".to_owned(), first)]);
    }

    #[tokio::test]
    async fn each_unsynced_object_meets_its_own_fate_once() {
        let store = LossyStore::default();
        for name in ["kept", "lost", "torn"] {
            store.put(name, Bytes::from_static(b"0123456789")).await.unwrap();
        }
        store.crash_with(|name| match name {
            "kept" => Fate::Kept,
            "torn" => Fate::Torn,
            _ => Fate::Lost,
        });
        store.crash();
        assert_eq!(store.get("kept").await.unwrap().len(), 10);
        assert_eq!(store.get("torn").await.unwrap().as_ref(), b"01234");
        assert_eq!(store.get("lost").await.unwrap_err().kind, Kind::NotFound);
    }
}
