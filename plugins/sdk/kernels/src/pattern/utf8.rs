//! Ranges of characters as ranges of the bytes that encode them.

/// A sequence of byte ranges: one for each byte of an encoding.
pub(super) type Sequence = Vec<(u8, u8)>;

/// Surrogates have no encoding.
const SURROGATES: (u32, u32) = (0xD800, 0xDFFF);
/// The last scalar value of one, two, three and four bytes.
const LAST: [u32; 4] = [0x7F, 0x7FF, 0xFFFF, 0x10_FFFF];

/// Sequences that together encode exactly the scalar values `low..=high`.
pub(super) fn sequences(low: u32, high: u32, out: &mut Vec<Sequence>) {
    if low > high {
        return;
    }
    if low <= SURROGATES.1 && high >= SURROGATES.0 {
        sequences(low, SURROGATES.0 - 1, out);
        return sequences(SURROGATES.1 + 1, high, out);
    }
    if let Some(&last) = LAST.iter().find(|&&last| low <= last && last < high) {
        sequences(low, last, out);
        return sequences(last + 1, high, out);
    }
    // Where the upper bytes differ, the lower ones must run through all their values.
    for bytes in 1..4 {
        let mask = (1 << (6 * bytes)) - 1;
        if high > 0x7F && low & !mask != high & !mask {
            if low & mask != 0 {
                sequences(low, low | mask, out);
                return sequences((low | mask) + 1, high, out);
            }
            if high & mask != mask {
                sequences(low, (high & !mask) - 1, out);
                return sequences(high & !mask, high, out);
            }
        }
    }
    let (low, len) = encode(low);
    let (high, _) = encode(high);
    out.push((0..len).map(|i| (low[i], high[i])).collect());
}

/// The encoding of a scalar value, and its length.
fn encode(scalar: u32) -> ([u8; 4], usize) {
    let continuation = |shift: u32| 0x80 | (scalar >> shift) as u8 & 0x3F;
    match scalar {
        0..=0x7F => ([scalar as u8, 0, 0, 0], 1),
        0x80..=0x7FF => ([0xC0 | (scalar >> 6) as u8, continuation(0), 0, 0], 2),
        0x800..=0xFFFF => ([0xE0 | (scalar >> 12) as u8, continuation(6), continuation(0), 0], 3),
        _ => ([0xF0 | (scalar >> 18) as u8, continuation(12), continuation(6), continuation(0)], 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exactly_the_characters_of_the_range_are_encoded(a: char, b: char, near in -3i32..4) {
            let (low, high) = (u32::from(a.min(b)), u32::from(a.max(b)));
            let mut out = Vec::new();
            sequences(low, high, &mut out);
            let encoded = |scalar: u32| {
                let mut buffer = [0; 4];
                let bytes = char::from_u32(scalar).unwrap().encode_utf8(&mut buffer).as_bytes();
                out.iter().filter(|sequence| {
                    sequence.len() == bytes.len()
                        && sequence.iter().zip(bytes).all(|((low, high), byte)| (low..=high).contains(&byte))
                }).count()
            };
            for scalar in [low, high, low / 2 + high / 2, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000] {
                let scalar = scalar.saturating_add_signed(near);
                if char::from_u32(scalar).is_some() {
                    prop_assert_eq!(encoded(scalar), usize::from((low..=high).contains(&scalar)), "{:x}", scalar);
                }
            }
        }
    }
}
