//! Standard rule `types` (coerce): text columns become numbers, decimals, booleans, timestamps and dates.
//!
//! ```yaml
//! - coerce: types@^1
//!   with:
//!     columns:
//!       quantity: { to: int64, min: 1, max: 1000, reason: bad_quantity }
//!       amount:   { to: "decimal(18,2)", thousands: ",", reason: bad_amount }
//!       ts:       { to: timestamp, formats: ["%Y-%m-%d %H:%M:%S", iso], timezone_required: false }
//!       seen:     { to: timestamp, epoch: seconds }
//!       active:   { to: boolean, true: [yes, "1"], false: [no, "0"] }
//!       note:     { nulls: ["NA", ""] }
//! ```
//!
//! Columns are tried in the order in which they stand; a row's first failure is the one counted. Null stays null. What
//! cannot be converted rejects the row: a column never holds anything else than its source said. [`config::Column`] tells
//! every setting.
//!
//! The files: [`config`] is what a manifest says, `plan` what that means for each column, `convert` the loops, `moment`
//! the forms of timestamps and dates, `float` the reading of floats.

pub mod config;
mod convert;
mod float;
mod moment;
mod plan;

use plan::Plan;
use sluice_sdk::{About, Batch, Column, Rejections, Rule, Setup, Transformer, about};

/// The rule, opened.
#[derive(Debug)]
pub struct Types {
    columns: Vec<Plan>,
}

impl Rule for Types {
    type Config = config::Config;

    const ABOUT: About = about!(
        Coerce,
        "text columns become numbers, decimals, booleans, timestamps and dates",
        include_str!("schema.json")
    );

    fn open(config: config::Config, setup: &mut Setup<'_>) -> Option<Self> {
        if config.columns.0.is_empty() {
            setup.find("/columns", "no column is named; name at least one with the type that it is to have");
        }
        let plans: Vec<_> = config.columns.0.iter().map(|(name, column)| Plan::new(name, column, setup)).collect();
        Some(Self { columns: plans.into_iter().collect::<Option<_>>()? })
    }
}

impl Transformer for Types {
    fn apply(&mut self, mut batch: Batch, rejections: &mut Rejections) -> Vec<Column> {
        self.columns.iter().map(|plan| plan.apply(&mut batch, rejections)).collect()
    }
}

sluice_sdk::transformer!(Types);
