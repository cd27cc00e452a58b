//! Batches: one transaction, and how it is kept apart from others.

use crate::world::World;
use aws_sdk_redshiftdata::types::{ExecutionMode, StatementStatusString, StatusString};
use sluice_stand_ins::redshift::{Isolation, RedshiftOptions};
use std::time::Duration;

#[tokio::test]
async fn a_batch_commits_whole_or_not_at_all() {
    let world = World::start().await;
    world.done("CREATE TABLE t (a int)").await;
    let end = world.batch(&["INSERT INTO t VALUES (1)", "SELECT count(*) FROM t", "INSERT INTO t VALUES (2)"]).await;
    assert_eq!((end.status.clone(), end.has_result_set), (Some(StatusString::Finished), Some(true)));
    assert_eq!(end.sub_statements().len(), 3);
    assert_eq!(end.sub_statements()[0].result_rows, 1);
    assert_eq!(world.rows_of(&format!("{}:2", end.id)).await, [["1"]]);
    let end =
        world.batch(&["INSERT INTO t VALUES (3)", "INSERT INTO nowhere VALUES (1)", "INSERT INTO t VALUES (4)"]).await;
    assert_eq!(end.status, Some(StatusString::Failed));
    assert_eq!(end.error.as_deref(), Some("Query #2 failed with ERROR: relation \"nowhere\" does not exist"));
    let states: Vec<_> = end.sub_statements().iter().filter_map(|sub| sub.status.clone()).collect();
    assert_eq!(
        states,
        [StatementStatusString::Finished, StatementStatusString::Failed, StatementStatusString::Aborted]
    );
    assert_eq!(world.rows("SELECT a FROM t ORDER BY a").await, [["1"], ["2"]]);
}

#[tokio::test]
async fn statements_can_commit_one_by_one() {
    let world = World::start().await;
    world.done("CREATE TABLE t (a int)").await;
    let sqls =
        ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES ('x')", "INSERT INTO t VALUES (3)"].map(str::to_owned);
    let call =
        world.client.batch_execute_statement().workgroup_name("wg").database("dev").set_sqls(Some(sqls.to_vec()));
    let id = call.execution_mode(ExecutionMode::AutoCommit).send().await.expect("taken in").id.expect("an id");
    let end = world.end(&id).await;
    assert_eq!((end.status, end.execution_mode), (Some(StatusString::Failed), Some(ExecutionMode::AutoCommit)));
    assert_eq!(world.rows("SELECT a FROM t ORDER BY a").await, [["1"], ["3"]]);
}

#[tokio::test]
async fn truncate_commits() {
    let world = World::start().await;
    world.all_done(&["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "CREATE TABLE u (a int)"]).await;
    let end =
        world.batch(&["INSERT INTO u VALUES (1)", "TRUNCATE t", "INSERT INTO u VALUES (2)", "SELECT nonsense"]).await;
    assert_eq!(end.status, Some(StatusString::Failed));
    assert_eq!(world.rows("SELECT count(*) FROM t").await, [["0"]]);
    assert_eq!(world.rows("SELECT a FROM u").await, [["1"]], "what came before is committed, what came after is not");
}

/// Two loaders of the same rows: lock, look, insert.
async fn two_loaders(world: &World, lock: bool) -> (Vec<Option<String>>, Vec<Vec<String>>) {
    world.all_done(&["CREATE TABLE t (a int)", "CREATE TABLE ledger (a int)"]).await;
    world.server.faults().slow("INSERT INTO t", Duration::from_millis(400), 2);
    let load = ["LOCK ledger", "SELECT count(*) FROM t", "INSERT INTO t SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM t)"];
    let load = if lock { &load[..] } else { &load[1..] };
    let (first, second) = tokio::join!(world.submit_batch(load), world.submit_batch(load));
    let (first, second) = tokio::join!(world.end(&first), world.end(&second));
    (vec![first.error, second.error], world.rows("SELECT a FROM t").await)
}

#[tokio::test]
async fn under_snapshots_only_a_lock_keeps_loaders_apart() {
    let world = World::start().await;
    let (errors, rows) = two_loaders(&world, true).await;
    assert_eq!((errors, rows.len()), (vec![None, None], 1), "the second sees what the first committed");
    let world = World::start().await;
    let (errors, rows) = two_loaders(&world, false).await;
    assert_eq!((errors, rows.len()), (vec![None, None], 2), "neither sees the other: a row is doubled");
}

#[tokio::test]
async fn serializable_transactions_fail_with_1023() {
    let options = RedshiftOptions { isolation: Isolation::Serializable, ..RedshiftOptions::default() };
    let world = World::with(options).await;
    assert_eq!(world.rows("SELECT isolation_level FROM stv_db_isolation_level").await, [["Serializable"]]);
    let (errors, rows) = two_loaders(&world, false).await;
    let failed: Vec<String> = errors.into_iter().flatten().collect();
    assert_eq!((failed.len(), rows.len()), (1, 1));
    assert!(
        failed[0].contains("1023") && failed[0].contains("Serializable isolation violation on table"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn statements_run_on_when_their_client_is_gone() {
    let world = World::start().await;
    world.done("CREATE TABLE t (a int)").await;
    world.server.faults().slow("VALUES (1)", Duration::from_millis(500), 1);
    let another = crate::world::client(&world.server.endpoint());
    let call = another.execute_statement().workgroup_name("wg").database("dev").sql("INSERT INTO t VALUES (1)");
    let waiting = tokio::spawn(call.wait_time_seconds(30).send());
    tokio::time::sleep(Duration::from_millis(150)).await;
    waiting.abort();
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(world.rows("SELECT a FROM t").await, [["1"]]);
}
