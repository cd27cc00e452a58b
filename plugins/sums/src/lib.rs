//! Standard rule `sums` (aggregate): counts, sums, extremes and means of the rows of a group.
//!
//! ```yaml
//! - name: revenue_per_day
//!   aggregate: sums@^1
//!   with:
//!     outputs:
//!       lines:   count                            # rows
//!       priced:  { count: unit_price }            # rows that have a value
//!       units:   { sum: quantity }
//!       revenue: { sum: quantity * unit_price }   # a product of two columns
//!       lowest:  { min: unit_price }
//!       highest: { max: unit_price }
//!       mean:    { avg: unit_price }
//! ```
//!
//! What comes out, in the order in which it stands:
//!
//! | output | of int64 | of decimal(p,s) | of float64 | of text, timestamp, date |
//! | --- | --- | --- | --- | --- |
//! | `count` | int64 | int64 | int64 | int64 |
//! | `sum` | int64 | decimal(38,s), exact | float64 | - |
//! | `min`, `max` | int64 | decimal(p,s) | float64 | the same type |
//! | `avg` | float64 | decimal(38,s+4), half to even | float64 | - |
//!
//! A product of int64s is int64, of an int64 and a decimal a decimal of that scale, of decimals a decimal whose scale is
//! the sum of theirs, with a float64 a float64; a null factor makes a null product, and a decimal and a float64 are not
//! multiplied. Nulls are passed over; a group without a value has a null sum, extreme and mean. NaN is the largest
//! float64 and -0.0 less than 0.0. What does not fit its type (an int64 sum past 64 bits, a decimal past 38 digits) is a
//! failure of the batch with a message, never a wrong number.
//!
//! The files: [`config`] is what a manifest says, `plan` what that means for outputs and partial columns, `source` the
//! values that are summed, `product` products of columns, `accumulate` the loops, `finish` the outputs.

mod accumulate;
pub mod config;
mod finish;
mod plan;
mod product;
mod source;

use plan::Plan;
use sluice_sdk::{About, Aggregator, Batch, Column, Rule, Setup, about};

/// The rule, opened.
#[derive(Debug)]
pub struct Sums {
    plan: Plan,
}

impl Rule for Sums {
    type Config = config::Config;

    const ABOUT: About =
        about!(Aggregate, "counts, sums, extremes and means of the rows of a group", include_str!("schema.json"));

    fn open(config: config::Config, setup: &mut Setup<'_>) -> Option<Self> {
        Some(Self { plan: Plan::new(&config, setup)? })
    }
}

impl Aggregator for Sums {
    fn fold(&mut self, partials: Batch, batch: &Batch, groups: &[u32]) -> Vec<Column> {
        let columns = partials.into_columns();
        self.plan.partials.iter().zip(columns).map(|(partial, column)| partial.fold(column, batch, groups)).collect()
    }

    fn merge(&mut self, partials: Batch, groups: &[u32], count: usize) -> Vec<Column> {
        let columns = partials.into_columns();
        self.plan.partials.iter().zip(columns).map(|(partial, rows)| partial.merge(&rows, groups, count)).collect()
    }

    fn finish(&mut self, partials: Batch) -> Vec<Column> {
        self.plan.outputs.iter().map(|output| output.finish(&partials)).collect()
    }
}

sluice_sdk::aggregator!(Sums);
