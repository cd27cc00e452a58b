//! One pass over bytes that says which detectors a text is worth, if any.
//!
//! Blocks of 64 bytes are read every 56, so that no sign of up to 8 bytes falls between two. What a hit needs at least (an
//! `@`; so many digits; two letters before two digits) lies in one block, or in two that follow each other: no hit that
//! is written plainly is longer than 56 bytes, an e-mail excepted, which has its `@`.

use crate::block::{BLOCK, Masks, Text};
use crate::fold::{Sign, sign_at};
use crate::kind::{Kind, Kinds};

const STRIDE: usize = 56;

/// Digits that an IBAN has at least.
const IBAN_DIGITS: u32 = 6;

/// Digits in two blocks that make a blank, dash or line end in another spelling worth a look.
const SPELLED_DIGITS: u32 = 3;

/// What a text is to be looked through for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) email: bool,
    /// runs of digits
    pub(crate) digits: bool,
    pub(crate) iban: bool,
    pub(crate) ipv6: bool,
    /// The text has to be read in its plain spelling too.
    pub(crate) fold: bool,
}

impl Needs {
    #[inline(always)]
    pub(crate) fn any(self) -> bool {
        self.email | self.digits | self.iban | self.ipv6 | self.fold
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Self {
            email: self.email | other.email,
            digits: self.digits | other.digits,
            iban: self.iban | other.iban,
            ipv6: self.ipv6 | other.ipv6,
            fold: self.fold | other.fold,
        }
    }
}

/// What to look for, as numbers that blocks are compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    email: bool,
    iban: bool,
    ip: bool,
    /// Digits of the shortest number; none is that long where no number is wanted.
    digits: u32,
}

impl Wanted {
    pub(crate) fn new(kinds: Kinds) -> Self {
        let shortest = [(Kind::Phone, 7), (Kind::Ssn, 9), (Kind::Card, 12)];
        let digits = shortest.into_iter().find(|&(kind, _)| kinds.has(kind)).map_or(u32::MAX, |(_, digits)| digits);
        Self { email: kinds.has(Kind::Email), iban: kinds.has(Kind::Iban), ip: kinds.has(Kind::Ip), digits }
    }

    /// What one text is worth.
    #[inline]
    pub(crate) fn survey(&self, text: Text<'_>) -> Needs {
        let mut needs = Needs::default();
        let mut digits = 0;
        let mut hints = false;
        self.blocks::<true>(text, |_, block| {
            needs = needs.or(block.needs);
            digits += block.digits;
            hints |= block.hints;
        });
        // blanks, dashes and line ends in another spelling hide nothing where there is nothing to hide
        let shortest = self.digits.min(if self.ip { 4 } else { u32::MAX });
        let shortest = shortest.min(if self.iban { IBAN_DIGITS } else { u32::MAX });
        needs.fold |= hints && (needs.email || digits >= shortest);
        needs
    }

    /// Calls with the place of each block in which, or in which and the one before, a hit of some row may lie, and with what
    /// such a row is worth at most. Rows are not known here.
    #[inline]
    pub(crate) fn suspects(&self, text: Text<'_>, mut found: impl FnMut(usize, Needs)) {
        self.blocks::<false>(text, |place, block| {
            let mut needs = block.needs;
            needs.fold |= block.hints & (block.window >= SPELLED_DIGITS || needs.email);
            if needs.any() {
                found(place, needs);
            }
        });
    }

    /// `ONE` says that the bytes are one text: where they are rows of many, words begin anywhere.
    #[inline(always)]
    fn blocks<const ONE: bool>(&self, text: Text<'_>, mut each: impl FnMut(usize, Seen)) {
        let mut last = Last::default();
        let bytes = text.bytes();
        let mut place = 0;
        while place < bytes.len() {
            each(place, self.block::<ONE>(bytes, place, &text.masks(place), &mut last));
            if bytes.len() - place <= BLOCK {
                return;
            }
            place += STRIDE;
        }
    }

    #[inline(always)]
    fn block<const ONE: bool>(&self, bytes: &[u8], place: usize, masks: &Masks, last: &mut Last) -> Seen {
        let digits = masks.digit.count_ones();
        let window = digits + last.digits;
        let mut needs = Needs { email: self.email & (masks.at != 0), ..Needs::default() };
        needs.digits = window >= self.digits;
        if self.iban {
            let account = account::<ONE>(masks) != 0;
            needs.iban = (account | last.account) & (window >= IBAN_DIGITS);
            last.account = account;
        }
        if self.ip {
            let dots = masks.dot.count_ones();
            needs.digits |= (dots + last.dots >= 3) & (window >= 4);
            last.dots = dots;
            let (colons, double) = colons(masks);
            needs.ipv6 = double | (colons + last.colons >= 5);
            last.colons = colons;
        }
        let mut hints = false;
        if masks.escape | masks.high != 0 {
            (needs.fold, hints) = signs(bytes, place, masks);
        }
        last.digits = digits;
        Seen { needs, digits, window, hints }
    }
}

/// What a block showed.
struct Seen {
    needs: Needs,
    digits: u32,
    /// Digits of this block and the one before.
    window: u32,
    /// Whether there are blanks, dashes or line ends in another spelling.
    hints: bool,
}

/// What the block before showed.
#[derive(Default)]
struct Last {
    digits: u32,
    dots: u32,
    colons: u32,
    account: bool,
}

/// Two letters that begin a word, and then two digits; or two capitals, one other byte, and two digits.
#[inline(always)]
fn account<const ONE: bool>(masks: &Masks) -> u64 {
    let word = masks.alpha | masks.digit;
    let begins = if ONE { !(word << 1) } else { !0 };
    let letters = masks.alpha & (masks.alpha >> 1) & begins;
    let digits = masks.digit & (masks.digit >> 1);
    let capitals = masks.upper & (masks.upper >> 1);
    letters & ((digits >> 2) | (capitals & !(word >> 2) & (digits >> 3)))
}

/// Calls for each place of a text where letters and digits stand as at the start of an account number, in order; for some
/// places twice, and for some where a word has begun before.
pub(crate) fn accounts(text: Text<'_>, mut found: impl FnMut(usize)) {
    for place in (0..text.bytes().len()).step_by(STRIDE) {
        let mut starts = account::<true>(&text.masks(place));
        while starts != 0 {
            found(place + starts.trailing_zeros() as usize);
            starts &= starts - 1;
        }
    }
}

/// Colons within words, and whether two follow each other.
#[inline(always)]
fn colons(masks: &Masks) -> (u32, bool) {
    let word = masks.alpha | masks.digit | masks.colon;
    ((masks.colon & (word << 1) & (word >> 1)).count_ones(), masks.colon & (masks.colon << 1) != 0)
}

/// Whether another spelling of an `@`, a digit or a letter begins in a block, or one of a blank, a dash or a line end.
#[inline(never)]
fn signs(bytes: &[u8], place: usize, masks: &Masks) -> (bool, bool) {
    let mut hint = false;
    let mut bits = masks.escape | masks.high;
    while bits != 0 {
        match sign_at(bytes, place + bits.trailing_zeros() as usize) {
            Sign::Letter => return (true, hint),
            Sign::Gap => hint = true,
            Sign::None => {}
        }
        bits &= bits - 1;
    }
    (false, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(kinds: &[Kind], text: &str) -> Needs {
        Wanted::new(Kinds::new(kinds)).survey(Text::whole(text.as_bytes()))
    }

    #[test]
    fn plain_prose_is_worth_nothing() {
        let text = "Café “Zur Post”, 12 rooms at 3.50 each; rated 9/10 & open till 23:30. ".repeat(3);
        assert_eq!(needs(&Kind::ALL, "No hit, in 4 words: été à côté"), Needs::default());
        assert!(!needs(&Kind::ALL, &text).email && !needs(&Kind::ALL, &text).fold && !needs(&Kind::ALL, &text).ipv6);
        assert_eq!(needs(&[], "a@b.cd 4111111111111111"), Needs::default());
    }

    #[test]
    fn signs_between_blocks_are_seen() {
        for shift in 0..130 {
            let pad = " ".repeat(shift);
            let text = |hit: &str| format!("{pad}{hit}{pad}");
            assert!(needs(&[Kind::Card], &text("4111 1111 1111 1111")).digits, "{shift}");
            assert!(needs(&[Kind::Iban], &text("MT84MALT011000012345MTLCAST001S")).iban, "{shift}");
            assert!(needs(&[Kind::Ip], &text("10.0.0.1")).digits, "{shift}");
            assert!(needs(&[Kind::Ip], &text("6e40:4041:c617:e898:c11:40d2:c669:2eb4")).ipv6, "{shift}");
            assert!(needs(&[Kind::Ip], &text("fe80::1")).ipv6, "{shift}");
            assert!(needs(&[Kind::Email], &text("a%40b.cd")).fold, "{shift}");
            assert!(needs(&[Kind::Ssn], &text("078–05–1120")).fold, "{shift}");
        }
    }
}
