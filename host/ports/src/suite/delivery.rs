//! The contract of [`Delivery`].

use crate::{Delivery, Parcel, Receipt};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Commit number and id of a row.
type RowId = (u64, String);

/// Runs the contract on deliveries made at places, of which none shares what arrives with another. `arrived` gives
/// commit number and id of every row that arrived so far, having waited for what is on its way.
///
/// # Panics
/// Where the contract is broken.
pub async fn delivery<D: Delivery>(make: impl AsyncFn(&str) -> D, arrived: impl AsyncFn(&D) -> Vec<RowId>) {
    let at = make("empty").await;
    an_empty_parcel_is_fine(&at).await;
    assert!(arrived(&at).await.is_empty(), "nothing arrives of an empty parcel");

    let at = make("all").await;
    let sent = many_parcels_are_acknowledged(&at).await;
    assert_eq!(as_set(arrived(&at).await), sent, "all rows arrive, under their own commits, and no others");

    let at = make("again").await;
    let sent = a_parcel_sent_again_is_acknowledged_again(&at).await;
    assert_eq!(as_set(arrived(&at).await), sent, "a parcel sent again arrives");
}

/// Rows as they are delivered: a text of about `bytes` bytes that needs escaping, and where they come from.
pub fn delivery_rows(commit: u64, rows: Range<u64>, bytes: usize) -> RecordBatch {
    let text = |row: u64| format!("\"row\" {row}\n\u{e9}").repeat(1 + bytes / 14);
    let texts: StringArray = rows.clone().map(|row| (row % 5 != 4).then(|| text(row))).collect();
    let ids: StringArray = rows.clone().map(|row| Some(format!("s/{commit}/{row}"))).collect();
    let times = TimestampMicrosecondArray::from_iter_values(rows.clone().map(|row| 1_290_000_000_000_000 + row as i64));
    let commits = Int64Array::from_iter_values(rows.map(|_| commit as i64));
    RecordBatch::try_from_iter([
        ("text", Arc::new(texts) as ArrayRef),
        ("_sluice_id", Arc::new(ids)),
        ("_sluice_arrived_at", Arc::new(times.with_timezone("UTC"))),
        ("_sluice_commit", Arc::new(commits)),
    ])
    .expect("columns of one length")
}

fn as_set(ids: Vec<RowId>) -> BTreeSet<RowId> {
    ids.into_iter().collect()
}

fn expected(commit: u64, rows: Range<u64>) -> impl Iterator<Item = RowId> {
    rows.map(move |row| (commit, format!("s/{commit}/{row}")))
}

async fn an_empty_parcel_is_fine<D: Delivery>(delivery: &D) {
    for batches in [vec![], vec![delivery_rows(1, 0..0, 0)]] {
        let parcel = Parcel { table: "silver", commit: 1, cut: "00", batches: &batches };
        assert_eq!(delivery.deliver(parcel).await.unwrap(), Receipt::default(), "a receipt for nothing");
    }
}

async fn many_parcels_are_acknowledged<D: Delivery>(delivery: &D) -> BTreeSet<RowId> {
    let mut sent = BTreeSet::new();
    for (commit, row_bytes) in [(1, 10), (2, 300), (3, 9_000)] {
        let batches = [0..700, 700..700, 700..701, 701..1_000].map(|rows| delivery_rows(commit, rows, row_bytes));
        let cut = format!("{commit:064x}");
        let parcel = Parcel { table: "silver", commit, cut: &cut, batches: &batches };
        let receipt = delivery.deliver(parcel).await.unwrap();
        assert_eq!(receipt.rows, 1_000, "every row is acknowledged: {receipt:?}");
        assert!(
            receipt.records > 0 && receipt.records + receipt.direct <= 1_000,
            "rows travel in records: {receipt:?}"
        );
        assert!(receipt.bytes >= 1_000 * row_bytes as u64 / 2, "bytes are those of the records: {receipt:?}");
        sent.extend(expected(commit, 0..1_000));
    }
    sent
}

async fn a_parcel_sent_again_is_acknowledged_again<D: Delivery>(delivery: &D) -> BTreeSet<RowId> {
    let batches = [delivery_rows(4, 0..50, 100)];
    let parcel = Parcel { table: "silver", commit: 4, cut: "04", batches: &batches };
    let first = delivery.deliver(parcel).await.unwrap();
    assert_eq!(delivery.deliver(parcel).await.unwrap(), first, "the same parcel has the same receipt");
    expected(4, 0..50).collect()
}
