//! Deaths: at every failpoint, and at random moments. After each the run is started again until it is through, and the
//! lake must hold what it would have held without them.

use crate::support::files::{self, copy_folder};
use crate::support::lake::Lake;
use crate::support::random::Random;
use crate::support::sluice::{Outcome, query};
use crate::support::world::World;
use crate::support::{long, skipped};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SEGMENTS: u64 = 24;

/// What lay on the disk when a process had died between a cut and its commit.
struct Wreck {
    number: u64,
    cut: String,
    /// Digests of the objects that were written, by name.
    objects: BTreeMap<String, String>,
}

impl Wreck {
    fn of(lake: &Lake) -> Option<Self> {
        let (cut, digest) = lake.open_cut()?;
        Some(Self { number: cut.number, objects: lake.objects_of(&digest), cut: digest })
    }

    /// Insists that the cut stands, and that what was written under it is there byte for byte.
    #[track_caller]
    fn stood(&self, lake: &Lake) {
        assert!(!lake.has_entry(&format!("{:012}.abort", self.number)), "cut {} was aborted", self.number);
        let commits = lake.commits();
        let Some(commit) = commits.iter().find(|commit| commit.number == self.number) else {
            // died again before the commit
            assert_eq!(lake.open_cut().map(|(_, digest)| digest).as_ref(), Some(&self.cut));
            return;
        };
        assert_eq!(commit.cut, self.cut);
        let named: BTreeSet<&str> =
            commit.objects.iter().chain(&commit.state).map(|object| object.name.as_str()).collect();
        let there = lake.objects_of(&self.cut);
        for (name, digest) in &self.objects {
            assert!(named.contains(name.as_str()), "`{name}` was written and commit {} does not name it", self.number);
            // state is deleted when a later commit has taken its place
            let state = name.starts_with("_sluice/state/");
            if !state || there.contains_key(name) {
                assert_eq!(there.get(name), Some(digest), "`{name}` has other bytes than before the death");
            }
        }
    }
}

/// Checks after each start that the cut which the death before it had left still stands.
struct Witness<'a> {
    world: &'a World,
    wreck: Option<Wreck>,
    /// Objects of cuts without commit that were seen so far.
    seen: usize,
}

impl<'a> Witness<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, wreck: None, seen: 0 }
    }

    #[track_caller]
    fn look(&mut self) {
        let lake = self.world.lake();
        if let Some(wreck) = self.wreck.take() {
            wreck.stood(&lake);
        }
        self.wreck = Wreck::of(&lake);
        self.seen += self.wreck.as_ref().map_or(0, |wreck| wreck.objects.len());
    }
}

/// Dies five times at a failpoint, with and without progress between the deaths.
#[track_caller]
fn dies_five_times_at(failpoint: &str) {
    let world = World::large(SEGMENTS);
    let mut witness = Witness::new(&world);
    // objects are many in a segment, all else comes once
    let times = if failpoint == "between-objects" { [2, 1, 7, 5, 10] } else { [2, 1, 3, 1, 4] };
    for nth in times {
        let died = world.run().dying_at(failpoint, nth).output();
        assert_eq!(died.signal(), Some(SIGABRT), "it did not come by `{failpoint}` {nth} times: {}", died.stderr);
        witness.look();
    }
    world.finish();
    witness.look();
    let segments = world.lake().commits().len() as u64;
    assert!(segments >= 20, "only {segments} segments");
    // without objects there would have been nothing to compare
    let with_objects = matches!(failpoint, "between-objects" | "before-commit" | "during-commit");
    assert_eq!(witness.seen > 0, with_objects);
}

macro_rules! deaths {
    ($($test:ident => $failpoint:literal,)*) => {
        $(#[test]
        fn $test() {
            dies_five_times_at($failpoint);
        })*

        #[test]
        fn every_failpoint_has_its_deaths() {
            assert_eq!([$($failpoint),*], sluice_ports::failpoint::NAMES);
        }
    };
}

deaths! {
    dying_before_the_cut_loses_and_doubles_nothing => "before-cut",
    dying_between_cut_and_objects_loses_and_doubles_nothing => "after-cut",
    dying_between_two_objects_loses_and_doubles_nothing => "between-objects",
    dying_before_the_commit_loses_and_doubles_nothing => "before-commit",
    dying_during_the_commit_loses_and_doubles_nothing => "during-commit",
    dying_after_the_commit_loses_and_doubles_nothing => "after-commit",
}

#[test]
fn being_killed_at_random_moments_loses_and_doubles_nothing() {
    let (kills, segments) = if long() { (50, 150) } else { (10, 60) };
    let world = World::large(segments);
    let mut witness = Witness::new(&world);
    // each run of the test has its own moments; a failure names the seed
    let seed = std::env::var("SLUICE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("SLUICE_SEED={seed}");
    let mut random = Random::new(seed);
    let mut killed = 0;
    while killed < kills {
        let before = world.lake().entries().len();
        match killed_after_progress(&world, before, Duration::from_micros(random.below(40_000))) {
            Some(_) => killed += 1,
            None => break,
        }
        witness.look();
    }
    world.finish();
    witness.look();
    if killed < kills {
        skipped("some of the random deaths", &format!("the run was through after {killed} of {kills}"));
    }
    assert!(killed * 2 >= kills, "only {killed} deaths happened");
}

/// Starts a run and kills it a moment after the log has grown; none where it was through before.
fn killed_after_progress(world: &World, before: usize, moment: Duration) -> Option<Outcome> {
    let mut run = world.run().spawn();
    let begun = Instant::now();
    while world.lake().entries().len() <= before {
        if run.has_ended() {
            run.wait().ok();
            return None;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no progress");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(moment);
    let outcome = run.kill();
    (outcome.signal() == Some(SIGKILL)).then_some(outcome)
}

#[test]
fn a_cut_that_is_run_again_gives_the_same_bytes_whatever_the_number_of_workers() {
    let world = World::new(20_000, 8);
    world.run().dying_at("after-cut", 3).output();
    let (cut, digest) = world.lake().open_cut().expect("it died after a cut");
    let objects_of = |threads| {
        let data = world.path(&format!("lake-{threads}"));
        copy_folder(&world.data, &data);
        // dies as soon as the cut has its commit, so that its state is still there
        world.run_into(&data, threads).dying_at("after-commit", 1).output();
        let lake = Lake::new(&data);
        assert!(lake.has_entry(&format!("{:012}.commit", cut.number)));
        lake.objects_of(&digest)
    };
    let (one, eight) = (objects_of(1), objects_of(8));
    assert!(one.len() >= 3, "silver, quarantine and state: {one:?}");
    assert_eq!(one, eight);
}

#[test]
fn what_a_death_left_half_written_is_gone_after_the_next_start() {
    let world = World::new(2_000, 4);
    world.run().dying_at("after-cut", 2).output();
    for half in ["_sluice/tmp/.tmp-1-1", "_sluice/log/.tmp-1-2"] {
        files::write(&world.data.join(half), "half of an obj");
    }
    world.finish();
}

#[test]
fn a_query_sees_whole_segments_and_nothing_of_a_cut_without_its_commit() {
    let world = World::new(4_000, 4);
    world.run().dying_at("before-commit", 3).output();
    let (_, digest) = world.lake().open_cut().expect("it died before a commit");
    assert!(world.lake().objects_of(&digest).len() >= 2, "objects of the cut are on the disk");
    let total = world.lake().account().total();
    for (table, rows) in [("silver", total.silver), ("quarantine", total.quarantined_rows())] {
        let sql = format!("select count(*) as n from {table}");
        assert_eq!(query(&world.pipeline, &world.data, &sql)[0]["n"], rows, "{table}");
    }
}

#[test]
fn a_cut_run_again_is_said_in_the_notes() {
    let world = World::new(2_000, 4);
    world.run().dying_at("before-commit", 2).output();
    let account = world.run().output().ok().account();
    assert_eq!(account["notes"][0], "cut 2 was left without its commit and was run again");
    world.is_right();
    assert!(world.lake().aborts().is_empty());
}
