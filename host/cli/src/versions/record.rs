//! What outlives the process, and what others may read of it while it runs.

use super::{get_json, put_json};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use sluice_flow::Standing;
use sluice_ports::ObjectStore;
use std::collections::BTreeMap;

/// Name of the record in the lake.
const RECORD: &str = "_sluice/versions/record.json";
/// Name of the status.
const STATUS: &str = "_sluice/versions/status.json";
/// Name of the request.
const REQUEST: &str = "_sluice/versions/request.json";

/// Which versions were in use in a lake. Versions are named by the keys of their identities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The version in use.
    pub(crate) live: Option<String>,
    /// The version that was in use before it.
    #[serde(default)]
    pub(crate) before: Option<String>,
    /// The version that is on its way.
    #[serde(default)]
    pub(crate) trial: Option<String>,
    /// Versions that were refused or taken back: nobody takes them up again unless they are asked for.
    #[serde(default)]
    pub(crate) held: BTreeMap<String, Held>,
    /// The last request that was answered.
    #[serde(default)]
    pub(crate) answered: Option<String>,
}

/// Why a version is not taken up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// When, RFC 3339.
    pub(crate) at: String,
    /// Why, one line for each.
    pub(crate) reasons: Vec<String>,
}

impl Record {
    /// The record of a lake; an empty one where nothing ran yet.
    pub(crate) async fn read(store: &dyn ObjectStore) -> Result<Self> {
        Ok(get_json(store, RECORD).await?.unwrap_or_default())
    }

    pub(crate) async fn write(&self, store: &dyn ObjectStore) -> Result<()> {
        put_json(store, RECORD, self).await
    }

    /// A version is in use from now on.
    pub(crate) fn goes_live(&mut self, key: &str) {
        if self.live.as_deref() != Some(key) {
            self.before = self.live.replace(key.to_owned());
        }
        if self.trial.as_deref() == Some(key) {
            self.trial = None;
        }
        self.held.remove(key);
    }

    /// A version is not to be taken up again by itself.
    pub(crate) fn hold(&mut self, key: &str, reasons: Vec<String>) {
        if self.trial.as_deref() == Some(key) {
            self.trial = None;
        }
        self.held.insert(key.to_owned(), Held { at: super::now(), reasons });
    }
}

/// Where a running host stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Process.
    pub(crate) pid: u32,
    /// When this was written, RFC 3339. A host writes it again every few seconds.
    pub(crate) at: String,
    /// Seconds after which a host that did not write it again is gone.
    pub(crate) stale_after_s: u64,
    /// Version in use, the one beside it, and what each worker works by.
    pub(crate) standing: Standing,
    /// Rules of the version in use, by label: `name@version` and digest.
    pub(crate) rules: BTreeMap<String, RuleOf>,
    /// How far the last new version came.
    pub(crate) last: Option<Came>,
    /// The last request, and what came of it.
    pub(crate) answer: Option<Answer>,
}

/// A rule of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleOf {
    /// `name@version`.
    pub(crate) rule: String,
    /// SHA-256.
    pub(crate) digest: String,
}

/// How far a version came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Came {
    /// Version.
    pub(crate) version: String,
    /// When, RFC 3339.
    pub(crate) at: String,
    /// Stage and what goes with it.
    pub(crate) stage: serde_json::Value,
}

impl Came {
    /// Name of the stage.
    pub(crate) fn name(&self) -> &str {
        self.stage["stage"].as_str().unwrap_or_default()
    }

    /// Reasons, where it was refused or rolled back.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let reasons = self.stage["reasons"].as_array().map(Vec::as_slice).unwrap_or_default();
        reasons.iter().filter_map(|reason| reason.as_str()).map(str::to_owned).collect()
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The request's.
    pub(crate) id: String,
    /// The version that it led to.
    pub(crate) version: Option<String>,
    /// Why it led to none.
    #[serde(default)]
    pub(crate) refused: Vec<String>,
}

impl Status {
    pub(crate) async fn read(store: &dyn ObjectStore) -> Result<Option<Self>> {
        get_json(store, STATUS).await
    }

    pub(crate) async fn write(&self, store: &dyn ObjectStore) -> Result<()> {
        put_json(store, STATUS, self).await
    }

    /// The host ends.
    pub(crate) async fn remove(store: &dyn ObjectStore) -> Result<()> {
        Ok(store.delete(&[STATUS.to_owned()]).await?)
    }

    /// Whether the host that wrote it may still run.
    pub(crate) fn is_fresh(&self) -> bool {
        let parse = |text: &str| time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok();
        parse(&self.at).is_some_and(|at| {
            (time::OffsetDateTime::now_utc() - at).whole_seconds()
                < i64::try_from(self.stale_after_s).unwrap_or(i64::MAX)
        })
    }
}

/// What `sluice rules` asks of a running host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Unlike any other.
    pub(crate) id: String,
    /// What for.
    pub(crate) wants: Wants,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wants {
    /// The manifest and the rules as they stand now.
    Apply,
    /// This version, which ran before; at once.
    Version(String),
}

impl Request {
    pub(crate) async fn read(store: &dyn ObjectStore) -> Result<Option<Self>> {
        get_json(store, REQUEST).await
    }

    pub(crate) async fn write(&self, store: &dyn ObjectStore) -> Result<()> {
        put_json(store, REQUEST, self).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_goes_live_is_no_longer_held_nor_on_trial() {
        let mut record = Record { live: Some("a".into()), trial: Some("b".into()), ..Record::default() };
        record.hold("b", vec!["bad".into()]);
        assert_eq!((record.trial.as_deref(), record.held.len()), (None, 1));
        record.goes_live("b");
        assert_eq!((record.live.as_deref(), record.before.as_deref(), record.held.len()), (Some("b"), Some("a"), 0));
        record.goes_live("b");
        assert_eq!(record.before.as_deref(), Some("a"), "a version does not come before itself");
    }
}
