//! Blocks of 64 bytes and one bit for each byte of a class.
//!
//! With AVX2 (the workspace builds for x86-64-v3) a block is two registers; elsewhere plain loops do the same.

/// Bytes in a block.
pub(crate) const BLOCK: usize = 64;

/// One bit for each byte of a block, the first lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Masks {
    /// `@`
    pub(crate) at: u64,
    /// `0` to `9`
    pub(crate) digit: u64,
    /// letters of ASCII
    pub(crate) alpha: u64,
    /// `.`
    pub(crate) dot: u64,
    /// `:`
    pub(crate) colon: u64,
    /// `%`, `\` and `&`, which begin another spelling
    pub(crate) escape: u64,
    /// bytes beyond ASCII
    pub(crate) high: u64,
}

impl Masks {
    /// The masks of the block at `from`; bits from `to` on are not set.
    #[inline(always)]
    pub(crate) fn load(bytes: &[u8], from: usize, to: usize) -> Self {
        let rest = &bytes[from..];
        let masks = match rest.first_chunk::<BLOCK>() {
            Some(block) => of(block),
            None => {
                let mut block = [0; BLOCK];
                block[..rest.len()].copy_from_slice(rest);
                of(&block)
            }
        };
        if to - from >= BLOCK { masks } else { masks.keep((1 << (to - from)) - 1) }
    }

    #[inline(always)]
    fn keep(self, bits: u64) -> Self {
        Self {
            at: self.at & bits,
            digit: self.digit & bits,
            alpha: self.alpha & bits,
            dot: self.dot & bits,
            colon: self.colon & bits,
            escape: self.escape & bits,
            high: self.high & bits,
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
use avx2::of;
#[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
use plain::of;

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
mod avx2 {
    use super::{BLOCK, Masks};
    use core::arch::x86_64::*;

    /// 32 bytes.
    #[derive(Clone, Copy)]
    struct Half(__m256i);

    // SAFETY of all that follows: this module exists only where AVX2 is a feature of the compilation target; the load is an
    // unaligned one of 32 bytes behind a reference to as many.
    impl Half {
        #[inline(always)]
        fn load(half: &[u8; BLOCK / 2]) -> Self {
            // SAFETY: see above
            Self(unsafe { _mm256_loadu_si256(half.as_ptr().cast()) })
        }

        #[inline(always)]
        fn equal(self, byte: u8) -> Self {
            // SAFETY: see above
            Self(unsafe { _mm256_cmpeq_epi8(self.0, _mm256_set1_epi8(byte as i8)) })
        }

        /// Bytes from `first` on, `count` of them.
        #[inline(always)]
        fn within(self, first: u8, count: u8) -> Self {
            // SAFETY: see above
            unsafe {
                let place = _mm256_sub_epi8(self.0, _mm256_set1_epi8(first as i8));
                let last = _mm256_set1_epi8((count - 1) as i8);
                Self(_mm256_cmpeq_epi8(_mm256_min_epu8(place, last), place))
            }
        }

        #[inline(always)]
        fn lower(self) -> Self {
            // SAFETY: see above
            Self(unsafe { _mm256_or_si256(self.0, _mm256_set1_epi8(0x20)) })
        }

        #[inline(always)]
        fn or(self, other: Self) -> Self {
            // SAFETY: see above
            Self(unsafe { _mm256_or_si256(self.0, other.0) })
        }

        /// The highest bit of each byte.
        #[inline(always)]
        fn bits(self) -> u64 {
            // SAFETY: see above
            u64::from(unsafe { _mm256_movemask_epi8(self.0) } as u32)
        }
    }

    #[inline(always)]
    fn bits([low, high]: [Half; 2], test: impl Fn(Half) -> Half) -> u64 {
        test(low).bits() | test(high).bits() << 32
    }

    // Never inlined: LLVM takes the masks apart into bits where it sees what becomes of them, at a tenth of the speed.
    #[inline(never)]
    pub(super) fn of(block: &[u8; BLOCK]) -> Masks {
        let ([low, high], _) = block.as_chunks() else { unreachable!("a block has two halves") };
        let halves = [Half::load(low), Half::load(high)];
        Masks {
            at: bits(halves, |half| half.equal(b'@')),
            digit: bits(halves, |half| half.within(b'0', 10)),
            alpha: bits(halves, |half| half.lower().within(b'a', 26)),
            dot: bits(halves, |half| half.equal(b'.')),
            colon: bits(halves, |half| half.equal(b':')),
            escape: bits(halves, |half| half.equal(b'%').or(half.equal(b'\\')).or(half.equal(b'&'))),
            high: bits(halves, |half| half),
        }
    }
}

#[cfg_attr(all(target_arch = "x86_64", target_feature = "avx2"), allow(dead_code))] // there only its test calls it
mod plain {
    use super::{BLOCK, Masks};

    pub(super) fn of(block: &[u8; BLOCK]) -> Masks {
        let bits = |test: fn(u8) -> bool| {
            block.iter().enumerate().fold(0, |bits, (place, &byte)| bits | u64::from(test(byte)) << place)
        };
        Masks {
            at: bits(|byte| byte == b'@'),
            digit: bits(|byte| byte.is_ascii_digit()),
            alpha: bits(|byte| byte.is_ascii_alphabetic()),
            dot: bits(|byte| byte == b'.'),
            colon: bits(|byte| byte == b':'),
            escape: bits(|byte| matches!(byte, b'%' | b'\\' | b'&')),
            high: bits(|byte| byte >= 0x80),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_block_of_this_machine_is_the_plain_one(bytes in prop::collection::vec(any::<u8>(), BLOCK)) {
            let block = bytes.first_chunk().expect("64 bytes");
            prop_assert_eq!(of(block), plain::of(block));
        }

        #[test]
        fn nothing_past_the_end_is_seen(bytes in prop::collection::vec(any::<u8>(), 0..100), cut in 0usize..100) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(Masks::load(&bytes, 0, cut), Masks::load(&bytes[..cut], 0, cut));
        }
    }
}
