//! The values that are summed: rows, a column, or a product of two.

use crate::config::Aggregate;
use sluice_sdk::{ColumnId, ColumnType, Read, Setup};

/// Where the values of a partial come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// Every row, whatever stands in it.
    Rows,
    /// A column.
    Column(ColumnId),
    /// A product of two columns. Where the types differ the int64 is the first.
    Product(ColumnId, ColumnId),
}

impl Source {
    /// Reads an expression (`quantity * unit_price`) and says what type it is of. What is wrong is a finding at `path`.
    pub(crate) fn parse(
        expression: &str,
        aggregate: Aggregate,
        path: &str,
        setup: &mut Setup<'_>,
    ) -> Option<(Self, ColumnType)> {
        // A product is of numbers, whatever becomes of it.
        let aggregate = if expression.contains('*') { Aggregate::Sum } else { aggregate };
        let factors: Vec<_> = expression.split('*').map(|name| factor(name.trim(), aggregate, path, setup)).collect();
        let factors: Vec<Read> = factors.into_iter().collect::<Option<_>>()?;
        match factors[..] {
            [Read { id, ty, .. }] => Some((Self::Column(id), ty)),
            [a, b] => product(a, b, path, setup),
            _ => {
                setup.find(path, format!("`{expression}` has {} factors; one or two can stand here", factors.len()));
                None
            }
        }
    }
}

fn factor(name: &str, aggregate: Aggregate, path: &str, setup: &mut Setup<'_>) -> Option<Read> {
    use ColumnType::{Binary, Boolean, Decimal, Float64, Int64};
    match aggregate {
        Aggregate::Count => setup.read(name, path),
        Aggregate::Sum | Aggregate::Avg => {
            setup.read_if(name, path, "a number", |ty| matches!(ty, Int64 | Float64 | Decimal(_)))
        }
        Aggregate::Min | Aggregate::Max => {
            setup.read_if(name, path, "a type with an order", |ty| !matches!(ty, Boolean | Binary))
        }
    }
}

fn product(a: Read, b: Read, path: &str, setup: &mut Setup<'_>) -> Option<(Source, ColumnType)> {
    use ColumnType::{Decimal, Float64, Int64};
    let (a, b) = if b.ty == Int64 { (b, a) } else { (a, b) };
    let ty = match (a.ty, b.ty) {
        (Int64, Int64) => Int64,
        (Int64 | Float64, Float64) => Float64,
        (Int64, Decimal(of)) => ColumnType::decimal(38, of.scale),
        (Decimal(x), Decimal(y)) if x.scale + y.scale <= 38 => ColumnType::decimal(38, x.scale + y.scale),
        (Decimal(_), Decimal(_)) => {
            setup.find(path, "the product would have more than 38 digits after the point; coerce to smaller scales");
            return None;
        }
        (x, y) => {
            setup.find(path, format!("{x} and {y} are not multiplied; let both be decimals, or both float64"));
            return None;
        }
    };
    Some((Source::Product(a.id, b.id), ty))
}
