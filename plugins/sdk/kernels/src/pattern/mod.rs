//! Regular expressions over whole values, small and linear.
//!
//! A [`Pattern`] is compiled once, when a rule is opened, to a table with one look a byte; matching allocates nothing and
//! never goes back. What that cannot do (captures, look-around, back-references) a check of a value does not need.

mod dfa;
mod nfa;
mod parse;
mod utf8;

use crate::{bits, text::Text};
use dfa::Dfa;

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Byte of the pattern where it was noticed.
    pub at: usize,
    /// What is wrong and the way out.
    pub message: String,
}

impl PatternError {
    #[cold]
    #[inline(never)]
    fn new(at: usize, message: &str) -> Self {
        Self { at, message: message.to_owned() }
    }

    /// With what was found between two parts of the message.
    #[cold]
    #[inline(never)]
    fn of(at: usize, before: &str, found: &str, after: &str) -> Self {
        Self { at, message: [before, found, after].concat() }
    }
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at byte {} of the pattern)", self.message, self.at)
    }
}

impl std::error::Error for PatternError {}

/// A compiled regular expression that matches a value as a whole: `[A-Z]{2}` matches `GB` and neither `GBR` nor `xGB`.
///
/// The syntax is that of the `regex` crate as far as it goes: literals, `.` (any character but a line feed), classes
/// (`[a-z]`, `[^,]`, `\d \w \s` and their opposites, which know ASCII only), groups, `|`, `? * + {2} {2,} {2,5}`, `^` and
/// `$` (start and end of the value), escapes (`\.`, `\t`, `\n`, `\r`, `\x41`, `\u{1F600}`) and `(?i)` at the start, which
/// ignores the case of ASCII letters.
#[derive(Clone, Debug)]
pub struct Pattern {
    dfa: Dfa,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// A syntax error, something that is not supported, or a pattern that needs too large a table.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let node = parse::parse(pattern)?;
        let nfa = nfa::Nfa::new(&node).ok_or_else(|| PatternError::new(0, TOO_LARGE))?;
        let dfa = Dfa::new(&nfa).ok_or_else(|| PatternError::new(0, TOO_LARGE))?;
        Ok(Self { dfa })
    }

    /// Whether the pattern matches all of `text`.
    #[inline]
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        self.dfa.matches(text)
    }

    /// Bits of the rows that the pattern matches.
    #[must_use]
    pub fn rows_matching(&self, text: &Text) -> Vec<u8> {
        bits::pack(text.rows(), |row| self.matches(text.row(row)))
    }
}

const TOO_LARGE: &str = "the pattern is too large; repeat fewer times, or check the length by itself";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The pattern for the `regex` crate: whole values, and classes that know ASCII only.
    fn oracle(pattern: &str) -> Option<regex::Regex> {
        let mut ascii = pattern.to_owned();
        for (short, long) in [
            (r"\d", "[0-9]"),
            (r"\w", "[0-9A-Za-z_]"),
            (r"\s", r"[ \t\n\r\x0b\x0c]"),
            (r"\D", "[^0-9]"),
            (r"\W", "[^0-9A-Za-z_]"),
            (r"\S", r"[^ \t\n\r\x0b\x0c]"),
        ] {
            ascii = ascii.replace(short, long);
        }
        let (flag, body) = match ascii.strip_prefix("(?i)") {
            Some(body) => ("(?i)", body),
            None => ("", ascii.as_str()),
        };
        regex::Regex::new(&format!(r"{flag}\A(?:{body})\z")).ok()
    }

    fn patterns() -> impl Strategy<Value = String> {
        let atom = prop_oneof![
            4 => "[a-cé✓0-2]",
            1 => Just(".".to_owned()),
            1 => r"\\[dwsDWS.]",
            1 => r"\[\^?[a-c0-2é]{1,3}(b-y|\\d|à-ü)?-?\]",
            1 => Just("^".to_owned()),
            1 => Just("$".to_owned()),
            1 => Just(r"\x62".to_owned()),
            1 => Just(r"\u{e9}".to_owned()),
        ];
        let node = atom.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                3 => proptest::collection::vec(inner.clone(), 0..4).prop_map(|v| v.concat()),
                1 => proptest::collection::vec(inner.clone(), 1..4).prop_map(|v| format!("({})", v.join("|"))),
                2 => (inner, r"[?*+]\??|\{[0-3]\}|\{[01],\}|\{1,[1-4]\}").prop_map(|(n, q)| format!("(?:{n}){q}")),
            ]
        });
        (proptest::bool::weighted(0.2), node).prop_map(|(i, node)| if i { format!("(?i){node}") } else { node })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]
        #[test]
        fn a_pattern_matches_what_the_regex_crate_matches(
            pattern in patterns(), texts in proptest::collection::vec("[a-cA-Cé✓ü0-2 _\n]{0,7}", 1..12),
        ) {
            let ours = Pattern::new(&pattern);
            let theirs = oracle(&pattern).expect("a good pattern");
            // Both refuse what would be too large; here nothing is.
            let ours = ours.expect("a good pattern");
            for text in &texts {
                prop_assert_eq!(ours.matches(text.as_bytes()), theirs.is_match(text), "{} on {:?}", pattern, text);
            }
        }

        #[test]
        fn patterns_of_any_kind_do_not_panic(pattern in r"[a-c0-9(){}\[\]|?*+.^$\\,:=!<\-&duxpi]{0,14}|\PC{0,10}") {
            if let Ok(ours) = Pattern::new(&pattern) {
                let theirs = oracle(&pattern);
                prop_assert!(theirs.is_some(), "{} is refused by the regex crate", pattern);
                for text in ["", "a", "ab", "0", "é", "("] {
                    prop_assert_eq!(ours.matches(text.as_bytes()), theirs.as_ref().is_some_and(|t| t.is_match(text)));
                }
            }
        }
    }

    #[test]
    fn values_are_matched_as_a_whole() {
        let cases: [(&str, &[&str], &[&str]); 5] = [
            ("C?[0-9]{6}", &["536365", "C536379"], &["A536365", "53636", "5363651", "", "c536365"]),
            ("(?i)paid|open", &["PAID", "Open"], &["paidx", "unpaid"]),
            (r"[^@\s]+@[^@\s]+\.\w{2,}", &["jo@example.com", "é@ü.de"], &["a@b", "a b@c.de"]),
            ("^ord-[0-9a-f]{12}$", &["ord-00112233aabb"], &["ord-00112233aabb\n"]),
            (".{0,64}", &["", "✓✓", &"é".repeat(64)], &["a\nb", &"é".repeat(65)]),
        ];
        for (pattern, good, bad) in cases {
            let pattern = Pattern::new(pattern).unwrap();
            assert!(good.iter().all(|text| pattern.matches(text.as_bytes())), "{good:?}");
            assert!(!bad.iter().any(|text| pattern.matches(text.as_bytes())), "{bad:?}");
        }
    }

    #[test]
    fn broken_patterns_say_where_and_what() {
        let cases = [
            ("a(b", 1, "the group is not closed"),
            ("a)", 1, "no group is open"),
            ("[a-", 0, "the class is not closed"),
            ("[z-a]", 1, "the range runs backwards"),
            ("*a", 0, "nothing to repeat"),
            ("a{2,1}", 1, "the range runs backwards"),
            ("a{x}", 1, "how often"),
            (r"a\", 1, "the pattern ends"),
            (r"\pL", 0, r"`\p` is not supported"),
            (r"\1", 0, r"`\1` is not supported"),
            ("(?=a)", 0, "are not supported"),
            ("[[:alpha:]]", 1, r"write `\[`"),
            ("(a{1000}){1000}", 0, "too large"),
            (r"\u{d800}", 0, "no character"),
        ];
        for (pattern, at, message) in cases {
            let error = Pattern::new(pattern).expect_err(pattern);
            assert!(error.at == at && error.message.contains(message), "{pattern}: {error}");
        }
    }
}
