//! A condition, compiled.

use super::accept::compares;
use super::{STATE, SqlFinding, finding};
use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, BooleanBuilder, RecordBatch, new_null_array};
use datafusion::arrow::compute::{and_kleene, cast, filter_record_batch, not, or_kleene};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::{Expr, Operator};
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use std::sync::Arc;

/// A condition as a tree whose `and` and `or` go row by row.
///
/// DataFusion evaluates both sides for the whole batch unless the left side decides all of it, so that whether a row's
/// right side is evaluated, and can fail, depends on the rows beside it.
#[derive(Debug)]
pub(super) enum Condition {
    Leaf(Arc<dyn PhysicalExpr>),
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    /// Compiles an expression over exactly the columns of `schema`.
    pub(super) fn compile(expr: Expr, schema: &DFSchema) -> std::result::Result<Self, SqlFinding> {
        let context = SimplifyContext::builder().with_schema(Arc::new(schema.clone())).build();
        let simplifier = ExprSimplifier::new(context);
        // before it is taken apart, since what a `case` is made into holds `and` and `or` of its own
        let simple = simplifier.coerce(expr, schema).and_then(|expr| simplifier.simplify(expr));
        Self::take_apart(&simple.map_err(finding)?, schema).map_err(finding)
    }

    fn take_apart(expr: &Expr, schema: &DFSchema) -> Result<Self> {
        match expr {
            // without failures nobody can tell in which order it was evaluated
            _ if !can_fail(expr)? => {}
            Expr::Not(inner) => return Ok(Self::Not(Box::new(Self::take_apart(inner, schema)?))),
            Expr::BinaryExpr(binary) if binary.op.is_logic_operator() => {
                let left = Box::new(Self::take_apart(&binary.left, schema)?);
                let right = Box::new(Self::take_apart(&binary.right, schema)?);
                return Ok(if binary.op == Operator::And {
                    Self::Both(left, right)
                } else {
                    Self::Either(left, right)
                });
            }
            _ => {}
        }
        leaf(expr, schema).map(Self::Leaf)
    }

    /// Tries the condition on a row of nulls: what fails there (a constant that is no timestamp, a broken pattern) fails
    /// for every row.
    pub(super) fn try_out(&self, schema: &DFSchema) -> std::result::Result<(), SqlFinding> {
        let schema = Arc::new(schema.as_arrow().clone());
        let nulls = schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
        let tried =
            RecordBatch::try_new(schema, nulls).map_err(DataFusionError::from).and_then(|row| self.evaluate(&row));
        tried.map(drop).map_err(finding)
    }

    /// The verdict on each row: true, false or null.
    pub(super) fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        match self {
            Self::Leaf(expr) => boolean(&expr.evaluate(batch)?.into_array(batch.num_rows())?),
            Self::Not(inner) => Ok(not(&inner.evaluate(batch)?)?),
            Self::Both(left, right) => {
                let left = left.evaluate(batch)?;
                let right = right.evaluate_open(batch, &left, true)?;
                Ok(and_kleene(&left, &right)?)
            }
            Self::Either(left, right) => {
                let left = left.evaluate(batch)?;
                let right = right.evaluate_open(batch, &left, false)?;
                Ok(or_kleene(&left, &right)?)
            }
        }
    }

    /// The verdict on the rows that `left` leaves open, because it is `neutral` or null there. What stands in the others
    /// decides nothing.
    fn evaluate_open(&self, batch: &RecordBatch, left: &BooleanArray, neutral: bool) -> Result<BooleanArray> {
        let is_open = |row: usize| left.is_null(row) || left.value(row) == neutral;
        let open: BooleanArray = (0..left.len()).map(|row| Some(is_open(row))).collect();
        match open.true_count() {
            0 => return Ok(BooleanArray::from(vec![neutral; left.len()])),
            all if all == left.len() => return self.evaluate(batch),
            _ => {}
        }
        let few = self.evaluate(&filter_record_batch(batch, &open)?)?;
        let (mut verdicts, mut next) = (BooleanBuilder::with_capacity(left.len()), few.iter());
        for row in 0..left.len() {
            verdicts.append_option(if open.value(row) { next.next().flatten() } else { Some(neutral) });
        }
        Ok(verdicts.finish())
    }
}

/// The types of a condition are known when it is compiled; `null` alone has one of its own.
fn boolean(array: &ArrayRef) -> Result<BooleanArray> {
    let array = cast(array, &DataType::Boolean)?;
    let verdicts = array.as_any().downcast_ref::<BooleanArray>().cloned();
    verdicts.ok_or_else(|| DataFusionError::Internal("a condition is no boolean".into()))
}

/// Whether the value of some row can be an error: anything but comparisons of columns and constants.
fn can_fail(expr: &Expr) -> Result<bool> {
    let mut found = false;
    expr.apply(|part| {
        found |= match part {
            Expr::BinaryExpr(binary) => !compares(binary.op) && !binary.op.is_logic_operator(),
            Expr::Cast(_) | Expr::ScalarFunction(_) | Expr::Negative(_) | Expr::Case(_) => true,
            _ => false,
        };
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// An expression for whole batches, whose arithmetic fails where it overflows.
fn leaf(expr: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    let planned = STATE.create_physical_expr(expr.clone(), schema)?;
    let checked = planned.transform_up(|part| match part.downcast_ref::<BinaryExpr>() {
        Some(binary) if matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply) => {
            let (left, right) = (binary.left().clone(), binary.right().clone());
            Ok(Transformed::yes(Arc::new(BinaryExpr::new(left, *binary.op(), right).with_fail_on_overflow(true)) as _))
        }
        _ => Ok(Transformed::no(part)),
    })?;
    Ok(checked.data)
}
