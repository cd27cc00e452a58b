//! Which object is which.

use serde::{Deserialize, Serialize};
use sluice_batch::{Position, ShardRef};
use sluice_ports::{Kind, PortError, Result, ShardInfo};

/// What is remembered of an object: its identity, and what tells a listing that it is still the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub key: String,
    /// Without quotes.
    pub etag: String,
    /// Where the bucket keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Stored bytes.
    pub size: u64,
    /// When it was put, seconds since the epoch.
    pub modified: i64,
}

impl Note {
    /// Reads back what [`Note::to_text`] wrote.
    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            let message =
                format!("`{text}` is no note of an object: {error}; the commit log was written by another source");
            PortError::new(Kind::Fatal, message)
        })
    }

    /// The text kept in commits.
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a note is plain data")
    }

    /// Bucket, key and version, or ETag where the bucket keeps no versions. Neither of the two has an `@` in it.
    pub(super) fn shard(&self, bucket: &str) -> ShardRef {
        let version = self.version.as_ref().unwrap_or(&self.etag);
        ShardRef::new(source_id(bucket), format!("{}@{version}", self.key))
    }

    /// Whether a listing shows the object that is remembered.
    pub(super) fn is(&self, listed: &Listed) -> bool {
        (&self.etag, self.size, self.modified) == (&listed.etag, listed.size, listed.modified)
    }

    pub(super) fn info(&self, bucket: &str) -> ShardInfo {
        ShardInfo {
            shard: self.shard(bucket),
            parents: vec![],
            label: self.key.clone(),
            note: self.to_text(),
            start: Position::TrimHorizon,
            size: Some(self.size),
        }
    }
}

/// The source of all objects of a bucket.
pub(super) fn source_id(bucket: &str) -> String {
    format!("s3:{bucket}")
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub key: String,
    /// Without quotes.
    pub etag: String,
    pub size: u64,
    pub modified: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_holds_bucket_key_and_version_or_etag() {
        let note = Note { key: "in/a@b.csv".into(), etag: "e7".into(), version: None, size: 3, modified: 1 };
        assert_eq!(note.shard("landing").to_string(), "s3:landing/in/a@b.csv@e7");
        assert_eq!(Note::parse(&note.to_text()).unwrap(), note);
        let versioned = Note { version: Some("v1".into()), ..note };
        assert_eq!(versioned.shard("landing").to_string(), "s3:landing/in/a@b.csv@v1");
        assert_eq!(Note::parse(&versioned.to_text()).unwrap(), versioned);
        assert!(Note::parse("{}").is_err());
    }
}
