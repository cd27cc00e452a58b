//! Membership of text in a small set that is known from the configuration.

use crate::block::{WIDTH, load8, low_bytes};
use crate::compare::equal_of_any_length;
use crate::{bits, text::Text};

/// Multipliers tried when a table is laid out. Past [`MANY`] members some always collide and one is as good as another.
const SEEDS: u64 = 64;
const MANY: usize = 512;

/// The first sixteen bytes of a member and its length: enough to tell members of up to sixteen bytes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    low: u64,
    high: u64,
    /// `usize::MAX` marks an empty slot.
    len: usize,
}

const EMPTY: Key = Key { low: 0, high: 0, len: usize::MAX };

impl Key {
    #[inline(always)]
    fn of(bytes: &[u8], start: usize, end: usize) -> Self {
        let len = end.saturating_sub(start);
        // Two loads that may cross the end of the row, masked to it.
        if let Some(chunk) = bytes.get(start..).and_then(|rest| rest.first_chunk::<WIDTH>()) {
            let both = u128::from_le_bytes(*chunk);
            let (low, high) = (both as u64, (both >> 64) as u64);
            return Self { low: low_bytes(low, len), high: low_bytes(high, len.saturating_sub(8)), len };
        }
        let row = bytes.get(start..end).unwrap_or(&[]);
        Self { low: load8(row), high: load8(row.get(8..).unwrap_or(&[])), len }
    }

    #[inline(always)]
    fn hash(self, seed: u64) -> u64 {
        let mixed = (self.low ^ self.high.rotate_left(29) ^ self.len as u64).wrapping_mul(seed);
        mixed ^ mixed >> 32
    }
}

/// A set of texts with a number each: its place in the list that the set was built from.
///
/// Members of up to sixteen bytes are compared as two integers; longer ones in blocks. The table is laid out so that
/// small sets answer with one look.
#[derive(Clone, Debug)]
pub struct SmallSet {
    slots: Vec<(Key, u32)>,
    seed: u64,
    members: Vec<Box<[u8]>>,
}

impl SmallSet {
    /// The set of `members`. Of equal ones the first gives the number.
    pub fn new<S: AsRef<[u8]>>(members: impl IntoIterator<Item = S>) -> Self {
        Self::of(members.into_iter().map(|member| member.as_ref().into()).collect())
    }

    #[inline(never)]
    fn of(members: Vec<Box<[u8]>>) -> Self {
        let slots = (members.len() * 4).next_power_of_two().max(8);
        let tries = if members.len() > MANY { 1 } else { SEEDS };
        let layouts = (0..tries).map(|i| lay_out(&members, slots, seed(i)));
        let best = layouts.min_by_key(|(_, steps, _)| *steps);
        let (slots, _, seed) = best.unwrap_or_else(|| (vec![(EMPTY, 0); 8], 0, 1));
        Self { slots, seed, members }
    }

    /// Number of texts that the set was built from.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether the set has no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, in the order in which they were given.
    pub fn members(&self) -> impl Iterator<Item = &[u8]> {
        self.members.iter().map(|member| &**member)
    }

    /// Whether `text` is a member.
    #[inline]
    #[must_use]
    pub fn contains(&self, text: &[u8]) -> bool {
        self.position(text).is_some()
    }

    /// The number of the member that equals `text`.
    #[inline]
    #[must_use]
    pub fn position(&self, text: &[u8]) -> Option<u32> {
        self.position_within(text, 0, text.len())
    }

    /// The number of the member that equals `bytes[start..end]`. Faster when `bytes` is a whole column.
    #[inline(always)]
    #[must_use]
    pub fn position_within(&self, bytes: &[u8], start: usize, end: usize) -> Option<u32> {
        let key = Key::of(bytes, start, end);
        // The first look is enough for nearly every member of a small set, and a loop costs its check of the deadline.
        match self.slots.get(key.hash(self.seed) as usize & (self.slots.len() - 1)) {
            Some((slot, number)) if *slot == key && key.len <= WIDTH => Some(*number),
            _ => self.position_by_search(key, bytes, start, end),
        }
    }

    #[inline(never)]
    fn position_by_search(&self, key: Key, bytes: &[u8], start: usize, end: usize) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = key.hash(self.seed) as usize & mask;
        // At most a quarter of the slots is taken, so an empty one ends every search.
        loop {
            let (slot, number) = self.slots[at];
            if slot == key && (key.len <= WIDTH || self.same_long(number, bytes, start, end)) {
                return Some(number);
            }
            if slot.len == EMPTY.len {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn same_long(&self, number: u32, bytes: &[u8], start: usize, end: usize) -> bool {
        equal_of_any_length(&self.members[number as usize], bytes.get(start..end).unwrap_or(&[]))
    }

    /// Bits of the rows that are members. What stands under a null counts as the empty text.
    #[must_use]
    pub fn rows_in(&self, text: &Text) -> Vec<u8> {
        bits::pack(text.rows(), |row| {
            let (start, end) = text.span(row);
            self.position_within(text.bytes, start, end).is_some()
        })
    }
}

/// The i-th multiplier.
fn seed(i: u64) -> u64 {
    0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(2 * i + 1)
}

/// A table with all members, and the number of steps past the first slot that finding all of them takes.
fn lay_out(members: &[Box<[u8]>], slots: usize, seed: u64) -> (Vec<(Key, u32)>, usize, u64) {
    let mut table = vec![(EMPTY, 0); slots];
    let mut steps = 0;
    for (number, member) in members.iter().enumerate() {
        let key = Key::of(member, 0, member.len());
        let mut at = key.hash(seed) as usize & (slots - 1);
        while table[at].0 != EMPTY {
            if equal_of_any_length(&members[table[at].1 as usize], member) {
                break;
            }
            at = (at + 1) & (slots - 1);
            steps += 1;
        }
        if table[at].0 == EMPTY {
            table[at] = (key, number as u32);
        }
    }
    (table, steps, seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::column;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn members_are_found_and_others_are_not(
            members in vec("[ab]{0,20}", 0..40), rows in vec("[ab]{0,20}", 0..60),
        ) {
            let set = SmallSet::new(&members);
            let (offsets, bytes) = column(&rows);
            let found = set.rows_in(&Text::new(&offsets, &bytes));
            for (i, row) in rows.iter().enumerate() {
                let plain = members.iter().position(|member| member == row);
                prop_assert_eq!(set.position(row.as_bytes()), plain.map(|p| p as u32));
                prop_assert_eq!(bits::get(&found, i), plain.is_some());
            }
            for member in &members {
                prop_assert!(set.contains(member.as_bytes()));
            }
        }
    }

    #[test]
    fn the_six_states_of_an_order_take_one_look_each() {
        let states = ["pending", "paid", "shipped", "delivered", "cancelled", "returned"];
        let members: Vec<Box<[u8]>> = states.iter().map(|s| s.as_bytes().into()).collect();
        let set = SmallSet::new(states);
        let steps = lay_out(&members, set.slots.len(), set.seed).1;
        assert_eq!(steps, 0);
        assert!(!set.contains(b"PAID") && !set.contains(b"") && !set.contains(b"pend ing"));
    }

    #[test]
    fn ten_thousand_members_are_found() {
        let members: Vec<String> = (0..10_000).map(|i| format!("customer-{i:06}-{}", i * 7)).collect();
        let set = SmallSet::new(&members);
        assert!(members.iter().enumerate().all(|(i, m)| set.position(m.as_bytes()) == Some(i as u32)));
        assert!(!set.contains(b"customer-000000-1"));
    }

    #[test]
    fn an_empty_set_has_no_member() {
        let set = SmallSet::new::<&str>([]);
        assert!(set.is_empty() && !set.contains(b"") && !set.contains(b"a"));
    }
}
