//! From a pipeline manifest to findings or a checked plan.
//!
//! The nouns:
//! - [`Findings`]: everything that is wrong with a manifest, each with line, column, and the way out.
//! - [`Plan`]: what a manifest says, with every default filled in and every name known to exist. Whatever takes a plan
//!   need not check it again.
//! - [`Checked`]: a plan with what stands around it: environments, the folder of the rules, the text itself, and
//!   [`Spans`], which say where in it a thing stands, for findings that only appear later (a rule refuses its
//!   configuration).
//!
//! The phases: YAML to a tree with positions (`yaml`), the tree against the table of keys (`check_shape`, `keys`), the
//! tree to a plan (`build`), the plan against itself (`columns`, `privacy`) and its environments (`bindings`). Each phase reports all that it finds; the
//! first that makes the next senseless ends the work. The JSON Schema for editors ([`json_schema`]) is written from the
//! same table of keys, so the two cannot disagree.
//!
//! The crate is pure apart from [`load`], which reads one file; [`check_text`] takes a manifest that is at hand.

mod bindings;
mod build;
mod check_shape;
mod checked;
mod columns;
mod finding;
mod gold;
mod json;
mod json_schema;
mod keys;
mod load;
mod names;
mod number;
pub mod plan;
mod privacy;
#[cfg(test)]
mod reference;
mod shape;
mod spans;
mod steps;
mod suggest;
mod time;
mod units;
mod view;
mod yaml;

pub use checked::{Checked, check_text};
pub use finding::{Finding, Findings, Pos};
pub use json_schema::json_schema;
pub use load::{LoadError, load, manifest_file};
pub use plan::{
    AwsEnvironment, AwsSource, BatchPlan, BreakerPlan, BronzePlan, CanaryPlan, Compression, CsvHeader, DedupPlan,
    Environment, Expired, FirehoseSpec, Format, GoldPlan, GuardLayer, GuardPlan, JsonRecords, KeySource, KinesisSpec,
    KplOutOfRange, Late, LeaseSpec, Limits, LoadFrom, LookupPlan, OnFailure, OnHit, Otherwise, Partition, PartitionOf,
    PiiKind, Plan, ProbationPlan, RedshiftSpec, RedshiftTable, RolloutPlan, RuleUse, S3SourceSpec, S3Spec,
    SchemaColumn, SegmentPlan, SilverPlan, StartSpec, StepPlan, StepWhat, UnknownFields, WindowPlan,
};
pub use spans::{Owner, Place, Spans};
pub use suggest::{nearest, way_out};
pub use units::{format_duration, format_size, parse_duration, parse_size};
