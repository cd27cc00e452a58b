//! Two hosts on one stream.

use super::world::{Way, World};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

/// The lease of the test's manifest lasts so long.
const TTL: Duration = Duration::from_secs(2);

async fn commits(world: &World) -> usize {
    let listed = world.account.s3.client().list_objects_v2().bucket("sluice-lake").prefix("lake/events/_sluice/log/");
    let listed = listed.send().await.expect("the log is listed");
    listed.contents().iter().filter(|object| object.key().is_some_and(|key| key.ends_with(".end"))).count()
}

async fn until_commits(world: &World, more_than: usize, patience: Duration) -> Duration {
    let begun = Instant::now();
    while commits(world).await <= more_than {
        assert!(begun.elapsed() < patience, "no commit in {patience:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_stands_by_and_takes_over_from_one_that_was_killed() {
    let world = World::start(Way::Lake).await;
    world.put(0, 500).await;
    let first = world.sluice("run").arg("--json").spawn();
    until_commits(&world, 0, Duration::from_secs(20)).await;
    let second = world.sluice("run").arg("--json").spawn();
    tokio::time::sleep(TTL + Duration::from_secs(1)).await;
    let before = commits(&world).await;
    first.kill();
    world.put(500, 500).await;
    let took = until_commits(&world, before, Duration::from_secs(20)).await;
    // two lease times, and what starting and the first segment take on a busy machine
    assert!(took < 2 * TTL + Duration::from_secs(6), "the second host took {took:?}");
    second.terminate();
    second.wait().ok().says(&["standing by", "is over"]);
    world.run().output().ok();
    world.check_warehouse().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_slept_past_its_lease_commits_nothing_any_more() {
    let world = World::start(Way::Lake).await;
    world.put(0, 500).await;
    let first = world.sluice("run").arg("--json").spawn();
    until_commits(&world, 0, Duration::from_secs(20)).await;
    let id = Pid::from_raw(first.id() as i32).expect("a process has an id");
    kill_process(id, Signal::STOP).expect("it can be stopped");
    let before = commits(&world).await;
    world.put(500, 500).await;
    let second = world.sluice("run").arg("--json").spawn();
    until_commits(&world, before, Duration::from_secs(20)).await;
    kill_process(id, Signal::CONT).expect("it can go on");
    world.put(1_000, 500).await;
    let outcome = first.wait().exits(6);
    assert!(outcome.stderr.contains("lease"), "{}", outcome.stderr);
    second.terminate();
    second.wait().ok();
    world.run().output().ok();
    world.check_warehouse().await;
}
