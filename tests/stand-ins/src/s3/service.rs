//! The S3 operations that Sluice calls, over the stored objects.

use super::REGION;
use super::body::{Received, assemble, hex, tags};
use super::listing::{MAX_KEYS, Page};
use super::objects::{Attributes, Conditions, Object, Objects, Part, Upload};
use async_trait::async_trait;
use bytes::Bytes;
use s3s::dto::*;
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use std::sync::Arc;
use std::time::SystemTime;
use uuid::Uuid;

/// The S3 operations.
#[derive(Debug, Clone)]
pub(super) struct Operations {
    objects: Arc<Objects>,
}

type Answer<T> = S3Result<S3Response<T>>;

impl Operations {
    pub(super) fn new(objects: Arc<Objects>) -> Self {
        Self { objects }
    }

    fn store(&self, at: (&str, &str), chunks: &[Bytes], object: Written, conditions: &Conditions) -> S3Result<()> {
        self.objects.check_bucket(at.0)?;
        let file = self.objects.write(chunks).map_err(|error| s3_error!(error, InternalError))?;
        let size = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let Written { etag, attributes } = object;
        let object = Object { file, size, etag, modified: SystemTime::now(), attributes };
        self.objects.put(at.0, at.1, object, conditions)
    }
}

/// A body's ETag with what its writer said.
struct Written {
    etag: String,
    attributes: Attributes,
}

#[async_trait]
impl S3 for Operations {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        if !self.objects.create_bucket(&request.input.bucket)? {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        let named = |name| Bucket { name: Some(name), ..Bucket::default() };
        let buckets = Some(self.objects.buckets().into_iter().map(named).collect());
        Ok(S3Response::new(ListBucketsOutput { buckets, ..ListBucketsOutput::default() }))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.objects.check_bucket(&request.input.bucket)?;
        let bucket_region = Some(REGION.to_owned());
        Ok(S3Response::new(HeadBucketOutput { bucket_region, ..HeadBucketOutput::default() }))
    }

    async fn get_bucket_location(&self, request: S3Request<GetBucketLocationInput>) -> Answer<GetBucketLocationOutput> {
        self.objects.check_bucket(&request.input.bucket)?;
        let location_constraint = Some(BucketLocationConstraint::from_static(REGION));
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let input = request.input;
        let body = Received::read(input.body, input.checksum_crc32.as_deref(), request.trailing_headers).await?;
        let attributes = Attributes {
            metadata: input.metadata.map(|map| map.into_iter().collect()),
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            crc32: Some(body.crc32),
            encryption: input.server_side_encryption.map(|name| name.as_str().to_owned()),
            kms_key: input.ssekms_key_id,
            storage_class: input.storage_class.map(|name| name.as_str().to_owned()),
            tags: tags(input.tagging.as_deref())?,
        };
        let written = Written { etag: hex(&body.md5), attributes };
        let output = PutObjectOutput {
            e_tag: Some(ETag::Strong(written.etag.clone())),
            checksum_crc32: written.attributes.crc32.clone(),
            ..PutObjectOutput::default()
        };
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        self.store((&input.bucket, &input.key), &body.chunks, written, &conditions)?;
        Ok(S3Response::new(output))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        let input = request.input;
        let (object, range, data) = self.objects.read(&input.bucket, &input.key, |object| {
            let condition = Conditions { if_match: input.if_match.clone(), if_none_match: None };
            condition.check(Some(object))?;
            let whole = 0..object.size;
            input.range.map_or(Ok(whole), |range| range.check(object.size).map_err(Into::into))
        })?;
        let whole = range.end - range.start == object.size;
        let content_range = input.range.map(|_| format!("bytes {}-{}/{}", range.start, range.end - 1, object.size));
        let head = head(&object);
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::from(Body::from(data))),
            content_length: Some((range.end - range.start) as i64),
            content_range,
            checksum_crc32: head.checksum_crc32.filter(|_| whole),
            content_encoding: head.content_encoding,
            content_type: head.content_type,
            e_tag: head.e_tag,
            last_modified: head.last_modified,
            metadata: head.metadata,
            server_side_encryption: head.server_side_encryption,
            ssekms_key_id: head.ssekms_key_id,
            storage_class: head.storage_class,
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        let object = self.objects.get(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(head(&object)))
    }

    async fn get_object_tagging(&self, request: S3Request<GetObjectTaggingInput>) -> Answer<GetObjectTaggingOutput> {
        let object = self.objects.get(&request.input.bucket, &request.input.key)?;
        let tag = |(key, value): &(String, String)| Tag { key: Some(key.clone()), value: Some(value.clone()) };
        let tag_set = object.attributes.tags.iter().map(tag).collect();
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id: None }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        self.objects.delete(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        if delete.objects.len() > MAX_KEYS {
            return Err(s3_error!(MalformedXML));
        }
        let mut deleted = Vec::new();
        for object in delete.objects {
            self.objects.delete(&bucket, &object.key)?;
            deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
        }
        let deleted = (!delete.quiet.unwrap_or_default()).then_some(deleted);
        Ok(S3Response::new(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() }))
    }

    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
        let input = request.input;
        let limit = usize::try_from(input.max_keys.unwrap_or(MAX_KEYS as i32)).unwrap_or(0).min(MAX_KEYS);
        let page = Page::list(&self.objects, &input, limit)?;
        let key_count = Some((page.objects.len() + page.prefixes.len()) as i32);
        let prefix = |prefix| CommonPrefix { prefix: Some(prefix) };
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            max_keys: Some(limit as i32),
            key_count,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next,
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            contents: Some(page.objects),
            common_prefixes: Some(page.prefixes.into_iter().map(prefix).collect()),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        let input = request.input;
        self.objects.check_bucket(&input.bucket)?;
        let attributes = Attributes {
            metadata: input.metadata.map(|map| map.into_iter().collect()),
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            crc32: None,
            encryption: input.server_side_encryption.map(|name| name.as_str().to_owned()),
            kms_key: input.ssekms_key_id,
            storage_class: input.storage_class.map(|name| name.as_str().to_owned()),
            tags: tags(input.tagging.as_deref())?,
        };
        let (bucket, key) = (input.bucket, input.key);
        let id = Uuid::new_v4().to_string();
        let started = SystemTime::now();
        let upload =
            Upload { bucket: bucket.clone(), key: key.clone(), started, attributes, parts: Default::default() };
        self.objects.uploads(|uploads| uploads.insert(id.clone(), upload));
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        let input = request.input;
        if !(1..=10_000).contains(&input.part_number) {
            return Err(s3_error!(InvalidArgument, "part numbers go from 1 to 10000"));
        }
        let body = Received::read(input.body, input.checksum_crc32.as_deref(), request.trailing_headers).await?;
        let part = Part { data: body.chunks.concat().into(), md5: body.md5 };
        self.objects.uploads(|uploads| -> S3Result<()> {
            let upload = uploads.get_mut(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
            upload.parts.insert(input.part_number, part);
            Ok(())
        })?;
        let e_tag = Some(ETag::Strong(hex(&body.md5)));
        Ok(S3Response::new(UploadPartOutput { e_tag, checksum_crc32: Some(body.crc32), ..UploadPartOutput::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let CompleteMultipartUploadInput { bucket, key, upload_id, if_match, if_none_match, multipart_upload, .. } =
            request.input;
        let upload = self.objects.uploads(|uploads| uploads.get(&upload_id).cloned());
        let upload = upload.ok_or_else(|| s3_error!(NoSuchUpload))?;
        let named = multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let (chunks, etag) = assemble(&upload, &named)?;
        let written = Written { etag: etag.clone(), attributes: upload.attributes };
        self.store((&bucket, &key), &chunks, written, &Conditions { if_match, if_none_match })?;
        self.objects.uploads(|uploads| uploads.remove(&upload_id));
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(ETag::Strong(etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        let known = self.objects.uploads(|uploads| uploads.remove(&request.input.upload_id));
        known.ok_or_else(|| s3_error!(NoSuchUpload))?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        let ListMultipartUploadsInput { bucket, prefix, .. } = request.input;
        self.objects.check_bucket(&bucket)?;
        let wanted = prefix.clone().unwrap_or_default();
        let listed = self.objects.uploads(|uploads| {
            let here = uploads.iter().filter(|(_, upload)| upload.bucket == bucket && upload.key.starts_with(&wanted));
            let entry = |(id, upload): (&String, &Upload)| MultipartUpload {
                key: Some(upload.key.clone()),
                upload_id: Some(id.clone()),
                initiated: Some(upload.started.into()),
                ..MultipartUpload::default()
            };
            here.map(entry).collect()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(bucket),
            prefix,
            is_truncated: Some(false),
            uploads: Some(listed),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

fn head(object: &Object) -> HeadObjectOutput {
    let attributes = object.attributes.clone();
    HeadObjectOutput {
        content_length: Some(object.size as i64),
        content_type: attributes.content_type,
        content_encoding: attributes.content_encoding,
        checksum_crc32: attributes.crc32,
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(object.modified.into()),
        metadata: attributes.metadata.map(|map| map.into_iter().collect()),
        server_side_encryption: attributes.encryption.map(ServerSideEncryption::from),
        ssekms_key_id: attributes.kms_key,
        storage_class: attributes.storage_class.map(StorageClass::from),
        ..HeadObjectOutput::default()
    }
}
