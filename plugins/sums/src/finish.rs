//! Partials become outputs.

use crate::accumulate::past_38_digits;
use crate::plan::Output;
use sluice_sdk::kernels::bits;
use sluice_sdk::kernels::number::{POWERS_OF_TEN, fits};
use sluice_sdk::{Batch, Column, DecimalOut, Decimals, NumberOut, Numbers};

impl Output {
    /// The output column, one row for each row of the partials.
    pub(crate) fn finish(&self, partials: &Batch) -> Column {
        match *self {
            Self::Is(place) => {
                let Column { validity, values } = partials.columns()[place].clone();
                let any_null = bits::count_null(&validity, partials.rows()) > 0;
                Column { validity: if any_null { validity } else { Vec::new() }, values }
            }
            Self::Count(place) => {
                // Under a null stands zero, which is what a group without rows has.
                Column { validity: Vec::new(), values: partials.columns()[place].values.clone() }
            }
            Self::MeanOfFloats { sum, count } => {
                let sums = Numbers::<f64>::of(&partials.columns()[sum]);
                means(counts(partials, count), |row| sums.get(row))
            }
            Self::MeanOfInts { sum, count } => {
                let sums = Decimals::of(&partials.columns()[sum]);
                means(counts(partials, count), |row| sums.get(row).map(|sum| sum as f64))
            }
            Self::MeanOfDecimals { sum, count, digits } => {
                let sums = Decimals::of(&partials.columns()[sum]);
                let counts = counts(partials, count);
                let mut out = DecimalOut::with_capacity(partials.rows());
                for row in 0..partials.rows() {
                    out.push_option(sums.get(row).zip(counts.get(row)).map(|(sum, n)| mean(sum, n, digits)));
                }
                out.finish()
            }
        }
    }
}

fn counts(partials: &Batch, place: usize) -> Numbers<'_, i64> {
    Numbers::<i64>::of(&partials.columns()[place])
}

fn means(counts: Numbers<'_, i64>, sum: impl Fn(usize) -> Option<f64>) -> Column {
    let mut out = NumberOut::with_capacity(counts.rows());
    for row in 0..counts.rows() {
        out.push_option(sum(row).zip(counts.get(row)).map(|(sum, n)| sum / n as f64));
    }
    out.finish()
}

/// `sum / count` with `digits` more after the point, rounded to the nearest, ties to even.
fn mean(sum: i128, count: i64, digits: u8) -> i128 {
    let (count, unit) = (i128::from(count), POWERS_OF_TEN[usize::from(digits)]);
    // A count is below 2^63 and the unit at most 10^4, so the rest times the unit fits.
    let (whole, rest) = (sum.div_euclid(count), sum.rem_euclid(count) * unit);
    let (part, rest) = (rest / count, rest % count);
    let mean = whole.checked_mul(unit).and_then(|whole| whole.checked_add(part));
    let Some(mean) = mean else { past_38_digits() };
    let up = rest * 2 > count || rest * 2 == count && mean % 2 != 0;
    let mean = mean + i128::from(up);
    if fits(mean, 38) { mean } else { past_38_digits() }
}

#[cfg(test)]
mod tests {
    use super::mean;
    use proptest::prelude::*;

    #[test]
    fn means_round_half_to_even_on_both_sides_of_zero() {
        assert_eq!([mean(1, 2, 0), mean(3, 2, 0), mean(-1, 2, 0), mean(-3, 2, 0)], [0, 2, 0, -2]);
        assert_eq!([mean(10, 3, 4), mean(-10, 3, 4), mean(20, 3, 4)], [33_333, -33_333, 66_667]);
    }

    proptest! {
        #[test]
        fn a_mean_is_off_by_at_most_half_a_unit(sum in any::<i64>(), count in 1i64..1_000_000) {
            let exact = i128::from(sum) * 10_000;
            let off = mean(sum.into(), count, 4) * i128::from(count) - exact;
            prop_assert!(off.abs() * 2 <= i128::from(count));
        }
    }
}
