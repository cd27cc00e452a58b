//! The detectors: each finds one kind in a text that is spelled plainly, without regard to the others.

mod card;
mod email;
mod groups;
mod iban;
mod ip;
mod phone;
mod ssn;

pub(crate) use card::issued_number;

use crate::kind::{Kind, Kinds};
use crate::survey::Needs;
use std::ops::Range;

/// Finds what a text is worth being looked through for.
pub(crate) fn plain(kinds: Kinds, needs: Needs, text: &[u8], mut found: impl FnMut(Kind, Range<usize>)) {
    if needs.email {
        email::find(text, |range| found(Kind::Email, range));
    }
    if needs.iban {
        iban::find(text, |range| found(Kind::Iban, range));
    }
    if needs.ipv6 {
        ip::find_v6(text, |range| found(Kind::Ip, range));
    }
    if needs.digits {
        numbers(kinds, text, found);
    }
}

/// Cards, social security and telephone numbers and IPv4 addresses: all are groups of digits.
fn numbers(kinds: Kinds, text: &[u8], mut found: impl FnMut(Kind, Range<usize>)) {
    let (mut card, mut ssn, mut ip, mut phone) = (0, 0, 0, 0);
    groups::each(text, |groups| {
        let start = groups.first().start;
        if kinds.has(Kind::Card)
            && start >= card
            && let Some(range) = card::at(text, groups)
        {
            card = range.end;
            found(Kind::Card, range);
        }
        if kinds.has(Kind::Ssn)
            && start >= ssn
            && let Some(range) = ssn::at(text, groups)
        {
            ssn = range.end;
            found(Kind::Ssn, range);
        }
        if kinds.has(Kind::Ip)
            && start >= ip
            && let Some(range) = ip::v4_at(text, groups)
        {
            ip = range.end;
            found(Kind::Ip, range);
        }
        if kinds.has(Kind::Phone)
            && start >= phone
            && let Some(range) = phone::at(text, groups)
        {
            phone = range.end;
            found(Kind::Phone, range);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that one detector finds.
    pub(super) fn found(kind: Kind, text: &str) -> Vec<&str> {
        let needs = Needs { email: true, digits: true, iban: true, ipv6: true, fold: false };
        let mut all = Vec::new();
        plain(Kinds::new(&[kind]), needs, text.as_bytes(), |of, range| {
            if of == kind {
                all.push(&text[range]);
            }
        });
        all
    }
}
