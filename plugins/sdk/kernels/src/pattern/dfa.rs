//! From states side by side to one state at a time (the subset construction), laid out as a table.

use super::nfa::{Nfa, State};

/// Most states of a table.
const MOST_STATES: usize = 8_000;
/// Most work for a table, in states looked at: so that no pattern holds up the opening of a rule.
const MOST_WORK: usize = 20_000_000;

/// A table with one look a byte. Row 0 is the state from which there is no match.
#[derive(Clone, Debug)]
pub(super) struct Dfa {
    /// The column of each byte: bytes that no state tells apart share one.
    columns: [u8; 256],
    width: usize,
    /// For each state and column where the next state's row begins.
    table: Vec<u32>,
    /// Whether the value may end in a state.
    accepts: Vec<bool>,
    start: u32,
}

impl Dfa {
    /// The table of some states; none if it would be too large.
    pub(super) fn new(nfa: &Nfa) -> Option<Self> {
        let (columns, samples) = columns(nfa);
        let width = samples.len();
        let mut builder = Builder::new(nfa);
        let mut dfa = Self { columns, width, table: Vec::new(), accepts: Vec::new(), start: 0 };
        builder.number(Vec::new());
        let start = builder.closure(vec![nfa.start], true, false);
        // Nothing stands before the first byte only, so the first state is told apart from any that has the same set.
        let accepts_nothing = builder.is_match(&start, true);
        dfa.start = builder.fresh(start) * width as u32;
        let mut at = 0;
        while let Some(set) = builder.sets.get(at).cloned() {
            let first = at as u32 * width as u32 == dfa.start;
            dfa.accepts.push(if first { accepts_nothing } else { builder.is_match(&set, false) });
            for &sample in &samples {
                let next = builder.step(&set, sample);
                dfa.table.push(builder.number(next) * width as u32);
                if builder.sets.len() > MOST_STATES || builder.work > MOST_WORK {
                    return None;
                }
            }
            at += 1;
        }
        Some(dfa)
    }

    #[inline]
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let mut row = self.start as usize;
        for &byte in text {
            row = self.table.get(row + usize::from(self.columns[usize::from(byte)])).map_or(0, |&next| next as usize);
            if row == 0 {
                return false;
            }
        }
        self.accepts.get(row / self.width.max(1)).copied().unwrap_or(false)
    }
}

/// The column of each byte, and one byte of each column.
fn columns(nfa: &Nfa) -> ([u8; 256], Vec<u8>) {
    let mut begins = [false; 257];
    begins[0] = true;
    for state in &nfa.states {
        if let State::Byte { low, high, .. } = state {
            begins[usize::from(*low)] = true;
            begins[usize::from(*high) + 1] = true;
        }
    }
    let (mut columns, mut samples) = ([0; 256], Vec::new());
    for byte in 0..=255u8 {
        if begins[usize::from(byte)] {
            samples.push(byte);
        }
        columns[usize::from(byte)] = (samples.len() - 1) as u8;
    }
    (columns, samples)
}

struct Builder<'a> {
    nfa: &'a Nfa,
    /// Sets by their number.
    sets: Vec<Vec<usize>>,
    /// Numbers of sets by their hash, with linear probing; [`FREE`] where there is none. A table of our own: the one of std
    /// would be a tenth of a component.
    numbers: Vec<u32>,
    /// One bit a state: which have been reached.
    reached: Vec<u64>,
    work: usize,
}

const FREE: u32 = u32::MAX;

impl<'a> Builder<'a> {
    fn new(nfa: &'a Nfa) -> Self {
        let numbers = vec![FREE; (2 * MOST_STATES).next_power_of_two()];
        let reached = vec![0; nfa.states.len().div_ceil(64)];
        Self { nfa, sets: Vec::new(), numbers, reached, work: 0 }
    }

    /// The number of a set, which is a new one if it has none yet.
    fn number(&mut self, set: Vec<usize>) -> u32 {
        let hash =
            set.iter().fold(0u64, |hash, &at| (hash.rotate_left(5) ^ at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mask = self.numbers.len() - 1;
        let mut slot = (hash >> 32) as usize & mask;
        // The table is at most half full: building stops before.
        while self.numbers[slot] != FREE {
            if self.sets[self.numbers[slot] as usize] == set {
                return self.numbers[slot];
            }
            slot = (slot + 1) & mask;
        }
        self.numbers[slot] = self.fresh(set);
        self.numbers[slot]
    }

    fn fresh(&mut self, set: Vec<usize>) -> u32 {
        self.sets.push(set);
        self.sets.len() as u32 - 1
    }

    /// Everything that is reached without a byte, in order; only states that take a byte, wait for the end or match.
    fn closure(&mut self, mut open: Vec<usize>, at_start: bool, at_end: bool) -> Vec<usize> {
        while let Some(at) = open.pop() {
            self.work += 1;
            let (word, bit) = (at / 64, 1 << (at % 64));
            if self.reached[word] & bit != 0 {
                continue;
            }
            self.reached[word] |= bit;
            match &self.nfa.states[at] {
                State::Either(arms) => open.extend(arms),
                State::Start(next) if at_start => open.push(*next),
                State::End(next) if at_end => open.push(*next),
                State::Start(_) | State::End(_) | State::Byte { .. } | State::Match => {}
            }
        }
        self.work += self.reached.len();
        let mut out = Vec::new();
        for (index, word) in self.reached.iter_mut().enumerate() {
            let mut bits = std::mem::take(word);
            while bits != 0 {
                let at = index * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if !matches!(self.nfa.states[at], State::Either(_) | State::Start(_)) {
                    out.push(at);
                }
            }
        }
        out
    }

    /// The set after a byte.
    fn step(&mut self, set: &[usize], byte: u8) -> Vec<usize> {
        self.work += set.len();
        let after = |&at: &usize| match self.nfa.states[at] {
            State::Byte { low, high, next } if (low..=high).contains(&byte) => Some(next),
            _ => None,
        };
        let next: Vec<usize> = set.iter().filter_map(after).collect();
        self.closure(next, false, false)
    }

    /// Whether the value may end here.
    fn is_match(&mut self, set: &[usize], at_start: bool) -> bool {
        let ends = self.closure(set.to_vec(), at_start, true);
        ends.iter().any(|&at| matches!(self.nfa.states[at], State::Match))
    }
}
