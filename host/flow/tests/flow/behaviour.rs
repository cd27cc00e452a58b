use crate::world::{NOON_MS, ONE, World, record, records};
use sluice_batch::Layer;
use sluice_flow::{FlowError, Options};
use sluice_ports::Kind;
use sluice_ports::memory::{Fault, Operation};
use std::time::Duration;
use tokio::sync::watch;

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_accounted_for() {
    let world = World::new();
    world.source.bytes("a", records(0, 100).as_bytes());
    let summary = world.run(ONE).await.unwrap();
    let total = summary.account.total();
    assert_eq!((total.read, total.silver, total.quarantined_rows()), (100, 82, 18));
    assert_eq!(summary.account.check(), Ok(()));
    assert!(summary.segments >= 4, "{}", summary.segments);
    let content = world.content().await;
    assert_eq!((content["silver"].len(), content["quarantine"].len()), (82, 18));
    assert!(content["quarantine"][0].contains("{broken"), "{}", content["quarantine"][0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_reads_nothing_twice_and_takes_what_was_appended() {
    let world = World::new();
    world.source.bytes("a", records(0, 50).as_bytes());
    let first = world.run(ONE).await.unwrap();
    let second = world.run(ONE).await.unwrap();
    assert_eq!((first.account.total().read, second.account.total().read, second.segments), (50, 0, 0));
    world.source.bytes("a", record("a", "5", 3600).as_bytes());
    let third = world.run(ONE).await.unwrap();
    assert_eq!((third.account.total().read, third.account.total().silver), (1, 1));
    assert_eq!(world.commits().await.iter().map(|commit| commit.account.total().read).sum::<u64>(), 51);
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_rows_alone_are_set_aside() {
    for poison in ["trap", "loop"] {
        let world = World::new().with("batch: { rows: 7 }", "batch: { rows: 4096 }");
        let lines: String =
            (0..1000).map(|n| record("a", &if n == 321 { poison.to_owned() } else { n.to_string() }, n)).collect();
        world.source.bytes("a", lines.as_bytes());
        let summary = world.run(ONE).await.unwrap();
        assert_eq!(summary.account.total().silver, 999, "{poison}");
        let quarantine = world.rows(&Layer::Quarantine, &[]).await;
        assert!(quarantine.len() == 1 && quarantine[0].starts_with("rule_failed|numbers|1.0.0"), "{quarantine:?}");
        assert_eq!(world.cut(1).await.batches[0].failed[0].rows, [321]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_loops_on_every_row_blocks_nothing() {
    let world = World::new().with("batch: { rows: 7 }", "batch: { rows: 500 }");
    world.source.bytes("a", (0..500).map(|n| record("a", "loop", n)).collect::<String>().as_bytes());
    world.source.bytes("b", (0..500).map(|n| record("a", &n.to_string(), n)).collect::<String>().as_bytes());
    let total = world.run(ONE).await.unwrap().account.total();
    assert_eq!((total.silver, total.quarantined_rows()), (500, 500));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_aggregator_moves_no_silver_row() {
    let world = World::new();
    let lines: String = (0..40).map(|n| record("a", if n == 13 { "666" } else { "1" }, n)).collect();
    world.source.bytes("a", lines.as_bytes());
    let summary = world.run(ONE).await.unwrap();
    let gold = &summary.account.gold["per_minute"];
    assert_eq!((summary.account.total().silver, gold.folded, gold.fold_failed), (40, 39, 1));
    assert!(world.gold().await[0].ends_with("|39|39"), "{:?}", world.gold().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_time_far_ahead_is_set_aside_and_closes_nothing() {
    let world = World::new();
    world.source.bytes("a", record("a", "1", 0).as_bytes());
    world.source.bytes("a", b"{\"k\":\"a\",\"v\":\"2\",\"t\":\"2026-03-02T12:00:01Z\"}\n");
    world.source.bytes("a", b"{\"k\":\"a\",\"v\":\"3\",\"t\":\"9999-01-01T00:00:00Z\"}\n");
    world.source.bytes("a", record("a", "4", 1).as_bytes());
    world.clock.set_wall_ms(NOON_MS);
    let summary = world.run(ONE).await.unwrap();
    assert_eq!((summary.account.total().silver, summary.account.gold["per_minute"].late), (2, 0));
    let quarantine = world.rows(&Layer::Quarantine, &[]).await;
    assert!(quarantine.iter().all(|row| row.starts_with("event_time_ahead|sluice")), "{quarantine:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unterminated_tail_is_taken_and_noted() {
    let world = World::new();
    world.source.bytes("a", (record("a", "1", 0) + record("a", "2", 1).trim_end()).as_bytes());
    let summary = world.run(ONE).await.unwrap();
    assert_eq!(summary.account.total().silver, 2);
    assert!(summary.notes[0].contains("no line end"), "{:?}", summary.notes);
    world.source.bytes("a", format!("\n{}", record("a", "3", 2)).as_bytes());
    assert_eq!(world.run(ONE).await.unwrap().account.total().silver, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_break_is_committed_and_windows_stay_open() {
    let world = World::new();
    world.source.bytes("a", (records(0, 30) + "{\"k\":\"torn").as_bytes());
    world.source.set_broken("a");
    let summary = world.run(ONE).await.unwrap();
    assert_eq!((summary.account.total().read, summary.broken.len()), (30, 1));
    assert_eq!(world.alerts.codes(), ["input_broken"]);
    assert!(!world.commits().await.iter().any(|commit| commit.end_of_input));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_cleanly_and_the_next_run_loses_nothing() {
    let world = World::new();
    world.source.bytes("a", records(0, 100).as_bytes());
    let expected = world.fresh();
    expected.run(ONE).await.unwrap();
    world.store.fail(Fault::once(Operation::Put, 4, Kind::StorageFull));
    let error = world.run(ONE).await.unwrap_err();
    assert_eq!(error.kind(), Kind::StorageFull);
    let summary = world.run(ONE).await.unwrap();
    assert!(summary.notes.iter().any(|note| note.contains("was run again")), "{:?}", summary.notes);
    assert_eq!(world.content().await, expected.content().await);
    assert_eq!(world.strays().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn following_takes_what_comes_and_a_stop_commits_it_without_closing_windows() {
    let world = World::new().with("batch: { rows: 7 }", "batch: { rows: 7, age: 100ms }");
    world.source.set_open("a", true);
    world.source.bytes("a", records(0, 30).as_bytes());
    let (tell, told) = watch::channel(false);
    let running = {
        let world = world.clone();
        let options = Options { follow: true, ..ONE };
        tokio::spawn(async move { world.run_until(options, told).await })
    };
    tokio::time::sleep(Duration::from_millis(700)).await;
    world.source.bytes("a", record("c", "1", 60).as_bytes());
    world.source.bytes("a", b"{\"k\":\"unterminated");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    tell.send(true).unwrap();
    let summary = running.await.unwrap().unwrap();
    assert_eq!((summary.account.total().read, summary.stopped), (31, true));
    assert!(!world.commits().await.iter().any(|commit| commit.end_of_input));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_shard_stops_with_the_way_out() {
    let world = World::new();
    world.source.bytes("a", records(0, 30).as_bytes());
    world.run(ONE).await.unwrap();
    world.source.replace("a", records(1, 40).as_bytes());
    match world.run(ONE).await.unwrap_err() {
        FlowError::Port(error) => assert_eq!(error.kind, Kind::Changed),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_hold_every_column_under_safe_names() {
    let world = World::new().with("gold:", "silver: { partition_by: [k, day(t)] }\ngold:");
    world.source.bytes("a", (record("x y", "1", 0) + &record("..", "2", 1) + &record("x y", "3", 2)).as_bytes());
    world.source.bytes("a", b"{\"v\":\"4\"}\n");
    world.run(ONE).await.unwrap();
    let names: Vec<String> = world.store.inner().objects().into_keys().filter(|n| n.starts_with("silver/")).collect();
    let folders: Vec<&str> = names.iter().map(|name| name.rsplit_once('/').unwrap().0).collect();
    assert_eq!(
        folders,
        [
            "silver/k=%2E%2E/day=2026-03-01",
            "silver/k=__HIVE_DEFAULT_PARTITION__/day=__HIVE_DEFAULT_PARTITION__",
            "silver/k=x%20y/day=2026-03-01",
        ]
    );
    assert_eq!(world.rows(&Layer::Silver, &[]).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn pii_is_not_in_quarantine_in_the_clear() {
    let world = World::new().with("k: text,", "k: { type: text, pii: name },");
    let world = world.with("keys: [k]", "keys: []");
    world.source.bytes("a", (record("Mrs Smith", "x", 0) + "{\"k\":\"Mr Jones\", broken\n").as_bytes());
    world.run(ONE).await.unwrap();
    let rows = world.rows(&Layer::Quarantine, &[]).await.join("\n");
    assert!(!rows.contains("Smith") && !rows.contains("Jones"), "{rows}");
    assert!(rows.contains("[redacted]") && rows.contains("withheld"), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_warehouse_has_no_room_for_is_set_aside_before_anything_leaves() {
    let world = World::new();
    let long = "x".repeat(300);
    let lines = [record("abc", "1", 0), record("abcd", "2", 1), "{broken\n".to_owned(), format!("{{{long}\n")].concat();
    world.source.bytes("a", lines.as_bytes());
    let texts = std::collections::BTreeMap::from([("k".to_owned(), 3)]);
    let room = sluice_flow::Room { texts, raw_text: 60, raw_bytes: 200 };
    let pipeline = std::sync::Arc::new(world.pipeline().unwrap().with_room(room));
    let (_tell, told) = tokio::sync::watch::channel(false);
    let progress = std::sync::Arc::default();
    let summary = sluice_flow::run(pipeline, world.ports(), ONE, progress, told).await.unwrap();
    let total = summary.account.total();
    assert_eq!((total.read, total.silver), (4, 1));
    let reasons: Vec<String> = total.quarantined.keys().map(|reject| reject.reason.clone()).collect();
    assert_eq!(reasons, ["malformed_json", "text_too_long"]);
    let rows = world.rows(&sluice_batch::Layer::Quarantine, &["_sluice_arrived_at", "_sluice_commit"]).await;
    let policies = |policy: &str| rows.iter().filter(|row| row.contains(&format!("|{policy}|"))).count();
    assert_eq!((rows.len(), policies("clear"), policies("withheld")), (3, 2, 1), "{rows:#?}");
}
