//! What a configuration means: the outputs, and the partial columns from which they are finished.

use crate::config::{Aggregate, Config, Output as Wanted};
use crate::source::Source;
use sluice_sdk::{ColumnType, Setup};

/// The rule's outputs and partials.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) partials: Vec<Partial>,
    pub(crate) outputs: Vec<Output>,
}

/// One partial column: how it is continued, and with what.
#[derive(Debug, PartialEq)]
pub(crate) struct Partial {
    pub(crate) how: How,
    pub(crate) source: Source,
    /// Of the partial column, which for extremes is that of the source.
    pub(crate) ty: ColumnType,
}

/// How a partial value and a row's value become the next partial value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// One more for each value.
    Count,
    /// Their sum.
    Sum,
    /// The smaller.
    Min,
    /// The larger.
    Max,
}

/// One output, by the places of its partials.
#[derive(Debug)]
pub(crate) enum Output {
    /// A partial as it is.
    Is(usize),
    /// A partial, zero where it is null.
    Count(usize),
    /// A sum of float64 by a count.
    MeanOfFloats { sum: usize, count: usize },
    /// A sum of whole numbers by a count, as float64.
    MeanOfInts { sum: usize, count: usize },
    /// A sum of decimals by a count, with `digits` more after the point.
    MeanOfDecimals { sum: usize, count: usize, digits: u8 },
}

/// Digits that a mean has after the point beyond those of its values: as many as DataFusion and Spark give.
const MEAN_DIGITS: u8 = 4;

impl Plan {
    /// Checks a configuration and declares what it reads and writes; what is wrong goes to `setup`.
    pub(crate) fn new(config: &Config, setup: &mut Setup<'_>) -> Option<Self> {
        if config.outputs.0.is_empty() {
            setup.find("/outputs", "no output is named; name at least one, such as `lines: count`");
        }
        let mut plan = Self { partials: Vec::new(), outputs: Vec::new() };
        let mut complete = true;
        for (name, wanted) in &config.outputs.0 {
            complete &= plan.add(name, wanted, setup).is_some();
        }
        complete.then_some(plan)
    }

    fn add(&mut self, name: &str, wanted: &Wanted, setup: &mut Setup<'_>) -> Option<()> {
        let (aggregate, source, ty) = match wanted {
            Wanted::Rows => (Aggregate::Count, Source::Rows, ColumnType::Int64),
            Wanted::Of(aggregate, expression) => {
                let path = Setup::pointer(&["outputs", name, key(*aggregate)]);
                let (source, ty) = Source::parse(expression, *aggregate, &path, setup)?;
                (*aggregate, source, ty)
            }
        };
        let (output, ty) = match aggregate {
            Aggregate::Count => {
                (Output::Count(self.partial(How::Count, source, ColumnType::Int64, setup)), ColumnType::Int64)
            }
            Aggregate::Sum => {
                let ty = sum_type(ty);
                (Output::Is(self.partial(How::Sum, source, ty, setup)), ty)
            }
            Aggregate::Min => (Output::Is(self.partial(How::Min, source, ty, setup)), ty),
            Aggregate::Max => (Output::Is(self.partial(How::Max, source, ty, setup)), ty),
            Aggregate::Avg => self.mean(source, ty, setup),
        };
        setup.adds(name, ty, aggregate != Aggregate::Count);
        self.outputs.push(output);
        Some(())
    }

    fn mean(&mut self, source: Source, ty: ColumnType, setup: &mut Setup<'_>) -> (Output, ColumnType) {
        // Whole numbers are summed with 38 digits here, so that a mean never fails where its values are far from 2^63.
        let sum_type = if ty == ColumnType::Int64 { ColumnType::decimal(38, 0) } else { sum_type(ty) };
        let count = self.partial(How::Count, source.clone(), ColumnType::Int64, setup);
        let sum = self.partial(How::Sum, source, sum_type, setup);
        match ty {
            ColumnType::Decimal(of) => {
                let digits = MEAN_DIGITS.min(38 - of.scale);
                (Output::MeanOfDecimals { sum, count, digits }, ColumnType::decimal(38, of.scale + digits))
            }
            ColumnType::Int64 => (Output::MeanOfInts { sum, count }, ColumnType::Float64),
            _ => (Output::MeanOfFloats { sum, count }, ColumnType::Float64),
        }
    }

    /// The place of a partial; outputs share one where they can.
    fn partial(&mut self, how: How, source: Source, ty: ColumnType, setup: &mut Setup<'_>) -> usize {
        let partial = Partial { how, source, ty };
        if let Some(place) = self.partials.iter().position(|other| *other == partial) {
            return place;
        }
        self.partials.push(partial);
        setup.partial(ty)
    }
}

/// The name of an aggregate, as in a manifest.
fn key(aggregate: Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Count => "count",
        Aggregate::Sum => "sum",
        Aggregate::Min => "min",
        Aggregate::Max => "max",
        Aggregate::Avg => "avg",
    }
}

/// What a sum of values of a type is.
fn sum_type(ty: ColumnType) -> ColumnType {
    match ty {
        ColumnType::Decimal(of) => ColumnType::decimal(38, of.scale),
        ty => ty,
    }
}
