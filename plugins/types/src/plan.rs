//! What a column's configuration means, checked once.

use crate::config;
use crate::float;
use crate::moment::Form;
use sluice_sdk::kernels::time::EpochUnit;
use sluice_sdk::kernels::{DecimalTarget, Excess, NumberFormat, trim};
use sluice_sdk::{ColumnId, ColumnType, Literal, ReasonId, Setup};

/// One column, ready to be converted.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) column: ColumnId,
    pub(crate) trim: bool,
    /// Texts that become null.
    pub(crate) nulls: Vec<String>,
    /// Whether nulls reject the row.
    pub(crate) required: bool,
    pub(crate) target: Target,
    pub(crate) malformed: ReasonId,
    pub(crate) out_of_range: ReasonId,
}

/// What a column becomes. Ranges are inclusive.
#[derive(Debug)]
pub(crate) enum Target {
    Text,
    Int64(NumberFormat, Range<i64>),
    Float64(NumberFormat, Range<f64>),
    Decimal(NumberFormat, DecimalTarget, Range<i128>),
    Boolean {
        true_values: Vec<String>,
        false_values: Vec<String>,
    },
    Timestamp(Vec<Form>, Range<i64>),
    Date(Vec<Form>, Range<i32>),
    /// An int64 column of numbers since the epoch.
    FromEpoch(EpochUnit, Range<i64>),
}

/// Smallest and largest value, where there are such.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range<T> {
    min: Option<T>,
    max: Option<T>,
}

impl<T: PartialOrd> Range<T> {
    #[inline(always)]
    pub(crate) fn has(&self, value: &T) -> bool {
        self.min.as_ref().is_none_or(|min| value >= min) && self.max.as_ref().is_none_or(|max| value <= max)
    }
}

impl Plan {
    /// Checks a column's configuration and declares what it takes; what is wrong goes to `setup`.
    pub(crate) fn new(name: &str, config: &config::Column, setup: &mut Setup<'_>) -> Option<Self> {
        let mut planner = Planner { name, config, setup };
        let ty = planner.column_type();
        let column = ty.and_then(|ty| planner.source(ty));
        if let Some(ty) = ty {
            planner.refuse_what_means_nothing(ty);
        }
        let (malformed, out_of_range) = planner.reasons(ty);
        let target = planner.target(ty?, column.map(|(_, ty)| ty));
        let (column, _) = column?;
        setup.replaces(name, ty?, !config.required);
        let trim = config.trim.unwrap_or(ty != Some(ColumnType::Text));
        Some(Self {
            column,
            trim,
            nulls: config.nulls.clone(),
            required: config.required,
            target: target?,
            malformed,
            out_of_range,
        })
    }
}

/// A column's configuration while it is checked.
struct Planner<'c, 's, 'i> {
    name: &'c str,
    config: &'c config::Column,
    setup: &'s mut Setup<'i>,
}

impl Planner<'_, '_, '_> {
    fn at(&self, key: &str) -> String {
        Setup::pointer(&["columns", self.name, key])
    }

    fn find(&mut self, key: &str, message: String) {
        let at = self.at(key);
        self.setup.find(&at, message);
    }

    fn column_type(&mut self) -> Option<ColumnType> {
        let Some(text) = &self.config.to else { return Some(ColumnType::Text) };
        match text.parse() {
            Ok(ColumnType::Binary) => self.find("to", "a text does not become binary; leave it as text".to_owned()),
            Ok(ty) => return Some(ty),
            Err(unknown) => self.find("to", unknown.to_string()),
        }
        None
    }

    /// The column that is read and its type: text, or numbers of an epoch.
    fn source(&mut self, ty: ColumnType) -> Option<(ColumnId, ColumnType)> {
        let path = Setup::pointer(&["columns", self.name]);
        let numbers = ty == ColumnType::Timestamp && self.config.epoch.is_some();
        let wanted = if numbers { "text or int64" } else { "text" };
        let fits = |found| found == ColumnType::Text || numbers && found == ColumnType::Int64;
        self.setup.read_if(self.name, &path, wanted, fits).map(|read| (read.id, read.ty))
    }

    fn reasons(&mut self, ty: Option<ColumnType>) -> (ReasonId, ReasonId) {
        let default = format!("{}_malformed", code(self.name));
        let to = ty.map_or_else(String::new, |ty| ty.to_string());
        let text = format!("`{}` cannot be read as {to}", self.name);
        let path = self.at("reason");
        let malformed = self.setup.reason_at(self.config.reason.as_deref().unwrap_or(&default), &text, &path);
        let Some(code) = &self.config.range_reason else { return (malformed, malformed) };
        let path = self.at("range_reason");
        let bound = |bound: &Option<Literal>| bound.as_ref().map_or("..".to_owned(), |text| text.0.clone());
        let (min, max) = (bound(&self.config.min), bound(&self.config.max));
        let text = format!("`{}` is not between {min} and {max}", self.name);
        (malformed, self.setup.reason_at(code, &text, &path))
    }

    /// Settings that the target type takes no notice of are mistakes.
    fn refuse_what_means_nothing(&mut self, ty: ColumnType) {
        use ColumnType::{Boolean, Date, Decimal, Float64, Int64, Text, Timestamp};
        let c = self.config;
        let number = matches!(ty, Int64 | Float64 | Decimal(_));
        let fraction = matches!(ty, Float64 | Decimal(_));
        let range = !matches!(ty, Boolean | Text);
        let settings = [
            ("thousands", c.thousands.is_some(), number),
            ("point", c.point.is_some(), fraction),
            ("exponent", c.exponent.is_some(), fraction),
            ("on_excess_scale", c.on_excess_scale.is_some(), matches!(ty, Decimal(_))),
            ("min", c.min.is_some(), range),
            ("max", c.max.is_some(), range),
            ("range_reason", c.range_reason.is_some(), c.min.is_some() || c.max.is_some()),
            ("formats", !c.formats.is_empty(), matches!(ty, Timestamp | Date) && c.epoch.is_none()),
            ("timezone_required", c.timezone_required.is_some(), ty == Timestamp && c.epoch.is_none()),
            ("epoch", c.epoch.is_some(), ty == Timestamp),
            ("true", c.true_values.is_some(), ty == Boolean),
            ("false", c.false_values.is_some(), ty == Boolean),
        ];
        for (key, set, means) in settings {
            if set && !means {
                self.find(key, format!("`{key}` means nothing for {ty} with these settings; leave it out"));
            }
        }
    }

    fn target(&mut self, ty: ColumnType, source: Option<ColumnType>) -> Option<Target> {
        Some(match ty {
            ColumnType::Text | ColumnType::Binary => Target::Text,
            ColumnType::Int64 => {
                let format = self.number_format()?;
                Target::Int64(format, self.range(&|text| format.parse_i64(text).ok())?)
            }
            ColumnType::Float64 => {
                let format = self.number_format()?;
                Target::Float64(format, self.range(&|text| float::parse(&format, text))?)
            }
            ColumnType::Decimal(ty) => {
                let format = self.number_format()?;
                let choices = [("reject", Excess::Refuse), ("round", Excess::HalfEven)];
                let excess = self.choice("on_excess_scale", self.config.on_excess_scale.as_deref(), &choices)?;
                let excess = excess.unwrap_or(Excess::Refuse);
                let target = DecimalTarget::new(ty.precision, ty.scale, excess);
                let exact = DecimalTarget::new(38, ty.scale, Excess::Refuse);
                Target::Decimal(format, target, self.range(&|text| format.parse_decimal(text, &exact).ok())?)
            }
            ColumnType::Boolean => self.boolean()?,
            ColumnType::Timestamp => self.timestamp(source)?,
            ColumnType::Date => {
                let forms = self.forms()?;
                let range = self.range(&|text| forms.iter().find_map(|form| form.date(text)))?;
                Target::Date(forms, range)
            }
        })
    }

    fn number_format(&mut self) -> Option<NumberFormat> {
        let thousands = self.character("thousands", self.config.thousands.as_deref());
        let point = self.character("point", self.config.point.as_deref());
        let format = NumberFormat {
            plus: true,
            thousands: thousands?,
            point: point?.unwrap_or(b'.'),
            exponent: self.config.exponent.unwrap_or(false),
            ..NumberFormat::STRICT
        };
        if format.thousands == Some(format.point) {
            self.find("thousands", "`thousands` and `point` are the same; give one another character".to_owned());
            return None;
        }
        Some(format)
    }

    /// One ASCII character that is no part of a number itself.
    fn character(&mut self, key: &str, text: Option<&str>) -> Option<Option<u8>> {
        match text.map(str::as_bytes) {
            None => Some(None),
            Some(&[byte]) if !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'-') => Some(Some(byte)),
            Some(_) => {
                self.find(key, format!("`{key}` is one ASCII character that is no digit, letter or sign"));
                None
            }
        }
    }

    /// Smallest and largest value, read as the column's values are.
    fn range<T: PartialOrd + Copy>(&mut self, read: &dyn Fn(&[u8]) -> Option<T>) -> Option<Range<T>> {
        let config = self.config;
        let min = self.bound("min", config.min.as_ref(), read)?;
        let max = self.bound("max", config.max.as_ref(), read)?;
        if min.zip(max).is_some_and(|(min, max)| min > max) {
            self.find("min", "`min` is larger than `max`; no value would pass".to_owned());
            return None;
        }
        Some(Range { min, max })
    }

    #[inline(never)]
    fn bound<T>(
        &mut self,
        key: &str,
        literal: Option<&Literal>,
        read: &dyn Fn(&[u8]) -> Option<T>,
    ) -> Option<Option<T>> {
        let Some(Literal(text)) = literal else { return Some(None) };
        let value = read(trim(text.as_bytes()));
        if value.is_none() {
            self.find(key, format!("`{text}` is no value of this column"));
        }
        value.map(Some)
    }

    /// One of a few names. None where none is given; what is no name is a finding.
    fn choice<T: Copy>(&mut self, key: &str, given: Option<&str>, choices: &[(&str, T)]) -> Option<Option<T>> {
        let Some(given) = given else { return Some(None) };
        let chosen = choices.iter().find(|(name, _)| *name == given).map(|&(_, choice)| Some(choice));
        if chosen.is_none() {
            let known: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.find(key, format!("unknown value `{given}`; known: {}", known.join(", ")));
        }
        chosen
    }

    fn boolean(&mut self) -> Option<Target> {
        let texts = |given: &Option<Vec<Literal>>, default: &str| match given {
            Some(texts) => texts.iter().map(|text| text.0.clone()).collect(),
            None => vec![default.to_owned()],
        };
        let true_values: Vec<String> = texts(&self.config.true_values, "true");
        let false_values: Vec<String> = texts(&self.config.false_values, "false");
        let both = true_values.iter().find(|text| false_values.iter().any(|other| text.eq_ignore_ascii_case(other)));
        if let Some(both) = both {
            self.find("true", format!("`{both}` is both true and false; let it stand in one of them"));
            return None;
        }
        Some(Target::Boolean { true_values, false_values })
    }

    fn timestamp(&mut self, source: Option<ColumnType>) -> Option<Target> {
        let units = [
            ("seconds", EpochUnit::Seconds),
            ("millis", EpochUnit::Millis),
            ("micros", EpochUnit::Micros),
            ("nanos", EpochUnit::Nanos),
        ];
        let Some(unit) = self.choice("epoch", self.config.epoch.as_deref(), &units)? else {
            let forms = self.forms()?;
            let range = self.range(&|text| forms.iter().find_map(|form| form.timestamp(text)))?;
            return Some(Target::Timestamp(forms, range));
        };
        let form = Form::epoch(unit);
        let range = self.range(&|text| form.timestamp(text))?;
        Some(match source {
            Some(ColumnType::Int64) => Target::FromEpoch(unit, range),
            _ => Target::Timestamp(vec![form], range),
        })
    }

    fn forms(&mut self) -> Option<Vec<Form>> {
        let timezone_required = self.config.timezone_required.unwrap_or(false);
        if self.config.formats.is_empty() {
            return Some(vec![Form::named("iso", timezone_required).ok()?]);
        }
        let mut forms = Vec::new();
        for (index, name) in self.config.formats.iter().enumerate() {
            match Form::named(name, timezone_required) {
                Ok(form) => forms.push(form),
                Err(message) => {
                    let at = format!("{}/{index}", self.at("formats"));
                    self.setup.find(&at, message);
                }
            }
        }
        (forms.len() == self.config.formats.len()).then_some(forms)
    }
}

/// A column's name as part of a reason code.
fn code(name: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.chars().map(|c| c.to_ascii_lowercase()).map(|c| if fits(c) { c } else { '_' }).collect()
}
