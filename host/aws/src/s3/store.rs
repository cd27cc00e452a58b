//! A bucket as the lake.

use super::bucket::{Bucket, Head, S3Lake};
use super::keys::{check_name, is_hidden};
use super::multipart;
use crate::client::{Aws, Class, of_code, retry};
use async_trait::async_trait;
use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use sluice_ports::{Kind, ObjectMeta, ObjectStore, PortError, Result};
use std::ops::Range;

/// An object up to this size is put in one call, a larger one in parts.
const ONE_CALL: usize = 16 << 20;
/// Names that one DeleteObjects takes (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>).
const DELETE_AT_ONCE: usize = 1_000;

/// Objects of a lake in a bucket. Clones share connections.
#[derive(Debug, Clone)]
pub struct S3Store(Bucket);

impl S3Store {
    /// The lake below a prefix of a bucket.
    pub fn new(aws: Aws, lake: S3Lake) -> Self {
        Self(Bucket { aws, lake })
    }

    /// Where the lake lies.
    pub fn lake(&self) -> &S3Lake {
        &self.0.lake
    }

    /// The account.
    pub fn aws(&self) -> &Aws {
        &self.0.aws
    }

    /// The address of an object, as COPY takes it.
    pub fn url(&self, name: &str) -> String {
        self.0.lake.url(name)
    }

    /// Size and ETag of an object.
    ///
    /// # Errors
    /// [`Kind::NotFound`] where there is none.
    pub async fn head(&self, name: &str) -> Result<Head> {
        check_name(name)?;
        self.0.head(name).await
    }

    /// Bytes of an object, while it has the given ETag if one is given. An empty range reads nothing.
    ///
    /// # Errors
    /// [`Kind::NotFound`] where there is no such object, [`Kind::Changed`] where it has another ETag, [`Kind::Fatal`]
    /// where the range begins past its end.
    pub async fn get_range(&self, name: &str, range: Range<u64>, etag: Option<&str>) -> Result<Bytes> {
        check_name(name)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.0.read(name, Some(range), etag).await.map(|content| content.data)
    }

    /// Deletes up to a thousand objects, those again that a busy service left.
    async fn delete_some(&self, names: &[String]) -> Result<()> {
        let policy = self.0.aws.retry();
        let mut left: Vec<String> = names.iter().map(|name| self.0.key(name)).collect();
        let mut attempt = 1;
        loop {
            let output = self.delete_keys(&left).await?;
            let (busy, broken) = self.left_over(&output, attempt);
            if let Some(error) = broken {
                return Err(error);
            }
            if busy.is_empty() {
                return Ok(());
            }
            if attempt >= policy.attempts() {
                let message = format!("DeleteObjects left {} objects of `{}`; try again", busy.len(), self.url(""));
                return Err(PortError::new(Kind::Retry, message));
            }
            tokio::time::sleep(policy.wait(attempt, Class::Throttle)).await;
            (left, attempt) = (busy, attempt + 1);
        }
    }

    async fn delete_keys(&self, keys: &[String]) -> Result<DeleteObjectsOutput> {
        let bad = |error| PortError::new(Kind::Fatal, format!("a delete of {} objects: {error}", keys.len()));
        let objects: std::result::Result<Vec<_>, _> =
            keys.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect();
        let delete = Delete::builder().set_objects(Some(objects.map_err(bad)?)).quiet(true).build().map_err(bad)?;
        let call = || self.0.aws.s3().delete_objects().bucket(&self.0.lake.bucket).delete(delete.clone()).send();
        retry(self.0.aws.retry(), "DeleteObjects", &self.0.what(""), call).await
    }

    /// Keys to delete again, and the first failure that would come again.
    fn left_over(&self, output: &DeleteObjectsOutput, attempt: u32) -> (Vec<String>, Option<PortError>) {
        let (mut busy, mut broken) = (vec![], None);
        for error in output.errors() {
            let (key, code) = (error.key().unwrap_or_default(), error.code().unwrap_or("unknown"));
            match of_code(code).unwrap_or(Class::Permanent) {
                Class::Missing => {}
                class if class.is_retried() => busy.push(key.to_owned()),
                class => {
                    let (kind, hint) = match class {
                        Class::Denied => (Kind::Denied, "; needs the IAM action `s3:DeleteObject` on it"),
                        _ => (Kind::Fatal, ""),
                    };
                    let (bucket, text) = (&self.0.lake.bucket, error.message().unwrap_or_default());
                    let message = format!("DeleteObjects of `s3://{bucket}/{key}` failed: {code}: {text}{hint}");
                    broken.get_or_insert(PortError::new(kind, message));
                }
            }
        }
        if let Some(error) = output.errors().first() {
            let code = error.code().unwrap_or("unknown");
            self.0.aws.faults().note_partial("DeleteObjects", code, "", output.errors().len(), attempt);
        }
        (busy, broken)
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put(&self, name: &str, data: Bytes) -> Result<()> {
        check_name(name)?;
        if data.len() <= ONE_CALL { self.0.put(name, &data).await } else { multipart::put(&self.0, name, data).await }
    }

    async fn get(&self, name: &str) -> Result<Bytes> {
        check_name(name)?;
        self.0.get(name).await.map(|content| content.data)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let found = self.0.list(prefix).await?;
        let objects = found.into_iter().filter(|(name, _)| !is_hidden(name));
        Ok(objects.map(|(name, size)| ObjectMeta { name, size }).collect())
    }

    async fn delete(&self, names: &[String]) -> Result<()> {
        names.iter().try_for_each(|name| check_name(name))?;
        for some in names.chunks(DELETE_AT_ONCE) {
            self.delete_some(some).await?;
        }
        Ok(())
    }

    /// Nothing is left to do: S3 answers a put or a delete when it is durable, and shows it to every read after that.
    async fn sync(&self) -> Result<()> {
        Ok(())
    }

    async fn clean(&self) -> Result<()> {
        multipart::clean(&self.0).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::scripted::{Reply, Scripted};
    use crate::s3::{LeaseOptions, S3Log};
    use sluice_ports::{CommitLog, Entry, EntryKind};
    use std::sync::{Arc, Mutex};

    fn failed(code: &str) -> Reply {
        let error = format!("<Error><Key>p/a</Key><Code>{code}</Code><Message>why</Message></Error>");
        Reply::Answer(200, format!("<DeleteResult>{error}</DeleteResult>"))
    }

    #[tokio::test]
    async fn what_a_busy_service_left_is_deleted_again_and_what_is_denied_is_told() {
        let server = Scripted::start(|number, _| match number {
            1 => failed("InternalError"),
            2 => Reply::Answer(200, "<DeleteResult></DeleteResult>".into()),
            _ => failed("AccessDenied"),
        });
        let aws = Aws::for_endpoint(&server.url);
        let store = S3Store::new(aws.clone(), S3Lake::new("b", "p/"));
        let names = ["a".to_owned(), "b".to_owned()];
        store.delete(&names).await.unwrap();
        assert_eq!((server.requests(), aws.faults().of("DeleteObjects")), (2, 1));
        let error = store.delete(&names).await.unwrap_err();
        assert_eq!((error.kind, server.requests()), (Kind::Denied, 3));
        assert_eq!(
            error.message,
            "DeleteObjects of `s3://b/p/a` failed: AccessDenied: why; needs the IAM action `s3:DeleteObject` on it"
        );
    }

    #[tokio::test]
    async fn objects_are_kept_as_the_lake_says_and_entries_never_in_another_class() {
        let heads = Arc::new(Mutex::new(vec![]));
        let seen = heads.clone();
        let server = Scripted::start(move |_, head| {
            seen.lock().unwrap().push(head.to_lowercase());
            Reply::Answer(200, String::new())
        });
        let lake = S3Lake {
            kms_key: Some("alias/lake".into()),
            storage_class: Some("STANDARD_IA".into()),
            tags: vec![("team".into(), "a & b".into()), ("x".into(), "1".into())],
            ..S3Lake::new("b", "p/")
        };
        let aws = Aws::for_endpoint(&server.url);
        S3Store::new(aws.clone(), lake.clone()).put("x", Bytes::from_static(b"1")).await.unwrap();
        let cut = Entry { number: 1, kind: EntryKind::Cut };
        S3Log::new(aws, lake, &LeaseOptions::default()).put(cut, Bytes::from_static(b"{}")).await.unwrap();
        let heads = heads.lock().unwrap();
        let [object, entry] = &heads[..] else { panic!("{heads:?}") };
        for head in [object, entry] {
            assert!(head.contains("x-amz-tagging: team=a%20%26%20b&x=1"), "{head}");
            assert!(head.contains("x-amz-server-side-encryption: aws:kms"), "{head}");
            assert!(head.contains("x-amz-server-side-encryption-aws-kms-key-id: alias/lake"), "{head}");
        }
        assert!(object.contains("x-amz-storage-class: standard_ia") && !object.contains("if-none-match"), "{object}");
        assert!(entry.contains("if-none-match: *") && !entry.contains("storage-class"), "{entry}");
    }
}
