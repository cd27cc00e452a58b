//! Rules that keep failing, and rules that do not say the same twice.

use crate::rules::{Does, Numbers, Sum};
use crate::world::{ONE, World, record};
use sluice_batch::Layer;
use sluice_flow::{FlowError, Options, Progress, Summary};
use sluice_ports::memory::{Fault, Moment, Operation};
use sluice_ports::{Entry, EntryKind, Kind};
use std::sync::Arc;
use tokio::sync::watch;

async fn run_with(world: &World, does: Does, options: Options) -> Result<Summary, FlowError> {
    let pipeline = Arc::new(world.version(&Numbers::that("1.0.0", does), &Sum::plan())?);
    let (_tell, told) = watch::channel(false);
    sluice_flow::run(pipeline, world.ports(), options, Arc::new(Progress::default()), told).await
}

fn looping() -> World {
    let world = World::new();
    world.source.bytes("a", (0..210).map(|n| record("a", "loop", n)).collect::<String>().as_bytes());
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_fails_on_every_batch_is_parked_and_its_rows_are_set_aside() {
    let world = looping();
    let summary = world.run(ONE).await.unwrap();
    let total = summary.account.total();
    assert_eq!((total.read, total.quarantined_rows()), (210, 210));
    let count =
        |reason: &str| total.quarantined.iter().filter(|(r, _)| r.reason == reason).map(|(_, n)| *n).sum::<u64>();
    // five batches of seven fail before the rule is parked; the clock stands still
    assert_eq!((count("rule_failed"), count("rule_parked")), (35, 175));
    let alerts = world.alerts.raised();
    assert!(
        alerts.iter().any(|alert| alert.code == "rule_parked" && alert.message.contains("failed on 5 of its last 5"))
    );
    let quarantine = world.rows(&Layer::Quarantine, &[]).await;
    let parked = quarantine.iter().filter(|row| row.starts_with("rule_parked|numbers|1.0.0|digest of numbers@1.0.0|"));
    assert_eq!(parked.count(), 175);
    assert_eq!(world.cut(4).await.batches[0].parked.keys().collect::<Vec<_>>(), ["numbers"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_manifest_says_so_a_parked_rule_stops_the_run() {
    let world = looping().with("    reads: [v]\n    writes", "    reads: [v]\n    on_failure: stop\n    writes");
    let error = world.run(ONE).await.unwrap_err().to_string();
    assert!(error.contains("step `numbers`") && error.contains("on_failure: stop"), "{error}");
}

#[tokio::test]
async fn a_cut_with_parked_batches_is_run_again_as_it_was() {
    let plain = looping();
    plain.run(ONE).await.unwrap();
    let world = plain.fresh();
    // the cut of the last segment is written, and nothing after it
    let last = plain.commits().await.last().unwrap().number;
    let fault =
        Fault { operation: Operation::Put, nth: last * 2 - 1, times: 1, kind: Kind::Fatal, moment: Moment::After };
    world.log.fail(fault);
    world.run(ONE).await.unwrap_err();
    world.log.heal();
    world.log.inner().crash();
    let summary = world.run(ONE).await.unwrap();
    assert!(summary.notes.iter().any(|note| note.contains("run again")), "{:?}", summary.notes);
    assert!(!world.log.inner().content().contains_key(&Entry { number: last, kind: EntryKind::Abort }));
    assert_eq!(world.content().await, plain.content().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_says_something_else_when_asked_again_is_named() {
    let world = World::new();
    world.source.bytes("a", (0..70).map(|n| record("a", &n.to_string(), n)).collect::<String>().as_bytes());
    let all = Options { audit_ppm: 1_000_000, ..ONE };
    let well = run_with(&world, Does::Well, all).await.unwrap();
    assert_eq!((well.audited, well.differed.len()), (10, 0));
    let world = world.fresh();
    let differs = run_with(&world, Does::Differ, all).await.unwrap();
    assert_eq!((differs.audited, differs.differed.get("numbers@1.0.0")), (10, Some(&10)));
    assert!(world.alerts.raised().iter().any(|alert| alert.code == "rule_not_deterministic"));
    let world = world.fresh();
    assert_eq!(run_with(&world, Does::Differ, ONE).await.unwrap().audited, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_cannot_be_finished_stop_nothing_and_are_counted() {
    let world = World::new();
    let lines = [record("a", "700", 0), record("a", "77", 1), record("b", "5", 2), record("c", "6", 3)].concat();
    world.source.bytes("a", lines.as_bytes());
    let summary = world.run(ONE).await.unwrap();
    let gold = &summary.account.gold["per_minute"];
    assert_eq!((gold.folded, gold.rows, gold.finish_failed), (4, 2, 1));
    assert_eq!(world.gold().await.len(), 2);
    assert!(world.alerts.raised().iter().any(|alert| alert.code == "gold_not_finished"));
    let failed = &world.cut(1).await.failed_groups;
    assert_eq!((failed.len(), failed[0].groups.len()), (1, 1));
    // the first group of the first window: the replay leaves it out without trying
    assert_eq!(failed[0].groups[0].1, 0);
}
