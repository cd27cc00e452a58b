//! The delivery stream.

use super::{Check, Doctor, failed};
use crate::firehose::{Compression, FirehoseConfig, StreamFacts};
use crate::plan::FirehoseNeeds;

impl Doctor<'_> {
    /// The delivery stream, against what the environment says of it, and whether what it wrote can be read.
    pub(super) async fn delivery(&self) -> Vec<Check> {
        let Some(needs) = &self.needs.firehose else { return Vec::new() };
        let name = format!("delivery stream `{}`", needs.stream);
        let config = FirehoseConfig {
            error_prefix: needs.error_prefix.clone(),
            ..FirehoseConfig::new(&needs.stream, &needs.bucket, &needs.prefix)
        };
        let mut checks = match StreamFacts::ask(self.aws, &config).await {
            Ok(facts) => of_facts(&name, needs, &facts),
            Err(error) => vec![failed(name, &error)],
        };
        checks.push(self.reach("delivered objects", &needs.bucket, &needs.prefix).await);
        checks.push(self.undelivered(needs).await);
        checks
    }

    async fn undelivered(&self, needs: &FirehoseNeeds) -> Check {
        let name = format!("`s3://{}/{}`", needs.bucket, needs.error_prefix);
        match self.first_below(&needs.bucket, &needs.error_prefix, &name).await {
            Ok(None) => Check::ok(name, "nothing failed to be delivered"),
            Ok(Some(key)) => Check::warn(
                name,
                format!("something could not be delivered: `{key}`"),
                "look at the errors in it; `sluice replay` sends rows again",
            ),
            Err(error) => failed(name, &error),
        }
    }
}

fn of_facts(name: &str, needs: &FirehoseNeeds, facts: &StreamFacts) -> Vec<Check> {
    let compression = match facts.compression {
        Compression::Gzip => "gzip",
        Compression::None => "not compressed",
    };
    let seconds = facts.buffer_interval.as_secs();
    let to = format!("`s3://{}/{}`", needs.bucket, facts.prefix);
    let mut checks =
        vec![Check::ok(name, format!("ACTIVE, DirectPut, to {to}, {compression}, buffered up to {seconds} s"))];
    if facts.converted {
        checks.push(Check::warn(
            format!("{name}, format"),
            "objects are converted to another format: they hold no lines of JSON to load or to follow",
            "take the format conversion off the delivery stream",
        ));
    } else if let Some(reason) = facts.one_row {
        checks.push(Check::warn(
            format!("{name}, packing"),
            format!("{reason}: each row travels in a record of its own, and each is billed as 5 KB at least"),
            "take it off the delivery stream where it is not needed",
        ));
    }
    checks
}
