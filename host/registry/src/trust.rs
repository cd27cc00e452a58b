//! Whose word counts.

use crate::artefact::Artefact;
use crate::error::{RegistryError, Result};
use crate::key::PublicKey;

/// The keys that are trusted. Where there are none, signatures are not asked for.
#[derive(Debug, Clone, Default)]
pub struct Trusted(Vec<PublicKey>);

impl Trusted {
    /// From keys as a manifest writes them.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] for the first that is none.
    pub fn parse<T: AsRef<str>>(keys: &[T]) -> Result<Self> {
        keys.iter().map(|key| key.as_ref().parse()).collect::<Result<_>>().map(Self)
    }

    /// Whether no key is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key is one of them.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }

    /// Insists on a signature by one of the keys over the artefact's name, version and digest, and gives the key. None
    /// where no key is trusted: then nobody's word is asked for.
    ///
    /// # Errors
    /// [`RegistryError::Untrusted`]: what was found, and the way out.
    pub fn check(&self, artefact: &Artefact) -> Result<Option<PublicKey>> {
        if self.is_empty() {
            return Ok(None);
        }
        let rule = artefact.id();
        let verifies = |signature: &&crate::Signature| signature.verifies(&rule, &artefact.digest);
        let trusted = |signature: &&crate::Signature| self.0.contains(&signature.key);
        match artefact.signatures.iter().filter(trusted).find(verifies) {
            Some(signature) => Ok(Some(signature.key)),
            None => Err(RegistryError::Untrusted(self.complaint(artefact))),
        }
    }

    fn complaint(&self, artefact: &Artefact) -> String {
        let rule = artefact.id();
        let state = |signature: &crate::Signature| {
            let state = match (signature.verifies(&rule, &artefact.digest), self.0.contains(&signature.key)) {
                (true, _) => "is not trusted",
                (false, true) => "is trusted, but its signature is not over this name, version and component",
                (false, false) => "is not trusted, nor is its signature over this name, version and component",
            };
            format!("key {} {state}", signature.key.id())
        };
        let found: Vec<String> = artefact.signatures.iter().map(state).collect();
        let found = if found.is_empty() { "it is not signed".to_owned() } else { found.join("; ") };
        let wanted: Vec<String> = self.0.iter().map(PublicKey::id).collect();
        format!(
            "rule `{rule}` is not vouched for by any trusted key ({}): {found}; sign it (`sluice plugin sign --key FILE \
             {rule} --registry DIR`), or name the key that signed it under `trust:`",
            wanted.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyPair;
    use bytes::Bytes;
    use semver::Version;
    use sluice_batch::digest_hex;

    fn artefact(version: u64) -> Artefact {
        Artefact {
            name: "pii".parse().unwrap(),
            version: Version::new(version, 0, 0),
            digest: digest_hex(b"component"),
            bytes: Bytes::from_static(b"component"),
            record: None,
            signatures: vec![],
            cases: vec![],
        }
    }

    fn refused(trusted: &Trusted, artefact: &Artefact) -> String {
        trusted.check(artefact).unwrap_err().to_string()
    }

    #[test]
    fn one_signature_by_a_trusted_key_is_enough_and_others_do_not_matter() {
        let (mine, theirs) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let trusted = Trusted::parse(&[mine.public().to_string()]).unwrap();
        let mut it = artefact(1);
        it.signatures = vec![theirs.sign(&it.id(), "nonsense"), theirs.sign(&it.id(), &it.digest)];
        let told = refused(&trusted, &it);
        assert!(told.contains(&format!("key {} is not trusted", theirs.public().id())), "{told}");
        it.signatures.push(mine.sign(&it.id(), &it.digest));
        assert_eq!(trusted.check(&it).unwrap(), Some(mine.public()));
    }

    #[test]
    fn what_is_not_signed_or_signed_for_another_version_is_refused_with_the_way_out() {
        let pair = KeyPair::generate().unwrap();
        let trusted = Trusted::parse(&[pair.public().to_string()]).unwrap();
        let mut it = artefact(1);
        let told = refused(&trusted, &it);
        assert!(told.starts_with("rule `pii@1.0.0` is not vouched for by any trusted key"), "{told}");
        assert!(told.contains("it is not signed; sign it (`sluice plugin sign --key FILE pii@1.0.0"), "{told}");
        it.signatures = vec![pair.sign(&artefact(2).id(), &it.digest)];
        assert!(refused(&trusted, &it).contains("is trusted, but its signature is not over this name"));
    }

    #[test]
    fn where_no_key_is_trusted_no_signature_is_asked_for() {
        assert_eq!(Trusted::default().check(&artefact(1)).unwrap(), None);
        assert!(Trusted::parse(&["ed25519:x"]).is_err());
    }
}
