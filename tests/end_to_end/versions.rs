//! New versions of rules on a running pipeline: swapped in, judged, rolled back; by themselves and by hand; whatever dies.

use crate::support::changing::Changing;
use crate::support::long;
use crate::support::random::Random;
use crate::support::sluice::{Outcome, Running, Sluice};
use sluice_batch::Layer;
use std::collections::BTreeSet;
use std::time::Duration;

const SIGKILL: i32 = 9;

/// Waits until so many records are committed.
#[track_caller]
fn committed(changing: &Changing, host: &mut Running, records: u64) {
    host.until(&format!("{records} records"), || changing.lake().read() >= records);
}

/// Insists that each object is of one version, that its rows say the same, and that the account balances.
#[track_caller]
fn every_object_is_of_one_version(changing: &Changing) -> BTreeSet<String> {
    let lake = changing.lake();
    assert_eq!(lake.account().check(), Ok(()));
    let mut seen = BTreeSet::new();
    for object in lake.objects(&Layer::Silver) {
        let made_by: BTreeSet<String> = lake.made_by(&object).into_iter().collect();
        assert!(made_by.len() <= 1, "{}: {made_by:?}", object.name);
        let named = lake.footer(&object, "sluice.rule_names");
        for version in &made_by {
            assert!(named.contains(&format!("changing@{version}")), "{}: {named} and {version}", object.name);
        }
        seen.extend(made_by);
    }
    seen
}

fn stopped(host: Running) -> Outcome {
    host.terminate();
    host.wait()
}

#[test]
fn a_new_version_is_admitted_swapped_in_and_told_of_by_every_worker() {
    let changing = Changing::new("rollout: { watch: false, shadow: 4, probation: { segments: 2 } }");
    let mut host = changing.follow();
    changing.append(0..6_000);
    committed(&changing, &mut host, 6_000);
    changing.publish(101, "well");
    let writer = std::thread::scope(|scope| {
        let apply = scope.spawn(|| changing.apply());
        let mut next = 6_000;
        while !apply.is_finished() {
            changing.append(next..next + 1_000);
            next += 1_000;
            std::thread::sleep(Duration::from_millis(100));
        }
        (apply.join().unwrap().ok(), next)
    });
    let (applied, records) = writer;
    let said = applied.account();
    assert_eq!((&said["stage"], &said["workers"]), (&"live".into(), &2.into()), "{said}");
    assert_eq!(said["rules"]["changing"]["rule"], "changing@1.101.0");
    committed(&changing, &mut host, records);
    let shown = changing.rules("show").output().ok().stdout;
    for part in ["changing@1.101.0", "admitted", "workers by it: 2 of 2", "sample", "quarantine"] {
        assert!(shown.contains(part), "`{part}` in:\n{shown}");
    }
    stopped(host).ok();
    assert_eq!(every_object_is_of_one_version(&changing), BTreeSet::from(["1.100.0".into(), "1.101.0".into()]));
    assert_eq!(changing.content(), Changing::expected(records));
    let lock = std::fs::read_to_string(changing.pipeline().join("sluice.lock")).unwrap();
    assert!(lock.contains("1.101.0"), "{lock}");
    let sql = "select distinct rule, version from objects where layer = 'silver' order by version";
    let asked =
        Sluice::new("query").arg(changing.pipeline()).arg(sql).arg("--data-dir").arg(changing.data()).arg("--csv");
    let made = asked.output().ok().stdout;
    assert!(made.contains("changing,1.100.0") && made.contains("changing,1.101.0"), "{made}");
}

#[test]
fn a_bad_version_is_rolled_back_by_itself_and_leaves_nothing() {
    for (does, why) in
        [("nulls", "column `v` is null"), ("reject", "it rejects"), ("trap", "failed on"), ("loop", "deadline")]
    {
        let changing = Changing::new("rollout: { probation: { segments: 3 } }");
        let mut host = changing.follow();
        changing.append(0..3_000);
        committed(&changing, &mut host, 3_000);
        changing.publish(101, does);
        let mut next = 3_000;
        host.until(&format!("{does}: a rollback"), || {
            if next < 60_000 {
                changing.append(next..next + 500);
                next += 500;
            }
            std::thread::sleep(Duration::from_millis(20));
            changing.status()["last"]["stage"]["stage"] == "rolled_back"
        });
        let reasons = changing.status()["last"]["stage"]["reasons"].to_string();
        assert!(reasons.contains(why), "{does}: {reasons}");
        changing.append(next..next + 3_000);
        committed(&changing, &mut host, next + 3_000);
        assert_eq!(changing.status()["last"]["stage"]["stage"], "rolled_back", "{does}: it is not tried again");
        let said = stopped(host).ok().stderr;
        assert!(said.contains("rolled back"), "{does}: {said}");
        assert_eq!(every_object_is_of_one_version(&changing), BTreeSet::from(["1.100.0".into()]), "{does}");
        assert_eq!(changing.content(), Changing::expected(next + 3_000), "{does}");
        // the next run holds to what the last one found
        changing.append(next + 3_000..next + 4_000);
        changing.command().output().ok();
        assert_eq!(every_object_is_of_one_version(&changing), BTreeSet::from(["1.100.0".into()]), "{does}");
        let shown = changing.rules("show").output().ok().stdout;
        assert!(shown.contains("held: version"), "{does}:\n{shown}");
    }
}

#[test]
fn what_fails_its_own_cases_or_breaks_on_the_sample_is_never_taken_up() {
    let changing =
        Changing::new("rollout: { probation: { segments: 1 } }\nenvironments: { local: { input: sample.json } }");
    let sample: String = (0..2_000).map(|id| format!("{{\"id\":{id},\"v\":\"x\"}}\n")).collect();
    std::fs::write(changing.pipeline().join("sample.json"), sample).unwrap();
    let mut host = changing.follow();
    changing.append(0..3_000);
    committed(&changing, &mut host, 3_000);
    changing.publish(101, "trap");
    let refused = changing.apply().exits(8);
    let said = refused.account();
    assert_eq!(said["stage"], "refused");
    assert!(said["reasons"][0].as_str().unwrap().contains("sample: 2000 records"), "{said}");
    let verdict = changing.pipeline().join("../rules/changing/1.101.0.verdicts/changing.json");
    let verdict: serde_json::Value = serde_json::from_slice(&std::fs::read(verdict).unwrap()).unwrap();
    assert_eq!(verdict["decision"], "refused");
    changing.append(3_000..6_000);
    committed(&changing, &mut host, 6_000);
    stopped(host).ok();
    assert_eq!(every_object_is_of_one_version(&changing), BTreeSet::from(["1.100.0".into()]));
}

#[test]
fn going_back_by_hand_is_for_later_segments() {
    let changing = Changing::new("rollout: { probation: { segments: 0 } }");
    let mut host = changing.follow();
    changing.append(0..3_000);
    committed(&changing, &mut host, 3_000);
    changing.publish(101, "well");
    host.until("the new version", || changing.status()["rules"]["changing"]["rule"] == "changing@1.101.0");
    changing.append(3_000..6_000);
    committed(&changing, &mut host, 6_000);
    let said = changing.rules("rollback").args(["--json", "--timeout", "60"]).output().ok().account();
    assert_eq!(said["rules"]["changing"]["rule"], "changing@1.100.0", "{said}");
    changing.append(6_000..9_000);
    committed(&changing, &mut host, 9_000);
    stopped(host).ok();
    let made_by = changing.lake().silver();
    let count = |version: &str| made_by.texts("made_by").into_iter().filter(|made| *made == version).count();
    assert_eq!((count("1.100.0"), count("1.101.0")), (5_940, 2_970));
    assert_eq!(changing.content(), Changing::expected(9_000));
}

#[test]
fn a_manifest_that_changes_is_taken_up_and_one_with_findings_is_not() {
    let changing = Changing::new("rollout: { probation: { segments: 0 } }");
    let mut host = changing.follow();
    changing.append(0..3_000);
    committed(&changing, &mut host, 3_000);
    let before = changing.status()["standing"]["version"].clone();
    changing.write_manifest("rollout: { probation: { segments: 0 } }", "no_such_key: 1");
    host.until("a word about it", || changing.status()["last"]["stage"]["stage"] == "refused");
    assert_eq!(changing.status()["standing"]["version"], before);
    changing.write_manifest("rollout: { probation: { segments: 0 } }", "bronze: { enabled: true }");
    host.until("the new manifest", || changing.status()["standing"]["version"] != before);
    changing.append(3_000..6_000);
    committed(&changing, &mut host, 6_000);
    stopped(host).ok();
    assert_eq!(changing.content(), Changing::expected(6_000));
    assert!(!changing.lake().objects(&Layer::Bronze).is_empty());
}

/// Dies at random moments while versions come and go, good ones and bad ones, and is started again.
#[test]
fn dying_between_versions_leaves_one_or_the_other() {
    let deaths = if long() { 30 } else { 10 };
    let mut random = Random::new(20_261_125);
    let changing = Changing::new("rollout: { probation: { segments: 2 } }");
    // the first version of all has nothing before it that it could be held against
    changing.append(0..3_000);
    changing.command().output().ok();
    let (mut next, mut minor) = (3_000, 100);
    let good = |minor: u32| minor.is_multiple_of(2);
    for death in 0..deaths {
        let host = changing.follow();
        minor += 1;
        let bad = ["nulls", "reject", "trap", "loop"];
        let does = if good(minor) { "well" } else { *random.pick(&bad) };
        changing.publish(minor, does);
        let until = 4 + random.below(40);
        for _ in 0..until {
            changing.append(next..next + 250);
            next += 250;
            std::thread::sleep(Duration::from_millis(20 + random.below(30)));
        }
        assert_eq!(host.kill().signal(), Some(SIGKILL), "death {death}");
        every_object_is_of_one_version(&changing);
    }
    let mut host = changing.follow();
    committed(&changing, &mut host, next);
    stopped(host).ok();
    let made_by = every_object_is_of_one_version(&changing);
    let minor_of = |version: &String| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    assert!(made_by.iter().all(|version| good(minor_of(version))), "{made_by:?}");
    assert!(made_by.len() > 1, "{made_by:?}");
    assert_eq!(changing.content(), Changing::expected(next));
    changing.lake().nothing_is_left_behind();
}
