//! What `sluice aws plan` and `sluice aws doctor` are about, from what a manifest binds.

use sluice_aws::plan::{FirehoseNeeds, KinesisNeeds, LakeNeeds, Needs, RedshiftNeeds, RedshiftTarget, S3SourceNeeds};
use sluice_manifest::{AwsEnvironment, AwsSource, LoadFrom, RedshiftSpec};

/// What an environment names of an account.
pub(crate) fn needs(dataset: &str, environment: &AwsEnvironment) -> Needs {
    let (kinesis, s3_source) = match &environment.source {
        AwsSource::Kinesis(spec) => {
            (Some(KinesisNeeds { stream: spec.stream.clone(), fan_out: spec.fan_out.clone() }), None)
        }
        AwsSource::S3(spec) => {
            let (bucket, prefix) = (spec.bucket.clone(), spec.prefix.clone());
            (None, Some(S3SourceNeeds { bucket, prefix, queue: spec.queue.clone() }))
        }
    };
    let firehose = environment.delivery.as_ref().map(|spec| FirehoseNeeds {
        stream: spec.stream.clone(),
        bucket: spec.bucket.clone(),
        prefix: spec.prefix.clone(),
        error_prefix: spec.error_prefix.clone(),
    });
    Needs {
        dataset: dataset.to_owned(),
        region: environment.region.clone(),
        account: None,
        kinesis,
        s3_source,
        firehose,
        lake: LakeNeeds {
            bucket: environment.lake.bucket.clone(),
            prefix: environment.lake.prefix.clone(),
            kms_key: environment.lake.kms_key.clone(),
            tagged: !environment.lake.tags.is_empty(),
        },
        lease_table: environment.lease.table.clone(),
        redshift: environment.warehouse.as_ref().and_then(redshift),
    }
}

fn redshift(spec: &RedshiftSpec) -> Option<RedshiftNeeds> {
    let cluster = spec.cluster.clone().map(RedshiftTarget::Cluster);
    Some(RedshiftNeeds {
        target: cluster.or_else(|| spec.workgroup.clone().map(RedshiftTarget::Workgroup))?,
        database: spec.database.clone(),
        user: spec.user.clone(),
        secret: spec.secret.clone(),
        copy_role: spec.copy_role.clone(),
        unload_role: spec.unload_role.clone(),
        load_from_firehose: spec.load == LoadFrom::Firehose,
    })
}
