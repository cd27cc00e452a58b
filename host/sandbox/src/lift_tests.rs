use super::*;
use crate::lower::Lowered;
use crate::wire::{ColumnIn, ValuesIn, VarBytesIn};
use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray};
use proptest::collection::vec;
use proptest::prelude::*;

const ALL: [ColumnType; 8] = [
    ColumnType::Boolean,
    ColumnType::Int64,
    ColumnType::Float64,
    ColumnType::Decimal { precision: 38, scale: 3 },
    ColumnType::Timestamp,
    ColumnType::Date,
    ColumnType::Text,
    ColumnType::Binary,
];

/// What a rule that returns its input would return.
fn returned(column: ColumnIn<'_>) -> ColumnOut {
    let var =
        |VarBytesIn { offsets, bytes }: VarBytesIn<'_>| VarBytesOut { offsets: offsets.into(), bytes: bytes.into() };
    let values = match column.values {
        ValuesIn::Boolean(values) => ValuesOut::Boolean(values.into()),
        ValuesIn::Int64(values) => ValuesOut::Int64(values.into()),
        ValuesIn::Float64(values) => ValuesOut::Float64(values.into()),
        ValuesIn::Decimal(values) => ValuesOut::Decimal(values.into()),
        ValuesIn::Timestamp(values) => ValuesOut::Timestamp(values.into()),
        ValuesIn::Date(values) => ValuesOut::Date(values.into()),
        ValuesIn::Text(values) => ValuesOut::Text(var(values)),
        ValuesIn::Binary(values) => ValuesOut::Binary(var(values)),
    };
    ColumnOut { validity: column.validity.into(), values }
}

fn array(ty: ColumnType, rows: &[Option<u64>]) -> ArrayRef {
    let numbers = || rows.iter().map(|row| row.map(|n| n as i64));
    let texts = ["", "a", "ä", "日本", "\u{10ffff}", "plain text"];
    let text = |n: u64| texts[n as usize % texts.len()];
    match ty {
        ColumnType::Boolean => Arc::new(rows.iter().map(|row| row.map(|n| n & 1 == 1)).collect::<BooleanArray>()),
        ColumnType::Int64 => Arc::new(numbers().collect::<Int64Array>()),
        ColumnType::Float64 => Arc::new(rows.iter().map(|row| row.map(f64::from_bits)).collect::<Float64Array>()),
        ColumnType::Decimal { .. } => {
            let values = rows.iter().map(|row| row.map(|n| i128::from(n as i64) << 60));
            Arc::new(values.collect::<Decimal128Array>().with_data_type(ty.arrow()))
        }
        ColumnType::Timestamp => Arc::new(numbers().collect::<TimestampMicrosecondArray>().with_data_type(ty.arrow())),
        ColumnType::Date => Arc::new(numbers().map(|n| n.map(|n| n as i32)).collect::<Date32Array>()),
        ColumnType::Text => Arc::new(rows.iter().map(|row| row.map(text)).collect::<StringArray>()),
        ColumnType::Binary => Arc::new(rows.iter().map(|row| row.map(text)).collect::<arrow_array::BinaryArray>()),
    }
}

fn canonical(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        arrow_schema::DataType::Float64 => {
            let floats = array.as_primitive::<arrow_array::types::Float64Type>();
            let canonical = |value: f64| if value.is_nan() { f64::from_bits(CANONICAL_NAN) } else { value };
            Arc::new(floats.iter().map(|row| row.map(canonical)).collect::<Float64Array>())
        }
        _ => array.clone(),
    }
}

fn expected(ty: ColumnType) -> Expected<'static> {
    Expected { name: "c", ty, nullable: true }
}

/// Any answer at all, mostly broken.
fn any_values() -> impl Strategy<Value = ValuesOut> {
    let var =
        || (vec(0u32..12, 0..6), vec(any::<u8>(), 0..12)).prop_map(|(offsets, bytes)| VarBytesOut { offsets, bytes });
    prop_oneof![
        vec(any::<u8>(), 0..3).prop_map(ValuesOut::Boolean),
        vec(any::<i64>(), 0..6).prop_map(ValuesOut::Int64),
        vec(any::<u64>(), 0..12).prop_map(ValuesOut::Decimal),
        var().prop_map(ValuesOut::Text),
        var().prop_map(ValuesOut::Binary),
    ]
}

/// Offsets that rise, over bytes that are often UTF-8.
fn likely_text() -> impl Strategy<Value = ValuesOut> {
    (vec(0u32..12, 3), "[aä日]{0,6}").prop_map(|(mut offsets, text)| {
        offsets.sort_unstable();
        offsets.insert(0, 0);
        offsets.push(text.len() as u32);
        let bytes = text.into_bytes();
        ValuesOut::Text(VarBytesOut { offsets, bytes })
    })
}

proptest! {
    #[test]
    fn what_is_lowered_keeps_the_contract_and_comes_back(
        rows in vec(proptest::option::of(any::<u64>()), 1..150),
        cut in (0usize..40, 0usize..40),
    ) {
        let from = cut.0.min(rows.len() - 1);
        let length = (rows.len() - from).saturating_sub(cut.1).max(1);
        for ty in ALL {
            let slice = array(ty, &rows).slice(from, length);
            let lowered = Lowered::new(&slice, ty).unwrap();
            let back = column(returned(lowered.wire()), expected(ty), length);
            prop_assert_eq!(&back.unwrap(), &canonical(&slice), "{}", ty);
        }
    }

    #[test]
    fn no_answer_panics_and_what_passes_is_sound(
        values in prop_oneof![any_values(), likely_text()],
        validity in prop_oneof![Just(vec![]), vec(any::<u8>(), 0..3), Just(vec![0x0f]), Just(vec![0x0b])],
        rows in prop_oneof![0usize..10, Just(4)],
    ) {
        for ty in ALL {
            let out = ColumnOut { validity: validity.clone(), values: values.clone() };
            if let Ok(array) = column(out, expected(ty), rows) {
                prop_assert_eq!(array.len(), rows);
                // arrow's own checks, all of them
                prop_assert!(array.to_data().validate_full().is_ok());
                prop_assert_eq!(array.data_type(), &ty.arrow());
            }
        }
    }
}
