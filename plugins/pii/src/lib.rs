//! The standard redactor: hides personal data, in whole fields and in free text.
//!
//! Its configuration says for each column what is done with it ([`config`]): the whole value is hidden in one of four
//! ways, or what is found in free text is. Opening the rule makes an [`Action`] of each; every action works on its whole
//! column at once, and rows in which nothing is found are copied in runs.
//!
//! Keyed pseudonyms are another rule's, `pseudonyms`: so this one needs no capability.
//!
//! Invariants: only the columns named are read, and each is given back; a null stays null; no row is rejected, for a
//! value that does not look as expected is hidden by its way all the same.

mod action;
mod compile;
mod config;
mod find;
mod whole;

use action::Action;
use config::Config;
use sluice_sdk::{About, Batch, Column, ColumnId, Rejections, Rule, Setup, Transformer, about, transformer};

/// The rule, opened.
#[derive(Debug)]
pub struct Pii {
    columns: Vec<(ColumnId, Action)>,
}

impl Rule for Pii {
    type Config = Config;

    const ABOUT: About =
        about!(Redact, "Hides personal data, in whole fields and in free text", include_str!("../schema.json"));

    fn open(config: Config, setup: &mut Setup<'_>) -> Option<Self> {
        if config.columns.0.is_empty() {
            setup.find("/columns", "nothing is hidden; name a column, such as `\"email\": {\"how\": \"mask\"}`");
        }
        let opened: Vec<_> =
            config.columns.0.iter().map(|(name, column)| compile::column(name, column, setup)).collect();
        Some(Self { columns: opened.into_iter().collect::<Option<_>>()? })
    }
}

impl Transformer for Pii {
    fn apply(&mut self, mut batch: Batch, _rejections: &mut Rejections) -> Vec<Column> {
        let rows = batch.rows();
        self.columns.iter_mut().map(|(id, action)| action.apply(batch.take(*id), rows)).collect()
    }
}

transformer!(Pii);
