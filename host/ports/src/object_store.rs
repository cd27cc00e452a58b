//! Where objects are put.

use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;

/// Named objects.
///
/// Contract: an object is there whole or not at all; names are parts joined by `/`, without `.` or `..` parts; an object
/// put again under its name replaces the one before. What was put is durable only after [`ObjectStore::sync`].
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Puts an object.
    ///
    /// # Errors
    /// [`Kind::StorageFull`](crate::Kind::StorageFull) where there is no room: nothing is left behind under the name.
    async fn put(&self, name: &str, data: Bytes) -> Result<()>;

    /// The whole object.
    ///
    /// # Errors
    /// [`Kind::NotFound`](crate::Kind::NotFound) where there is none.
    async fn get(&self, name: &str) -> Result<Bytes>;

    /// Objects whose names begin with `prefix`, in the order of their names. Objects being put are not among them.
    ///
    /// # Errors
    /// As the store fails.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>>;

    /// Deletes objects. One that is not there is no error.
    ///
    /// # Errors
    /// As the store fails; some may be deleted then.
    async fn delete(&self, names: &[String]) -> Result<()>;

    /// Returns when every put and delete before it is durable.
    ///
    /// # Errors
    /// As the store fails; nothing is known of what was put since the last sync.
    async fn sync(&self) -> Result<()>;

    /// Removes what a process that died while putting left behind, if anything.
    ///
    /// # Errors
    /// As the store fails.
    async fn clean(&self) -> Result<()> {
        Ok(())
    }
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Name.
    pub name: String,
    /// Bytes.
    pub size: u64,
}
