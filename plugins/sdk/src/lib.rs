//! What a rule author needs: columns in, verdicts and columns out.
//!
//! The shortest way: a struct of the columns that are read (`#[derive(Record)]`), an enum of reasons
//! (`#[derive(Reasons)]`), a configuration for serde, and one method for each record.
//!
//! ```
//! use sluice_sdk::{About, Reasons, Record, RowValidator, Setup, about};
//! use std::collections::HashSet;
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     statuses: HashSet<String>,
//! }
//!
//! #[derive(Record)]
//! struct Order<'a> {
//!     status: Option<&'a str>,
//!     quantity: i64, // a null is rejected as `quantity_missing`
//! }
//!
//! #[derive(Reasons)]
//! enum Reason {
//!     /// the status is not one of those that the manifest names
//!     #[column("status")]
//!     BadStatus,
//!     /// nothing was ordered
//!     #[column("quantity")]
//!     NothingOrdered,
//! }
//!
//! struct OrderStatus(Config);
//!
//! impl RowValidator for OrderStatus {
//!     type Config = Config;
//!     type Record = Order<'static>;
//!     type Reason = Reason;
//!     const ABOUT: About = about!(Validate, "orders have a known status and a quantity");
//!
//!     fn open(config: Config, setup: &mut Setup<'_>) -> Option<Self> {
//!         if config.statuses.is_empty() {
//!             setup.find("/statuses", "no status is allowed; name at least one");
//!         }
//!         Some(Self(config))
//!     }
//!
//!     fn check(&self, order: &Order<'_>) -> Result<(), Reason> {
//!         if !order.status.is_some_and(|status| self.0.statuses.contains(status)) {
//!             return Err(Reason::BadStatus);
//!         }
//!         if order.quantity > 0 { Ok(()) } else { Err(Reason::NothingOrdered) }
//!     }
//! }
//!
//! sluice_sdk::row_validator!(OrderStatus); // a component on Wasm, nothing elsewhere
//!
//! // Natively it is tested like any code:
//! use sluice_sdk::{ColumnType, Field, native, record::ByRow};
//! let field = |name: &str, ty| Field { name: name.into(), ty, nullable: true };
//! let inputs = [field("status", ColumnType::Text), field("quantity", ColumnType::Int64)];
//! let mut rule = native::open::<ByRow<OrderStatus>>(r#"{"statuses": ["paid"]}"#, &inputs).unwrap();
//! let status = native::texts(&[Some("paid"), Some("lost"), Some("paid")]);
//! let batch = native::batch(&[status, native::int64s(&[Some(1), Some(1), None])]);
//! let rejected = [(1, "bad_status", Some("status")), (2, "quantity_missing", Some("quantity"))];
//! assert_eq!(rule.check(&batch), rejected);
//! ```
//!
//! Where every nanosecond counts a rule works on whole columns instead. It is then a type that implements [`Rule`] (what
//! it is, and how one configuration opens it) and one of
//! - [`Validator`]: judges rows, by [`Rejections`];
//! - [`Transformer`]: judges rows and gives back whole [`Column`]s;
//! - [`Aggregator`]: sums rows up by group, its state being columns too.
//!
//! [`validator!`], [`transformer!`] and [`aggregator!`] make a component of it when the crate is built for
//! `wasm32-unknown-unknown`, and are nothing elsewhere: the same rule runs and is tested natively, through [`native`].
//!
//! The nouns on the way: [`Setup`] is what a rule sees and says while it is opened; [`Batch`] is rows in columns, looked
//! at through [`Texts`], [`Numbers`], [`Decimals`] and [`Booleans`]; [`TextOut`] and its siblings build columns. The tuned
//! loops are in [`kernels`], the capabilities in [`lookup`], [`token`] and [`log`].
//!
//! Invariants: what is said of a row depends on that row and the configuration only; a batch's text is valid UTF-8;
//! columns are named by [`ColumnId`] and reasons by [`ReasonId`], which only [`Setup`] hands out.

/// The code of the guide for rule authors compiles and passes.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeIsTested;

// The derive macros name this crate; its own tests are within it.
extern crate self as sluice_sdk;

mod about;
mod batch;
mod config;
mod export;
mod finding;
mod out;
mod rejections;
mod rule;
mod scalars;
mod setup;
mod views;

pub mod log;
pub mod lookup;
pub mod native;
pub mod output;
pub mod record;
pub mod token;

pub use about::{About, Kind};
pub use batch::{Batch, MalformedBatch};
pub use config::{Literal, Ordered};
pub use finding::{Finding, nearest};
pub use out::{BooleanOut, DecimalOut, NumberOut, TextOut};
pub use output::RowTransformer;
pub use record::RowValidator;
pub use rejections::Rejections;
pub use rule::{Aggregator, Rule, Transformer, Validator};
pub use scalars::{Date, Decimal, Timestamp};
pub use setup::{ColumnId, Effect, OutputColumn, Read, Reason, ReasonId, Setup, Signature};
pub use sluice_guest_types::{Column, ColumnType, DecimalType, Field, UnknownType, Values, VarBytes};
pub use sluice_kernels as kernels;
pub use sluice_sdk_derive::{Output, Reasons, Record};
pub use views::{Booleans, Decimals, Numbers, Texts};

#[doc(hidden)]
pub mod guest {
    //! What the export macros need of the bindings and of the glue.
    pub use crate::export::Slot;
    pub use sluice_guest_aggregator as aggregator;
    pub use sluice_guest_transformer as transformer;
    pub use sluice_guest_types as types;
    pub use sluice_guest_validator as validator;
}
