//! From a tree to states that stand side by side (Thompson's construction), over bytes.

use super::parse::Node;
use super::utf8::sequences;

/// Most states. Repetition copies what it repeats, so a short pattern can ask for very many.
const MOST_STATES: usize = 20_000;

/// One state.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Takes a byte within the range.
    Byte { low: u8, high: u8, next: usize },
    /// Goes on at each of them without a byte.
    Either(Vec<usize>),
    /// Goes on where nothing stands before.
    Start(usize),
    /// Goes on where nothing stands after.
    End(usize),
    /// The match.
    Match,
}

#[derive(Debug)]
pub(super) struct Nfa {
    pub(super) states: Vec<State>,
    pub(super) start: usize,
}

impl Nfa {
    /// The states of a pattern; none if they are too many.
    pub(super) fn new(node: &Node) -> Option<Self> {
        let mut nfa = Self { states: vec![State::Match], start: 0 };
        nfa.start = nfa.add(node, 0)?;
        Some(nfa)
    }

    fn push(&mut self, state: State) -> Option<usize> {
        self.states.push(state);
        (self.states.len() <= MOST_STATES).then(|| self.states.len() - 1)
    }

    /// Adds a node that goes on at `next`; returns where it begins.
    fn add(&mut self, node: &Node, next: usize) -> Option<usize> {
        match node {
            Node::Start => self.push(State::Start(next)),
            Node::End => self.push(State::End(next)),
            Node::Class(ranges) => self.add_class(ranges, next),
            Node::Concat(parts) => parts.iter().rev().try_fold(next, |next, part| self.add(part, next)),
            Node::Either(arms) => {
                let arms = arms.iter().map(|arm| self.add(arm, next)).collect::<Option<Vec<_>>>()?;
                self.push(State::Either(arms))
            }
            Node::Repeat { node, least, most } => self.add_repeat(node, *least, *most, next),
        }
    }

    fn add_repeat(&mut self, node: &Node, least: u32, most: Option<u32>, mut next: usize) -> Option<usize> {
        match most {
            None => {
                let again = self.push(State::Either(vec![next]))?;
                let body = self.add(node, again)?;
                if let Some(State::Either(arms)) = self.states.get_mut(again) {
                    arms.push(body);
                }
                next = again;
            }
            Some(most) => {
                let end = next;
                for _ in least..most {
                    let body = self.add(node, next)?;
                    next = self.push(State::Either(vec![body, end]))?;
                }
            }
        }
        (0..least).try_fold(next, |next, _| self.add(node, next))
    }

    fn add_class(&mut self, ranges: &[(u32, u32)], next: usize) -> Option<usize> {
        let mut encodings = Vec::new();
        for &(low, high) in ranges {
            sequences(low, high, &mut encodings);
        }
        let mut arms = Vec::with_capacity(encodings.len());
        for sequence in encodings {
            let byte = |next: usize, &(low, high): &(u8, u8)| self.push(State::Byte { low, high, next });
            arms.push(sequence.iter().rev().try_fold(next, byte)?);
        }
        match *arms {
            [only] => Some(only),
            _ => self.push(State::Either(arms)),
        }
    }
}
