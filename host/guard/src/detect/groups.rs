//! Groups of digits and what stands between them.

use crate::block::{BLOCK, Text};

/// What stands between two groups of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Something else; a number ends here.
    End,
    /// One blank or two, or a `+`, which is a blank in addresses.
    Blank,
    /// `-`, or ` - `
    Dash,
    /// `.`
    Dot,
    /// `_`
    Line,
    /// `/`
    Slash,
    /// A parenthesis, with or without a blank or dash.
    Paren,
}

impl Gap {
    #[inline(always)]
    fn of(between: &[u8]) -> Self {
        match between {
            [b' ' | b'+'] | [b' ', b' '] => Self::Blank,
            [b'-'] | [b' ', b'-', b' '] => Self::Dash,
            [b'.'] => Self::Dot,
            [b'_'] => Self::Line,
            [b'/'] => Self::Slash,
            [b')' | b'('] | [b')', b' ' | b'-'] | [b' ' | b'-', b'('] => Self::Paren,
            _ => Self::End,
        }
    }
}

/// A run of digits, and what stands between it and the run before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) gap: Gap,
}

impl Group {
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }
}

/// Groups that a number can have.
const MOST: usize = 8;

/// A group and those that may be of one number with it.
#[derive(Clone, Copy)]
pub(super) struct Groups<'a> {
    all: &'a [Group],
    digits: usize,
}

impl<'a> Groups<'a> {
    pub(super) fn first(self) -> &'a Group {
        &self.all[0]
    }

    /// The groups of the number that may start here: at most eight, with a gap of one before each but the first.
    pub(super) fn chain(self) -> &'a [Group] {
        &self.all[..self.all.len().min(MOST)]
    }

    /// Digits of them all, and of what else follows in the same way.
    pub(super) fn digits(self) -> usize {
        self.digits
    }

    /// What stands between the first so many groups and the next.
    pub(super) fn gap_after(self, groups: usize) -> Gap {
        self.all.get(groups).map_or(Gap::End, |group| group.gap)
    }
}

/// Calls for each group of a text that may be the first of seven digits or of four groups, in order.
#[inline(always)]
pub(super) fn each(text: Text<'_>, found: &mut dyn FnMut(Groups<'_>)) {
    let bytes = text.bytes();
    if bytes.is_empty() {
        return;
    }
    let first = text.digits(0);
    if let Some(group) = only(first, bytes.len()) {
        // most keys: no need to wait for what follows
        if group.len() >= 7 {
            found(Groups { all: &[group], digits: group.len() });
        }
        return;
    }
    const NONE: usize = usize::MAX;
    let mut row = Row { groups: [Group { start: 0, end: 0, gap: Gap::End }; 2 * MOST], len: 0, digits: 0 };
    let (mut start, mut last) = (NONE, 0);
    let mut add = |start: usize, end: usize| {
        let gap = if row.len > 0 && start - last <= 3 { Gap::of(&bytes[last..start]) } else { Gap::End };
        last = end;
        if gap == Gap::End {
            row.end(found);
        } else if row.len == row.groups.len() {
            row.make_room(found);
        }
        row.groups[row.len] = Group { start, end, gap };
        row.len += 1;
        row.digits += end - start;
    };
    let (mut place, mut before) = (0, 0);
    while place < bytes.len() {
        let digits = if place == 0 { first } else { text.digits(place) };
        // where digits begin or end
        let mut turns = digits ^ (digits << 1 | before);
        while turns != 0 {
            let turn = place + turns.trailing_zeros() as usize;
            turns &= turns - 1;
            if start == NONE {
                start = turn;
            } else {
                add(start, turn);
                start = NONE;
            }
        }
        before = digits >> 63;
        place += BLOCK;
    }
    if start != NONE {
        add(start, bytes.len());
    }
    row.end(found);
}

/// The only group of a text of one block.
#[inline(always)]
fn only(digits: u64, bytes: usize) -> Option<Group> {
    let (start, len) = (digits.trailing_zeros() as usize, digits.count_ones() as usize);
    let end = BLOCK - digits.leading_zeros() as usize;
    (bytes <= BLOCK && len > 0 && end - start == len).then_some(Group { start, end, gap: Gap::End })
}

/// Groups with gaps of a number between them.
struct Row {
    groups: [Group; 2 * MOST],
    len: usize,
    digits: usize,
}

impl Row {
    /// Calls for the groups, and begins with none.
    #[inline(always)]
    fn end(&mut self, found: &mut dyn FnMut(Groups<'_>)) {
        if self.digits >= 7 || self.len >= 4 {
            self.call(self.len, found);
        }
        (self.len, self.digits) = (0, 0);
    }

    /// Calls for the groups that need not wait for what follows, and forgets them.
    #[inline(never)]
    fn make_room(&mut self, found: &mut dyn FnMut(Groups<'_>)) {
        let done = self.len - MOST;
        self.call(done, found);
        self.groups.copy_within(done.., 0);
        self.len = MOST;
        self.digits = self.groups[..MOST].iter().map(Group::len).sum();
    }

    #[inline(never)]
    fn call(&self, done: usize, found: &mut dyn FnMut(Groups<'_>)) {
        let mut digits = self.digits;
        for first in 0..done {
            if digits < 7 && self.len - first < 4 {
                return;
            }
            found(Groups { all: &self.groups[first..self.len], digits });
            digits -= self.groups[first].len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_know_what_stands_between_them() {
        let text = "(1) 22-333 4444.5/66, 7 - 888888x9";
        let mut seen = Vec::new();
        each(Text::whole(text.as_bytes()), &mut |groups| {
            seen.push((groups.first().len(), groups.first().gap, groups.chain().len()));
        });
        use Gap::{Blank, Dash, End, Paren};
        let expected = [(1, End, 6), (2, Paren, 5), (3, Dash, 4), (4, Blank, 3), (1, End, 2)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn groups_are_the_same_wherever_blocks_end() {
        for shift in 0..140 {
            let text = format!("{}1234-5678", "x".repeat(shift));
            for text in [text.clone(), text + " and on"] {
                let mut seen = Vec::new();
                each(Text::whole(text.as_bytes()), &mut |groups| {
                    seen.extend(groups.chain().iter().map(|group| (group.start, group.end)));
                });
                assert_eq!(seen, [(shift, shift + 4), (shift + 5, shift + 9)]);
            }
        }
    }

    #[test]
    fn every_group_of_a_long_list_is_seen_with_those_behind_it() {
        let text: String = (1000..2000).map(|number| format!("{number} ")).collect();
        let mut seen = Vec::new();
        each(Text::whole(text.as_bytes()), &mut |groups| {
            let first = groups.first();
            seen.push(text[first.start..first.end].parse::<usize>().expect("a number"));
            assert_eq!(groups.chain().len(), (1001 - seen.len()).min(8));
        });
        assert_eq!(seen, (1000..1999).collect::<Vec<_>>());
    }
}
