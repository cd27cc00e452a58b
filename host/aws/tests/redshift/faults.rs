//! Loads while calls fail.

use crate::world::{World, numbers, records, silver};
use sluice_ports::{Kind, Loader, Object, ObjectFormat, TableReport};
use sluice_stand_ins::proxy::{Fault, FaultProxy, Rule};
use std::time::Duration;

/// The statements that bring rows in and that write them down, up to the end of the table's name.
const SILVER: &str = "\".\"silver\" (\"name\"";
const LEDGER: &str = "\".\"sluice_loads\" (\"load_id\"";

/// A prepared warehouse behind a proxy, and objects with 30 records, one of them in two.
async fn behind_proxy(servers: &World, name: &str) -> (World, FaultProxy, Vec<Object>) {
    let mut world = servers.another(name);
    world.loader().prepare(&[silver()]).await.unwrap();
    let one = world.put_rows(&silver(), "silver/one", &records(0, 20)).await;
    let two = world.put_rows(&silver(), "silver/two", &records(19, 30)).await;
    let proxy = FaultProxy::start(&world.endpoint, vec![]).await.unwrap();
    world.endpoint = proxy.endpoint();
    (world, proxy, vec![one, two])
}

async fn load(world: &World, objects: &[Object]) -> TableReport {
    world.loader().load(&silver(), ObjectFormat::Parquet, objects).await.unwrap()
}

async fn holds_all_once(world: &World, what: &str) {
    assert_eq!(numbers(world).await, (0..30).collect::<Vec<_>>(), "{what}");
    assert_eq!(world.ledger().await.len(), 2, "{what}");
    assert_eq!(world.attempts().await, 0, "{what}");
}

async fn servers() -> World {
    World::new(ObjectFormat::Parquet).await
}

/// Calls that a load without faults makes.
async fn calls(servers: &World) -> u64 {
    let (world, proxy, objects) = behind_proxy(servers, "calls").await;
    load(&world, &objects).await;
    holds_all_once(&world, "no fault").await;
    proxy.calls().values().sum()
}

async fn one_fault_at_each_call(fault: Fault) {
    let servers = servers().await;
    let calls = calls(&servers).await;
    assert!(calls >= 6, "{calls}");
    for skip in 0..calls {
        let (world, proxy, objects) = behind_proxy(&servers, &format!("{skip}")).await;
        proxy.set_rules(vec![Rule::new("*", fault.clone()).skip(skip).times(1)]);
        let report = load(&world, &objects).await;
        assert_eq!(proxy.injected().len(), 1, "{fault:?} at call {skip}");
        let what = format!("{fault:?} at call {skip} ({})", proxy.injected()[0].operation);
        assert_eq!((report.objects, report.rows), (2, 30), "{what}");
        holds_all_once(&world, &what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_lost_at_any_call_changes_nothing() {
    one_fault_at_each_call(Fault::TimeoutAfter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_never_arrives_is_made_again() {
    one_fault_at_each_call(Fault::TimeoutBefore).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttle_at_any_call_is_waited_out() {
    one_fault_at_each_call(Fault::Throttle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_service_at_any_call_is_waited_out() {
    one_fault_at_each_call(Fault::Internal500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_of_all_calls_may_fail() {
    let (world, proxy, objects) = behind_proxy(&servers().await, "one").await;
    proxy.set_rules(vec![
        Rule::new("*", Fault::TimeoutAfter).probability(0.15, 7),
        Rule::new("*", Fault::Throttle).probability(0.1, 8),
        Rule::new("*", Fault::Internal500).probability(0.1, 9),
    ]);
    load(&world, &objects).await;
    holds_all_once(&world, "a third").await;
}

/// A prepared warehouse and objects, without a proxy: what fails is within the database.
async fn prepared(servers: &World, name: &str) -> (World, Vec<Object>) {
    let world = servers.another(name);
    world.loader().prepare(&[silver()]).await.unwrap();
    let one = world.put_rows(&silver(), "silver/one", &records(0, 20)).await;
    let two = world.put_rows(&silver(), "silver/two", &records(19, 30)).await;
    (world, vec![one, two])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lost_between_the_calls_is_staged_again() {
    let (world, objects) = prepared(&servers().await, "one").await;
    world.redshift.faults().lose_session_after("SELECT COUNT(*), MIN(");
    let report = load(&world, &objects).await;
    assert_eq!((report.objects, report.rows), (2, 30));
    holds_all_once(&world, "after the stage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lost_within_either_call_is_staged_again() {
    let servers = servers().await;
    for (at, sql) in ["COPY \"sluice_stage\"", "LOCK TABLE", SILVER].into_iter().enumerate() {
        let (world, objects) = prepared(&servers, &at.to_string()).await;
        world.redshift.faults().lose_session_before(sql);
        load(&world, &objects).await;
        holds_all_once(&world, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lost_after_the_rows_are_in_loads_nothing_twice() {
    let (world, objects) = prepared(&servers().await, "one").await;
    world.redshift.faults().lose_session_after("DROP TABLE \"sluice_stage_objects\"");
    load(&world, &objects).await;
    holds_all_once(&world, "after the commit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn error_1023_is_a_new_attempt() {
    let servers = servers().await;
    for (at, sql) in [SILVER, LEDGER, "COPY \"sluice_stage\""].into_iter().enumerate() {
        let (world, objects) = prepared(&servers, &at.to_string()).await;
        world.redshift.faults().serialization_conflict(sql, 3);
        let report = load(&world, &objects).await;
        assert_eq!((report.objects, report.rows), (2, 30), "{sql}");
        holds_all_once(&world, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_without_end_end_with_a_message_and_the_next_load_goes_on() {
    let (world, objects) = prepared(&servers().await, "one").await;
    world.redshift.faults().serialization_conflict(SILVER, 100);
    let error = world.loader().load(&silver(), ObjectFormat::Parquet, &objects).await.unwrap_err();
    assert_eq!(error.kind, Kind::Retry, "{error}");
    assert!(error.message.contains("6 attempts") && error.message.contains("1023"), "{error}");
    world.redshift.faults().clear();
    load(&world, &objects).await;
    holds_all_once(&world, "after the conflicts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_outlasts_patience_goes_on_and_is_taken_up() {
    let (world, objects) = prepared(&servers().await, "one").await;
    world.redshift.faults().slow(SILVER, Duration::from_secs(4), 1);
    let error = world.impatient_loader().load(&silver(), ObjectFormat::Parquet, &objects).await.unwrap_err();
    assert_eq!(error.kind, Kind::Retry, "{error}");
    assert!(error.message.contains("still runs"), "{error}");
    assert_eq!(world.attempts().await, 1, "the attempt is remembered");
    let report = load(&world, &objects).await;
    assert_eq!((report.objects, report.already, report.rows), (2, 0, 30), "{report:?}");
    holds_all_once(&world, "after the wait").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_no_object_causes_stops_the_load() {
    let servers = servers().await;
    for (at, (message, kind)) in [
        ("S3ServiceException:Access Denied,Status 403,Error AccessDenied", Kind::Denied),
        ("Disk Full", Kind::StorageFull),
        ("something that nobody has seen", Kind::Fatal),
    ]
    .into_iter()
    .enumerate()
    {
        let (world, objects) = prepared(&servers, &at.to_string()).await;
        world.redshift.faults().fail("COPY \"sluice_stage\"", message, 100);
        let error = world.loader().load(&silver(), ObjectFormat::Parquet, &objects).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(world.ledger().await.is_empty(), "nothing is set aside: {message}");
        world.redshift.faults().clear();
        load(&world, &objects).await;
        holds_all_once(&world, message).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loaders_that_race_through_faults_load_once() {
    let (world, proxy, objects) = behind_proxy(&servers().await, "one").await;
    let rule = |fault, seed| Rule::new("*", fault).probability(0.1, seed);
    proxy.set_rules(vec![rule(Fault::TimeoutAfter, 1), rule(Fault::Throttle, 2), rule(Fault::TimeoutBefore, 3)]);
    world.redshift.faults().serialization_conflict(SILVER, 2);
    world.redshift.faults().lose_session_before("LOCK TABLE");
    let mut tasks = vec![];
    for _ in 0..3 {
        let (loader, objects) = (world.loader(), objects.clone());
        tasks.push(tokio::spawn(async move { loader.load(&silver(), ObjectFormat::Parquet, &objects).await }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    holds_all_once(&world, "a race").await;
}
