//! The plan as Terraform.

use super::document::Value;
use super::hcl::{Block, Expression, raw};
use super::iam::Role;
use super::needs::{Needs, RedshiftTarget};
use super::resources::{
    ABORT_DAYS, BUFFER_MIB, BUFFER_SECONDS, Delivery, LEASE_KEY, RETENTION_HOURS, Resource, resources,
};
use super::roles::roles;
use super::text::{Part, Text};

/// Roles and resources as one Terraform file for `hashicorp/aws` 5 or later. Region and credentials are those of the
/// provider. What exists already is left out by the variables `create_stream` and `create_buckets`, or imported.
pub fn terraform(needs: &Needs) -> String {
    let (roles, resources) = (roles(needs), resources(needs));
    let mut blocks = vec![requirements()];
    blocks.extend(variables(&resources));
    blocks.extend(data(needs));
    blocks.push(locals(needs));
    blocks.extend(resources.iter().flat_map(resource));
    blocks.extend(roles.iter().flat_map(role));
    blocks.extend(roles.iter().map(output));
    let head =
        format!("# What the pipeline `{}` needs of an AWS account. Written by `sluice aws plan`.\n\n", needs.dataset);
    head + &blocks.iter().map(Block::write).collect::<Vec<_>>().join("\n")
}

fn requirements() -> Block {
    let provider = Value::map([("source", Value::text("hashicorp/aws")), ("version", Value::text(">= 5.0"))]);
    let providers = Block::new("required_providers", []).set("aws", provider);
    Block::new("terraform", []).set("required_version", ">= 1.3").with(providers)
}

fn variables(resources: &[Resource]) -> Vec<Block> {
    let flag = |name: &'static str, text: &str| {
        Block::new("variable", [name]).set("description", text).set("type", raw("bool")).set("default", true)
    };
    let services = Value::texts(["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"]);
    let mut all = vec![
        Block::new("variable", ["host_services"])
            .set("description", "Services that run the host: those that may take its role.")
            .set("type", raw("list(string)"))
            .set("default", services),
        flag(
            "create_buckets",
            "Whether buckets are made, and their lifecycle rules with them: a bucket has one list of rules.",
        ),
    ];
    if resources.iter().any(|resource| matches!(resource, Resource::Stream { .. })) {
        all.push(flag("create_stream", "Whether the data stream is made."));
    }
    all
}

fn data(needs: &Needs) -> Vec<Block> {
    let mut all = vec![Block::new("data", ["aws_partition", "current"])];
    if needs.account.is_none() {
        all.push(Block::new("data", ["aws_caller_identity", "current"]));
    }
    if needs.region.is_none() {
        all.push(Block::new("data", ["aws_region", "current"]));
    }
    if let Some(RedshiftTarget::Workgroup(name)) = needs.redshift.as_ref().map(|redshift| &redshift.target) {
        let block = Block::new("data", ["aws_redshiftserverless_workgroup", "warehouse"]);
        all.push(block.set("workgroup_name", name.as_str()));
    }
    all
}

fn locals(needs: &Needs) -> Block {
    let known = |text: &Option<String>, unknown: &str| match text {
        Some(text) => Expression::from(text.as_str()),
        None => raw(unknown),
    };
    Block::new("locals", [])
        .set("partition", raw("data.aws_partition.current.partition"))
        .set("region", known(&needs.region, "data.aws_region.current.id"))
        .set("account", known(&needs.account, "data.aws_caller_identity.current.account_id"))
}

fn resource(resource: &Resource) -> Vec<Block> {
    match resource {
        Resource::Stream { name } => vec![stream(name)],
        Resource::Consumer { name, stream } => vec![consumer(name, stream)],
        Resource::Bucket { id, name, prefixes } => bucket(id, name, prefixes),
        Resource::Delivery(delivery) => delivery_stream(delivery),
        Resource::LeaseTable { name } => vec![lease_table(name)],
    }
}

fn stream(name: &str) -> Block {
    Block::new("resource", ["aws_kinesis_stream", "source"])
        .set("count", raw("var.create_stream ? 1 : 0"))
        .set("name", name)
        .set("retention_period", RETENTION_HOURS)
        .set("encryption_type", "KMS")
        .set("kms_key_id", "alias/aws/kinesis")
        .with(Block::new("stream_mode_details", []).set("stream_mode", "ON_DEMAND"))
}

fn consumer(name: &str, stream: &Text) -> Block {
    let block = Block::new("resource", ["aws_kinesis_stream_consumer", "source"]);
    let block = block.set("name", name).set("stream_arn", stream.clone());
    // An ARN of one part was given, and the stream is somebody else's.
    if stream.0.len() == 1 { block } else { block.set("depends_on", raw("[aws_kinesis_stream.source]")) }
}

fn bucket(id: &'static str, name: &str, prefixes: &[String]) -> Vec<Block> {
    let made = |kind: &str| Block::new("resource", [kind, id]).set("count", raw("var.create_buckets ? 1 : 0"));
    let of = || raw(format!("aws_s3_bucket.{id}[0].id"));
    let access = ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"];
    let access = access
        .iter()
        .fold(made("aws_s3_bucket_public_access_block").set("bucket", of()), |block, name| block.set(name, true));
    let rules = made("aws_s3_bucket_lifecycle_configuration").set("bucket", of());
    let rules = prefixes.iter().fold(rules, |block, prefix| block.with(rule(prefix)));
    vec![made("aws_s3_bucket").set("bucket", name), access, rules]
}

/// Parts of an upload that was never ended cost money and are seen by no listing.
fn rule(prefix: &str) -> Block {
    let days = Block::new("abort_incomplete_multipart_upload", []).set("days_after_initiation", ABORT_DAYS);
    Block::new("rule", [])
        .set("id", format!("abort-incomplete-uploads-{}", prefix.trim_end_matches('/').replace('/', "-")).as_str())
        .set("status", "Enabled")
        .with(Block::new("filter", []).set("prefix", prefix))
        .with(days)
}

fn delivery_stream(delivery: &Delivery) -> Vec<Block> {
    let group = Block::new("resource", ["aws_cloudwatch_log_group", "delivery"])
        .set("name", delivery.log_group.as_str())
        .set("retention_in_days", 14);
    let stream = Block::new("resource", ["aws_cloudwatch_log_stream", "delivery"])
        .set("name", "S3Delivery")
        .set("log_group_name", raw("aws_cloudwatch_log_group.delivery.name"));
    let logging = Block::new("cloudwatch_logging_options", [])
        .set("enabled", true)
        .set("log_group_name", raw("aws_cloudwatch_log_group.delivery.name"))
        .set("log_stream_name", raw("aws_cloudwatch_log_stream.delivery.name"));
    let mut to_s3 = Block::new("extended_s3_configuration", [])
        .set("role_arn", raw("aws_iam_role.firehose.arn"))
        .set("bucket_arn", Text::s3(&delivery.bucket))
        .set("prefix", delivery.prefix.as_str())
        .set("error_output_prefix", delivery.error_prefix.as_str())
        .set("compression_format", "GZIP")
        .set("buffering_size", BUFFER_MIB)
        .set("buffering_interval", BUFFER_SECONDS);
    if let Some(key) = &delivery.key {
        to_s3 = to_s3.set("kms_key_arn", key.clone());
    }
    let resource = Block::new("resource", ["aws_kinesis_firehose_delivery_stream", "delivery"])
        .set("name", delivery.name.as_str())
        .set("destination", "extended_s3")
        .set("depends_on", raw("[aws_iam_role_policy.firehose]"))
        .with(Block::new("server_side_encryption", []).set("enabled", true))
        .with(to_s3.with(logging));
    vec![group, stream, resource]
}

fn lease_table(name: &str) -> Block {
    Block::new("resource", ["aws_dynamodb_table", "lease"])
        .set("name", name)
        .set("billing_mode", "PAY_PER_REQUEST")
        .set("hash_key", LEASE_KEY)
        .with(Block::new("attribute", []).set("name", LEASE_KEY).set("type", "S"))
}

fn role(role: &Role) -> Vec<Block> {
    // The host runs wherever one likes.
    let trust = match role.id {
        "host" => role.trust(Value::Text(Text::of(Part::Setting("var.host_services")))),
        _ => role.trust(Value::texts(role.services.iter().copied())),
    };
    let mut of_role = Block::new("resource", ["aws_iam_role", role.id]).set("name", role.name.as_str());
    if role.path != "/" {
        of_role = of_role.set("path", role.path.as_str());
    }
    let of_role =
        of_role.set("description", purpose(role.purpose).as_str()).set("assume_role_policy", Expression::Json(trust));
    let policy = Block::new("resource", ["aws_iam_role_policy", role.id])
        .set("name", "sluice")
        .set("role", raw(format!("aws_iam_role.{}.id", role.id)))
        .set("policy", Expression::Json(role.policy()));
    vec![of_role, policy]
}

fn output(role: &Role) -> Block {
    Block::new("output", [format!("{}_role_arn", role.id).as_str()])
        .set("description", format!("Role of {}.", role.purpose).as_str())
        .set("value", raw(format!("aws_iam_role.{}.arn", role.id)))
}

fn purpose(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect::<String>() + ".")
}
