//! What a pipeline needs of an account: roles with the least they must be allowed, and resources.
//!
//! - [`Needs`]: which stream, buckets, tables a pipeline names. Plain data; whoever knows manifests fills it.
//! - [`json`]: roles with trust and policy, and resources, for people and for tools.
//! - [`terraform`]: the same as Terraform (AWS provider 5 or later), as `terraform fmt` writes it.
//!
//! Invariants: what the host may do is derived from the operations that it calls ([`crate::client::actions`]); nothing
//! is allowed on `*` where the service can tell resources apart; both forms are written from one description.

mod document;
mod hcl;
mod iam;
mod json;
mod needs;
mod resources;
mod roles;
mod terraform;
mod text;

pub use json::json;
pub use needs::{FirehoseNeeds, KinesisNeeds, LakeNeeds, Needs, RedshiftNeeds, RedshiftTarget, S3SourceNeeds};
pub use terraform::terraform;
