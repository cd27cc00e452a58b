//! International bank account numbers (ISO 13616).

use crate::block::Text;
use crate::bytes::{apart, at, before};
use crate::survey::accounts;
use std::ops::Range;

/// Country and length, from the IBAN registry of SWIFT and the lists of countries that use the form without being in it,
/// in order of the country; five bytes each.
const LENGTHS: &[u8] = b"\
    AD24 AE23 AL28 AO25 AT20 AZ28 BA20 BE16 BF28 BG22 BH22 BI27 BJ28 BR29 BY28 CF27 CG27 CH21 CI28 CM27 CR22 CV25 \
    CY28 CZ24 DE22 DJ27 DK18 DO28 DZ26 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GA27 GB22 GE22 GI23 GL18 GQ27 GR27 GT28 \
    GW25 HN28 HR21 HU28 IE22 IL23 IQ23 IR26 IS26 IT27 JO30 KM27 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MA28 \
    MC27 MD24 ME22 MG27 MK19 ML28 MN20 MR27 MT31 MU30 MZ25 NE28 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 \
    RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SN28 SO23 ST25 SV28 TD27 TG28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 \
    YE30 ";

/// All account numbers of a text.
pub(super) fn find(text: Text<'_>, mut found: impl FnMut(Range<usize>)) {
    let mut free = 0;
    let bytes = text.bytes();
    accounts(text, |start| {
        if start >= free
            && apart(before(bytes, start))
            && let Some(end) = end(bytes, start)
        {
            found(start..end);
            free = end;
        }
    });
}

/// Where the account number that starts at a place ends.
fn end(text: &[u8], start: usize) -> Option<usize> {
    let len = length_of([text[start], text[start + 1]])?;
    let divided = divides(at(text, start + 2));
    let mut number = [0u8; 34];
    let mut place = start;
    for (i, slot) in number[..len].iter_mut().enumerate() {
        if i >= 2 && divides(at(text, place)) {
            place += 1;
        }
        let byte = at(text, place);
        // Letters of both cases come from hands and are let pass; behind `in 20 …` they are prose.
        if !byte.is_ascii_alphanumeric() || divided && byte.is_ascii_lowercase() {
            return None;
        }
        *slot = byte;
        place += 1;
    }
    (apart(at(text, place)) && checks(&number[..len])).then_some(place)
}

fn divides(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'_' | b'+')
}

fn length_of(country: [u8; 2]) -> Option<usize> {
    let country = country.map(|byte| byte.to_ascii_uppercase());
    let (entries, _) = LENGTHS.as_chunks::<5>();
    let found = entries.binary_search_by(|entry| entry[..2].cmp(&country)).ok()?;
    let [_, _, tens, ones, _] = entries[found];
    Some(usize::from(tens - b'0') * 10 + usize::from(ones - b'0'))
}

/// The check digits of ISO 7064 (mod 97-10), which stand third and fourth.
fn checks(number: &[u8]) -> bool {
    let (head, rest) = number.split_at(4);
    let add = |remainder: u32, byte: &u8| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte.to_ascii_uppercase() - b'A') + 10) % 97,
    };
    head[2..].iter().all(u8::is_ascii_digit) && rest.iter().chain(head).fold(0, add) == 1
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;
    use crate::Kind;

    #[test]
    fn accounts_of_many_countries_are_found() {
        for number in [
            "GB29NWBK60161331926819",
            "GB 29 NWBK 6016 1331 9268 19",
            "DE89 3704 0044 0532 0130 00",
            "DE89.3704.0044.0532.0130.00",
            "FR14 2004 1010 0505 0001 3M02 606",
            "NO93-8601-1117-947",
            "MT84MALT011000012345MTLCAST001S",
            "nl91abna0417164300",
            "GB29nwbk60161331926819",
        ] {
            for text in [format!("transfer to {number} today, or {number}."), format!("{number}\n{number}")] {
                assert_eq!(found(Kind::Iban, &text), [number, number], "{text}");
            }
        }
    }

    #[test]
    fn wrong_digits_lengths_and_countries_are_left() {
        for text in [
            "GB29NWBK60161331926818",
            "GB29NWBK6016133192681",
            "GB29NWBK601613319268199",
            "ZZ29NWBK60161331926819",
            "XGB29NWBK60161331926819",
            "GB2",
            "at 10 we were there with 20 others and so on until 12",
        ] {
            assert_eq!(found(Kind::Iban, text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn countries_are_in_order_for_the_search() {
        let (entries, rest) = LENGTHS.as_chunks::<5>();
        assert!(rest.is_empty() && entries.windows(2).all(|pair| pair[0][..2] < pair[1][..2]));
        for entry in entries {
            assert!((15..=34).contains(&length_of([entry[0], entry[1]]).expect("listed")));
        }
        assert_eq!((length_of(*b"YE"), length_of(*b"ZZ")), (Some(30), None));
    }
}
