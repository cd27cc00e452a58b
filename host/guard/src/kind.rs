//! What is looked for, sets of it, and how often it was found.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A payment card's number whose check digit holds.
    Card,
    /// An international bank account number whose check digits hold.
    Iban,
    /// A US social security or taxpayer number.
    Ssn,
    /// A telephone number.
    Phone,
    /// An IPv4 or IPv6 address.
    Ip,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Email, Self::Card, Self::Iban, Self::Ssn, Self::Phone, Self::Ip];

    /// The name in manifests, in counters and between the brackets of a mask.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ssn => "ssn",
            Self::Phone => "phone",
            Self::Ip => "ip",
        }
    }

    /// What stands in the place of a hit, such as `[email]`. No mask looks like personal data of any kind.
    #[must_use]
    pub fn mask(self) -> &'static str {
        match self {
            Self::Email => "[email]",
            Self::Card => "[card]",
            Self::Iban => "[iban]",
            Self::Ssn => "[ssn]",
            Self::Phone => "[phone]",
            Self::Ip => "[ip]",
        }
    }

    /// Which name a text goes by that could be several things: the lower one.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Email => 0,
            Self::Iban => 1,
            Self::Card => 2,
            Self::Ssn => 3,
            Self::Ip => 4,
            Self::Phone => 5,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind `{0}` of personal data; known kinds: email, card, iban, ssn, phone, ip")]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(0, |bits, &kind| bits | 1 << kind as u8))
    }

    #[inline]
    pub(crate) fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

/// How many hits of each kind there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; 6]);

impl Counts {
    /// Hits of one kind.
    #[must_use]
    pub fn get(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// Hits of all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// The kinds that were found, with their hits.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u64)> + '_ {
        Kind::ALL.into_iter().map(|kind| (kind, self.get(kind))).filter(|&(_, hits)| hits != 0)
    }

    /// Counts more hits of a kind.
    pub fn add(&mut self, kind: Kind, hits: u64) {
        self.0[kind as usize] += hits;
    }

    /// Counts what another account counted.
    pub fn merge(&mut self, other: &Self) {
        for (kind, hits) in other.iter() {
            self.add(kind, hits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(kind.mask(), format!("[{kind}]"));
            assert_eq!(serde_json::to_value(kind).expect("a name"), kind.name());
        }
        let refused = "e-mail".parse::<Kind>().expect_err("no such kind").to_string();
        assert!(refused.contains("`e-mail`") && refused.contains("known kinds: email"), "{refused}");
    }

    #[test]
    fn counts_of_two_are_those_of_both() {
        let mut counts = Counts::default();
        assert!(counts.is_empty());
        counts.add(Kind::Ssn, 2);
        counts.merge(&counts.clone());
        assert_eq!((counts.get(Kind::Ssn), counts.total()), (4, 4));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(Kind::Ssn, 4)]);
    }
}
