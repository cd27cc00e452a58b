//! One text: what is in it, and the same with masks in its place.

use crate::block::Text;
use crate::detect;
use crate::fold::Folded;
use crate::kind::{Counts, Kind, Kinds};
use crate::survey::{Needs, Wanted};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What it is.
    pub kind: Kind,
    /// Its bytes in the text.
    pub range: Range<usize>,
}

/// Finds personal data of some kinds. Small, cheap to copy, and the same for all threads.
#[derive(Clone, Copy, Debug)]
pub struct Detector {
    pub(crate) kinds: Kinds,
    pub(crate) wanted: Wanted,
}

thread_local! {
    /// The plain spelling of one text after the other. Kept, so that a column of such texts costs no allocations.
    static FOLDED: RefCell<Folded> = RefCell::default();
}

/// Bytes of a plain spelling that are kept for the next text.
const KEPT: usize = 1 << 20;

/// Times that a text is looked through until nothing is found any more. Some take two; one that takes more than this was
/// made to take time, and is masked as a whole.
const ROUNDS: usize = 8;

impl Detector {
    /// A detector of these kinds; of none, it finds nothing.
    #[must_use]
    pub fn new(kinds: &[Kind]) -> Self {
        let kinds = Kinds::new(kinds);
        Self { kinds, wanted: Wanted::new(kinds) }
    }

    /// Puts what is found in a text behind what is in `out`: in order, and without overlaps.
    pub fn find(&self, text: impl AsRef<[u8]>, out: &mut Vec<Hit>) {
        let text = text.as_ref();
        self.find_in(Text::whole(text), out);
    }

    /// A text with masks in place of what was found in it, and what that was. Borrowed where nothing was found.
    #[must_use]
    pub fn mask_text<'a>(&self, text: &'a str) -> (Cow<'a, str>, Counts) {
        let mut counts = Counts::default();
        let masked = match self.masked(text.as_bytes(), &mut counts) {
            // hits lie between characters, so this replaces nothing
            Some(masked) => Cow::Owned(into_text(masked)),
            None => Cow::Borrowed(text),
        };
        (masked, counts)
    }

    /// As [`mask_text`](Self::mask_text), for bytes that need not be text.
    #[must_use]
    pub fn mask_bytes<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, [u8]>, Counts) {
        let mut counts = Counts::default();
        let masked = self.masked(bytes, &mut counts).map_or(Cow::Borrowed(bytes), Cow::Owned);
        (masked, counts)
    }

    #[inline]
    pub(crate) fn find_in(&self, text: Text<'_>, out: &mut Vec<Hit>) {
        let needs = self.wanted.survey(text);
        if needs.any() {
            self.find_needed(text, needs, out);
        }
    }

    /// Finds what a text is worth being looked through for; to look for more takes time and changes nothing.
    pub(crate) fn find_needed(&self, text: Text<'_>, needs: Needs, out: &mut Vec<Hit>) {
        let first = out.len();
        detect::plain(self.kinds, needs, text, |kind, range| out.push(Hit { kind, range }));
        if needs.fold {
            self.find_folded(text.bytes(), out);
        }
        settle(out, first);
    }

    #[inline(never)]
    fn find_folded(&self, text: &[u8], out: &mut Vec<Hit>) {
        FOLDED.with_borrow_mut(|folded| {
            folded.read(text);
            let plain = Text::whole(&folded.text);
            let needs = self.wanted.survey(plain);
            detect::plain(self.kinds, needs, plain, |kind, range| {
                out.push(Hit { kind, range: folded.source(&range) });
            });
            if folded.text.len() > KEPT {
                *folded = Folded::default();
            }
        });
    }

    /// The bytes with masks, if anything was found in them.
    pub(crate) fn masked(&self, bytes: &[u8], counts: &mut Counts) -> Option<Vec<u8>> {
        let mut hits = Vec::new();
        self.find(bytes, &mut hits);
        if hits.is_empty() {
            return None;
        }
        let mut masked = replace(bytes, &hits, counts);
        // where a mask stands now, a number may begin or end that did not before
        for _ in 1..ROUNDS {
            hits.clear();
            self.find(&masked, &mut hits);
            if hits.is_empty() {
                return Some(masked);
            }
            masked = replace(&masked, &hits, counts);
        }
        Some(hits[0].kind.mask().as_bytes().to_vec())
    }
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned())
}

fn replace(bytes: &[u8], hits: &[Hit], counts: &mut Counts) -> Vec<u8> {
    let mut masked = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for hit in hits {
        masked.extend_from_slice(&bytes[from..hit.range.start]);
        masked.extend_from_slice(hit.kind.mask().as_bytes());
        from = hit.range.end;
        counts.add(hit.kind, 1);
    }
    masked.extend_from_slice(&bytes[from..]);
    masked
}

/// Puts hits in order and makes one of those that overlap, so that nothing of either stays. It goes by the name of the one
/// that holds the other; where neither does, or they are the same, by the lower rank.
fn settle(hits: &mut Vec<Hit>, first: usize) {
    if hits.len() <= first + 1 {
        return;
    }
    hits[first..].sort_unstable_by_key(|hit| (hit.range.start, std::cmp::Reverse(hit.range.end), hit.kind.rank()));
    let mut last = first;
    for next in first + 1..hits.len() {
        let hit = hits[next].clone();
        let kept = &mut hits[last];
        if hit.range.start >= kept.range.end {
            last += 1;
            hits[last] = hit;
        } else if hit.range.end > kept.range.end {
            kept.range.end = hit.range.end;
            kept.kind = if hit.kind.rank() < kept.kind.rank() { hit.kind } else { kept.kind };
        }
    }
    hits.truncate(last + 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mask(text: &str) -> String {
        Detector::new(&Kind::ALL).mask_text(text).0.into_owned()
    }

    #[test]
    fn every_kind_is_masked_by_its_name() {
        assert_eq!(
            mask("Jo <jo@b.cd>, 4111 1111 1111 1111 / GB29NWBK60161331926819, 078-05-1120, +1 415 555 0132, 192.0.2.7"),
            "Jo <[email]>, [card] / [iban], [ssn], [phone], [ip]"
        );
        let (text, counts) = Detector::new(&[Kind::Card]).mask_text("jo@b.cd 4111111111111111");
        assert_eq!((&*text, counts.get(Kind::Card), counts.total()), ("jo@b.cd [card]", 1, 1));
        assert!(
            matches!(Detector::new(&Kind::ALL).mask_text("nothing"), (Cow::Borrowed(_), counts) if counts.is_empty())
        );
    }

    #[test]
    fn other_spellings_are_found_and_masked_whole() {
        for (text, masked) in [
            ("jo＠example．com", "[email]"),
            ("jo\u{200B}@exam\u{AD}ple.com", "[email]"),
            (r#"{"e":"jo\u0040example.com"}"#, r#"{"e":"[email]"}"#),
            (r#"{"e":"{\"x\":\"jo\\u0040example.com\"}"}"#, r#"{"e":"{\"x\":\"[email]\"}"}"#),
            ("/?m=jo%40example.com&x=1", "/?m=[email]&x=1"),
            ("jo&#64;example.com", "[email]"),
            ("4111\u{A0}1111\u{A0}1111\u{A0}1111", "[card]"),
            ("4111–1111–1111–1111", "[card]"),
            ("４１１１１１１１１１１１１１１１", "[card]"),
            ("4111\u{200B}1111\u{200B}1111\u{200B}1111", "[card]"),
            ("4111%201111%201111%201111", "[card]"),
            (r#"{"c":"\n4111111111111111\n"}"#, r#"{"c":"\n[card]\n"}"#),
            (r#"{"c":"\u00a04111111111111111"}"#, r#"{"c":"\u00a0[card]"}"#),
            ("078\u{2011}05\u{2011}1120", "[ssn]"),
            ("DE89\u{202F}3704\u{202F}0044\u{202F}0532\u{202F}0130\u{202F}00", "[iban]"),
            ("カード4111111111111111です", "カード[card]です"),
            (r"tel:\u002b14155550132", "tel:[phone]"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
    }

    #[test]
    fn what_overlaps_is_masked_as_one() {
        assert_eq!(mask("4155550132@b.cd"), "[email]");
        assert_eq!(mask("a 078-05-1120@b.cd b"), "a [email] b");
        assert_eq!(mask("4111111111111111\u{200B}@b.cd"), "[email]");
    }

    #[test]
    fn one_number_does_not_make_the_next() {
        assert_eq!(mask("a 078-05-1120,123456789,123456780"), "a [ssn],123456789,123456780");
        let many = format!("+14155550132 {}", "5550132 ".repeat(1000));
        assert_eq!(mask(&many), format!("[phone] {}", "5550132 ".repeat(1000)));
    }

    fn texts() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-z ,:\"@.\\\\%&–\u{200B}é0-9+()/_-]{0,12}",
            Just("4111 1111 1111 1111".to_owned()),
            Just("5105105105105100".to_owned()),
            Just("078-05-1120".to_owned()),
            Just("jo.doe@example.com".to_owned()),
            Just("GB29 NWBK 6016 1331 9268 19".to_owned()),
            Just("+1 (415) 555-0132".to_owned()),
            Just("fe80::1:2".to_owned()),
            Just("192.0.2.7".to_owned()),
            Just("\\u0040".to_owned()),
            Just("%40".to_owned()),
            Just("phone ".to_owned()),
            Just(" ".to_owned()),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn hits_are_in_order_apart_and_between_characters(text in texts()) {
            let mut hits = vec![Hit { kind: Kind::Ip, range: 7..9 }];
            Detector::new(&Kind::ALL).find(&text, &mut hits);
            prop_assert_eq!(&hits.remove(0).range, &(7..9));
            let mut free = 0;
            for Hit { range, .. } in hits {
                prop_assert!(free <= range.start && range.start < range.end);
                prop_assert!(text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
                free = range.end;
            }
        }

        #[test]
        fn nothing_is_found_in_what_was_masked(text in texts()) {
            let masked = mask(&text);
            let (again, counts) = Detector::new(&Kind::ALL).mask_text(&masked);
            prop_assert!(counts.is_empty());
            prop_assert_eq!(again, masked.as_str());
        }

        #[test]
        fn a_detector_of_all_kinds_covers_what_those_of_one_find(text in texts()) {
            let (mut all, mut one) = (Vec::new(), Vec::new());
            Detector::new(&Kind::ALL).find(&text, &mut all);
            for kind in Kind::ALL {
                Detector::new(&[kind]).find(&text, &mut one);
            }
            for Hit { range, .. } in one {
                prop_assert!(all.iter().any(|hit| hit.range.start <= range.start && range.end <= hit.range.end));
            }
        }

        #[test]
        fn any_bytes_are_read_and_what_is_text_stays_text(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"0123456789@.:%\\&- ".to_vec())], 0..200),
        ) {
            let detector = Detector::new(&Kind::ALL);
            let (masked, counts) = detector.mask_bytes(&bytes);
            prop_assert_eq!(masked == bytes, counts.is_empty());
            let text = String::from_utf8_lossy(&bytes);
            let _ = detector.mask_text(&text);
        }

        /// The pass over blocks only saves time: what it takes for clean is clean.
        #[test]
        fn texts_worth_nothing_hold_nothing(text in texts(), kinds in prop::sample::subsequence(Kind::ALL.to_vec(), 0..=6)) {
            let detector = Detector::new(&kinds);
            let has = |kind| kinds.contains(&kind);
            let numbers = has(Kind::Card) || has(Kind::Ssn) || has(Kind::Phone) || has(Kind::Ip);
            let all = Needs { email: has(Kind::Email), digits: numbers, iban: has(Kind::Iban), ipv6: has(Kind::Ip), fold: true };
            let (mut surveyed, mut thorough) = (Vec::new(), Vec::new());
            detector.find(&text, &mut surveyed);
            detector.find_needed(Text::whole(text.as_bytes()), all, &mut thorough);
            prop_assert_eq!(surveyed, thorough);
        }
    }
}
