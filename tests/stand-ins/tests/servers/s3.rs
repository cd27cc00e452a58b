//! S3: what Sluice stands on, against the server here and, where it can, against `s3s-fs` as a second opinion.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use sluice_stand_ins::s3::{self, S3Server};
use std::collections::BTreeSet;
use tempfile::TempDir;

const BUCKET: &str = "lake";

async fn started() -> (S3Server, Client) {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET).await.unwrap();
    let client = server.client();
    (server, client)
}

/// `s3s-fs` on a listener of its own.
async fn second_opinion() -> (TempDir, Client) {
    let folder = tempfile::tempdir().unwrap();
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
    service.set_auth(SimpleAuth::from_single(s3::ACCESS_KEY, s3::ACCESS_KEY));
    let service = service.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = s3::client(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let io = hyper_util::rt::TokioIo::new(stream);
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(io, service.clone());
            tokio::spawn(connection);
        }
    });
    s3::create_bucket(&client, BUCKET).await.unwrap();
    (folder, client)
}

async fn put(client: &Client, key: &str, body: &str) -> String {
    let body = ByteStream::from(body.as_bytes().to_vec());
    let done = client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
    done.e_tag().unwrap().to_owned()
}

async fn get(client: &Client, key: &str) -> Vec<u8> {
    let object = client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    object.body.collect().await.unwrap().to_vec()
}

/// What both servers must answer alike, as lines.
async fn transcript(client: &Client) -> Vec<String> {
    let mut lines = Vec::new();
    let etag = put(client, "a/one", "first").await;
    lines.push(format!("put {etag}"));
    let again = client.put_object().bucket(BUCKET).key("a/one").if_none_match("*").body("x".as_bytes().to_vec().into());
    lines.push(format!("if-none-match {:?}", again.send().await.unwrap_err().code()));
    let stale =
        client.put_object().bucket(BUCKET).key("a/one").if_match("\"0123\"").body("x".as_bytes().to_vec().into());
    lines.push(format!("stale if-match {:?}", stale.send().await.unwrap_err().code()));
    let right =
        client.put_object().bucket(BUCKET).key("a/one").if_match(&etag).body("second".as_bytes().to_vec().into());
    lines.push(format!("right if-match {:?}", right.send().await.unwrap().e_tag()));
    let part = client.get_object().bucket(BUCKET).key("a/one").range("bytes=1-3").send().await.unwrap();
    lines.push(format!("range {:?} {:?}", part.content_range(), part.content_length()));
    let missing = client.get_object().bucket(BUCKET).key("a/none").send().await.unwrap_err();
    lines.push(format!("missing {:?}", missing.code()));
    put(client, "a/b/two", "2").await;
    put(client, "c", "3").await;
    let listed = client.list_objects_v2().bucket(BUCKET).delimiter("/").prefix("a/").send().await.unwrap();
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    let prefixes: Vec<_> = listed.common_prefixes().iter().filter_map(|prefix| prefix.prefix()).collect();
    lines.push(format!("list {keys:?} {prefixes:?} {:?}", listed.is_truncated()));
    let head = client.head_object().bucket(BUCKET).key("a/one").send().await.unwrap();
    lines.push(format!("head {:?} {:?}", head.content_length(), head.e_tag()));
    client.delete_object().bucket(BUCKET).key("never").send().await.unwrap();
    lines.push(format!("multipart {}", multipart(client, "m", &[5 << 20, 7]).await.unwrap()));
    lines.push(format!("small part {:?}", multipart(client, "n", &[1024, 7]).await));
    lines.push(format!("no upload {:?}", client.create_bucket().bucket("B").send().await.is_err()));
    lines
}

async fn multipart(client: &Client, key: &str, sizes: &[usize]) -> Result<String, String> {
    let upload = client.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap();
    let id = upload.upload_id().unwrap();
    let mut parts = CompletedMultipartUpload::builder();
    for (at, size) in sizes.iter().enumerate() {
        let number = at as i32 + 1;
        let body = ByteStream::from(vec![b'x'; *size]);
        let part = client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number).body(body);
        let part = part.send().await.unwrap();
        parts = parts.parts(CompletedPart::builder().part_number(number).e_tag(part.e_tag().unwrap()).build());
    }
    let complete = client.complete_multipart_upload().bucket(BUCKET).key(key).upload_id(id);
    let done = complete.multipart_upload(parts.build()).send().await;
    done.map(|done| done.e_tag().unwrap().to_owned()).map_err(|error| error.code().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn answers_as_the_second_opinion_does() {
    let (_server, ours) = started().await;
    let (_folder, theirs) = second_opinion().await;
    assert_eq!(transcript(&ours).await, transcript(&theirs).await);
}

#[tokio::test]
async fn one_of_many_writers_creates_an_object() {
    let (_server, client) = started().await;
    for round in 0..20 {
        let key = format!("race/{round}");
        let writers = (0..8).map(|writer| {
            let body = ByteStream::from(format!("writer {writer}").into_bytes());
            let put = client.put_object().bucket(BUCKET).key(&key).if_none_match("*").body(body).send();
            tokio::spawn(async move { put.await.map(|_| writer).map_err(|error| error.code().map(str::to_owned)) })
        });
        let mut winners = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                Ok(writer) => winners.push(writer),
                Err(code) => assert_eq!(code.as_deref(), Some("PreconditionFailed")),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(get(&client, &key).await, format!("writer {}", winners[0]).into_bytes());
    }
}

#[tokio::test]
async fn one_of_many_writers_replaces_an_object() {
    let (_server, client) = started().await;
    let mut etag = put(&client, "lease", "0").await;
    for round in 1..20 {
        let writers = (0..4).map(|writer| {
            let body = ByteStream::from(format!("{round} {writer}").into_bytes());
            let put = client.put_object().bucket(BUCKET).key("lease").if_match(&etag).body(body).send();
            tokio::spawn(async move { put.await.ok().and_then(|done| done.e_tag) })
        });
        let mut won = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            won.extend(writer.await.unwrap());
        }
        assert_eq!(won.len(), 1);
        etag.clone_from(&won[0]);
    }
    let gone = client.put_object().bucket(BUCKET).key("none").if_match(&etag).body(ByteStream::from_static(b"x"));
    assert_eq!(gone.send().await.unwrap_err().code(), Some("NoSuchKey"));
}

#[tokio::test]
async fn lists_in_pages_with_etags() {
    let (_server, client) = started().await;
    let mut written = BTreeSet::new();
    for number in 0..57 {
        let key = format!("p/{}/{number:03}", number % 3);
        let etag = put(&client, &key, &number.to_string()).await;
        written.insert((key, etag));
    }
    put(&client, "q", "outside").await;
    let mut pages = client.list_objects_v2().bucket(BUCKET).prefix("p/").max_keys(10).into_paginator().send();
    let (mut listed, mut count) = (BTreeSet::new(), 0);
    while let Some(page) = pages.next().await {
        count += 1;
        let entry =
            |object: &aws_sdk_s3::types::Object| (object.key().unwrap().to_owned(), object.e_tag().unwrap().to_owned());
        listed.extend(page.unwrap().contents().iter().map(entry));
    }
    assert_eq!((listed, count), (written, 6));
}

#[tokio::test]
async fn lists_common_prefixes_in_pages() {
    let (_server, client) = started().await;
    for number in 0..40 {
        put(&client, &format!("d/{}/{number}", number / 4), "x").await;
    }
    put(&client, "d/zz", "x").await;
    let list = client.list_objects_v2().bucket(BUCKET).prefix("d/").delimiter("/").max_keys(3);
    let mut pages = list.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        found.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
        found.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    let expected: Vec<_> = (0..10).map(|n| format!("d/{n}/")).chain(["d/zz".to_owned()]).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_aborted_upload_is_gone_and_one_under_way_is_listed() {
    let (_server, client) = started().await;
    let key = format!("long/{}", "k".repeat(900));
    let upload = client.create_multipart_upload().bucket(BUCKET).key(&key).send().await.unwrap();
    let listed = client.list_multipart_uploads().bucket(BUCKET).prefix("long/").send().await.unwrap();
    assert_eq!(listed.uploads()[0].upload_id(), upload.upload_id());
    assert_eq!(listed.uploads()[0].key(), Some(key.as_str()));
    let id = upload.upload_id().unwrap();
    client.abort_multipart_upload().bucket(BUCKET).key(&key).upload_id(id).send().await.unwrap();
    assert!(client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap().uploads().is_empty());
    let part = client.upload_part().bucket(BUCKET).key(&key).upload_id(id).part_number(1);
    let refused = part.body(ByteStream::from_static(b"x")).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("NoSuchUpload"));
    assert_eq!(multipart(&client, &key, &[6 << 20, 6 << 20, 1]).await.unwrap().split_once('-').unwrap().1, "3\"");
    assert_eq!(get(&client, &key).await.len(), (12 << 20) + 1);
}

#[tokio::test]
async fn deletes_many_keeps_tags_and_tells_its_region() {
    let (_server, client) = started().await;
    let put = client.put_object().bucket(BUCKET).key("tagged").tagging("team=data&stage=test");
    put.body(ByteStream::from_static(b"x")).send().await.unwrap();
    let tags = client.get_object_tagging().bucket(BUCKET).key("tagged").send().await.unwrap();
    let tags: Vec<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(tags, [("team", "data"), ("stage", "test")]);
    let head = client.head_bucket().bucket(BUCKET).send().await.unwrap();
    assert_eq!(head.bucket_region(), Some(s3::REGION));
    let location = client.get_bucket_location().bucket(BUCKET).send().await.unwrap();
    assert_eq!(location.location_constraint().map(|region| region.as_str()), Some(s3::REGION));
    let id = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder().objects(id("tagged")).objects(id("never")).build().unwrap();
    let deleted = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!(deleted.deleted().len(), 2);
    let missing = client.head_object().bucket(BUCKET).key("tagged").send().await.unwrap_err();
    assert!(missing.into_service_error().is_not_found());
}

#[tokio::test]
async fn a_folder_keeps_the_objects() {
    let folder = tempfile::tempdir().unwrap();
    let first = S3Server::start_at(folder.path()).await.unwrap();
    first.create_bucket(BUCKET).await.unwrap();
    let etag = put(&first.client(), "kept", "here").await;
    put(&first.client(), "deleted", "x").await;
    first.client().delete_object().bucket(BUCKET).key("deleted").send().await.unwrap();
    drop(first);
    let second = S3Server::start_at(folder.path()).await.unwrap();
    let listed = second.client().list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let listed: Vec<_> = listed.contents().iter().map(|object| (object.key(), object.e_tag())).collect();
    assert_eq!(listed, [(Some("kept"), Some(etag.as_str()))]);
    assert_eq!(get(&second.client(), "kept").await, b"here");
}

#[tokio::test]
async fn a_stranger_is_refused() {
    let (server, _) = started().await;
    let config = server.client().config().to_builder();
    let stranger = aws_credential_types::Credentials::new("other", "other", None, None, "test");
    let client = Client::from_conf(config.credentials_provider(stranger).build());
    assert!(client.list_objects_v2().bucket(BUCKET).send().await.is_err());
}
