//! Showing a part of a whole value.

use crate::action::Parts;
use sluice_sdk::kernels::detect::Kind;
use sluice_sdk::kernels::{Text, TextBuilder, char_len, mask};

/// Which part is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partial {
    /// The first character and everything from the first `@` on: `a***@example.com`; `***` where there is none after the
    /// first character.
    Email,
    /// The last two characters, and everything that is no digit: `+** ** **** **58`.
    Phone,
    /// The last four letters or digits: `**** **** **** 1111`; nothing of a value of four or fewer.
    LastFour,
    /// The first and last four: `DE89 **** **** **** **30 00`.
    BothFour,
    /// The first two numbers of an IPv4 address and the first two groups of an IPv6 address: `10.1.*.*`, `2001:db8:*`.
    Network,
    /// The first character: `J***`.
    First,
}

impl Partial {
    /// What is shown of a kind of value.
    pub(crate) fn of(kind: Option<Kind>) -> Self {
        match kind {
            Some(Kind::Email) => Self::Email,
            Some(Kind::Phone) => Self::Phone,
            Some(Kind::Card | Kind::Ssn) => Self::LastFour,
            Some(Kind::Iban) => Self::BothFour,
            Some(Kind::Ip) => Self::Network,
            None => Self::First,
        }
    }

    /// The column with parts hidden.
    pub(crate) fn apply(self, text: &Text<'_>, validity: &[u8]) -> Parts {
        match self {
            Self::Email => mask::emails(text, validity),
            Self::Phone => mask::digits_but_last(text, 2),
            Self::LastFour => mask::all_but(text, 0, 4),
            Self::BothFour => mask::all_but(text, 4, 4),
            Self::Network | Self::First => {
                let mut out = TextBuilder::like(text);
                for row in text.iter() {
                    self.append(&mut out, row);
                    out.end_row();
                }
                out.finish()
            }
        }
    }

    /// One value, not empty, added to the row under construction.
    pub(crate) fn append(self, out: &mut TextBuilder, value: &[u8]) {
        match self {
            Self::LastFour => mask::append_but(out, value, 0, 4),
            Self::BothFour => mask::append_but(out, value, 4, 4),
            Self::Network => append_network(out, value),
            Self::First => {
                let shown = value.first().map_or(0, |&lead| char_len(lead));
                out.append_range(value, 0, shown.min(value.len()));
                out.append(if value.is_empty() { b"" } else { b"***" });
            }
            Self::Email | Self::Phone => {
                let offsets = [0, value.len() as u32];
                out.append(&self.apply(&Text::new(&offsets, value), &[]).1);
            }
        }
    }
}

/// An address with its last numbers hidden; what is no address is masked.
fn append_network(out: &mut TextBuilder, value: &[u8]) {
    let separator = if value.contains(&b':') { b':' } else { b'.' };
    let mut marks = value.iter().enumerate().filter(|(_, byte)| **byte == separator).map(|(at, _)| at);
    match (marks.nth(1), separator) {
        (Some(second), b'.') if marks.count() == 1 => {
            out.append_range(value, 0, second + 1);
            out.append(b"*.*");
        }
        (Some(second), b':') => {
            out.append_range(value, 0, second + 1);
            out.append(b"*");
        }
        _ => mask::append_but(out, value, 0, 0),
    }
}
