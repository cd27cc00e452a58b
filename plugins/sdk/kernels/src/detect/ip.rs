//! IPv4 and IPv6 addresses.

use super::runs::{run_at, runs};
use super::{Span, byte_at, byte_before, byte_two_before, is_word};
use crate::find;

pub(super) fn spans(text: &[u8], out: &mut Vec<Span>) {
    let first = out.len();
    spans_v6(text, out);
    let v6 = out.len();
    for run in runs(text) {
        let taken = out[first..v6].iter().any(|span| span.start <= run.start && run.start < span.end);
        if let Some(end) = v4_end(text, run).filter(|_| !taken) {
            out.push(Span::new(run.start, end));
        }
    }
    if v6 > first {
        out[first..].sort_unstable();
    }
}

/// Where the IPv4 address that starts with `run` ends. What is a part of a longer row of numbers is a version.
fn v4_end(text: &[u8], run: Span) -> Option<usize> {
    let before = byte_before(text, run.start);
    if is_word(before) || before == b'.' && is_word(byte_two_before(text, run.start)) {
        return None;
    }
    let end = octets_end(text, run)?;
    let goes_on = is_word(byte_at(text, end)) || byte_at(text, end) == b'.' && is_digit(text, end + 1);
    (!goes_on).then_some(end)
}

/// Where four numbers from 0 to 255 with points between and no leading zeros end.
fn octets_end(text: &[u8], mut run: Span) -> Option<usize> {
    for octet in 0..4 {
        if octet > 0 {
            if byte_at(text, run.end) != b'.' {
                return None;
            }
            run = run_at(text, run.end + 1);
        }
        let good = match *run.of(text) {
            [_] => true,
            [a, _] => a != b'0',
            [b'1', _, _] => true,
            [b'2', b, c] => b < b'5' || b == b'5' && c <= b'5',
            _ => false,
        };
        if !good {
            return None;
        }
    }
    Some(run.end)
}

fn spans_v6(text: &[u8], out: &mut Vec<Span>) {
    let mut from = 0;
    while let Some(colon) = find::byte(text, from, b':') {
        let mut start = colon;
        while start > from && is_v6_byte(byte_before(text, start)) {
            start -= 1;
        }
        let len = text.iter().skip(start).take_while(|&&byte| is_v6_byte(byte)).count();
        from = start + len;
        if let Some(span) = v6_within(text, start, from) {
            out.push(span);
        }
    }
}

/// The address in a run of hexadecimal digits, colons and points, without what is only beside it.
fn v6_within(text: &[u8], mut start: usize, mut end: usize) -> Option<Span> {
    let colon = find::byte(text, start, b':')?;
    let glued = is_word(byte_before(text, start));
    if glued && text.get(start..colon)?.iter().any(u8::is_ascii_digit) {
        return None;
    }
    if glued || colon == start && byte_at(text, start + 1) != b':' {
        // `core:2001:db8::1`: a word and a colon before the address.
        start = colon + 1;
    }
    if is_word(byte_at(text, end)) {
        return None;
    }
    while byte_before(text, end) == b'.' || byte_before(text, end) == b':' && byte_two_before(text, end) != b':' {
        end -= 1;
    }
    let address = text.get(start..end)?;
    // Without a digit it is mostly a path in a program: `fade::bed`.
    (address.iter().any(u8::is_ascii_digit) && is_v6(address)).then_some(Span::new(start, end))
}

/// RFC 4291: eight groups of one to four hexadecimal digits; one `::` stands for one or more groups of zeros; the last
/// two may be an IPv4 address.
fn is_v6(address: &[u8]) -> bool {
    let (mut groups, mut gap, mut at) = (0, false, 0);
    if address.starts_with(b"::") {
        (gap, at) = (true, 2);
    }
    while at < address.len() {
        let len = address.iter().skip(at).take_while(|byte| byte.is_ascii_hexdigit()).count();
        if byte_at(address, at + len) == b'.' {
            groups += 2;
            if octets_end(address, run_at(address, at)) != Some(address.len()) {
                return false;
            }
            break;
        }
        if !(1..=4).contains(&len) {
            return false;
        }
        groups += 1;
        at += len;
        if at == address.len() {
            break;
        }
        // A colon, for nothing else is in the run.
        at += 1;
        if byte_at(address, at) == b':' {
            if gap {
                return false;
            }
            (gap, at) = (true, at + 1);
        } else if at == address.len() {
            return false;
        }
    }
    if gap { groups <= 7 } else { groups == 8 }
}

fn is_v6_byte(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
}

fn is_digit(text: &[u8], at: usize) -> bool {
    byte_at(text, at).is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Kind, tests::found};
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    proptest! {
        #[test]
        fn an_address_is_one_when_std_reads_it(text in "([0-9a-f]{0,5}:{1,2}){1,8}[0-9a-f]{0,4}([0-9]{1,3}(\\.[0-9]{1,3}){3})?") {
            let std = text.parse::<Ipv6Addr>().is_ok();
            prop_assert_eq!(is_v6(text.as_bytes()), std, "{}", text);
        }

        #[test]
        fn four_octets_are_an_address_when_std_reads_them(text in "[0-9]{1,4}(\\.[0-9]{1,4}){3}|[0-2][0-9]?[0-9]?(\\.[0-9]{1,2}){3}") {
            let whole = octets_end(text.as_bytes(), run_at(text.as_bytes(), 0)) == Some(text.len());
            prop_assert_eq!(whole, text.parse::<Ipv4Addr>().is_ok(), "{}", text);
        }

        #[test]
        fn every_address_is_found_in_a_sentence(v4: u32, v6: u128) {
            let (v4, v6) = (Ipv4Addr::from(v4).to_string(), Ipv6Addr::from(v6).to_string());
            let text = format!("from {v4} to [{v6}], via {v4}.");
            prop_assert_eq!(found(Kind::Ip, &text), [&v4, &v6, &v4]);
        }
    }

    #[test]
    fn addresses_beside_other_things_are_found() {
        let cases: [(&str, &[&str]); 8] = [
            ("http://[2001:db8::1]:8080/", &["2001:db8::1"]),
            ("addr:fe80::1%eth0", &["fe80::1"]),
            ("core:2001:db8::1", &["2001:db8::1"]),
            ("net 10.0.0.0/8 and 2001:db8::/32.", &["10.0.0.0", "2001:db8::"]),
            ("mapped ::ffff:192.0.2.1: yes", &["::ffff:192.0.2.1"]),
            ("10.0.0.1:80", &["10.0.0.1"]),
            ("192.168.1.1", &["192.168.1.1"]),
            ("src=::1", &["::1"]),
        ];
        for (text, expected) in cases {
            assert_eq!(found(Kind::Ip, text), expected, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_an_address_is_left() {
        for text in [
            "1.2.3",
            "1.2.3.4.5",
            "v1.2.3.4",
            "256.1.1.1",
            "01.2.3.4",
            "12:34:56",
            "aa:bb:cc:dd:ee:ff",
            "MyClass::toString",
            "std::u8::MAX",
            "a::b",
            "1:2:3:4",
            "12345:db8::1",
            "text2001:db8::1",
            "2001:db8::1::2",
            "fe80::1text",
            "::",
        ] {
            assert_eq!(found(Kind::Ip, text), Vec::<&str>::new(), "{text}");
        }
    }
}
