//! What is done with a column, over all its rows.

use crate::find::Find;
use crate::whole::Partial;
use sluice_sdk::kernels::{Text, TextBuilder, bits, mask};
use sluice_sdk::{Column, ColumnType, Values};

/// What is done with a column.
#[derive(Debug)]
pub(crate) enum Action {
    /// Every letter and digit becomes `*`.
    Mask,
    /// A part is shown that tells the value apart for people but not to whom it belongs.
    Partial(Partial),
    /// Every value becomes this text.
    Replace(String),
    /// Every value becomes null.
    Drop(ColumnType),
    /// What is found in the text is hidden.
    Find(Box<Find>),
}

impl Action {
    /// The column with its values hidden.
    pub(crate) fn apply(&mut self, column: Column, rows: usize) -> Column {
        match self {
            Self::Drop(ty) => Column::nulls(*ty, rows),
            Self::Mask => on_text(column, |text, _| mask::alphanumerics(text)),
            Self::Partial(partial) => on_text(column, |text, validity| partial.apply(text, validity)),
            Self::Replace(with) => on_text(column, |text, validity| replaced(text.rows(), validity, with)),
            Self::Find(find) => find.apply(column),
        }
    }
}

/// Offsets and bytes of a text column.
pub(crate) type Parts = (Vec<u32>, Vec<u8>);

/// A text column made of another; its nulls stay.
fn on_text(column: Column, made: impl FnOnce(&Text<'_>, &[u8]) -> Parts) -> Column {
    let Column { validity, values } = column;
    let Values::Text(text) = values else {
        // Opening the rule has seen to it that the column is text.
        return Column { validity, values };
    };
    let (offsets, bytes) = made(&Text::new(&text.offsets, &text.bytes), &validity);
    Column::text(offsets, bytes).with_validity(validity)
}

/// The same text in every row that is not null.
fn replaced(rows: usize, validity: &[u8], with: &str) -> Parts {
    let mut out = TextBuilder::with_capacity(rows, rows * with.len());
    for row in 0..rows {
        if bits::is_valid(validity, row) {
            out.append(with.as_bytes());
        }
        out.end_row();
    }
    out.finish()
}
