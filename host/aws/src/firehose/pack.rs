//! Lines into records, records into batches, within the limits of the service
//! (<https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>).

use super::ndjson::Rows;
use std::collections::HashMap;

/// Greatest size of a record, before base64.
pub const RECORD_BYTES: usize = 1_000 << 10;
/// Greatest number of records of one call.
pub const BATCH_RECORDS: usize = 500;
/// Greatest size of the records of one call.
pub const BATCH_BYTES: usize = 4 << 20;

/// Lines that travel together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The lines, each with its newline.
    pub data: Vec<u8>,
    /// How many they are.
    pub rows: u64,
}

/// Packs lines in their order.
#[derive(Debug, Default)]
pub struct Packer {
    /// A record is closed before it passes this size.
    target: usize,
    one_row: bool,
    open: Record,
    closed: Vec<Record>,
    /// Lines that are too large for a record.
    too_large: Record,
}

impl Packer {
    /// Packs up to `target` bytes into a record, or a single row where the service looks into records.
    pub fn new(target: usize, one_row: bool) -> Self {
        Self { target: target.clamp(1, RECORD_BYTES), one_row, ..Self::default() }
    }

    /// Packs one line, which `write` appends.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.open.data.len();
        write(&mut self.open.data);
        let line = self.open.data.len() - before;
        if line > RECORD_BYTES {
            self.too_large.data.extend_from_slice(&self.open.data[before..]);
            self.too_large.rows += 1;
            self.open.data.truncate(before);
            return;
        }
        if before > 0 && self.open.data.len() > self.target {
            let mut next = Vec::with_capacity(self.target.max(line));
            next.extend_from_slice(&self.open.data[before..]);
            self.open.data.truncate(before);
            self.close();
            self.open.data = next;
        }
        self.open.rows += 1;
        if self.one_row || self.open.data.len() >= self.target {
            self.close();
        }
    }

    fn close(&mut self) {
        self.closed.push(std::mem::take(&mut self.open));
    }

    /// Records that are full, in order.
    pub fn take_full(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.closed)
    }

    /// The records that are left, in order, and the lines that are too large for any.
    pub fn finish(mut self) -> (Vec<Record>, Record) {
        if self.open.rows > 0 {
            self.close();
        }
        (self.closed, self.too_large)
    }
}

/// Gathers records into batches, in their order.
#[derive(Debug)]
pub struct Batches {
    /// Bytes of a batch of more than one record.
    most: usize,
    open: Vec<Record>,
    bytes: usize,
}

impl Batches {
    /// Batches of up to `most` bytes, and never past the limits of the service.
    pub fn new(most: usize) -> Self {
        Self { most: most.min(BATCH_BYTES), open: Vec::new(), bytes: 0 }
    }

    /// Takes a record, and gives the batch that is full without it.
    pub fn push(&mut self, record: Record) -> Option<Vec<Record>> {
        let full = self.open.len() == BATCH_RECORDS || self.bytes + record.data.len() > self.most;
        let batch = if full { self.finish() } else { None };
        self.bytes += record.data.len();
        self.open.push(record);
        batch
    }

    /// What is left, if anything.
    pub fn finish(&mut self) -> Option<Vec<Record>> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.open);
        (!batch.is_empty()).then_some(batch)
    }
}

/// Packs rows by key: no record holds rows of two keys.
#[derive(Debug)]
pub struct KeyedPacker {
    target: usize,
    one_row: bool,
    places: HashMap<Vec<u8>, usize>,
    /// One for each key, in the order in which the keys came.
    packers: Vec<Packer>,
    key: Vec<u8>,
}

impl KeyedPacker {
    /// See [`Packer::new`].
    pub fn new(target: usize, one_row: bool) -> Self {
        Self { target, one_row, places: HashMap::new(), packers: Vec::new(), key: Vec::new() }
    }

    /// Packs a row. `columns` are the places of the columns that make its key.
    pub fn push(&mut self, rows: &Rows<'_>, row: usize, columns: &[usize]) {
        self.key.clear();
        rows.write_key(row, columns, &mut self.key);
        let place = match self.places.get(&self.key) {
            Some(place) => *place,
            None => {
                self.places.insert(self.key.clone(), self.packers.len());
                self.packers.push(Packer::new(self.target, self.one_row));
                self.packers.len() - 1
            }
        };
        self.packers[place].push(|out| rows.write(row, out));
    }

    /// Rounds of records: no key has two records in a round, and a key's records follow each other. Then the lines that
    /// are too large for any.
    pub fn finish(self) -> (Vec<Vec<Record>>, Record) {
        let (mut rounds, mut too_large): (Vec<Vec<Record>>, _) = (Vec::new(), Record::default());
        for packer in self.packers {
            let (records, large) = packer.finish();
            rounds.resize_with(rounds.len().max(records.len()), Vec::new);
            rounds.iter_mut().zip(records).for_each(|(round, record)| round.push(record));
            too_large.data.extend_from_slice(&large.data);
            too_large.rows += large.rows;
        }
        (rounds, too_large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    /// A line of this many bytes, newline included, unlike the others.
    fn line(number: usize, bytes: usize) -> Vec<u8> {
        let mut line = format!("{number}:").into_bytes();
        line.resize(bytes.max(line.len() + 1) - 1, b'x');
        line.push(b'\n');
        line
    }

    fn pack(lines: &[Vec<u8>], target: usize, one_row: bool) -> (Vec<Record>, Record) {
        let mut packer = Packer::new(target, one_row);
        let mut records = vec![];
        for line in lines {
            packer.push(|out| out.extend_from_slice(line));
            records.extend(packer.take_full());
        }
        let (last, too_large) = packer.finish();
        records.extend(last);
        (records, too_large)
    }

    fn batches(records: impl IntoIterator<Item = Record>, most: usize) -> Vec<Vec<Record>> {
        let mut open = Batches::new(most);
        let mut batches: Vec<_> = records.into_iter().filter_map(|record| open.push(record)).collect();
        batches.extend(open.finish());
        batches
    }

    #[test]
    fn lines_at_the_limit_go_in_a_record_and_past_it_they_do_not() {
        let lines = [line(0, 10), line(1, RECORD_BYTES), line(2, RECORD_BYTES + 1), line(3, 10)];
        let (records, too_large) = pack(&lines, 1_000_000, false);
        let sizes: Vec<_> = records.iter().map(|record| (record.data.len(), record.rows)).collect();
        assert_eq!(sizes, [(10, 1), (RECORD_BYTES, 1), (10, 1)]);
        assert_eq!(too_large, Record { data: lines[2].clone(), rows: 1 });
    }

    #[test]
    fn batches_end_at_500_records_and_at_4_mib() {
        let of = |count: usize, bytes: usize| (0..count).map(move |_| Record { data: vec![b'x'; bytes], rows: 1 });
        let sizes = |all: Vec<Vec<Record>>| all.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(batches(of(1_001, 1), usize::MAX)), [500, 500, 1]);
        assert_eq!(sizes(batches(of(9, 1 << 20), usize::MAX)), [4, 4, 1]);
        assert_eq!(sizes(batches(of(9, RECORD_BYTES), usize::MAX)), [4, 4, 1]);
        assert_eq!(sizes(batches(of(3, RECORD_BYTES), 1)), [1, 1, 1], "one record is always a batch");
        assert!(batches([], 1).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn nothing_is_lost_and_the_order_is_kept(
            sizes in proptest::collection::vec(prop_oneof![9 => 2_usize..5_000, 1 => 0_usize..1_100_000], 0..60),
            target in prop_oneof![1_usize..20_000, Just(1_000_000)],
            one_row: bool,
        ) {
            let lines: Vec<_> = sizes.iter().enumerate().map(|(number, bytes)| line(number, *bytes)).collect();
            let (records, too_large) = pack(&lines, target, one_row);
            let (large, fitting): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.len() > RECORD_BYTES);
            let concat = |lines: &[&Vec<u8>]| lines.iter().flat_map(|line| line.iter().copied()).collect::<Vec<u8>>();
            let given: Vec<u8> = records.iter().flat_map(|record| record.data.clone()).collect();
            prop_assert!(given == concat(&fitting) && too_large.data == concat(&large));
            prop_assert_eq!(too_large.rows, large.len() as u64);
            for record in &records {
                prop_assert_eq!(record.rows, record.data.iter().filter(|byte| **byte == b'\n').count() as u64);
                prop_assert!(record.rows == 1 || (!one_row && record.data.len() <= target));
            }
            for pair in records.windows(2).filter(|_| !one_row) {
                let next = pair[1].data.iter().position(|byte| *byte == b'\n').unwrap() + 1;
                prop_assert!(pair[0].data.len() >= target || pair[0].data.len() + next > target, "records are filled");
            }
            let sent: Vec<Record> = batches(records.clone(), BATCH_BYTES).into_iter().inspect(|batch| {
                assert!(batch.len() <= BATCH_RECORDS);
                assert!(batch.iter().map(|record| record.data.len()).sum::<usize>() <= BATCH_BYTES);
            }).flatten().collect();
            prop_assert_eq!(sent, records);
        }

        #[test]
        fn a_round_has_one_record_of_a_key_and_a_key_keeps_its_order(
            keys in proptest::collection::vec(proptest::option::of(0_u8..4), 0..200),
            target in 1_usize..300,
        ) {
            let texts: StringArray = keys.iter().map(|key| key.map(|key| key.to_string())).collect();
            let numbers = Int64Array::from_iter_values(0..keys.len() as i64);
            let columns = [("k", Arc::new(texts) as ArrayRef, true), ("n", Arc::new(numbers), true)];
            let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
            let json = BTreeSet::new();
            let rows = Rows::new(&batch, &json).unwrap();
            let mut packer = KeyedPacker::new(target, false);
            (0..rows.len()).for_each(|row| packer.push(&rows, row, &[0]));
            let mut came: BTreeMap<Option<String>, Vec<i64>> = BTreeMap::new();
            for round in packer.finish().0 {
                let mut of_round = BTreeSet::new();
                for record in round {
                    let lines: Vec<serde_json::Value> = String::from_utf8(record.data).unwrap().lines()
                        .map(|line| serde_json::from_str(line).unwrap()).collect();
                    let keys: BTreeSet<_> = lines.iter().map(|line| line["k"].as_str().map(str::to_owned)).collect();
                    prop_assert_eq!(keys.len(), 1, "a record holds one key");
                    let key = keys.into_iter().next().unwrap();
                    prop_assert!(of_round.insert(key.clone()), "a key has one record in a round");
                    came.entry(key).or_default().extend(lines.iter().map(|line| line["n"].as_i64().unwrap()));
                }
            }
            let mut expected: BTreeMap<Option<String>, Vec<i64>> = BTreeMap::new();
            for (number, key) in keys.iter().enumerate() {
                expected.entry(key.map(|key| key.to_string())).or_default().push(number as i64);
            }
            prop_assert_eq!(came, expected);
        }
    }
}
