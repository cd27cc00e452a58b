//! Buckets: that of the lake, that of the source.

use super::{Check, Doctor, Status, failed};
use crate::client::retry;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier, ServerSideEncryption};
use bytes::Bytes;
use sluice_ports::{Kind, PortError, Result};

/// What is put, read and deleted.
const PROBE: &[u8] = b"Written and deleted again by `sluice aws doctor`.\n";

impl Doctor<'_> {
    /// The bucket of the lake, whose it is, and whether it does what commits rely on.
    pub(super) async fn lake(&self) -> Vec<Check> {
        let lake = &self.needs.lake;
        let mut checks = vec![self.bucket(&lake.bucket).await];
        if checks[0].status == Status::Fail {
            return checks;
        }
        checks.push(self.owner().await);
        checks.push(self.reach("lake", &lake.bucket, &lake.prefix).await);
        checks.extend(self.probe().await);
        checks
    }

    /// Objects that land, and the queue that announces them.
    pub(super) async fn landing(&self) -> Vec<Check> {
        let Some(source) = &self.needs.s3_source else { return Vec::new() };
        let mut checks = vec![self.reach("source", &source.bucket, &source.prefix).await];
        if let Some(url) = &source.queue {
            checks.push(self.queue(url).await);
        }
        checks
    }

    /// A bucket is there, and in the region that calls go to.
    async fn bucket(&self, bucket: &str) -> Check {
        let name = format!("bucket `{bucket}`");
        let call = || self.aws.s3().get_bucket_location().bucket(bucket).send();
        let region = match retry(&self.retry, "GetBucketLocation", &name, call).await {
            // Buckets of the first region have no location, and some of the first in Europe an old name.
            Ok(found) => match found.location_constraint.as_ref().map_or("", |location| location.as_str()) {
                "" => "us-east-1".to_owned(),
                "EU" => "eu-west-1".to_owned(),
                region => region.to_owned(),
            },
            Err(error) => return failed(name, &error),
        };
        let here = self.aws.region();
        if region == here {
            return Check::ok(name, format!("in `{region}`"));
        }
        let found = format!("in `{region}`, and calls go to `{here}`");
        Check::fail(name, found, "name the bucket's region in the environment, or another bucket")
    }

    /// A lake belongs to one dataset.
    async fn owner(&self) -> Check {
        let (lake, dataset) = (&self.needs.lake, &self.needs.dataset);
        let name = format!("`s3://{}/{}`, dataset", lake.bucket, lake.prefix);
        match self.read(&format!("{}_sluice/dataset", lake.prefix)).await {
            Ok(owner) if owner.trim_ascii() == dataset.as_bytes() => Check::ok(name, "this one's lake"),
            Ok(owner) => Check::fail(
                name,
                format!("the lake of dataset `{}`, not of `{dataset}`", String::from_utf8_lossy(owner.trim_ascii())),
                "give the environment a prefix of its own",
            ),
            Err(error) if error.kind == Kind::NotFound => Check::ok(name, "nobody's yet; the first run takes it"),
            Err(error) => failed(name, &error),
        }
    }

    /// Whether a prefix can be listed.
    pub(super) async fn reach(&self, what: &str, bucket: &str, prefix: &str) -> Check {
        let name = format!("{what} `s3://{bucket}/{prefix}`");
        match self.first_below(bucket, prefix, &name).await {
            Ok(Some(_)) => Check::ok(name, "can be listed"),
            Ok(None) => Check::ok(name, "can be listed, and is empty"),
            Err(error) => failed(name, &error),
        }
    }

    /// The first key below a prefix.
    pub(super) async fn first_below(&self, bucket: &str, prefix: &str, what: &str) -> Result<Option<String>> {
        let call = || self.aws.s3().list_objects_v2().bucket(bucket).prefix(prefix).max_keys(1).send();
        let page = retry(&self.retry, "ListObjectsV2", what, call).await?;
        Ok(page.contents.unwrap_or_default().into_iter().next().and_then(|object| object.key))
    }

    /// Puts, reads, puts once more on condition that there is none, and deletes.
    async fn probe(&self) -> Vec<Check> {
        let lake = &self.needs.lake;
        let key = format!("{}_sluice/probe/{}", lake.prefix, uuid::Uuid::new_v4());
        let name = format!("`s3://{}/{}`", lake.bucket, lake.prefix);
        let (writing, commits) = (format!("{name}, writing"), format!("{name}, conditional writes"));
        let mut checks = match self.write_and_read(&key).await {
            Ok(()) => vec![Check::ok(writing, "an object was put and read"), self.conditional(commits, &key).await],
            Err(error) => vec![failed(writing, &error)],
        };
        if let Err(error) = self.delete(&key).await {
            checks.push(failed(format!("{name}, deleting"), &error));
        }
        checks
    }

    async fn write_and_read(&self, key: &str) -> Result<()> {
        // An attempt whose answer was lost has put it: then the condition does not hold, and what is read tells.
        match self.put(key).await {
            Err(error) if error.kind == Kind::Fenced => {}
            result => result?,
        }
        let read = self.read(key).await?;
        if read.as_ref() == PROBE {
            return Ok(());
        }
        let message = format!("{} bytes were put and {} others read", PROBE.len(), read.len());
        Err(PortError::new(Kind::Fatal, message))
    }

    /// Commits and leases rest on it that of two who put an object only one succeeds.
    async fn conditional(&self, name: String, key: &str) -> Check {
        match self.put(key).await {
            Err(error) if error.kind == Kind::Fenced => Check::ok(name, "of two puts the second was refused"),
            Err(error) => failed(name, &error),
            Ok(()) => Check::fail(
                name,
                "the second put of an object succeeded on condition that there is none: two hosts could both commit",
                "use a bucket of S3 itself, or a store that honours `If-None-Match`",
            ),
        }
    }

    async fn put(&self, key: &str) -> Result<()> {
        let lake = &self.needs.lake;
        let what = format!("`s3://{}/{key}`", lake.bucket);
        let call = || {
            let request = self.aws.s3().put_object().bucket(&lake.bucket).key(key).if_none_match("*");
            request
                .set_server_side_encryption(lake.kms_key.as_ref().map(|_| ServerSideEncryption::AwsKms))
                .set_ssekms_key_id(lake.kms_key.clone())
                .set_tagging(lake.tagged.then(|| "sluice=probe".to_owned()))
                .body(ByteStream::from_static(PROBE))
                .send()
        };
        retry(&self.retry, "PutObject", &what, call).await.map(drop)
    }

    async fn read(&self, key: &str) -> Result<Bytes> {
        let bucket = &self.needs.lake.bucket;
        let what = format!("`s3://{bucket}/{key}`");
        let call = || self.aws.s3().get_object().bucket(bucket).key(key).send();
        let found = retry(&self.retry, "GetObject", &what, call).await?;
        let data = found.body.collect().await;
        data.map(|data| data.into_bytes())
            .map_err(|error| PortError::new(Kind::Retry, format!("GetObject of {what} broke off: {error}")))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let bucket = &self.needs.lake.bucket;
        let what = format!("`s3://{bucket}/{key}`");
        let object = ObjectIdentifier::builder().key(key).build();
        let delete = object.and_then(|object| Delete::builder().objects(object).build());
        let delete =
            delete.map_err(|error| PortError::new(Kind::Fatal, format!("DeleteObjects of {what}: {error}")))?;
        let call = || self.aws.s3().delete_objects().bucket(bucket).delete(delete.clone()).send();
        let done = retry(&self.retry, "DeleteObjects", &what, call).await?;
        match done.errors.unwrap_or_default().first() {
            None => Ok(()),
            Some(error) => {
                let code = error.code.as_deref().unwrap_or("unknown");
                let kind = if code == "AccessDenied" { Kind::Denied } else { Kind::Fatal };
                Err(PortError::new(kind, format!("DeleteObjects of {what} failed: {code}")))
            }
        }
    }

    async fn queue(&self, url: &str) -> Check {
        let name = format!("queue `{url}`");
        let call = || self.aws.sqs().get_queue_attributes().queue_url(url).send();
        match retry(&self.retry, "GetQueueAttributes", &name, call).await {
            Ok(_) => Check::ok(name, "there"),
            Err(error) => failed(name, &error),
        }
    }
}
