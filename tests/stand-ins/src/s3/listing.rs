//! Listings: pages, common prefixes, tokens.

use super::objects::{Object, Objects};
use s3s::S3Result;
use s3s::dto::{ETag, ListObjectsV2Input};
use std::collections::BTreeSet;

/// The most keys in one page of a listing.
pub(super) const MAX_KEYS: usize = 1000;

/// One page of a listing.
pub(super) struct Page {
    pub(super) objects: Vec<s3s::dto::Object>,
    pub(super) prefixes: BTreeSet<String>,
    pub(super) next: Option<String>,
}

impl Page {
    /// The page that a request asks for. A token is the last key or common prefix of the page before.
    pub(super) fn list(objects: &Objects, input: &ListObjectsV2Input, limit: usize) -> S3Result<Self> {
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let delimiter = input.delimiter.as_deref().unwrap_or_default();
        let token = input.continuation_token.as_deref().unwrap_or_default();
        let mut after = input.start_after.as_deref().unwrap_or_default().max(token).to_owned();
        let mut page = Self { objects: Vec::new(), prefixes: BTreeSet::new(), next: None };
        loop {
            let listed = objects.list(&input.bucket, prefix, &after, MAX_KEYS + 1)?;
            let more = listed.len() > MAX_KEYS;
            for (key, object) in listed {
                let group = group(&key, prefix, delimiter);
                let known = |group: &String| page.prefixes.contains(group) || group.as_str() <= token;
                let known = group.as_ref().is_some_and(known);
                if !known && page.objects.len() + page.prefixes.len() == limit {
                    page.next = (limit > 0).then_some(after);
                    return Ok(page);
                }
                after = group.clone().unwrap_or_else(|| key.clone()).max(after);
                match group {
                    Some(_) if known => after = after.max(key),
                    Some(group) => drop(page.prefixes.insert(group)),
                    None => page.objects.push(listing(key, &object)),
                }
            }
            if !more {
                return Ok(page);
            }
        }
    }
}

/// The common prefix that a key falls into, if the delimiter comes in what follows the prefix.
fn group(key: &str, prefix: &str, delimiter: &str) -> Option<String> {
    let rest = key.get(prefix.len()..).filter(|_| !delimiter.is_empty())?;
    let end = rest.find(delimiter)? + delimiter.len();
    Some(format!("{prefix}{}", &rest[..end]))
}

fn listing(key: String, object: &Object) -> s3s::dto::Object {
    s3s::dto::Object {
        key: Some(key),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        size: Some(object.size as i64),
        last_modified: Some(object.modified.into()),
        ..s3s::dto::Object::default()
    }
}
