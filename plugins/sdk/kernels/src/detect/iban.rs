//! International bank account numbers (ISO 13616).

use super::runs::runs;
use super::{Span, byte_at, byte_before, is_word};

/// Country and length, from the IBAN registry of SWIFT, in order of the country; five bytes each.
const LENGTHS: &[u8] = b"\
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 \
    DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 \
    IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 \
    MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 \
    SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30 ";

pub(super) fn spans(text: &[u8], out: &mut Vec<Span>) {
    let mut free = 0;
    for run in runs(text) {
        let Some(start) = run.start.checked_sub(2).filter(|&start| start >= free && run.end - run.start >= 2) else {
            continue;
        };
        if is_word(byte_before(text, start)) {
            continue;
        }
        if let Some(end) = iban_end(text, start) {
            out.push(Span::new(start, end));
            free = end;
        }
    }
}

/// Whether a text is an IBAN and nothing else.
#[must_use]
pub fn is_iban(text: &[u8]) -> bool {
    iban_end(text, 0) == Some(text.len())
}

/// Where the IBAN that starts at `start` ends.
fn iban_end(text: &[u8], start: usize) -> Option<usize> {
    let country = [byte_at(text, start), byte_at(text, start + 1)];
    let len = length_of(country)?;
    let mut number = [0u8; 34];
    let mut at = start;
    for slot in number.iter_mut().take(len) {
        if matches!(byte_at(text, at), b' ' | b'-') && at > start + 3 {
            at += 1;
        }
        let byte = byte_at(text, at);
        // In one case throughout: mixed case is prose.
        if !(byte.is_ascii_digit()
            || byte.is_ascii_alphabetic() && byte.is_ascii_lowercase() == country[0].is_ascii_lowercase())
        {
            return None;
        }
        *slot = byte;
        at += 1;
    }
    let number = number.get(..len)?;
    (!is_word(byte_at(text, at)) && checks(number)).then_some(at)
}

fn length_of(country: [u8; 2]) -> Option<usize> {
    let upper = country.map(|byte| byte.to_ascii_uppercase());
    let same_case = country[0].is_ascii_lowercase() == country[1].is_ascii_lowercase();
    let (entries, _) = LENGTHS.as_chunks::<5>();
    let found = entries.binary_search_by(|entry| entry[..2].cmp(&upper)).ok().filter(|_| same_case)?;
    let [_, _, tens, ones, _] = *entries.get(found)?;
    Some(usize::from(tens - b'0') * 10 + usize::from(ones - b'0'))
}

/// The check digits of ISO 7064 (mod 97-10), which stand third and fourth.
fn checks(number: &[u8]) -> bool {
    let Some((head, rest)) = number.split_at_checked(4) else {
        return false;
    };
    let add = |remainder: u32, byte: &u8| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte.to_ascii_uppercase().wrapping_sub(b'A')) + 10) % 97,
    };
    let digits = head.iter().skip(2).all(u8::is_ascii_digit);
    digits && rest.iter().chain(head).fold(0, add) == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Kind, tests::found};

    #[test]
    fn accounts_of_many_countries_are_found() {
        for number in [
            "GB29NWBK60161331926819",
            "DE89 3704 0044 0532 0130 00",
            "FR14 2004 1010 0505 0001 3M02 606",
            "NO93-8601-1117-947",
            "MT84MALT011000012345MTLCAST001S",
            "nl91abna0417164300",
        ] {
            let text = format!("transfer to {number} today, or {number}.");
            assert_eq!(found(Kind::Iban, &text), [number, number]);
            assert!(is_iban(number.as_bytes()));
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
            "GB29nwbk60161331926819",
            "GB2",
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
