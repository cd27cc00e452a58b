//! The detectors: each finds one kind in a text that is spelled plainly, without regard to the others.

mod card;
mod email;
mod groups;
mod iban;
mod ip;
mod phone;
mod ssn;

pub(crate) use card::issued_number;

use crate::block::Text;
use crate::kind::{Kind, Kinds};
use crate::survey::Needs;
use std::ops::Range;

/// Finds what a text is worth being looked through for.
pub(crate) fn plain(kinds: Kinds, needs: Needs, text: Text<'_>, mut found: impl FnMut(Kind, Range<usize>)) {
    if needs.email {
        email::find(text.bytes(), |range| found(Kind::Email, range));
    }
    if needs.iban {
        iban::find(text, |range| found(Kind::Iban, range));
    }
    if needs.ipv6 {
        ip::find_v6(text.bytes(), |range| found(Kind::Ip, range));
    }
    if needs.digits {
        numbers(kinds, text, found);
    }
}

/// Cards, social security and telephone numbers and IPv4 addresses: all are groups of digits.
#[inline(never)]
fn numbers(kinds: Kinds, text: Text<'_>, mut found: impl FnMut(Kind, Range<usize>)) {
    let (mut card, mut ssn, mut ip, mut phone) = (0, 0, 0, 0);
    let bytes = text.bytes();
    groups::each(text, &mut |groups| {
        let (start, digits) = (groups.first().start, groups.digits());
        if digits >= 12
            && kinds.has(Kind::Card)
            && start >= card
            && let Some(range) = card::at(bytes, groups)
        {
            card = range.end;
            found(Kind::Card, range);
        }
        if digits >= 9
            && kinds.has(Kind::Ssn)
            && start >= ssn
            && let Some(range) = ssn::at(bytes, groups)
        {
            ssn = range.end;
            found(Kind::Ssn, range);
        }
        if groups.chain().len() >= 4
            && kinds.has(Kind::Ip)
            && start >= ip
            && let Some(range) = ip::v4_at(bytes, groups)
        {
            ip = range.end;
            found(Kind::Ip, range);
        }
        if digits >= 7
            && kinds.has(Kind::Phone)
            && start >= phone
            && let Some(range) = phone::at(bytes, groups)
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
        plain(Kinds::new(&[kind]), needs, Text::whole(text.as_bytes()), |of, range| {
            if of == kind {
                all.push(&text[range]);
            }
        });
        all
    }
}
