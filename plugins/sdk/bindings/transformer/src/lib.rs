//! Bindings of the world `transformer` of the rule contract.
//!
//! A rule never names this crate; it uses `sluice_sdk::transformer!`, which calls [`export`]. Each world has a crate of its own,
//! so that what a component says of itself is the one world that it exports. Columns and verdicts are the types of
//! `sluice-guest-types`.

#[allow(missing_docs, unreachable_pub, clippy::all)] // generated; its documentation is that of the contract
mod generated {
    wit_bindgen::generate!({
        path: "../../../../wit",
        world: "sluice:rules/transformer@0.1.0",
        with: {
            "sluice:rules/types@0.1.0": sluice_guest_types::types,
            "sluice:rules/verdicts@0.1.0": sluice_guest_types::verdicts,
            "sluice:rules/log@0.1.0": sluice_guest_types::log,
            "sluice:rules/lookup@0.1.0": sluice_guest_types::lookup,
            "sluice:rules/token@0.1.0": sluice_guest_types::token,
        },
        pub_export_macro: true,
        default_bindings_module: "::sluice_guest_transformer",
        export_macro_name: "export",
    });
}

pub use generated::{export, exports};
