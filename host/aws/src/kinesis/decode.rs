//! From what a fetch gave to payloads.

use super::config::KplOutOfRange;
use super::kpl::{self, HashRange, Outcome, UserRecord};
use super::payload;
use bytes::Bytes;
use sluice_batch::{RecordPosition, Sequence};
use sluice_ports::{Payloads, UnusablePayload};
use std::collections::VecDeque;

/// Bytes that payloads may grow by before what is left of an answer waits for the next read: an answer of 10 MiB can hold
/// ten thousand compressed payloads of 64 MiB each.
const MAX_GROWTH: usize = 32 << 20;

/// Payloads after which what is left of an answer waits: an aggregate can hold some hundred thousand.
const MAX_PAYLOADS: usize = 50_000;

/// A record as the stream gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawRecord {
    pub(super) sequence: Sequence,
    /// Milliseconds since the epoch.
    pub(super) arrived_at: i64,
    pub(super) data: Bytes,
}

/// Makes payloads of a shard's records.
#[derive(Debug, Clone)]
pub(super) struct Decoder {
    /// Hash keys of the shard.
    pub(super) range: HashRange,
    pub(super) out_of_range: KplOutOfRange,
    /// The payload after which the reader was opened.
    pub(super) after: Option<(Sequence, u64)>,
    /// Records that arrived before this are passed over, up to the first that did not.
    pub(super) not_before: Option<i64>,
    /// A record that arrived after this ends the reading.
    pub(super) until: Option<i64>,
}

/// What came of some records.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) payloads: Payloads,
    /// Whether a record came that arrived too late for this run.
    pub(super) reached_until: bool,
}

impl Decoder {
    /// Whether making payloads of these takes a processor for a while.
    pub(super) fn is_work(records: &VecDeque<RawRecord>) -> bool {
        records.iter().any(|record| kpl::is_suspect(&record.data) || payload::is_packed(&record.data))
    }

    /// Takes records from the front, as many as fit one read.
    pub(super) fn decode(&mut self, records: &mut VecDeque<RawRecord>) -> Decoded {
        let (mut decoded, mut growth) = (Decoded::default(), 0);
        while growth < MAX_GROWTH && decoded.payloads.data.len() < MAX_PAYLOADS {
            let Some(record) = records.pop_front() else { break };
            if self.until.is_some_and(|until| record.arrived_at > until) {
                decoded.reached_until = true;
                records.clear();
                break;
            }
            if self.is_too_early(&record) {
                continue;
            }
            growth += self.one(&record, &mut decoded.payloads);
        }
        decoded
    }

    fn is_too_early(&mut self, record: &RawRecord) -> bool {
        let early = self.not_before.is_some_and(|from| record.arrived_at < from);
        if !early {
            self.not_before = None;
        }
        early
    }

    /// Adds the payloads of a record; returns what they have more than the record.
    fn one(&self, record: &RawRecord, out: &mut Payloads) -> usize {
        let before = record.data.len();
        let mut into = Adding { record, after: self.after, out, bytes: 0 };
        match kpl::deaggregate(&record.data, self.range) {
            Outcome::Plain => into.usable(0, &record.data),
            Outcome::Records(records) => records.iter().for_each(|user| into.usable(user.sub, &user.data)),
            Outcome::OutOfRange { records, outside } => self.strangers(&records, &outside, &mut into),
            Outcome::Malformed { reason, .. } => {
                into.unusable(0, &record.data, "kpl_malformed", format!("aggregated record: {reason}"), false);
            }
        }
        into.bytes.saturating_sub(before)
    }

    fn strangers(&self, records: &[UserRecord], outside: &[u64], into: &mut Adding<'_>) {
        let drop = match self.out_of_range {
            KplOutOfRange::Deliver => return records.iter().for_each(|user| into.usable(user.sub, &user.data)),
            KplOutOfRange::Quarantine => false,
            KplOutOfRange::Drop => true,
        };
        let (out, all, range) = (outside.len(), records.len(), self.range);
        for user in records {
            let side = if outside.binary_search(&user.sub).is_ok() { "outside" } else { "within" };
            let detail = format!(
                "record {} of an aggregate of {all}, {out} of them outside the shard's hash keys {range}; this one is {side}",
                user.sub
            );
            into.unusable(user.sub, &user.data, "kpl_outside_shard", detail, drop);
        }
    }
}

/// Adds payloads of one record, but for those that were read before.
struct Adding<'a> {
    record: &'a RawRecord,
    after: Option<(Sequence, u64)>,
    out: &'a mut Payloads,
    /// Bytes of the payloads added.
    bytes: usize,
}

impl Adding<'_> {
    fn usable(&mut self, sub: u64, data: &Bytes) {
        if self.is_old(sub) {
            return;
        }
        match payload::unpack(data) {
            Ok(content) => self.push(sub, content),
            Err(detail) => self.unusable(sub, data, "payload_compression", detail, false),
        }
    }

    fn unusable(&mut self, sub: u64, data: &Bytes, reason: &'static str, detail: String, drop: bool) {
        if self.is_old(sub) {
            return;
        }
        let index = self.out.data.len();
        self.out.unusable.push(UnusablePayload { index, reason, detail, drop });
        self.push(sub, data.clone());
    }

    fn is_old(&self, sub: u64) -> bool {
        self.after.is_some_and(|after| (self.record.sequence, sub) <= after)
    }

    fn push(&mut self, sub: u64, data: Bytes) {
        self.bytes += data.len();
        self.out.positions.push(RecordPosition { sequence: self.record.sequence, sub, row: 0 });
        self.out.arrived_at.push(self.record.arrived_at);
        self.out.data.push(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: HashRange = HashRange { from: 0, to: u128::MAX / 2 };

    fn decoder(out_of_range: KplOutOfRange) -> Decoder {
        Decoder { range: HALF, out_of_range, after: None, not_before: None, until: None }
    }

    fn record(n: u128, data: impl Into<Bytes>) -> RawRecord {
        RawRecord { sequence: Sequence::new(n), arrived_at: n as i64, data: data.into() }
    }

    fn aggregate(hashes: &[&str]) -> Bytes {
        kpl::aggregate(hashes.iter().map(|hash| ("k", Some(*hash), Bytes::copy_from_slice(hash.as_bytes()))))
    }

    fn subs(payloads: &Payloads) -> Vec<(u128, u64)> {
        let number = |position: &RecordPosition| position.sequence.to_string().parse().unwrap();
        payloads.positions.iter().map(|position| (number(position), position.sub)).collect()
    }

    #[test]
    fn a_reader_opened_within_an_aggregate_goes_on_within_it() {
        let mut records: VecDeque<_> = [record(1, aggregate(&["1", "2", "3"])), record(2, "x")].into();
        let mut decoder = Decoder { after: Some((Sequence::new(1), 1)), ..decoder(KplOutOfRange::Quarantine) };
        assert_eq!(subs(&decoder.decode(&mut records).payloads), [(1, 2), (2, 0)]);
    }

    #[test]
    fn strangers_are_quarantined_delivered_or_dropped_but_always_there() {
        let far = u128::MAX.to_string();
        for (policy, unusable) in [
            (KplOutOfRange::Quarantine, Some(false)),
            (KplOutOfRange::Drop, Some(true)),
            (KplOutOfRange::Deliver, None),
        ] {
            let mut records: VecDeque<_> = [record(1, aggregate(&["1", &far])), record(2, "x")].into();
            let payloads = decoder(policy).decode(&mut records).payloads;
            assert_eq!(subs(&payloads), [(1, 0), (1, 1), (2, 0)]);
            let expected: Vec<_> = unusable.into_iter().flat_map(|drop| [(0, drop), (1, drop)]).collect();
            let found: Vec<_> = payloads.unusable.iter().map(|unusable| (unusable.index, unusable.drop)).collect();
            assert_eq!(found, expected, "{policy:?}");
            assert!(payloads.unusable.iter().all(|unusable| unusable.reason == "kpl_outside_shard"));
        }
    }

    #[test]
    fn malformed_aggregates_and_broken_compression_are_set_aside_whole() {
        let bad = aggregate(&["not a number"]);
        let mut records: VecDeque<_> = [record(1, bad.clone()), record(2, vec![0x1f, 0x8b, 0x08, 0, 1])].into();
        let payloads = decoder(KplOutOfRange::Deliver).decode(&mut records).payloads;
        let reasons: Vec<_> = payloads.unusable.iter().map(|unusable| unusable.reason).collect();
        assert_eq!(reasons, ["kpl_malformed", "payload_compression"]);
        assert_eq!(payloads.data[0], bad, "the bytes stay as they came");
    }

    #[test]
    fn only_a_leading_stretch_is_too_early() {
        let mut records: VecDeque<_> = [5, 7, 6, 8].map(|n| record(n, "x")).into();
        let mut decoder = Decoder { not_before: Some(7), ..decoder(KplOutOfRange::Quarantine) };
        assert_eq!(decoder.decode(&mut records).payloads.arrived_at, [7, 6, 8]);
    }

    #[test]
    fn a_record_that_came_too_late_ends_the_reading() {
        let mut records: VecDeque<_> = [5, 7, 9, 6].map(|n| record(n, "x")).into();
        let mut decoder = Decoder { until: Some(8), ..decoder(KplOutOfRange::Quarantine) };
        let decoded = decoder.decode(&mut records);
        assert_eq!((decoded.payloads.arrived_at, decoded.reached_until), (vec![5, 7], true));
        assert!(records.is_empty());
    }

    #[test]
    fn what_grows_much_comes_in_several_reads() {
        let packed: Bytes = zstd::stream::encode_all(&vec![b' '; MAX_GROWTH][..], 1).unwrap().into();
        let mut records: VecDeque<_> = (0..3).map(|n| record(n, packed.clone())).collect();
        let mut decoder = decoder(KplOutOfRange::Quarantine);
        let mut reads = 0;
        while !records.is_empty() {
            assert!(decoder.decode(&mut records).payloads.data.len() <= 2);
            reads += 1;
        }
        assert!(reads >= 2, "{reads}");
    }
}
