//! E-mail addresses.

use crate::bytes::{at, before, char_at, char_before};
use memchr::memchr;
use std::ops::Range;

/// All addresses of a text: a local part, `@`, and a domain of at least two labels, the last of which could be a top-level
/// domain: at least two letters first, or letters beyond ASCII.
pub(super) fn find(text: &[u8], mut found: impl FnMut(Range<usize>)) {
    let (mut from, mut free) = (0, 0);
    while let Some(sign) = memchr(b'@', &text[from..]).map(|skipped| from + skipped) {
        from = sign + 1;
        if let Some(end) = domain_end(text, from)
            && let Some(start) = local_start(text, free, sign)
        {
            found(start..end);
            (from, free) = (end, end);
        }
    }
}

/// Where the local part that ends at `end` starts. What is allowed in it but stands around addresses more often than in them
/// (`/`, `=`, `?` …) counts only where it is all there is.
fn local_start(text: &[u8], free: usize, end: usize) -> Option<usize> {
    let usual = |char: char| match char {
        '.' | '_' | '%' | '+' | '-' | '\'' | '!' | '#' | '$' | '&' | '*' | '~' | '^' | '`' => true,
        _ => char.is_alphanumeric(),
    };
    let mut start = run_start(text, free, end, usual);
    if start == end {
        start = run_start(text, free, end, |char| usual(char) || matches!(char, '/' | '=' | '?' | '{' | '|' | '}'));
    }
    while start < end && matches!(text[start], b'\'' | b'.' | b'`') {
        start += 1;
    }
    let start = start + escape_before(text, start, end);
    (start < end).then_some(start)
}

fn run_start(text: &[u8], free: usize, end: usize, part: impl Fn(char) -> bool) -> usize {
    let mut start = end;
    while start > free {
        match char_before(text, start) {
            Some(char) if part(char) && start - char.len_utf8() >= free => start -= char.len_utf8(),
            _ => break,
        }
    }
    start
}

/// Bytes at the start of a local part that belong to an escape of JSON: `n` of `\n`, `u003c` of `\u003c`.
fn escape_before(text: &[u8], start: usize, end: usize) -> usize {
    if before(text, start) != b'\\' {
        return 0;
    }
    match at(text, start) {
        b'n' | b'r' | b't' | b'b' | b'f' => 1,
        b'u' if start + 5 <= end && text[start + 1..start + 5].iter().all(u8::is_ascii_hexdigit) => 5,
        _ => 0,
    }
}

/// Where the longest domain that starts at `start` ends.
fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let (mut place, mut label, mut end) = (start, start, None);
    loop {
        let char = char_at(text, place);
        let part = char.filter(|&char| char.is_alphanumeric() || matches!(char, '-' | '_'));
        match (part, char) {
            (Some(char), _) => place += char.len_utf8(),
            (None, next) => {
                // neither begins nor ends with a dash
                let word = without_dashes(&text[label..place]);
                if word.is_empty() || word[0] == b'-' {
                    return end;
                }
                if label > start
                    && let Some(len) = top_level(word)
                {
                    end = Some(label + len);
                }
                if next != Some('.') {
                    return end;
                }
                place += 1;
                label = place;
            }
        }
    }
}

fn without_dashes(label: &[u8]) -> &[u8] {
    let dashes = label.iter().rev().take_while(|&&byte| byte == b'-').count();
    &label[..label.len() - dashes]
}

/// How much of a label could be a top-level domain with whatever is written on to it.
fn top_level(label: &[u8]) -> Option<usize> {
    let letters = label.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let ascii = label.iter().take_while(|byte| byte.is_ascii()).count();
    if letters >= 2 {
        // text without blanks between words may follow
        return Some(ascii);
    }
    (ascii < label.len() && !label[0].is_ascii_digit()).then_some(label.len())
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use crate::Kind;

    #[test]
    fn addresses_in_sentences_are_found() {
        let text =
            "write to (jo.doe+x@mail.example.co.uk), 'o'neil@b.cd' or A@B.CD! not @x.yz, a@b, a@.com, a@b..com, a@b.c";
        assert_eq!(found(Kind::Email, text), ["jo.doe+x@mail.example.co.uk", "o'neil@b.cd", "A@B.CD"]);
    }

    #[test]
    fn addresses_in_other_scripts_and_of_odd_form_are_found() {
        for address in
            ["müller@exämple.de", "用户@例子.中国", "user@xn--80ak6aa92e.com", "a@b.xn--p1ai", "_@a_b.cd", "/@b.cd"]
        {
            for text in [address.to_owned(), format!("({address})"), format!("to {address}. Then")] {
                assert_eq!(found(Kind::Email, &text), [address], "{text}");
            }
        }
        assert_eq!(found(Kind::Email, "mail me@b.com。谢谢 me@b.com谢谢"), ["me@b.com", "me@b.com"]);
    }

    #[test]
    fn what_stands_around_an_address_is_left() {
        assert_eq!(found(Kind::Email, "?to=a@b.cd&cc=e@f.gh"), ["a@b.cd", "e@f.gh"]);
        assert_eq!(found(Kind::Email, "https://x/y/a@b.cd/z"), ["a@b.cd"]);
        assert_eq!(found(Kind::Email, r#"{"m":"to:\na@b.cd\u003ce@f.gh"}"#), ["a@b.cd", "e@f.gh"]);
        assert_eq!(found(Kind::Email, "a@b.cd@e.fg"), ["a@b.cd"]);
    }

    #[test]
    fn versions_and_hosts_without_a_domain_are_left() {
        for text in ["react@18.2.0", "root@localhost", "x@10.0.0.1", "@types/node@1.2", "a@b.1c"] {
            assert_eq!(found(Kind::Email, text), Vec::<&str>::new(), "{text}");
        }
    }
}
