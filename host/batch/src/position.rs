//! Where records stand: sequence numbers, positions in a shard, and the stretch that a batch covers.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A sequence number of up to 256 bits. Kinesis numbers have up to 56 decimal digits (187 bits); in a file it is a byte
/// offset into the decompressed stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence {
    high: u128,
    low: u128,
}

impl Sequence {
    /// A sequence number that fits 128 bits.
    pub const fn new(low: u128) -> Self {
        Self { high: 0, low }
    }

    /// The number as a byte offset, where it is one.
    pub fn offset(self) -> Option<u64> {
        (self.high == 0).then(|| u64::try_from(self.low).ok()).flatten()
    }

    /// `self * 10 + digit`, where it fits.
    fn push_digit(self, digit: u8) -> Option<Self> {
        // low * 10 in two halves, so that the carry is seen
        const HALF: u128 = u64::MAX as u128;
        let small = (self.low & HALF) * 10 + u128::from(digit);
        let large = (self.low >> 64) * 10 + (small >> 64);
        let high = self.high.checked_mul(10)?.checked_add(large >> 64)?;
        Some(Self { high, low: (large << 64) | (small & HALF) })
    }

    /// Quotient and remainder by 10^18.
    fn pop_digits(self) -> (Self, u64) {
        const DIGITS: u128 = 1_000_000_000_000_000_000;
        let mut rest: u128 = 0;
        let mut limbs = [(self.high >> 64) as u64, self.high as u64, (self.low >> 64) as u64, self.low as u64];
        for limb in &mut limbs {
            let value = (rest << 64) | u128::from(*limb);
            *limb = (value / DIGITS) as u64;
            rest = value % DIGITS;
        }
        let join = |a: u64, b: u64| (u128::from(a) << 64) | u128::from(b);
        (Self { high: join(limbs[0], limbs[1]), low: join(limbs[2], limbs[3]) }, rest as u64)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.high == 0 {
            return self.low.fmt(f);
        }
        let (rest, last) = self.pop_digits();
        write!(f, "{rest}{last:018}")
    }
}

impl FromStr for Sequence {
    type Err = ParsePositionError;

    fn from_str(s: &str) -> Result<Self, ParsePositionError> {
        let bad = || ParsePositionError(s.to_owned());
        if s.is_empty() || !s.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        s.bytes().try_fold(Self::default(), |n, b| n.push_digit(b - b'0')).ok_or_else(bad)
    }
}

/// Where one record stands in its shard. Ordered by (sequence, sub-sequence, row).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RecordPosition {
    /// Sequence number of the payload; in a file the offset at which the record begins.
    pub sequence: Sequence,
    /// Number of the user record within an aggregated payload, from 0.
    pub sub: u64,
    /// Row within the payload, from 0.
    pub row: u64,
}

impl RecordPosition {
    /// The record that begins at a byte offset.
    pub const fn at_offset(offset: u64) -> Self {
        Self { sequence: Sequence::new(offset as u128), sub: 0, row: 0 }
    }
}

impl fmt::Display for RecordPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.sub, self.row) {
            (0, 0) => self.sequence.fmt(f),
            (sub, row) => write!(f, "{}.{sub}.{row}", self.sequence),
        }
    }
}

/// A place in a shard from which reading can go on. In a byte stream it is a boundary between records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Position {
    /// Before everything that the shard still holds.
    TrimHorizon,
    /// Before the first record that arrived at or after this time, milliseconds since the epoch.
    AtTimestamp(i64),
    /// After this record; for a byte stream, at this offset.
    At(RecordPosition),
    /// After everything: the shard is closed and read to its end.
    ShardEnd,
}

impl Position {
    /// A boundary of a byte stream.
    pub const fn offset(offset: u64) -> Self {
        Self::At(RecordPosition::at_offset(offset))
    }

    /// The record after which reading goes on, where there is one.
    pub const fn record(&self) -> Option<RecordPosition> {
        match self {
            Self::At(record) => Some(*record),
            _ => None,
        }
    }

    /// The byte offset, where this is a boundary of a byte stream. The trim horizon of a byte stream is offset 0.
    pub fn as_offset(&self) -> Option<u64> {
        match self {
            Self::TrimHorizon => Some(0),
            Self::At(record) => record.sequence.offset(),
            Self::AtTimestamp(_) | Self::ShardEnd => None,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrimHorizon => f.write_str("trim-horizon"),
            Self::AtTimestamp(ms) => write!(f, "at-timestamp:{ms}"),
            Self::At(record) => record.fmt(f),
            Self::ShardEnd => f.write_str("shard-end"),
        }
    }
}

/// A text that names no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no position; expected trim-horizon, at-timestamp:MILLISECONDS, shard-end or SEQUENCE[.SUB.ROW]")]
pub struct ParsePositionError(pub String);

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(s: &str) -> Result<Self, ParsePositionError> {
        let bad = || ParsePositionError(s.to_owned());
        match s {
            "trim-horizon" => return Ok(Self::TrimHorizon),
            "shard-end" => return Ok(Self::ShardEnd),
            _ => {}
        }
        if let Some(ms) = s.strip_prefix("at-timestamp:") {
            return Ok(Self::AtTimestamp(ms.parse().map_err(|_| bad())?));
        }
        let mut parts = s.split('.');
        let sequence = parts.next().ok_or_else(bad)?.parse().map_err(|_| bad())?;
        let mut number = || parts.next().map_or(Ok(0), |p| p.parse().map_err(|_| bad()));
        let (sub, row) = (number()?, number()?);
        match parts.next() {
            None => Ok(Self::At(RecordPosition { sequence, sub, row })),
            Some(_) => Err(bad()),
        }
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}

impl TryFrom<String> for Position {
    type Error = ParsePositionError;

    fn try_from(s: String) -> Result<Self, ParsePositionError> {
        s.parse()
    }
}

/// A shard of a source. Shard names repeat across sources, so neither part is unique alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShardRef {
    /// What makes the source unlike any other: for a stream its ARN and creation time, for a file its identity.
    pub source: Arc<str>,
    /// The shard within it.
    pub shard: Arc<str>,
}

impl ShardRef {
    /// A shard of a source.
    pub fn new(source: impl Into<Arc<str>>, shard: impl Into<Arc<str>>) -> Self {
        Self { source: source.into(), shard: shard.into() }
    }

    /// The id of one of its records, unique across sources, shards and rows: `source/shard/sequence[.sub.row]`.
    pub fn record_id(&self, position: RecordPosition) -> String {
        format!("{self}/{position}")
    }
}

impl fmt::Display for ShardRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source, self.shard)
    }
}

/// The half-open stretch (from, to] of a shard that a batch covers, unusable records included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The shard.
    #[serde(flatten)]
    pub shard: ShardRef,
    /// Where the stretch begins, exclusive.
    pub from: Position,
    /// Where it ends, inclusive.
    pub to: Position,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_kinesis_number_reads_back() {
        let text = "49590338271490256608559692538361571095921575989136588898";
        assert_eq!(text.parse::<Sequence>().unwrap().to_string(), text);
        assert!("9".repeat(79).parse::<Sequence>().is_err());
    }

    #[test]
    fn marks_stand_before_and_after_every_record() {
        let record = Position::offset(u64::MAX);
        assert!(Position::TrimHorizon < Position::AtTimestamp(i64::MAX));
        assert!(Position::AtTimestamp(i64::MAX) < Position::offset(0));
        assert!(record < Position::ShardEnd);
    }

    proptest! {
        #[test]
        fn sequences_order_as_their_numbers(a in "[1-9][0-9]{0,55}", b in "[1-9][0-9]{0,55}") {
            let by_text = (a.len(), a.as_str()).cmp(&(b.len(), b.as_str()));
            prop_assert_eq!(a.parse::<Sequence>().unwrap().cmp(&b.parse::<Sequence>().unwrap()), by_text);
        }

        #[test]
        fn positions_read_back(high: u128, low: u128, sub: u64, row: u64) {
            let record = RecordPosition { sequence: Sequence { high, low }, sub, row };
            for position in [Position::At(record), Position::AtTimestamp(low as i64)] {
                prop_assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
            }
        }

        #[test]
        fn nothing_panics_on_strange_texts(s in "\\PC*") {
            let _ = s.parse::<Position>();
        }
    }
}
