//! Telephone numbers: by their shape where it says enough, else by a word near them.

use super::groups::{Gap, Group, Groups};
use crate::bytes::{self, Words, apart};
use std::ops::Range;

/// Words, or their beginnings, that a telephone number stands behind.
const WORDS: Words = Words::new(&[
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
    b"text ",
]);
const MOST_GROUPS: usize = 7;

/// The telephone number that begins with the first group.
pub(super) fn at(text: &[u8], groups: Groups<'_>) -> Option<Range<usize>> {
    let chain = groups.chain();
    let first = groups.first();
    let (start, lead) = lead(text, first);
    let before = bytes::before(text, start);
    let goes_on = !lead.plus && !matches!(first.gap, Gap::End | Gap::Blank);
    if !apart(before) || goes_on || before == b'$' {
        return None;
    }
    // the longest that has a shape; what follows a blank may be another number
    let mut len = chain.len().min(MOST_GROUPS);
    let mut digits = chain[..len].iter().map(Group::len).sum();
    let end = loop {
        if digits < 7 {
            return None;
        }
        let end = chain[len - 1].end;
        let ends = matches!(groups.gap_after(len), Gap::End | Gap::Blank | Gap::Paren);
        let number = Number { text, groups: &chain[..len], lead, digits };
        if ends && number.has_a_shape() && ends_well(text, end) {
            break end;
        }
        len -= 1;
        digits -= chain[len].len();
    };
    let range = start..extension_end(text, end);
    (!bytes::in_uuid(text, &range)).then_some(range)
}

/// What stands before the first digit.
#[derive(Clone, Copy)]
struct Lead {
    plus: bool,
    /// Whether the first group stands in parentheses.
    enclosed: bool,
}

/// Where a number starts: at a `+` before its first group, or at the parenthesis around that.
fn lead(text: &[u8], first: &Group) -> (usize, Lead) {
    let mut start = first.start;
    let mut plus = bytes::before(text, start) == b'+';
    start -= usize::from(plus);
    let enclosed = first.len() <= 5 && bytes::before(text, start) == b'(' && bytes::at(text, first.end) == b')';
    start -= usize::from(enclosed);
    if enclosed && bytes::before(text, start) == b'+' {
        plus = true;
        start -= 1;
    }
    (start, Lead { plus, enclosed })
}

/// Whether a number may end here: no word, no share and no larger number goes on.
fn ends_well(text: &[u8], end: usize) -> bool {
    let next = bytes::at(text, end);
    let goes_on = matches!(next, b':' | b',' | b'.' | b'-' | b'/') && bytes::at(text, end + 1).is_ascii_digit();
    (apart(next) || extension_end(text, end) > end) && !(goes_on && next != b',') && next != b'%'
}

/// Where an extension (`x12`, ` ext. 12`) ends that follows at a place; the place where none does.
fn extension_end(text: &[u8], end: usize) -> usize {
    let after_blank = |place: usize| place + usize::from(bytes::at(text, place) == b' ');
    let start = after_blank(end);
    let marks = [&b"extension"[..], b"ext.", b"ext", b"x"];
    let is_next = |mark: &&&[u8]| text[start..].get(..mark.len()).is_some_and(|found| found.eq_ignore_ascii_case(mark));
    let Some(mark) = marks.iter().find(is_next) else {
        return end;
    };
    let first = after_blank(start + mark.len());
    let digits = text[first..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let last = first + digits;
    if (1..=6).contains(&digits) && apart(bytes::at(text, last)) { last } else { end }
}

/// Groups that may be a number.
struct Number<'a> {
    text: &'a [u8],
    groups: &'a [Group],
    lead: Lead,
    digits: usize,
}

impl Number<'_> {
    fn has_a_shape(&self) -> bool {
        let digits = self.digits;
        if digits > 15 || self.is_other() {
            return false;
        }
        if self.lead.plus {
            return digits >= 8 && self.digit(0) != b'0';
        }
        self.is_north_american() || self.is_local(digits) || self.is_grouped(digits) && self.is_announced()
    }

    /// Dates, social security numbers, spans of years, decimals.
    fn is_other(&self) -> bool {
        let year = |group: &Group| group.len() == 4 && matches!(&self.text[group.start..][..2], b"19" | b"20");
        match self.groups {
            [a, b, c] if a.len() == 3 && b.len() == 2 && c.len() == 4 => true,
            [a, b, c, ..] if year(a) && b.len() <= 2 && c.len() <= 2 => true,
            [a, b, c, ..] if a.len() <= 2 && b.len() <= 2 && year(c) => true,
            [a, b] if year(a) && year(b) => true,
            [_, b] => b.gap == Gap::Dot,
            _ => false,
        }
    }

    /// Area, exchange and line, with a country before them or without.
    fn is_north_american(&self) -> bool {
        let same = |groups: &[Group]| groups.windows(2).all(|pair| pair[0].gap == pair[1].gap);
        match self.groups {
            [a, b, c] if a.len() == 3 && b.len() == 3 && c.len() == 4 => {
                self.lead.enclosed
                    || b.gap == c.gap && b.gap != Gap::Paren && (b.gap != Gap::Blank || self.digit(0) >= b'2')
            }
            [code, a, b, c] if a.len() == 3 && b.len() == 3 && c.len() == 4 => {
                code.len() == 1 && self.digit(0) == b'1'
                    || (2..=3).contains(&code.len()) && a.gap == Gap::Dash && same(&self.groups[1..])
            }
            _ => false,
        }
    }

    /// A trunk zero or the zeros of another country, in groups; or an area in parentheses.
    fn is_local(&self, digits: usize) -> bool {
        let (first, area) = (self.digit(0), self.groups[0].len());
        if self.lead.enclosed {
            return (2..=5).contains(&area) && (8..=11).contains(&digits) && (2..=4).contains(&self.groups.len());
        }
        if first == b'0' && self.digit(1) == b'0' {
            let divided = self.groups.len() >= 2 && self.groups[1].gap != Gap::Paren && self.is_uniform();
            return digits >= 10 && divided && (3..=5).contains(&area);
        }
        first == b'0' && (9..=11).contains(&digits) && self.groups.len() >= 2 && self.is_grouped(digits)
    }

    /// Digits of a telephone number in groups as they are written, or in one piece.
    fn is_grouped(&self, digits: usize) -> bool {
        let long = self.groups.iter().all(|group| group.len() >= 2) && self.groups[0].len() <= 5;
        match self.groups {
            [_] => digits <= 11,
            _ => digits <= 12 && self.groups.len() <= 5 && long && self.is_uniform(),
        }
    }

    fn is_uniform(&self) -> bool {
        self.groups[1..].windows(2).all(|pair| pair[0].gap == pair[1].gap)
    }

    /// Whether a word shortly before it, with no other number between, says that it is a telephone number.
    fn is_announced(&self) -> bool {
        WORDS.announce_next(self.text, self.groups[0].start)
    }

    fn digit(&self, place: usize) -> u8 {
        self.text[self.groups[0].start + place]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use crate::Kind;

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
            "(415)555-0132",
            "415-555-0132",
            "415.555.0132x4587",
            "1 415 555 0132",
            "91-415-555-0132",
            "25-989-741-2988",
            "020 7946 0958",
            "03.93.92.16.85",
            "(71) 4233-6306",
            "415-555-0132 ext. 12",
        ] {
            for text in [format!("See {number}, ok"), number.to_owned(), format!("({number})."), format!("<{number}>")]
            {
                assert_eq!(found(Kind::Phone, &text), [number], "{text}");
            }
        }
    }

    #[test]
    fn shapes_of_many_things_are_found_behind_a_word() {
        for number in ["4155550132", "0123456789", "555-0132", "60-56-85-91", "699 956 915", "9472 7916"] {
            assert_eq!(found(Kind::Phone, &format!("my Phone is {number}.")), [number]);
            assert_eq!(found(Kind::Phone, &format!("{{\"homePhone\":\"{number}\"}}")), [number]);
            assert_eq!(found(Kind::Phone, &format!("my order is {number}.")), Vec::<&str>::new());
        }
    }

    #[test]
    fn dates_amounts_and_identifiers_are_left() {
        for text in [
            "2026-03-01",
            "2026-03-01T10:00:00",
            "2026-03-01 10:00:00",
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
            "during the call: 280793.15",
            "calls 1999-2010",
            "550e8400-e29b-41d4-a716-446655440000",
            "Customer#000000007",
            "/contact HTTP/1.1\" 200 78075",
            "LavaFire-004 (7680422528).jpg",
        ] {
            assert_eq!(found(Kind::Phone, text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn a_number_that_follows_is_no_part_of_it() {
        assert_eq!(found(Kind::Phone, "415-555-0132 2 times"), ["415-555-0132"]);
        assert_eq!(found(Kind::Phone, "415-555-0132, 415-555-0133"), ["415-555-0132", "415-555-0133"]);
    }
}
