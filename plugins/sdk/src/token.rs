//! Capability `token`: keyed pseudonyms. The key stays in the host.
//!
//! In a component these call the host, and only a component that calls them imports the capability; the manifest must
//! grant it. Natively there is no key: a stand-in gives pseudonyms of the same form (26 characters of base32, lower
//! case), the same for the same domain and value, from an unkeyed hash. That is for tests; it hides nothing.

use crate::Column;

/// One pseudonym for each row of a text column, as text. Null stays null. `domain` keeps pseudonyms of different things
/// apart (`customer`, `email`).
#[must_use]
pub fn pseudonyms(domain: &str, values: &Column) -> Column {
    imp::pseudonyms(domain, values)
}

#[cfg(target_arch = "wasm32")]
mod imp {
    pub(super) use sluice_guest_types::token::pseudonyms;
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    use crate::{Column, TextOut, Values};
    use sluice_kernels::{Text, bits};

    pub(super) fn pseudonyms(domain: &str, values: &Column) -> Column {
        let Values::Text(text) = &values.values else {
            panic!("pseudonyms are made of text columns; make text of the column first");
        };
        let text = Text::new(&text.offsets, &text.bytes);
        let mut out = TextOut::with_capacity(text.rows(), text.rows() * 26);
        for (row, value) in text.iter().enumerate() {
            if bits::is_valid(&values.validity, row) {
                out.push_bytes(&base32(hash(domain, value)));
            } else {
                out.push_null();
            }
        }
        out.finish()
    }

    /// FNV-1a of 128 bits over domain, a byte that is in no text, and value.
    fn hash(domain: &str, value: &[u8]) -> u128 {
        let mix = |hash: u128, &byte: &u8| (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013B);
        let bytes = domain.as_bytes().iter().chain(&[0xFF]).chain(value);
        bytes.fold(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D, mix)
    }

    /// RFC 4648 base32 in lower case, without padding: five bits a character, the highest first.
    fn base32(value: u128) -> [u8; 26] {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        std::array::from_fn(|i| ALPHABET[(value.rotate_left(5 * (i as u32 + 1)) & mask(i)) as usize])
    }

    /// The last character holds the last three bits, followed by zeros.
    fn mask(i: usize) -> u128 {
        if i == 25 { 0x1C } else { 0x1F }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn base32_is_that_of_rfc_4648() {
            let text = |value| String::from_utf8(base32(value).to_vec()).unwrap();
            assert_eq!(text(u128::from_be_bytes(*b"foobarfoobarfoob")), "mzxw6ytbojtg633cmfzgm33pmi");
            assert_eq!(text(1), "aaaaaaaaaaaaaaaaaaaaaaaaae");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{native, token};

    #[test]
    fn the_stand_in_is_told_by_domain_and_value_and_keeps_nulls() {
        let values = native::texts(&[Some("17850"), None, Some("17850"), Some("13047"), Some("")]);
        let batch = native::batch(&[token::pseudonyms("customer", &values), token::pseudonyms("email", &values)]);
        let (a, b) = (batch.texts(crate::ColumnId(0)), batch.texts(crate::ColumnId(1)));
        assert_eq!(a.get(0).unwrap().len(), 26);
        assert_eq!((a.get(0), a.get(1)), (a.get(2), None));
        assert_ne!(a.get(0), a.get(3));
        assert_ne!(a.get(0), b.get(0));
        assert!(a.get(4).is_some());
    }
}
