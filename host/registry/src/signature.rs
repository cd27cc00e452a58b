//! Signatures over versions of rules.

use crate::error::RegistryError;
use crate::key::PublicKey;
use crate::name::RuleVersion;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What a signature of a version is over.
///
/// The first line keeps it apart from anything else that the same key may sign. Neither a name, nor a version, nor a
/// digest can hold a line's end, so no two versions have one statement.
pub fn statement(rule: &RuleVersion, digest: &str) -> String {
    format!("sluice-rule-v1\n{}\n{}\n{digest}\n", rule.name, rule.version)
}

/// A signature of a version, with the key that is said to have made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// [`PublicKey::id`], for people who look at the file. Nothing goes by it.
    pub key_id: String,
    /// The key.
    pub key: PublicKey,
    /// The signature.
    #[serde(with = "as_base64")]
    pub signature: [u8; 64],
}

impl Signature {
    /// A signature that a key has made.
    pub fn new(key: PublicKey, signature: [u8; 64]) -> Self {
        Self { key_id: key.id(), key, signature }
    }

    /// Whether it is one over this version and component by its key. Says nothing of whether the key is trusted.
    pub fn verifies(&self, rule: &RuleVersion, digest: &str) -> bool {
        self.key.verify(statement(rule, digest).as_bytes(), &self.signature)
    }
}

/// Reads the signatures of a version: a JSON list.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Signature>, RegistryError> {
    serde_json::from_slice(bytes).map_err(|error| RegistryError::Damaged(error.to_string()))
}

/// The file of them.
pub(crate) fn write(signatures: &[Signature]) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(signatures).expect("signatures are plain data");
    text.push(b'\n');
    text
}

mod as_base64 {
    use super::{Engine, STANDARD};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("the signature is no base64"))?;
        bytes.try_into().map_err(|_| D::Error::custom("a signature has 64 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyPair;
    use proptest::prelude::*;

    fn rule(name: &str, version: &str) -> RuleVersion {
        RuleVersion::new(name, version).unwrap()
    }

    #[test]
    fn the_statement_is_pinned() {
        assert_eq!(statement(&rule("pii", "1.0.0"), "00ff"), "sluice-rule-v1\npii\n1.0.0\n00ff\n");
    }

    #[test]
    fn a_signature_is_for_one_name_version_and_digest() {
        let (pair, digest, other) = (KeyPair::generate().unwrap(), "a".repeat(64), "b".repeat(64));
        let signature = pair.sign(&rule("pii", "1.0.0"), &digest);
        assert!(signature.verifies(&rule("pii", "1.0.0"), &digest));
        assert!(!signature.verifies(&rule("pii", "1.0.1"), &digest));
        assert!(!signature.verifies(&rule("checks", "1.0.0"), &digest));
        assert!(!signature.verifies(&rule("pii", "1.0.0"), &other));
        let mut by_another = signature.clone();
        by_another.key = KeyPair::generate().unwrap().public();
        assert!(!by_another.verifies(&rule("pii", "1.0.0"), &digest));
        for bit in 0..512 {
            let mut flipped = signature.clone();
            flipped.signature[bit / 8] ^= 1 << (bit % 8);
            assert!(!flipped.verifies(&rule("pii", "1.0.0"), &digest), "bit {bit}");
        }
    }

    #[test]
    fn signatures_are_read_back_and_broken_ones_refused() {
        let signature = KeyPair::generate().unwrap().sign(&rule("pii", "1.0.0"), "d");
        let text = write(std::slice::from_ref(&signature));
        assert_eq!(parse(&text).unwrap(), [signature]);
        let text = String::from_utf8(text).unwrap();
        for (from, to) in [("\"signature\": \"", "\"signature\": \"!"), ("ed25519:", "rsa:"), ("[", "")] {
            assert!(parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{from}");
        }
    }

    proptest! {
        #[test]
        fn no_two_versions_have_one_statement(
            one in ("[a-z][a-z0-9-]{0,9}", 0u64..20, 0u64..20, "[0-9a-f]{64}"),
            two in ("[a-z][a-z0-9-]{0,9}", 0u64..20, 0u64..20, "[0-9a-f]{64}"),
        ) {
            let said = |of: &(String, u64, u64, String)| statement(&rule(&of.0, &format!("{}.{}.0", of.1, of.2)), &of.3);
            prop_assert_eq!(said(&one) == said(&two), one == two);
            let text = said(&one);
            let parts: Vec<&str> = text.lines().collect();
            let version = format!("{}.{}.0", one.1, one.2);
            prop_assert_eq!(parts, ["sluice-rule-v1", &one.0, &version, &one.3]);
        }
    }
}
