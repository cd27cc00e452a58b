//! Where rows go besides the lake.

use crate::Result;
use arrow_array::RecordBatch;
use async_trait::async_trait;
use sluice_batch::Delivered as Receipt;

/// Rows of one segment on their way out.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// Table that they belong to: `silver`.
    pub table: &'a str,
    /// Number of the segment.
    pub commit: u64,
    /// Digest of its cut: the same parcel sent again has the same.
    pub cut: &'a str,
    /// The rows, with `_sluice_id`, `_sluice_arrived_at` and `_sluice_commit`.
    pub batches: &'a [RecordBatch],
}

/// Takes rows out.
///
/// Contract: at least once. All rows are acknowledged when `deliver` returns; rows of one parcel may arrive in any
/// order unless the delivery was made to keep one, and a parcel sent again arrives again. Called only after the cut that
/// covers the rows is written; the commit comes after.
#[async_trait]
pub trait Delivery: Send + Sync {
    /// Sends a parcel.
    ///
    /// # Errors
    /// Where some row could not be had acknowledged within the budget of retries: the segment is not committed, and its
    /// rows are sent again when it is run again.
    async fn deliver(&self, parcel: Parcel<'_>) -> Result<Receipt>;
}
