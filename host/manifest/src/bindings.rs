//! Environments on AWS against the plan and against themselves: what they name exists, and nothing that Sluice writes
//! comes back to it as input.

use crate::checked::Checked;
use crate::columns::Columns;
use crate::finding::{Findings, Pos};
use crate::names::aws::arn;
use crate::plan::{AwsEnvironment, AwsSource, FirehoseSpec, LoadFrom, Plan, RedshiftSpec, RedshiftTable};
use crate::privacy::in_the_clear;
use crate::spans::Place;
use crate::suggest::way_out;
use sluice_batch::ColumnType;
use std::collections::BTreeMap;

/// Columns that every row of silver and quarantine carries last.
const ROW_COLUMNS: [&str; 3] = ["_sluice_id", "_sluice_arrived_at", "_sluice_commit"];

/// Columns of quarantine before those.
const QUARANTINE_COLUMNS: [&str; 13] = [
    "reason",
    "rule",
    "version",
    "field",
    "reasons",
    "source",
    "shard",
    "position",
    "raw_policy",
    "raw",
    "raw_bytes",
    "raw_length",
    "raw_sha256",
];

/// Reports what does not hold together in any environment.
pub(crate) fn check(checked: &Checked, out: &mut Findings) {
    for environment in &checked.environments {
        if let Some(aws) = &environment.aws {
            Binding { checked, name: &environment.name, aws }.check(out);
        }
    }
}

/// One environment of a manifest.
struct Binding<'c> {
    checked: &'c Checked,
    name: &'c str,
    aws: &'c AwsEnvironment,
}

impl Binding<'_> {
    fn check(&self, out: &mut Findings) {
        self.check_regions(out);
        self.check_prefixes(out);
        if let Some(firehose) = &self.aws.delivery {
            self.check_order(firehose, out);
        }
        if let Some(redshift) = &self.aws.warehouse {
            self.check_login(redshift, out);
            self.check_load(redshift, out);
            self.check_tables(redshift, out);
        }
    }

    /// Where a value of this environment stands.
    fn at(&self, pointer: &str) -> Pos {
        self.checked.spans.locate(&Place::Pointer(&format!("/environments/{}{pointer}", self.name)))
    }

    /// A stream of another region would not be found.
    fn check_regions(&self, out: &mut Findings) {
        let (AwsSource::Kinesis(kinesis), Some(region)) = (&self.aws.source, &self.aws.region) else { return };
        let of = arn(&kinesis.stream).map(|arn| arn.region);
        if let Some(of) = of.filter(|of| of != region) {
            let message = format!("the stream is in `{of}` and the environment in `{region}`; make them one");
            out.push(self.at("/source/kinesis/stream"), message);
        }
    }

    fn check_prefixes(&self, out: &mut Findings) {
        let areas = self.areas();
        for (n, one) in areas.iter().enumerate() {
            for other in &areas[..n] {
                if one.overlaps(other) {
                    let message = format!("{} {} {}", one.shown(), one.stands_to(other), other.shown());
                    let way_out = "give each a prefix of its own";
                    out.push(self.at(one.pointer), format!("{message}; {}; {way_out}", one.harm(other)));
                }
            }
        }
    }

    /// The parts of buckets that this environment reads and writes.
    fn areas(&self) -> Vec<Area<'_>> {
        let lake = &self.aws.lake;
        let mut areas = vec![Area::new(&lake.bucket, &lake.prefix, "the lake", "/lake/s3/prefix")];
        if let Some(firehose) = &self.aws.delivery {
            let (bucket, failed) = (&firehose.bucket, "what could not be delivered");
            areas.push(Area::new(bucket, &firehose.prefix, "the delivery", "/delivery/firehose/prefix"));
            areas.push(Area::new(bucket, &firehose.error_prefix, failed, "/delivery/firehose/error_prefix"));
        }
        if let AwsSource::S3(source) = &self.aws.source {
            let area = Area::new(&source.bucket, &source.prefix, "the source", "/source/s3/prefix");
            areas.push(Area { is_source: true, ..area });
        }
        areas
    }

    fn check_order(&self, firehose: &FirehoseSpec, out: &mut Findings) {
        let columns = Columns::of_silver(self.plan());
        for (n, column) in firehose.order_by.iter().enumerate() {
            let pos = self.at(&format!("/delivery/firehose/order_by/{n}"));
            if !columns.exists(column, || pos, out) {
                continue;
            }
            if let Some(pii) = in_the_clear(self.plan(), column) {
                let message =
                    format!("column `{column}` holds personal data (`{pii}`) and would make keys of delivery");
                out.push(pos, format!("{message}; choose another, or let a `redact` step write it first"));
            }
        }
    }

    fn check_login(&self, redshift: &RedshiftSpec, out: &mut Findings) {
        if redshift.user.is_none() {
            return;
        }
        let pos = self.at("/warehouse/redshift/user");
        if redshift.workgroup.is_some() {
            out.push(pos, "a workgroup takes its user from the IAM identity; leave `user` out, or name a `secret`");
        } else if redshift.secret.is_some() {
            out.push(pos, "the `secret` names the user already; leave one of them out");
        }
    }

    fn check_load(&self, redshift: &RedshiftSpec, out: &mut Findings) {
        if redshift.load == LoadFrom::Firehose && self.aws.delivery.is_none() {
            let message = "silver is to be loaded from what Firehose delivers, and the environment has no `delivery`";
            out.push(self.at("/warehouse/redshift/load"), format!("{message}; add one, or write `load: lake`"));
        }
        let elsewhere = self.aws.delivery.as_ref().filter(|delivery| delivery.bucket != self.aws.lake.bucket);
        if let (LoadFrom::Firehose, Some(delivery)) = (redshift.load, elsewhere) {
            let (there, here) = (&delivery.bucket, &self.aws.lake.bucket);
            let message = format!("Firehose delivers into bucket `{there}` and the lake is in `{here}`");
            let way_out = "one COPY reads from one bucket: deliver into the lake's, or write `load: lake`";
            out.push(self.at("/delivery/firehose/bucket"), format!("{message}; {way_out}"));
        }
    }

    fn check_tables(&self, redshift: &RedshiftSpec, out: &mut Findings) {
        let mut taken: BTreeMap<String, &str> = BTreeMap::new();
        for table in &redshift.tables {
            let pos = self.at(&format!("/warehouse/redshift/tables/{}", table.name));
            let golds = self.plan().gold.iter().map(|gold| gold.name.as_str());
            let outputs: Vec<&str> = ["silver", "quarantine"].into_iter().chain(golds).collect();
            if !outputs.contains(&table.name.as_str()) {
                let way_out = way_out(&table.name, outputs, "outputs");
                out.push(pos, format!("there is no output `{}`{way_out}", table.name));
                continue;
            }
            let name = table.table.clone().unwrap_or_else(|| table.name.clone());
            if let Some(first) = taken.insert(name.clone(), &table.name) {
                let pos = self.at(&format!("/warehouse/redshift/tables/{}/table", table.name));
                out.push(pos, format!("table `{name}` is that of `{first}` already; give each output its own"));
            }
            self.check_table(table, out);
        }
    }

    fn check_table(&self, table: &RedshiftTable, out: &mut Findings) {
        let at = |rest: &str| self.at(&format!("/warehouse/redshift/tables/{}/{rest}", table.name));
        if let Some(column) = &table.dist_key {
            self.check_key(table, column, at("dist_key"), out);
        }
        for (n, column) in table.sort_key.iter().enumerate() {
            self.check_key(table, column, at(&format!("sort_key/{n}")), out);
        }
        for (column, _) in &table.varchar {
            let pos = at(&format!("varchar/{column}"));
            if self.exists(table, column, pos, out) && !self.may_be_text(table, column) {
                let message = format!("column `{column}` is no text and has no VARCHAR length; leave it out");
                out.push(pos, message);
            }
        }
    }

    fn check_key(&self, table: &RedshiftTable, column: &str, pos: Pos, out: &mut Findings) {
        if !self.exists(table, column, pos, out) || table.name != "silver" {
            return;
        }
        // SUPER and VARBYTE sort and distribute nothing.
        let ty = Columns::of_silver(self.plan()).type_of(column);
        if let Some(ty) = ty.filter(|ty| ty.json || ty.ty == ColumnType::Binary) {
            let message = format!("column `{column}` is {} here and can be no key of a table", ty.shown());
            out.push(pos, format!("{message}; choose another"));
        }
    }

    /// Whether the table has the column, as far as the manifest knows: the outputs of an aggregate are its rule's.
    fn exists(&self, table: &RedshiftTable, column: &str, pos: Pos, out: &mut Findings) -> bool {
        match table.name.as_str() {
            "silver" => ROW_COLUMNS.contains(&column) || Columns::of_silver(self.plan()).exists(column, || pos, out),
            "quarantine" => {
                let known: Vec<&str> = QUARANTINE_COLUMNS.into_iter().chain(ROW_COLUMNS).collect();
                if !known.contains(&column) {
                    let way_out = way_out(column, known.iter().copied(), "columns");
                    out.push(pos, format!("quarantine has no column `{column}`{way_out}"));
                }
                known.contains(&column)
            }
            _ => true,
        }
    }

    /// Whether a column can be text, as far as the manifest knows.
    fn may_be_text(&self, table: &RedshiftTable, column: &str) -> bool {
        match table.name.as_str() {
            "silver" => match Columns::of_silver(self.plan()).type_of(column) {
                Some(ty) => ty.ty == ColumnType::Text && !ty.json,
                None => !["_sluice_arrived_at", "_sluice_commit"].contains(&column),
            },
            "quarantine" => !["raw_bytes", "raw_length", "_sluice_arrived_at", "_sluice_commit"].contains(&column),
            _ => !["window_start", "window_end", "_sluice_commit", "_sluice_fence"].contains(&column),
        }
    }

    fn plan(&self) -> &Plan {
        &self.checked.plan
    }
}

/// A part of a bucket.
struct Area<'a> {
    bucket: &'a str,
    prefix: &'a str,
    what: &'static str,
    pointer: &'static str,
    is_source: bool,
}

impl<'a> Area<'a> {
    fn new(bucket: &'a str, prefix: &'a str, what: &'static str, pointer: &'static str) -> Self {
        Self { bucket, prefix, what, pointer, is_source: false }
    }

    /// Whether one holds the other. Only a source may be a whole bucket; another empty prefix was reported as missing.
    fn overlaps(&self, other: &Self) -> bool {
        let known = |area: &Self| !area.bucket.is_empty() && (area.is_source || !area.prefix.is_empty());
        let holds = self.prefix.starts_with(other.prefix) || other.prefix.starts_with(self.prefix);
        known(self) && known(other) && self.bucket == other.bucket && holds
    }

    fn shown(&self) -> String {
        if self.prefix.is_empty() {
            format!("the whole bucket ({})", self.what)
        } else {
            format!("`{}` ({})", self.prefix, self.what)
        }
    }

    fn stands_to(&self, other: &Self) -> &'static str {
        match (self.prefix == other.prefix, self.prefix.starts_with(other.prefix)) {
            (true, _) => "is also",
            (_, true) => "lies inside",
            _ => "holds",
        }
    }

    /// What would come of the overlap.
    fn harm(&self, other: &Self) -> &'static str {
        match (self.is_source, other.what) {
            (true, _) => "what is written would be read as input",
            (_, "the lake") => "a lake holds nothing but its own objects",
            _ => "what failed would be loaded, or what was delivered be an alarm",
        }
    }
}
