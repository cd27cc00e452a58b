//! The `_sluice_id` and `_sluice_arrived_at` of records.

use crate::piece::Piece;
use arrow_array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use sluice_batch::{RecordPosition, ShardRef};
use std::sync::Arc;

/// The `_sluice_id` of records of a batch.
pub(crate) fn record_ids(
    shard: &ShardRef,
    piece: &Piece,
    records: impl Iterator<Item = usize>,
    rows: usize,
) -> ArrayRef {
    let mut ids = Ids::new(shard, rows);
    if piece.is_bytes() {
        let mut digits = [0u8; 20];
        records.for_each(|record| ids.push(decimal(piece.raw.offset(record), &mut digits)));
    } else {
        let (mut last, mut text) = (None, String::new());
        for record in records {
            let position = piece.position(record);
            // payloads of many rows, and many payloads of one aggregate, share a sequence number
            if last != Some(position.sequence) {
                last = Some(position.sequence);
                text = position.sequence.to_string();
            }
            ids.push_position(&text, position);
        }
    }
    ids.finish()
}

/// Texts that all begin with the shard.
struct Ids {
    prefix: String,
    bytes: Vec<u8>,
    offsets: Vec<i32>,
}

impl Ids {
    fn new(shard: &ShardRef, rows: usize) -> Self {
        let prefix = format!("{shard}/");
        let bytes = Vec::with_capacity(rows * (prefix.len() + 10));
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { prefix, bytes, offsets }
    }

    fn push(&mut self, position: &[u8]) {
        self.bytes.extend_from_slice(self.prefix.as_bytes());
        self.bytes.extend_from_slice(position);
        self.offsets.push(self.bytes.len() as i32);
    }

    fn push_position(&mut self, sequence: &str, position: RecordPosition) {
        self.bytes.extend_from_slice(self.prefix.as_bytes());
        self.bytes.extend_from_slice(sequence.as_bytes());
        if (position.sub, position.row) != (0, 0) {
            let mut digits = [0u8; 20];
            for part in [position.sub, position.row] {
                self.bytes.push(b'.');
                self.bytes.extend_from_slice(decimal(part, &mut digits));
            }
        }
        self.offsets.push(self.bytes.len() as i32);
    }

    fn finish(self) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let ids = StringArray::try_new(offsets, Buffer::from_vec(self.bytes), None);
        Arc::new(ids.expect("ids are text cut at its ends"))
    }
}

/// The `_sluice_arrived_at` of records of a batch.
pub(crate) fn arrivals(piece: &Piece, records: impl Iterator<Item = usize>) -> ArrayRef {
    let times = records.map(|record| piece.arrived(record) * 1000);
    Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
}

fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;

    #[test]
    fn ids_are_those_of_the_position_type() {
        let shard = ShardRef::new("stream@1", "shardId-000000000000");
        let sequence: sluice_batch::Sequence =
            "49590338271490256608559692538361571095921575989136588898".parse().unwrap();
        let mut ids = Ids::new(&shard, 4);
        let positions =
            [(0, 0), (0, 7), (12, 0), (u64::MAX, 1)].map(|(sub, row)| RecordPosition { sequence, sub, row });
        positions.iter().for_each(|position| ids.push_position(&sequence.to_string(), *position));
        let starts = [0, 9, 10, 123_456, u64::MAX];
        starts.iter().for_each(|start| ids.push(decimal(*start, &mut [0; 20])));
        let all = positions.into_iter().chain(starts.map(RecordPosition::at_offset));
        for (id, position) in ids.finish().as_string::<i32>().iter().zip(all) {
            assert_eq!(id.unwrap(), shard.record_id(position));
        }
    }
}
