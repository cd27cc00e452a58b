//! Versions of a pipeline in one lake: which there were, which is in use, and how the next one comes into use.
//!
//! - [`Shelf`]: every version that ran, whole: its manifest and its rules' components, so that it can be bound again when
//!   both have long changed. What a cut or a window left open needs is taken from there.
//! - [`Record`]: which version is in use, which is on trial, which were taken back. It outlives the process.
//! - [`Steward`]: the host's hand. It watches the manifest, the registry and the requests of `sluice rules`, admits what is
//!   new, hands it to the run, and tells where things stand.
//! - [`admission`]: what a version must show before it may run.

pub(crate) mod admission;
pub(crate) mod record;
mod rehearsal;
pub(crate) mod shelf;
pub(crate) mod start;
pub(crate) mod steward;

pub(crate) use record::{Record, Status};
pub(crate) use shelf::Shelf;
pub(crate) use steward::Steward;

use anyhow::{Context, Result};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_ports::{Kind, ObjectStore};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Now, as RFC 3339 in UTC, to the millisecond.
pub(crate) fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_millisecond(now.millisecond()).unwrap_or(now).format(&Rfc3339).unwrap_or_default()
}

/// An object that is JSON; none where it is not there.
pub(crate) async fn get_json<T: DeserializeOwned>(store: &dyn ObjectStore, name: &str) -> Result<Option<T>> {
    match store.get(name).await {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).with_context(|| format!("`{name}` in the lake")),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes an object that is JSON.
pub(crate) async fn put_json<T: Serialize + Sync>(store: &dyn ObjectStore, name: &str, value: &T) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(value).context("JSON")?;
    store.put(name, Bytes::from(bytes)).await?;
    Ok(store.sync().await?)
}
