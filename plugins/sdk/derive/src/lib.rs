//! The derive macros of the Sluice SDK: `Record`, `Output` and `Reasons`.
//!
//! A rule that works record by record names its columns by the fields of a struct. The macros write what lies between
//! that struct and whole columns: which columns are read or written and of what type, the views or builders of a batch,
//! and one record out of them or into them. What they write is plain calls into `sluice_sdk`, which says what each means.

mod attributes;
mod output;
mod reasons;
mod record;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// A record of the columns that a rule reads.
///
/// The struct has named fields and at most one lifetime. A field's type is one of `&'a str`, `&'a [u8]`, `i64`, `f64`,
/// `bool`, `Decimal`, `Timestamp`, `Date`, or an `Option` of it. The column has the field's name, or that of
/// `#[column("customer.address.zip")]`.
///
/// A null in a field that is no `Option` rejects the row before the rule sees it, for the reason
/// `#[missing("zip_missing")]`; by default the column's name, with `_` for what a code may not hold, and `_missing`.
#[proc_macro_derive(Record, attributes(column, missing))]
pub fn record(input: TokenStream) -> TokenStream {
    finish(record::expand(&parse_macro_input!(input as DeriveInput)))
}

/// A record of the columns that a rule writes.
///
/// The struct has named fields and at most one lifetime. A field's type is one of `&'a str`, `String`, `i64`, `f64`,
/// `bool`, `Timestamp`, `Date`, `Decimal` with `#[decimal(18, 2)]`, or an `Option` of it. The column has the field's name,
/// or that of `#[column("...")]`; it replaces the column of that name, or is new where there is none.
#[proc_macro_derive(Output, attributes(column, decimal))]
pub fn output(input: TokenStream) -> TokenStream {
    finish(output::expand(&parse_macro_input!(input as DeriveInput)))
}

/// The reasons for which a rule rejects rows: an enum without data.
///
/// A reason's code is the variant's name in snake case (`BadStatus` is `bad_status`), its text for people the variant's
/// doc comment. `#[column("status")]` names the column at fault, where it is one.
#[proc_macro_derive(Reasons, attributes(column))]
pub fn reasons(input: TokenStream) -> TokenStream {
    finish(reasons::expand(&parse_macro_input!(input as DeriveInput)))
}

fn finish(expanded: Result<proc_macro2::TokenStream, Error>) -> TokenStream {
    expanded.unwrap_or_else(Error::into_compile_error).into()
}
