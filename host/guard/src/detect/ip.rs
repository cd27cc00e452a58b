//! IPv4 and IPv6 addresses.

use super::groups::{Gap, Group, Groups};
use crate::bytes::{self, apart};
use std::net::Ipv6Addr;
use std::ops::Range;

/// The IPv4 address that begins with the first group.
pub(super) fn v4_at(text: &[u8], groups: Groups<'_>) -> Option<Range<usize>> {
    let [first, second, third, fourth, ..] = groups.chain() else {
        return None;
    };
    let octets = [first, second, third, fourth];
    let dotted = octets[1..].iter().all(|group| group.gap == Gap::Dot);
    let before = bytes::before(text, first.start);
    let goes_on = first.gap == Gap::Dot && before == b'.';
    if !dotted || !apart(before) || goes_on || !apart(bytes::at(text, fourth.end)) {
        return None;
    }
    octets.iter().all(|group| is_octet(text, group)).then_some(first.start..fourth.end)
}

fn is_octet(text: &[u8], group: &Group) -> bool {
    let value = || text[group.start..group.end].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    group.len() <= 3 && value() <= 255
}

/// All IPv6 addresses of a text.
pub(super) fn find_v6(text: &[u8], mut found: impl FnMut(Range<usize>)) {
    let part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let mut free = 0;
    while let Some(colon) = memchr::memchr(b':', &text[free..]).map(|skipped| free + skipped) {
        let start = colon - text[free..colon].iter().rev().take_while(|byte| part(byte)).count();
        let end = colon + text[colon..].iter().position(|byte| !part(byte)).unwrap_or(text.len() - colon);
        if apart(bytes::before(text, start)) && apart(bytes::at(text, end)) {
            // what follows a colon or ends a sentence is no part of it
            let lead = usize::from(text[start] == b':' && bytes::at(text, start + 1) != b':');
            let mut last = end;
            while last > start + 2 && (text[last - 1] == b'.' || text[last - 1] == b':' && text[last - 2] != b':') {
                last -= 1;
            }
            if is_v6(&text[start + lead..last.max(start + lead)]) {
                found(start + lead..last);
            }
        }
        free = end;
    }
}

/// Whether a word is an address, and not `::` or what could be the path of a program's item.
fn is_v6(word: &[u8]) -> bool {
    let groups = || word.split(|&byte| byte == b':').filter(|group| !group.is_empty()).count();
    let long = (3..=45).contains(&word.len()) && word.iter().filter(|&&byte| byte == b':').count() >= 2;
    let parsed = || std::str::from_utf8(word).is_ok_and(|word| word.parse::<Ipv6Addr>().is_ok());
    long && parsed() && (groups() >= 3 || word.iter().any(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use crate::Kind;

    #[test]
    fn addresses_are_found() {
        for address in [
            "192.0.2.7",
            "255.255.255.255",
            "2001:db8::1",
            "6e40:4041:c617:e898:c11:40d2:c669:2eb4",
            "fe80::1",
            "::1",
            "::ffff:192.0.2.1",
            "64:ff9b::192.0.2.33",
            "2001:db8::",
        ] {
            for text in [
                address.to_owned(),
                format!("from {address}."),
                format!("[{address}]:8080"),
                format!("ip={address}/32"),
            ] {
                assert!(found(Kind::Ip, &text).contains(&address), "{text}: {:?}", found(Kind::Ip, &text));
            }
        }
        assert_eq!(found(Kind::Ip, "IP: 10.0.0.1, 10.0.0.2; 192.0.2.7:443"), ["10.0.0.1", "10.0.0.2", "192.0.2.7"]);
    }

    #[test]
    fn times_versions_and_paths_are_left() {
        for text in [
            "12:34:56",
            "2026-03-01T10:00:00",
            "1.2.3",
            "256.1.1.1",
            "v1.2.3.4",
            "1.2.3.4x",
            "aa:bb:cc:dd:ee:ff",
            "std::vec",
            "a::b",
            "::",
            "arn:aws:iam::123456789012:user/x",
            "684D:1111:222:3333:4444:5555:77",
            "fe80::1text",
            "{\"a\":1,\"b\":2}",
        ] {
            assert_eq!(found(Kind::Ip, text), Vec::<&str>::new(), "{text}");
        }
    }
}
