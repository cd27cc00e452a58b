//! Streams of payloads: shards that close and leave children behind, payloads of many records, payloads that cannot be
//! used.

use crate::world::{NOON_MS, ONE, World, record};
use bytes::Bytes;
use sluice_batch::{Layer, Position, RecordPosition, Sequence};
use sluice_flow::Options;
use sluice_ports::memory::{Fate, Fault, Moment, Operation, Payload};
use sluice_ports::{EntryKind, Kind};
use std::collections::BTreeSet;

fn payload(sequence: u128, sub: u64, text: &str) -> Payload {
    let position = RecordPosition { sequence: Sequence::new(sequence), sub, row: 0 };
    Payload { position, data: Bytes::copy_from_slice(text.as_bytes()), arrived_at: NOON_MS + sequence as i64 }
}

/// A parent that closes, two children, and another shard; payloads of one record, of several, of none and of nonsense.
fn world() -> World {
    let world = World::new();
    let some = |from: i64, count: i64| {
        (from..from + count).map(move |n| match n % 6 {
            2 => payload(n as u128 * 10, 0, &(record("a", &n.to_string(), n) + &record("b", &n.to_string(), n + 1))),
            3 => payload(n as u128 * 10, 1, &record("c", "no number", n)),
            4 => payload(n as u128 * 10, 2, "{broken"),
            5 => payload(n as u128 * 10, 3, "\n"),
            _ => payload(n as u128 * 10, 0, record("a", &n.to_string(), n).trim_end()),
        })
    };
    world.source.payloads("0", some(1, 50));
    world.source.payloads("1", some(100, 30));
    world.source.payloads("2", some(60, 20));
    world.source.payloads("3", some(80, 20));
    world.source.parents("2", &["0"]);
    world.source.parents("3", &["0"]);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_every_payload_is_read_once_and_named_by_its_place() {
    let world = world();
    let summary = world.run(ONE).await.unwrap();
    let total = summary.account.total();
    assert_eq!(total.read, total.silver + total.quarantined_rows());
    let rows = world.rows(&Layer::Silver, &["k", "v", "t", "_sluice_arrived_at", "_sluice_commit"]).await;
    let ids: BTreeSet<&String> = rows.iter().collect();
    assert_eq!((rows.len() as u64, ids.len()), (total.silver, rows.len()));
    assert!(ids.contains(&"memory/0/20.0.1".to_owned()), "{ids:?}");
    assert!(ids.contains(&"memory/1/1020".to_owned()), "{ids:?}");
    let arrived = world.rows(&Layer::Silver, &["k", "v", "t", "_sluice_commit"]).await;
    assert!(arrived.contains(&format!("memory/1/1020|{}", (NOON_MS + 1020) * 1000)), "{arrived:?}");
    let ends = world.commits().await.pop().unwrap().shards;
    assert!(ends.iter().all(|shard| shard.position == Position::ShardEnd && shard.ended), "{ends:?}");
    assert_eq!(world.run(ONE).await.unwrap().account.total().read, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_threads_and_restarts_change_nothing_of_a_stream() {
    let plain = world();
    plain.run(ONE).await.unwrap();
    let expected = plain.content().await;
    for (rows, threads) in [("1", 3), ("2", 1), ("500", 2)] {
        let other = plain.fresh().with("rows: 7", &format!("rows: {rows}"));
        other.run(Options { threads, ..ONE }).await.unwrap();
        assert_eq!(other.content().await, expected, "{rows} rows, {threads} threads");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_at_any_put_of_a_stream_loses_and_doubles_nothing() {
    let plain = world();
    plain.run(ONE).await.unwrap();
    let expected = plain.content().await;
    let (mut died, calls) = (0, plain.log.calls(Operation::Put));
    for nth in 1..=calls {
        for moment in [Moment::Before, Moment::After] {
            let world = plain.fresh();
            world.log.fail(Fault { operation: Operation::Put, nth, times: 1, kind: Kind::Fatal, moment });
            died += u32::from(world.run(ONE).await.is_err());
            world.log.heal();
            world.store.inner().crash_with(|_| Fate::Torn);
            world.log.inner().crash();
            let summary = world.run(ONE).await.unwrap();
            assert!(!summary.notes.iter().any(|note| note.contains("aborted")), "{:?}", summary.notes);
            assert_eq!(world.content().await, expected, "{nth} {moment:?}");
        }
    }
    assert!(died > 6, "{died} of {calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_closes_holds_its_windows_open_for_its_children() {
    // the other shard is far ahead: only the parent, and then its children, keep the first minutes open
    let world = World::new().with("rows: 20", "rows: 2").with("rows: 7", "rows: 1");
    world.source.payloads("0", [payload(1, 0, &record("a", "1", 0)), payload(2, 0, &record("a", "2", 1))]);
    world.source.payloads("1", (1..9).map(|n| payload(n, 0, &record("b", "1", 3600 * n as i64))));
    world.source.payloads("2", [payload(5, 0, &record("a", "4", 2))]);
    world.source.parents("2", &["0"]);
    let summary = world.run(Options { threads: 2, ..ONE }).await.unwrap();
    assert_eq!(summary.account.gold["per_minute"].late, 0);
    assert!(
        world.gold().await.iter().any(|row| row.contains("|7|") || row.ends_with("|7")),
        "{:?}",
        world.gold().await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_of_csv_carry_their_header() {
    let world = World::new().with("format: json", "format: csv");
    world.source.payloads(
        "0",
        [
            payload(1, 0, "k,v,t\na,1,2026-03-01T12:00:00Z\na,2,2026-03-01T12:00:01Z\n"),
            payload(2, 0, "t,v,k\n2026-03-01T12:00:02Z,3,b\n"),
            payload(3, 0, "nothing\n1\n"),
        ],
    );
    let total = world.run(ONE).await.unwrap().account.total();
    assert_eq!((total.read, total.silver, total.quarantined_rows()), (4, 3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_of_a_stream_names_closed_shards_and_positions() {
    let world = world();
    world.run(ONE).await.unwrap();
    let mut closed = 0;
    for commit in world.commits().await {
        let cut = world.cut(commit.number).await;
        closed += cut.shards_closed.len();
        assert!(cut.batches.iter().all(|batch| batch.tail.is_empty()));
    }
    assert_eq!(closed, 4);
    assert!(world.log.inner().content().keys().all(|entry| entry.kind != EntryKind::Abort));
}

#[tokio::test(flavor = "multi_thread")]
async fn doubles_are_left_out_within_the_window_across_restarts_and_children() {
    let world = world_of_doubles();
    world.run(ONE).await.unwrap();
    // a child that appears later has its doubles among what an earlier process saw
    world.source.payloads("3", [payload(90, 0, &record("b", "1", 0)), payload(91, 0, &record("b", "77", 0))]);
    world.source.parents("3", &["1"]);
    world.run(ONE).await.unwrap();
    let commits = world.commits().await;
    let mut account = sluice_batch::Account::default();
    commits.iter().for_each(|commit| account.add(&commit.account));
    let total = account.total();
    assert_eq!((total.read, total.silver, total.filtered_rows()), (12, 8, 4));
    assert_eq!(world.content().await["silver"].len(), 8);
}

/// Shard 0 with a double within the window and one past it, its child with a double of 0's, and another shard whose rows
/// are the same as 0's and no doubles.
fn world_of_doubles() -> World {
    let world = World::new().with("batch: { rows: 7 }", "batch: { rows: 2 }\ndedup: { columns: [k, v], window: 1s }");
    let b = |sequence, v: &str| payload(sequence, 0, &record("b", v, 0));
    world.source.payloads("0", [b(1, "1"), b(2, "2"), b(3, "1"), b(1900, "2"), b(1950, "3")]);
    world.source.payloads("1", [b(1, "1"), b(2, "9"), b(3, "9")]);
    world.source.payloads("2", [b(1960, "3"), b(1970, "4")]);
    world.source.parents("2", &["0"]);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_closes_empty_keeps_its_note_over_a_death() {
    let plain = world();
    plain.source.payloads("9", []);
    plain.run(ONE).await.unwrap();
    for nth in 1..=plain.log.calls(Operation::Put) {
        let world = plain.fresh();
        world.log.fail(Fault { operation: Operation::Put, nth, times: 1, kind: Kind::Fatal, moment: Moment::After });
        let _ = world.run(ONE).await;
        world.log.heal();
        world.log.inner().crash();
        world.run(ONE).await.unwrap();
        let shards = world.commits().await.pop().unwrap().shards;
        assert_eq!(shards.len(), 5, "{nth}");
        assert!(
            shards.iter().all(|shard| !shard.note.is_empty() && shard.position == Position::ShardEnd),
            "{shards:?}"
        );
    }
}
