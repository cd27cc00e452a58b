//! What each operation needs to be allowed.

/// Operations as the SDKs name them, with the IAM actions that they need (Service Authorization Reference,
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/>). Names of several services do not clash.
const ACTIONS: &[(&str, &[&str])] = &[
    ("AbortMultipartUpload", &["s3:AbortMultipartUpload"]),
    ("BatchExecuteStatement", &["redshift-data:BatchExecuteStatement"]),
    ("CancelStatement", &["redshift-data:CancelStatement"]),
    ("CompleteMultipartUpload", &["s3:PutObject"]),
    ("CreateMultipartUpload", &["s3:PutObject"]),
    ("CreateTable", &["dynamodb:CreateTable"]),
    ("DeleteMessageBatch", &["sqs:DeleteMessage"]),
    ("DeleteObjects", &["s3:DeleteObject"]),
    ("DescribeDeliveryStream", &["firehose:DescribeDeliveryStream"]),
    ("DescribeStatement", &["redshift-data:DescribeStatement"]),
    ("DescribeStreamConsumer", &["kinesis:DescribeStreamConsumer"]),
    ("DescribeStreamSummary", &["kinesis:DescribeStreamSummary"]),
    ("DescribeTable", &["dynamodb:DescribeTable"]),
    ("ExecuteStatement", &["redshift-data:ExecuteStatement"]),
    ("GetBucketLocation", &["s3:GetBucketLocation"]),
    ("GetCallerIdentity", &["sts:GetCallerIdentity"]),
    ("GetClusterCredentials", &["redshift:GetClusterCredentials"]),
    ("GetCredentials", &["redshift-serverless:GetCredentials"]),
    ("GetItem", &["dynamodb:GetItem"]),
    // without leave to list, S3 answers 403 where an object is not there
    ("GetObject", &["s3:GetObject", "s3:ListBucket"]),
    ("GetQueueAttributes", &["sqs:GetQueueAttributes"]),
    ("GetRecords", &["kinesis:GetRecords"]),
    ("GetShardIterator", &["kinesis:GetShardIterator"]),
    ("GetStatementResult", &["redshift-data:GetStatementResult"]),
    ("HeadBucket", &["s3:ListBucket"]),
    ("HeadObject", &["s3:GetObject", "s3:ListBucket"]),
    ("ListMultipartUploads", &["s3:ListBucketMultipartUploads"]),
    ("ListObjectsV2", &["s3:ListBucket"]),
    ("ListShards", &["kinesis:ListShards"]),
    ("ListStatements", &["redshift-data:ListStatements"]),
    ("PutItem", &["dynamodb:PutItem"]),
    ("PutObject", &["s3:PutObject"]),
    ("PutObjectTagging", &["s3:PutObjectTagging"]),
    ("PutRecordBatch", &["firehose:PutRecordBatch"]),
    ("PutRecords", &["kinesis:PutRecords"]),
    ("ReceiveMessage", &["sqs:ReceiveMessage"]),
    ("RegisterStreamConsumer", &["kinesis:RegisterStreamConsumer"]),
    ("SubscribeToShard", &["kinesis:SubscribeToShard"]),
    ("UpdateItem", &["dynamodb:UpdateItem"]),
    ("UploadPart", &["s3:PutObject"]),
];

/// The IAM actions that an operation needs; none for one that Sluice does not make.
pub fn actions(operation: &str) -> &'static [&'static str] {
    let found = ACTIONS.binary_search_by_key(&operation, |(name, _)| name);
    found.map_or(&[], |index| ACTIONS[index].1)
}

/// All operations that Sluice makes.
pub fn operations() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_found_and_names_its_actions_in_full() {
        assert!(ACTIONS.is_sorted_by_key(|(name, _)| name), "the table is searched by halves");
        for operation in operations() {
            let needed = actions(operation);
            assert!(!needed.is_empty(), "{operation}");
            assert!(needed.iter().all(|action| action.split_once(':').is_some()), "{operation}: {needed:?}");
        }
        assert_eq!(actions("GetRecords"), ["kinesis:GetRecords"]);
        assert_eq!(actions("FlyToTheMoon"), [""; 0]);
    }
}
