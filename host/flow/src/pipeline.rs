//! A plan bound to its rules: everything that all parts of a run share and nothing that changes.

use crate::error::Result;
use crate::layout::{BoundStep, Layout};
use crate::window::BoundGold;
use crate::{quarantine, window};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use sluice_batch::{Field, Identity, digest_hex};
use sluice_formats::Decoder;
use sluice_manifest::plan::{GoldPlan, Partition, Plan};
use sluice_ports::RulePlan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A plan bound to its rules.
pub struct Pipeline {
    pub(crate) plan: Plan,
    pub(crate) steps: Vec<BoundStep>,
    pub(crate) golds: Vec<BoundGold>,
    pub(crate) layout: Layout,
    pub(crate) silver_schema: SchemaRef,
    pub(crate) bronze_schema: SchemaRef,
    /// Columns of silver that some gold takes as event time.
    pub(crate) event_columns: Vec<usize>,
    /// Whether any column is declared PII.
    pub(crate) holds_pii: bool,
    /// What every Parquet footer says about its making.
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) identity: Identity,
}

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
        let golds: Vec<BoundGold> = plan.gold.iter().cloned().zip(golds).map(|(p, rule)| bind(p, rule)).collect();
        let on = golds.iter().map(|gold| layout.index(&gold.plan.window.on));
        let mut event_columns = on.collect::<Result<Vec<_>>>()?;
        event_columns.sort_unstable();
        event_columns.dedup();
        let identity = identity(&plan, &steps, &golds, build, token_key);
        Ok(Self {
            silver_schema: silver_schema(&layout),
            bronze_schema: bronze_schema(),
            event_columns,
            holds_pii: plan.schema.iter().any(|column| column.pii.is_some()),
            metadata: metadata(&plan, &identity),
            layout,
            steps,
            golds,
            plan,
            identity,
        })
    }

    /// Tables of the dataset with their columns: `silver`, `quarantine` and each gold.
    ///
    /// # Errors
    /// A gold's columns do not exist in silver.
    pub fn tables(&self) -> Result<Vec<(String, SchemaRef)>> {
        let mut tables =
            vec![("silver".to_owned(), self.silver_schema.clone()), ("quarantine".to_owned(), quarantine::schema())];
        for gold in &self.golds {
            let schema = window::Gold::new(gold.clone(), &self.layout)?.schema().clone();
            tables.push((gold.plan.name.clone(), schema));
        }
        Ok(tables)
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

fn bind(plan: GoldPlan, rule: Arc<dyn RulePlan>) -> BoundGold {
    let text = serde_json::to_string(&plan).expect("a plan is plain data");
    let definition = digest_hex(format!("{text}\n{}", rule.id().digest).as_bytes());
    BoundGold { plan, rule, definition }
}

fn identity(
    plan: &Plan,
    steps: &[BoundStep],
    golds: &[BoundGold],
    build: String,
    token_key: Option<String>,
) -> Identity {
    let mut rules: BTreeMap<String, String> =
        steps.iter().map(|step| (step.label.clone(), step.rule.id().digest.clone())).collect();
    rules.extend(golds.iter().map(|gold| (format!("gold {}", gold.plan.name), gold.rule.id().digest.clone())));
    Identity { plan: plan.digest(), build, rules, lookups: BTreeMap::new(), token_key }
}

fn metadata(plan: &Plan, identity: &Identity) -> Vec<(String, String)> {
    let rules = serde_json::to_string(&identity.rules).expect("digests are plain data");
    vec![
        ("sluice.dataset".into(), plan.dataset.clone()),
        ("sluice.plan".into(), identity.plan.clone()),
        ("sluice.rules".into(), rules),
    ]
}

fn silver_schema(layout: &Layout) -> SchemaRef {
    // every column may hold nulls: a later rule may give some where this one does not, and a table has one schema
    let mut fields: Vec<ArrowField> =
        layout.fields.iter().map(|field| ArrowField::new(&field.name, field.ty.arrow(), true)).collect();
    fields.push(ArrowField::new("_sluice_id", DataType::Utf8, false));
    Arc::new(Schema::new(fields))
}

fn bronze_schema() -> SchemaRef {
    let arrived = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        ArrowField::new("_sluice_id", DataType::Utf8, false),
        ArrowField::new("_sluice_arrived_at", arrived, false),
        ArrowField::new("raw", DataType::Binary, false),
    ]))
}
