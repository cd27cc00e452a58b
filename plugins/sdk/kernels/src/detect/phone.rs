//! Telephone numbers in free text.
//!
//! A number is a chain of digit groups with single separators between. Shapes that hardly anything else has are taken by
//! themselves: a country code after `+` or `00`, a leading trunk zero, an area in parentheses, 3-3-4 as in North America.
//! Shapes that other numbers have too (seven bare digits, pairs of digits) are taken only after a word such as `phone`.

use super::runs::{run_at, runs};
use super::{Span, byte_at, byte_before, byte_two_before, is_word};

/// Groups looked at; more are no number.
const MOST_GROUPS: usize = 8;
/// Digits of the longest number: 15 (ITU-T E.164), and the trunk zero in parentheses.
const MOST_DIGITS: usize = 16;
/// How far before a number a word makes it one, how far after it, and how far before it a word makes it another.
const NEAR: usize = 40;
const NEAR_AFTER: usize = 10;
const NEAR_OTHER: usize = 16;

pub(super) fn spans(text: &[u8], out: &mut Vec<Span>) {
    let mut free = 0;
    for run in runs(text) {
        if run.start < free {
            continue;
        }
        let chain = Chain::read(text, run);
        if chain.start >= free
            && chain.may_start(text)
            && let Some(place) = chain.longest(text)
        {
            out.push(place);
            free = place.end;
        }
    }
}

#[derive(Clone, Copy)]
struct Group {
    at: Span,
    /// What stands before the group: `-`, `.`, `/`, a blank, or `)` where only a parenthesis does; 0 for the first.
    separator: u8,
    /// Whether it stands in parentheses.
    enclosed: bool,
}

/// Groups of digits that could be one number.
struct Chain {
    /// First byte: of the first group, or the `+` or `(` before it.
    start: usize,
    plus: bool,
    groups: [Group; MOST_GROUPS],
    len: usize,
}

/// How sure a shape is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    None,
    /// Needs a word before it.
    Weak,
    Strong,
}

impl Chain {
    fn read(text: &[u8], first: Span) -> Self {
        let (start, plus, enclosed) = lead(text, first);
        let group = Group { at: first, separator: 0, enclosed };
        let mut chain = Self { start, plus, groups: [group; MOST_GROUPS], len: 1 };
        let mut digits = first.end - first.start;
        let (mut end, mut open) = (first.end, enclosed);
        while let Some(gap) = Gap::read(text, end, open) {
            let at = run_at(text, gap.end);
            digits += at.end - at.start;
            if at.start == at.end || chain.len == MOST_GROUPS || digits > MOST_DIGITS {
                break;
            }
            open = gap.opens && byte_at(text, at.end) == b')';
            if gap.opens && !open {
                break;
            }
            chain.groups[chain.len] = Group { at, separator: gap.separator, enclosed: open };
            chain.len += 1;
            end = at.end;
        }
        chain
    }

    /// Whether a number may start here: not within a word, a larger number, an amount or a path.
    fn may_start(&self, text: &[u8]) -> bool {
        let before = byte_before(text, self.start);
        let within = || byte_two_before(text, self.start).is_ascii_digit();
        !(is_word(before) || before == b'$' || matches!(before, b'-' | b'.' | b'/' | b':' | b'+') && within())
    }

    /// The longest part of the chain that is a number.
    fn longest(&self, text: &[u8]) -> Option<Span> {
        let mut weak = None;
        for len in (1..=self.len).rev() {
            let groups = self.groups.get(..len)?;
            let place = self.place(text, groups)?;
            if !ends_well(text, place.end) {
                continue;
            }
            match self.judge(text, groups) {
                Strength::Strong => return Some(place),
                Strength::Weak => weak = weak.or(Some(place)),
                Strength::None => {}
            }
        }
        weak.filter(|&place| !matches!(byte_before(text, self.start), b'#' | b'/') && is_announced(text, place))
    }

    /// Where a number with these groups stands, with its extension. Parentheses around all of it are no part of it.
    fn place(&self, text: &[u8], groups: &[Group]) -> Option<Span> {
        let last = groups.last()?;
        if groups.len() == 1 && last.enclosed && byte_at(text, self.start) == b'(' {
            return Some(Span::new(self.start + 1, last.at.end));
        }
        let end = last.at.end + usize::from(last.enclosed);
        Some(Span::new(self.start, extension_end(text, end).unwrap_or(end)))
    }

    fn judge(&self, text: &[u8], groups: &[Group]) -> Strength {
        let mut lens = [0; MOST_GROUPS];
        for (len, group) in lens.iter_mut().zip(groups) {
            *len = group.at.end - group.at.start;
        }
        let shape = Shape { lens: lens.get(..groups.len()).unwrap_or(&[]), groups, text };
        if self.plus { shape.international(0) } else { shape.national() }
    }
}

/// Groups with their lengths.
struct Shape<'a> {
    lens: &'a [usize],
    groups: &'a [Group],
    text: &'a [u8],
}

impl Shape<'_> {
    fn digit(&self, group: usize, at: usize) -> u8 {
        self.groups.get(group).map_or(0, |group| byte_at(self.text, group.at.start + at))
    }

    fn total(&self) -> usize {
        self.lens.iter().sum()
    }

    /// A country code, after a `+` or `prefix` digits.
    fn international(&self, prefix: usize) -> Strength {
        let code = [self.digit(0, prefix), self.digit(0, prefix + 1)];
        let trunk = self.groups.iter().zip(self.lens).any(|(group, &len)| group.enclosed && len == 1);
        let digits = self.total() - prefix - usize::from(trunk);
        let stubs =
            self.lens.iter().zip(self.groups).skip(1).filter(|&(&len, group)| len == 1 && !group.enclosed).count();
        let good = (b'1'..=b'9').contains(&code[0]) && (8..=longest_of(code)).contains(&digits) && stubs <= 1;
        if good { Strength::Strong } else { Strength::None }
    }

    fn national(&self) -> Strength {
        let (total, uniform) = (self.total(), self.uniform());
        let (first, second) = (self.digit(0, 0), self.digit(0, 1));
        let enclosed = self.groups.first().is_some_and(|group| group.enclosed);
        if (first, second) == (b'0', b'0') {
            // A country code of one digit is 1 or 7.
            if self.lens.first() == Some(&3) && !matches!(self.digit(0, 2), b'1' | b'7') {
                return Strength::None;
            }
            let shaped = self.lens.len() > 1 && uniform || total >= 11;
            return if shaped { self.international(2) } else { Strength::None };
        }
        match *self.lens {
            // Social security numbers and dates.
            [3, 2, 4] | [4, 2, 2] | [2, 2, 4] => Strength::None,
            // North America: area, exchange, line.
            [3, 3, 4] if enclosed || uniform && (self.separator(1) != b' ' || first >= b'2') => Strength::Strong,
            [1, 3, 3, 4] if first == b'1' => Strength::Strong,
            [2..=3, 3, 3, 4] if uniform && self.separator(1) == b'-' => Strength::Strong,
            // One piece with a trunk zero.
            [10 | 11] if first == b'0' && !self.is_denied() => Strength::Strong,
            [7..=11] => Strength::Weak,
            _ if enclosed => self.enclosed_area(),
            _ if first == b'0' && uniform && (9..=11).contains(&total) && self.grouped(5) => Strength::Strong,
            _ if uniform && (7..=12).contains(&total) && self.grouped(4) && !self.is_other() => Strength::Weak,
            _ => Strength::None,
        }
    }

    /// `(71) 4233-6306`: an area of two to four digits, or with a trunk zero of five, and a number.
    fn enclosed_area(&self) -> Strength {
        let area = self.lens.first().is_some_and(|&len| (2..=4).contains(&len) || len == 5 && self.digit(0, 0) == b'0');
        let good = area && (8..=11).contains(&self.total()) && (2..=4).contains(&self.lens.len());
        if good { Strength::Strong } else { Strength::None }
    }

    /// Decimals, versions, addresses and spans of years.
    fn is_other(&self) -> bool {
        let year = |group: usize| matches!((self.digit(group, 0), self.digit(group, 1)), (b'1', b'9') | (b'2', b'0'));
        match *self.lens {
            [4, 4] => year(0) && year(1),
            [_, _] | [2, 2, 2] => self.separator(1) == b'.',
            [_, _, _] | [_, _, _, _] => self.separator(1) == b'.' && self.lens.iter().any(|&len| len != self.lens[0]),
            _ => false,
        }
    }

    /// Whether a word right before says that it is another number.
    fn is_denied(&self) -> bool {
        let start = self.groups.first().map_or(0, |group| group.at.start);
        has_word(self.text, start.saturating_sub(NEAR_OTHER), start, &OTHERS)
    }

    fn separator(&self, group: usize) -> u8 {
        self.groups.get(group).map_or(0, |group| group.separator)
    }

    /// Whether the same separator stands between all groups.
    fn uniform(&self) -> bool {
        self.groups.iter().skip(1).all(|group| group.separator == self.separator(1))
    }

    /// Whether there are two to five groups of at least two digits, the first of at most `most`.
    fn grouped(&self, most: usize) -> bool {
        (2..=5).contains(&self.lens.len()) && self.lens.iter().all(|&len| len >= 2) && self.lens.first() <= Some(&most)
    }
}

/// Most digits after the `+` of a country: code and national number. Keeps a number that follows from being taken for
/// the end of this one. From the national numbering plans (ITU-T E.164 lists them).
fn longest_of(code: [u8; 2]) -> usize {
    match code {
        [b'1' | b'7', _] => 11,
        [b'4', b'5' | b'7'] => 10,
        [b'3', b'1' | b'3' | b'4'] | [b'4', b'1'] | [b'6', b'1'] => 11,
        [b'3', b'0'] | [b'4', b'4' | b'6'] | [b'9', b'1'] | [b'8', b'1'] => 12,
        [b'4', b'9'] => 14,
        _ => 13,
    }
}

/// Where a number really starts: at a `+` before its first group, or at the parenthesis around that.
fn lead(text: &[u8], first: Span) -> (usize, bool, bool) {
    let mut start = first.start;
    let mut plus = false;
    if byte_before(text, start) == b'+' {
        (start, plus) = (start - 1, true);
    }
    let enclosed = byte_before(text, start) == b'(' && byte_at(text, first.end) == b')';
    if enclosed {
        start -= 1;
        if !plus && byte_before(text, start) == b'+' {
            (start, plus) = (start - 1, true);
        }
    }
    (start, plus, enclosed)
}

/// What stands between two groups.
struct Gap {
    separator: u8,
    opens: bool,
    end: usize,
}

impl Gap {
    /// The gap at `at`: a closing parenthesis if one is `open`, at most one separator, an opening parenthesis.
    fn read(text: &[u8], mut at: usize, open: bool) -> Option<Self> {
        let mut separator = 0;
        if open {
            // The caller has seen it.
            at += 1;
            separator = b')';
        }
        if let Some((found, len)) = separator_at(text, at) {
            separator = found;
            at += len;
        }
        let opens = byte_at(text, at) == b'(';
        at += usize::from(opens);
        (separator != 0 || opens).then_some(Self { separator, opens, end: at })
    }
}

/// A separator and its length: a blank, dash, point or slash, a dash between blanks, and the no-break blanks and dashes
/// of Unicode.
fn separator_at(text: &[u8], at: usize) -> Option<(u8, usize)> {
    match *text.get(at..)? {
        [b' ', b'-', b' ', ..] => Some((b'-', 3)),
        [byte @ (b' ' | b'-' | b'.' | b'/'), ..] => Some((byte, 1)),
        [0xC2, 0xA0, ..] => Some((b' ', 2)),
        [0xE2, 0x80, 0xAF, ..] => Some((b' ', 3)),
        [0xE2, 0x80, 0x90..=0x95, ..] => Some((b'-', 3)),
        _ => None,
    }
}

/// Where the extension at `at` ends: `x12`, ` ext. 12`.
fn extension_end(text: &[u8], mut at: usize) -> Option<usize> {
    at += usize::from(byte_at(text, at) == b' ');
    let mark = [&b"extension"[..], b"ext.", b"ext", b"x"]
        .into_iter()
        .find(|mark| text.get(at..at + mark.len()).is_some_and(|found| found.eq_ignore_ascii_case(mark)))?;
    at += mark.len();
    at += usize::from(byte_at(text, at) == b' ');
    let digits = run_at(text, at);
    ((1..=6).contains(&(digits.end - digits.start)) && !is_word(byte_at(text, digits.end))).then_some(digits.end)
}

/// Whether a number may end here: no word and no larger number goes on.
fn ends_well(text: &[u8], end: usize) -> bool {
    let next = byte_at(text, end);
    let goes_on = matches!(next, b'-' | b'.' | b'/' | b':') && byte_at(text, end + 1).is_ascii_digit();
    !is_word(next) && !goes_on && next != b'%'
}

/// Words that a telephone number stands after, or shortly before; beginnings count.
const WORDS: [&[u8]; 17] = [
    b"answer",
    b"phone",
    b"tel",
    b"call",
    b"mobil",
    b"cell",
    b"fax",
    b"contact",
    b"dial",
    b"ring ",
    b"whatsapp",
    b"sms",
    b"handy",
    b"reach",
    b"t\xC3\xA9l",
    b"messag",
    b"text ",
];
const WORDS_AFTER: [&[u8]; 5] = [b"office", b"mobil", b"phone", b"fax", b"cell"];
/// Words that another number stands after.
const OTHERS: [&[u8]; 6] = [b"account", b"acct", b"order", b"invoice", b"ref", b"ticket"];

/// Whether a word shortly before `place`, with no other number between, or right after it says that it is a telephone
/// number.
fn is_announced(text: &[u8], place: Span) -> bool {
    let from = place.start.saturating_sub(NEAR);
    let between = text.get(from..place.start).unwrap_or(&[]);
    let from = between.iter().rposition(u8::is_ascii_digit).map_or(from, |digit| from + digit + 1);
    has_word(text, from, place.start, &WORDS) || has_word(text, place.end, place.end + NEAR_AFTER, &WORDS_AFTER)
}

/// Whether one of the words begins between `start` and `end`.
fn has_word(text: &[u8], start: usize, end: usize, words: &[&[u8]]) -> bool {
    let end = end.min(text.len());
    (start..end).filter(|&at| !byte_before(text, at).is_ascii_alphabetic()).any(|at| {
        let rest = text.get(at..end).unwrap_or(&[]);
        words.iter().any(|word| rest.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word)))
    })
}

#[cfg(test)]
mod tests {
    use crate::detect::{Kind, tests::found};

    #[test]
    fn numbers_that_speak_for_themselves_are_found() {
        for number in [
            "+44 20 7946 0958",
            "+1-415-555-0132",
            "+1 (415) 555-0132",
            "+442079460958",
            "+46 (0)8 928 571 38",
            "(+49) 30 901820",
            "001-518-640-0854",
            "0049 30 901820",
            "(415) 555-0132",
            "415-555-0132",
            "415.555.0132x4587",
            "1 415 555 0132",
            "91-415-555-0132",
            "0123456789",
            "020 7946 0958",
            "03.93.92.16.85",
            "09-7625400",
            "(71) 4233-6306",
            "415\u{2011}555\u{2011}0132 ext. 12",
        ] {
            for text in [format!("See {number}, ok"), number.to_owned(), format!("({number})."), format!("<{number}>")]
            {
                assert_eq!(found(Kind::Phone, &text), [number], "{text}");
            }
        }
    }

    #[test]
    fn shapes_of_many_things_are_found_after_a_word() {
        for number in ["4155550132", "555-0132", "60-56-85-91", "699 956 915", "9472 7916"] {
            assert_eq!(found(Kind::Phone, &format!("my Phone is {number}.")), [number]);
            assert_eq!(found(Kind::Phone, &format!("my order is {number}.")), Vec::<&str>::new());
        }
    }

    #[test]
    fn dates_amounts_and_identifiers_are_left() {
        for text in [
            "2026-03-01",
            "2026-03-01T10:00:00",
            "01/03/2026 10:00",
            "01.03.2026",
            "$4155550132",
            "1234567.89",
            "078-05-1120",
            "4111 1111 1111 1111",
            "192.168.100.200",
            "ord-00112233",
            "a415-555-0132",
            "415-555-0132-99",
            "12-34-56",
            "0.0123456789",
            "+1 2",
            "100%",
            "1772359200",
            "Account: 0139763231",
            "during the call: 280793.15",
            "call AppleWebKit/537.73.11",
            "phone Gecko/20100101",
            "(11450) 2015",
            "a telling 1999-2010",
            "string 30536808",
            "contact 77.222.134.253",
        ] {
            assert_eq!(found(Kind::Phone, text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn a_number_that_follows_is_no_part_of_it() {
        assert_eq!(found(Kind::Phone, "+1 415 555 0132 2024"), ["+1 415 555 0132"]);
        assert_eq!(found(Kind::Phone, "415-555-0132 2 times"), ["415-555-0132"]);
        assert_eq!(found(Kind::Phone, "0123456789, 0123456780"), ["0123456789", "0123456780"]);
    }
}
