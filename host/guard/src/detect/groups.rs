//! Groups of digits and what stands between them.

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
    fn of(between: &[u8]) -> Self {
        match between {
            b" " | b"  " | b"+" => Self::Blank,
            b"-" | b" - " => Self::Dash,
            b"." => Self::Dot,
            b"_" => Self::Line,
            b"/" => Self::Slash,
            b") " | b")" | b")-" | b" (" | b"(" | b"-(" => Self::Paren,
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

/// Groups that a number can have, and then one to see what follows.
const AHEAD: usize = 9;

/// A group and those that follow it.
#[derive(Clone, Copy)]
pub(super) struct Groups<'a>(&'a [Group]);

impl<'a> Groups<'a> {
    pub(super) fn first(self) -> &'a Group {
        &self.0[0]
    }

    /// The groups of the number that may start here: at most eight, with a gap of one before each but the first.
    pub(super) fn chain(self) -> &'a [Group] {
        let len = 1 + self.0[1..].iter().take(AHEAD - 2).take_while(|group| group.gap != Gap::End).count();
        &self.0[..len]
    }

    /// What stands between the first so many groups and the next.
    pub(super) fn gap_after(self, groups: usize) -> Gap {
        self.0.get(groups).map_or(Gap::End, |group| group.gap)
    }
}

/// Calls for each group of a text, in order.
pub(super) fn each(text: &[u8], mut found: impl FnMut(Groups<'_>)) {
    let none = Group { start: 0, end: 0, gap: Gap::End };
    let mut window = [none; 8 * AHEAD];
    let (mut len, mut from, mut last) = (0, 0, None);
    loop {
        while len < window.len()
            && let Some(start) = text[from..].iter().position(u8::is_ascii_digit).map(|skipped| from + skipped)
        {
            from = start + text[start..].iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len() - start);
            let gap = last.map_or(Gap::End, |end| Gap::of(&text[end..start]));
            window[len] = Group { start, end: from, gap };
            (len, last) = (len + 1, Some(from));
        }
        // the last few wait for what follows them
        let done = if len == window.len() { len - AHEAD } else { len };
        for first in 0..done {
            found(Groups(&window[first..len]));
        }
        if done == len {
            return;
        }
        window.copy_within(done..len, 0);
        len -= done;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_know_what_stands_between_them() {
        let text = "(1) 22-333 4.5/66, 7 - 8x9";
        let mut seen = Vec::new();
        each(text.as_bytes(), |groups| seen.push((groups.first().len(), groups.first().gap, groups.chain().len())));
        use Gap::{Blank, Dash, Dot, End, Paren, Slash};
        let expected = [
            (1, End, 6),
            (2, Paren, 5),
            (3, Dash, 4),
            (1, Blank, 3),
            (1, Dot, 2),
            (2, Slash, 1),
            (1, End, 2),
            (1, Dash, 1),
            (1, End, 1),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn every_group_of_a_long_list_is_seen_with_those_behind_it() {
        let text: String = (0..1000).map(|number| format!("{number} ")).collect();
        let mut seen = Vec::new();
        each(text.as_bytes(), |groups| {
            let first = groups.first();
            seen.push(text[first.start..first.end].parse::<usize>().expect("a number"));
            assert_eq!(groups.chain().len(), (1000 - seen.len() + 1).min(8));
        });
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }
}
