//! Bit lists as the contract writes them: least significant first, spare bits zero.

/// Bytes that `rows` bits take.
pub(crate) const fn bytes_for(rows: usize) -> usize {
    rows.div_ceil(8)
}

/// Whether the bits after the last row are all zero. `bits` has `bytes_for(rows)` bytes.
pub(crate) fn spare_is_zero(bits: &[u8], rows: usize) -> bool {
    let used = rows % 8;
    used == 0 || bits.last().is_none_or(|last| last >> used == 0)
}

/// Makes the bits after the last row zero.
pub(crate) fn clear_spare(bits: &mut [u8], rows: usize) {
    let used = rows % 8;
    if let (true, Some(last)) = (used != 0, bits.last_mut()) {
        *last &= (1 << used) - 1;
    }
}

/// The rows whose bit is 0, ascending. `bits` has `bytes_for(rows)` bytes.
pub(crate) fn zeros(bits: &[u8], rows: usize) -> impl Iterator<Item = usize> {
    let (words, tail) = bits.as_chunks::<8>();
    let last = (!tail.is_empty()).then(|| {
        let mut word = [0xff; 8];
        word[..tail.len()].copy_from_slice(tail);
        word
    });
    let words = words.iter().copied().chain(last).zip((0..).step_by(64));
    words
        .flat_map(|(word, base)| Zeros(!u64::from_le_bytes(word)).map(move |bit| base + bit))
        .take_while(move |row| *row < rows)
}

/// Positions of the ones of a word that holds the complement.
struct Zeros(u64);

impl Iterator for Zeros {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let position = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (position < 64).then_some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn zeros_are_the_rows_without_a_bit(rows in proptest::collection::vec(any::<bool>(), 0..300)) {
            let mut bits = vec![0u8; bytes_for(rows.len())];
            for (row, set) in rows.iter().enumerate() {
                bits[row / 8] |= u8::from(*set) << (row % 8);
            }
            prop_assert!(spare_is_zero(&bits, rows.len()));
            let expected: Vec<_> = (0..rows.len()).filter(|row| !rows[*row]).collect();
            prop_assert_eq!(zeros(&bits, rows.len()).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn clearing_spare_bits_leaves_the_rows_alone(rows in 1usize..65, any_bits: [u8; 9]) {
            let mut bits = any_bits.to_vec();
            bits.truncate(bytes_for(rows));
            let before: Vec<_> = zeros(&bits, rows).collect();
            clear_spare(&mut bits, rows);
            prop_assert!(spare_is_zero(&bits, rows));
            prop_assert_eq!(zeros(&bits, rows).collect::<Vec<_>>(), before);
        }
    }
}
