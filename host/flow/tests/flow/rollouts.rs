//! New versions on a running pipeline: swapped in at a cut, judged, and thrown out again.

use crate::rules::{Does, Numbers, Sum};
use crate::world::{ONE, World, record};
use proptest::prelude::*;
use sluice_batch::Layer;
use sluice_flow::{Board, Control, FlowError, History, Pipeline, Progress, Rollout, Stage, Summary, Watcher};
use sluice_manifest::plan::{CanaryPlan, ProbationPlan, RolloutPlan};
use sluice_ports::RulePlan;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};

#[derive(Default)]
struct Log(Mutex<Vec<(String, Stage)>>);

impl Watcher for Log {
    fn stage(&self, version: &str, stage: &Stage) {
        self.0.lock().unwrap().push((version.to_owned(), stage.clone()));
    }
}

impl Log {
    fn names(&self) -> Vec<String> {
        let name = |stage: &Stage| serde_json::to_value(stage).unwrap()["stage"].as_str().unwrap().to_owned();
        self.0.lock().unwrap().iter().map(|(_, stage)| name(stage)).collect()
    }

    fn reasons(&self) -> Vec<String> {
        let reasons = |stage: &Stage| match stage {
            Stage::Refused { reasons, .. } | Stage::RolledBack { reasons, .. } => reasons.clone(),
            _ => Vec::new(),
        };
        self.0.lock().unwrap().iter().flat_map(|(_, stage)| reasons(stage)).collect()
    }
}

struct Before(Vec<Arc<Pipeline>>);

impl History for Before {
    fn versions(&self) -> Vec<Arc<Pipeline>> {
        self.0.clone()
    }
}

/// Runs the good version, with these to be rolled out while it runs.
async fn roll_out(
    world: &World,
    first: &Arc<Pipeline>,
    rollouts: Vec<Rollout>,
    options: sluice_flow::Options,
) -> (Result<Summary, FlowError>, Arc<Log>) {
    let (send, queue) = mpsc::unbounded_channel();
    rollouts.into_iter().for_each(|rollout| drop(send.send(rollout)));
    let (log, board) = (Arc::new(Log::default()), Arc::new(Board::default()));
    let control =
        Control { rollouts: queue, watcher: log.clone(), board, history: Arc::new(Before(vec![first.clone()])) };
    let (_tell, told) = watch::channel(false);
    let progress = Arc::new(Progress::default());
    let done = sluice_flow::run_steered(first.clone(), world.ports(), options, progress.clone(), told, control).await;
    if let Ok(summary) = &done {
        assert_eq!(progress.snapshot().records, summary.account.total().read, "what is thrown away is not counted");
    }
    (done, log)
}

fn version(world: &World, step: &Arc<dyn RulePlan>) -> Arc<Pipeline> {
    Arc::new(world.version(step, &Sum::plan()).unwrap())
}

fn good(world: &World) -> Arc<Pipeline> {
    version(world, &Numbers::plan())
}

fn probation(segments: u32) -> RolloutPlan {
    RolloutPlan { probation: ProbationPlan { segments, ..ProbationPlan::default() }, ..RolloutPlan::default() }
}

fn world(rows: i64) -> World {
    let world = World::new().with("segment: { rows: 20 }", "segment: { rows: 70 }");
    world.source.bytes(
        "a",
        (0..rows).map(|n| record(["a", "b"][(n % 2) as usize], &(n + 1).to_string(), n)).collect::<String>().as_bytes(),
    );
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn every_segment_is_of_one_version_and_says_which() {
    let world = world(2000);
    let versions: Vec<Arc<Pipeline>> =
        (0..40).map(|n| version(&world, &Numbers::that(&format!("1.{n}.0"), Does::Add(n * 1_000_000)))).collect();
    let rollouts: Vec<Rollout> = versions[1..]
        .iter()
        .map(|pipeline| Rollout { pipeline: pipeline.clone(), plan: probation(1), at_once: false })
        .collect();
    // values move by millions, which is what this test tells versions apart by
    let bounds = ProbationPlan { segments: 1, shift: 1e9, latency: 1e9, ..ProbationPlan::default() };
    let rollouts = rollouts.into_iter().map(|r| Rollout { plan: RolloutPlan { probation: bounds, ..r.plan }, ..r });
    let (done, log) = roll_out(&world, &versions[0], rollouts.collect(), ONE).await;
    let summary = done.unwrap();
    assert_eq!(summary.account.total().silver, 2000);
    assert_eq!(summary.account.check(), Ok(()));
    assert!(summary.turns >= 10, "{}: {:?}", summary.turns, log.names());
    let mut rows = 0;
    for commit in world.commits().await {
        let cut = world.cut(commit.number).await;
        let name = &cut.identity.names["numbers"];
        let added: i64 = name.trim_start_matches("numbers@1.").split('.').next().unwrap().parse().unwrap();
        for line in world.rows_of(&commit, &Layer::Silver).await {
            let value: i64 = line.split('|').nth(1).unwrap().parse().unwrap();
            assert_eq!(value / 1_000_000, added, "{name}: {line}");
            rows += 1;
        }
    }
    assert_eq!(rows, 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_version_is_rolled_back_and_leaves_nothing() {
    let expected = {
        let plain = world(600);
        plain.run(ONE).await.unwrap();
        plain.content().await
    };
    for (does, why) in [
        (Does::Nulls, "column `v` is null in 100.0 %"),
        (Does::RejectAll, "rejects 100.0 %"),
        (Does::TrapOn(150), "failed on 1 rows"),
        (Does::LoopOn(10), "for a deadline"),
        (Does::Slow(1000), "times the processor time"),
        (Does::Add(1_000_000_000), "the values of column `v` shifted"),
    ] {
        let mut world = world(600);
        // a distribution says something from a hundred rows on
        world = world.with("segment: { rows: 70 }", "segment: { rows: 105 }");
        let bad =
            Rollout { pipeline: version(&world, &Numbers::that("1.1.0", does)), plan: probation(3), at_once: false };
        let (done, log) = roll_out(&world, &good(&world), vec![bad], ONE).await;
        let summary = done.unwrap();
        assert_eq!(log.names().last().map(String::as_str), Some("rolled_back"), "{does:?}: {:?}", log.names());
        assert!(log.reasons().iter().any(|reason| reason.contains(why)), "{does:?}: {:?}", log.reasons());
        assert_eq!(world.content_but_rules().await, but_rules(&expected), "{does:?}");
        assert!(summary.notes.iter().any(|note| note.contains("is rolled back")), "{:?}", summary.notes);
        assert_eq!(world.strays().await, Vec::<String>::new(), "{does:?}");
        assert!(world.alerts.raised().iter().any(|alert| alert.code == "version_rolled_back"));
    }
}

fn but_rules(content: &std::collections::BTreeMap<&'static str, Vec<String>>) -> Vec<(&'static str, Vec<String>)> {
    content.iter().map(|(layer, rows)| (*layer, rows.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_within_its_bounds_becomes_live_after_its_probation() {
    let world = world(800);
    let next =
        Rollout { pipeline: version(&world, &Numbers::that("1.1.0", Does::Well)), plan: probation(2), at_once: false };
    let key = next.pipeline.key();
    let (done, log) = roll_out(&world, &good(&world), vec![next], ONE).await;
    assert_eq!(log.names(), ["probation", "probation", "live"]);
    let summary = done.unwrap();
    assert_eq!((summary.version, summary.pending), (key, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_tells_field_by_field_and_touches_nothing() {
    let world = world(600);
    let plan = RolloutPlan { shadow: 20, ..probation(1) };
    let next =
        Rollout { pipeline: version(&world, &Numbers::that("1.1.0", Does::Nulls)), plan: plan.clone(), at_once: false };
    let (done, log) = roll_out(&world, &good(&world), vec![next], ONE).await;
    done.unwrap();
    assert_eq!(log.names(), ["shadow", "refused"]);
    let stages = log.0.lock().unwrap().clone();
    let Stage::Refused { comparison, .. } = &stages[1].1 else { panic!("{stages:?}") };
    let column = &comparison.columns["v"];
    assert_eq!(
        (comparison.batches, column.changed, column.nulls_new, column.nulls_old),
        (20, column.rows, column.rows, 0)
    );
    assert_eq!(comparison.columns["k"].changed, 0);
    let plain = world.fresh();
    plain.run(ONE).await.unwrap();
    assert_eq!(world.content().await, plain.content().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_gets_its_share_of_the_segments() {
    let world = world(4000);
    let canary = Some(CanaryPlan { share: 0.25, segments: 4 });
    let plan = RolloutPlan { shadow: 2, canary, ..probation(1) };
    let next = Rollout { pipeline: version(&world, &Numbers::that("1.1.0", Does::Well)), plan, at_once: false };
    let (done, log) = roll_out(&world, &good(&world), vec![next], ONE).await;
    done.unwrap();
    let names = log.names();
    assert_eq!(names.last().map(String::as_str), Some("live"), "{names:?}");
    assert!(names.iter().any(|name| name == "canary") && names[..2] == ["shadow", "shadowed"], "{names:?}");
    let mut rows = [0, 0];
    let mut before_live = true;
    for commit in world.commits().await {
        let new = world.cut(commit.number).await.identity.names["numbers"] == "numbers@1.1.0";
        before_live &= rows[1] < 4 * 70;
        if before_live {
            rows[usize::from(new)] += commit.account.total().silver;
        }
    }
    assert!(rows[0] > rows[1], "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_finished_by_what_opened_it() {
    // an hour of windows, and a swap somewhere in it: totals are tenfold where the new aggregator opened the window
    let world = world(3600);
    let before = good(&world);
    let after = Arc::new(world.version(&Numbers::plan(), &Sum::times("2.0.0", 10)).unwrap());
    let rollout = Rollout { pipeline: after.clone(), plan: probation(0), at_once: false };
    let (done, _) = roll_out(&world, &before, vec![rollout], ONE).await;
    assert_eq!(done.unwrap().turns, 1);
    let plain = world.fresh();
    plain.run(ONE).await.unwrap();
    let (mut swapped, mut of_new) = (false, 0);
    let by_window = |lines: Vec<String>| {
        let window = |line: &String| line.split('|').nth(1).unwrap().to_owned();
        let mut lines: Vec<String> = lines;
        lines.sort_by_key(|line| (window(line), line.clone()));
        lines
    };
    for (is, was) in by_window(world.gold().await).iter().zip(&by_window(plain.gold().await)) {
        let total = |line: &str| line.rsplit('|').next().unwrap().parse::<i64>().unwrap();
        match total(is) / total(was) {
            1 => assert!(!swapped, "{is}: a window after the swap is of the old aggregator"),
            10 => (swapped, of_new) = (true, of_new + 1),
            other => panic!("{is}: {other} times; two aggregators had a hand in one window"),
        }
        let counts = |line: &str| line.rsplit('|').nth(1).unwrap().to_owned();
        assert_eq!(counts(is), counts(was), "no row is lost or doubled at the swap");
    }
    assert!(of_new > 50, "{of_new}");
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_an_earlier_version_outlive_a_restart() {
    let open = sluice_flow::Options { keep_open: true, ..ONE };
    let world = world(100);
    let before = good(&world);
    let (done, _) = roll_out(&world, &before, vec![], open).await;
    done.unwrap();
    let after = Arc::new(world.version(&Numbers::plan(), &Sum::times("2.0.0", 10)).unwrap());
    world.source.bytes("a", (100..200).map(|n| record("a", "1", n)).collect::<String>().as_bytes());
    let (send, queue) = mpsc::unbounded_channel();
    drop(send);
    let control = Control { rollouts: queue, history: Arc::new(Before(vec![before])), ..Control::default() };
    let (_tell, told) = watch::channel(false);
    let done = sluice_flow::run_steered(after, world.ports(), ONE, Arc::default(), told, control).await;
    assert_eq!(done.unwrap().account.check(), Ok(()));
    // window 60..120 was opened by the old version with rows 60..100 and goes on with rows 100..120 of it
    let noon = crate::world::NOON_MS * 1000;
    let of = |start: i64| format!("a|{}|", noon + start * 1_000_000);
    let line = |start: i64, lines: &[String]| lines.iter().find(|line| line.starts_with(&of(start))).unwrap().clone();
    let lines = world.gold().await;
    let sum: i64 = (60..100).filter(|n| n % 2 == 0).map(|n| n + 1).sum::<i64>() + 20;
    assert!(line(60, &lines).ends_with(&format!("|40|{sum}")), "{lines:?}");
    assert!(line(120, &lines).ends_with("|60|600"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_would_orphan_windows_is_refused() {
    let world = world(200);
    let mut other = world.clone();
    let gold = other.manifest.find("gold:").unwrap();
    let batch = other.manifest.find("batch:").unwrap();
    other.manifest.replace_range(gold..batch, "");
    let rollout = Rollout { pipeline: good(&other), plan: probation(0), at_once: false };
    let (done, log) = roll_out(&world, &good(&world), vec![rollout.clone(), rollout], ONE).await;
    done.unwrap();
    assert!(log.names().iter().any(|name| name == "refused"), "{:?}", log.names());
    assert!(log.reasons()[0].contains("gold `per_minute`"), "{:?}", log.reasons());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_batches_begin_a_new_leg_and_lose_nothing() {
    let world = world(1000);
    let other = world.clone().with("batch: { rows: 7 }", "batch: { rows: 50 }");
    let rollout = Rollout { pipeline: good(&other), plan: probation(1), at_once: false };
    let (done, log) = roll_out(&world, &good(&world), vec![rollout], ONE).await;
    assert_eq!(done.unwrap().account.total().silver, 1000);
    assert_eq!(log.names(), ["probation", "live"]);
    let plain = world.fresh();
    plain.run(ONE).await.unwrap();
    assert_eq!(world.content().await, plain.content().await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Good and bad versions in any order: what is written is what the good ones make of every record.
    #[test]
    fn whatever_is_rolled_out_nothing_is_lost_and_nothing_bad_is_left(
        bad in proptest::collection::vec(0u8..5, 1..5), rows in 100i64..500, segments in 1u32..3,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let world = world(rows);
            let plain = world.fresh();
            plain.run(ONE).await.unwrap();
            // each shows in any few rows: what shows only later is past its probation
            let does = [Does::Well, Does::Nulls, Does::RejectAll, Does::Trap, Does::LoopOn(1)];
            let rollouts = bad.iter().enumerate().map(|(n, bad)| Rollout {
                pipeline: version(&world, &Numbers::that(&format!("1.{}.0", n + 1), does[*bad as usize])),
                plan: probation(segments),
                at_once: false,
            });
            let (done, _) = roll_out(&world, &good(&world), rollouts.collect(), ONE).await;
            prop_assert_eq!(done.unwrap().account.check(), Ok(()));
            prop_assert_eq!(world.content_but_rules().await, but_rules(&plain.content().await));
            Ok(())
        })?;
    }
}
