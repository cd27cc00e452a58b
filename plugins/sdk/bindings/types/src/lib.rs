//! The types of the rule contract, shared by the bindings of its three worlds, and the capabilities that rules call.
//!
//! A rule never names this crate; it uses `sluice-sdk`. What is generated here from `wit/rules.wit`:
//! - [`Column`] and what it is made of, exactly as they cross the boundary: flat lists that are taken over, not copied;
//! - [`Rejections`], verdicts as three parallel lists;
//! - [`log`], [`lookup`] and [`token`]. A component imports only those of their functions that it calls, because the linker drops
//!   the others.
//!
//! The bindings of the worlds are crates of their own and map these interfaces to the types here, so that a column is
//! one type everywhere.

#[allow(missing_docs, unreachable_pub, clippy::all)] // generated; its documentation is that of the contract
mod generated {
    wit_bindgen::generate!({
        path: "../../../../wit",
        inline: "
            package sluice:guest;
            world shared {
                import sluice:rules/types@0.1.0;
                import sluice:rules/verdicts@0.1.0;
                import sluice:rules/log@0.1.0;
                import sluice:rules/lookup@0.1.0;
                import sluice:rules/token@0.1.0;
            }
        ",
        world: "shared",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq],
    });
}

mod column;
mod column_type;

pub use column_type::UnknownType;
pub use generated::sluice::rules::types::{Batch, Column, ColumnType, DecimalType, Field, Values, VarBytes};
pub use generated::sluice::rules::verdicts::Rejections;
pub use generated::sluice::rules::{log, lookup, token, types, verdicts};
