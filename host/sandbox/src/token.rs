//! Capability `token`: keyed pseudonyms. The key stays here.
//!
//! A pseudonym is HMAC-SHA-256(key, message), its first 128 bits in base32 (RFC 4648, lower case, 26 characters, the
//! last of them holding three bits). The message is the length of the domain in bytes as 8 bytes little-endian, the
//! domain, the value: so no domain and value can be read as another pair. The dataset is no part of it: the same id has
//! the same pseudonym in every dataset with the same key, and tables can be joined.

use crate::cpu_time::thread_cpu_time;
use crate::failure::Wrong;
use crate::lift::{self, Expected};
use crate::state::HOST_CALLS;
use crate::wire::{ColumnOut, ValuesOut, VarBytesOut};
use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use sluice_batch::ColumnType;
use std::fmt;
use std::time::Duration;

/// Characters of a pseudonym.
const CHARS: usize = 26;

/// Longest domain in bytes.
const DOMAIN_BYTES: usize = 256;

/// Values between two looks at the clock: about half a millisecond.
const CLOCK_EVERY: usize = 1024;

/// A key of pseudonyms. It is never shown: `Debug` gives its id.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

/// A key that is too short to keep a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key for pseudonyms has {0} bytes; at least {min} are needed", min = TokenKey::MIN_BYTES)]
pub struct KeyTooShort(pub usize);

impl TokenKey {
    /// Shortest key: with fewer bits than the 128 of a pseudonym, the key is what would be guessed.
    pub const MIN_BYTES: usize = 16;

    /// A key of at least [`TokenKey::MIN_BYTES`] bytes.
    ///
    /// # Errors
    /// It is shorter.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyTooShort> {
        if bytes.len() < Self::MIN_BYTES {
            return Err(KeyTooShort(bytes.len()));
        }
        Hmac::new_from_slice(bytes).map(Self).map_err(|_| KeyTooShort(bytes.len()))
    }

    /// 16 hexadecimal digits that tell keys apart and say nothing about them: the first 8 bytes of
    /// HMAC-SHA-256(key, `sluice key id`). No message of a pseudonym begins so: it would be a domain of 2^62 bytes.
    pub fn id(&self) -> String {
        let mac = self.0.clone().chain_update(b"sluice key id").finalize().into_bytes();
        mac[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey(id {})", self.id())
    }
}

/// Makes pseudonyms, a column a call.
pub(crate) struct Pseudonyms(TokenKey);

impl Pseudonyms {
    pub(crate) fn new(key: TokenKey) -> Self {
        Self(key)
    }

    /// One pseudonym for each row; null stays null. `by` is the processor time at which to give up.
    ///
    /// # Errors
    /// The column is malformed or no text, the domain is too long, or the time is over.
    pub(crate) fn column(&self, domain: &str, values: ColumnOut, by: Duration) -> Result<ColumnOut, Wrong> {
        if domain.len() > DOMAIN_BYTES {
            let seen = domain.len();
            return Err(Wrong::Answer(format!("domain of pseudonyms has {seen} bytes; at most {DOMAIN_BYTES} may be")));
        }
        let ValuesOut::Text(VarBytesOut { offsets, .. }) = &values.values else {
            return Err(Wrong::Answer(format!(
                "asked for pseudonyms of a column of {}; only text has any",
                values.values.name()
            )));
        };
        let rows = offsets.len().saturating_sub(1);
        let expected = Expected { name: "values", ty: ColumnType::Text, nullable: true };
        let checked = lift::columns(vec![values], [expected].into_iter(), rows)
            .map_err(|wrong| Wrong::Answer(format!("asked for pseudonyms of a malformed column: {wrong}")))?;
        self.of_array(domain, checked[0].as_string(), by)
    }

    fn of_array(&self, domain: &str, values: &StringArray, by: Duration) -> Result<ColumnOut, Wrong> {
        let length = (domain.len() as u64).to_le_bytes();
        let keyed = self.0.0.clone().chain_update(length).chain_update(domain);
        let mut offsets = Vec::with_capacity(values.len() + 1);
        let mut bytes = Vec::with_capacity(values.len() * CHARS);
        // rows of one customer often follow one another
        let mut last: Option<(&str, [u8; CHARS])> = None;
        offsets.push(0);
        for (row, value) in values.iter().enumerate() {
            if row % CLOCK_EVERY == 0 && thread_cpu_time() >= by {
                return Err(Wrong::HostDeadline(HOST_CALLS));
            }
            if let Some(value) = value {
                let pseudonym = match last {
                    Some((same, pseudonym)) if same == value => pseudonym,
                    _ => base32(&keyed.clone().chain_update(value).finalize().into_bytes()),
                };
                last = Some((value, pseudonym));
                bytes.extend_from_slice(&pseudonym);
            }
            offsets.push(bytes.len() as u32);
        }
        let validity = values.nulls().map(|nulls| nulls.inner().sliced().to_vec()).unwrap_or_default();
        Ok(ColumnOut { validity, values: ValuesOut::Text(VarBytesOut { offsets, bytes }) })
    }
}

/// The first 128 bits, five a character, the highest first; the last character holds three bits, followed by zeros.
fn base32(mac: &[u8]) -> [u8; CHARS] {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let value = mac[..16].iter().fold(0u128, |value, byte| value << 8 | u128::from(*byte));
    let mut text = [0; CHARS];
    for (i, c) in (0u32..).zip(&mut text) {
        let bits = if i == 25 { value << 2 } else { value >> (123 - 5 * i) };
        *c = ALPHABET[(bits & 0x1f) as usize];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a key for tests only, 32 bytes..";

    fn pseudonyms(domain: &str, values: &[Option<&str>]) -> Vec<Option<String>> {
        let (mut offsets, mut bytes, mut validity) = (vec![0], Vec::new(), vec![0u8; values.len().div_ceil(8)]);
        for (row, value) in values.iter().enumerate() {
            bytes.extend_from_slice(value.unwrap_or_default().as_bytes());
            offsets.push(bytes.len() as u32);
            validity[row / 8] |= u8::from(value.is_some()) << (row % 8);
        }
        let column = ColumnOut { validity, values: ValuesOut::Text(VarBytesOut { offsets, bytes }) };
        let by = thread_cpu_time() + HOST_CALLS;
        let out = Pseudonyms::new(TokenKey::new(KEY).unwrap()).column(domain, column, by).unwrap();
        let expected = Expected { name: "p", ty: ColumnType::Text, nullable: true };
        let out = lift::columns(vec![out], [expected].into_iter(), values.len()).unwrap();
        out[0].as_string::<i32>().iter().map(|p| p.map(str::to_owned)).collect()
    }

    #[test]
    fn a_pseudonym_is_the_hmac_as_the_contract_writes_it() {
        let mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
        let mac = mac.chain_update(b"\x08\0\0\0\0\0\0\0customer17850").finalize().into_bytes();
        // base32 done plainly: a string of bits, cut into fives
        let bits: String = mac[..16].iter().map(|b| format!("{b:08b}")).collect::<String>() + "00";
        let digit = |five: &[u8]| u32::from_str_radix(std::str::from_utf8(five).unwrap(), 2).unwrap();
        let letter = |n: u32| if n < 26 { (b'a' + n as u8) as char } else { (b'2' + (n - 26) as u8) as char };
        let expected: String = bits.as_bytes().chunks(5).map(|five| letter(digit(five))).collect();
        assert_eq!(pseudonyms("customer", &[Some("17850")]), [Some(expected)]);
    }

    #[test]
    fn same_value_same_pseudonym_and_null_stays_null() {
        let out = pseudonyms("customer", &[Some("a"), Some("a"), None, Some("b"), Some("a"), Some("")]);
        assert_eq!((&out[0], &out[2]), (&out[1], &None));
        assert_eq!(out[0], out[4]);
        assert!(out[0] != out[3] && out[5].as_ref().is_some_and(|p| p.len() == CHARS));
    }

    #[test]
    fn domain_and_value_cannot_run_into_one_another() {
        assert_ne!(pseudonyms("ab", &[Some("c")]), pseudonyms("a", &[Some("bc")]));
    }

    #[test]
    fn the_key_is_not_shown_and_its_id_tells_keys_apart() {
        let (one, other) = (TokenKey::new(KEY).unwrap(), TokenKey::new(&[7; 32]).unwrap());
        assert_ne!(one.id(), other.id());
        assert_eq!(format!("{one:?}"), format!("TokenKey(id {})", one.id()));
        assert_eq!(TokenKey::new(b"short").unwrap_err(), KeyTooShort(5));
    }

    #[test]
    fn a_call_without_time_left_is_stopped() {
        let column =
            ColumnOut { validity: vec![], values: ValuesOut::Text(VarBytesOut { offsets: vec![0, 0], bytes: vec![] }) };
        let out = Pseudonyms::new(TokenKey::new(KEY).unwrap()).column("d", column, Duration::ZERO);
        assert_eq!(out, Err(Wrong::HostDeadline(HOST_CALLS)));
    }
}
