//! Records of the columns that a rule writes, and rules that transform record by record.
//!
//! `#[derive(Output)]` makes a struct an [`Output`]; a rule then implements [`RowTransformer`] and is exported with
//! [`row_transformer!`](crate::row_transformer).

use crate::record::{Binding, Reasons, Record};
use crate::{
    About, Batch, BooleanOut, Column, ColumnType, Date, Decimal, DecimalOut, DecimalType, NumberOut, Rejections, Rule,
    Setup, TextOut, Timestamp, Transformer,
};
use serde::de::DeserializeOwned;

/// A struct of the columns that a rule writes. Derived; its methods are for [`TransformByRow`] and not for rules.
pub trait Output {
    /// The columns of a batch as they come to be.
    type Builders;
    /// The struct itself, borrowing from one batch.
    type Row<'b>;
    /// Declares the columns.
    fn declare(setup: &mut Setup<'_>);
    /// Room for `rows` rows.
    fn builders(rows: usize) -> Self::Builders;
    /// Adds a row.
    fn push(row: Self::Row<'_>, builders: &mut Self::Builders);
    /// Adds what stands in a rejected row.
    fn push_nothing(builders: &mut Self::Builders);
    /// The columns.
    fn finish(builders: Self::Builders) -> Vec<Column>;
}

/// What can stand in one field of an [`Output`].
pub trait OutputCell: Sized {
    /// The column as it comes to be.
    type Builder;
    /// The type of the column; `decimal` is what `#[decimal(...)]` says.
    fn column_type(decimal: Option<DecimalType>) -> ColumnType;
    /// Room for `rows` rows.
    fn builder(rows: usize, decimal: Option<DecimalType>) -> Self::Builder;
    /// Adds a value.
    fn push(self, builder: &mut Self::Builder);
    /// Adds a null.
    fn push_null(builder: &mut Self::Builder);
    /// Adds what stands in a rejected row: zero or nothing, for nulls may be forbidden.
    fn push_nothing(builder: &mut Self::Builder);
    /// The column.
    fn finish(builder: Self::Builder) -> Column;
    /// Whether nulls may come.
    const NULLABLE: bool = false;

    /// Declares the column: it replaces the one of its name, or is new where there is none.
    fn declare(setup: &mut Setup<'_>, name: &str, decimal: Option<DecimalType>) {
        let ty = Self::column_type(decimal);
        if setup.inputs().iter().any(|field| field.name == name) {
            setup.replaces(name, ty, Self::NULLABLE);
        } else {
            setup.adds(name, ty, Self::NULLABLE);
        }
    }
}

impl<T: OutputCell> OutputCell for Option<T> {
    type Builder = T::Builder;

    const NULLABLE: bool = true;

    fn column_type(decimal: Option<DecimalType>) -> ColumnType {
        T::column_type(decimal)
    }

    fn builder(rows: usize, decimal: Option<DecimalType>) -> T::Builder {
        T::builder(rows, decimal)
    }

    #[inline(always)]
    fn push(self, builder: &mut T::Builder) {
        match self {
            Some(value) => value.push(builder),
            None => T::push_null(builder),
        }
    }

    #[inline]
    fn push_null(builder: &mut T::Builder) {
        T::push_null(builder);
    }

    #[inline]
    fn push_nothing(builder: &mut T::Builder) {
        T::push_null(builder);
    }

    fn finish(builder: T::Builder) -> Column {
        T::finish(builder)
    }
}

/// Cells that one builder takes as they are.
macro_rules! cells {
    ($($ty:ty, $column:ident, $builder:ty, $make:expr, $nothing:expr, $v:ident => $value:expr, $finish:ident;)*) => {$(
        impl OutputCell for $ty {
            type Builder = $builder;

            fn column_type(_decimal: Option<DecimalType>) -> ColumnType {
                ColumnType::$column
            }

            fn builder(rows: usize, _decimal: Option<DecimalType>) -> $builder {
                $make(rows)
            }

            #[inline(always)]
            fn push(self, builder: &mut $builder) {
                let $v = &self;
                builder.push($value);
            }

            #[inline]
            fn push_null(builder: &mut $builder) {
                builder.push_null();
            }

            #[inline]
            fn push_nothing(builder: &mut $builder) {
                builder.push($nothing);
            }

            fn finish(builder: $builder) -> Column {
                builder.$finish()
            }
        }
    )*};
}

/// Room for texts of a length that is common among names and codes; more is found when it is needed.
fn texts(rows: usize) -> TextOut {
    TextOut::with_capacity(rows, rows * 16)
}

cells! {
    i64, Int64, NumberOut<i64>, NumberOut::with_capacity, 0, v => *v, finish;
    f64, Float64, NumberOut<f64>, NumberOut::with_capacity, 0.0, v => *v, finish;
    bool, Boolean, BooleanOut, BooleanOut::with_capacity, false, v => *v, finish;
    Timestamp, Timestamp, NumberOut<i64>, NumberOut::with_capacity, 0, v => v.0, finish_timestamp;
    Date, Date, NumberOut<i32>, NumberOut::with_capacity, 0, v => v.0, finish_date;
    &str, Text, TextOut, texts, "", v => *v, finish;
    String, Text, TextOut, texts, "", v => v.as_str(), finish;
}

impl OutputCell for Decimal {
    type Builder = (DecimalOut, u8);

    /// # Panics
    /// The field has no `#[decimal(precision, scale)]`.
    fn column_type(decimal: Option<DecimalType>) -> ColumnType {
        ColumnType::Decimal(decimal.expect("a decimal field of an output needs `#[decimal(precision, scale)]`"))
    }

    fn builder(rows: usize, decimal: Option<DecimalType>) -> (DecimalOut, u8) {
        (DecimalOut::with_capacity(rows), decimal.map_or(0, |ty| ty.scale))
    }

    /// # Panics
    /// The number has digits past the column's scale: rounding is the rule's to decide.
    #[inline]
    fn push(self, (builder, scale): &mut (DecimalOut, u8)) {
        let fitted = self.rescale(*scale).expect("a decimal does not fit the scale of its column; round it first");
        builder.push(fitted.value());
    }

    #[inline]
    fn push_null((builder, _): &mut (DecimalOut, u8)) {
        builder.push_null();
    }

    #[inline]
    fn push_nothing((builder, _): &mut (DecimalOut, u8)) {
        builder.push(0);
    }

    fn finish((builder, _): (DecimalOut, u8)) -> Column {
        builder.finish()
    }
}

/// A rule that transforms record by record.
pub trait RowTransformer: Sized {
    /// The configuration, read from the manifest's `with:`.
    type Config: DeserializeOwned;
    /// What is read of each record: `Order<'static>`, where `Order` derives `Record`.
    type Record: Record;
    /// What is written of each record: `Clean<'static>`, where `Clean` derives `Output`.
    type Output: Output;
    /// Why records are rejected: an enum that derives `Reasons`.
    type Reason: Reasons;

    /// Name, version and summary: [`about!`](crate::about) with `Redact` or `Coerce`.
    const ABOUT: About;

    /// Opens the rule for one configuration; what is wrong in it is told to `setup`. The columns of the records and the
    /// reasons are declared already.
    fn open(config: Self::Config, setup: &mut Setup<'_>) -> Option<Self>;

    /// Transforms one record. Write the parameter as `&'r Order<'r>` and the result as `Result<Clean<'r>, _>`.
    ///
    /// # Errors
    /// The reason for rejecting it.
    fn apply<'r>(
        &self,
        record: &'r <Self::Record as Record>::Row<'r>,
    ) -> Result<<Self::Output as Output>::Row<'r>, Self::Reason>;
}

/// A rule of records as a rule of batches.
pub struct TransformByRow<R: RowTransformer> {
    rule: R,
    binding: Binding<<R::Record as Record>::Columns>,
}

impl<R: RowTransformer> Rule for TransformByRow<R> {
    type Config = R::Config;

    const ABOUT: About = R::ABOUT;

    fn open(config: R::Config, setup: &mut Setup<'_>) -> Option<Self> {
        let binding = Binding::new::<R::Record, R::Reason>(setup);
        R::Output::declare(setup);
        let rule = R::open(config, setup);
        Some(Self { rule: rule?, binding: binding? })
    }
}

impl<R: RowTransformer> Transformer for TransformByRow<R> {
    fn apply(&mut self, batch: Batch, rejections: &mut Rejections) -> Vec<Column> {
        let view = R::Record::view(&self.binding.columns, &batch);
        let mut out = R::Output::builders(batch.rows());
        for row in 0..batch.rows() {
            let record = match R::Record::row(&view, row) {
                Ok(record) => record,
                Err(field) => {
                    self.binding.reject_missing(row, field, rejections);
                    R::Output::push_nothing(&mut out);
                    continue;
                }
            };
            match self.rule.apply(R::Record::shorten(&record)) {
                Ok(output) => R::Output::push(output, &mut out),
                Err(reason) => {
                    self.binding.reject(row, &reason, rejections);
                    R::Output::push_nothing(&mut out);
                }
            }
        }
        R::Output::finish(out)
    }
}

/// Makes the crate a component of the world `transformer` when it is built for Wasm:
/// `sluice_sdk::row_transformer!(MyRule);`. The type implements [`RowTransformer`].
#[macro_export]
macro_rules! row_transformer {
    ($rule:ty) => {
        $crate::transformer!($crate::output::TransformByRow<$rule>);
    };
}
