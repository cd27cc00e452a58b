//! What an environment on AWS binds.

use crate::keys::aws::AWS;
use crate::names::aws::parse_start;
use crate::plan::{
    AwsEnvironment, AwsSource, Expired, FirehoseSpec, KinesisSpec, KplOutOfRange, LeaseSpec, LoadFrom, RedshiftSpec,
    RedshiftTable, S3SourceSpec, S3Spec,
};
use crate::units::whole;
use crate::view::View;
use crate::yaml::Node;

/// Builds one. What is missing or wrong was reported, and gets a stand-in.
pub(super) fn build(node: &Node) -> AwsEnvironment {
    let view = View::new(Some(node), &AWS);
    AwsEnvironment {
        region: owned(view, "region"),
        profile: owned(view, "profile"),
        fips: flag(view, "fips"),
        dual_stack: flag(view, "dual_stack"),
        path_style: flag(view, "path_style"),
        source: build_source(view.child("source")),
        delivery: given(view.child("delivery"), "firehose").map(build_firehose),
        lake: build_lake(view.child("lake").child("s3")),
        lease: build_lease(view.child("lease")),
        warehouse: given(view.child("warehouse"), "redshift").map(build_redshift),
    }
}

fn build_source(source: View<'_>) -> AwsSource {
    match given(source, "s3") {
        Some(s3) => AwsSource::S3(S3SourceSpec {
            bucket: text(s3, "bucket"),
            prefix: text(s3, "prefix"),
            queue: owned(s3, "queue"),
        }),
        None => AwsSource::Kinesis(build_kinesis(source.child("kinesis"))),
    }
}

fn build_kinesis(view: View<'_>) -> KinesisSpec {
    KinesisSpec {
        stream: text(view, "stream"),
        start: parse_start(view.choice("start")).unwrap_or_default(),
        fan_out: owned(view, "fan_out"),
        kpl_out_of_range: match view.choice("kpl_out_of_range") {
            "deliver" => KplOutOfRange::Deliver,
            "drop" => KplOutOfRange::Drop,
            _ => KplOutOfRange::Quarantine,
        },
        expired: if view.choice("expired") == "trim_horizon" { Expired::TrimHorizon } else { Expired::Stop },
        poll: view.time("poll"),
    }
}

fn build_firehose(view: View<'_>) -> FirehoseSpec {
    FirehoseSpec {
        stream: text(view, "stream"),
        bucket: text(view, "bucket"),
        prefix: text(view, "prefix"),
        error_prefix: text(view, "error_prefix"),
        order_by: texts(view, "order_by"),
        mib_per_second: view.node("mib_per_second").map(|_| view.count("mib_per_second") as u32),
        grace: view.time("grace"),
    }
}

fn build_lake(view: View<'_>) -> S3Spec {
    let tags = view.node("tags").map_or(&[][..], Node::entries).iter();
    S3Spec {
        bucket: text(view, "bucket"),
        prefix: text(view, "prefix"),
        kms_key: owned(view, "kms_key"),
        storage_class: view.node("storage_class").and_then(Node::scalar).map(str::to_owned),
        tags: tags.filter_map(|tag| Some((tag.key.clone(), tag.value.text()?.to_owned()))).collect(),
        target_bytes: view.size("target_bytes"),
    }
}

fn build_lease(view: View<'_>) -> LeaseSpec {
    LeaseSpec { ttl: view.time("ttl"), table: owned(view, "table") }
}

fn build_redshift(view: View<'_>) -> RedshiftSpec {
    let tables = view.node("tables").map_or(&[][..], Node::entries).iter();
    RedshiftSpec {
        cluster: owned(view, "cluster"),
        workgroup: owned(view, "workgroup"),
        database: text(view, "database"),
        schema: view.choice("schema").to_owned(),
        user: owned(view, "user"),
        secret: owned(view, "secret"),
        copy_role: text(view, "copy_role"),
        unload_role: owned(view, "unload_role"),
        load: if view.choice("load") == "firehose" { LoadFrom::Firehose } else { LoadFrom::Lake },
        every: view.time("every"),
        grants: texts(view, "grants"),
        create: view.flag("create"),
        varchar: view.count("varchar") as u32,
        tables: tables.map(|entry| build_table(&entry.key, &entry.value)).collect(),
    }
}

fn build_table(name: &str, node: &Node) -> RedshiftTable {
    let owned = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    let sort_key = node.get("sort_key").map_or(&[][..], Node::items);
    let varchar = node.get("varchar").map_or(&[][..], Node::entries);
    let bytes = |node: &Node| node.scalar().and_then(whole).and_then(|bytes| u32::try_from(bytes).ok());
    RedshiftTable {
        name: name.to_owned(),
        table: owned("table"),
        dist_key: owned("dist_key"),
        sort_key: sort_key.iter().filter_map(|column| column.text().map(str::to_owned)).collect(),
        varchar: varchar.iter().filter_map(|entry| Some((entry.key.clone(), bytes(&entry.value)?))).collect(),
    }
}

/// A mapping, where it stands there.
fn given<'a>(view: View<'a>, key: &str) -> Option<View<'a>> {
    view.node(key).map(|_| view.child(key))
}

fn owned(view: View<'_>, key: &str) -> Option<String> {
    view.text(key).map(str::to_owned)
}

fn text(view: View<'_>, key: &str) -> String {
    owned(view, key).unwrap_or_default()
}

fn texts(view: View<'_>, key: &str) -> Vec<String> {
    view.texts(key).into_iter().map(|(text, _)| text.to_owned()).collect()
}

fn flag(view: View<'_>, key: &str) -> Option<bool> {
    view.node(key).map(|_| view.flag(key))
}
