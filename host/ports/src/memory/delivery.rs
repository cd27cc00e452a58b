//! A delivery that keeps what it is given.

use crate::{Delivery, Parcel, Receipt, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};

/// A parcel as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// Table that its rows belong to.
    pub table: String,
    /// Number of its segment.
    pub commit: u64,
    /// Digest of its cut.
    pub cut: String,
    /// Its rows.
    pub batches: Vec<RecordBatch>,
}

/// Parcels in the order in which they arrived. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryDelivery {
    arrived: Arc<Mutex<Vec<Delivered>>>,
    /// How often each parcel arrives; at least once is allowed to be more.
    copies: usize,
}

impl MemoryDelivery {
    /// Every parcel arrives as often as this and once more.
    pub fn doubling(copies: usize) -> Self {
        Self { copies, ..Self::default() }
    }

    /// What arrived.
    pub fn arrived(&self) -> Vec<Delivered> {
        self.arrived.lock().unwrap().clone()
    }

    /// Commit number and id of each row that arrived.
    pub fn ids(&self) -> Vec<(u64, String)> {
        self.arrived().iter().flat_map(|parcel| &parcel.batches).flat_map(ids_of).collect()
    }
}

/// Commit number and id of each row of a batch.
fn ids_of(batch: &RecordBatch) -> Vec<(u64, String)> {
    let column = |name: &str| batch.column_by_name(name).expect("a row on its way out says where it comes from");
    let ids = column("_sluice_id").as_string::<i32>();
    let commits = column("_sluice_commit").as_primitive::<Int64Type>();
    (0..ids.len()).map(|row| (commits.value(row) as u64, ids.value(row).to_owned())).collect()
}

#[async_trait]
impl Delivery for MemoryDelivery {
    async fn deliver(&self, parcel: Parcel<'_>) -> Result<Receipt> {
        let rows: u64 = parcel.batches.iter().map(|batch| batch.num_rows() as u64).sum();
        if rows == 0 {
            return Ok(Receipt::default());
        }
        let delivered = Delivered {
            table: parcel.table.to_owned(),
            commit: parcel.commit,
            cut: parcel.cut.to_owned(),
            batches: parcel.batches.to_vec(),
        };
        let mut arrived = self.arrived.lock().unwrap();
        arrived.extend(std::iter::repeat_n(delivered, self.copies + 1));
        let bytes = parcel.batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum();
        Ok(Receipt { rows, records: parcel.batches.len() as u64, bytes, direct: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Fault, Faulty, Moment, Operation};
    use crate::{Kind, suite};

    #[tokio::test]
    async fn it_keeps_the_contract_once_and_doubled() {
        for copies in [0, 2] {
            let make = async |_: &str| MemoryDelivery::doubling(copies);
            suite::delivery(make, async |delivery: &MemoryDelivery| delivery.ids()).await;
        }
    }

    #[tokio::test]
    async fn a_failed_call_leaves_nothing_and_a_lost_reply_leaves_the_parcel() {
        let delivery = Faulty::new(MemoryDelivery::default());
        delivery.fail(Fault::once(Operation::Deliver, 1, Kind::Retry));
        delivery.fail(Fault { moment: Moment::After, ..Fault::once(Operation::Deliver, 2, Kind::Retry) });
        let batches = [suite::delivery_rows(7, 0..3, 10)];
        let parcel = Parcel { table: "silver", commit: 7, cut: "c", batches: &batches };
        assert_eq!(delivery.deliver(parcel).await.unwrap_err().kind, Kind::Retry);
        assert!(delivery.inner().arrived().is_empty());
        assert_eq!(delivery.deliver(parcel).await.unwrap_err().kind, Kind::Retry);
        assert_eq!(delivery.inner().ids().len(), 3);
        assert_eq!(delivery.deliver(parcel).await.unwrap().rows, 3);
        assert_eq!(delivery.inner().ids().len(), 6, "sent again, it arrives again");
    }
}
