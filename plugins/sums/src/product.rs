//! Products of two columns, row by row.

use crate::accumulate::{number, past_38_digits, words};
use sluice_sdk::kernels::bits;
use sluice_sdk::{Column, Values};

/// The products of `rows` rows; null where a factor is. Where the types differ the int64s are the first. What stands
/// under a null is zero, and so is its product.
pub(crate) fn product(a: &Column, b: &Column, rows: usize) -> Column {
    let values = match (&a.values, &b.values) {
        (Values::Int64(a), Values::Int64(b)) => Values::Int64(each(a, b, |&a, &b| int64(a, b))),
        (Values::Int64(a), Values::Float64(b)) => Values::Float64(each(a, b, |&a, &b| a as f64 * b)),
        (Values::Float64(a), Values::Float64(b)) => Values::Float64(each(a, b, |a, b| a * b)),
        (Values::Int64(a), Values::Decimal(b)) => {
            decimals(a.iter().zip(b.as_chunks().0).map(|(&a, &b)| decimal(a.into(), number(b))), rows)
        }
        (Values::Decimal(a), Values::Decimal(b)) => {
            let pairs = a.as_chunks().0.iter().zip(b.as_chunks().0);
            decimals(pairs.map(|(&a, &b)| decimal(number(a), number(b))), rows)
        }
        _ => unreachable!("a product is of numbers, and of int64 first"),
    };
    Column::new(values).with_validity(bits::and_valid(&a.validity, &b.validity, rows))
}

fn each<A, B, T>(a: &[A], b: &[B], multiply: impl Fn(&A, &B) -> T) -> Vec<T> {
    a.iter().zip(b).map(|(a, b)| multiply(a, b)).collect()
}

fn decimals(values: impl Iterator<Item = i128>, rows: usize) -> Values {
    let mut out = Vec::with_capacity(rows * 2);
    values.for_each(|value| out.extend_from_slice(&words(value)));
    Values::Decimal(out)
}

/// Both factors fit 32 bits, as nearly all do: then one plain multiplication is exact. Wasm has no wide one, and a
/// checked one is a call.
#[inline(always)]
fn small(a: i64, b: i64) -> Option<i64> {
    let fits = |x: i64| x == i64::from(x as i32);
    (fits(a) && fits(b)).then(|| a * b)
}

#[inline(always)]
fn int64(a: i64, b: i64) -> i64 {
    match small(a, b).or_else(|| a.checked_mul(b)) {
        Some(product) => product,
        None => panic!("a product of int64s is past 64 bits; coerce a column to a decimal first"),
    }
}

#[inline(always)]
fn decimal(a: i128, b: i128) -> i128 {
    let narrow = |x: i128| (x == i128::from(x as i64)).then_some(x as i64);
    if let Some(product) = narrow(a).zip(narrow(b)).and_then(|(a, b)| small(a, b)) {
        return product.into();
    }
    match a.checked_mul(b) {
        Some(product) => product,
        None => past_38_digits(),
    }
}
