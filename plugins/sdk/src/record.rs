//! Records of the columns that a rule reads, and rules that judge record by record.
//!
//! `#[derive(Record)]` makes a struct a [`Record`], `#[derive(Reasons)]` an enum [`Reasons`]; a rule then implements
//! [`RowValidator`] and is exported with [`row_validator!`](crate::row_validator). The loop over a batch is written once,
//! here, with the rule's method inlined into it.

use crate::{
    About, Batch, Booleans, ColumnId, Date, Decimal, Decimals, Numbers, ReasonId, Rejections, Rule, Setup, Texts,
    Timestamp, Validator,
};
use serde::de::DeserializeOwned;

/// A field of a record.
#[derive(Debug, Clone, Copy)]
pub struct RecordField {
    /// The column.
    pub column: &'static str,
    /// The reason for rejecting a row whose column is null, when it is required.
    pub missing: &'static str,
    /// Whether the rule cannot do without a value.
    pub required: bool,
}

/// A struct of the columns that a rule reads. Derived; its methods are for [`ByRow`] and not for rules.
pub trait Record {
    /// Where the columns are found in batches.
    type Columns;
    /// The columns of one batch.
    type View<'b>;
    /// The struct itself, borrowing from one batch.
    type Row<'b>;
    /// The fields, in order.
    const FIELDS: &'static [RecordField];
    /// Asks for the columns.
    fn bind(setup: &mut Setup<'_>) -> Option<Self::Columns>;
    /// The columns of a batch.
    fn view<'b>(columns: &Self::Columns, batch: &'b Batch) -> Self::View<'b>;
    /// One record.
    ///
    /// # Errors
    /// The number of the first field that is required and null.
    fn row<'b>(view: &Self::View<'b>, row: usize) -> Result<Self::Row<'b>, usize>;
    /// The record for a shorter time: what it borrows, it borrows no longer than it is borrowed itself.
    fn shorten<'r, 'b: 'r>(row: &'r Self::Row<'b>) -> &'r Self::Row<'r>;
}

/// What can stand in one field of a [`Record`].
pub trait Cell {
    /// Whether a null is refused.
    const REQUIRED: bool;
    /// Where the column is found in batches.
    type Column: Copy;
    /// The column of one batch.
    type View<'b>;
    /// The value of one row.
    type Value<'b>;
    /// Asks for the column.
    fn bind(setup: &mut Setup<'_>, name: &str) -> Option<Self::Column>;
    /// The column of a batch.
    fn view<'b>(column: Self::Column, batch: &'b Batch) -> Self::View<'b>;
    /// The value of a row; none where a null is refused and stands there.
    fn get<'b>(view: &Self::View<'b>, row: usize) -> Option<Self::Value<'b>>;
}

impl<T: Cell> Cell for Option<T> {
    const REQUIRED: bool = false;
    type Column = T::Column;
    type View<'b> = T::View<'b>;
    type Value<'b> = Option<T::Value<'b>>;

    fn bind(setup: &mut Setup<'_>, name: &str) -> Option<T::Column> {
        T::bind(setup, name)
    }

    #[inline(always)]
    fn view<'b>(column: T::Column, batch: &'b Batch) -> T::View<'b> {
        T::view(column, batch)
    }

    #[inline(always)]
    fn get<'b>(view: &Self::View<'b>, row: usize) -> Option<Self::Value<'b>> {
        Some(T::get(view, row))
    }
}

/// Cells whose columns are found by their number alone.
macro_rules! cells {
    ($($ty:ty, $value:ty, $view:ty, $bind:ident, $look:ident, $make:expr;)*) => {$(
        impl Cell for $ty {
            const REQUIRED: bool = true;
            type Column = ColumnId;
            type View<'b> = $view;
            type Value<'b> = $value;

            fn bind(setup: &mut Setup<'_>, name: &str) -> Option<ColumnId> {
                setup.$bind(name, "")
            }

            #[inline(always)]
            fn view<'b>(column: ColumnId, batch: &'b Batch) -> $view {
                batch.$look(column)
            }

            #[inline(always)]
            fn get<'b>(view: &Self::View<'b>, row: usize) -> Option<Self::Value<'b>> {
                view.get(row).map($make)
            }
        }
    )*};
}

cells! {
    &str, &'b str, Texts<'b>, text, texts, |v| v;
    i64, i64, Numbers<'b, i64>, int64, int64s, |v| v;
    f64, f64, Numbers<'b, f64>, float64, float64s, |v| v;
    bool, bool, Booleans<'b>, boolean, booleans, |v| v;
    Timestamp, Timestamp, Numbers<'b, i64>, timestamp, timestamps, Timestamp;
    Date, Date, Numbers<'b, i32>, date, dates, Date;
}

impl Cell for &[u8] {
    const REQUIRED: bool = true;
    type Column = ColumnId;
    type View<'b> = Texts<'b>;
    type Value<'b> = &'b [u8];

    fn bind(setup: &mut Setup<'_>, name: &str) -> Option<ColumnId> {
        setup.binary(name, "")
    }

    #[inline(always)]
    fn view<'b>(column: ColumnId, batch: &'b Batch) -> Texts<'b> {
        batch.texts(column)
    }

    #[inline(always)]
    fn get<'b>(view: &Self::View<'b>, row: usize) -> Option<Self::Value<'b>> {
        view.is_valid(row).then(|| view.bytes(row))
    }
}

impl Cell for Decimal {
    const REQUIRED: bool = true;
    type Column = (ColumnId, u8);
    type View<'b> = (Decimals<'b>, u8);
    type Value<'b> = Decimal;

    fn bind(setup: &mut Setup<'_>, name: &str) -> Option<(ColumnId, u8)> {
        setup.decimal(name, "").map(|(id, ty)| (id, ty.scale))
    }

    #[inline(always)]
    fn view<'b>((column, scale): (ColumnId, u8), batch: &'b Batch) -> (Decimals<'b>, u8) {
        (batch.decimals(column), scale)
    }

    #[inline(always)]
    fn get<'b>((view, scale): &Self::View<'b>, row: usize) -> Option<Self::Value<'b>> {
        view.get(row).map(|value| Decimal::new(value, *scale))
    }
}

/// One of a rule's [`Reasons`].
#[derive(Debug, Clone, Copy)]
pub struct ReasonInfo {
    /// Code.
    pub code: &'static str,
    /// The same for people.
    pub text: &'static str,
    /// The column at fault, where it is one that the rule reads.
    pub column: Option<&'static str>,
}

/// The reasons for which a rule rejects rows. Derived for an enum without data.
pub trait Reasons {
    /// All of them.
    const ALL: &'static [ReasonInfo];
    /// Which of them this is.
    fn index(&self) -> usize;
}

/// A rule that judges record by record.
pub trait RowValidator: Sized {
    /// The configuration, read from the manifest's `with:`.
    type Config: DeserializeOwned;
    /// What is read of each record: `Order<'static>`, where `Order` derives `Record`.
    type Record: Record;
    /// Why records are rejected: an enum that derives `Reasons`.
    type Reason: Reasons;

    /// Name, version and summary: [`about!`](crate::about) with `Validate`.
    const ABOUT: About;

    /// Opens the rule for one configuration; what is wrong in it is told to `setup`. The columns of the record and the
    /// reasons are declared already.
    fn open(config: Self::Config, setup: &mut Setup<'_>) -> Option<Self>;

    /// Judges one record. Write the parameter as `&Order<'_>`.
    ///
    /// # Errors
    /// The reason for rejecting it.
    fn check<'r>(&self, record: &'r <Self::Record as Record>::Row<'r>) -> Result<(), Self::Reason>;
}

/// What a rule of records knows about its columns and reasons.
#[derive(Debug)]
pub(crate) struct Binding<C> {
    pub(crate) columns: C,
    missing: Vec<Option<(ReasonId, ColumnId)>>,
    reasons: Vec<(ReasonId, Option<ColumnId>)>,
}

impl<C> Binding<C> {
    /// Asks for a record's columns and declares the reasons: of the record's required fields first, for they come first.
    pub(crate) fn new<R: Record<Columns = C>, E: Reasons>(setup: &mut Setup<'_>) -> Option<Self> {
        let columns = R::bind(setup);
        let mut missing = Vec::new();
        for field in R::FIELDS {
            let id = setup.read(field.column, "").map(|read| read.id);
            let reason = field.required.then(|| setup.reason(field.missing, &format!("`{}` is missing", field.column)));
            missing.push(reason.zip(id));
        }
        let mut reasons = Vec::new();
        for info in E::ALL {
            let column = info.column.and_then(|column| setup.read(column, ""));
            reasons.push((setup.reason(info.code, info.text), column.map(|read| read.id)));
        }
        Some(Self { columns: columns?, missing, reasons })
    }

    /// Rejects a row because a required field is null.
    #[cold]
    pub(crate) fn reject_missing(&self, row: usize, field: usize, rejections: &mut Rejections) {
        if let Some((reason, column)) = self.missing[field] {
            rejections.reject(row, reason, column);
        }
    }

    /// Rejects a row for a reason of the rule's.
    pub(crate) fn reject(&self, row: usize, reason: &impl Reasons, rejections: &mut Rejections) {
        match self.reasons[reason.index()] {
            (reason, Some(column)) => rejections.reject(row, reason, column),
            (reason, None) => rejections.reject_row(row, reason),
        }
    }
}

/// A rule of records as a rule of batches.
pub struct ByRow<R: RowValidator> {
    rule: R,
    binding: Binding<<R::Record as Record>::Columns>,
}

impl<R: RowValidator> Rule for ByRow<R> {
    type Config = R::Config;

    const ABOUT: About = R::ABOUT;

    fn open(config: R::Config, setup: &mut Setup<'_>) -> Option<Self> {
        let binding = Binding::new::<R::Record, R::Reason>(setup);
        let rule = R::open(config, setup);
        Some(Self { rule: rule?, binding: binding? })
    }
}

impl<R: RowValidator> Validator for ByRow<R> {
    fn check(&mut self, batch: &Batch, rejections: &mut Rejections) {
        let view = R::Record::view(&self.binding.columns, batch);
        for row in 0..batch.rows() {
            match R::Record::row(&view, row) {
                Ok(record) => {
                    if let Err(reason) = self.rule.check(R::Record::shorten(&record)) {
                        self.binding.reject(row, &reason, rejections);
                    }
                }
                Err(field) => self.binding.reject_missing(row, field, rejections),
            }
        }
    }
}

/// Makes the crate a component of the world `validator` when it is built for Wasm: `sluice_sdk::row_validator!(MyRule);`.
/// The type implements [`RowValidator`].
#[macro_export]
macro_rules! row_validator {
    ($rule:ty) => {
        $crate::validator!($crate::record::ByRow<$rule>);
    };
}
