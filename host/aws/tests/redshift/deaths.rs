//! Loads that die at any call, and what comes after.

use crate::world::{World, numbers, records, silver};
use sluice_ports::memory::ManualClock;
use sluice_ports::{Loader, Object, ObjectFormat};
use sluice_stand_ins::proxy::{Fault, FaultProxy, Rule};
use std::sync::Arc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

async fn prepared(servers: &World, name: &str) -> (World, Vec<Object>) {
    let world = servers.another(name);
    world.loader().prepare(&[silver()]).await.unwrap();
    let one = world.put_rows(&silver(), "silver/one", &records(0, 20)).await;
    let two = world.put_rows(&silver(), "silver/two", &records(19, 30)).await;
    (world, vec![one, two])
}

async fn finishes(world: &World, objects: &[Object], clock: Option<Arc<ManualClock>>, what: &str) {
    let loader = match clock {
        Some(clock) => world.loader_at(clock),
        None => world.loader(),
    };
    let report = loader.load(&silver(), ObjectFormat::Parquet, objects).await.unwrap();
    assert_eq!(report.objects + report.already, 2, "{what}: {report:?}");
    assert!(report.set_aside.is_empty(), "{what}: {report:?}");
    assert_eq!(numbers(world).await, (0..30).collect::<Vec<_>>(), "{what}");
    assert_eq!(world.ledger().await.len(), 2, "{what}");
    assert_eq!(world.attempts().await, 0, "{what}");
}

/// Which server stands behind the proxy.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    DataApi,
    S3,
}

/// From the n-th call on nothing goes through, and nothing is tried again: the load dies there. `after`: of the n-th call
/// the effect is had.
async fn dies_at_each_call(before: Before, after: bool, later: Duration) {
    let servers = World::new(ObjectFormat::Parquet).await;
    for skip in 0.. {
        let (mut world, objects) = prepared(&servers, &format!("{skip}")).await;
        let (data_api, s3) = (world.endpoint.clone(), world.s3_endpoint.clone());
        let first = if after { Fault::TimeoutAfter } else { Fault::TimeoutBefore };
        let rules = vec![Rule::new("*", first).skip(skip).times(1), Rule::new("*", Fault::TimeoutBefore).skip(skip)];
        let upstream = if before == Before::S3 { &s3 } else { &data_api };
        let proxy = FaultProxy::start(upstream, rules).await.unwrap();
        match before {
            Before::DataApi => world.endpoint = proxy.endpoint(),
            Before::S3 => world.s3_endpoint = proxy.endpoint(),
        }
        world.attempts = 1;
        let clock = Arc::new(ManualClock::new(1_767_225_600_000));
        let died = world.loader_at(clock.clone()).load(&silver(), ObjectFormat::Parquet, &objects).await.is_err();
        (world.endpoint, world.s3_endpoint, world.attempts) = (data_api, s3, 12);
        clock.advance(later);
        let what = format!("dead at call {skip}, {} later", later.as_secs());
        finishes(&world, &objects, Some(clock), &what).await;
        if !died {
            assert!(skip >= 4, "the load made {skip} calls only");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_dies_before_any_call_is_taken_up() {
    dies_at_each_call(Before::DataApi, false, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_dies_after_any_call_is_taken_up() {
    dies_at_each_call(Before::DataApi, true, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_died_nine_hours_ago_is_settled_by_its_name() {
    dies_at_each_call(Before::DataApi, true, 9 * HOUR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_dies_at_any_call_of_its_store_is_taken_up() {
    dies_at_each_call(Before::S3, false, Duration::ZERO).await;
    dies_at_each_call(Before::S3, true, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_dropped_at_any_moment_is_taken_up() {
    let servers = World::new(ObjectFormat::Parquet).await;
    for millis in (0..400).step_by(20) {
        let (world, objects) = prepared(&servers, &format!("{millis}")).await;
        let (loader, table) = (world.loader(), silver());
        let load = loader.load(&table, ObjectFormat::Parquet, &objects);
        let ended = tokio::time::timeout(Duration::from_millis(millis), load).await.is_ok();
        finishes(&world, &objects, None, &format!("dropped after {millis} ms")).await;
        if ended {
            return;
        }
    }
}
