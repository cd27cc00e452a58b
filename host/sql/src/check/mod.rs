//! SQL conditions as steps.

mod accept;
mod condition;
mod step;

use crate::explain::explain;
use condition::Condition;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::config::Dialect;
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::prelude::SessionConfig;
use sluice_batch::{Field, digest_hex};
use sluice_ports::{Reason, RuleId, RulePlan, Signature};
use std::fmt;
use std::sync::{Arc, LazyLock};
use step::SqlPlan;

/// Bytes of a condition at most: planning goes as deep as the text.
const MAX_SQL_BYTES: usize = 16 << 10;

/// Stack for planning: DataFusion plans by recursion, and a chain of conditions is as deep as it is long.
const PLANNING_STACK_BYTES: usize = 64 << 20;

/// Compiles conditions.
///
/// A condition is judged as a `CHECK` constraint is: a row for which it is false is rejected; one for which it is true or
/// null (because a column that it reads is null) passes. `x is not null and ...` rejects nulls too.
///
/// What is said of a row depends on that row alone: aggregates, window functions, subqueries and functions whose value
/// changes between calls (`now()`, `random()`) are refused. `and` and `or` look at their right side only for rows that
/// their left side leaves open, so `n <> 0 and total / n < 5` divides by no zero. Whole-number arithmetic that overflows,
/// division by zero and casts that cannot be done are failures of the row ([`Cause::Trap`](sluice_ports::Cause::Trap)),
/// not verdicts. Numbers with a point are exact decimals. Text is not compared with numbers: that would be by spelling.
#[derive(Debug)]
pub struct SqlCheck;

/// Why a condition cannot be a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SqlFinding {
    /// What is wrong, and the way out.
    pub message: String,
    /// Line in the SQL, from 1, where it is known.
    pub line: Option<u32>,
    /// Column in the SQL in characters, from 1, where it is known.
    pub column: Option<u32>,
}

impl SqlFinding {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: None, column: None }
    }
}

impl fmt::Display for SqlFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl SqlCheck {
    /// Compiles the condition of the step `label`, which sees these columns and rejects with `reason`.
    ///
    /// # Errors
    /// The condition cannot be understood, is not one, or is refused (see [`SqlCheck`]).
    pub fn compile(label: &str, sql: &str, reason: &str, fields: &[Field]) -> Result<Arc<dyn RulePlan>, SqlFinding> {
        if sql.len() > MAX_SQL_BYTES {
            let message = format!("the condition has {} bytes; up to {MAX_SQL_BYTES} are allowed", sql.len());
            return Err(SqlFinding::new(message));
        }
        // on a stack of its own, so that a long condition is a finding or a plan and never the end of the process
        let planning = std::thread::Builder::new().stack_size(PLANNING_STACK_BYTES);
        let plan = std::thread::scope(|scope| {
            let run = planning.spawn_scoped(scope, || plan(label, sql, reason, fields));
            run.map(|thread| thread.join().unwrap_or_else(|_| Err(SqlFinding::new("planning the condition failed"))))
        });
        let plan = plan.map_err(|error| SqlFinding::new(format!("no thread to plan the condition on: {error}")))??;
        Ok(Arc::new(plan))
    }
}

/// Everything that conditions can call, made once.
static STATE: LazyLock<SessionState> = LazyLock::new(|| {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.collect_spans = true;
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    SessionStateBuilder::new().with_config(config).with_default_features().build()
});

fn plan(label: &str, sql: &str, reason: &str, fields: &[Field]) -> Result<SqlPlan, SqlFinding> {
    let expr = parse(sql, fields)?;
    let schema = df_schema(fields.iter())?;
    accept::accept(&expr, &schema)?;
    check_boolean(&expr, &schema)?;
    let read: Vec<&Field> = {
        let columns = expr.column_refs();
        fields.iter().filter(|field| columns.iter().any(|column| column.name == field.name)).collect()
    };
    if read.is_empty() {
        return Err(SqlFinding::new("the condition reads no column, so it says the same of every row; name a column"));
    }
    let schema = df_schema(read.iter().copied())?;
    let condition = Condition::compile(expr, &schema)?;
    condition.try_out(&schema)?;
    let signature = Signature {
        reads: read.iter().map(|field| field.name.clone()).collect(),
        reasons: vec![Reason { code: reason.to_owned(), text: format!("the condition `{}` is false", sql.trim()) }],
        ..Default::default()
    };
    Ok(SqlPlan::new(label, id(sql, reason, &read), signature, condition))
}

/// The rule that a condition is: its digest changes with everything that could change a verdict.
fn id(sql: &str, reason: &str, read: &[&Field]) -> RuleId {
    let columns: Vec<String> = read.iter().map(|field| format!("{} {}", field.name, field.ty)).collect();
    let engine = datafusion::DATAFUSION_VERSION;
    let definition = format!("{sql}\0{reason}\0{}\0datafusion {engine}", columns.join(","));
    RuleId { name: "sql".into(), version: "1.0.0".into(), digest: digest_hex(definition.as_bytes()) }
}

fn parse(sql: &str, fields: &[Field]) -> Result<Expr, SqlFinding> {
    let schema = df_schema(fields.iter())?;
    let parsed = STATE.sql_to_expr_with_alias(sql, &Dialect::Generic).map_err(finding)?;
    if let Some(name) = parsed.alias {
        let at = name.span.start;
        let message = format!("a condition has no name of its own; leave out `as {}`", name.value);
        return Err(SqlFinding { message, line: Some(at.line as u32), column: Some(at.column as u32) });
    }
    STATE.create_logical_expr_from_sql_expr(parsed, &schema).map_err(finding)
}

#[expect(clippy::needless_pass_by_value, reason = "it ends `map_err`")]
fn finding(error: DataFusionError) -> SqlFinding {
    let explained = explain(&error, &[]);
    let message = match explained.message.as_str() {
        text if text.starts_with("unknown table") => accept::ONE_ROW.to_owned(),
        _ => explained.message,
    };
    let place = explained.place;
    SqlFinding { message, line: place.map(|at| at.0 as u32), column: place.map(|at| at.1 as u32) }
}

fn check_boolean(expr: &Expr, schema: &DFSchema) -> Result<(), SqlFinding> {
    match expr.get_type(schema).map_err(finding)? {
        DataType::Boolean => Ok(()),
        other => Err(SqlFinding::new(format!("this is of type {other}, not a condition; compare it with something"))),
    }
}

/// The columns as DataFusion wants them; all nullable, whatever they say, so that no plan relies on it.
fn df_schema<'a>(fields: impl Iterator<Item = &'a Field>) -> Result<DFSchema, SqlFinding> {
    let fields: Vec<_> = fields.map(|field| field.arrow().with_nullable(true)).collect();
    DFSchema::try_from(Schema::new(fields)).map_err(finding)
}

#[cfg(test)]
mod tests;
