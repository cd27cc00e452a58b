//! Deaths: at every named place, and at random moments while records arrive.

use super::world::{Way, World};
use crate::support::long;
use crate::support::random::Random;
use std::time::Duration;

const SIGABRT: i32 = 6;

/// Places by which a run comes, with how often it is let pass before each of five deaths.
async fn dies_five_times(way: Way, places: &[&str]) {
    let world = World::start(way).await;
    let mut next = 0;
    let mut died = 0;
    for place in places {
        for nth in [1, 2, 1, 3, 1] {
            world.put(next, 900).await;
            next += 900;
            let outcome = world.run().dying_at(place, nth).output();
            match outcome.signal() {
                Some(SIGABRT) => died += 1,
                // the place lies behind the last of its kind in this run
                _ => drop(outcome.ok()),
            }
        }
        // a process may have died between two segments of the stream: whoever comes next brings all of it to an end
        world.run().output().ok();
        world.check_warehouse().await;
    }
    assert!(died * 10 >= places.len() * 5 * 8, "only {died} deaths in {} runs", places.len() * 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_at_places_of_the_lake_loses_and_doubles_nothing() {
    let places = ["after-cut", "after-silver", "after-quarantine", "after-state", "before-commit", "after-commit"];
    dies_five_times(Way::Lake, &places).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_while_loading_loses_and_doubles_nothing() {
    dies_five_times(Way::Lake, &["after-submit", "after-finish", "after-gold"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_around_a_delivery_loses_and_doubles_nothing() {
    dies_five_times(Way::Firehose, &["after-firehose-ack", "after-delivery", "after-submit", "after-commit"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn being_killed_at_random_moments_while_records_arrive_loses_and_doubles_nothing() {
    let kills = if long() { 50 } else { 6 };
    let seed = std::env::var("SLUICE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("SLUICE_SEED={seed}");
    let mut random = Random::new(seed);
    for way in [Way::Lake, Way::Firehose] {
        let world = World::start(way).await;
        let mut next = 0;
        for _ in 0..kills {
            let running = world.sluice("run").args(["--json", "--threads", "2"]).spawn();
            let moments = 3 + random.below(6);
            for _ in 0..moments {
                world.put(next, 150).await;
                next += 150;
                tokio::time::sleep(Duration::from_millis(50 + random.below(250))).await;
            }
            running.kill();
        }
        world.run().output().ok();
        world.check_warehouse().await;
    }
}
