//! Blocks of 64 bytes and one bit for each byte of a class.
//!
//! With AVX2 (the workspace builds for x86-64-v3) a block is two registers; elsewhere plain loops do the same.

use std::ops::Range;

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
    /// capital letters of ASCII
    pub(crate) upper: u64,
    /// `.`
    pub(crate) dot: u64,
    /// `:`
    pub(crate) colon: u64,
    /// `%`, `\` and `&`, which begin another spelling
    pub(crate) escape: u64,
    /// bytes beyond ASCII
    pub(crate) high: u64,
}

/// A text within bytes of which some behind it may be read, so that a block is read where it lies.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    ahead: &'a [u8],
    len: usize,
}

impl<'a> Text<'a> {
    /// A text with nothing behind it.
    pub(crate) fn whole(text: &'a [u8]) -> Self {
        Self { ahead: text, len: text.len() }
    }

    #[inline(always)]
    pub(crate) fn within(bytes: &'a [u8], range: Range<usize>) -> Self {
        Self { ahead: &bytes[range.start..], len: range.end - range.start }
    }

    #[inline(always)]
    pub(crate) fn bytes(self) -> &'a [u8] {
        &self.ahead[..self.len]
    }

    /// The masks of the block at `from`; bits past the end are not set.
    #[inline(always)]
    pub(crate) fn masks(self, from: usize) -> Masks {
        let masks = match self.ahead[from..].first_chunk() {
            Some(block) => of(block),
            None => of(&self.padded(from)),
        };
        let left = self.len - from;
        if left >= BLOCK { masks } else { masks.keep((1 << left) - 1) }
    }

    /// The digits alone of the block at `from`.
    #[inline(always)]
    pub(crate) fn digits(self, from: usize) -> u64 {
        let digits = match self.ahead[from..].first_chunk() {
            Some(block) => digits_of(block),
            None => digits_of(&self.padded(from)),
        };
        let left = self.len - from;
        if left >= BLOCK { digits } else { digits & ((1 << left) - 1) }
    }

    #[inline(never)]
    fn padded(self, from: usize) -> [u8; BLOCK] {
        let rest = &self.ahead[from..];
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        block
    }
}

impl Masks {
    #[inline(always)]
    fn keep(self, bits: u64) -> Self {
        Self {
            at: self.at & bits,
            digit: self.digit & bits,
            alpha: self.alpha & bits,
            upper: self.upper & bits,
            dot: self.dot & bits,
            colon: self.colon & bits,
            escape: self.escape & bits,
            high: self.high & bits,
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
use avx2::{digits_of, of};
#[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
use plain::{digits_of, of};

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

    #[inline(never)] // as below
    pub(super) fn digits_of(block: &[u8; BLOCK]) -> u64 {
        let ([low, high], _) = block.as_chunks() else { unreachable!("a block has two halves") };
        bits([Half::load(low), Half::load(high)], |half| half.within(b'0', 10))
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
            upper: bits(halves, |half| half.within(b'A', 26)),
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

    pub(super) fn digits_of(block: &[u8; BLOCK]) -> u64 {
        of(block).digit
    }

    pub(super) fn of(block: &[u8; BLOCK]) -> Masks {
        let bits = |test: fn(u8) -> bool| {
            block.iter().enumerate().fold(0, |bits, (place, &byte)| bits | u64::from(test(byte)) << place)
        };
        Masks {
            at: bits(|byte| byte == b'@'),
            digit: bits(|byte| byte.is_ascii_digit()),
            alpha: bits(|byte| byte.is_ascii_alphabetic()),
            upper: bits(|byte| byte.is_ascii_uppercase()),
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
            prop_assert_eq!(digits_of(block), plain::digits_of(block));
        }

        #[test]
        fn nothing_past_the_end_is_seen(bytes in prop::collection::vec(any::<u8>(), 0..100), cut in 0usize..100) {
            let cut = cut.min(bytes.len());
            let (within, whole) = (Text::within(&bytes, 0..cut), Text::whole(&bytes[..cut]));
            prop_assert_eq!(within.bytes(), whole.bytes());
            prop_assert_eq!(within.masks(0), whole.masks(0));
            prop_assert_eq!(within.digits(0), whole.masks(0).digit);
        }
    }
}
