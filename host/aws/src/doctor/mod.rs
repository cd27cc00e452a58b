//! Whether what a pipeline needs of an account is there, and may be used, before a run finds out.
//!
//! - [`run`]: looks at source, delivery, lake, lease; takes what others found (the warehouse) into the same list.
//! - [`Check`]: one thing that was looked at, what was found, and the way out. [`text`], [`json`]: all of them, written.
//!
//! Nothing is changed but one object below `_sluice/probe/` of the lake, which is put, read and deleted again.

mod check;
mod firehose;
mod kinesis;
mod lease;
mod s3;

pub use check::{Check, Status, json, text, worst};

use crate::client::{Aws, Retry};
use crate::plan::Needs;
use sluice_ports::{Kind, PortError};

/// Attempts at a call: who waits for a doctor does not wait for minutes.
const ATTEMPTS: u32 = 3;

/// What else there is to look at.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Longest record that the pipeline takes, in bytes.
    pub max_record_bytes: Option<u64>,
    /// What was found elsewhere; it stands last.
    pub others: Vec<Check>,
}

/// Looks at everything. What cannot be looked at is a failed check; the others go on.
pub async fn run(aws: &Aws, needs: &Needs, options: Options) -> Vec<Check> {
    let doctor = Doctor { aws, needs, retry: aws.retry().clone().with_attempts(ATTEMPTS) };
    let mut checks = doctor.stream(options.max_record_bytes).await;
    checks.extend(doctor.landing().await);
    checks.extend(doctor.delivery().await);
    checks.extend(doctor.lake().await);
    checks.extend(doctor.lease().await);
    checks.extend(options.others);
    checks
}

struct Doctor<'a> {
    aws: &'a Aws,
    needs: &'a Needs,
    retry: Retry,
}

/// A call that failed, as a check. What the error says of the way out stands in it.
fn failed(name: String, error: &PortError) -> Check {
    let way_out = match error.kind {
        Kind::Denied => Some("let the host's role do it: `sluice aws plan` prints what it needs"),
        Kind::NotFound => Some("make it (`sluice aws plan` prints it as Terraform), or name another in the manifest"),
        Kind::Retry => Some("look whether the service can be reached from here, and try again"),
        _ => None,
    };
    Check::new(Status::Fail, name, &error.message, way_out)
}
