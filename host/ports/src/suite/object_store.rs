//! The contract of [`ObjectStore`].

use crate::{Kind, ObjectStore};
use bytes::Bytes;
use std::sync::Arc;

/// Runs the contract on stores made at places.
///
/// # Panics
/// Where the contract is broken.
pub async fn object_store<S: ObjectStore + 'static>(make: impl AsyncFn(&str) -> S) {
    absent_objects_are_not_found(&make("absent").await).await;
    puts_are_whole_and_replace(&make("replace").await).await;
    listings_are_ordered_by_name_and_cut_by_prefix(&make("list").await).await;
    deletes_are_idempotent(&make("delete").await).await;
    bad_names_are_refused(&make("names").await).await;
    stores_of_one_place_share_objects(&make("shared").await, &make("shared").await).await;
    objects_put_again_under_deleted_folders_are_there(&make("again").await).await;
    puts_from_many_tasks_are_whole(Arc::new(make("race").await)).await;
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn names<S: ObjectStore>(store: &S, prefix: &str) -> Vec<String> {
    store.list(prefix).await.unwrap().into_iter().map(|object| object.name).collect()
}

async fn absent_objects_are_not_found<S: ObjectStore>(store: &S) {
    for name in ["absent", "a/b/absent"] {
        assert_eq!(store.get(name).await.unwrap_err().kind, Kind::NotFound, "get of an absent object");
    }
    assert!(names(store, "").await.is_empty(), "a new store is empty");
    assert!(names(store, "no/such/").await.is_empty(), "an absent prefix lists nothing and is no error");
    store.sync().await.expect("sync of nothing");
    store.clean().await.expect("clean of nothing");
}

async fn puts_are_whole_and_replace<S: ObjectStore>(store: &S) {
    let large =
        Bytes::from((0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>());
    for data in [bytes("first"), large, Bytes::new(), bytes("last")] {
        store.put("silver/country=France/day=2010-12-01/x.parquet", data.clone()).await.unwrap();
        let got = store.get("silver/country=France/day=2010-12-01/x.parquet").await.unwrap();
        assert!(got == data, "a put replaces the object whole ({} bytes put, {} got)", data.len(), got.len());
        let listed = store.list("silver/").await.unwrap();
        assert_eq!(listed.len(), 1, "an object put again is one object");
        assert_eq!(listed[0].size, data.len() as u64, "a listing gives the size");
        store.sync().await.unwrap();
    }
    store.clean().await.unwrap();
    assert_eq!(store.get("silver/country=France/day=2010-12-01/x.parquet").await.unwrap(), bytes("last"));
}

async fn listings_are_ordered_by_name_and_cut_by_prefix<S: ObjectStore>(store: &S) {
    // `-` and `.` sort before `/`, so the order of names is not the order of folders
    let mut all = ["a/b/c", "a-b", "a.b", "ab", "a/b2", "b", "a/b/%20=x_-.y", "gold/per_day/x", "gold/per_day2/x"];
    for name in all {
        store.put(name, bytes(name)).await.unwrap();
    }
    all.sort_unstable();
    assert_eq!(names(store, "").await, all, "a listing is in the order of names");
    for prefix in ["a", "a/", "a/b", "a/b/", "gold/per_day", "gold/per_day/", "gold/per_day2/x", "z"] {
        let expected: Vec<&str> = all.iter().copied().filter(|name| name.starts_with(prefix)).collect();
        assert_eq!(names(store, prefix).await, expected, "a prefix is one of names, not of folders: `{prefix}`");
    }
}

async fn deletes_are_idempotent<S: ObjectStore>(store: &S) {
    for name in ["a/x=1/one", "a/x=1/two", "a/three"] {
        store.put(name, bytes(name)).await.unwrap();
    }
    let gone = ["a/x=1/one".to_owned(), "never/was".to_owned(), "a/three".to_owned()];
    store.delete(&gone).await.expect("deleting what is not there is no error");
    assert_eq!(names(store, "").await, ["a/x=1/two"]);
    store.delete(&gone).await.expect("deleting twice is no error");
    store.delete(&[]).await.unwrap();
    store.sync().await.unwrap();
    assert_eq!(store.get("a/three").await.unwrap_err().kind, Kind::NotFound, "a deleted object is gone");
}

async fn bad_names_are_refused<S: ObjectStore>(store: &S) {
    for name in ["", "/", "/etc/x", "a//b", "a/", "../x", "a/../../x", "a/./b", ".", ".."] {
        let error = store.put(name, bytes("x")).await.expect_err(&format!("`{name}` is no name"));
        assert_eq!(error.kind, Kind::Fatal, "{error}");
        assert!(error.message.contains(&format!("`{name}`")), "the error names the object: {error}");
    }
    assert!(names(store, "").await.is_empty(), "a refused put leaves nothing");
}

async fn stores_of_one_place_share_objects<S: ObjectStore>(one: &S, other: &S) {
    one.put("a", bytes("1")).await.unwrap();
    assert_eq!(other.get("a").await.unwrap(), bytes("1"));
    other.delete(&["a".to_owned()]).await.unwrap();
    assert_eq!(one.get("a").await.unwrap_err().kind, Kind::NotFound);
}

async fn objects_put_again_under_deleted_folders_are_there<S: ObjectStore>(store: &S) {
    for round in 0..3 {
        store.put("silver/day=1/x", bytes("x")).await.unwrap();
        store.sync().await.unwrap();
        store.delete(&["silver/day=1/x".to_owned()]).await.unwrap();
        store.sync().await.unwrap();
        assert!(names(store, "silver/").await.is_empty(), "round {round}");
    }
}

async fn puts_from_many_tasks_are_whole<S: ObjectStore + 'static>(store: Arc<S>) {
    let put = |task: u8| {
        let store = store.clone();
        tokio::spawn(async move {
            for i in 0..20 {
                store.put("race/same", Bytes::from(vec![task; 10_000])).await.unwrap();
                store.put(&format!("race/t={task}/{i}"), Bytes::from(vec![task; 10])).await.unwrap();
                let same = store.get("race/same").await.unwrap();
                assert_eq!(same.len(), 10_000, "an object is there whole or not at all");
                assert!(same.iter().all(|byte| *byte == same[0]), "an object is one put's, not two puts'");
                if i % 7 == 0 {
                    store.sync().await.unwrap();
                }
            }
        })
    };
    for task in (0..4).map(put).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(store.list("race/").await.unwrap().len(), 81);
}
