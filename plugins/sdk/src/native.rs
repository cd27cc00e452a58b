//! Running a rule in the host's process, on the same columns and without Wasm: for unit tests and for comparison.
//!
//! ```
//! use sluice_sdk::{Batch, Column, ColumnType, Field, Rejections, Rule, Setup, TextOut, Validator, native};
//!
//! struct NotBlank(sluice_sdk::ColumnId, sluice_sdk::ReasonId);
//!
//! impl Rule for NotBlank {
//!     type Config = String;
//!     const ABOUT: sluice_sdk::About = sluice_sdk::about!(Validate, "A column is not blank");
//!     fn open(column: String, setup: &mut Setup<'_>) -> Option<Self> {
//!         Some(Self(setup.text(&column, "")?, setup.reason("blank", "nothing stands in the column")))
//!     }
//! }
//!
//! impl Validator for NotBlank {
//!     fn check(&mut self, batch: &Batch, rejections: &mut Rejections) {
//!         for (row, text) in batch.texts(self.0).iter().enumerate() {
//!             if text.is_none_or(|text| text.trim().is_empty()) {
//!                 rejections.reject(row, self.1, self.0);
//!             }
//!         }
//!     }
//! }
//!
//! let inputs = [Field { name: "note".into(), ty: ColumnType::Text, nullable: true }];
//! let mut rule = native::open::<NotBlank>("\"note\"", &inputs).unwrap();
//! let batch = native::batch(&[native::texts(&[Some("a"), Some(" "), None])]);
//! assert_eq!(rule.check(&batch), [(1, "blank", Some("note")), (2, "blank", Some("note"))]);
//! ```

use crate::views::to_words;
use crate::{
    Aggregator, Batch, Column, Field, Finding, NumberOut, Rejections, Rule, Setup, Signature, TextOut, Transformer,
    Validator, config,
};

/// A rule that is open, with what it said it would do.
#[derive(Debug)]
pub struct Opened<R> {
    /// The rule, for calling it without any ado.
    pub rule: R,
    /// What it reads, writes and rejects for.
    pub signature: Signature,
}

/// A rejection as tests like to compare it: row, reason code, name of the column at fault.
pub type Rejected<'a> = (usize, &'a str, Option<&'a str>);

/// Opens a rule for a configuration (JSON) over the columns that exist.
///
/// # Errors
/// All findings.
pub fn open<R: Rule>(config: &str, inputs: &[Field]) -> Result<Opened<R>, Vec<Finding>> {
    let config = config::parse::<R::Config>(config).map_err(|finding| vec![finding])?;
    let mut setup = Setup::new(inputs);
    let rule = R::open(config, &mut setup);
    if rule.is_none() && !setup.has_findings() {
        setup.find("", "the rule could not be opened and does not say why");
    }
    let signature = setup.done()?;
    Ok(Opened { rule: rule.expect("without a rule there is a finding"), signature })
}

impl<R> Opened<R> {
    /// Rejections with names in place of numbers, by row.
    #[must_use]
    pub fn named(&self, rejections: &Rejections) -> Vec<Rejected<'_>> {
        let signature = &self.signature;
        let code = |code: usize| signature.reasons[code].code.as_str();
        let column = |column: Option<usize>| column.map(|column| signature.reads[column].as_str());
        rejections.iter().map(|(row, reason, at)| (row, code(reason), column(at))).collect()
    }
}

impl<R: Validator> Opened<R> {
    /// Judges a batch.
    pub fn check(&mut self, batch: &Batch) -> Vec<Rejected<'_>> {
        let mut rejections = Rejections::new();
        self.rule.check(batch, &mut rejections);
        self.named(&rejections)
    }
}

impl<R: Transformer> Opened<R> {
    /// Transforms a batch. The outputs come as a batch, so that their form is checked as the host checks it.
    ///
    /// # Panics
    /// The outputs are not as many, or not of the type or the number of rows, that the signature and the batch ask for.
    pub fn apply(&mut self, batch: Batch) -> (Batch, Vec<Rejected<'_>>) {
        let rows = batch.rows();
        let mut rejections = Rejections::new();
        let columns = self.rule.apply(batch, &mut rejections);
        assert_eq!(columns.len(), self.signature.outputs.len(), "number of output columns");
        for (column, output) in columns.iter().zip(&self.signature.outputs) {
            assert!(column.fits(output.ty), "output `{}` is to be {}", output.name, output.ty);
        }
        (checked(rows, columns), self.named(&rejections))
    }
}

impl<R: Aggregator> Opened<R> {
    /// Partials of `count` groups that are all new.
    #[must_use]
    pub fn no_partials(&self, count: usize) -> Batch {
        checked(count, self.signature.partials.iter().map(|&ty| Column::nulls(ty, count)).collect())
    }

    /// Continues partials.
    ///
    /// # Panics
    /// What the rule returns is malformed.
    pub fn fold(&mut self, partials: Batch, batch: &Batch, groups: &[u32]) -> Batch {
        let count = partials.rows();
        checked(count, self.rule.fold(partials, batch, groups))
    }

    /// Adds up partial rows of the same group.
    ///
    /// # Panics
    /// What the rule returns is malformed.
    pub fn merge(&mut self, partials: Batch, groups: &[u32], count: usize) -> Batch {
        checked(count, self.rule.merge(partials, groups, count))
    }

    /// Turns partials into outputs.
    ///
    /// # Panics
    /// What the rule returns is malformed.
    pub fn finish(&mut self, partials: Batch) -> Batch {
        let rows = partials.rows();
        checked(rows, self.rule.finish(partials))
    }
}

fn checked(rows: usize, columns: Vec<Column>) -> Batch {
    Batch::new(rows, columns).unwrap_or_else(|malformed| panic!("malformed answer: {malformed}"))
}

/// Puts a reference table there, which rules that this thread opens and calls may look into while the answer lives. `key`
/// and `columns` hold name, type and values of each column.
///
/// # Panics
/// A column is of another type or number of rows; a key stands twice or holds a null.
#[cfg(not(target_arch = "wasm32"))]
pub fn grant(name: &str, key: &[TableColumn<'_>], columns: &[TableColumn<'_>]) -> Granted {
    crate::lookup::native::grant(name, key, columns)
}

#[cfg(not(target_arch = "wasm32"))]
pub use crate::lookup::native::{Granted, TableColumn};

/// A batch of columns, in the order of a rule's reads.
///
/// # Panics
/// They are malformed, or not of the same number of rows. Booleans come after a column of another type, because their
/// number of rows shows only in eights.
#[must_use]
pub fn batch(columns: &[Column]) -> Batch {
    checked(columns.first().map_or(0, Column::rows_at_most), columns.to_vec())
}

/// A text column.
#[must_use]
pub fn texts(rows: &[Option<&str>]) -> Column {
    let mut out = TextOut::with_capacity(rows.len(), 0);
    rows.iter().for_each(|&row| out.push_option(row));
    out.finish()
}

/// An int64 column.
#[must_use]
pub fn int64s(rows: &[Option<i64>]) -> Column {
    numbers(rows).finish()
}

/// A float64 column.
#[must_use]
pub fn float64s(rows: &[Option<f64>]) -> Column {
    numbers(rows).finish()
}

/// A timestamp column: microseconds since the epoch, UTC.
#[must_use]
pub fn timestamps(rows: &[Option<i64>]) -> Column {
    numbers(rows).finish_timestamp()
}

/// A date column: days since the epoch.
#[must_use]
pub fn dates(rows: &[Option<i32>]) -> Column {
    numbers(rows).finish_date()
}

/// A decimal column, of the whole numbers value * 10^scale.
#[must_use]
pub fn decimals(rows: &[Option<i128>]) -> Column {
    let validity = validity(rows);
    let words = rows.iter().flat_map(|row| to_words(row.unwrap_or(0))).collect();
    Column::new(crate::Values::Decimal(words)).with_validity(validity)
}

/// A boolean column.
#[must_use]
pub fn booleans(rows: &[Option<bool>]) -> Column {
    let bits = sluice_kernels::bits::pack(rows.len(), |row| rows[row] == Some(true));
    Column::new(crate::Values::Boolean(bits)).with_validity(validity(rows))
}

fn numbers<T: Copy + Default>(rows: &[Option<T>]) -> NumberOut<T> {
    let mut out = NumberOut::with_capacity(rows.len());
    rows.iter().for_each(|&row| out.push_option(row));
    out
}

fn validity<T>(rows: &[Option<T>]) -> Vec<u8> {
    if rows.iter().all(Option::is_some) {
        return Vec::new();
    }
    sluice_kernels::bits::pack(rows.len(), |row| rows[row].is_some())
}
