//! Redshift's types, and what they become in PostgreSQL.

use super::tokens::{Token, near, stands};

/// Longest VARCHAR, <https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html>.
pub(crate) const MAX_VARCHAR: u32 = 65_535;
/// Longest CHAR, same page.
const MAX_CHAR: u32 = 4_096;
/// Length of VARCHAR and TEXT columns that name none, same page.
const DEFAULT_VARCHAR: u32 = 256;
/// Most bytes of a VARBYTE, <https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html>.
const MAX_VARBYTE: u32 = 1_024_000;
/// Bytes of VARBYTE columns that name none, same page.
const DEFAULT_VARBYTE: u32 = 64_000;
/// Most digits of a DECIMAL, <https://docs.aws.amazon.com/redshift/latest/dg/r_Numeric_types201.html>.
const MAX_PRECISION: u32 = 38;

/// Where a type stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind the name of a column.
    Column,
    /// In a cast.
    Cast,
}

/// Kinds of types, as far as encodings and keys care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// VARCHAR and CHAR.
    Text,
    /// SMALLINT to BIGINT, DECIMAL.
    Exact,
    /// REAL and DOUBLE PRECISION.
    Float,
    /// BOOLEAN.
    Boolean,
    /// DATE and the timestamps.
    Time,
    /// SUPER.
    Super,
    /// VARBYTE.
    Bytes,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Type {
    /// As PostgreSQL has it.
    pub(crate) text: String,
    /// Most bytes of a value: Redshift counts bytes where PostgreSQL counts characters.
    pub(crate) bytes: Option<u32>,
    /// Kind.
    pub(crate) family: Family,
}

impl Type {
    fn new(text: impl Into<String>, family: Family) -> Self {
        Self { text: text.into(), bytes: None, family }
    }

    /// Whether values are VARCHAR.
    pub(crate) fn is_varchar(&self) -> bool {
        self.text.starts_with("varchar")
    }
}

/// Reads the type at `at`; says where it ends.
pub(crate) fn parse(tokens: &[Token], at: usize, place: Place) -> Result<(Type, usize), String> {
    let token = tokens.get(at).filter(|token| token.is_name()).ok_or_else(|| near(tokens.get(at)))?;
    let name = token.name();
    if stands(tokens, at, &["character", "varying"]) || stands(tokens, at, &["binary", "varying"]) {
        let base = if name == "binary" { "varbyte" } else { "varchar" };
        return sized(base, tokens, at + 2, place);
    }
    if stands(tokens, at, &["double", "precision"]) {
        return Ok((Type::new("double precision", Family::Float), at + 2));
    }
    if let Some(plain) = plain(&name) {
        return Ok((plain, at + 1));
    }
    match name.as_str() {
        "timestamp" | "time" => Ok(zoned(&name, tokens, at + 1)),
        "decimal" | "numeric" => decimal(tokens, at + 1),
        "text" if place == Place::Column => Ok((varchar(DEFAULT_VARCHAR), at + 1)),
        "text" => Ok((Type::new("varchar", Family::Text), at + 1)),
        "varchar" | "nvarchar" | "char" | "character" | "nchar" | "bpchar" | "varbyte" | "varbinary" => {
            sized(&name, tokens, at + 1, place)
        }
        "geometry" | "geography" | "hllsketch" => Err(format!("type \"{name}\" is not imitated by this server")),
        _ => Err(format!("type \"{name}\" does not exist")),
    }
}

fn plain(name: &str) -> Option<Type> {
    Some(match name {
        "smallint" | "int2" => Type::new("smallint", Family::Exact),
        "integer" | "int" | "int4" => Type::new("integer", Family::Exact),
        "bigint" | "int8" => Type::new("bigint", Family::Exact),
        "real" | "float4" => Type::new("real", Family::Float),
        "float" | "float8" => Type::new("double precision", Family::Float),
        "boolean" | "bool" => Type::new("boolean", Family::Boolean),
        "date" => Type::new("date", Family::Time),
        "timestamptz" => Type::new("timestamptz", Family::Time),
        "timetz" => Type::new("timetz", Family::Time),
        "interval" => Type::new("interval", Family::Time),
        "super" => Type::new("jsonb", Family::Super),
        _ => return None,
    })
}

/// `timestamp` or `time`, by itself or with words about the zone.
fn zoned(name: &str, tokens: &[Token], after: usize) -> (Type, usize) {
    if stands(tokens, after, &["with", "time", "zone"]) {
        return (Type::new(format!("{name}tz"), Family::Time), after + 3);
    }
    let zone = stands(tokens, after, &["without", "time", "zone"]);
    (Type::new(name, Family::Time), after + if zone { 3 } else { 0 })
}

/// Numbers in parentheses behind a type; `MAX` is the most that is allowed.
fn arguments(tokens: &[Token], at: usize, max: u32) -> Result<(Vec<u32>, usize), String> {
    if !stands(tokens, at, &["("]) {
        return Ok((vec![], at));
    }
    let mut numbers = vec![];
    let mut at = at + 1;
    loop {
        let token = tokens.get(at);
        let number = token.and_then(|token| if token.is("max") { Some(max) } else { token.text.parse().ok() });
        numbers.push(number.ok_or_else(|| near(token))?);
        match tokens.get(at + 1) {
            Some(token) if token.is(",") => at += 2,
            Some(token) if token.is(")") => return Ok((numbers, at + 2)),
            other => return Err(near(other)),
        }
    }
}

fn decimal(tokens: &[Token], at: usize) -> Result<(Type, usize), String> {
    let (numbers, end) = arguments(tokens, at, MAX_PRECISION)?;
    let precision = numbers.first().copied().unwrap_or(18); // what Redshift takes where none is named
    let scale = numbers.get(1).copied().unwrap_or(0);
    if !(1..=MAX_PRECISION).contains(&precision) {
        return Err(format!("DECIMAL precision {precision} must be between 1 and {MAX_PRECISION}"));
    }
    if scale > precision || numbers.len() > 2 {
        return Err(format!("DECIMAL scale {scale} must be between 0 and precision {precision}"));
    }
    Ok((Type::new(format!("numeric({precision},{scale})"), Family::Exact), end))
}

/// VARCHAR of so many bytes.
pub(crate) fn varchar(bytes: u32) -> Type {
    Type { text: format!("varchar({bytes})"), bytes: Some(bytes), family: Family::Text }
}

fn sized(name: &str, tokens: &[Token], at: usize, place: Place) -> Result<(Type, usize), String> {
    let max = match name {
        "char" | "character" | "nchar" | "bpchar" => MAX_CHAR,
        "varbyte" | "varbinary" => MAX_VARBYTE,
        _ => MAX_VARCHAR,
    };
    let (numbers, end) = arguments(tokens, at, max)?;
    let length = numbers.first().copied();
    if length.is_some_and(|length| length == 0 || length > max) || numbers.len() > 1 {
        let long = if max == MAX_CHAR { "character" } else { "character varying" };
        return Err(format!("length for type {long} must be between 1 and {max}"));
    }
    let ty = match name {
        "varbyte" | "varbinary" => {
            let bytes = length.or((place == Place::Column).then_some(DEFAULT_VARBYTE));
            Type { text: "bytea".to_owned(), bytes, family: Family::Bytes }
        }
        "varchar" | "nvarchar" if length.is_none() && place == Place::Cast => Type::new("varchar", Family::Text),
        "varchar" | "nvarchar" => varchar(length.unwrap_or(DEFAULT_VARCHAR)),
        _ => {
            let bytes = length.unwrap_or(if name == "bpchar" { DEFAULT_VARCHAR } else { 1 });
            Type { text: format!("char({bytes})"), bytes: Some(bytes), family: Family::Text }
        }
    };
    Ok((ty, end))
}

#[cfg(test)]
mod tests {
    use super::super::tokens::lex;
    use super::*;

    fn column(sql: &str) -> Result<Type, String> {
        parse(&lex(sql).expect("tokens"), 0, Place::Column).map(|(ty, _)| ty)
    }

    #[test]
    fn lengths_are_bytes_and_have_limits() {
        assert_eq!(column("VARCHAR(3)").expect("a type").bytes, Some(3));
        assert_eq!(column("varchar(MAX)").expect("a type").bytes, Some(65_535));
        assert_eq!(column("TEXT").expect("a type").text, "varchar(256)");
        assert!(column("varchar(65536)").is_err());
        assert!(column("decimal(39,2)").is_err());
    }

    #[test]
    fn types_of_postgresql_alone_are_refused() {
        for name in ["jsonb", "json", "uuid", "serial", "bytea", "inet", "hstore", "oid8"] {
            assert_eq!(column(name), Err(format!("type \"{name}\" does not exist")));
        }
    }

    #[test]
    fn names_of_many_words_are_read() {
        assert_eq!(column("timestamp with time zone").expect("a type").text, "timestamptz");
        assert_eq!(column("DOUBLE PRECISION").expect("a type").text, "double precision");
        assert_eq!(column("super").expect("a type").text, "jsonb");
        assert_eq!(column("decimal").expect("a type").text, "numeric(18,0)");
    }
}
