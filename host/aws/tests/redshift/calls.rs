//! The client of the Data API by itself.

use crate::world::World;
use sluice_aws::redshift::{Failure, Session, Value, Work};
use sluice_ports::{Kind, ObjectFormat};
use std::time::Duration;

async fn world() -> World {
    World::with(ObjectFormat::Parquet, |options| options.page_rows = 100).await
}

fn work<'a>(statements: &'a [String], token: &'a str, session: Session<'a>) -> Work<'a> {
    Work { statements, token, name: token, session }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_in_pages_and_in_order() {
    let world = world().await;
    world.sql("CREATE TABLE numbers AS SELECT i::bigint, 'n' || i AS name FROM generate_series(1, 1050) i").await;
    let rows = world.api().run("pages", "SELECT i, name FROM numbers ORDER BY i").await.unwrap();
    assert_eq!(rows.rows.len(), 1050);
    assert_eq!(rows.rows[1049], [Value::Long(1050), Value::Text("n1050".into())]);
    assert_eq!(rows.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["i", "name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_handed_in_twice_is_one_statement() {
    let (world, statements) = (world().await, ["CREATE TABLE once (a BIGINT)".to_owned()]);
    let api = world.api();
    let first = api.submit(work(&statements, "the-same", Session::Own)).await.unwrap();
    let second = api.submit(work(&statements, "the-same", Session::Own)).await.unwrap();
    assert_eq!(first.id, second.id);
    api.wait(&second.id).await.unwrap();
    let other = api.submit(work(&statements, "another", Session::Own)).await.unwrap();
    let failed = api.wait(&other.id).await.unwrap_err();
    assert!(matches!(&failed, Failure::Statement(failed) if failed.text.contains("already exists")), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_found_by_their_exact_name() {
    let (world, statements) = (world().await, ["SELECT 1".to_owned()]);
    let api = world.api();
    for name in ["load-1", "load-12"] {
        let submitted = api.submit(work(&statements, name, Session::Own)).await.unwrap();
        api.wait(&submitted.id).await.unwrap();
        assert_eq!(api.find(name).await.unwrap().unwrap().id, submitted.id);
    }
    assert_eq!(api.find("load").await.unwrap(), None, "a prefix is another name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_transaction_that_counts_rows() {
    let world = world().await;
    let api = world.api();
    world.sql("CREATE TABLE t (a bigint)").await;
    let good = ["INSERT INTO t VALUES (1), (2), (3)".to_owned(), "DELETE FROM t WHERE a = 1".to_owned()];
    assert_eq!(api.finish("good", &good).await.unwrap().rows, [3, 1]);
    let bad = ["INSERT INTO t VALUES (9)".to_owned(), "INSERT INTO nowhere VALUES (1)".to_owned()];
    assert!(matches!(api.finish("bad", &bad).await.unwrap_err(), Failure::Statement(_)));
    let rows = api.run("count", "SELECT COUNT(*) FROM t").await.unwrap();
    assert_eq!(rows.at(0, 0), &Value::Long(2), "nothing of the failed batch is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_tables_live_as_long_as_their_session() {
    let world = world().await;
    let api = world.api();
    let make = ["CREATE TEMP TABLE stage (a BIGINT)".to_owned()];
    let made = api.submit(work(&make, "make", Session::Keep(60))).await.unwrap();
    api.wait(&made.id).await.unwrap();
    let session = made.session.unwrap();
    let fill = ["INSERT INTO stage VALUES (1)".to_owned(), "SELECT COUNT(*) FROM stage".to_owned()];
    let filled = api.submit(work(&fill, "fill", Session::In(&session))).await.unwrap();
    assert_eq!(api.wait(&filled.id).await.unwrap().rows, [1, 1]);
    world.redshift.lose_sessions().await.unwrap();
    let lost = match api.submit(work(&fill, "again", Session::In(&session))).await {
        Ok(submitted) => api.wait(&submitted.id).await.unwrap_err(),
        Err(failure) => failure,
    };
    assert!(matches!(lost, Failure::SessionLost(_)), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_cancelled() {
    let (world, statements) = (world().await, ["SELECT 1 AS slow".to_owned()]);
    world.redshift.faults().slow("slow", Duration::from_secs(20), 1);
    let api = world.api();
    let submitted = api.submit(work(&statements, "slow", Session::Own)).await.unwrap();
    api.cancel(&submitted.id).await.unwrap();
    let ended = api.wait(&submitted.id).await.unwrap_err();
    assert!(matches!(ended, Failure::Statement(_)), "{ended:?}");
    api.cancel(&submitted.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_remembered_is_not_found() {
    let world = world().await;
    let Err(Failure::Port(error)) = world.api().wait("00000000-0000-0000-0000-000000000000").await else {
        panic!("nobody knows this statement");
    };
    assert_eq!(error.kind, Kind::NotFound, "{error}");
}
