//! Bronze at rest: objects encrypted whole, the same bytes each time.
//!
//! A sealed object is the magic, the id of the key (8 bytes), the nonce (12 bytes), and what AES-256-GCM-SIV (RFC 8452)
//! makes of the Parquet file, its tag of 16 bytes at the end. The head is authenticated with it. The nonce is made of the
//! object's name, which bears the digest of its cut: so a cut that is run again gives the same bytes, and no two objects
//! share a nonce; if two ever did, this cipher gives away no more than that they are equal.

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use sha2::{Digest, Sha256};
use std::fmt;

/// First bytes of a sealed object; the number is that of the layout.
const MAGIC: &[u8; 16] = b"sluice-sealed-01";
const ID: usize = 8;
const NONCE: usize = 12;
const HEAD: usize = MAGIC.len() + ID + NONCE;

/// The key of bronze. It is never shown: `Debug` gives its id.
#[derive(Clone)]
pub struct BronzeKey {
    cipher: Aes256GcmSiv,
    id: [u8; ID],
}

/// A sealed object that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// The key is too short to keep a secret.
    #[error("the key of bronze has {0} bytes; at least {min} are needed", min = BronzeKey::MIN_BYTES)]
    KeyTooShort(usize),
    /// It does not begin as sealed objects do.
    #[error("it is no sealed object of this program")]
    NotSealed,
    /// It was sealed with another key.
    #[error("it was sealed with key {sealed_with}, and this is key {key}")]
    OtherKey {
        /// Id of the key it was sealed with.
        sealed_with: String,
        /// Id of the key at hand.
        key: String,
    },
    /// It is not what was written.
    #[error("it is not what was written: bytes were changed or are missing")]
    Broken,
}

impl BronzeKey {
    /// Shortest secret, in bytes: that of the cipher's strength against guessing.
    pub const MIN_BYTES: usize = 16;

    /// A key from a secret of any form; texts from a password manager do.
    ///
    /// # Errors
    /// [`Unsealable::KeyTooShort`].
    pub fn new(secret: &[u8]) -> Result<Self, Unsealable> {
        if secret.len() < Self::MIN_BYTES {
            return Err(Unsealable::KeyTooShort(secret.len()));
        }
        // told apart by what they are for, so that a secret that serves twice gives two keys
        let derive = |label: &[u8]| Sha256::new().chain_update(label).chain_update(secret).finalize();
        let mut id = [0; ID];
        id.copy_from_slice(&derive(b"sluice bronze key id\0")[..ID]);
        Ok(Self { cipher: Aes256GcmSiv::new(&derive(b"sluice bronze key\0")), id })
    }

    /// 16 hexadecimal digits that tell keys apart and say nothing about them.
    pub fn id(&self) -> String {
        hex(&self.id)
    }

    /// Seals an object that is put under this name.
    pub(crate) fn seal(&self, name: &str, bytes: &[u8]) -> Vec<u8> {
        let nonce = &Sha256::digest(name.as_bytes())[..NONCE];
        let head = [MAGIC.as_slice(), &self.id, nonce].concat();
        let payload = Payload { msg: bytes, aad: &head };
        let sealed = self.cipher.encrypt(Nonce::from_slice(nonce), payload);
        [head, sealed.expect("an object is far below the cipher's limit of 64 GiB")].concat()
    }

    /// Opens a sealed object.
    ///
    /// # Errors
    /// It is none, was sealed with another key, or is not what was written.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (head, rest) = sealed.split_at_checked(HEAD).ok_or(Unsealable::NotSealed)?;
        let (magic, key) = head.split_at(MAGIC.len());
        let (id, nonce) = key.split_at(ID);
        if magic != MAGIC {
            return Err(Unsealable::NotSealed);
        }
        if id != self.id {
            return Err(Unsealable::OtherKey { sealed_with: hex(id), key: self.id() });
        }
        self.cipher.decrypt(Nonce::from_slice(nonce), Payload { msg: rest, aad: head }).map_err(|_| Unsealable::Broken)
    }
}

impl fmt::Debug for BronzeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BronzeKey(id {})", self.id())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> BronzeKey {
        BronzeKey::new(secret.as_bytes()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_and_the_same_object_gives_the_same_bytes() {
        let key = key("0123456789abcdef");
        let sealed = key.seal("bronze/1", b"jo@example.com");
        assert_eq!(key.open(&sealed).unwrap(), b"jo@example.com");
        assert_eq!(sealed, key.seal("bronze/1", b"jo@example.com"));
        assert_ne!(sealed, key.seal("bronze/2", b"jo@example.com"));
        assert!(!sealed.windows(2).any(|pair| pair == b"jo"));
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let key = key("0123456789abcdef");
        let sealed = key.seal("bronze/1", b"value");
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(key.open(&broken).is_err(), "byte {at}");
            assert!(key.open(&sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_key_is_told_and_a_short_one_refused() {
        let sealed = key("0123456789abcdef").seal("bronze/1", b"value");
        assert!(matches!(key("another key, as long").open(&sealed), Err(Unsealable::OtherKey { .. })));
        assert_eq!(BronzeKey::new(b"short").unwrap_err(), Unsealable::KeyTooShort(5));
        assert!(!format!("{:?}", key("0123456789abcdef")).contains("0123456789abcdef"));
    }
}
