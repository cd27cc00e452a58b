//! Keys that vouch for rules.

use crate::error::{RegistryError, Result};
use crate::name::RuleVersion;
use crate::signature::{Signature, statement};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sluice_batch::digest_hex;
use sluice_ports::{Kind, PortError};
use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::str::FromStr;

const SCHEME: &str = "ed25519:";

/// A public key. Shown and read as `ed25519:BASE64`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The first 16 hexadecimal digits of the SHA-256 of the key: short enough to be said, never enough to trust.
    pub fn id(&self) -> String {
        let mut digest = digest_hex(self.0.as_bytes());
        digest.truncate(16);
        digest
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self> {
        let refused = |why: &str| {
            let text = text.escape_debug();
            RegistryError::Refused(format!("`{text}` is no public key: {why}; `sluice plugin keygen` prints one"))
        };
        let encoded = text.strip_prefix(SCHEME).ok_or_else(|| refused("it begins with `ed25519:`"))?;
        let bytes = STANDARD.decode(encoded).map_err(|_| refused("what follows `ed25519:` is no base64"))?;
        let bytes = bytes.try_into().map_err(|_| refused("a key has 32 bytes"))?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| refused("it is no point of the curve"))?;
        // under a weak key one signature holds for many messages
        if key.is_weak() { Err(refused("it is a weak key")) } else { Ok(Self(key)) }
    }
}

impl TryFrom<String> for PublicKey {
    type Error = RegistryError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A private key with its public one. The private part is never shown, and is wiped from memory when this is dropped.
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// A new pair, from the randomness of the operating system.
    ///
    /// # Errors
    /// [`RegistryError::Store`] where there is none to be had.
    pub fn generate() -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| PortError::new(Kind::Fatal, format!("no randomness for a key: {error}")))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads a private key file: PKCS#8 in PEM, as [`KeyPair::create_file`] and `openssl genpkey -algorithm ed25519`
    /// write it.
    ///
    /// # Errors
    /// [`RegistryError::Store`] where it cannot be read, [`RegistryError::Refused`] where it holds no key.
    pub fn read_file(path: &Path) -> Result<Self> {
        let failed = |error| PortError::io(format_args!("cannot read the key file `{}`", path.display()), error);
        let text = std::fs::read_to_string(path).map_err(failed)?;
        // the cause is left out: nothing of a private key is to be in a message
        let key = SigningKey::from_pkcs8_pem(text.trim_start()).map_err(|_| {
            let path = path.display();
            RegistryError::Refused(format!(
                "`{path}` holds no private ed25519 key in PKCS#8 PEM; `sluice plugin keygen FILE` makes one"
            ))
        })?;
        Ok(Self(key))
    }

    /// Writes the private key to a new file that only its owner may read (mode 0600).
    ///
    /// # Errors
    /// [`RegistryError::Taken`] where the file is there: a key is never written over.
    pub fn create_file(&self, path: &Path) -> Result<()> {
        let pem = self.0.to_pkcs8_pem(LineEnding::LF).map_err(|_| {
            RegistryError::Refused("the key cannot be written as PKCS#8".to_owned()) // its form is fixed
        })?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let write = |mut file: std::fs::File| file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
        match options.open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(RegistryError::Taken(format!(
                "`{}` is there already and is not written over; name another file for the key",
                path.display()
            ))),
            opened => Ok(opened
                .and_then(write)
                .map_err(|error| PortError::io(format_args!("cannot write `{}`", path.display()), error))?),
        }
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Vouches for the component of a version.
    pub fn sign(&self, rule: &RuleVersion, digest: &str) -> Signature {
        let signature = self.0.sign(statement(rule, digest).as_bytes());
        Signature::new(self.public(), signature.to_bytes())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_read_back_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        let pair = KeyPair::generate().unwrap();
        pair.create_file(&file).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(KeyPair::read_file(&file).unwrap().public(), pair.public());
    }

    #[test]
    fn a_key_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(&file, "precious").unwrap();
        let error = KeyPair::generate().unwrap().create_file(&file).unwrap_err();
        assert!(error.to_string().contains("is not written over"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
        let error = KeyPair::read_file(&file).unwrap_err();
        assert!(error.to_string().contains("holds no private ed25519 key"), "{error}");
    }

    #[test]
    fn keys_of_openssl_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        // RFC 8410, section 10.3
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        std::fs::write(&file, pem).unwrap();
        let public = KeyPair::read_file(&file).unwrap().public();
        assert_eq!(public.to_string(), "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
    }

    #[test]
    fn public_keys_are_read_as_they_are_shown_and_the_private_part_is_never_shown() {
        let pair = KeyPair::generate().unwrap();
        let shown = pair.public().to_string();
        assert_eq!(shown.parse::<PublicKey>().unwrap(), pair.public());
        assert_eq!(format!("{pair:?}"), format!("KeyPair({shown})"));
        assert_eq!(pair.public().id().len(), 16);
        let weak = format!("{SCHEME}{}", STANDARD.encode([0; 32]));
        for (text, why) in [
            ("AAAA", "it begins with `ed25519:`"),
            ("ed25519:!", "no base64"),
            ("ed25519:AAAA", "a key has 32 bytes"),
            (&weak, "weak key"),
        ] {
            let error = text.parse::<PublicKey>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
