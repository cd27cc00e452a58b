//! Plain scalars by the core schema of YAML 1.2, with the source text of numbers kept.

/// What a plain scalar is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plain {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, as JSON text.
    Whole(String),
    /// A number with a point or an exponent, as JSON text.
    Real(String),
    /// `.inf` or `.nan`, which JSON cannot say.
    NotJson,
    /// Anything else.
    Text,
}

/// Resolves a plain scalar (<https://yaml.org/spec/1.2.2/#1032-tag-resolution>).
pub(crate) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Bool(true),
        "false" | "False" | "FALSE" => Plain::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Plain::NotJson,
        _ => resolve_number(text),
    }
}

fn resolve_number(text: &str) -> Plain {
    let (sign, digits) = match text.as_bytes()[0] {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Plain::NotJson;
    }
    if let Some(value) = radix(text) {
        return Plain::Whole(value.to_string());
    }
    match decimal(digits) {
        Some((whole, None)) => Plain::Whole(format!("{sign}{whole}")),
        Some((whole, Some(rest))) => Plain::Real(format!("{sign}{whole}{rest}")),
        None => Plain::Text,
    }
}

/// `0x1F` and `0o17`.
fn radix(text: &str) -> Option<u128> {
    let (digits, base) = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(digits), _) => (digits, 16),
        (_, Some(digits)) => (digits, 8),
        _ => return None,
    };
    // `from_str_radix` takes a sign, which YAML does not take here.
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u128::from_str_radix(digits, base).ok()).flatten()
}

/// Splits `[0-9]+`, `.5`, `5.`, `5.25e-3` into what stands before the point and the rest, as JSON wants them: no
/// leading zeros, digits on both sides of the point.
fn decimal(text: &str) -> Option<(String, Option<String>)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let some = !whole.is_empty() || fraction.is_some_and(|f| !f.is_empty());
    if !some || !digits(whole) || !fraction.is_none_or(digits) || !exponent.is_none_or(is_exponent) {
        return None;
    }
    let trimmed = whole.trim_start_matches('0');
    let whole = if trimmed.is_empty() { "0" } else { trimmed }.to_owned();
    let fraction = match fraction {
        Some("") => ".0".to_owned(),
        Some(fraction) => format!(".{fraction}"),
        None if exponent.is_none() => return Some((whole, None)),
        None => String::new(),
    };
    Some((whole, Some(fraction + exponent.unwrap_or(""))))
}

fn is_exponent(text: &str) -> bool {
    let digits = text[1..].strip_prefix(['+', '-']).unwrap_or(&text[1..]);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_keep_their_text_as_far_as_json_can() {
        for (yaml, json) in [
            ("12.50", "12.50"),
            ("1e3", "1e3"),
            ("-0.10", "-0.10"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("+1.5E+2", "1.5E+2"),
        ] {
            assert_eq!(resolve(yaml), Plain::Real(json.into()), "{yaml}");
        }
        for (yaml, json) in [
            ("007", "7"),
            ("+12", "12"),
            ("-0", "-0"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(resolve(yaml), Plain::Whole(json.into()), "{yaml}");
        }
    }

    #[test]
    fn countries_and_versions_stay_text() {
        for text in
            ["NO", "yes", "off", "1.2.3", "1_000", "-", ".", "e3", "1e", "12:30", "0xZZ", "0x+1", "2010-12-01", "+"]
        {
            assert_eq!(resolve(text), Plain::Text, "{text}");
        }
        assert_eq!([resolve("~"), resolve("NULL"), resolve("-.inf")], [Plain::Null, Plain::Null, Plain::NotJson]);
    }

    proptest! {
        #[test]
        fn what_resolves_to_a_number_is_json(text in "[-+]?[0-9.eE_x+-]{0,12}") {
            if let Plain::Whole(json) | Plain::Real(json) = resolve(&text) {
                let value: Result<Box<serde_json::value::RawValue>, _> = serde_json::from_str(&json);
                prop_assert!(value.is_ok(), "{} became {}", text, json);
            }
        }
    }
}
