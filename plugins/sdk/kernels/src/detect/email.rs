//! E-mail addresses: what `[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}` matches, leftmost and greedy.
//!
//! No backtracking is needed. `@` stands in neither class, so the local part of a match is the whole run of local bytes
//! before an `@`, and the domain lies in the run of domain bytes after it; it ends at the last point of that run that two
//! letters follow, and the letters after it. Every byte is looked at a fixed number of times.

use super::{Span, byte_at, byte_before};
use crate::find;

pub(super) fn spans(text: &[u8], out: &mut Vec<Span>) {
    let (mut from, mut free) = (0, 0);
    while let Some(at) = find::byte(text, from, b'@') {
        from = at + 1;
        let mut start = at;
        while start > free && is_local(byte_before(text, start)) {
            start -= 1;
        }
        if start == at {
            continue;
        }
        if let Some(end) = domain_end(text, at + 1) {
            out.push(Span::new(start, end));
            (from, free) = (end, end);
        }
    }
}

/// Where the longest domain that starts at `start` ends.
fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let run = rest.iter().position(|&byte| !is_domain(byte)).unwrap_or(rest.len());
    let is_last_point = |&point: &usize| {
        byte_at(rest, point) == b'.'
            && byte_at(rest, point + 1).is_ascii_alphabetic()
            && byte_at(rest, point + 2).is_ascii_alphabetic()
    };
    let point = (1..run).rev().find(is_last_point)?;
    let letters = rest.iter().skip(point + 1).take_while(|byte| byte.is_ascii_alphabetic()).count();
    Some(start + point + 1 + letters)
}

#[inline(always)]
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
}

#[inline(always)]
fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The regular expression by backtracking: every start, every length of the local part and of the domain, longest
    /// first.
    fn backtrack(text: &[u8]) -> Vec<Span> {
        let run = |from: usize, class: fn(u8) -> bool| text[from..].iter().take_while(|&&b| class(b)).count();
        let match_at = |start: usize| -> Option<usize> {
            for local in (1..=run(start, is_local)).rev() {
                let at = start + local;
                if text.get(at) != Some(&b'@') {
                    continue;
                }
                for domain in (1..=run(at + 1, is_domain)).rev() {
                    let point = at + 1 + domain;
                    let letters =
                        if text.get(point) == Some(&b'.') { run(point + 1, |b| b.is_ascii_alphabetic()) } else { 0 };
                    if letters >= 2 {
                        return Some(point + 1 + letters);
                    }
                }
            }
            None
        };
        let (mut out, mut at) = (Vec::new(), 0);
        while at < text.len() {
            match match_at(at) {
                Some(end) => {
                    out.push(Span::new(at, end));
                    at = end;
                }
                None => at += 1,
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn spans_are_those_of_the_regular_expression(
            text in prop_oneof!["[ab@. -]{0,24}", "[a1@._é-]{0,40}", "([a-z]{1,3}@?[.-]?){0,12}"],
        ) {
            let mut out = Vec::new();
            spans(text.as_bytes(), &mut out);
            prop_assert_eq!(out, backtrack(text.as_bytes()), "{:?}", text);
        }
    }

    #[test]
    fn addresses_in_sentences_are_found() {
        let text = "write to (jo.doe+x@mail.example.co.uk), or a@b.cd.e5! not @x.yz, a@b, a@.com";
        let mut out = Vec::new();
        spans(text.as_bytes(), &mut out);
        let found: Vec<&str> = out.iter().map(|span| &text[span.start..span.end]).collect();
        assert_eq!(found, ["jo.doe+x@mail.example.co.uk", "a@b.cd"]);
    }
}
