//! The contract of [`CommitLog`].

use crate::{CommitLog, Entry, EntryKind, Kind, Put};
use bytes::Bytes;
use std::sync::Arc;

/// Runs the contract on logs made at places.
///
/// # Panics
/// Where the contract is broken.
pub async fn commit_log<L: CommitLog + 'static>(make: impl AsyncFn(&str) -> L) {
    a_new_log_is_empty(&make("new").await).await;
    entries_are_written_once(&make("once").await).await;
    entries_are_listed_by_number_and_kind(&make("order").await).await;
    logs_of_one_place_share_entries(&make("shared").await, &make("shared").await).await;
    for round in 0..8 {
        let place = format!("race-{round}");
        one_of_two_racing_puts_writes(Arc::new(make(&place).await), Arc::new(make(&place).await)).await;
    }
    the_lease_keeps_a_second_writer_out(&make("lease").await, &make("lease").await).await;
    one_of_many_racing_acquires_wins(&make).await;
    a_log_belongs_to_one_dataset(&make("dataset").await, &make("dataset").await).await;
}

const fn entry(number: u64, kind: EntryKind) -> Entry {
    Entry { number, kind }
}

async fn a_new_log_is_empty<L: CommitLog>(log: &L) {
    assert_eq!(log.entries().await.unwrap(), []);
    assert_eq!(log.dataset().await.unwrap(), None, "a log that was never acquired belongs to nobody");
    let absent = log.get(entry(1, EntryKind::Cut)).await.unwrap_err();
    assert_eq!(absent.kind, Kind::NotFound, "get of an absent entry");
}

async fn entries_are_written_once<L: CommitLog>(log: &L) {
    let _lease = log.acquire("d").await.unwrap();
    let cut = entry(1, EntryKind::Cut);
    let first = Bytes::from(vec![7; 300_000]);
    assert_eq!(log.put(cut, first.clone()).await.unwrap(), Put::Written);
    for again in [first.clone(), Bytes::from_static(b"other"), Bytes::new()] {
        assert_eq!(log.put(cut, again).await.unwrap(), Put::Exists(first.clone()), "a second put gives what is there");
        assert_eq!(log.get(cut).await.unwrap(), first, "an entry never changes");
    }
    let commit = entry(1, EntryKind::Commit);
    assert_eq!(
        log.put(commit, Bytes::from_static(b"c")).await.unwrap(),
        Put::Written,
        "kinds are entries of their own"
    );
}

async fn entries_are_listed_by_number_and_kind<L: CommitLog>(log: &L) {
    let _lease = log.acquire("d").await.unwrap();
    let mut all = vec![
        entry(10, EntryKind::Cut),
        entry(2, EntryKind::Abort),
        entry(1, EntryKind::Commit),
        entry(2, EntryKind::Cut),
        entry(999_999_999_999, EntryKind::Cut),
        entry(1, EntryKind::Cut),
    ];
    for entry in &all {
        log.put(*entry, Bytes::from(entry.to_string())).await.unwrap();
    }
    all.sort_unstable();
    assert_eq!(log.entries().await.unwrap(), all);
    for entry in all {
        assert_eq!(log.get(entry).await.unwrap(), Bytes::from(entry.to_string()));
    }
}

async fn logs_of_one_place_share_entries<L: CommitLog>(one: &L, other: &L) {
    let lease = one.acquire("d").await.unwrap();
    one.put(entry(1, EntryKind::Cut), Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(other.entries().await.unwrap(), [entry(1, EntryKind::Cut)], "readers need no lease");
    assert_eq!(other.get(entry(1, EntryKind::Cut)).await.unwrap(), Bytes::from_static(b"x"));
    assert_eq!(other.dataset().await.unwrap().as_deref(), Some("d"));
    drop(lease);
    let _lease = other.acquire("d").await.unwrap();
    assert_eq!(one.entries().await.unwrap().len(), 1, "entries outlive their lease");
}

async fn one_of_two_racing_puts_writes<L: CommitLog + 'static>(one: Arc<L>, other: Arc<L>) {
    let _lease = one.acquire("d").await.unwrap();
    let race = |log: Arc<L>, byte: u8| {
        tokio::spawn(
            async move { log.put(entry(1, EntryKind::Commit), Bytes::from(vec![byte; 50_000])).await.unwrap() },
        )
    };
    let (a, b) = (race(one.clone(), 1), race(other, 2));
    let (a, b) = (a.await.unwrap(), b.await.unwrap());
    let content = one.get(entry(1, EntryKind::Commit)).await.unwrap();
    let (winner, loser, byte) = if a == Put::Written { (a, b, 1) } else { (b, a, 2) };
    assert_eq!(winner, Put::Written, "one of two puts writes");
    assert_eq!(content, Bytes::from(vec![byte; 50_000]), "the entry is the winner's, whole");
    assert_eq!(loser, Put::Exists(content), "the loser is told what is there");
}

async fn the_lease_keeps_a_second_writer_out<L: CommitLog>(one: &L, other: &L) {
    let lease = one.acquire("d").await.unwrap();
    for log in [one, other] {
        assert_eq!(log.acquire("d").await.err().unwrap().kind, Kind::Fenced, "a second acquire while it is held");
    }
    let mut last = lease.fence();
    assert!(last > 0, "fences begin above zero");
    drop(lease);
    for log in [other, one, one] {
        let lease = log.acquire("d").await.expect("a lease that was dropped can be taken");
        assert!(lease.fence() > last, "fence {} after fence {last}", lease.fence());
        last = lease.fence();
    }
}

async fn one_of_many_racing_acquires_wins<L: CommitLog + 'static>(make: &impl AsyncFn(&str) -> L) {
    let mut tasks = vec![];
    for _ in 0..6 {
        let log = make("acquire").await;
        tasks.push(tokio::spawn(async move { log.acquire("d").await }));
    }
    let (mut leases, mut fenced) = (vec![], 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(lease) => leases.push(lease),
            Err(error) => fenced += usize::from(error.kind == Kind::Fenced),
        }
    }
    assert_eq!((leases.len(), fenced), (1, 5), "of many acquires one wins and the others are fenced");
}

async fn a_log_belongs_to_one_dataset<L: CommitLog>(one: &L, other: &L) {
    drop(one.acquire("orders").await.unwrap());
    let refused = other.acquire("people").await.err().expect("another dataset is refused");
    assert_eq!(refused.kind, Kind::Changed);
    for name in ["orders", "people"] {
        assert!(refused.message.contains(name), "the error names both datasets: {refused}");
    }
    assert_eq!(other.dataset().await.unwrap().as_deref(), Some("orders"));
    other.acquire("orders").await.expect("a refused acquire holds nothing");
}
