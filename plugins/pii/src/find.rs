//! Hiding what is found in free text.

use crate::whole::Partial;
use sluice_sdk::kernels::detect::{Finder, Kind};
use sluice_sdk::kernels::{Span, Text, TextBuilder, mask};
use sluice_sdk::{Column, Values, VarBytes};

/// What is looked for, and how it is hidden.
#[derive(Debug)]
pub(crate) struct Find {
    pub(crate) finder: Finder,
    pub(crate) how: Hidden,
}

/// How a find is hidden.
#[derive(Debug)]
pub(crate) enum Hidden {
    /// By its kind in brackets: `[EMAIL]`.
    Kind,
    /// By this text.
    With(String),
    /// By a `*` for each letter and digit.
    Mask,
    /// By the part that is shown of its kind.
    Partial,
}

/// The kinds in brackets, in the order of [`Kind::ALL`].
pub(crate) const BRACKETED: [(Kind, &str); 6] = [
    (Kind::Email, "[EMAIL]"),
    (Kind::Iban, "[IBAN]"),
    (Kind::Card, "[CARD]"),
    (Kind::Ip, "[IP]"),
    (Kind::Ssn, "[SSN]"),
    (Kind::Phone, "[PHONE]"),
];

/// The name of a kind in brackets.
pub(crate) fn bracketed(kind: Kind) -> &'static str {
    BRACKETED.iter().find(|(known, _)| *known == kind).map_or("[REDACTED]", |(_, name)| name)
}

impl Find {
    /// The column with everything found hidden. Rows in which nothing is found are copied in runs; a column in which
    /// nothing is found is given back as it is.
    pub(crate) fn apply(&mut self, column: Column) -> Column {
        let Column { validity, values } = column;
        let Values::Text(text) = values else {
            // Opening the rule has seen to it that the column is text.
            return Column { validity, values };
        };
        let values = match self.hidden(&Text::new(&text.offsets, &text.bytes)) {
            Some((offsets, bytes)) => VarBytes { offsets, bytes },
            None => text,
        };
        Column { validity, values: Values::Text(values) }
    }

    /// The column with everything found hidden; none if nothing is found.
    fn hidden(&mut self, text: &Text<'_>) -> Option<(Vec<u32>, Vec<u8>)> {
        let mut candidates = Vec::new();
        self.finder.for_each_candidate(text, |row| candidates.push(row));
        let mut out = None;
        let (mut found, mut copied) = (Vec::new(), 0);
        for row in candidates {
            self.finder.find(text.row(row), &mut found);
            if !found.is_empty() {
                let out = out.get_or_insert_with(|| TextBuilder::like(text));
                out.extend_rows_unchanged(text, copied, row);
                self.how.append(out, text.row(row), &found);
                out.end_row();
                copied = row + 1;
            }
        }
        let mut out = out?;
        out.extend_rows_unchanged(text, copied, text.rows());
        Some(out.finish())
    }
}

impl Hidden {
    /// Adds a row with its finds hidden to the row under construction.
    fn append(&self, out: &mut TextBuilder, row: &[u8], found: &[(Span, Kind)]) {
        let mut at = 0;
        for &(span, kind) in found {
            out.append_range(row, at, span.start);
            match self {
                Self::Kind => out.append(bracketed(kind).as_bytes()),
                Self::With(text) => out.append(text.as_bytes()),
                Self::Mask => mask::append_but(out, span.of(row), 0, 0),
                Self::Partial => Partial::of(Some(kind)).append(out, span.of(row)),
            }
            at = span.end;
        }
        out.append_range(row, at, row.len());
    }
}
