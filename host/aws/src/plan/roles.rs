//! The roles: the host's, that of COPY (and UNLOAD), and Firehose's.

use super::iam::{Role, Statement, kms, s3};
use super::needs::{FirehoseNeeds, KinesisNeeds, Needs, RedshiftNeeds, RedshiftTarget, S3SourceNeeds};
use super::text::{Part, Text};
use crate::redshift::STATE_PREFIX;

/// Longest name of a role (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const MAX_ROLE_NAME: usize = 64;

const LAKE: [&str; 12] = [
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CreateMultipartUpload",
    "DeleteObjects",
    "GetBucketLocation",
    "GetObject",
    "HeadBucket",
    "HeadObject",
    "ListMultipartUploads",
    "ListObjectsV2",
    "PutObject",
    "UploadPart",
];
const READ: [&str; 4] = ["GetBucketLocation", "GetObject", "HeadObject", "ListObjectsV2"];
const POLL: [&str; 4] = ["DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"];
const FAN_OUT: [&str; 3] = ["DescribeStreamSummary", "ListShards", "RegisterStreamConsumer"];
const CONSUMER: [&str; 2] = ["DescribeStreamConsumer", "SubscribeToShard"];
const QUEUE: [&str; 3] = ["DeleteMessageBatch", "GetQueueAttributes", "ReceiveMessage"];
const DELIVERY: [&str; 2] = ["DescribeDeliveryStream", "PutRecordBatch"];
const LEASE: [&str; 4] = ["DescribeTable", "GetItem", "PutItem", "UpdateItem"];
const SUBMIT: [&str; 2] = ["BatchExecuteStatement", "ExecuteStatement"];
const FOLLOW: [&str; 4] = ["CancelStatement", "DescribeStatement", "GetStatementResult", "ListStatements"];

/// What Firehose does with its bucket
/// (<https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3>).
const FIREHOSE_TO_S3: [&str; 6] =
    ["AbortMultipartUpload", "GetBucketLocation", "GetObject", "ListMultipartUploads", "ListObjectsV2", "PutObject"];

/// What COPY is given: data, and the lists of what to load.
const COPIED: [&str; 4] = [STATE_PREFIX, "gold/", "quarantine/", "silver/"];

/// What encrypting and decrypting of objects takes.
const KMS_WRITE: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// All roles of a pipeline, the host's first.
pub(super) fn roles(needs: &Needs) -> Vec<Role> {
    let mut roles = vec![host(needs)];
    if let Some(redshift) = &needs.redshift {
        roles.extend(warehouse(needs, redshift));
    }
    roles.extend(needs.firehose.as_ref().map(|firehose| delivery(needs, firehose)));
    roles
}

fn host(needs: &Needs) -> Role {
    let mut statements = Vec::new();
    statements.extend(needs.kinesis.iter().flat_map(read_stream));
    statements.extend(needs.s3_source.iter().flat_map(read_bucket));
    statements.extend(lake(needs));
    statements.extend(needs.firehose.iter().flat_map(deliver));
    statements.extend(
        needs.lease_table.iter().map(|table| {
            Statement::of_operations("Lease", &LEASE, vec![Text::arn("dynamodb", format!("table/{table}"))])
        }),
    );
    statements.extend(needs.redshift.iter().flat_map(load));
    Role {
        id: "host",
        name: name(&needs.dataset, "host"),
        path: "/".to_owned(),
        purpose: "the process that runs the pipeline",
        services: &["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"],
        own_account_only: false,
        statements,
    }
}

fn read_stream(kinesis: &KinesisNeeds) -> Vec<Statement> {
    let stream = stream_arn(kinesis);
    let Some(consumer) = &kinesis.fan_out else {
        return vec![Statement::of_operations("Stream", &POLL, vec![stream])];
    };
    // The last part of a consumer's ARN is the time of its registration.
    let below = format!("/consumer/{consumer}:*");
    let consumer = match kinesis.is_own() {
        true => Text::arn("kinesis", format!("stream/{}{below}", kinesis.stream)),
        false => Text::plain(format!("{}{below}", kinesis.stream)),
    };
    vec![
        Statement::of_operations("Stream", &FAN_OUT, vec![stream.clone()]),
        Statement::of_operations("Consumer", &CONSUMER, vec![stream, consumer]),
    ]
}

/// ARN of the stream.
pub(super) fn stream_arn(kinesis: &KinesisNeeds) -> Text {
    match kinesis.is_own() {
        true => Text::arn("kinesis", format!("stream/{}", kinesis.stream)),
        false => Text::plain(&kinesis.stream),
    }
}

fn read_bucket(source: &S3SourceNeeds) -> Vec<Statement> {
    let below = [source.prefix.clone()];
    let mut statements = s3(("SourceObjects", "SourceBucket"), &READ, &source.bucket, &below);
    // An object is known by its version, where its bucket keeps them.
    let objects = vec![Text::s3(format!("{}/{}*", source.bucket, source.prefix))];
    statements.push(Statement::of_actions("SourceVersions", &["s3:GetObjectVersion"], objects));
    statements.extend(source.queue.iter().map(|url| Statement::of_operations("Queue", &QUEUE, vec![queue_arn(url)])));
    statements
}

/// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`. The region of the URL is that of the queue.
fn queue_arn(url: &str) -> Text {
    let mut parts = url.rsplit('/');
    let (name, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let host = parts.next().unwrap_or_default();
    match host.strip_prefix("sqs.").and_then(|rest| rest.split_once(".amazonaws.com")) {
        Some((region, _)) => {
            let mut arn = Text::plain("arn:");
            arn.0.push(Part::Partition);
            arn.0.push(Part::Plain(format!(":sqs:{region}:{account}:{name}")));
            arn
        }
        None => Text::arn("sqs", name),
    }
}

fn lake(needs: &Needs) -> Vec<Statement> {
    let lake = &needs.lake;
    let mut operations = LAKE.to_vec();
    if lake.tagged {
        operations.push("PutObjectTagging");
    }
    let below = [lake.prefix.clone()];
    let mut statements = s3(("LakeObjects", "LakeBucket"), &operations, &lake.bucket, &below);
    statements.extend(lake.kms_key.iter().map(|key| kms(key, &KMS_WRITE)));
    statements
}

/// Puts, what of them arrived, and rows too large for a record, which are put beside it.
fn deliver(firehose: &FirehoseNeeds) -> Vec<Statement> {
    let stream = Text::arn("firehose", format!("deliverystream/{}", firehose.stream));
    let below = [firehose.prefix.clone(), firehose.error_prefix.clone()];
    let direct = [Text::s3(format!("{}/{}direct/*", firehose.bucket, firehose.prefix))];
    let mut statements = vec![Statement::of_operations("Delivery", &DELIVERY, vec![stream])];
    statements.extend(s3(("DeliveredObjects", "DeliveredBucket"), &READ, &firehose.bucket, &below));
    statements.push(Statement::of_operations("DirectObjects", &["PutObject"], direct.to_vec()));
    statements
}

fn load(redshift: &RedshiftNeeds) -> Vec<Statement> {
    let mut statements = vec![
        Statement::of_operations("Statements", &SUBMIT, vec![target(redshift)]),
        // Statements have no ARN; a caller sees its own only.
        Statement::of_operations("OwnStatements", &FOLLOW, vec![Text::plain("*")]).when(
            "StringEquals",
            "redshift-data:statement-owner-iam-userid",
            vec![Text::of(Part::Caller("aws:userid"))],
        ),
    ];
    statements.extend(login(redshift));
    statements
}

fn target(redshift: &RedshiftNeeds) -> Text {
    match &redshift.target {
        RedshiftTarget::Cluster(cluster) => Text::arn("redshift", format!("cluster:{cluster}")),
        RedshiftTarget::Workgroup(_) => Text::of(Part::Workgroup),
    }
}

/// How the Data API gets at the database's own credentials.
fn login(redshift: &RedshiftNeeds) -> Vec<Statement> {
    let RedshiftNeeds { target: of, database, user, secret, .. } = redshift;
    match (secret, of) {
        (Some(secret), _) => {
            vec![Statement::of_actions("Login", &["secretsmanager:GetSecretValue"], vec![Text::plain(secret)])]
        }
        (None, RedshiftTarget::Workgroup(_)) => {
            vec![Statement::of_operations("Login", &["GetCredentials"], vec![target(redshift)])]
        }
        (None, RedshiftTarget::Cluster(cluster)) => {
            let database = Text::arn("redshift", format!("dbname:{cluster}/{database}"));
            let Some(user) = user else {
                return vec![Statement::of_actions(
                    "Login",
                    &["redshift:GetClusterCredentialsWithIAM"],
                    vec![database],
                )];
            };
            let user = Text::arn("redshift", format!("dbuser:{cluster}/{user}"));
            vec![Statement::of_operations("Login", &["GetClusterCredentials"], vec![user, database])]
        }
    }
}

fn warehouse(needs: &Needs, redshift: &RedshiftNeeds) -> Vec<Role> {
    let mut copy = Role {
        id: "copy",
        purpose: match redshift.copy_role.as_str() {
            "default" => "COPY of Redshift; associate it with the cluster or namespace, as the default role",
            _ => "COPY of Redshift; associate it with the cluster or namespace",
        },
        statements: copy(needs, redshift),
        ..of_redshift(needs, &redshift.copy_role, "copy")
    };
    let Some(unload) = &redshift.unload_role else { return vec![copy] };
    if *unload == redshift.copy_role {
        copy.statements.extend(self::unload(needs, true));
        return vec![copy];
    }
    let unload = Role {
        id: "unload",
        purpose: "UNLOAD of Redshift; associate it with the cluster or namespace",
        statements: self::unload(needs, false),
        ..of_redshift(needs, unload, "unload")
    };
    vec![copy, unload]
}

/// A role that Redshift takes, as the manifest names it.
fn of_redshift(needs: &Needs, role: &str, kind: &'static str) -> Role {
    let named = role.split_once(":role").map(|(_, path)| path.rsplit_once('/').unwrap_or(("", path)));
    let (path, name) = match named {
        Some((path, name)) => (format!("{path}/"), name.to_owned()),
        None => ("/".to_owned(), name(&needs.dataset, kind)),
    };
    Role {
        id: kind,
        name,
        path,
        purpose: "",
        services: &["redshift-serverless.amazonaws.com", "redshift.amazonaws.com"],
        own_account_only: false,
        statements: Vec::new(),
    }
}

fn copy(needs: &Needs, redshift: &RedshiftNeeds) -> Vec<Statement> {
    let lake = &needs.lake;
    let below: Vec<String> = COPIED.iter().map(|folder| format!("{}{folder}", lake.prefix)).collect();
    let mut statements = s3(("LakeObjects", "LakeBucket"), &READ, &lake.bucket, &below);
    if let Some(firehose) = needs.firehose.as_ref().filter(|_| redshift.load_from_firehose) {
        let below = [firehose.prefix.clone()];
        statements.extend(s3(("DeliveredObjects", "DeliveredBucket"), &READ, &firehose.bucket, &below));
    }
    statements.extend(lake.kms_key.iter().map(|key| kms(key, &["kms:Decrypt"])));
    statements
}

/// `beside_copy`: the role may read and use the key already.
fn unload(needs: &Needs, beside_copy: bool) -> Vec<Statement> {
    let lake = &needs.lake;
    let below = [format!("{}unload/", lake.prefix)];
    let operations = [&READ[..], &["PutObject"]].concat();
    let mut statements = s3(("UnloadedObjects", "UnloadedBucket"), &operations, &lake.bucket, &below);
    statements.extend(lake.kms_key.iter().map(|key| {
        if beside_copy { kms(key, &["kms:GenerateDataKey"]).named("UnloadKey") } else { kms(key, &KMS_WRITE) }
    }));
    statements
}

fn delivery(needs: &Needs, firehose: &FirehoseNeeds) -> Role {
    let below = [firehose.prefix.clone(), firehose.error_prefix.clone()];
    let mut statements = s3(("DeliveredObjects", "DeliveredBucket"), &FIREHOSE_TO_S3, &firehose.bucket, &below);
    let key = needs.lake.kms_key.as_ref().filter(|_| firehose.bucket == needs.lake.bucket);
    statements.extend(key.map(|key| kms(key, &KMS_WRITE)));
    let group = format!("log-group:{}:log-stream:*", log_group(firehose));
    statements.push(Statement::of_actions("Log", &["logs:PutLogEvents"], vec![Text::arn("logs", group)]));
    Role {
        id: "firehose",
        name: name(&needs.dataset, "firehose"),
        path: "/".to_owned(),
        purpose: "Firehose, which writes into the bucket",
        services: &["firehose.amazonaws.com"],
        own_account_only: true,
        statements,
    }
}

/// Where Firehose writes why it could not deliver.
pub(super) fn log_group(firehose: &FirehoseNeeds) -> String {
    format!("/aws/kinesisfirehose/{}", firehose.stream)
}

/// `sluice-DATASET-KIND`; of a long dataset the beginning, with a digest of the whole.
fn name(dataset: &str, kind: &str) -> String {
    let name = format!("sluice-{dataset}-{kind}");
    if name.len() <= MAX_ROLE_NAME {
        return name;
    }
    let digest = &sluice_batch::digest_hex(dataset.as_bytes())[..8];
    let room = MAX_ROLE_NAME - "sluice---".len() - kind.len() - digest.len();
    format!("sluice-{}-{digest}-{kind}", &dataset[..room])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::operations;
    use std::collections::BTreeSet;

    #[test]
    fn whatever_the_host_calls_a_role_allows() {
        // Put by `sluice put`, made by the plan, and asked of nobody: the three that no host needs.
        let others = ["CreateTable", "GetCallerIdentity", "PutRecords"];
        let lists: [&[&str]; 11] =
            [&LAKE, &READ, &POLL, &FAN_OUT, &CONSUMER, &QUEUE, &DELIVERY, &LEASE, &SUBMIT, &FOLLOW, &others];
        let logins = ["GetClusterCredentials", "GetCredentials", "PutObjectTagging"];
        let planned: BTreeSet<&str> = lists.into_iter().flatten().copied().chain(logins).collect();
        let called: BTreeSet<&str> = operations().collect();
        assert_eq!(planned, called);
    }

    #[test]
    fn names_of_roles_end_at_64_bytes_and_stay_apart() {
        assert_eq!(name("orders", "host"), "sluice-orders-host");
        let long = |end: &str| name(&format!("{}{end}", "a".repeat(60)), "firehose");
        assert!(long("a").len() <= MAX_ROLE_NAME && long("a") != long("b"), "{}", long("a"));
    }

    #[test]
    fn a_queue_is_in_the_region_of_its_url() {
        let url = "https://sqs.us-east-1.amazonaws.com/123456789012/landing";
        let Some(Part::Plain(end)) = queue_arn(url).0.pop() else { panic!() };
        assert_eq!(end, ":sqs:us-east-1:123456789012:landing");
    }
}
