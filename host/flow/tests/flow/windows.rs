use crate::world::{ONE, World, record, records};
use proptest::prelude::*;
use sluice_flow::Options;

const KEEP: Options = Options { keep_open: true, ..ONE };

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_closed_window_go_to_the_late_output() {
    let world = World::new();
    world.source.bytes("a", (record("a", "1", 0) + &record("a", "2", 10)).as_bytes());
    world.run(ONE).await.unwrap();
    world.source.bytes("a", record("a", "4", 20).as_bytes());
    let summary = world.run(ONE).await.unwrap();
    assert_eq!(summary.account.gold["per_minute"].late, 1);
    assert!(summary.notes.iter().any(|note| note.contains("too late")), "{:?}", summary.notes);
    let content = world.content().await;
    assert_eq!((content["gold"].len(), content["late"].len(), content["silver"].len()), (1, 1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_window_kept_open_are_folded_into_it() {
    let world = World::new();
    world.source.bytes("a", (record("a", "1", 0) + &record("a", "2", 10)).as_bytes());
    world.run(KEEP).await.unwrap();
    assert_eq!(world.gold().await, Vec::<String>::new());
    world.source.bytes("a", record("a", "4", 20).as_bytes());
    world.run(ONE).await.unwrap();
    let gold = world.gold().await;
    assert!(gold.len() == 1 && gold[0].ends_with("|3|7"), "{gold:?}");
    assert_eq!(world.strays().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_kept_open_close_in_a_later_run_without_input() {
    let world = World::new();
    world.source.bytes("a", record("a", "1", 0).as_bytes());
    world.run(KEEP).await.unwrap();
    world.run(KEEP).await.unwrap();
    let summary = world.run(ONE).await.unwrap();
    assert_eq!((summary.account.total().read, summary.account.gold["per_minute"].rows), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gold_that_changed_under_open_windows_is_refused_with_a_way_out() {
    let world = World::new();
    world.source.bytes("a", record("a", "1", 0).as_bytes());
    world.run(KEEP).await.unwrap();
    let other = world.clone().with("tumbling: 1m", "tumbling: 5m");
    let error = other.run(ONE).await.unwrap_err().to_string();
    assert!(error.contains("`per_minute`") && error.contains("--keep-open"), "{error}");
    world.run(ONE).await.unwrap();
    other.run(ONE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lateness_is_judged_by_the_earlier_rows_of_the_same_shard() {
    let world = World::new();
    // the window 12:00 takes rows until its shard has seen 12:01:30
    world.source.bytes("a", (record("a", "1", 0) + &record("a", "1", 89) + &record("a", "1", 59)).as_bytes());
    world.source.bytes("a", (record("a", "1", 90) + &record("a", "1", 58)).as_bytes());
    world.source.bytes("b", (record("a", "1", 600) + &record("a", "1", 600)).as_bytes());
    world.source.bytes("c", record("a", "1", 5).as_bytes());
    let summary = world.run(ONE).await.unwrap();
    let gold = &summary.account.gold["per_minute"];
    assert_eq!((gold.folded, gold.late), (7, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn batches_segments_threads_and_restarts_change_nothing(
        rows in 1usize..60, segment in 1u64..80, threads in 1usize..5, block in 1usize..400, restarts in 0usize..3,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let plain = World::new();
            let input: Vec<String> = (0..3).map(|shard| records(shard, 60 + shard * 7)).collect();
            for (n, text) in input.iter().enumerate() {
                plain.source.bytes(&n.to_string(), text.as_bytes());
            }
            plain.run(ONE).await.unwrap();
            let mut other = World::new()
                .with("batch: { rows: 7 }", &format!("batch: {{ rows: {rows} }}"))
                .with("segment: { rows: 20 }", &format!("segment: {{ rows: {segment} }}"));
            other.source = sluice_ports::memory::MemorySource::new("memory", block);
            let options = Options { threads, ..KEEP };
            for part in 0..=restarts {
                for (n, text) in input.iter().enumerate() {
                    // cut at a line end, so that no record is split over two runs
                    let lines: Vec<&str> = text.split_inclusive('\n').collect();
                    let share = |part: usize| lines.len() * part / (restarts + 1);
                    other.source.bytes(&n.to_string(), lines[share(part)..share(part + 1)].concat().as_bytes());
                }
                other.run(options).await.unwrap();
            }
            other.run(Options { threads, ..ONE }).await.unwrap();
            assert_eq!(other.content().await, plain.content().await);
        });
    }
}
