//! Values of cases as arrays, and back as they are shown.

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::temporal_conversions::{date32_to_datetime, timestamp_us_to_datetime};
use arrow_array::timezone::Tz;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DecimalType, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_cast::parse::{Parser, string_to_datetime};
use arrow_schema::DataType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use sluice_batch::ColumnType;
use std::sync::Arc;

/// An array of values as they are written. On failure the row and what is wrong.
pub(super) fn array(ty: ColumnType, values: &[Box<RawValue>]) -> Result<ArrayRef, (usize, String)> {
    let read = |row: usize, value: &RawValue| -> Result<(), (usize, String)> {
        let form = form(ty);
        Err((row, format!("`{}` is no {ty}; write {form}, or null", value.get())))
    };
    macro_rules! fill {
        ($builder:expr, $parse:expr) => {{
            let mut builder = $builder;
            for (row, value) in values.iter().enumerate() {
                match value.get() {
                    "null" => builder.append_null(),
                    text => match $parse(text) {
                        Some(value) => builder.append_value(value),
                        None => read(row, value)?,
                    },
                }
            }
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    Ok(match ty {
        ColumnType::Boolean => fill!(BooleanBuilder::new(), |text: &str| text.parse::<bool>().ok()),
        ColumnType::Int64 => fill!(primitive::<Int64Type>(ty), |text: &str| text.parse::<i64>().ok()),
        ColumnType::Float64 => fill!(primitive::<Float64Type>(ty), float),
        ColumnType::Decimal { precision, scale } => {
            fill!(primitive::<Decimal128Type>(ty), |text: &str| decimal(&string(text)?, precision, scale))
        }
        ColumnType::Timestamp => {
            fill!(primitive::<TimestampMicrosecondType>(ty), |text: &str| timestamp(&string(text)?))
        }
        ColumnType::Date => fill!(primitive::<Date32Type>(ty), |text: &str| date(&string(text)?)),
        ColumnType::Text => fill!(StringBuilder::new(), string),
        ColumnType::Binary => fill!(BinaryBuilder::new(), |text: &str| STANDARD.decode(string(text)?).ok()),
    })
}

fn primitive<T: ArrowPrimitiveType>(ty: ColumnType) -> PrimitiveBuilder<T> {
    PrimitiveBuilder::new().with_data_type(ty.arrow())
}

/// How values of a type are written.
fn form(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Boolean => "true or false",
        ColumnType::Int64 => "a whole number of up to 64 bits",
        ColumnType::Float64 => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
        ColumnType::Decimal { .. } => "its digits as text, like \"12.50\", no more of them than the type has",
        ColumnType::Timestamp => "a time of UTC as text, like \"2026-03-01T10:00:00.5Z\", up to microseconds",
        ColumnType::Date => "a date as text, like \"2026-03-01\"",
        ColumnType::Text => "a text",
        ColumnType::Binary => "base64 as text",
    }
}

fn string(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// Rust reads a number to the nearest float, which JSON readers do not all do.
fn float(json: &str) -> Option<f64> {
    match json {
        "\"NaN\"" => Some(f64::NAN),
        "\"Infinity\"" => Some(f64::INFINITY),
        "\"-Infinity\"" => Some(f64::NEG_INFINITY),
        _ => json.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

/// A decimal without exponent and with no more digits after the point than the type has: nothing is rounded.
fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || fraction.len() > usize::from(scale) {
        return None;
    }
    let padded = format!("{whole}{fraction:0<width$}", width = usize::from(scale));
    let value: i128 = padded.parse().ok().filter(|value| *value < 10i128.pow(u32::from(precision)))?;
    Some(if text.starts_with('-') { -value } else { value })
}

fn timestamp(text: &str) -> Option<i64> {
    let before = text.strip_suffix('Z')?;
    let fraction = before.split_once('.').map_or("", |(_, fraction)| fraction);
    let utc: Tz = "+00:00".parse().ok()?;
    (fraction.len() <= 6).then(|| string_to_datetime(&utc, text).ok())?.map(|time| time.timestamp_micros())
}

fn date(text: &str) -> Option<i32> {
    Date32Type::parse(text).filter(|days| show_date(*days) == text)
}

/// The type of an array, where it is one of a column.
pub(super) fn type_of(array: &dyn Array) -> Option<ColumnType> {
    let ty = match array.data_type() {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Int64 => ColumnType::Int64,
        DataType::Float64 => ColumnType::Float64,
        DataType::Decimal128(precision, scale) => {
            ColumnType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
        }
        DataType::Timestamp(..) => ColumnType::Timestamp,
        DataType::Date32 => ColumnType::Date,
        DataType::Utf8 => ColumnType::Text,
        DataType::Binary => ColumnType::Binary,
        _ => return None,
    };
    (ty.arrow() == *array.data_type()).then_some(ty)
}

/// A value as a case would write it. Two values of one type are the same exactly if they are shown the same.
pub(super) fn show(array: &dyn Array, ty: ColumnType, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_owned();
    }
    let quoted = |text: &str| serde_json::to_string(text).expect("a text is JSON");
    match ty {
        ColumnType::Boolean => array.as_boolean().value(row).to_string(),
        ColumnType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        ColumnType::Float64 => show_float(array.as_primitive::<Float64Type>().value(row)),
        ColumnType::Decimal { precision, scale } => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            quoted(&Decimal128Type::format_decimal(value, precision, scale as i8))
        }
        ColumnType::Timestamp => quoted(&show_timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))),
        ColumnType::Date => quoted(&show_date(array.as_primitive::<Date32Type>().value(row))),
        ColumnType::Text => quoted(array.as_string::<i32>().value(row)),
        ColumnType::Binary => quoted(&STANDARD.encode(array.as_binary::<i32>().value(row))),
    }
}

fn show_float(value: f64) -> String {
    match value {
        value if value.is_nan() => "\"NaN\"".to_owned(),
        value if value.is_infinite() => format!("\"{}Infinity\"", if value < 0.0 { "-" } else { "" }),
        value => format!("{value:?}"),
    }
}

/// What lies outside the calendar is shown as a number.
fn show_timestamp(micros: i64) -> String {
    timestamp_us_to_datetime(micros).map_or_else(|| format!("{micros} us"), |time| format!("{time:?}Z"))
}

fn show_date(days: i32) -> String {
    date32_to_datetime(days).map_or_else(|| format!("{days} days"), |time| format!("{:?}", time.date()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn through(ty: &str, json: &str) -> Result<String, String> {
        let ty: ColumnType = ty.parse().unwrap();
        let array = array(ty, &[raw(json)]).map_err(|(_, error)| error)?;
        assert_eq!(type_of(&array), Some(ty));
        Ok(show(&array, ty, 0))
    }

    #[test]
    fn values_are_shown_as_they_are_written() {
        for (ty, json) in [
            ("boolean", "true"),
            ("int64", "-9223372036854775808"),
            ("float64", "0.1"),
            ("float64", "-0.0"),
            ("float64", "1e300"),
            ("float64", "\"NaN\""),
            ("float64", "\"-Infinity\""),
            ("decimal(38,2)", "\"-123456789012345678901234567890123456.78\""),
            ("decimal(3,0)", "\"999\""),
            ("timestamp", "\"2026-03-01T10:00:00Z\""),
            ("timestamp", "\"1969-12-31T23:59:59.999999Z\""),
            ("date", "\"2024-02-29\""),
            ("text", "\"a \\\"b\\\" é\""),
            ("binary", "\"AP8=\""),
        ] {
            assert_eq!(through(ty, json).unwrap(), json, "{ty}");
            assert_eq!(through(ty, "null").unwrap(), "null", "{ty}");
        }
        assert_eq!(through("decimal(5,2)", "\"1\"").unwrap(), "\"1.00\"");
        assert_eq!(through("timestamp", "\"2026-03-01T10:00:00.5Z\"").unwrap(), "\"2026-03-01T10:00:00.500Z\"");
    }

    #[test]
    fn nothing_is_rounded_and_nothing_guessed() {
        for (ty, json) in [
            ("boolean", "1"),
            ("int64", "1.0"),
            ("int64", "\"1\""),
            ("int64", "9223372036854775808"),
            ("float64", "1e999"),
            ("float64", "\"1\""),
            ("decimal(5,2)", "1.5"),
            ("decimal(5,2)", "\"1.505\""),
            ("decimal(5,2)", "\"1000\""),
            ("decimal(5,2)", "\"1e2\""),
            ("decimal(5,2)", "\"\""),
            ("decimal(5,2)", "\"+1\""),
            ("timestamp", "\"2026-03-01T10:00:00\""),
            ("timestamp", "\"2026-03-01T10:00:00.1234567Z\""),
            ("timestamp", "0"),
            ("date", "\"2023-02-29\""),
            ("date", "\"2026-3-1\""),
            ("text", "1"),
            ("binary", "\"A\""),
        ] {
            let error = through(ty, json).unwrap_err();
            assert!(error.starts_with(&format!("`{json}` is no {ty}; write ")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn floats_and_decimals_are_read_back(float: f64, digits in -99_999_999i64..=99_999_999) {
            let shown = show_float(float);
            prop_assert_eq!(through("float64", &shown), Ok(shown));
            let decimal = format!("\"{}\"", Decimal128Type::format_decimal(digits.into(), 8, 3));
            prop_assert_eq!(through("decimal(8,3)", &decimal), Ok(decimal));
        }
    }
}
