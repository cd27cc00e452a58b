//! Bits, least significant first: validity and booleans.
//!
//! Row i is bit i % 8 of byte i / 8; spare bits are 0. As *validity*, an empty slice means that no row is null; the
//! functions with `valid` or `null` in their name know that, the others take bits as they are.

/// The bit of a row; false past the end.
#[inline(always)]
#[must_use]
pub fn get(bits: &[u8], row: usize) -> bool {
    bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
}

/// Whether a row holds a value.
#[inline(always)]
#[must_use]
pub fn is_valid(validity: &[u8], row: usize) -> bool {
    validity.is_empty() || get(validity, row)
}

/// The 64 rows from `64 * index` on, zeros past the end.
#[inline(always)]
#[must_use]
pub fn word(bits: &[u8], index: usize) -> u64 {
    let rest = bits.get(index.saturating_mul(8)..).unwrap_or(&[]);
    match rest.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => crate::block::load8(rest),
    }
}

/// One bit a row from a test of each row, 64 rows at a time.
#[inline]
#[must_use]
pub fn pack(rows: usize, mut test: impl FnMut(usize) -> bool) -> Vec<u8> {
    from_words(rows, |index| {
        let first = index * 64;
        let count = (rows - first).min(64);
        (0..count).fold(0, |word, i| word | u64::from(test(first + i)) << i)
    })
}

/// Bits of `rows` rows from 64 rows at a time. What `word` gives past the last row is dropped.
#[inline]
#[must_use]
pub fn from_words(rows: usize, mut word: impl FnMut(usize) -> u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.div_ceil(64) * 8);
    for index in 0..rows.div_ceil(64) {
        let kept = (rows - index * 64).min(64);
        // One place where it is called, so that it is inlined once.
        let word = word(index) & (u64::MAX >> (64 - kept));
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.truncate(rows.div_ceil(8));
    out
}

/// Bits of `rows` rows, all the same.
#[must_use]
pub fn filled(rows: usize, bit: bool) -> Vec<u8> {
    from_words(rows, |_| if bit { u64::MAX } else { 0 })
}

/// Rows that are set in both.
#[must_use]
pub fn and(a: &[u8], b: &[u8], rows: usize) -> Vec<u8> {
    from_words(rows, |i| word(a, i) & word(b, i))
}

/// Rows that are set in either.
#[must_use]
pub fn or(a: &[u8], b: &[u8], rows: usize) -> Vec<u8> {
    from_words(rows, |i| word(a, i) | word(b, i))
}

/// Rows that are not set.
#[must_use]
pub fn not(bits: &[u8], rows: usize) -> Vec<u8> {
    from_words(rows, |i| !word(bits, i))
}

/// Rows that hold a value in both columns; empty when neither has nulls.
#[must_use]
pub fn and_valid(a: &[u8], b: &[u8], rows: usize) -> Vec<u8> {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Vec::new(),
        (true, false) => b.to_vec(),
        (false, true) => a.to_vec(),
        (false, false) => and(a, b, rows),
    }
}

/// Number of set bits.
#[must_use]
pub fn count(bits: &[u8]) -> usize {
    (0..bits.len().div_ceil(8)).map(|i| word(bits, i).count_ones() as usize).sum()
}

/// Number of nulls among `rows` rows.
#[must_use]
pub fn count_null(validity: &[u8], rows: usize) -> usize {
    if validity.is_empty() { 0 } else { rows - count(validity).min(rows) }
}

/// Calls `each` with every set row below `rows`, in order.
#[inline]
pub fn for_each_set(bits: &[u8], rows: usize, each: impl FnMut(usize)) {
    for_each_in_words(rows, |i| word(bits, i), each);
}

/// Calls `each` with every row below `rows` that is not set, in order.
#[inline]
pub fn for_each_unset(bits: &[u8], rows: usize, each: impl FnMut(usize)) {
    for_each_in_words(rows, |i| !word(bits, i), each);
}

/// Calls `each` with every row that holds a value, in order.
#[inline]
pub fn for_each_valid(validity: &[u8], rows: usize, mut each: impl FnMut(usize)) {
    if validity.is_empty() {
        (0..rows).for_each(each);
    } else {
        for_each_set(validity, rows, &mut each);
    }
}

/// Calls `each` with every null, in order.
#[inline]
pub fn for_each_null(validity: &[u8], rows: usize, each: impl FnMut(usize)) {
    if !validity.is_empty() {
        for_each_unset(validity, rows, each);
    }
}

#[inline(always)]
fn for_each_in_words(rows: usize, words: impl Fn(usize) -> u64, mut each: impl FnMut(usize)) {
    for index in 0..rows.div_ceil(64) {
        let kept = (rows - index * 64).min(64);
        let mut word = words(index);
        if kept < 64 {
            word &= (1 << kept) - 1;
        }
        while word != 0 {
            each(index * 64 + word.trailing_zeros() as usize);
            word &= word - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packed_bits_are_the_bits_that_were_told(a in vec(any::<bool>(), 0..300), b in vec(any::<bool>(), 300)) {
            let rows = a.len();
            let (x, y) = (pack(rows, |i| a[i]), pack(rows, |i| b[i]));
            prop_assert_eq!(x.len(), rows.div_ceil(8));
            for i in 0..rows {
                prop_assert_eq!(get(&x, i), a[i]);
                prop_assert_eq!(get(&and(&x, &y, rows), i), a[i] && b[i]);
                prop_assert_eq!(get(&or(&x, &y, rows), i), a[i] || b[i]);
                prop_assert_eq!(get(&not(&x, rows), i), !a[i]);
            }
            prop_assert_eq!(count(&x), a.iter().filter(|&&bit| bit).count());
            prop_assert_eq!(count(&not(&x, rows)) + count(&x), rows);
            prop_assert!(!get(&x, rows), "spare bits are 0");
            prop_assert_eq!(and_valid(&x, &[], rows), x);
        }

        #[test]
        fn set_and_unset_rows_come_in_order_and_make_up_all(a in vec(any::<bool>(), 0..300)) {
            let bits = pack(a.len(), |i| a[i]);
            let (mut set, mut unset) = (Vec::new(), Vec::new());
            for_each_set(&bits, a.len(), |i| set.push(i));
            for_each_unset(&bits, a.len(), |i| unset.push(i));
            prop_assert!(set.iter().copied().eq((0..a.len()).filter(|&i| a[i])));
            prop_assert!(unset.iter().copied().eq((0..a.len()).filter(|&i| !a[i])));
            if !bits.is_empty() {
                let mut valid = Vec::new();
                for_each_valid(&bits, a.len(), |i| valid.push(i));
                prop_assert_eq!(valid, set);
                prop_assert_eq!(count_null(&bits, a.len()), unset.len());
            }
        }
    }

    #[test]
    fn an_empty_validity_means_no_nulls() {
        let mut seen = Vec::new();
        for_each_valid(&[], 3, |i| seen.push(i));
        for_each_null(&[], 3, |_| panic!("there are none"));
        assert_eq!((seen, count_null(&[], 3), is_valid(&[], 9)), (vec![0, 1, 2], 0, true));
        assert_eq!(filled(10, true), [0xFF, 0x03]);
    }
}
