//! Objects.

use super::{faulty, lake, server, store};
use bytes::Bytes;
use sluice_aws::client::Aws;
use sluice_aws::s3::{S3Lake, S3Store};
use sluice_ports::{Kind, ObjectStore, suite};
use sluice_stand_ins::proxy::{Fault, Rule};

/// Bytes that differ from part to part.
fn large(bytes: usize) -> Bytes {
    Bytes::from((0..bytes as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_bucket_keeps_the_contract_of_stores() {
    let server = server().await;
    let aws = Aws::for_endpoint(&server.endpoint());
    suite::object_store(async |place: &str| store(&aws, place)).await;
}

#[tokio::test]
async fn a_store_sees_its_own_prefix_alone_and_nothing_of_the_log() {
    let server = server().await;
    let aws = Aws::for_endpoint(&server.endpoint());
    let (one, other) = (store(&aws, "a"), store(&aws, "a/b"));
    one.put("x", Bytes::from_static(b"1")).await.unwrap();
    other.put("x", Bytes::from_static(b"2")).await.unwrap();
    one.put("_sluice/state/x", Bytes::from_static(b"s")).await.unwrap();
    for name in ["a/_sluice/log/000000000001.cut", "a/_sluice/lease", "a/_sluice/dataset", "a/by-hand/"] {
        server.client().put_object().bucket("lake").key(name).send().await.unwrap();
    }
    let names: Vec<String> = one.list("").await.unwrap().into_iter().map(|object| object.name).collect();
    assert_eq!(names, ["_sluice/state/x", "b/x", "x"]);
    assert_eq!(other.list("").await.unwrap().len(), 1);
    assert_eq!(one.url("x"), "s3://lake/a/x");
    assert_eq!(one.delete(&["_sluice/lease".to_owned()]).await.unwrap_err().kind, Kind::Fatal);
}

#[tokio::test]
async fn ranges_and_heads_tell_when_an_object_was_written_again() {
    let server = server().await;
    let store = store(&Aws::for_endpoint(&server.endpoint()), "r");
    store.put("x", Bytes::from_static(b"0123456789")).await.unwrap();
    let head = store.head("x").await.unwrap();
    assert_eq!(head.size, 10);
    assert_eq!(store.get_range("x", 2..5, Some(&head.etag)).await.unwrap(), "234");
    assert_eq!(store.get_range("x", 8..100, None).await.unwrap(), "89");
    assert_eq!(store.get_range("x", 5..5, None).await.unwrap(), "");
    store.put("x", Bytes::from_static(b"abcdefghij")).await.unwrap();
    let changed = store.get_range("x", 2..5, Some(&head.etag)).await.unwrap_err();
    assert_eq!(changed.kind, Kind::Changed, "{changed}");
    for absent in [store.head("none").await.map(|_| ()), store.get_range("none", 0..1, None).await.map(|_| ())] {
        assert_eq!(absent.unwrap_err().kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn a_large_object_goes_in_parts_and_comes_back_whole() {
    let (server, proxy, aws) = faulty(vec![]).await;
    let store = S3Store::new(aws, S3Lake { part_bytes: 6 << 20, ..lake("parts") });
    let data = large((20 << 20) + 7);
    store.put("silver/x", data.clone()).await.unwrap();
    assert!(store.get("silver/x").await.unwrap() == data, "the parts are in order");
    let calls = proxy.calls();
    assert_eq!((calls.get("UploadPart"), calls.get("PutObject")), (Some(&4), None), "{calls:?}");
    store.put("silver/x", Bytes::from_static(b"small")).await.unwrap();
    assert_eq!(store.get("silver/x").await.unwrap(), "small");
    assert!(uploads(&server).await.is_empty());
}

async fn uploads(server: &sluice_stand_ins::s3::S3Server) -> Vec<String> {
    let page = server.client().list_multipart_uploads().bucket("lake").send().await.unwrap();
    page.uploads.unwrap_or_default().into_iter().filter_map(|upload| upload.key).collect()
}

#[tokio::test]
async fn an_upload_that_fails_is_aborted() {
    let denied = Fault::Custom { status: 403, code: "AccessDenied".to_owned() };
    let (server, proxy, aws) = faulty(vec![Rule::new("UploadPart", denied).skip(2)]).await;
    let store = store(&aws, "abort");
    let error = store.put("x", large(40 << 20)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied, "{error}");
    assert!(error.message.contains("`s3:PutObject` on `s3://lake/abort/x`"), "{error}");
    assert_eq!(store.get("x").await.unwrap_err().kind, Kind::NotFound);
    assert!(uploads(&server).await.is_empty(), "no part is kept");
    assert_eq!(proxy.calls()["AbortMultipartUpload"], 1);
}

#[tokio::test]
async fn parts_survive_throttles_and_lost_answers() {
    let rules = vec![
        Rule::new("UploadPart", Fault::Throttle).times(2),
        Rule::new("UploadPart", Fault::TimeoutAfter).skip(1).times(1),
        Rule::new("CompleteMultipartUpload", Fault::TimeoutAfter).times(1),
    ];
    let (server, proxy, aws) = faulty(rules).await;
    let store = store(&aws, "lost");
    let data = large(20 << 20);
    store.put("x", data.clone()).await.unwrap();
    assert!(store.get("x").await.unwrap() == data);
    assert!(uploads(&server).await.is_empty());
    assert!(proxy.injected().len() >= 3, "{:?}", proxy.injected());
}

#[tokio::test]
async fn cleaning_aborts_what_a_dead_process_was_uploading() {
    let server = server().await;
    let client = server.client();
    for key in ["dead/silver/x", "dead/silver/y", "others/z"] {
        client.create_multipart_upload().bucket("lake").key(key).send().await.unwrap();
    }
    store(&Aws::for_endpoint(&server.endpoint()), "dead").clean().await.unwrap();
    assert_eq!(uploads(&server).await, ["others/z"]);
}

#[tokio::test]
async fn listings_and_deletes_go_past_a_thousand() {
    let (_server, proxy, aws) = faulty(vec![]).await;
    let store = store(&aws, "many");
    let names: Vec<String> = (0..2_100).map(|i| format!("silver/{i:05}")).collect();
    let puts = names.chunks(300).map(|some| {
        let (store, some) = (store.clone(), some.to_vec());
        tokio::spawn(async move {
            for name in some {
                store.put(&name, Bytes::from_static(b"x")).await.unwrap();
            }
        })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap();
    }
    let listed: Vec<String> = store.list("silver/").await.unwrap().into_iter().map(|object| object.name).collect();
    assert_eq!(listed, names);
    store.delete(&names).await.unwrap();
    assert!(store.list("").await.unwrap().is_empty());
    let calls = proxy.calls();
    assert_eq!((calls["ListObjectsV2"], calls["DeleteObjects"]), (4, 3), "{calls:?}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_not_an_empty_lake() {
    let server = server().await;
    let store = S3Store::new(Aws::for_endpoint(&server.endpoint()), S3Lake::new("sea", ""));
    for error in [store.list("").await.map(|_| ()), store.get("x").await.map(|_| ())] {
        let error = error.unwrap_err();
        assert_eq!(error.kind, Kind::Fatal, "{error}");
        assert!(error.message.contains("create the bucket"), "{error}");
    }
}
