//! Runs strangers' rules in wasmtime: load, admit, limit, call.
//!
//! The nouns:
//! - [`Sandbox`]: one engine for the process, with its cache of compiled code and its ticking epoch.
//! - [`Component`]: a rule's bytes, compiled, with what it says about itself ([`Description`]).
//! - [`StepConfig`]: what the manifest says of one step: configuration, grants, limits. [`Component::open`] holds the
//!   rule's signature against it and gives a [`RulePlan`](sluice_ports::RulePlan) that all workers share.
//! - [`Compiler`]: who makes code of a file; a process of its own, within [`LoadLimits`], for files of strangers.
//! - [`LookupTable`]: a reference table, which steps that are granted it may look into.
//! - [`Inspection`]: everything that can be said about a file without a manifest.
//!
//! What this crate keeps:
//! - A rule imports nothing but what the manifest granted, of the interfaces in `wit/`; there is no WASI.
//! - It is shown the columns that it reads and no others, and may return only those that `writes` grants.
//! - Each instance has its own store, memory cap and deadline. After any failure the instance is thrown away.
//! - Everything that a rule returns is checked before it becomes Arrow (`lift`). What passes is well-formed: a caller
//!   may build on it without looking again.
//! - Of a file that is not compiled yet, this process reads the outermost level; the rest is read where it is compiled.
//! - Compiled code is loaded from disk only after its digest was verified, from a folder that only this user can write.
//!
//! Reading order: `wire` (the types of the contract), `lower` and `lift` (Arrow to them and back), `instance` (one
//! store), `plan` and `step` (the ports). `host/docs/decisions/0003-sandbox.md` and `0010-compile-in-a-process.md` say
//! why it is so.

mod binary;
mod bits;
mod cache;
mod capacity;
mod compile;
mod component;
mod cpu_time;
mod describe;
mod encode;
mod engine;
mod failure;
mod guard;
mod import;
mod inspect;
mod instance;
mod lift;
mod limits;
mod log;
mod lookup;
mod lower;
mod open;
mod plan;
mod signature;
mod state;
mod step;
mod text;
mod ticker;
mod token;
mod wire;

pub use binary::FileKind;
pub use capacity::{Overcommitted, check_memory, host_memory_bytes};
pub use compile::{Compiler, compile_rule};
pub use component::{Component, LoadError};
pub use describe::{Description, World};
pub use engine::{Sandbox, SandboxConfig, SandboxError};
#[doc(hidden)]
pub use guard::Guard;
pub use inspect::Inspection;
pub use limits::{Limits, LoadLimits};
pub use lookup::{LookupColumn, LookupError, LookupTable};
pub use open::{Capability, Finding, OpenError, StepConfig};
pub use token::{KeyTooShort, TokenKey};
