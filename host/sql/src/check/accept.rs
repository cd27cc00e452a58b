//! What a condition may consist of.

use super::{SqlFinding, finding};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as DataFusionResult, Spans};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, Volatility};

/// What is said of everything that looks beyond a row.
pub(super) const ONE_ROW: &str =
    "a condition sees the columns of one row at a time: subqueries, aggregates and window functions are refused";

/// Levels of a condition at most; a chain of `and` has as many as it has members. Workers evaluate it by recursion, on
/// their own stacks.
const MAX_DEPTH: usize = 128;

/// Refuses what a step must not do.
pub(super) fn accept(expr: &Expr, schema: &DFSchema) -> Result<(), SqlFinding> {
    let levels = depth(expr).map_err(finding)?;
    if levels > MAX_DEPTH {
        return Err(SqlFinding::new(format!(
            "the condition has {levels} levels; up to {MAX_DEPTH} are allowed: list values with `in`, or make it several steps"
        )));
    }
    let mut refused = None;
    expr.apply(|part| {
        refused = check(part, schema).err();
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })
    .map_err(finding)?;
    refused.map_or(Ok(()), Err)
}

fn depth(expr: &Expr) -> DataFusionResult<usize> {
    let mut below = 0;
    expr.apply_children(|child| {
        below = below.max(depth(child)?);
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(below + 1)
}

fn check(part: &Expr, schema: &DFSchema) -> Result<(), SqlFinding> {
    match part {
        // DataFusion keeps the name that a function was called by as an alias
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::Like(_)
        | Expr::SimilarTo(_) => Ok(()),
        Expr::BinaryExpr(binary) if compares(binary.op) => check_comparable([&*binary.left, &*binary.right], schema),
        Expr::BinaryExpr(_) => Ok(()),
        Expr::Between(between) => check_comparable([&*between.expr, &*between.low, &*between.high], schema),
        Expr::InList(list) => check_comparable(std::iter::once(&*list.expr).chain(&list.list), schema),
        Expr::ScalarFunction(call) => match call.func.signature().volatility {
            Volatility::Immutable => Ok(()),
            Volatility::Stable | Volatility::Volatile => Err(SqlFinding::new(format!(
                "`{}` gives other values at other times, and a rule must not; compare with a column or a constant",
                call.func.name()
            ))),
        },
        Expr::Placeholder(_) => Err(SqlFinding::new("a condition has no parameters; write the value in its place")),
        _ => Err(SqlFinding::new(ONE_ROW)),
    }
}

/// Whether an operator compares its sides.
pub(super) fn compares(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Refuses comparisons of text with what is none. With numbers they would go by spelling (`'9' > '10'`), with times and
/// booleans they would fail for the rows whose text is none; a constant such as `'2010-12-01'` is read as what it stands
/// beside, unless that is a number.
fn check_comparable<'a>(parts: impl IntoIterator<Item = &'a Expr>, schema: &DFSchema) -> Result<(), SqlFinding> {
    let (mut text, mut other) = (vec![], None);
    for part in parts {
        match part.get_type(schema).map_err(finding)? {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => text.push(part),
            DataType::Null | DataType::Binary => {}
            data_type => other = other.or(Some((part, data_type))),
        }
    }
    let Some((other, data_type)) = other else { return Ok(()) };
    let offends = |part: &&&Expr| data_type.is_numeric() || !matches!(part, Expr::Literal(..));
    let Some(text) = text.iter().find(offends) else { return Ok(()) };
    let (kind, cast) = match data_type {
        _ if data_type.is_numeric() => ("a number", "bigint"),
        DataType::Boolean => ("a boolean", "boolean"),
        _ => ("a time", "timestamp"),
    };
    let message = format!(
        "`{text}` is text and `{other}` {kind}; put this check after the step that turns text into {kind}, or write \
         `cast(... as {cast})`",
        text = shown(text),
        other = shown(other),
    );
    let span = spans(text).or_else(|| spans(other)).and_then(Spans::first);
    let (line, column) = (span.map(|span| span.start.line as u32), span.map(|span| span.start.column as u32));
    Err(SqlFinding { message, line, column })
}

fn spans(expr: &Expr) -> Option<&Spans> {
    match expr {
        Expr::Column(column) => Some(&column.spans),
        _ => None,
    }
}

/// An expression as a person wrote it, more or less.
fn shown(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => column.name.clone(),
        Expr::Literal(value, _) => value.to_string(),
        other => other.to_string(),
    }
}
