//! Forms of text: names, types, ranges of versions, partitions.

pub(crate) mod aws;

use crate::plan::{Partition, PartitionOf};
use crate::shape::Text;
use crate::suggest::nearest;
use semver::VersionReq;
use sluice_batch::ColumnType;

/// Longest name of a dataset, step, rule or reason, in bytes. That of rules and reasons is pinned by the rule contract.
const MAX_NAME: usize = 64;
/// Longest column name, in bytes: that of Redshift (<https://docs.aws.amazon.com/redshift/latest/dg/r_names.html>).
const MAX_COLUMN: usize = 127;

/// Any text that is not blank.
pub(crate) static FREE: Text = Text {
    what: "text",
    pattern: "\\S",
    check: |text| if text.trim().is_empty() { Err("expected text, found only blanks".into()) } else { Ok(()) },
};

/// A path on disk.
pub(crate) static PATH: Text = Text { what: "a path", pattern: "\\S", check: FREE.check };

/// A dataset, step or rule.
pub(crate) static NAME: Text =
    Text { what: "a name", pattern: "^[a-z][a-z0-9-]{0,63}$", check: |text| check_name(text, '-') };

/// A gold or a code: they become tables and columns of SQL.
pub(crate) static SQL_NAME: Text =
    Text { what: "a name", pattern: "^[a-z_][a-z0-9_]{0,63}$", check: |text| check_name(text, '_') };

/// The name of an aggregate.
pub(crate) static GOLD_NAME: Text = Text { what: "a name", pattern: SQL_NAME.pattern, check: check_gold_name };

/// The name of a new column.
pub(crate) static COLUMN: Text =
    Text { what: "a column name", pattern: "^[a-z_][a-z0-9_]{0,126}$", check: check_column };

/// The name of a column that exists; whether it does is seen later.
pub(crate) static COLUMN_REF: Text = Text { what: "a column name", pattern: "\\S", check: FREE.check };

/// The type of a column as it arrives.
pub(crate) static TYPE: Text = Text {
    what: "a type",
    pattern: "^(boolean|int64|float64|decimal\\([0-9]+, *[0-9]+\\)|timestamp|date|text|binary|json)$",
    check: |text| parse_type(text).map(drop),
};

/// Where in a record a column comes from.
pub(crate) static FROM: Text =
    Text { what: "a field, or a path of names joined by points", pattern: "\\S", check: check_from };

/// A kind of personal data.
pub(crate) static PII: Text = Text {
    what: "a kind of personal data (`email`, `phone`, `name`, `id`)",
    pattern: SQL_NAME.pattern,
    check: |text| check_name(text, '_'),
};

/// A rule with a range of versions.
pub(crate) static RULE: Text = Text {
    what: "a rule with a range of versions, like `checks@^1`",
    pattern: "^[a-z][a-z0-9-]{0,63}@.+$",
    check: |text| parse_rule(text).map(drop),
};

/// A partition.
pub(crate) static PARTITION: Text = Text {
    what: "a column, or year, month, day or hour of one, like `day(ts)`",
    pattern: "^[a-z_][a-z0-9_]*$|^(year|month|day|hour)\\([a-z_][a-z0-9_]*\\)$",
    check: |text| parse_partition(text).map(drop),
};

/// The name of a reference table that exists; whether it does is seen later.
pub(crate) static LOOKUP_REF: Text = Text { what: "the name of a reference table", pattern: "\\S", check: FREE.check };

/// A file with a table.
pub(crate) static TABLE_FILE: Text = Text {
    what: "a path that ends with `.csv` or `.parquet`",
    pattern: "[.](csv|parquet)$",
    check: |text| {
        if text.ends_with(".csv") || text.ends_with(".parquet") {
            return Ok(());
        }
        Err(format!("`{}` is not the path of a table; it ends with `.csv` or `.parquet`", text.escape_debug()))
    },
};

/// A public key that rules are signed with: 32 bytes, of which the last of 43 digits of base64 holds four bits.
pub(crate) static PUBLIC_KEY: Text = Text {
    what: "a public key (`ed25519:` and 44 characters of base64)",
    pattern: "^ed25519:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$",
    check: check_public_key,
};

/// One character of ASCII that ends no line.
pub(crate) static BYTE: Text = Text {
    what: "one character",
    pattern: "^[\\t -~]$",
    check: |text| match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Ok(()),
        _ => Err(format!(
            "`{}` is not one ASCII character; write one, in double quotes where YAML needs them (`\",\"`, `\"\\t\"`)",
            text.escape_debug()
        )),
    },
};

/// An environment variable.
pub(crate) static ENV_VAR: Text = Text {
    what: "the name of an environment variable",
    pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
    check: |text| {
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if begins && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Ok(());
        }
        Err(format!("`{text}` cannot name an environment variable; write letters, digits and `_` (`SLUICE_TOKEN_KEY`)"))
    },
};

fn check_public_key(text: &str) -> Result<(), String> {
    let key = text.strip_prefix("ed25519:").and_then(|key| key.strip_suffix('=')).unwrap_or_default();
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    if key.len() == 43 && key.bytes().all(is_digit) && key.ends_with(|c| "AEIMQUYcgkosw048".contains(c)) {
        return Ok(());
    }
    Err(format!(
        "`{}` is not a public key; write `ed25519:` and its 44 characters of base64, as `sluice plugin keygen` prints it",
        text.escape_debug()
    ))
}

fn check_name(text: &str, joint: char) -> Result<(), String> {
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || (joint == '_' && c == '_'));
    if begins && text.len() <= MAX_NAME && text.chars().all(|c| is_name_char(c, joint)) {
        return Ok(());
    }
    let form = format!("lower-case letters, digits and `{joint}`, beginning with a letter, at most {MAX_NAME} bytes");
    let way_out = respelled(text, joint).map_or(String::new(), |name| format!("; write `{name}`"));
    Err(format!("`{text}` is not a name of the form expected here ({form}){way_out}"))
}

/// `silver` and the like are tables and folders of their own.
fn check_gold_name(text: &str) -> Result<(), String> {
    check_name(text, '_')?;
    if ["bronze", "silver", "gold", "quarantine", "late"].contains(&text) || text.starts_with("_sluice") {
        return Err(format!("`{text}` is the name of a layer; give the aggregate another"));
    }
    Ok(())
}

fn is_name_char(c: char, joint: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == joint
}

/// The name that was probably meant: `InvoiceNo` gives `invoice_no`.
pub(crate) fn respelled(text: &str, joint: char) -> Option<String> {
    if text.chars().any(|c| c.is_alphanumeric() && !c.is_ascii()) {
        return None;
    }
    let mut name = String::new();
    let mut last = ' ';
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() {
            name.push(joint);
        } else {
            if c.is_ascii_uppercase() && (last.is_ascii_lowercase() || last.is_ascii_digit()) {
                name.push(joint);
            }
            name.push(c.to_ascii_lowercase());
        }
        last = c;
    }
    let parts: Vec<&str> = name.split(joint).filter(|part| !part.is_empty()).collect();
    let name = parts.join(&joint.to_string());
    let fits = name.len() <= MAX_NAME && name.starts_with(|c: char| c.is_ascii_lowercase()) && name != text;
    fits.then_some(name)
}

/// A column of the schema: its name can be chosen apart from its field's.
fn check_column(text: &str) -> Result<(), String> {
    check_new_column(text, |name| format!("name it `{name}` and say where it comes from: `from: {text}`"))
}

/// A column that a step adds.
pub(crate) fn check_added_column(text: &str) -> Result<(), String> {
    check_new_column(text, |name| format!("write `{name}`"))
}

fn check_new_column(text: &str, way_out: impl Fn(String) -> String) -> Result<(), String> {
    if text.starts_with("_sluice") || text == "_extra" {
        let what = "names that begin with `_sluice`, and `_extra`, are the host's";
        return Err(format!("column `{text}`: {what}; choose another"));
    }
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if begins && text.len() <= MAX_COLUMN && text.chars().all(|c| is_name_char(c, '_')) {
        return Ok(());
    }
    let form = format!("lower-case letters, digits and `_`, not beginning with a digit, at most {MAX_COLUMN} bytes");
    let way_out = respelled(text, '_').map_or(String::new(), |name| format!("; {}", way_out(name)));
    Err(format!("`{text}` is not a column name ({form}){way_out}"))
}

/// Reads a type as it arrives: `json` is text that holds any JSON value.
pub(crate) fn parse_type(text: &str) -> Result<(ColumnType, bool), String> {
    if text == "json" {
        return Ok((ColumnType::Text, true));
    }
    let known = "known types: boolean, int64, float64, decimal(P,S), timestamp, date, text, binary, json";
    text.parse::<ColumnType>().map(|ty| (ty, false)).map_err(|_| match meant_type(text) {
        Some(ty) => format!("unknown type `{text}`; did you mean `{ty}`?"),
        None if text.starts_with("decimal") => {
            format!(
                "`{text}` is not a decimal type; write `decimal(P,S)`: P digits in all (1 to 38), S of them after \
            the point (0 to P)"
            )
        }
        None => format!("unknown type `{text}`; {known}"),
    })
}

/// Names that the types have elsewhere.
fn meant_type(text: &str) -> Option<&'static str> {
    let folded = text.to_ascii_lowercase();
    Some(match folded.as_str() {
        "string" | "str" | "varchar" | "char" | "utf8" => "text",
        "int" | "integer" | "bigint" | "smallint" | "long" | "i64" | "int32" => "int64",
        "float" | "double" | "real" | "f64" | "number" => "float64",
        "bool" => "boolean",
        "datetime" | "timestamptz" | "time" => "timestamp",
        "numeric" | "decimal" => "decimal(18,2)",
        "bytes" | "blob" | "varbyte" => "binary",
        "object" | "array" | "list" | "map" | "struct" | "super" => "json",
        _ => {
            let names = ["boolean", "int64", "float64", "timestamp", "date", "text", "binary", "json"];
            return nearest(&folded, names);
        }
    })
}

fn check_from(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("`from` is empty; name the field, or leave `from` out where it has the column's name".into());
    }
    Ok(())
}

/// Reads `name@range`. The range is as in Cargo.
pub(crate) fn parse_rule(text: &str) -> Result<(&str, &str), String> {
    let Some((name, range)) = text.split_once('@') else {
        return Err(format!("`{text}` lacks a range of versions; write `{text}@^1`"));
    };
    check_name(name, '-')?;
    let range = range.trim();
    let example = format!("write one as in Cargo: `{name}@^1`, `{name}@>=1.2, <2`");
    if range.is_empty() {
        return Err(format!("`{text}` lacks a range of versions after the `@`; {example}"));
    }
    VersionReq::parse(range).map_err(|e| format!("`{range}` is not a range of versions ({e}); {example}"))?;
    Ok((name, range))
}

/// Reads `country` or `day(ts)`.
pub(crate) fn parse_partition(text: &str) -> Result<Partition, String> {
    let Some((function, rest)) = text.split_once('(') else {
        return Ok(Partition { column: text.to_owned(), of: PartitionOf::Value });
    };
    let column = rest.strip_suffix(')').map(str::trim).filter(|column| !column.is_empty());
    let column =
        column.ok_or_else(|| format!("`{text}` is not a partition; write a column (`country`) or `day(ts)`"))?;
    let of = match function.trim() {
        "year" => PartitionOf::Year,
        "month" => PartitionOf::Month,
        "day" => PartitionOf::Day,
        "hour" => PartitionOf::Hour,
        other => {
            let way_out = crate::suggest::way_out(other, ["year", "month", "day", "hour"], "parts of a time");
            return Err(format!("unknown part `{other}` of a time{way_out}"));
        }
    };
    Ok(Partition { column: column.to_owned(), of })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_source_systems_are_respelled() {
        for (given, name) in [
            ("InvoiceNo", "invoice_no"),
            ("CustomerID", "customer_id"),
            ("Unit Price", "unit_price"),
            ("PM2.5", "pm2_5"),
            ("data.temp", "data_temp"),
        ] {
            assert_eq!(respelled(given, '_').as_deref(), Some(name));
            assert_eq!(check_column(name), Ok(()));
        }
    }

    #[test]
    fn a_type_of_another_system_is_translated() {
        assert!(parse_type("VARCHAR").unwrap_err().ends_with("did you mean `text`?"));
        assert!(parse_type("timestmap").unwrap_err().ends_with("did you mean `timestamp`?"));
        assert!(parse_type("decimal(40,2)").unwrap_err().contains("1 to 38"));
        assert_eq!(parse_type("decimal(18, 2)"), Ok((ColumnType::Decimal { precision: 18, scale: 2 }, false)));
    }

    #[test]
    fn rules_need_a_range() {
        assert_eq!(parse_rule("checks@>=1.2, <2"), Ok(("checks", ">=1.2, <2")));
        for bad in ["checks", "checks@", "checks@one", "Checks@1", "@1"] {
            assert!(parse_rule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn column_names_end_at_127_bytes() {
        assert_eq!(check_column(&"c".repeat(127)), Ok(()));
        assert!(check_column(&"c".repeat(128)).is_err());
    }

    proptest! {
        #[test]
        fn a_respelled_name_is_a_name(text in "\\PC{0,40}") {
            if let Some(name) = respelled(&text, '_') {
                prop_assert_eq!(check_name(&name, '_'), Ok(()));
            }
        }

        #[test]
        fn any_text_is_a_partition_or_refused(text in "\\PC{0,20}|(day|week)\\(?[a-z]{0,2}\\)?") {
            let _ = parse_partition(&text);
        }
    }
}
