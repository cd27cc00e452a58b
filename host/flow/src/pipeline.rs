//! A plan bound to its rules: everything that all parts of a run share and nothing that changes.

use crate::egress::Egress;
use crate::error::{Result, internal};
use crate::layout::{BoundStep, Layout};
use crate::seal::BronzeKey;
use crate::window::BoundGold;
use crate::{quarantine, window};
use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use serde::Serialize;
use sluice_batch::{Field, Identity, digest_hex};
use sluice_formats::Decoder;
use sluice_manifest::plan::{Partition, Plan};
use sluice_ports::{RuleId, RulePlan};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A plan bound to its rules.
pub struct Pipeline {
    pub(crate) plan: Plan,
    pub(crate) steps: Vec<BoundStep>,
    pub(crate) golds: Vec<BoundGold>,
    pub(crate) layout: Layout,
    pub(crate) silver_schema: SchemaRef,
    /// Silver without `_sluice_commit`, as workers make it.
    pub(crate) processed_schema: SchemaRef,
    pub(crate) bronze_schema: SchemaRef,
    /// Columns of silver that some gold takes as event time.
    pub(crate) event_columns: Vec<usize>,
    /// Whether any column is declared PII.
    pub(crate) holds_pii: bool,
    /// What every Parquet footer says about its making.
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) identity: Identity,
    /// Bytes of an object of silver, about, where silver has no partitions.
    pub(crate) target_bytes: usize,
    /// Texts of silver and quarantine that a warehouse has no room for.
    pub(crate) room: Option<Room>,
    /// What bronze is encrypted with, if it is.
    pub(crate) bronze_key: Option<BronzeKey>,
    /// What looks for personal data in what leaves, if the manifest says so.
    pub(crate) egress: Option<Egress>,
}

/// What a warehouse has room for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Room {
    /// Bytes of a text, by column of silver; a longer one quarantines its row, reason `text_too_long`.
    pub texts: BTreeMap<String, usize>,
    /// Bytes of the original of a rejected record as text; a longer one is kept as bytes.
    pub raw_text: usize,
    /// Bytes of it as bytes; of a longer one only length and digest are kept.
    pub raw_bytes: usize,
}

/// Bytes of an object of silver where nothing else is said: what a segment of the default size gives is never cut.
const TARGET_BYTES: usize = 512 << 20;

impl Pipeline {
    /// Binds a plan. `golds` are the aggregators of `plan.gold`, in its order; `build` is the digest of the running
    /// program, `token_key` the id of the key behind pseudonyms.
    ///
    /// # Errors
    /// A rule's columns do not fit those that exist where it stands.
    pub fn new(
        plan: Plan,
        steps: Vec<BoundStep>,
        golds: Vec<Arc<dyn RulePlan>>,
        build: String,
        token_key: Option<String>,
    ) -> Result<Self> {
        let layout = Layout::new(&arriving(&plan), &steps)?;
        let golds = plan.gold.iter().cloned().zip(golds).map(|(plan, rule)| BoundGold::new(plan, rule, &layout));
        let golds = golds.collect::<Result<Vec<_>>>()?;
        let on = golds.iter().map(|gold| layout.index(&gold.plan.window.on));
        let mut event_columns = on.collect::<Result<Vec<_>>>()?;
        event_columns.sort_unstable();
        event_columns.dedup();
        let egress = plan.guard.as_ref().map(|guard| Egress::new(guard, &layout, &steps)).transpose()?;
        let identity = identity(&plan, &steps, &golds, build, token_key);
        Ok(Self {
            silver_schema: silver_schema(&layout, true),
            processed_schema: silver_schema(&layout, false),
            bronze_schema: bronze_schema(),
            event_columns,
            holds_pii: plan.schema.iter().any(|column| column.pii.is_some()),
            metadata: metadata(&plan, &identity),
            layout,
            steps,
            golds,
            plan,
            identity,
            target_bytes: TARGET_BYTES,
            room: None,
            bronze_key: None,
            egress,
        })
    }

    /// Sets rows aside that a warehouse has no room for, before anything of them leaves. What it has room for decides what
    /// objects hold, so it stands in the identity of every cut.
    #[must_use]
    pub fn with_room(mut self, room: Room) -> Self {
        let text = serde_json::to_string(&room).expect("numbers are plain data");
        self.identity.plan = format!("{}/{}", self.identity.plan, &digest_hex(text.as_bytes())[..16]);
        self.room = Some(room);
        self
    }

    /// Encrypts bronze. Another key gives other bytes, so its id stands in the identity of every cut.
    #[must_use]
    pub fn with_bronze_key(mut self, key: BronzeKey) -> Self {
        self.identity.plan = format!("{}/{}", self.identity.plan, key.id());
        self.bronze_key = Some(key);
        self
    }

    /// Names the reference tables that rules look into: the digest of each, by name. What they hold decides what objects
    /// hold, so they stand in the identity of every cut, and in every object.
    #[must_use]
    pub fn with_lookups(mut self, digests: BTreeMap<String, String>) -> Self {
        if !digests.is_empty() {
            let text = serde_json::to_string(&digests).expect("digests are plain data");
            self.metadata.push(("sluice.lookups".into(), text));
        }
        self.identity.lookups = digests;
        self
    }

    /// Cuts the objects of silver at about so many bytes. Where they are cut decides what they hold, so it stands in the
    /// identity of every cut.
    #[must_use]
    pub fn with_target_bytes(mut self, bytes: usize) -> Self {
        self.target_bytes = bytes;
        self.identity.plan = format!("{}/{bytes}", self.identity.plan);
        self
    }

    /// Tables of the dataset with their columns: `silver`, `quarantine` and each gold.
    ///
    /// # Errors
    /// A gold's columns do not exist in silver.
    pub fn tables(&self) -> Result<Vec<(String, SchemaRef)>> {
        let mut tables =
            vec![("silver".to_owned(), self.silver_schema.clone()), ("quarantine".to_owned(), quarantine::schema())];
        for gold in &self.golds {
            let schema = window::Gold::new(gold.clone(), &self.layout, self.plan.breaker)?.schema().clone();
            tables.push((gold.plan.name.clone(), schema));
        }
        Ok(tables)
    }

    /// What decides what its objects hold.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The key of its identity: versions are told apart by it.
    pub fn key(&self) -> String {
        self.identity.key()
    }

    /// Whether records are told apart as another version does it, so that batches cut for one can be given to the other.
    pub fn frames_as(&self, other: &Self) -> bool {
        let framing = |plan: &Plan| (plan.format.clone(), plan.max_record_bytes, plan.batch);
        framing(&self.plan) == framing(&other.plan)
    }

    /// Whether it can make records of what another version cut.
    pub fn reads_as(&self, other: &Self) -> bool {
        let reading = |plan: &Plan| (plan.format.clone(), plan.max_record_bytes);
        reading(&self.plan) == reading(&other.plan)
    }

    /// The plan that it was bound to.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// All rules: of the steps in order, then of the golds, with their labels.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &dyn RulePlan)> {
        let steps = self.steps.iter().map(|step| (step.label.as_str(), step.rule.as_ref()));
        steps.chain(self.golds.iter().map(|gold| (gold.plan.name.as_str(), gold.rule.as_ref())))
    }

    /// Name of the dataset.
    pub fn dataset(&self) -> &str {
        &self.plan.dataset
    }

    pub(crate) fn partitions(&self) -> &[Partition] {
        &self.plan.silver.partition_by
    }
}

/// Columns as they arrive at the first step.
pub fn arriving(plan: &Plan) -> Vec<Field> {
    Decoder::new(&plan.format, &plan.schema, plan.unknown_fields).fields()
}

fn identity(
    plan: &Plan,
    steps: &[BoundStep],
    golds: &[BoundGold],
    build: String,
    token_key: Option<String>,
) -> Identity {
    let of_steps = steps.iter().map(|step| (step.label.clone(), step.rule.id()));
    let of_golds = golds.iter().map(|gold| (format!("gold {}", gold.plan.name), gold.rule.id()));
    let all: BTreeMap<String, &RuleId> = of_steps.chain(of_golds).collect();
    Identity {
        plan: plan.digest(),
        build,
        rules: all.iter().map(|(label, id)| (label.clone(), id.digest.clone())).collect(),
        names: all.iter().map(|(label, id)| (label.clone(), id.to_string())).collect(),
        lookups: BTreeMap::new(),
        token_key,
    }
}

fn metadata(plan: &Plan, identity: &Identity) -> Vec<(String, String)> {
    let rules = serde_json::to_string(&identity.rules).expect("digests are plain data");
    let names = serde_json::to_string(&identity.names).expect("names are plain data");
    vec![
        ("sluice.dataset".into(), plan.dataset.clone()),
        ("sluice.plan".into(), identity.plan.clone()),
        ("sluice.rules".into(), rules),
        ("sluice.rule_names".into(), names),
    ]
}

fn silver_schema(layout: &Layout, with_commit: bool) -> SchemaRef {
    // every column may hold nulls: a later rule may give some where this one does not, and a table has one schema
    let mut fields: Vec<ArrowField> =
        layout.fields.iter().map(|field| ArrowField::new(&field.name, field.ty.arrow(), true)).collect();
    fields.push(ArrowField::new("_sluice_id", DataType::Utf8, false));
    fields.push(arrived_field());
    if with_commit {
        fields.push(commit_field());
    }
    Arc::new(Schema::new(fields))
}

/// When a record arrived: the stream's own time, for a file that of its opening.
pub(crate) fn arrived_field() -> ArrowField {
    ArrowField::new("_sluice_arrived_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false)
}

/// Number of the commit that a row came with.
pub(crate) fn commit_field() -> ArrowField {
    ArrowField::new("_sluice_commit", DataType::Int64, false)
}

/// A batch with its commit as the last column.
pub(crate) fn with_commit(batch: &RecordBatch, schema: &SchemaRef, number: u64) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(Int64Array::from_value(number as i64, batch.num_rows())));
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| internal("commit column", error))
}

fn bronze_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        ArrowField::new("_sluice_id", DataType::Utf8, false),
        arrived_field(),
        ArrowField::new("raw", DataType::Binary, false),
    ]))
}
