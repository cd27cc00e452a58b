//! From the configuration of a check to its tests.

use crate::Check;
use crate::bounds::{DecimalBounds, Exact};
use crate::config::CheckConfig;
use crate::test::{Kind, Test};
use sluice_sdk::kernels::pattern::Pattern;
use sluice_sdk::kernels::time::{IsoOptions, parse_date, parse_timestamp};
use sluice_sdk::kernels::{NumberFormat, SmallSet};
use sluice_sdk::{ColumnType, Literal, ReasonId, Setup, nearest};

/// The names of what text can be read as.
const TYPES: [&str; 6] = ["int64", "decimal", "float64", "boolean", "timestamp", "date"];
/// Most members of a set that a reason's text names.
const MOST_NAMED: usize = 8;
/// Longest reason code, by the contract.
const LONGEST_CODE: usize = 64;

/// Compiles the check at `index`; everything wrong with it is told to `setup`.
pub(crate) fn check(config: &CheckConfig, index: usize, setup: &mut Setup<'_>) -> Option<Check> {
    let path = format!("/rules/{index}");
    let expected = expectations(config);
    let read = setup.read(&config.column, &format!("{path}/column"));
    // Without the column its type is not known; what can be told without it is told, as if it were text.
    let ty = read.map_or(ColumnType::Text, |read| read.ty);
    let mut compiler = Compiler { config, path, expected, ty, setup, tests: Vec::new() };
    if compiler.expected.is_empty() {
        compiler.find("", "nothing is asked of the column; add required, not_blank, type, min, max, one_of, not_one_of, matches or length");
    }
    compiler.nulls();
    compiler.reads();
    compiler.set(config.one_of.as_deref(), true);
    compiler.set(config.not_one_of.as_deref(), false);
    compiler.pattern();
    compiler.length();
    if let Some(reason) = &config.reason {
        let path = format!("{}/reason", compiler.path);
        compiler.setup.reason_at(reason, "", &path);
    }
    Some(Check { column: read?.id, tests: compiler.tests })
}

struct Compiler<'a, 's, 'i> {
    config: &'a CheckConfig,
    path: String,
    /// What the check asks for, in words.
    expected: String,
    /// Of the column.
    ty: ColumnType,
    setup: &'s mut Setup<'i>,
    tests: Vec<Test>,
}

/// Two bounds, either of which may be missing.
type Bounds<T> = (Option<T>, Option<T>);

impl<'a> Compiler<'a, '_, '_> {
    fn nulls(&mut self) {
        if self.config.not_blank && self.is_text("not_blank") {
            let reason = self.reason("missing", "is missing or blank");
            self.test(Test::NotBlank(reason));
        } else if self.config.required {
            let reason = self.reason("missing", "is missing");
            self.test(Test::Present(reason));
        }
    }

    /// Type and range.
    fn reads(&mut self) {
        let bounded = self.config.min.is_some() || self.config.max.is_some();
        let ty = self.config.ty.as_deref();
        if let Some(ty) = ty.filter(|ty| !TYPES.contains(ty)) {
            let near = nearest(ty, TYPES).unwrap_or(TYPES[0]);
            let known = TYPES.join(", ");
            return self.find("type", &format!("unknown type `{ty}`; did you mean `{near}`? (known: {known})"));
        }
        if self.ty != ColumnType::Text {
            return self.typed(bounded);
        }
        match ty.or(bounded.then_some("decimal")) {
            Some(ty) => self.text(ty, bounded),
            None if self.config.thousands.is_some() => {
                self.find("thousands", "this needs a type of number; add `\"type\": \"decimal\"`");
            }
            None => {}
        }
    }

    /// A column that is not text.
    fn typed(&mut self, bounded: bool) {
        if self.config.thousands.is_some() {
            self.does_not_fit("thousands", "; only text has separators");
        }
        let holds = match (self.config.ty.as_deref(), self.ty) {
            (None, _) => true,
            (Some("float64"), ty) => matches!(ty, ColumnType::Float64 | ColumnType::Int64),
            (Some("decimal"), ty) => matches!(ty, ColumnType::Decimal(_) | ColumnType::Int64),
            (Some(wanted), ty) => ty.to_string() == wanted,
        };
        if !holds {
            self.does_not_fit("type", " and never of this type; leave `type` out");
        }
        if bounded {
            self.range();
        }
    }

    /// Text that is to read as a type.
    fn text(&mut self, wanted: &str, bounded: bool) {
        let Some(as_a) = self.kind(wanted, bounded) else { return };
        let malformed = self.reason("malformed", &with_article("is not ", wanted));
        let outside = if bounded { self.reason("out_of_range", "is out of range") } else { malformed };
        self.test(Test::Reads { as_a, malformed, outside });
    }

    fn kind(&mut self, wanted: &str, bounded: bool) -> Option<Kind> {
        let is_number = matches!(wanted, "int64" | "decimal" | "float64");
        if !is_number && self.config.thousands.is_some() {
            self.find("thousands", "only numbers have separators");
        }
        match wanted {
            "int64" => {
                let format = NumberFormat { exponent: false, ..self.format()? };
                let (min, max) = self.whole_bounds(0)?;
                Some(Kind::Int64 { format, min: clamp(min), max: clamp(max), bounded })
            }
            "boolean" => {
                if bounded {
                    self.find("min", "a boolean has no range; use one_of");
                }
                Some(Kind::Boolean)
            }
            "timestamp" => {
                let (min, max) = self.time_bounds(read_timestamp, wanted)?;
                Some(Kind::Timestamp { min: clamp(min), max: clamp(max) })
            }
            "date" => {
                let (min, max) = self.time_bounds(read_date, wanted)?;
                let clamp = |days: i128| days.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
                Some(Kind::Date { min: clamp(min), max: clamp(max) })
            }
            _ => {
                let format = self.format()?;
                let (min, max) = self.exact_bounds()?;
                let Some(bounds) = DecimalBounds::new(format, min, max).map(Box::new) else {
                    self.find("max", "min and max have more than 38 digits between them");
                    return None;
                };
                Some(match wanted {
                    "float64" => Kind::Float64 { format, bounds: bounded.then_some(bounds) },
                    _ => Kind::Decimal(bounds),
                })
            }
        }
    }

    fn format(&mut self) -> Option<NumberFormat> {
        let is_separator =
            |byte: u8| byte == b' ' || byte.is_ascii_punctuation() && !matches!(byte, b'.' | b'-' | b'+');
        let thousands = match self.config.thousands.as_deref().map(str::as_bytes) {
            None => None,
            Some(&[byte]) if is_separator(byte) => Some(byte),
            Some(_) => {
                self.find("thousands", "a separator is one ASCII sign such as `,` or a blank, and not `.`, `-` or `+`");
                return None;
            }
        };
        Some(NumberFormat { thousands, ..NumberFormat::LENIENT })
    }

    /// A range over a column of numbers or times.
    fn range(&mut self) {
        let whole = match self.ty {
            ColumnType::Int64 => self.whole_bounds(0),
            ColumnType::Decimal(ty) => self.whole_bounds(ty.scale),
            ColumnType::Timestamp => self.time_bounds(read_timestamp, "timestamp"),
            ColumnType::Date => self.time_bounds(read_date, "date"),
            ColumnType::Float64 => return self.float_range(),
            ColumnType::Boolean | ColumnType::Binary | ColumnType::Text => {
                let place = if self.config.min.is_some() { "min" } else { "max" };
                return self.does_not_fit(place, ", which has no range");
            }
        };
        if let Some((min, max)) = whole {
            let reason = self.reason("out_of_range", "is out of range");
            self.test(Test::Range { min, max, reason });
        }
    }

    fn float_range(&mut self) {
        if let Some((min, max)) = self.exact_bounds() {
            let reason = self.reason("out_of_range", "is out of range");
            let (min, max) = (min.map_or(f64::NEG_INFINITY, Exact::to_f64), max.map_or(f64::INFINITY, Exact::to_f64));
            self.test(Test::FloatRange { min, max, reason });
        }
    }

    /// Bounds as exact numbers. None means that something was found wrong, here and below.
    fn exact_bounds(&mut self) -> Option<Bounds<Exact<'a>>> {
        let config = self.config;
        let mut bounds = [None, None];
        for (place, bound, literal) in [("min", 0, &config.min), ("max", 1, &config.max)] {
            match literal.as_deref().map(Exact::read) {
                None => {}
                Some(Ok(exact)) => bounds[bound] = Some(exact),
                Some(Err(message)) => {
                    self.find(place, &message);
                    return None;
                }
            }
        }
        let [min, max] = bounds;
        self.are_ordered(min.zip(max).is_some_and(|(min, max)| min.is_above(max)));
        Some((min, max))
    }

    /// Bounds in whole units of 10^-`scale`, rounded inwards.
    fn whole_bounds(&mut self, scale: u8) -> Option<(i128, i128)> {
        let (min, max) = self.exact_bounds()?;
        Some((min.map_or(i128::MIN, |min| min.up(scale)), max.map_or(i128::MAX, |max| max.down(scale))))
    }

    /// Bounds of times.
    fn time_bounds(&mut self, read: fn(&str) -> Option<i128>, wanted: &str) -> Option<(i128, i128)> {
        let mut bounds = [i128::MIN, i128::MAX];
        for (place, bound, literal) in [("min", 0, &self.config.min), ("max", 1, &self.config.max)] {
            let Some(literal) = literal else { continue };
            match read(literal) {
                Some(time) => bounds[bound] = time,
                None => {
                    self.is_not(place, literal, wanted);
                    return None;
                }
            }
        }
        self.are_ordered(bounds[0] > bounds[1]);
        Some((bounds[0], bounds[1]))
    }

    fn are_ordered(&mut self, run_backwards: bool) {
        if run_backwards {
            self.find("min", "min is greater than max, so that nothing passes");
        }
    }

    fn set(&mut self, members: Option<&[Literal]>, wanted: bool) {
        let Some(members) = members else { return };
        let (place, code, text) = match wanted {
            true => ("one_of", "not_in_set", "is none of the values that are allowed"),
            false => ("not_one_of", "forbidden", "is a value that is not allowed"),
        };
        if members.is_empty() {
            return self.find(place, "the list is empty; name the values or leave it out");
        }
        let reason = self.reason(code, text);
        if self.ty == ColumnType::Text {
            let set = SmallSet::new(members.iter().map(|member| &member.0));
            return self.test(Test::TextIn { set, wanted, reason });
        }
        if matches!(self.ty, ColumnType::Float64 | ColumnType::Binary) {
            return self.does_not_fit(place, ", which has no sets; use min and max, or coerce it");
        }
        let mut values = Vec::with_capacity(members.len());
        for (i, member) in members.iter().enumerate() {
            match whole_value(&member.0, self.ty) {
                Some(value) => values.push(value.to_le_bytes()),
                None => {
                    let wanted = self.ty.to_string();
                    self.is_not(&format!("{place}/{i}"), &member.0, &wanted);
                }
            }
        }
        self.test(Test::ValueIn { set: SmallSet::new(values), wanted, reason });
    }

    fn pattern(&mut self) {
        let Some(pattern) = self.config.matches.as_deref().filter(|_| self.ty == ColumnType::Text) else {
            if self.config.matches.is_some() {
                self.is_text("matches");
            }
            return;
        };
        match Pattern::new(pattern) {
            Ok(pattern) => {
                let reason = self.reason("malformed", "does not match its pattern");
                self.test(Test::Matches { pattern: Box::new(pattern), reason });
            }
            Err(error) => self.find("matches", &error.to_string()),
        }
    }

    fn length(&mut self) {
        let Some(length) = self.config.length else { return };
        let (min, max) = (length.min.unwrap_or(0), length.max.unwrap_or(u32::MAX));
        if min > max || length.min.is_none() && length.max.is_none() {
            self.find("length", "a length has a min, a max or both, and min is not greater than max");
        }
        if self.is_text("length") {
            let reason = self.reason("length", "has too few or too many characters");
            self.test(Test::Length { min: min as usize, max: max as usize, reason });
        }
    }

    fn is_text(&mut self, place: &str) -> bool {
        let is_text = self.ty == ColumnType::Text;
        if !is_text {
            self.does_not_fit(place, ", and this is for text");
        }
        is_text
    }

    /// The reason of the configuration, or one made of the column and `code`.
    #[inline(never)]
    fn reason(&mut self, code: &str, what: &str) -> ReasonId {
        let config = self.config;
        let column = &config.column;
        let made = match (&config.text, &config.reason) {
            (Some(text), _) => text.clone(),
            (None, Some(_)) => ["`", column, "` is to be ", &self.expected].concat(),
            (None, None) => ["`", column, "` ", what].concat(),
        };
        match &config.reason {
            Some(reason) => self.setup.reason(reason, &made),
            None => self.setup.reason(&derived_code(column, code), &made),
        }
    }

    #[inline(never)]
    fn test(&mut self, test: Test) {
        self.tests.push(test);
    }

    #[inline(never)]
    fn is_not(&mut self, place: &str, literal: &str, wanted: &str) {
        let message = ["`", literal, "` is not ", &with_article("", wanted)].concat();
        self.find(place, &message);
    }

    /// Something is asked that does not fit the column's type.
    #[inline(never)]
    fn does_not_fit(&mut self, place: &str, what: &str) {
        let message = ["column `", &self.config.column, "` is ", &self.ty.to_string(), " here", what].concat();
        self.find(place, &message);
    }

    #[inline(never)]
    fn find(&mut self, place: &str, message: &str) {
        let mark = if place.is_empty() { "" } else { "/" };
        self.setup.find(&[&self.path, mark, place].concat(), message);
    }
}

/// What a check asks for, in words; empty when it asks for nothing.
fn expectations(config: &CheckConfig) -> String {
    let mut parts = String::new();
    add(&mut parts, config.not_blank.then_some("not blank"), "");
    add(&mut parts, (config.required && !config.not_blank).then_some("present"), "");
    add(&mut parts, config.ty.as_deref(), "of type ");
    add(&mut parts, config.min.as_deref(), "at least ");
    add(&mut parts, config.max.as_deref(), "at most ");
    add(&mut parts, named(config.one_of.as_deref()).as_deref(), "one of ");
    add(&mut parts, named(config.not_one_of.as_deref()).as_deref(), "none of ");
    add(&mut parts, config.matches.as_deref(), "matched by ");
    add(&mut parts, config.length.map(|_| "of the right length"), "");
    parts
}

#[inline(never)]
fn add(parts: &mut String, part: Option<&str>, before: &str) {
    if let Some(part) = part {
        for piece in [if parts.is_empty() { "" } else { ", " }, before, part] {
            parts.push_str(piece);
        }
    }
}

fn named(members: Option<&[Literal]>) -> Option<String> {
    let members: Vec<&str> = members?.iter().map(|member| member.0.as_str()).collect();
    Some(if members.len() > MOST_NAMED { format!("{} values", members.len()) } else { members.join(", ") })
}

/// A code of the column's name, brought to the form of codes, and what failed.
fn derived_code(column: &str, failed: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let mut code: String = column.chars().map(fit).take(LONGEST_CODE - 1 - failed.len()).collect();
    code.push('_');
    code.push_str(failed);
    code
}

fn with_article(before: &str, ty: &str) -> String {
    [before, if ty.starts_with('i') { "an " } else { "a " }, ty].concat()
}

fn read_timestamp(text: &str) -> Option<i128> {
    parse_timestamp(text.as_bytes(), &IsoOptions::LENIENT).ok().map(Into::into)
}

fn read_date(text: &str) -> Option<i128> {
    parse_date(text.as_bytes(), true).ok().map(Into::into)
}

/// A member of a set as a whole number of the column's unit.
fn whole_value(text: &str, ty: ColumnType) -> Option<i128> {
    let scale = match ty {
        ColumnType::Int64 => 0,
        ColumnType::Decimal(ty) => ty.scale,
        ColumnType::Timestamp => return read_timestamp(text),
        ColumnType::Date => return read_date(text),
        ColumnType::Boolean => return ["false", "true"].iter().position(|word| *word == text).map(|i| i as i128),
        ColumnType::Float64 | ColumnType::Text | ColumnType::Binary => return None,
    };
    let exact = Exact::read(text).ok()?;
    (exact.up(scale) == exact.down(scale)).then(|| exact.down(scale))
}

fn clamp(value: i128) -> i64 {
    value.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}
