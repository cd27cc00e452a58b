//! Whatever goes in comes back as it was, through a rule that returns its columns: lowering, the rule's memory and
//! lifting together change nothing but the bits that say nothing.

use crate::guests::{columns, config, fields, open, transformer, validator};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, new_empty_array};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use proptest::prelude::*;
use sluice_batch::ColumnType;
use sluice_ports::Step;
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    static ECHO: RefCell<Box<dyn Step>> = RefCell::new(open_echo());
}

fn open_echo() -> Box<dyn Step> {
    let mut config = config("echo");
    config.inputs.retain(|field| field.name != "secret");
    config.limits.deadline = std::time::Duration::from_secs(5);
    open(transformer(), config).step().unwrap()
}

fn echo(rows: usize, columns: &[ArrayRef]) -> Vec<ArrayRef> {
    ECHO.with_borrow_mut(|step| step.call(rows, columns).unwrap_or_else(|failure| panic!("{failure}")).columns)
}

/// The columns of the fixture with some of them exchanged; the rest is cut or filled with nothing.
fn all_with(rows: usize, own: Vec<(usize, ArrayRef)>) -> Vec<ArrayRef> {
    let mut all: Vec<ArrayRef> = fields()
        .iter()
        .filter(|field| field.name != "secret")
        .map(|field| arrow_array::new_null_array(&field.ty.arrow(), rows))
        .collect();
    for (at, array) in own {
        all[at] = array;
    }
    all
}

#[test]
fn every_type_comes_back_as_it_went() {
    let columns = columns();
    for (back, gone) in echo(columns[0].len(), &columns).iter().zip(&columns) {
        assert_eq!(back, gone);
        assert_eq!(back.data_type(), gone.data_type());
    }
}

#[test]
fn every_slice_comes_back_as_it_went() {
    let columns = columns();
    for from in 0..10 {
        for rows in 1..=10 - from {
            let slices: Vec<_> = columns.iter().map(|column| column.slice(from, rows)).collect();
            for (back, gone) in echo(rows, &slices).iter().zip(&slices) {
                assert_eq!(back, gone, "{rows} rows from {from}");
            }
        }
    }
}

#[test]
fn values_under_nulls_do_not_reach_the_rule() {
    let nulls = || Some(NullBuffer::from(vec![true, false, true]));
    let text = StringArray::new(OffsetBuffer::from_lengths([1, 6, 1]), b"ahiddenc".into(), nulls());
    let number = Int64Array::new(vec![1, 99, 3].into(), nulls());
    let flag = BooleanArray::new(BooleanBuffer::from(vec![true, true, false]), nulls());
    let back = echo(3, &all_with(3, vec![(0, Arc::new(text)), (1, Arc::new(number)), (2, Arc::new(flag))]));
    assert_eq!(back[0].as_string::<i32>().value_data(), b"ac");
    assert_eq!(back[1].as_primitive::<Int64Type>().values(), &[1, 0, 3]);
    assert!(!back[2].as_boolean().values().value(1));
    assert!(back.iter().all(|column| column.is_null(1)));
}

#[test]
fn nans_reach_the_rule_in_one_form() {
    let strange = f64::from_bits(0xfff0_0000_0000_0001);
    let floats = Float64Array::from(vec![Some(strange), Some(-0.0), None, Some(f64::INFINITY)]);
    let back = echo(4, &all_with(4, vec![(4, Arc::new(floats))]));
    let bits: Vec<_> =
        back[4].as_primitive::<arrow_array::types::Float64Type>().values().iter().map(|v| v.to_bits()).collect();
    assert_eq!(bits, [0x7ff8_0000_0000_0000, (-0.0f64).to_bits(), 0, f64::INFINITY.to_bits()]);
}

#[test]
fn a_column_without_nulls_comes_back_without_validity() {
    let numbers: ArrayRef = Arc::new(Int64Array::new(vec![1, 2].into(), Some(NullBuffer::new_valid(2))));
    assert!(echo(2, &all_with(2, vec![(1, numbers)]))[1].nulls().is_none());
}

#[test]
fn a_validator_judges_rows() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(-1), None, Some(-7)]));
    let mut config = config("honest");
    config.grants = Default::default();
    let out = open(validator(), config).step().unwrap().call(4, &[numbers]).unwrap();
    assert_eq!(
        out.rejections.iter().map(|rejection| (rejection.row, rejection.code)).collect::<Vec<_>>(),
        [(1, 0), (3, 0)]
    );
    assert!(out.columns.is_empty());
}

#[test]
fn empty_arrays_have_the_types_of_the_signature() {
    let empty: Vec<ArrayRef> = fields()
        .iter()
        .filter(|field| field.name != "secret")
        .map(|field| new_empty_array(&field.ty.arrow()))
        .collect();
    for (back, gone) in echo(0, &empty).iter().zip(&empty) {
        assert_eq!(back.data_type(), gone.data_type());
    }
}

/// An array of any type, with nulls, cut anywhere.
fn any_array(ty: ColumnType, rows: usize, seed: &[u64], from: usize) -> ArrayRef {
    let value = |row: usize| seed[row % seed.len()].wrapping_mul(row as u64 * 2 + 1);
    let rows = rows + from;
    let some = |row: usize| (value(row) % 5 != 0).then(|| value(row));
    let texts = ["", "a", "ä", "日本語", "🦀 crab", "naïve\0", "0123456789abcdef0123456789"];
    let all: ArrayRef = match ty {
        ColumnType::Text => {
            Arc::new((0..rows).map(|r| some(r).map(|v| texts[v as usize % texts.len()])).collect::<StringArray>())
        }
        ColumnType::Boolean => Arc::new((0..rows).map(|r| some(r).map(|v| v % 2 == 0)).collect::<BooleanArray>()),
        ColumnType::Float64 => Arc::new((0..rows).map(|r| some(r).map(|v| v as f64 / 7.0)).collect::<Float64Array>()),
        _ => Arc::new((0..rows).map(|r| some(r).map(|v| v as i64)).collect::<Int64Array>()),
    };
    all.slice(from, rows - from)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_columns_come_back(
        rows in 1usize..300,
        from in 0usize..20,
        seed in proptest::collection::vec(any::<u64>(), 1..40),
    ) {
        let of = |ty| any_array(ty, rows, &seed, from);
        let types = [(0, ColumnType::Text), (1, ColumnType::Int64), (2, ColumnType::Boolean), (4, ColumnType::Float64)];
        let own = types.map(|(at, ty)| (at, of(ty))).into();
        let all = all_with(rows, own);
        for (back, gone) in echo(rows, &all).iter().zip(&all) {
            prop_assert_eq!(back, gone);
        }
    }
}
