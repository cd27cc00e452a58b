//! The types of `wit/rules.wit` as wasmtime lowers and lifts them.
//!
//! Written out rather than generated: what goes in borrows Arrow's buffers and what comes back owns its lists, which
//! the generator offers only by doubling every type, once for each world. That the shapes agree with `wit/` is checked
//! by wasmtime whenever a component is loaded; the tests load one of each world that was built against `wit/`.

use sluice_batch::{ColumnType, Field};
use sluice_ports::RuleKind;
use wasmtime::component::{ComponentType, Lift, Lower};

/// `types.decimal-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WireDecimal {
    precision: u8,
    scale: u8,
}

/// `types.column-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum WireType {
    #[component(name = "boolean")]
    Boolean,
    #[component(name = "int64")]
    Int64,
    #[component(name = "float64")]
    Float64,
    #[component(name = "decimal")]
    Decimal(WireDecimal),
    #[component(name = "timestamp")]
    Timestamp,
    #[component(name = "date")]
    Date,
    #[component(name = "text")]
    Text,
    #[component(name = "binary")]
    Binary,
}

impl From<ColumnType> for WireType {
    fn from(ty: ColumnType) -> Self {
        match ty {
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Int64 => Self::Int64,
            ColumnType::Float64 => Self::Float64,
            ColumnType::Decimal { precision, scale } => Self::Decimal(WireDecimal { precision, scale }),
            ColumnType::Timestamp => Self::Timestamp,
            ColumnType::Date => Self::Date,
            ColumnType::Text => Self::Text,
            ColumnType::Binary => Self::Binary,
        }
    }
}

impl WireType {
    /// The host's type, where the digits of a decimal are within 1 <= precision <= 38 and scale <= precision.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(crate) fn check(self) -> Result<ColumnType, String> {
        Ok(match self {
            Self::Boolean => ColumnType::Boolean,
            Self::Int64 => ColumnType::Int64,
            Self::Float64 => ColumnType::Float64,
            Self::Timestamp => ColumnType::Timestamp,
            Self::Date => ColumnType::Date,
            Self::Text => ColumnType::Text,
            Self::Binary => ColumnType::Binary,
            Self::Decimal(WireDecimal { precision, scale }) => {
                if !(1..=38).contains(&precision) || scale > precision {
                    return Err(format!(
                        "`decimal({precision},{scale})` is no type; precision is 1 to 38 and scale up to the precision"
                    ));
                }
                ColumnType::Decimal { precision, scale }
            }
        })
    }
}

/// `types.var-bytes`, lowered from borrowed buffers.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct VarBytesIn<'a> {
    pub(crate) offsets: &'a [u32],
    pub(crate) bytes: &'a [u8],
}

/// `types.values`, lowered from borrowed buffers.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(variant)]
pub(crate) enum ValuesIn<'a> {
    #[component(name = "boolean")]
    Boolean(&'a [u8]),
    #[component(name = "int64")]
    Int64(&'a [i64]),
    #[component(name = "float64")]
    Float64(&'a [f64]),
    #[component(name = "decimal")]
    Decimal(&'a [u64]),
    #[component(name = "timestamp")]
    Timestamp(&'a [i64]),
    #[component(name = "date")]
    Date(&'a [i32]),
    #[component(name = "text")]
    Text(VarBytesIn<'a>),
    #[component(name = "binary")]
    Binary(VarBytesIn<'a>),
}

/// `types.column`, lowered from borrowed buffers.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct ColumnIn<'a> {
    pub(crate) validity: &'a [u8],
    pub(crate) values: ValuesIn<'a>,
}

/// `types.batch`, lowered from borrowed buffers.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct BatchIn<'a> {
    pub(crate) rows: u32,
    pub(crate) columns: &'a [ColumnIn<'a>],
}

/// `types.field`, lowered.
#[derive(Debug, Clone, ComponentType, Lower)]
#[component(record)]
pub(crate) struct FieldIn<'a> {
    name: &'a str,
    ty: WireType,
    nullable: bool,
}

impl<'a> From<&'a Field> for FieldIn<'a> {
    fn from(field: &'a Field) -> Self {
        Self { name: &field.name, ty: field.ty.into(), nullable: field.nullable }
    }
}

/// `types.var-bytes`, lifted; lowered where the host answers a call of the rule.
#[derive(Debug, Clone, PartialEq, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct VarBytesOut {
    pub(crate) offsets: Vec<u32>,
    pub(crate) bytes: Vec<u8>,
}

/// `types.values`, lifted.
#[derive(Debug, Clone, PartialEq, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum ValuesOut {
    #[component(name = "boolean")]
    Boolean(Vec<u8>),
    #[component(name = "int64")]
    Int64(Vec<i64>),
    #[component(name = "float64")]
    Float64(Vec<f64>),
    #[component(name = "decimal")]
    Decimal(Vec<u64>),
    #[component(name = "timestamp")]
    Timestamp(Vec<i64>),
    #[component(name = "date")]
    Date(Vec<i32>),
    #[component(name = "text")]
    Text(VarBytesOut),
    #[component(name = "binary")]
    Binary(VarBytesOut),
}

impl ValuesOut {
    /// The case's name, for error text.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "boolean",
            Self::Int64(_) => "int64",
            Self::Float64(_) => "float64",
            Self::Decimal(_) => "decimal",
            Self::Timestamp(_) => "timestamp",
            Self::Date(_) => "date",
            Self::Text(_) => "text",
            Self::Binary(_) => "binary",
        }
    }
}

/// `types.column`, lifted.
#[derive(Debug, Clone, PartialEq, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct ColumnOut {
    pub(crate) validity: Vec<u8>,
    pub(crate) values: ValuesOut,
}

/// `verdicts.rejections`, lifted.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
pub(crate) struct RejectionsOut {
    pub(crate) rows: Vec<u32>,
    pub(crate) codes: Vec<u32>,
    pub(crate) columns: Vec<u32>,
}

/// `transform.changes`, lifted.
#[derive(Debug, Clone, PartialEq, ComponentType, Lift)]
#[component(record)]
pub(crate) struct ChangesOut {
    pub(crate) rejections: RejectionsOut,
    pub(crate) columns: Vec<ColumnOut>,
}

/// `rule.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by lifting, from the number of the case")]
pub(crate) enum WireKind {
    #[component(name = "validate")]
    Validate,
    #[component(name = "redact")]
    Redact,
    #[component(name = "coerce")]
    Coerce,
    #[component(name = "aggregate")]
    Aggregate,
}

impl From<WireKind> for RuleKind {
    fn from(kind: WireKind) -> Self {
        match kind {
            WireKind::Validate => Self::Validate,
            WireKind::Redact => Self::Redact,
            WireKind::Coerce => Self::Coerce,
            WireKind::Aggregate => Self::Aggregate,
        }
    }
}

/// `rule.description`, lifted.
#[derive(Debug, Clone, ComponentType, Lift)]
#[component(record)]
pub(crate) struct DescriptionOut {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) kind: WireKind,
    pub(crate) summary: String,
    #[component(name = "config-schema")]
    pub(crate) config_schema: String,
}

/// `rule.effect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by lifting, from the number of the case")]
pub(crate) enum WireEffect {
    #[component(name = "replaces")]
    Replaces,
    #[component(name = "adds")]
    Adds,
}

/// `rule.output`, lifted.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
pub(crate) struct OutputOut {
    pub(crate) name: String,
    pub(crate) ty: WireType,
    pub(crate) nullable: bool,
    pub(crate) effect: WireEffect,
}

/// `rule.reason`, lifted.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
pub(crate) struct ReasonOut {
    pub(crate) code: String,
    pub(crate) text: String,
}

/// `rule.signature`, lifted.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
pub(crate) struct SignatureOut {
    pub(crate) reads: Vec<String>,
    pub(crate) outputs: Vec<OutputOut>,
    pub(crate) reasons: Vec<ReasonOut>,
    pub(crate) partials: Vec<WireType>,
}

/// `rule.finding`, lifted.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
pub(crate) struct FindingOut {
    pub(crate) path: String,
    pub(crate) message: String,
}

/// `log.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by lifting, from the number of the case")]
pub(crate) enum WireLevel {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// `types.field`, lowered from what is owned: an answer of the host.
#[derive(Debug, Clone, ComponentType, Lower)]
#[component(record)]
pub(crate) struct FieldOut {
    name: String,
    ty: WireType,
    nullable: bool,
}

impl From<&Field> for FieldOut {
    fn from(field: &Field) -> Self {
        Self { name: field.name.clone(), ty: field.ty.into(), nullable: field.nullable }
    }
}

/// `lookup.table`.
#[derive(Debug, Clone, ComponentType, Lower)]
#[component(record)]
pub(crate) struct TableOut {
    pub(crate) name: String,
    pub(crate) key: Vec<FieldOut>,
    pub(crate) columns: Vec<FieldOut>,
}

/// `lookup.answer`.
#[derive(Debug, Clone, PartialEq, ComponentType, Lower)]
#[component(record)]
pub(crate) struct AnswerOut {
    pub(crate) found: Vec<u8>,
    pub(crate) columns: Vec<ColumnOut>,
}

/// Names of the interfaces, as they stand in a component.
pub(crate) mod names {
    /// Capability: log lines.
    pub(crate) const LOG: &str = "sluice:rules/log@0.1.0";
    /// Capability: reference tables.
    pub(crate) const LOOKUP: &str = "sluice:rules/lookup@0.1.0";
    /// Capability: keyed pseudonyms.
    pub(crate) const TOKEN: &str = "sluice:rules/token@0.1.0";
    /// Interfaces that hold types and no functions.
    pub(crate) const TYPES: [&str; 2] = ["sluice:rules/types@0.1.0", "sluice:rules/verdicts@0.1.0"];
    /// Exported by every rule.
    pub(crate) const RULE: &str = "sluice:rules/rule@0.1.0";
    /// Exported by validators.
    pub(crate) const VALIDATE: &str = "sluice:rules/validate@0.1.0";
    /// Exported by redactors and coercers.
    pub(crate) const TRANSFORM: &str = "sluice:rules/transform@0.1.0";
    /// Exported by aggregators.
    pub(crate) const AGGREGATE: &str = "sluice:rules/aggregate@0.1.0";
}
