//! Personal data in free text.
//!
//! A [`Finder`] looks for some [`Kind`]s. Clean text costs little: the whole column is passed once for the few bytes
//! without which nothing can stand there (`@`, digits, `:`), and only rows that hold one are looked at.
//!
//! Every span starts and ends between characters, whatever the text.

mod card;
mod email;
mod iban;
mod ip;
mod phone;
mod runs;
mod ssn;

use crate::block::{Block, WIDTH, block_at, low_bits};
use crate::builder::Span;
use crate::text::Text;

pub use iban::is_iban;

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// E-mail addresses: exactly what `[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}` matches.
    Email,
    /// Bank accounts: known country, its length, check digits; blanks or dashes between groups.
    Iban,
    /// Payment cards: 12 to 19 digits with a known prefix of that length and a check digit; blanks or dashes between
    /// groups.
    Card,
    /// IPv4 and IPv6 addresses.
    Ip,
    /// US social security numbers: 3, 2 and 4 digits with dashes, blanks or points between, of a range that is issued; and
    /// taxpayer numbers of the same form.
    Ssn,
    /// Telephone numbers: international with `+` or `00`, and the common national forms.
    Phone,
}

impl Kind {
    /// Every kind, in order of precedence: where two overlap, the earlier gives its name to both.
    pub const ALL: [Self; 6] = [Self::Email, Self::Iban, Self::Card, Self::Ip, Self::Ssn, Self::Phone];

    /// The name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::Ip => "ip",
            Self::Ssn => "ssn",
            Self::Phone => "phone",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether a text with these bytes can hold the kind at all.
    #[inline]
    fn possible(self, census: &Census) -> bool {
        match self {
            Self::Email => census.ats > 0,
            Self::Iban | Self::Card => census.digits >= 10,
            Self::Ip => census.digits >= 4 || census.colons >= 2 && census.digits > 0,
            Self::Ssn => census.digits >= 9,
            Self::Phone => census.digits >= 7,
        }
    }
}

/// Adds the places of one kind to `out`, in order and without overlaps.
pub fn spans(kind: Kind, text: &[u8], out: &mut Vec<Span>) {
    match kind {
        Kind::Email => email::spans(text, out),
        Kind::Iban => iban::spans(text, out),
        Kind::Card => card::spans(text, out),
        Kind::Ip => ip::spans(text, out),
        Kind::Ssn => ssn::spans(text, out),
        Kind::Phone => phone::spans(text, out),
    }
}

/// Looks for several kinds.
#[derive(Clone, Debug)]
pub struct Finder {
    /// In order of precedence.
    kinds: Vec<Kind>,
    scratch: Vec<Span>,
}

impl Finder {
    /// Looks for `kinds`.
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Self {
        let mut kinds: Vec<Kind> = kinds.into_iter().collect();
        kinds.sort_unstable();
        kinds.dedup();
        Self { kinds, scratch: Vec::new() }
    }

    /// The kinds that are looked for.
    #[must_use]
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Puts everything found into `out`, in order and without overlaps: where finds overlap, one span covers them all
    /// and has the kind that comes first in [`Kind::ALL`].
    pub fn find(&mut self, text: &[u8], out: &mut Vec<(Span, Kind)>) {
        out.clear();
        if self.kinds == [Kind::Email] {
            self.scratch.clear();
            email::spans(text, &mut self.scratch);
            out.extend(self.scratch.iter().map(|&span| (span, Kind::Email)));
            return;
        }
        let census = Census::of(text);
        for &kind in self.kinds.iter().filter(|kind| kind.possible(&census)) {
            self.scratch.clear();
            spans(kind, text, &mut self.scratch);
            out.extend(self.scratch.iter().map(|&span| (span, kind)));
        }
        if out.len() > 1 {
            out.sort_unstable();
            out.dedup_by(|next, last| {
                let overlaps = next.0.start < last.0.end;
                if overlaps {
                    *last = (Span::new(last.0.start, last.0.end.max(next.0.end)), last.1.min(next.1));
                }
                overlaps
            });
        }
    }

    /// Calls `each` with every row that may hold something, in order.
    pub fn for_each_candidate(&self, text: &Text, mut each: impl FnMut(usize)) {
        let digits = self.kinds.iter().any(|&kind| kind != Kind::Email);
        let ats = self.kinds.contains(&Kind::Email);
        match (ats, digits) {
            (true, false) => crate::find::rows_with_byte(text, b'@', |row, _| each(row)),
            (false, true) => crate::find::rows_with(text, Block::digits, |row, _| each(row)),
            (true, true) => {
                crate::find::rows_with(text, |b| b.digits().or(b.eq(b'@')), |row, _| each(row));
            }
            (false, false) => {}
        }
    }
}

/// How often the telling bytes stand in a text.
struct Census {
    digits: u32,
    ats: u32,
    colons: u32,
}

impl Census {
    fn of(text: &[u8]) -> Self {
        let mut census = Self { digits: 0, ats: 0, colons: 0 };
        for at in (0..text.len()).step_by(WIDTH) {
            let (block, len) = block_at(text, at, text.len());
            let within = low_bits(len);
            census.digits += (block.digits().bits() & within).count_ones();
            census.ats += (block.eq(b'@').bits() & within).count_ones();
            census.colons += (block.eq(b':').bits() & within).count_ones();
        }
        census
    }
}

/// The byte at `at`; 0 past either end.
#[inline(always)]
fn byte_at(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// The byte before `at`; 0 at the start.
#[inline(always)]
fn byte_before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(0, |before| byte_at(text, before))
}

/// The byte before the one before `at`; 0 past the start.
#[inline(always)]
fn byte_two_before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(2).map_or(0, |before| byte_at(text, before))
}

/// Whether a byte belongs to a word. Bytes outside of ASCII do not: scripts without blanks between words put numbers
/// right beside letters.
#[inline(always)]
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::column;
    use proptest::prelude::*;

    /// What a kind finds in a text, for tests.
    pub(super) fn found(kind: Kind, text: &str) -> Vec<&str> {
        let mut out = Vec::new();
        spans(kind, text.as_bytes(), &mut out);
        out.iter().map(|span| &text[span.start..span.end]).collect()
    }

    proptest! {
        #[test]
        fn spans_are_in_order_and_between_characters(
            text in "(\\PC|[0-9]{1,5}|[-+@.: ()x]|[a-f0-9]{1,4}:|GB29|é|192\\.168\\.0\\.){0,30}",
        ) {
            for kind in Kind::ALL {
                let mut out = Vec::new();
                spans(kind, text.as_bytes(), &mut out);
                for span in &out {
                    prop_assert!(span.start < span.end && text.get(span.start..span.end).is_some(), "{:?}", span);
                }
                prop_assert!(out.windows(2).all(|pair| pair[0].end <= pair[1].start), "{:?}", out);
                let census = Census::of(text.as_bytes());
                prop_assert!(out.is_empty() || kind.possible(&census), "{:?} in {:?}", kind, text);
            }
            let mut finder = Finder::new(Kind::ALL);
            let mut all = Vec::new();
            finder.find(text.as_bytes(), &mut all);
            prop_assert!(all.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start), "{:?}", all);
            let (offsets, bytes) = column(&["clean", &text]);
            let mut rows = Vec::new();
            finder.for_each_candidate(&Text::new(&offsets, &bytes), |row| rows.push(row));
            prop_assert!(all.is_empty() || rows == [1]);
        }

        #[test]
        fn bytes_of_any_kind_do_not_panic(text: Vec<u8>) {
            Finder::new(Kind::ALL).find(&text, &mut Vec::new());
        }
    }

    #[test]
    fn a_text_with_everything_gives_everything_once() {
        let text = "Mail jo@example.com, pay DE89 3704 0044 0532 0130 00 or 4111-1111-1111-1111 from 10.1.2.3; \
                    SSN 078-05-1120, call +44 20 7946 0958.";
        let mut out = Vec::new();
        Finder::new(Kind::ALL).find(text.as_bytes(), &mut out);
        let found: Vec<_> = out.iter().map(|(span, kind)| (kind.name(), &text[span.start..span.end])).collect();
        let expected = [
            ("email", "jo@example.com"),
            ("iban", "DE89 3704 0044 0532 0130 00"),
            ("card", "4111-1111-1111-1111"),
            ("ip", "10.1.2.3"),
            ("ssn", "078-05-1120"),
            ("phone", "+44 20 7946 0958"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn names_of_kinds_are_known() {
        assert!(Kind::ALL.into_iter().all(|kind| Kind::from_name(kind.name()) == Some(kind)));
        assert_eq!(Kind::from_name("e-mail"), None);
    }
}
