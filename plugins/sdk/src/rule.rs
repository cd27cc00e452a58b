//! What a rule implements.

use crate::{About, Batch, Column, Rejections, Setup};
use serde::de::DeserializeOwned;

/// What every rule is: something that one configuration opens.
pub trait Rule: Sized {
    /// The configuration, read from the manifest's `with:`. Give it `#[serde(deny_unknown_fields)]`, so that a
    /// misspelt key is found.
    type Config: DeserializeOwned;

    /// Name, version, kind and summary: [`about!`](crate::about).
    const ABOUT: About;

    /// Opens the rule for one configuration. Tell `setup` which columns are read and written, for which reasons rows are
    /// rejected, and everything that is wrong. `None` is for when there is something wrong; a rule returned beside
    /// findings is dropped.
    fn open(config: Self::Config, setup: &mut Setup<'_>) -> Option<Self>;
}

/// A rule that looks and judges, and changes nothing.
pub trait Validator: Rule {
    /// Judges every row of a batch by itself.
    fn check(&mut self, batch: &Batch, rejections: &mut Rejections);
}

/// A rule that returns whole columns: redactor or coercer.
pub trait Transformer: Rule {
    /// Transforms every row of a batch by itself. Returns the signature's outputs, in its order, each with as many rows
    /// as the batch. What stands in rejected rows does not matter but must be well-formed. The batch is the rule's own: a
    /// column may be taken out of it and changed in place.
    fn apply(&mut self, batch: Batch, rejections: &mut Rejections) -> Vec<Column>;
}

/// A rule that sums rows up by group. Its state is data: partial columns, one row a group, which the host keeps. Partials
/// come as a [`Batch`] whose columns stand in the order of [`Setup::partial`].
pub trait Aggregator: Rule {
    /// Continues `partials` with the rows of `batch`. The row of a group that is new is null in every column. `groups`:
    /// for each row of the batch its group, less than `partials.rows()`. Returns the partials, as many rows.
    fn fold(&mut self, partials: Batch, batch: &Batch, groups: &[u32]) -> Vec<Column>;

    /// Adds up partial rows of the same group, in the order in which they stand. `groups`: for each row of `partials` its
    /// group, less than `count`. Returns `count` rows.
    fn merge(&mut self, partials: Batch, groups: &[u32], count: usize) -> Vec<Column>;

    /// Turns partials into the signature's outputs, one row for each row of `partials`.
    fn finish(&mut self, partials: Batch) -> Vec<Column>;
}
